package repo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/failpoint"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
)

// A world is a repository with a history of random trees, and what an operation needs.
type world struct {
	dir, repo, arg string
}

// newWorld makes branch x, of three commits, and z, which no operation changes.
func newWorld(t *testing.T, op string, seed uint64) *world {
	t.Helper()
	w := &world{dir: treetest.FastDir(t)}
	w.repo, w.arg = filepath.Join(w.dir, "repo"), filepath.Join(w.dir, "tree")
	mode := BareUser
	if op == "checkout" {
		mode = Archive
	}
	r, err := Init(w.repo, InitOptions{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := treetest.Options{Seed: seed, Files: 12, MaxSize: 4 << 10, Hardlinks: true}
	treetest.Random(t, filepath.Join(w.dir, "z"), o)
	commitDir(t, r, "z", filepath.Join(w.dir, "z"), ImportOptions{CanonicalPermissions: true})
	for i := range uint64(3) {
		o.Seed = seed*10 + i
		src := filepath.Join(w.dir, fmt.Sprint("tree", i))
		treetest.Random(t, src, o)
		commitDir(t, r, "x", src, ImportOptions{CanonicalPermissions: true})
	}
	if op == "commit" {
		o.Seed = seed * 1000
		treetest.Random(t, w.arg, o)
	}
	return w
}

// copy returns a copy of the world to do harm to.
func (w *world) copy(t *testing.T) *world {
	t.Helper()
	dir := filepath.Join(treetest.FastDir(t), "world")
	treetest.Run(t, "cp", "-a", w.dir, dir)
	return &world{dir: dir, repo: filepath.Join(dir, "repo"), arg: filepath.Join(dir, "tree")}
}

// check verifies a world after the operation ended early: both programs find the repository
// sound, and every ref names the commit that it named, or what was
// committed upon it.
func (w *world) check(t *testing.T, op string, before map[string]ostree.Checksum) {
	t.Helper()
	r, err := Open(w.repo)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fsckClean(t, r)
	cOstree(t, w.repo, "fsck", "-q")
	for name, old := range before {
		now, err := r.ResolveRev(name)
		history := ObjectSet{}
		if err == nil {
			err = r.Traverse(context.Background(), now, 2, true, history)
		}
		if err != nil || now != old && (op != "commit" || !history.Has(ostree.ObjectCommit, old)) {
			t.Errorf("ref %s names another commit: %v", name, err)
		}
	}
}

// repeat does the operation again, which must succeed.
func (w *world) repeat(t *testing.T, op string) {
	t.Helper()
	if op == "checkout" {
		if err := os.RemoveAll(w.arg); err != nil {
			t.Fatal(err)
		}
	}
	if err := crashOperation(op, w.repo, w.arg); err != nil {
		t.Errorf("repeated: %v", err)
	}
	if op == "checkout" {
		treetest.Equal(t, w.arg, filepath.Join(w.dir, "tree2"), treetest.Compare{NoOwners: true, NoModes: true, NoXattrs: true})
	}
}

func tips(t *testing.T, path string) map[string]ostree.Checksum {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	refs, err := r.Refs()
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]ostree.Checksum{}
	for _, ref := range refs {
		m[ref.Name] = ref.Checksum
	}
	return m
}

// crashPoints are all failpoints of the operations.
var crashPoints = map[string][]string{
	"commit": {"repo.commit.staged", "repo.commit.synced", "repo.commit.object", "repo.commit.objects",
		"repo.commit.renamed", "repo.ref.write", "repo.commit.ref", "repo.commit.refs"},
	"prune":    {"repo.prune.object", "repo.prune.commits"},
	"checkout": {"repo.checkout.dir", "repo.checkout.file", "repo.cache.unpacked", "repo.cache.collect"},
}

// TestKilledEverywhere kills each operation at each of its points: at the first passage, the
// fourth and so on.
func TestKilledEverywhere(t *testing.T) {
	treetest.Oracle(t, "ostree")
	for op, points := range crashPoints {
		for seed := range treetest.Seeds() {
			t.Run(fmt.Sprintf("%s-%d", op, seed), func(t *testing.T) {
				t.Parallel()
				base := newWorld(t, op, seed+1)
				before := tips(t, base.repo)
				for _, point := range points {
					for n := 1; ; n *= 4 {
						w := base.copy(t)
						r, err := Open(w.repo)
						if err != nil {
							t.Fatal(err)
						}
						reached := runCrash(t, op, fmt.Sprintf("%s@%d", point, n), r, w.arg)
						r.Close()
						if !reached && n == 1 {
							t.Errorf("%s: never reached", point)
						}
						if !reached {
							break
						}
						w.check(t, op, before)
						w.repeat(t, op)
						w.check(t, op, before)
					}
				}
			})
		}
	}
}

// TestFailingCalls makes system calls of each operation fail, with an error of the disk or
// for want of space.
func TestFailingCalls(t *testing.T) {
	treetest.Oracle(t, "ostree")
	in := treetest.NewInjector(t)
	passages := []string{"3"}
	if treetest.Faults() {
		passages = []string{"1", "3", "20+"}
	}
	for op, calls := range map[string][]string{
		"commit":   {"write", "fsync", "syncfs", "linkat", "mkdirat", "renameat2", "?rename,?renameat", "fsetxattr", "openat"},
		"prune":    {"unlinkat", "fsync", "openat"},
		"checkout": {"write", "linkat", "mkdirat", "fchmod", "openat"},
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			base := newWorld(t, op, 9)
			before := tips(t, base.repo)
			for i, call := range calls {
				for _, when := range passages {
					w := base.copy(t)
					fault := []string{"EIO", "ENOSPC"}[i%2]
					failed := runFailing(t, in, op, w, fmt.Sprintf("%s:error=%s:when=%s", call, fault, when))
					w.check(t, op, before)
					if failed || op != "checkout" {
						w.repeat(t, op)
						w.check(t, op, before)
					}
				}
			}
		})
	}
}

// runFailing runs an operation with a fault and tells whether it failed, as it may but need
// not.
func runFailing(t *testing.T, in *treetest.Injector, op string, w *world, inject string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashEnv+"="+strings.Join([]string{op, w.repo, w.arg}, " "), failpoint.Env+"=")
	return in.Run(t, cmd, inject)
}

// TestHistories lets both programs commit to one repository and prune it in turn. After each
// step both find it sound, and at the end both would delete the same.
func TestHistories(t *testing.T) {
	treetest.Oracle(t, "ostree")
	treetest.NeedRoot(t)
	for _, mode := range []Mode{Bare, BareUser, BareUserOnly, Archive} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			testHistory(t, mode)
		})
	}
}

func testHistory(t *testing.T, mode Mode) {
	dir := treetest.FastDir(t)
	r, err := Init(filepath.Join(dir, "repo"), InitOptions{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range uint64(8) {
		src := filepath.Join(dir, fmt.Sprint("src", i))
		o := randomOptions(i/2, mode) // two commits in a row have the same tree
		o.Files, o.MaxSize = 30, 8<<10
		treetest.Random(t, src, o)
		branch := []string{"a", "b/c"}[i%3%2]
		if i%2 == 0 {
			commitDir(t, r, branch, src, ImportOptions{})
		} else {
			cOstree(t, r.Path(), "commit", "-b", branch, "--timestamp=@0", src)
		}
		if i == 3 || i == 5 {
			comparePrune(t, r, []string{"--refs-only", "--depth=1"}, PruneOptions{RefsOnly: true, Depth: new(1)}, i == 3)
		}
		fsckClean(t, r)
		cOstree(t, r.Path(), "fsck", "-q")
	}
	comparePrune(t, r, []string{"--only-branch=a", "--depth=0"}, PruneOptions{OnlyBranches: []string{"a"}, Depth: new(0)}, true)
	comparePrune(t, r, []string{"--retain-branch-depth=a=0"}, PruneOptions{BranchDepth: map[string]int{"a": 0}}, false)
	cOstree(t, r.Path(), "refs", "--delete", "a")
	comparePrune(t, r, []string{"--refs-only"}, PruneOptions{RefsOnly: true}, true)
	fsckClean(t, r)
	cOstree(t, r.Path(), "fsck", "-q")
}

// comparePrune asks both programs what they would delete, and lets one of them do it.
func comparePrune(t *testing.T, r *Repo, args []string, o PruneOptions, cDeletes bool) {
	t.Helper()
	args = append([]string{"prune"}, args...)
	o.DryRun = true
	ours, err := r.Prune(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("Total objects: %d\nWould delete: %d objects, freeing %s", ours.Total, ours.Pruned, FormatSize(ours.Freed))
	if ours.Pruned == 0 {
		want = fmt.Sprintf("Total objects: %d\nNo unreachable objects", ours.Total)
	}
	if theirs := cOstree(t, r.Path(), append(args, "--no-prune")...); theirs != want {
		t.Errorf("%v: reference says\n%s\nwe say\n%s", args, theirs, want)
	}
	if cDeletes {
		cOstree(t, r.Path(), args...)
		return
	}
	o.DryRun = false
	if _, err := r.Prune(context.Background(), o); err != nil {
		t.Fatal(err)
	}
}

// TestGObject reads a repository of ours through the C library's bindings.
func TestGObject(t *testing.T) {
	const python = "/usr/bin/python3" // the one that has the bindings
	if err := exec.Command(python, "-c", "import gi; gi.require_version('OSTree', '1.0')").Run(); err != nil {
		treetest.Skip(t, "python3-gi and the typelib of OSTree are not installed: ", err)
	}
	const script = `
import sys, gi
gi.require_version('OSTree', '1.0')
from gi.repository import OSTree, Gio
repo = OSTree.Repo.new(Gio.File.new_for_path(sys.argv[1]))
repo.open(None)
_, refs = repo.list_refs(None, None)
for ref, rev in sorted(refs.items()):
    _, root, commit = repo.read_commit(rev, None)
    _, variant, state = repo.load_commit(rev)
    print(ref, commit, state, OSTree.commit_get_timestamp(variant))
    def walk(f):
        e = f.enumerate_children('standard::*,unix::*', Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS, None)
        while (i := e.next_file(None)):
            c = e.get_child(i)
            if i.get_file_type() == Gio.FileType.DIRECTORY:
                walk(c)
            else:
                assert repo.fsck_object(OSTree.ObjectType.FILE, c.get_checksum(), None)
    walk(root)
`
	for _, mode := range []Mode{BareUser, BareUserOnly, Archive} {
		r := newRepo(t, mode)
		src := filepath.Join(t.TempDir(), "src")
		treetest.Random(t, src, treetest.Options{Seed: 4, Files: 30, Hardlinks: true})
		c := commitDir(t, r, "x/y", src, ImportOptions{CanonicalPermissions: true})
		got := treetest.Run(t, python, "-c", script, r.Path())
		if !strings.HasPrefix(got, "x/y "+c.String()+" ") || !strings.HasSuffix(got, " 0") {
			t.Errorf("%s: %q", mode, got)
		}
	}
}
