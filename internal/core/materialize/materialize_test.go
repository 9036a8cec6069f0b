package materialize_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"rpmostree/internal/core/materialize"
	"rpmostree/internal/treetest"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// A store checks trees out of a transaction.
type store struct{ tx *repo.Transaction }

func (s store) Link(ctx context.Context, t tree.Tree, dir string) error {
	return s.tx.CheckoutTree(ctx, t, dir, repo.CheckoutOptions{})
}

func (s store) Copy(ctx context.Context, t tree.Tree, dir string) error {
	return s.tx.CheckoutTree(ctx, t, dir, repo.CheckoutOptions{ForceCopy: true})
}

// A world is a bare repository with a tree in a transaction.
type world struct {
	repo *repo.Repo
	tx   *repo.Transaction
	tree tree.Tree
	work string
}

// files is the tree that scripts change: one of everything.
const files = `
mkdir -p usr/bin usr/share/doc usr/share/gone/deep usr/lib/many etc/conf.d
echo program > usr/bin/prog; chmod 0755 usr/bin/prog
echo setuid > usr/bin/su; chmod 4755 usr/bin/su
ln usr/bin/prog usr/bin/hard
ln -s prog usr/bin/link
echo doc > usr/share/doc/a; echo doc2 > usr/share/doc/b
echo x > usr/share/gone/deep/x
: > usr/share/empty
for i in $(seq 100); do echo $i > usr/lib/many/$i; done
echo conf > etc/conf.d/c
chmod 0700 usr/share/doc
`

// script changes every kind of file in every way that a scriptlet might.
const script = `
echo more >> usr/bin/prog
chmod 0600 usr/bin/su
rm usr/bin/link; ln -s elsewhere usr/bin/link
mv usr/share/doc/a usr/share/doc/renamed
: > usr/share/doc/b
rm -r usr/share/gone
echo now > usr/share/empty
rm -r usr/lib/many; echo file > usr/lib/many
rm etc/conf.d/c; rmdir etc/conf.d; mkdir etc/conf.d; echo new > etc/conf.d/d
mkdir -m 1777 usr/share/newdir; echo n > usr/share/newdir/n
chmod 0755 usr/share/doc
rm usr/bin/hard; mkdir usr/bin/hard; echo in > usr/bin/hard/in
mkfifo usr/share/fifo
`

func newWorld(t *testing.T) *world {
	t.Helper()
	treetest.NeedRoot(t)
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	if err := os.Mkdir(src, 0o755); err != nil {
		t.Fatal(err)
	}
	shell(t, src, files)
	r, err := repo.Init(filepath.Join(dir, "repo"), repo.InitOptions{Mode: repo.Bare})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	tx, err := r.Begin(context.Background(), repo.TransactionOptions{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Abort() })
	tr, err := tx.ImportDir(src, repo.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &world{r, tx, tr, filepath.Join(dir, "repo", "tmp", "work")}
}

func shell(t *testing.T, dir, text string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-euc", text)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// checkout puts a tree into a new directory, for comparison.
func (w *world) checkout(t *testing.T, tr tree.Tree) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if err := w.tx.CheckoutTree(context.Background(), tr, dir, repo.CheckoutOptions{ForceCopy: true}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// verify commits the tree, so that fsck looks at every object that was linked.
func (w *world) verify(t *testing.T) {
	t.Helper()
	if _, _, err := w.tree.Write(w.tx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tx.Commit(); err != nil {
		t.Fatal(err)
	}
	report, err := w.repo.Fsck(context.Background(), repo.FsckOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		t.Errorf("fsck: %v", err)
	}
}

// TestRoot is the conformance suite of all ways to put a tree on disk.
func TestRoot(t *testing.T) {
	for _, tt := range []struct {
		name string
		opt  func(t *testing.T, w *world, o *materialize.Options)
	}{
		{"overlay", func(*testing.T, *world, *materialize.Options) {}},
		{"copy", func(_ *testing.T, _ *world, o *materialize.Options) { o.NoOverlay = true }},
		{"overlay on a base", func(t *testing.T, w *world, o *materialize.Options) {
			o.Base = otherBase(t, w)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			opt := materialize.Options{Store: store{w.tx}, Work: w.work}
			if err := os.MkdirAll(w.work, 0o755); err != nil {
				t.Fatal(err)
			}
			if tt.name != "copy" && !materialize.Available(w.work) {
				t.Skip("overlayfs cannot be mounted here")
			}
			tt.opt(t, w, &opt)
			root, err := materialize.Mount(context.Background(), w.tree, opt)
			if err != nil {
				t.Fatal(err)
			}
			treetest.Equal(t, root.Dir(), w.checkout(t, w.tree), treetest.Compare{})
			shell(t, root.Dir(), script)

			want := w.checkout(t, w.tree)
			shell(t, want, script)
			if err := os.Remove(filepath.Join(want, "usr/share/fifo")); err != nil {
				t.Fatal(err) // a commit cannot hold it
			}
			folded, err := root.Fold(w.tx)
			if err != nil {
				t.Fatal(err)
			}
			treetest.Equal(t, w.checkout(t, folded), want, treetest.Compare{})
			if err := root.Close(); err != nil {
				t.Fatal(err)
			}
			if left, _ := os.ReadDir(w.work); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
			w.verify(t)
		})
	}
}

// otherBase puts a tree on disk that differs from w.tree in every way, with
// directories beside it that are not part of the tree.
func otherBase(t *testing.T, w *world) *materialize.Base {
	t.Helper()
	b := tree.NewBuilder(w.tree)
	for _, p := range []string{"usr/share/doc", "usr/bin/prog", "etc"} {
		if err := b.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	e, err := w.tree.Lookup("usr/bin/su")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"usr/bin/link", "usr/extra/file", "usr/share/doc"} {
		if err := b.SetFile(p, e.Checksum); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(w.work, "..", "base")
	if err := w.tx.CheckoutTree(context.Background(), b.Tree(), dir, repo.CheckoutOptions{}); err != nil {
		t.Fatal(err)
	}
	shell(t, dir, "mkdir etc var; echo machine > etc/machine; echo v > var/v; ln -s x link")
	return &materialize.Base{Dir: dir, Tree: b.Tree(), Only: []string{"usr"}}
}

func TestClean(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.work, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := materialize.Mount(context.Background(), w.tree, materialize.Options{Store: store{w.tx}, Work: w.work})
	if err != nil {
		t.Fatal(err)
	}
	if err := materialize.Clean(w.work); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root.Dir()); err != nil {
		t.Error("Clean removed a tree that is in use")
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	// What a killed process leaves: the directory, and nobody who holds its lock.
	if err := os.MkdirAll(filepath.Join(w.work, "tree-dead", "root"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := materialize.Clean(w.work); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(w.work); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
