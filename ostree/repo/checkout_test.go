package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/gvariant"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
)

// fsckClean fails the test unless both implementations find the repository
// sound.
func fsckClean(t testing.TB, r *Repo) {
	t.Helper()
	report, err := r.Fsck(context.Background(), FsckOptions{All: true})
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		t.Errorf("fsck: %v", err)
	}
	if report != nil && report.Partial > 0 {
		t.Errorf("fsck: %d partial commits", report.Partial)
	}
}

func TestCheckoutMatchesReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	treetest.NeedRoot(t)
	type variant struct {
		name string
		args []string
		opts CheckoutOptions
	}
	variants := []variant{
		{"plain", nil, CheckoutOptions{}},
		{"user", []string{"-U"}, CheckoutOptions{UserMode: true}},
		{"copy", []string{"-C"}, CheckoutOptions{ForceCopy: true}},
		{"user-copy", []string{"-U", "-C"}, CheckoutOptions{UserMode: true, ForceCopy: true}},
		{"dirs", []string{"-U", "-M"}, CheckoutOptions{UserMode: true, BareUserOnlyDirs: true}},
	}
	for _, mode := range []Mode{Bare, BareUser, BareUserOnly, Archive} {
		t.Run(mode.String(), func(t *testing.T) {
			src := filepath.Join(t.TempDir(), "src")
			o := randomOptions(7, mode)
			// Upstream copies files that their owner may not read; linking them
			// gives the same but for an attribute.
			o.SetID = o.SetID && mode != BareUser
			treetest.Random(t, src, o)
			r := newRepo(t, mode)
			c := commitDir(t, r, "x", src, ImportOptions{})
			for _, v := range variants {
				ours, theirs := filepath.Join(t.TempDir(), "ours"), filepath.Join(t.TempDir(), "theirs")
				cOstree(t, r.Path(), append(append([]string{"checkout"}, v.args...), "x", theirs)...)
				if err := r.Checkout(context.Background(), c, ours, v.opts); err != nil {
					t.Errorf("%s: %v", v.name, err)
					continue
				}
				treetest.Equal(t, ours, theirs, treetest.Compare{})
			}
			fsckClean(t, r)
		})
	}
}

func TestCheckoutHardlinks(t *testing.T) {
	for _, mode := range []Mode{Bare, BareUser, BareUserOnly} {
		t.Run(mode.String(), func(t *testing.T) {
			if mode == Bare {
				treetest.NeedRoot(t)
			}
			src := filepath.Join(t.TempDir(), "src")
			treetest.Random(t, src, treetest.Options{Seed: 3})
			r := newRepo(t, mode)
			c := commitDir(t, r, "x", src, ImportOptions{})
			dest := filepath.Join(t.TempDir(), "d")
			cache := NewDevInoCache()
			opts := CheckoutOptions{UserMode: mode != Bare, RequireHardlinks: true, DevIno: cache}
			if err := r.Checkout(context.Background(), c, dest, opts); err != nil {
				t.Fatal(err)
			}
			if len(cache.sum) == 0 {
				t.Error("nothing was linked")
			}
			opts.UserMode = !opts.UserMode
			if err := r.Checkout(context.Background(), c, dest+"2", opts); (err == nil) != (mode == BareUserOnly) {
				t.Errorf("links across user modes, where bare-user-only has but one: %v", err)
			}
			scanned, err := r.ScanDevIno()
			if err != nil || len(scanned.sum) != len(cache.sum) {
				t.Errorf("ScanDevIno: %d, %v; checkout linked %d", len(scanned.sum), err, len(cache.sum))
			}
			if c2 := commitDir(t, r, "y", dest, ImportOptions{DevIno: cache, DevInoCanonical: true}); c2 != c {
				a, _ := r.Commit(c)
				b, _ := r.Commit(c2)
				if a.Tree != b.Tree && mode != BareUser { // there symbolic links and empty files lose their owner
					t.Errorf("commit of the checkout has another tree")
				}
			}
			fsckClean(t, r)
		})
	}
}

func writeFiles(t testing.TB, dir string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckoutOverwrite(t *testing.T) {
	treetest.Oracle(t, "ostree")
	for _, tt := range []struct {
		arg  string
		mode Overwrite
		fail bool
	}{
		{"", OverwriteNone, true},
		{"--union", UnionFiles, false},
		{"--union-add", AddFiles, false},
		{"--union-identical", UnionIdentical, true},
	} {
		t.Run(tt.arg, func(t *testing.T) {
			src, src2 := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
			writeFiles(t, src, "same", "s", "differs", "one", "d/x", "x", "only-a", "a")
			writeFiles(t, src2, "same", "s", "differs", "two", "d/y", "y", "only-b", "b")
			os.Chmod(filepath.Join(src2, "d"), 0o700)
			r := newRepo(t, BareUser)
			c1 := commitDir(t, r, "a", src, ImportOptions{})
			c2 := commitDir(t, r, "b", src2, ImportOptions{})
			ours, theirs := filepath.Join(t.TempDir(), "o"), filepath.Join(t.TempDir(), "t")
			for _, d := range []string{ours, theirs} {
				if err := r.Checkout(context.Background(), c1, d, CheckoutOptions{UserMode: true, RequireHardlinks: true}); err != nil {
					t.Fatal(err)
				}
			}
			err := r.Checkout(context.Background(), c2, ours, CheckoutOptions{UserMode: true, RequireHardlinks: true, Overwrite: tt.mode})
			if (err != nil) != tt.fail {
				t.Fatalf("checkout: %v", err)
			}
			if tt.fail {
				if !errors.Is(err, fs.ErrExist) {
					t.Errorf("error is %v", err)
				}
				return
			}
			cOstree(t, r.Path(), "checkout", "-UH", tt.arg, "b", theirs)
			treetest.Equal(t, ours, theirs, treetest.Compare{})
			// The same tree again is fine with all of them.
			if err := r.Checkout(context.Background(), c2, ours, CheckoutOptions{UserMode: true, RequireHardlinks: true, Overwrite: tt.mode}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckoutWhiteoutsAndSubpath(t *testing.T) {
	treetest.Oracle(t, "ostree")
	src := filepath.Join(t.TempDir(), "s")
	writeFiles(t, src, ".wh.gone", "", "d/.wh..wh..opq", "", "d/new", "n", "deep/er/f", "f", "deep/g", "g")
	r := newRepo(t, BareUser)
	c := commitDir(t, r, "x", src, ImportOptions{})
	ours, theirs := filepath.Join(t.TempDir(), "o"), filepath.Join(t.TempDir(), "t")
	for _, d := range []string{ours, theirs} {
		writeFiles(t, d, "gone/a/b", "x", "d/old", "o", "stays", "s")
	}
	o := CheckoutOptions{UserMode: true, Overwrite: UnionFiles, Whiteouts: true}
	if err := r.Checkout(context.Background(), c, ours, o); err != nil {
		t.Fatal(err)
	}
	cOstree(t, r.Path(), "checkout", "-U", "--union", "--whiteouts", "x", theirs)
	treetest.Equal(t, ours, theirs, treetest.Compare{})
	for i, sub := range []string{"/deep", "deep/er", "/deep/g"} {
		a, b := fmt.Sprintf("%s-%d", ours, i), fmt.Sprintf("%s-%d", theirs, i)
		if err := r.Checkout(context.Background(), c, a, CheckoutOptions{UserMode: true, Subpath: sub}); err != nil {
			t.Fatal(err)
		}
		cOstree(t, r.Path(), "checkout", "-U", "--subpath="+sub, "x", b)
		treetest.Equal(t, a, b, treetest.Compare{})
	}
	if err := r.Checkout(context.Background(), c, ours+"-no", CheckoutOptions{UserMode: true, Subpath: "/no"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing subpath: %v", err)
	}
}

// TestCheckoutOverMatchesReference checks out over what is there already, in ways that only tell
// when links, whiteouts and lists meet.
func TestCheckoutOverMatchesReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	dir := t.TempDir()
	lower, upper := filepath.Join(dir, "lower"), filepath.Join(dir, "upper")
	writeFiles(t, lower, "usr/lib/a", "a", "file", "f", "dir/x", "x")
	writeFiles(t, upper, "lib/b", "b", "usr/lib/c", "c", ".wh.file", "", "dir/y", "y", "dir/sub/z", "z", "dir/subfile", "s")
	for path, target := range map[string]string{"lower/lib": "usr/lib", "upper/.wh.dir": "a link", "upper/dir/.ostree-wh.x": "a link"} {
		if err := os.Symlink(target, filepath.Join(dir, path)); err != nil {
			t.Fatal(err)
		}
	}
	r := newRepo(t, BareUser)
	first, second := commitDir(t, r, "lower", lower, ImportOptions{}), commitDir(t, r, "upper", upper, ImportOptions{})
	lists := filepath.Join(dir, "skip")
	for i, tt := range []struct {
		args string
		o    CheckoutOptions
		list string
	}{
		{"--union", CheckoutOptions{Overwrite: UnionFiles}, ""},
		{"--union-add", CheckoutOptions{Overwrite: AddFiles}, ""},
		{"--union-identical -H", CheckoutOptions{Overwrite: UnionIdentical, RequireHardlinks: true}, ""},
		{"--union --whiteouts", CheckoutOptions{Overwrite: UnionFiles, Whiteouts: true}, "/lib/\n"}, // a link stays before 2023
		{"--union-add --whiteouts", CheckoutOptions{Overwrite: AddFiles, Whiteouts: true}, ""},
		{"--union --process-passthrough-whiteouts", CheckoutOptions{Overwrite: UnionFiles, PassthroughWhiteouts: true}, ""},
		{"--union --subpath=/dir", CheckoutOptions{Overwrite: UnionFiles, Subpath: "/dir"}, "/sub/\n/y\n/dir/subfile\n"},
		{"--union", CheckoutOptions{Overwrite: UnionFiles}, "/dir/sub/\n/lib/b\n"},
		{"--union", CheckoutOptions{Overwrite: UnionFiles}, "/\n"},
		{"--union --subpath=/dir/y", CheckoutOptions{Overwrite: UnionFiles, Subpath: "/dir/y"}, "/dir/y\n/\n/y\n"},
	} {
		args := append([]string{"checkout", "-U"}, strings.Fields(tt.args)...)
		if tt.list != "" {
			if err := os.WriteFile(lists, []byte(tt.list), 0o644); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--skip-list="+lists)
			tt.o.Skip = ParseSkipList(tt.list)
		}
		tt.o.UserMode = true
		var tops []string
		for _, who := range []string{"ours", "theirs"} {
			// The destination is behind a link, unless that would be replaced.
			top := fmt.Sprintf("%s/%d-%s", dir, i, who)
			real, dest := top+"/real", top+"/dest"
			if tt.o.Whiteouts {
				dest = real
			}
			if err := errors.Join(os.MkdirAll(real, 0o755), os.Symlink("real", top+"/dest")); err != nil {
				t.Fatal(err)
			}
			if err := r.Checkout(t.Context(), first, dest, CheckoutOptions{UserMode: true, Overwrite: UnionFiles}); err != nil {
				t.Fatal(err)
			}
			if who == "theirs" {
				cOstree(t, r.Path(), append(args, "upper", dest)...)
			} else if err := r.Checkout(t.Context(), second, dest, tt.o); err != nil {
				t.Errorf("%s: %v", tt.args, err)
			}
			tops = append(tops, real)
		}
		treetest.Equal(t, tops[0], tops[1], treetest.Compare{})
	}
	// The C program goes by the slash, but means to leave out directories without one, too.
	dest := filepath.Join(dir, "list")
	if err := r.Checkout(t.Context(), second, dest, CheckoutOptions{UserMode: true, Skip: ParseSkipList("/dir\n")}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dest, "dir")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory in the list: %v", err)
	}
}

// TestWhiteoutsAgain checks out whiteouts of overlayfs where they are already, and where something
// else is.
func TestWhiteoutsAgain(t *testing.T) {
	treetest.NeedRoot(t)
	dir := t.TempDir()
	r := newRepo(t, BareUser)
	var commits []ostree.Checksum
	for i, mode := range []os.FileMode{0o644, 0o600} {
		src := fmt.Sprintf("%s/src-%d", dir, i)
		writeFiles(t, src, ".ostree-wh.x", "")
		if err := os.Chmod(src+"/.ostree-wh.x", mode); err != nil {
			t.Fatal(err)
		}
		commits = append(commits, commitDir(t, r, fmt.Sprint("x", i), src, ImportOptions{}))
	}
	o := CheckoutOptions{UserMode: true, Overwrite: UnionIdentical, RequireHardlinks: true, PassthroughWhiteouts: true}
	for i, c := range []int{0, 0, 1} {
		err := r.Checkout(t.Context(), commits[c], dir+"/dest", o)
		if (err == nil) != (c == 0) || err != nil && !errors.Is(err, fs.ErrExist) {
			t.Errorf("checkout %d: %v", i, err)
		}
	}
	if fi, err := os.Lstat(dir + "/dest/x"); err != nil || fi.Mode() != os.ModeDevice|os.ModeCharDevice|0o644 {
		t.Errorf("%v, %v", fi, err)
	}
	writeFiles(t, dir+"/file", "x", "")
	if err := r.Checkout(t.Context(), commits[0], dir+"/file", o); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
}

func TestFsckFindsProblems(t *testing.T) {
	for _, mode := range []Mode{BareUser, Archive} {
		r := newRepo(t, mode)
		src := filepath.Join(t.TempDir(), "s")
		writeFiles(t, src, "a", "content a", "b", "content b", "c/d", "content d")
		c := commitDir(t, r, "x", src, ImportOptions{})
		var files []ostree.Checksum
		r.EachObject(func(n ostree.ObjectName) error {
			if n.Type == ostree.ObjectFile {
				files = append(files, n.Checksum)
			}
			return nil
		})
		path := r.ObjectPath(ostree.ObjectFile, files[0])
		os.Chmod(path, 0o600)
		data, _ := os.ReadFile(path)
		data[len(data)-1] ^= 1
		f, _ := os.OpenFile(path, os.O_WRONLY, 0)
		f.WriteAt(data, 0)
		f.Close()
		os.Remove(r.ObjectPath(ostree.ObjectFile, files[1]))
		report, err := r.Fsck(context.Background(), FsckOptions{All: true, Delete: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Problems) != 2 || report.Err() == nil {
			t.Errorf("%s: problems %v", mode, report.Problems)
		}
		if ok, _ := r.Has(ostree.ObjectFile, files[0]); ok {
			t.Error("corrupted object was not removed")
		}
		if partial, _ := r.IsPartial(c); !partial {
			t.Error("commit is not partial")
		}
		report, err = r.Fsck(context.Background(), FsckOptions{})
		if err != nil || report.Err() != nil || report.Partial != 1 {
			t.Errorf("second fsck: %+v, %v", report, err)
		}
	}
}

// TestFsckNamesCommits breaks a dirtree that three commits have: the first error names all.
func TestFsckNamesCommits(t *testing.T) {
	r := newRepo(t, Archive)
	src := filepath.Join(t.TempDir(), "s")
	var tip ostree.Checksum
	var commits []string
	for i := range 3 {
		writeFiles(t, src, "f", fmt.Sprint(i), "sub/f", "same")
		tip = commitDir(t, r, "x", src, ImportOptions{})
		commits = append(commits, tip.String())
	}
	c, err := r.Commit(tip)
	if err != nil {
		t.Fatal(err)
	}
	root, err := r.DirTree(c.Tree)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.ObjectPath(ostree.ObjectDirTree, root.Dirs[0].Tree), []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	report, err := r.Fsck(context.Background(), FsckOptions{})
	slices.Sort(commits)
	want := "In commits " + strings.Join(commits, ", ") + ": fsck "
	if err != nil || report.Commits != 3 || len(report.Problems) != 1 || !strings.HasPrefix(report.Problems[0].Error(), want) {
		t.Errorf("%d commits, problems %v, error %v, want %q", report.Commits, report.Problems, err, want)
	}
}

// TestFsckOfPartialCommits has two commits without trees, of one parent that is missing.
func TestFsckOfPartialCommits(t *testing.T) {
	r := newRepo(t, Archive)
	parent := ostree.ChecksumOf([]byte("missing"))
	tx, err := r.Begin(t.Context(), TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	var bound gvariant.Dict
	bound.Set(ostree.KeyRefBinding, gvariant.Strings([]string{"z"}))
	for _, ref := range []string{"x", "y"} {
		c, err := tx.WriteCommit(&ostree.Commit{Tree: parent, Meta: parent, Parent: parent, Subject: ref, Metadata: bound.Value()})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(tx.SetRef("", ref, c), r.SetPartial(c, true)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		report, err := r.Fsck(t.Context(), FsckOptions{AddTombstones: true, VerifyBackRefs: true})
		if err != nil || len(report.Tombstones) != want || report.Partial != 2 {
			t.Errorf("%+v, %v, want %d tombstones", report, err, want)
		}
		// x and y are not bound, and z does not exist, twice.
		if len(report.Problems) != 4 || !strings.HasSuffix(report.Problems[3].Error(), "does not exist") {
			t.Errorf("problems %v, want 4", report.Problems)
		}
	}
	if ok, _ := r.Has(ostree.ObjectTombstoneCommit, parent); !ok {
		t.Error("no tombstone")
	}
}

func TestPrune(t *testing.T) {
	r := newRepo(t, BareUser)
	src := filepath.Join(t.TempDir(), "s")
	var commits []ostree.Checksum
	for i := range 4 {
		writeFiles(t, src, "f", fmt.Sprint(i), "same", "s")
		commits = append(commits, commitDir(t, r, "x", src, ImportOptions{}))
	}
	ctx := context.Background()
	stats, err := r.Prune(ctx, PruneOptions{})
	if err != nil || stats.Pruned != 0 {
		t.Errorf("nothing to prune: %+v, %v", stats, err)
	}
	depth := 1
	dry, err := r.Prune(ctx, PruneOptions{RefsOnly: true, Depth: &depth, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	stats, err = r.Prune(ctx, PruneOptions{RefsOnly: true, Depth: &depth})
	if err != nil || stats != dry || stats.Pruned != 6 {
		t.Errorf("depth 1: %+v, dry %+v, %v", stats, dry, err)
	}
	for i, c := range commits {
		if ok, _ := r.Has(ostree.ObjectCommit, c); ok != (i >= 2) {
			t.Errorf("commit %d there: %v", i, ok)
		}
	}
	fsckClean(t, r)
	if _, err := r.Prune(ctx, PruneOptions{DeleteCommits: commits[3:]}); err == nil {
		t.Error("deleted a commit that a ref names")
	}
	if stats, err := r.Prune(ctx, PruneOptions{DeleteCommits: commits[2:3]}); err != nil || stats.Pruned != 2 {
		t.Errorf("delete commit: %+v, %v", stats, err)
	}
	if ok, _ := r.Has(ostree.ObjectTombstoneCommit, commits[2]); !ok {
		t.Error("no tombstone for a deleted commit")
	}
	fsckClean(t, r)
}

// overwrite changes the start of a file in place.
func overwrite(t testing.TB, path string, data []byte) {
	t.Helper()
	os.Chmod(path, 0o600)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
}
