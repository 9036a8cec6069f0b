package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rpmostree/internal/failpoint"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// crashEnv makes the test binary do one operation on a repository and exit:
// "OPERATION REPOSITORY DIRECTORY".
const crashEnv = "REPO_TEST_CRASH"

func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv(crashEnv)); len(args) == 3 {
		if err := crashOperation(args[0], args[1], args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func crashOperation(op, path, dir string) error {
	ctx := context.Background()
	r, err := Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	switch op {
	case "writer", "puller", "reader", "pruner":
		return worker(r, op, dir)
	case "checkout":
		c, err := r.ResolveRev("x")
		if err != nil {
			return err
		}
		return r.Checkout(ctx, c, dir, CheckoutOptions{UserMode: true, Cache: true})
	case "prune":
		depth := 0
		_, err := r.Prune(ctx, PruneOptions{RefsOnly: true, Depth: &depth})
		return err
	case "pull":
		src, err := Open(dir)
		if err != nil {
			return err
		}
		defer src.Close()
		_, err = r.PullLocal(ctx, src, PullLocalOptions{})
		return err
	case "summary":
		return r.UpdateSummary(ctx, SummaryOptions{})
	}
	tx, err := r.Begin(ctx, TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	tr, err := tx.ImportDir(dir, ImportOptions{CanonicalPermissions: true})
	if err != nil {
		return err
	}
	root, meta, err := tr.Write(tx)
	if err != nil {
		return err
	}
	parent, err := r.ResolveRev("x")
	if err != nil {
		return err
	}
	c, err := tx.WriteCommit(&ostree.Commit{Tree: root, Meta: meta, Parent: parent, Subject: "new"})
	if err != nil {
		return err
	}
	for _, ref := range []string{"x", "y"} {
		if err := tx.SetRef("", ref, c); err != nil {
			return err
		}
	}
	_, err = tx.Commit()
	return err
}

// runCrash runs an operation in a child that dies at a failpoint. It returns
// whether the point was reached.
func runCrash(t *testing.T, op, point string, r *Repo, dir string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashEnv+"="+strings.Join([]string{op, r.Path(), dir}, " "), failpoint.Env+"="+point)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == unix.SIGKILL {
		return true
	}
	if err != nil && !strings.Contains(point, "=error") {
		t.Fatalf("%s at %s: %v\n%s", op, point, err, out)
	}
	return err != nil
}

// crashes are what crashPoints have not: errors at points, pulls and summaries.
var crashes = []struct{ op, point string }{
	{"commit", "repo.commit.staged=error"},
	{"commit", "repo.commit.object@5=error"},
	{"commit", "repo.commit.renamed=error"},
	{"pull", "repo.pull.fetched"},
	{"pull", "repo.commit.object@3"},
	{"pull", "repo.commit.renamed"},
	{"summary", "repo.summary"},
}

// TestPointsAreCovered makes sure that no point of failure is forgotten.
func TestPointsAreCovered(t *testing.T) {
	var have []string
	for _, points := range crashPoints {
		have = append(have, points...)
	}
	for _, c := range crashes {
		have = append(have, c.point)
	}
	treetest.CheckFailpoints(t, have)
}

func TestCrashes(t *testing.T) {
	for _, tt := range crashes {
		t.Run(tt.op+"-"+tt.point, func(t *testing.T) { testCrash(t, tt.op, tt.point) })
	}
}

func testCrash(t *testing.T, op, point string) {
	r := newRepo(t, BareUser)
	k := r.Config()
	k.Remove("core", "fsync")
	if err := r.SetConfig(k); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tree")
	writeFiles(t, dir, "a", "1", "b/c", "2", "b/d", "3")
	commitDir(t, r, "x", dir, ImportOptions{CanonicalPermissions: true})
	writeFiles(t, dir, "a", "4", "b/e", "5", "f/g", "6")
	old := commitDir(t, r, "x", dir, ImportOptions{CanonicalPermissions: true})
	arg := dir
	switch op {
	case "pull":
		src := newRepo(t, Archive)
		writeFiles(t, dir, "h/i", "7", "h/j", "8")
		commitDir(t, src, "y", dir, ImportOptions{})
		arg = src.Path()
	case "commit":
		for i := range 20 {
			writeFiles(t, dir, fmt.Sprintf("new%d", i), fmt.Sprint(i))
		}
	}
	if !runCrash(t, op, point, r, arg) {
		t.Fatal("the failpoint was not reached")
	}
	got, err := r.ResolveRev("x")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := r.Commit(got); err != nil || got != old && c.Parent != old {
		t.Errorf("ref is neither the old nor the new commit: %v", err)
	}
	// A pull that was cut off leaves the mark of partial commits.
	report, err := r.Fsck(context.Background(), FsckOptions{})
	if err != nil || report.Err() != nil || report.Partial > 0 && op != "pull" {
		t.Errorf("fsck: %+v, %v", report, err)
	}
	// The operation succeeds when it is repeated, and leaves nothing behind.
	if err := crashOperation(op, r.Path(), arg); err != nil {
		t.Errorf("repeated: %v", err)
	}
	fsckClean(t, r)
	entries, err := os.ReadDir(filepath.Join(r.Path(), "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if op != "prune" && op != "summary" && strings.HasPrefix(e.Name(), stagingPrefix) {
			t.Errorf("left in tmp: %s", e.Name())
		}
	}
}

func TestFullDisk(t *testing.T) {
	treetest.NeedRoot(t)
	mnt := t.TempDir()
	if err := unix.Mount("tmpfs", mnt, "tmpfs", 0, "size=2m"); err != nil {
		treetest.Skip(t, "cannot mount a tmpfs: ", err)
	}
	defer unix.Unmount(mnt, 0)
	r, err := Init(filepath.Join(mnt, "repo"), InitOptions{Mode: BareUserOnly})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	small, big := filepath.Join(t.TempDir(), "small"), filepath.Join(t.TempDir(), "big")
	writeFiles(t, small, "a", "b")
	c := commitDir(t, r, "x", small, ImportOptions{})
	for i := range 40 {
		writeFiles(t, big, fmt.Sprint(i), strings.Repeat(fmt.Sprint(i), 100_000))
	}
	try := func() error {
		tx, err := r.Begin(context.Background(), TransactionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Abort()
		_, err = tx.ImportDir(big, ImportOptions{})
		return err
	}
	if err := try(); err == nil || !strings.Contains(err.Error(), "min-free-space-percent '3%' would be exceeded, at least ") {
		t.Errorf("error %v", err)
	}
	k := r.Config()
	k.Set("core", "min-free-space-percent", "0")
	if err := r.SetConfig(k); err != nil {
		t.Fatal(err)
	}
	if err := try(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("error %v", err)
	}
	fsckClean(t, r)
	if got, _ := r.ResolveRev("x"); got != c {
		t.Error("ref changed")
	}
	writeFiles(t, small, "c", "d")
	commitDir(t, r, "x", small, ImportOptions{})
	fsckClean(t, r)
}

func TestLocks(t *testing.T) {
	r := newRepo(t, BareUser)
	other, err := Open(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r.lock.timeout, other.lock.timeout = 0, 0
	ctx := context.Background()
	s1, err := r.Lock(ctx, Shared)
	if err != nil {
		t.Fatal(err)
	}
	s2, err := other.Lock(ctx, Shared)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Lock(ctx, Exclusive); err == nil || !strings.HasPrefix(err.Error(), "Locking repo exclusive failed: ") {
		t.Errorf("exclusive beside shared: %v", err)
	}
	s1()
	x, err := other.Lock(ctx, Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	s2()
	if _, err := r.Lock(ctx, Shared); err == nil {
		t.Error("shared beside exclusive")
	}
	x()
	if s, err := r.Lock(ctx, Shared); err != nil {
		t.Error(err)
	} else {
		s()
	}
	closed, err := Open(r.Path())
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if _, err := closed.Lock(ctx, Shared); err == nil {
		t.Error("locked what is closed")
	}
}
