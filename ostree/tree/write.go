package tree

import (
	"rpmostree/ostree"
)

// Writer stores directories. A *repo.Transaction is one.
type Writer interface {
	WriteDirTree(*ostree.DirTree) (ostree.Checksum, error)
	WriteDirMeta(*ostree.DirMeta) (ostree.Checksum, error)
}

// Write stores the directories that were made or changed and returns the names of
// the root's dirtree and dirmeta. Directories that were loaded are not written:
// the Writer must be of the repository they came from.
func (t Tree) Write(w Writer) (tree, meta ostree.Checksum, err error) {
	e := t.entry()
	s := &writer{w: w, metas: map[ostree.Checksum]bool{}}
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
	metas map[ostree.Checksum]bool // written already
}

func (s *writer) meta(m *dirMeta) error {
	if m.src != nil || s.metas[m.sum] {
		return nil
	}
	d, err := m.load()
	if err != nil {
		return err
	}
	s.metas[m.sum] = true
	_, err = s.w.WriteDirMeta(&d)
	return err
}

func (s *writer) node(path string, n *node, depth int) (ostree.Checksum, error) {
	if n.src != nil {
		return n.sum, nil
	}
	if depth == 0 {
		return ostree.Checksum{}, errTooDeep(path)
	}
	d, err := n.load()
	if err != nil {
		return ostree.Checksum{}, err
	}
	t := &ostree.DirTree{Files: d.files}
	if len(d.dirs) > 0 {
		t.Dirs = make([]ostree.TreeDir, len(d.dirs))
	}
	for i, c := range d.dirs {
		sum, err := s.node(join(path, c.name), c.node, depth-1)
		if err != nil {
			return sum, err
		}
		if err := s.meta(c.meta); err != nil {
			return sum, err
		}
		t.Dirs[i] = ostree.TreeDir{Name: c.name, Tree: sum, Meta: c.meta.sum}
	}
	return s.w.WriteDirTree(t)
}

// hasher is a Writer that only computes names.
type hasher struct{}

func (hasher) WriteDirTree(t *ostree.DirTree) (ostree.Checksum, error) { return t.Checksum(), nil }
func (hasher) WriteDirMeta(m *ostree.DirMeta) (ostree.Checksum, error) { return m.Checksum(), nil }
