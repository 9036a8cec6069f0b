package pull

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"rpmostree/internal/failpoint"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
	"rpmostree/ostree/repo"

	"golang.org/x/sys/unix"
)

// crashEnv makes the test binary pull branch x of remote origin into the
// repository that it names, and exit.
const crashEnv = "PULL_TEST_CRASH"

func TestMain(m *testing.M) {
	path := os.Getenv(crashEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	r, err := repo.Open(path)
	if err == nil {
		_, err = Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestPullIsKilled kills a pull, and expects that the next one goes on with what
// the first has fetched.
func TestPullIsKilled(t *testing.T) {
	_, url, _, second := serve(t, nil)
	for _, point := range []string{"pull.object@20", "repo.commit.staged", "repo.commit.objects", "repo.commit.renamed", "repo.commit.refs"} {
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, url)
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), crashEnv+"="+r.Path(), failpoint.Env+"="+point)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
			t.Errorf("%s: not killed: %v\n%s", point, err, out)
			continue
		}
		if sum, err := r.ResolveRev("origin:x"); err == nil && (sum != second || point != "repo.commit.refs") {
			t.Errorf("%s: ref is %s", point, sum)
		}
		if partial, _ := r.IsPartial(second); !partial {
			t.Errorf("%s: commit is not marked as partial", point)
		}
		fsckClean(t, r)
		stats, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}})
		if err != nil {
			t.Errorf("%s: %v", point, err)
			continue
		}
		files := 0
		r.EachObject(func(n ostree.ObjectName) error {
			if n.Type == ostree.ObjectFile {
				files++
			}
			return nil
		})
		if stats.Content > files-20 || !strings.HasPrefix(point, "pull") && stats.Content > 0 {
			t.Errorf("%s: fetched %d of %d files again", point, stats.Content, files)
		}
		if partial, _ := r.IsPartial(second); partial {
			t.Errorf("%s: commit is still partial", point)
		}
		fsckClean(t, r)
	}
}

// deaths are the points at which a pull is killed, and which pulls pass them.
var deaths = []struct{ point, pulls string }{
	{"pull.object", "objects"}, {"pull.object@5", "objects"}, {"pull.part", "delta"}, {"delta.part", "delta"}, {"repo.pull.fetched", "directory"},
	{"repo.commit.staged", "objects delta directory"}, {"repo.commit.synced", "objects delta directory"},
	{"repo.commit.object", "objects delta directory"}, {"repo.commit.object@4", "objects delta directory"},
	{"repo.commit.objects", "objects delta directory"}, {"repo.commit.renamed", "objects delta directory"},
	{"repo.commit.ref", "objects delta directory"}, {"repo.commit.refs", "objects delta directory"}, {"repo.ref.write", "objects delta directory"},
}

// TestPointsAreCovered makes sure that no point of failure is forgotten.
func TestPointsAreCovered(t *testing.T) {
	var have []string
	for _, d := range deaths {
		have = append(have, d.point)
	}
	treetest.CheckFailpoints(t, have)
}

// TestEveryDeath kills pulls everywhere. What was there before stays, the C ostree
// finds nothing wrong, and the next pull succeeds.
func TestEveryDeath(t *testing.T) {
	treetest.Oracle(t, "ostree")
	ctx := context.Background()
	for seed := range treetest.Seeds() {
		tr := small
		tr.Seed = 11 + seed
		src, url, first, second := serveTree(t, tr, nil)
		if _, err := delta.Generate(ctx, src, delta.Name{From: first, To: second}, delta.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := src.UpdateSummary(ctx, repo.SummaryOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, how := range []string{"objects", "delta", "directory"} {
			t.Run(fmt.Sprintf("%s %d", how, seed), func(t *testing.T) {
				t.Parallel()
				for _, d := range deaths {
					if !strings.Contains(d.pulls, how) {
						continue
					}
					r, was := newRepo(t, repo.BareUser), ostree.Checksum{}
					if how == "directory" {
						addRemote(t, r, "file://"+src.Path())
					} else {
						addRemote(t, r, url)
					}
					if how == "delta" {
						was = first
						if _, err := Pull(ctx, r, "origin", Options{Refs: []string{"x@" + first.String()}}); err != nil {
							t.Fatal(err)
						}
					}
					dies(t, r, how+" "+d.point, was, second)
				}
			})
		}
	}
}

// TestFailingCalls makes system calls of a pull fail, with an error of the disk or for want of
// space: the pull tells, nothing is broken, and the next one succeeds. Not write: Go's runtime,
// which waits for the network, makes such calls too. Objects are written as a commit does it.
func TestFailingCalls(t *testing.T) {
	in := treetest.NewInjector(t)
	treetest.Oracle(t, "ostree")
	passages := []string{"3"}
	if treetest.Faults() {
		passages = []string{"1", "3", "20+"}
	}
	src, url, first, second := serveTree(t, small, nil)
	if _, err := delta.Generate(t.Context(), src, delta.Name{From: first, To: second}, delta.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := src.UpdateSummary(t.Context(), repo.SummaryOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"objects", "delta"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			for i, call := range []string{"fsync", "syncfs", "linkat", "mkdirat", "renameat2", "?rename,?renameat", "fsetxattr", "openat"} {
				for _, when := range passages {
					r, was := newRepo(t, repo.BareUser), ostree.Checksum{}
					addRemote(t, r, url)
					if how == "delta" {
						was = first
						if _, err := Pull(t.Context(), r, "origin", Options{Refs: []string{"x@" + first.String()}}); err != nil {
							t.Fatal(err)
						}
					}
					k := r.Config()
					k.Set("core", "fsync", "true")
					if err := r.SetConfig(k); err != nil {
						t.Fatal(err)
					}
					fault := []string{"EIO", "ENOSPC"}[i%2]
					inject := fmt.Sprintf("%s:error=%s:when=%s", call, fault, when)
					faulty(t, in, r, how+" "+inject, was, second)
				}
			}
		})
	}
}

// faulty pulls x into r under strace, with a fault.
func faulty(t *testing.T, in *treetest.Injector, r *repo.Repo, what string, was, second ostree.Checksum) {
	t.Helper()
	_, inject, _ := strings.Cut(what, " ")
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashEnv+"="+r.Path(), failpoint.Env+"=")
	failed := in.Run(t, cmd, inject)
	afterwards(t, r, what, was, second, !failed)
}

// dies kills a pull of x into r at a point, and looks at what is left.
func dies(t *testing.T, r *repo.Repo, what string, was, second ostree.Checksum) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	_, point, _ := strings.Cut(what, " ")
	cmd.Env = append(os.Environ(), crashEnv+"="+r.Path(), failpoint.Env+"="+point)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
		t.Errorf("%s: not killed: %v\n%s", what, err, out)
		return
	}
	afterwards(t, r, what, was, second, false)
}

// afterwards looks at what is left of a pull that had bad luck, and repeats it.
func afterwards(t *testing.T, r *repo.Repo, what string, was, second ostree.Checksum, succeeded bool) {
	t.Helper()
	sum, err := r.ResolveRev("origin:x")
	if err == nil && sum != was && sum != second || err != nil && !was.IsZero() || succeeded && sum != second {
		t.Errorf("%s: ref is %s, %v", what, sum, err)
	}
	treetest.Run(t, "ostree", "--repo="+r.Path(), "fsck", "-q")
	if _, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}}); err != nil {
		t.Errorf("%s: again: %v", what, err)
		return
	}
	if sum, _ := r.ResolveRev("origin:x"); sum != second {
		t.Errorf("%s: ref is %s afterwards", what, sum)
	}
	if partial, _ := r.IsPartial(second); partial {
		t.Errorf("%s: commit is still partial", what)
	}
	fsckClean(t, r)
}
