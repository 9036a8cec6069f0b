package core

import (
	"context"
	"errors"
	"strings"
	"sync"

	"rpmostree/internal/core/materialize"
	"rpmostree/internal/core/postprocess"
	"rpmostree/internal/failpoint"
	"rpmostree/internal/sandbox"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// A stage is a tree on its way, and what is needed to run programs in it.
type stage struct {
	core   *Core
	tx     *repo.Transaction
	tree   tree.Tree
	onDisk *materialize.Base // nearest tree on disk
	kept   *materialize.Root // holds onDisk, if it is our own
	work   *materialize.Work // holds state
	state  string            // directory that scripts share as /var/lib/rpm-state
}

// Edit runs fn with programs able to see and change the tree t, which was made
// from b: fn gets a sandbox root for it. The result is the tree with the changes.
func (b *Built) Edit(ctx context.Context, t tree.Tree, fn func(sandbox.Root) error) (tree.Tree, error) {
	s := &b.stage
	s.tree = t
	if err := s.run(ctx, fn); err != nil {
		return tree.Tree{}, err
	}
	return postprocess.DropScratch(s.tree)
}

// run puts the tree on disk, calls fn, and takes over what fn changed.
func (s *stage) run(ctx context.Context, fn func(sandbox.Root) error) error {
	w, err := runtimeShape(s.tree)
	if err != nil {
		return err
	}
	m, err := materialize.Mount(ctx, w, materialize.Options{
		Store: store{s.tx}, Work: s.core.Work, Base: s.onDisk, NoOverlay: s.core.NoOverlay,
	})
	if err != nil {
		return err
	}
	if err := s.openState(); err != nil {
		return errors.Join(err, m.Close())
	}
	err = fn(sandbox.Root{Dir: m.Dir(), State: s.state, Epoch: s.core.Epoch})
	if err == nil {
		err = failpoint.At("core.run")
	}
	if err == nil {
		w, err = m.Fold(s.tx)
	}
	if err != nil {
		return errors.Join(err, m.Close())
	}
	if base := m.Base(); base != nil && s.onDisk == nil {
		s.onDisk, s.kept = base, m // the next run starts from here
	} else if err := m.Close(); err != nil {
		return err
	}
	s.tree, err = imageShape(w)
	return err
}

func (s *stage) close() {
	if s.kept != nil {
		s.kept.Close()
	}
	if s.work != nil {
		s.work.Close()
	}
}

// openState makes the directory that scripts share, once.
func (s *stage) openState() (err error) {
	if s.work != nil {
		return nil
	}
	if s.work, err = materialize.NewWork(s.core.Work); err == nil {
		s.state, err = s.work.Mkdir("state")
	}
	return err
}

// runtimeShape returns the tree as programs see it: with /etc.
func runtimeShape(t tree.Tree) (tree.Tree, error) {
	if ok, err := t.Exists("usr/etc"); err != nil || !ok {
		return t, err
	}
	return t.Rename("usr/etc", "etc")
}

// imageShape is the reverse of runtimeShape.
func imageShape(t tree.Tree) (tree.Tree, error) {
	if ok, err := t.Exists("etc"); err != nil || !ok {
		return t, err
	}
	return t.Rename("etc", "usr/etc")
}

// A store checks trees out for package materialize.
type store struct{ tx *repo.Transaction }

func (s store) Link(ctx context.Context, t tree.Tree, dir string) error {
	return s.tx.CheckoutTree(ctx, t, dir, repo.CheckoutOptions{})
}

func (s store) Copy(ctx context.Context, t tree.Tree, dir string) error {
	return s.tx.CheckoutTree(ctx, t, dir, repo.CheckoutOptions{ForceCopy: true})
}

// A rewriter stores files again under other owners.
type rewriter struct{ tx *repo.Transaction }

func (r rewriter) FileHeader(c ostree.Checksum) (ostree.FileHeader, error) {
	return r.tx.FileHeader(c)
}

func (r rewriter) Rewrite(c ostree.Checksum, h ostree.FileHeader) (ostree.Checksum, error) {
	return r.tx.CloneFile(c, h)
}

// readRegular returns the content of a regular file, nothing for a link.
func readRegular(o *repo.Objects, e tree.Entry) ([]byte, error) {
	return o.ReadFile(e.Checksum, maxSmallFile)
}

// A logBuffer keeps the output of a program for an error message. It may be
// written from several goroutines.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimRight(l.b.String(), "\n")
}
