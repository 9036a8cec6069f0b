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
	"rpmostree/ostree"
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
