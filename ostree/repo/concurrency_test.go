package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/internal/treetest"

	"golang.org/x/sync/errgroup"
)

// TestConcurrency commits and prunes from several handles at once, as several
// processes do.
func TestConcurrency(t *testing.T) {
	r := newRepo(t, BareUser)
	dir := t.TempDir()
	for i := range 4 {
		writeFiles(t, filepath.Join(dir, fmt.Sprint(i)), "same", "s", "own", fmt.Sprint(i), "d/e", "f")
	}
	var g errgroup.Group
	for i := range 4 {
		g.Go(func() error {
			for n := range 5 {
				if err := commitAs(fmt.Sprintf("b%d", i), r.Path(), filepath.Join(dir, fmt.Sprint(i)), n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		depth := 0
		for range 5 {
			other, err := Open(r.Path())
			if err != nil {
				return err
			}
			_, err = other.Prune(context.Background(), PruneOptions{RefsOnly: true, Depth: &depth})
			other.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	refs, err := r.Refs()
	if err != nil || len(refs) != 4 {
		t.Errorf("refs %v, %v", refs, err)
	}
	fsckClean(t, r)
}

// commitAs commits a directory to a branch with a handle of its own.
func commitAs(branch, path, dir string, n int) error {
	r, err := Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	tx, err := r.Begin(context.Background(), TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	tr, err := tx.ImportDir(dir, ImportOptions{})
	if err != nil {
		return err
	}
	c := commitOf(n)
	if c.Tree, c.Meta, err = tr.Write(tx); err != nil {
		return err
	}
	sum, err := tx.WriteCommit(c)
	if err != nil {
		return err
	}
	if err := tx.SetRef("", branch, sum); err != nil {
		return err
	}
	_, err = tx.Commit()
	return err
}

// TestProcesses lets eight processes write, pull, read and prune one repository for some seconds,
// or for a minute. The C program is one of them.
func TestProcesses(t *testing.T) {
	c := treetest.Oracle(t, "ostree")
	dir := treetest.FastDir(t)
	r, err := Init(filepath.Join(dir, "repo"), InitOptions{Mode: BareUser})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	k := r.Config()
	k.Set("core", "lock-timeout-secs", "-1") // the C program asks once a second and may never be alone
	if err := r.SetConfig(k); err != nil {
		t.Fatal(err)
	}
	span := 2 * time.Second
	if treetest.Faults() {
		span = time.Minute
	}
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	var g errgroup.Group
	for i, op := range []string{"writer", "writer", "writer", "puller", "reader", "reader", "pruner"} {
		arg := filepath.Join(dir, fmt.Sprint(op, i))
		if err := os.Mkdir(arg, 0o755); err != nil {
			t.Fatal(err)
		}
		g.Go(func() error {
			for n := 0; ctx.Err() == nil || n == 0; n++ {
				cmd := exec.Command(os.Args[0], "-test.run=^$")
				cmd.Env = append(os.Environ(), crashEnv+"="+strings.Join([]string{op, r.Path(), arg}, " "))
				if out, err := cmd.CombinedOutput(); err != nil {
					return fmt.Errorf("%s: %w: %s", filepath.Base(arg), err, out)
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for ctx.Err() == nil {
			if out, err := exec.Command(c, "--repo="+r.Path(), "prune", "--refs-only", "--depth=1").CombinedOutput(); err != nil {
				return fmt.Errorf("C prune: %w: %s", err, out)
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	fsckClean(t, r)
	cOstree(t, r.Path(), "fsck", "-q")
	for _, name := range []string{"writer0", "writer1", "writer2", "puller3"} {
		tip, err := r.ResolveRev(name)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "out-"+name)
		if err := r.Checkout(t.Context(), tip, out, CheckoutOptions{UserMode: true}); err != nil {
			t.Fatal(err)
		}
		treetest.Equal(t, out, filepath.Join(dir, name), treetest.Compare{NoOwners: true, NoModes: true, NoXattrs: true})
	}
}

// worker does ten steps of a process of TestProcesses. A writer commits its directory, which
// changes each time, to the branch of its name; a puller commits it elsewhere, and pulls.
func worker(r *Repo, op, dir string) error {
	ctx := context.Background()
	for range 10 {
		var err error
		switch op {
		case "writer", "puller":
			name := filepath.Join(dir, fmt.Sprint("f", rand.IntN(20)))
			if err := os.WriteFile(name, []byte(fmt.Sprint(rand.Uint64())), 0o644); err != nil {
				return err
			}
			to := r.Path()
			if op == "puller" {
				to = dir + ".repo"
			}
			if err = pullCommit(ctx, r, to, dir); err != nil {
				return err
			}
		case "reader":
			err = readTips(ctx, r, dir)
		case "pruner":
			_, err = r.Prune(ctx, PruneOptions{RefsOnly: true, Depth: new(0)})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pullCommit commits a directory to the branch of its name in the repository to, from which
// it is pulled into r if that is another one.
func pullCommit(ctx context.Context, r *Repo, to, dir string) error {
	branch := filepath.Base(dir)
	src, err := Init(to, InitOptions{Mode: BareUser})
	if err != nil {
		return err
	}
	defer src.Close()
	if err := commitAs(branch, to, dir, rand.IntN(1000)); err != nil || to == r.Path() {
		return err
	}
	_, err = r.PullLocal(ctx, src, PullLocalOptions{Refs: []string{branch}})
	return err
}

// readTips checks out every branch while a shared lock keeps prunes away.
func readTips(ctx context.Context, r *Repo, dir string) error {
	unlock, err := r.Lock(ctx, Shared)
	if err != nil {
		return err
	}
	defer unlock()
	refs, err := r.Refs()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		out := filepath.Join(dir, ref.Name)
		if err := r.Checkout(ctx, ref.Checksum, out, CheckoutOptions{UserMode: true}); err != nil {
			return err
		}
		if err := os.RemoveAll(out); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
