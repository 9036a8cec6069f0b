package delta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/internal/failpoint"
	"rpmostree/internal/treetest"
	"rpmostree/ostree/repo"
)

// crashEnv makes the test binary do one operation and exit: "OPERATION REPOSITORY DELTA".
const crashEnv = "DELTA_TEST_CRASH"

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

func crashOperation(op, path, delta string) error {
	ctx := context.Background()
	r, err := repo.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	if op == "apply" {
		f, err := OpenFile(delta)
		if err != nil {
			return err
		}
		return f.Apply(ctx, r)
	}
	n, err := ParseName(delta)
	if err != nil {
		return err
	}
	_, err = Generate(ctx, r, n, Options{MaxChunkSize: 50_000})
	return err
}

// crash runs an operation in a child that dies, or fails, at a point.
func crash(t *testing.T, op, point, repository, delta string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashEnv+"="+strings.Join([]string{op, repository, delta}, " "), failpoint.Env+"="+point)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%s passes %s: %v\n%s", op, point, err, out)
	}
	if killed := exit.Sys().(syscall.WaitStatus).Signal() == unix.SIGKILL; killed == strings.HasSuffix(point, "=error") {
		t.Fatalf("%s at %s: %v\n%s", op, point, err, out)
	}
}

var kinds = []string{"", "=error"}

// generatePoints and applyPoints are where the operations end.
var (
	generatePoints = []string{"delta.part.written", "delta.part.written@3", "delta.generated", "delta.published"}
	applyPoints    = []string{"delta.part", "delta.part@3", "repo.commit.staged", "repo.commit.object@4", "repo.commit.objects", "repo.commit.renamed", "delta.applied"}
)

// TestPointsAreCovered makes sure that no point of failure is forgotten.
func TestPointsAreCovered(t *testing.T) {
	treetest.CheckFailpoints(t, slices.Concat(generatePoints, applyPoints))
}

// TestCrashGenerate ends generate at each of its points: there is the old delta, or the
// new one, and never a part of one.
func TestCrashGenerate(t *testing.T) {
	h := newHistory(t, 7)
	ours := func() (string, error) {
		data, err := os.ReadFile(filepath.Join(h.Path(), h.name().Dir(), "superblock"))
		return string(data), err
	}
	for _, point := range generatePoints {
		for _, kind := range kinds {
			before, _ := ours()
			crash(t, "generate", point+kind, h.Path(), h.name().String())
			after, err := ours()
			if point != "delta.published" && after != before || point == "delta.published" && err != nil {
				t.Errorf("%s: the delta has changed: %v", point+kind, err)
			}
			checkDeltas(t, h)
			left, _ := filepath.Glob(filepath.Join(h.Path(), "tmp/static-delta-*"))
			if kind != "" && len(left) > 0 && point != "delta.published" {
				t.Errorf("%s: %v is left", point+kind, left)
			}
			for _, dir := range left {
				os.RemoveAll(dir)
			}
		}
	}
}

// checkDeltas makes sure that every delta that is listed can be applied.
func checkDeltas(t *testing.T, h *history) {
	t.Helper()
	list, err := List(h.Repo)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		f, err := Open(h.Repo, n)
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Superblock.Parts {
			if err := f.Part(i, func(*io.SectionReader) error { return nil }); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestCrashApply ends apply-offline at each of its points: the commit is there whole or
// not at all, the C ostree finds nothing wrong, and another try makes it.
func TestCrashApply(t *testing.T) {
	treetest.Oracle(t, "ostree")
	for seed := range treetest.Seeds() {
		crashApply(t, 8+seed)
	}
}

func crashApply(t *testing.T, seed uint64) {
	h := newHistory(t, seed)
	if _, err := Generate(t.Context(), h.Repo, h.name(), Options{MaxChunkSize: 50_000}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(h.Path(), h.name().Dir())
	for _, point := range applyPoints {
		for _, kind := range kinds {
			r := h.withOld(t, repo.BareUserOnly)
			crash(t, "apply", point+kind, r.Path(), dir)
			treetest.Run(t, "ostree", "--repo="+r.Path(), "fsck", "-q")
			if report, err := r.Fsck(t.Context(), repo.FsckOptions{}); err != nil || report.Err() != nil {
				t.Errorf("%s: fsck: %v, %v", point+kind, err, report.Err())
			}
			if c, err := r.ResolveRev("old"); err != nil || c != h.old {
				t.Errorf("%s: the ref is lost: %v", point+kind, err)
			}
			f, err := OpenFile(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Apply(t.Context(), r); err != nil {
				t.Fatalf("%s: again: %v", point+kind, err)
			}
			h.checkNew(t, r)
			treetest.Run(t, "ostree", "--repo="+r.Path(), "fsck", "-q")
		}
	}
}
