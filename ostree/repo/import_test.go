package repo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree"
)

// cOstree runs the reference implementation on a repository.
func cOstree(t testing.TB, repo string, args ...string) string {
	t.Helper()
	return treetest.Run(t, "ostree", append([]string{"--repo=" + repo}, args...)...)
}

func newRepo(t testing.TB, mode Mode) *Repo {
	t.Helper()
	r, err := Init(filepath.Join(t.TempDir(), "repo"), InitOptions{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	k := r.Config()
	k.Set("core", "fsync", "false") // the crash tests set it again
	if err := r.SetConfig(k); err != nil {
		t.Fatal(err)
	}
	return r
}

// commitDir commits a directory to a branch with an empty subject and the
// timestamp 0, so that the checksum depends on the content only.
func commitDir(t testing.TB, r *Repo, branch, dir string, o ImportOptions) ostree.Checksum {
	t.Helper()
	tx, err := r.Begin(context.Background(), TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	tr, err := tx.ImportDir(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	root, meta, err := tr.Write(tx)
	if err != nil {
		t.Fatal(err)
	}
	var parent ostree.Checksum
	if c, err := r.ResolveRev(branch); err == nil {
		parent = c
	}
	c, err := tx.WriteCommit(&ostree.Commit{Tree: root, Meta: meta, Parent: parent})
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.SetRef("", branch, c); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return c
}

var isRoot = os.Geteuid() == 0

func randomOptions(seed uint64, mode Mode) treetest.Options {
	o := treetest.Options{Seed: seed, Files: 60, MaxSize: 300 << 10, Hardlinks: true, Owners: isRoot, Xattrs: isRoot, SetID: isRoot}
	if mode == BareUserOnly {
		o.SetID = false
	}
	return o
}

func TestCommitMatchesReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	for _, mode := range []Mode{Bare, BareUser, BareUserOnly, Archive} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s-%d", mode, seed), func(t *testing.T) {
				if mode == Bare {
					treetest.NeedRoot(t)
				}
				src := filepath.Join(t.TempDir(), "src")
				treetest.Random(t, src, randomOptions(seed, mode))
				r := newRepo(t, mode)
				ours := commitDir(t, r, "x", src, ImportOptions{})
				cOstree(t, r.Path(), "fsck", "-q")
				cRepo := filepath.Join(t.TempDir(), "c")
				cOstree(t, cRepo, "init", "--mode="+mode.String())
				theirs := cOstree(t, cRepo, "commit", "--branch=x", "--no-bindings", "--timestamp=@0", src)
				if ours.String() != theirs {
					t.Errorf("commit %s, reference %s", ours, theirs)
				}
				a := strings.Split(treetest.Run(t, "find", r.Path()+"/objects", "-name", "*.*", "-printf", "%P %m %U %G\n"), "\n")
				b := strings.Split(treetest.Run(t, "find", cRepo+"/objects", "-name", "*.*", "-printf", "%P %m %U %G\n"), "\n")
				if len(a) != len(b) {
					t.Errorf("%d objects, reference %d", len(a), len(b))
				}
				in := map[string]bool{}
				for _, s := range b {
					in[s] = true
				}
				for _, s := range a {
					if !in[s] {
						t.Errorf("object %s is not as in the reference", s)
					}
				}
			})
		}
	}
}

// commitOf returns a commit without a tree that differs from others by n.
func commitOf(n int) *ostree.Commit { return &ostree.Commit{Timestamp: uint64(n)} }
