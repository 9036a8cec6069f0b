package repo

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

func TestBudget(t *testing.T) {
	disk := unix.Statfs_t{Frsize: 4096, Bsize: 4096, Blocks: 10000, Bfree: 1000, Bavail: 500}
	for _, tt := range []struct {
		limit minFree
		root  bool
		want  int64 // blocks
	}{
		{minFree{percent: 3}, true, 700},
		{minFree{percent: 3}, false, 200}, // without what the file system keeps for root
		{minFree{mib: 1, percent: 3}, true, 744},
		{minFree{percent: 50}, true, 0},
	} {
		var b budget
		if err := b.init(tt.limit, disk, tt.root); err != nil {
			t.Error(err)
		}
		if got := b.blocks.Load(); got != tt.want {
			t.Errorf("%+v, root %v: %d blocks, want %d", tt.limit, tt.root, got, tt.want)
		}
	}
	var b budget
	if err := b.init(minFree{mib: 1 << 44}, disk, false); err == nil || !strings.HasSuffix(err.Error(), "the maximum allowed value of 17592186044415 bytes") {
		t.Error(err)
	}
	if err := b.init(minFree{percent: 3}, disk, false); err != nil {
		t.Error(err)
	}
	err := b.debit(200 << 12)
	if err == nil || err.Error() != "min-free-space-percent '3%' would be exceeded, at least 823.3\u00a0kB requested" {
		t.Error(err)
	}
	b.credit(200 << 12) // of another object
	if b.debit(1) == nil {
		t.Error("there is space again, although what was staged is gone")
	}
}

// TestBudgetOfKnownObjects writes a file that is there already: it needs no space, however
// often.
func TestBudgetOfKnownObjects(t *testing.T) {
	for _, mode := range []Mode{BareUserOnly, Archive} {
		r := newRepo(t, mode)
		tx, err := r.Begin(context.Background(), TransactionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Abort()
		const size = 2 * bigBuf
		tx.budget.limited, tx.budget.limit, tx.budget.block = true, minFree{percent: 3}, size
		tx.budget.blocks.Store(tx.budget.needs(size)) // for one
		write := func(c string) error {
			_, err := tx.WriteFile(ostree.FileHeader{Mode: unix.S_IFREG | 0o644}, size, strings.NewReader(strings.Repeat(c, size)))
			return err
		}
		tx.budget.blocks.Add(tx.budget.needs(size)) // and one that is not there, or not yet known to be
		for range 5 {
			if err := write("a"); err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
		}
		// What is told its checksum does not look, and must not take the space twice either.
		h, content := ostree.FileHeader{Mode: unix.S_IFREG | 0o644}, strings.Repeat("a", size)
		known, err := ostree.FileChecksum(h, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		before := tx.Stats()
		for range 5 {
			if err := errors.Join(tx.WriteFileChecked(known, h, size, strings.NewReader(content)), tx.WriteFileAsIs(known, h, size, strings.NewReader(content))); err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
		}
		if after := tx.Stats(); after.ContentWritten != before.ContentWritten || after.ContentBytesWritten != before.ContentBytesWritten {
			t.Errorf("%s: %+v after the same file, before %+v", mode, after, before)
		}
		var space *NoSpaceError
		if err := errors.Join(write("b"), write("c")); !errors.As(err, &space) {
			t.Errorf("%s: error %v", mode, err)
		}
		if _, err := tx.Commit(); !errors.As(err, &space) {
			t.Errorf("%s: commit: error %v", mode, err)
		}
	}
}

// TestReadOnlyDisk looks for objects that nobody needs where nothing can be written.
func TestReadOnlyDisk(t *testing.T) {
	treetest.NeedRoot(t)
	mnt := t.TempDir()
	if err := unix.Mount("tmpfs", mnt, "tmpfs", 0, ""); err != nil {
		treetest.Skip(t, "cannot mount a tmpfs: ", err)
	}
	defer unix.Unmount(mnt, unix.MNT_DETACH)
	path, src := filepath.Join(mnt, "repo"), filepath.Join(t.TempDir(), "src")
	r, err := Init(path, InitOptions{Mode: BareUserOnly})
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"1", "2"} {
		writeFiles(t, src, "a", content)
		commitDir(t, r, "x", src, ImportOptions{})
	}
	r.Close()
	if err := unix.Mount("", mnt, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if r, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	depth := 0
	o := PruneOptions{RefsOnly: true, Depth: &depth}
	if _, err := r.Prune(t.Context(), o); !errors.Is(err, unix.EROFS) {
		t.Errorf("prune: error %v", err)
	}
	o.DryRun = true
	if stats, err := r.Prune(t.Context(), o); err != nil || stats.Pruned != 3 {
		t.Errorf("%+v, %v, want 3 objects: a commit, a directory and a file", stats, err)
	}
}
