package repo

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

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
