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

// checkouts are checkouts in all modes: what a commit has may lead none of them astray.
func checkouts() map[string]CheckoutOptions {
	return map[string]CheckoutOptions{
		"new":             {UserMode: true},
		"copy":            {UserMode: true, ForceCopy: true},
		"union":           {UserMode: true, Overwrite: UnionFiles},
		"union-add":       {UserMode: true, Overwrite: AddFiles},
		"union-identical": {UserMode: true, Overwrite: UnionIdentical, RequireHardlinks: true},
		"layer":           {UserMode: true, Overwrite: UnionFiles, Whiteouts: true, PassthroughWhiteouts: true},
		"add a layer":     {UserMode: true, Overwrite: AddFiles, Whiteouts: true, PassthroughWhiteouts: true},
		"skip-list":       {UserMode: true, Overwrite: UnionFiles, Skip: ParseSkipList("/other\n")},
	}
}

// commitObjects makes a commit of a root with the given entries: files with the content
// "evil", and directories that have one of that name.
func commitObjects(t *testing.T, r *Repo, files, dirs []string) ostree.Checksum {
	t.Helper()
	tx, err := r.Begin(t.Context(), TransactionOptions{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	file, err := tx.WriteFile(ostree.FileHeader{Mode: 0o100644}, 4, strings.NewReader("evil"))
	if err != nil {
		t.Fatal(err)
	}
	meta, err := tx.WriteDirMeta(&ostree.DirMeta{Mode: 0o40755})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := tx.WriteDirTree(&ostree.DirTree{Files: []ostree.TreeFile{{Name: "evil", Checksum: file}}})
	if err != nil {
		t.Fatal(err)
	}
	var root ostree.DirTree
	for _, name := range files {
		root.Files = append(root.Files, ostree.TreeFile{Name: name, Checksum: file})
	}
	for _, name := range dirs {
		root.Dirs = append(root.Dirs, ostree.TreeDir{Name: name, Tree: sub, Meta: meta})
	}
	// Marshal does not validate, so that such a tree can be made at all.
	top, err := tx.WriteMetadata(ostree.ObjectDirTree, root.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	c, err := tx.WriteCommit(&ostree.Commit{Tree: top, Meta: meta})
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.SetRef("", "x", c); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return c
}

// noFiles fails the test if there is anything but directories.
func noFiles(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("file %s was made", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestHostileNames puts directories with names that lead elsewhere into a
// repository, which no reader may follow.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"..", ".", "", "a/b", "../../escape", "/etc/escape", "x\xff"} {
		for kind, entries := range map[string][2][]string{"file": {{name}, nil}, "directory": {nil, {name}}} {
			t.Run(kind+" "+name, func(t *testing.T) {
				r := newRepo(t, BareUser)
				ctx := context.Background()
				c := commitObjects(t, r, entries[0], entries[1])
				parent := t.TempDir()
				if err := r.Checkout(ctx, c, filepath.Join(parent, "a/b"), CheckoutOptions{UserMode: true}); err == nil {
					t.Error("checked out")
				}
				os.Mkdir(filepath.Join(parent, "a"), 0o755)
				for mode, o := range checkouts() {
					for _, o.Subpath = range []string{"", name, "a"} {
						if o.Subpath == "." || o.Subpath == ".." {
							continue // which are the root
						}
						if err := r.Checkout(ctx, c, filepath.Join(parent, "a/b"), o); err == nil {
							t.Errorf("%s, subpath %q: checked out", mode, o.Subpath)
						}
						os.RemoveAll(filepath.Join(parent, "a/b"))
					}
				}
				noFiles(t, parent)
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
}

// TestHostileWhiteouts has whiteouts of what is no name: nothing is removed.
func TestHostileWhiteouts(t *testing.T) {
	for _, name := range []string{".wh.", ".wh..", ".wh...", ".ostree-wh.", ".ostree-wh..", ".ostree-wh..."} {
		r := newRepo(t, BareUser)
		c := commitObjects(t, r, []string{name}, nil)
		parent := t.TempDir()
		writeFiles(t, parent, "kept", "", "dest/kept", "")
		for mode, o := range checkouts() {
			o.Whiteouts, o.PassthroughWhiteouts = true, true
			if err := r.Checkout(t.Context(), c, filepath.Join(parent, "dest"), o); err == nil {
				t.Errorf("%s: %s: checked out", mode, name)
			}
		}
		for _, kept := range []string{"kept", "dest/kept"} {
			if _, err := os.Stat(filepath.Join(parent, kept)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestHostileLinks checks out a commit with directories where one before has links that lead out
// of the destination, and where its links lead to other directories in it.
func TestHostileLinks(t *testing.T) {
	for mode, o := range checkouts() {
		if o.Overwrite == OverwriteNone {
			continue
		}
		for _, subpath := range []string{"", "/sub"} {
			dir := t.TempDir()
			outside, dest, src := filepath.Join(dir, "outside"), filepath.Join(dir, "dest"), filepath.Join(dir, "src")
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(os.MkdirAll(filepath.Join(outside, "sub"), 0o755))
			lower := filepath.Join(src, subpath)
			must(os.MkdirAll(filepath.Join(lower, "usr/lib"), 0o755))
			for name, target := range map[string]string{"absolute": outside, "up": "../outside", "far": "usr/../../outside", "below": "up/sub", "lib": "usr/lib", "loop": "loop"} {
				must(os.Symlink(target, filepath.Join(lower, name)))
			}
			r := newRepo(t, BareUser)
			first := commitDir(t, r, "first", src, ImportOptions{})
			o.Subpath = subpath
			must(r.Checkout(t.Context(), first, dest, o))
			for _, name := range []string{"absolute", "up", "far", "below", "loop", "lib"} {
				layer := filepath.Join(dir, "layer-"+name)
				writeFiles(t, layer, filepath.Join(subpath, name, "evil"), "evil")
				c := commitDir(t, r, name, layer, ImportOptions{})
				err := r.Checkout(t.Context(), c, dest, o)
				follows := name == "lib" || o.Overwrite == UnionFiles && o.Whiteouts // where the directory replaces the link
				if (err == nil) != follows {
					t.Errorf("%s: %s: %v", mode, name, err)
				}
			}
			noFiles(t, outside)
			_, err := os.Stat(filepath.Join(dest, "usr/lib/evil"))
			if layer := o.Overwrite == UnionFiles && o.Whiteouts; (err == nil) == layer {
				t.Errorf("%s: in the directory that a link leads to: %v", mode, err)
			}
		}
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
