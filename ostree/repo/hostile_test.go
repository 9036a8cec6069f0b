package repo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// TestHostileNames puts directories with names that lead elsewhere into a
// repository, which no reader may follow.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"..", ".", "", "a/b", "../../escape", "x\xff"} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, BareUser)
			ctx := context.Background()
			tx, err := r.Begin(ctx, TransactionOptions{})
			if err != nil {
				t.Fatal(err)
			}
			file, err := tx.WriteFile(ostree.FileHeader{Mode: 0o100644}, 4, strings.NewReader("evil"))
			if err != nil {
				t.Fatal(err)
			}
			meta, err := tx.WriteDirMeta(&ostree.DirMeta{Mode: 0o40755})
			if err != nil {
				t.Fatal(err)
			}
			// Marshal does not validate, so that such a tree can be made at all.
			dir := ostree.DirTree{Files: []ostree.TreeFile{{Name: name, Checksum: file}}}
			root, err := tx.WriteMetadata(ostree.ObjectDirTree, dir.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			c, err := tx.WriteCommit(&ostree.Commit{Tree: root, Meta: meta})
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.SetRef("", "x", c); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			parent := t.TempDir()
			if err := r.Checkout(ctx, c, filepath.Join(parent, "a/b"), CheckoutOptions{UserMode: true}); err == nil {
				t.Error("checked out")
			}
			os.Mkdir(filepath.Join(parent, "a"), 0o755)
			if err := r.Checkout(ctx, c, filepath.Join(parent, "a/b"), CheckoutOptions{UserMode: true}); err == nil {
				t.Error("checked out")
			}
			filepath.WalkDir(parent, func(path string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					t.Errorf("file %s was made", path)
				}
				return nil
			})
			report, err := r.Fsck(ctx, FsckOptions{})
			if err != nil || report.Err() == nil {
				t.Errorf("fsck found nothing: %v", err)
			}
			dst := newRepo(t, BareUser)
			if _, err := dst.PullLocal(ctx, r, PullLocalOptions{}); err == nil {
				t.Error("pulled")
			}
			fsckClean(t, dst)
		})
	}
}

// TestNesting: a tree with directories that are nested too deep is told as that by all that
// meets it, also if they are not deep where they are met first.
func TestNesting(t *testing.T) {
	ctx := context.Background()
	r := newRepo(t, BareUser)
	tx, err := r.Begin(ctx, TransactionOptions{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	meta, err := tx.WriteDirMeta(&ostree.DirMeta{Mode: 0o40755})
	if err != nil {
		t.Fatal(err)
	}
	dir := func(dirs ...ostree.TreeDir) ostree.Checksum {
		c, err := tx.WriteDirTree(&ostree.DirTree{Dirs: dirs})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	chain := func(top ostree.Checksum, n int) ostree.Checksum {
		for range n {
			top = dir(ostree.TreeDir{Name: "d", Tree: top, Meta: meta})
		}
		return top
	}
	commits := map[string]ostree.Checksum{}
	most := chain(dir(), tree.MaxDepth-11)
	for name, root := range map[string]ostree.Checksum{
		"just not": dir(ostree.TreeDir{Name: "a", Tree: most, Meta: meta}, ostree.TreeDir{Name: "b", Tree: chain(most, 10), Meta: meta}),
		"too deep": chain(most, 12),
		"elsewhere": dir(ostree.TreeDir{Name: "a", Tree: most, Meta: meta}, ostree.TreeDir{Name: "b", Tree: chain(most, 11), Meta: meta},
			ostree.TreeDir{Name: "c", Tree: chain(most, 10), Meta: meta}),
	} {
		if commits[name], err = tx.WriteCommit(&ostree.Commit{Tree: root, Meta: meta}); err != nil {
			t.Fatal(err)
		}
		if err := tx.SetRef("", strings.ReplaceAll(name, " ", "-"), commits[name]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	check := func(what, name string, err error) {
		t.Helper()
		if (name == "just not") != (err == nil) || err != nil && !errors.Is(err, tree.ErrTooDeep) {
			t.Errorf("%s: %s: error %v", what, name, err)
		}
	}
	for name, c := range commits {
		check("checkout", name, r.Checkout(ctx, c, filepath.Join(t.TempDir(), "x"), CheckoutOptions{UserMode: true}))
		dst := newRepo(t, BareUser)
		_, err := dst.PullLocal(ctx, r, PullLocalOptions{Refs: []string{c.String()}})
		check("pull", name, err)
		if ok, _ := dst.Has(ostree.ObjectCommit, c); ok != (err == nil) {
			t.Errorf("pull: %s: the commit is there: %v", name, ok)
		}
	}
	report, err := r.Fsck(ctx, FsckOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	found := map[ostree.Checksum]error{}
	for _, p := range report.Problems {
		found[p.Object.Checksum] = p
	}
	for name, c := range commits {
		check("fsck", name, found[c])
	}
	if len(report.Problems) != 2 {
		t.Errorf("fsck: %v", report.Problems)
	}

	src := filepath.Join(t.TempDir(), "src")
	for depth, name := range map[int]string{tree.MaxDepth: "just not", tree.MaxDepth + 1: "too deep"} {
		if err := os.Mkdir(src, 0o755); err != nil {
			t.Fatal(err)
		}
		d, err := dirfd.Open(src)
		for range depth {
			if err != nil {
				t.Fatal(err)
			}
			parent := d
			d, err = parent.Create("d", 0o755)
			parent.Close()
		}
		d.Close()
		tx, err := r.Begin(ctx, TransactionOptions{NoFsync: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = tx.ImportDir(src, ImportOptions{CanonicalPermissions: true})
		check("import", name, err)
		tx.Abort()
		if err := os.RemoveAll(src); err != nil {
			t.Fatal(err)
		}
	}
}
