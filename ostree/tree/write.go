package tree

import (
	"fmt"
	"runtime"
	"sync"

	"rpmostree/ostree"

	"golang.org/x/sync/errgroup"
)

// Writer stores directories. A *repo.Transaction is one. Its methods are called from
// several goroutines at once.
type Writer interface {
	WriteDirTree(*ostree.DirTree) (ostree.Checksum, error)
	WriteDirMeta(*ostree.DirMeta) (ostree.Checksum, error)
}

// Write stores the directories that were made or changed and returns the names of
// the root's dirtree and dirmeta. Directories that were loaded are not written:
// the Writer must be of the repository they came from.
func (t Tree) Write(w Writer) (tree, meta ostree.Checksum, err error) {
	e := t.entry()
	// Writing is mostly waiting for the file system, hence more writers than processors.
	s := &writer{w: w, slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0))}
	if err = s.meta(e.meta); err != nil {
		return tree, meta, err
	}
	tree, err = s.node("/", e.node, MaxDepth)
	return tree, e.meta.sum, err
}

// Checksums returns what Write would return, writing nothing.
func (t Tree) Checksums() (tree, meta ostree.Checksum, err error) { return t.Write(hasher{}) }

type writer struct {
	w     Writer
	metas sync.Map      // checksums that were written already
	slots chan struct{} // limits the number of goroutines

	nesting Nesting // of loaded directories that were moved
}

func (s *writer) meta(m *dirMeta) error {
	if m.src != nil {
		return nil
	}
	if _, done := s.metas.LoadOrStore(m.sum, nil); done {
		return nil
	}
	d, err := m.load()
	if err != nil {
		return err
	}
	_, err = s.w.WriteDirMeta(&d)
	return err
}

func (s *writer) node(path string, n *node, depth int) (ostree.Checksum, error) {
	if depth < 0 {
		return ostree.Checksum{}, errTooDeep(path)
	}
	if n.src != nil {
		if at := MaxDepth - depth; at > n.depth { // it was moved
			return n.sum, s.fits(path, n, at)
		}
		return n.sum, nil
	}
	d, err := n.load()
	if err != nil {
		return ostree.Checksum{}, err
	}
	t := &ostree.DirTree{Files: d.files}
	if len(d.dirs) > 0 {
		t.Dirs = make([]ostree.TreeDir, len(d.dirs))
	}
	var g errgroup.Group
	for i, c := range d.dirs {
		write := func() (err error) {
			t.Dirs[i] = ostree.TreeDir{Name: c.name, Meta: c.meta.sum}
			if t.Dirs[i].Tree, err = s.node(join(path, c.name), c.node, depth-1); err == nil {
				err = s.meta(c.meta)
			}
			return err
		}
		if c.node.src != nil {
			err = write() // costs nothing
		} else {
			select {
			case s.slots <- struct{}{}:
				g.Go(func() error {
					defer func() { <-s.slots }()
					return write()
				})
			default:
				err = write()
			}
		}
		if err != nil {
			break
		}
	}
	if waitErr := g.Wait(); err == nil {
		err = waitErr
	}
	if err != nil {
		return ostree.Checksum{}, err
	}
	return s.w.WriteDirTree(t)
}

// fits checks that a loaded directory is not too deep where it is now.
func (s *writer) fits(path string, n *node, depth int) error {
	if err := s.nesting.load(n.src, n.sum, MaxDepth-depth); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.nesting.check(n.sum, depth) != nil {
		return errTooDeep(path)
	}
	return nil
}

// hasher is a Writer that only computes names.
type hasher struct{}

func (hasher) WriteDirTree(t *ostree.DirTree) (ostree.Checksum, error) { return t.Checksum(), nil }
func (hasher) WriteDirMeta(m *ostree.DirMeta) (ostree.Checksum, error) { return m.Checksum(), nil }
