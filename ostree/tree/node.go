package tree

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"rpmostree/ostree"
)

// MaxDepth is how deep directories may be nested: so many levels of them are below the root.
// All that makes, copies, checks or reads trees keeps to it. Each level takes a descriptor
// while it is copied, of which a process may by default have no more than 1024: this is the
// share of the one goroutine that goes so deep.
const MaxDepth = 850

// Loader reads directories from a repository. A *repo.Repo is one. What it
// returns is not changed.
type Loader interface {
	DirTree(ostree.Checksum) (*ostree.DirTree, error)
	DirMeta(ostree.Checksum) (*ostree.DirMeta, error)
}

// node is the content of a directory. It does not change once it can be reached
// from a Tree; before that, the Builder in owner may change it.
type node struct {
	owner *edit
	src   *source         // where a stored directory is loaded from, nil for a new one
	sum   ostree.Checksum // name of a stored directory
	depth int             // of a stored directory, below the root that it was loaded with
	dir   atomic.Pointer[dir]
}

// dir is a loaded directory. Both lists are sorted by name; no name is in both.
type dir struct {
	files []ostree.TreeFile
	dirs  []child
}

// child is a directory in a directory.
type child struct {
	name string
	node *node
	meta *dirMeta
}

// dirMeta is directory metadata.
type dirMeta struct {
	sum ostree.Checksum
	src *source // where to load a stored one from, nil for a new one
	val atomic.Pointer[ostree.DirMeta]
}

// source is a Loader whose few distinct dirmeta objects are kept.
type source struct {
	Loader
	mu    sync.Mutex
	metas map[ostree.Checksum]*dirMeta
}

func (s *source) meta(sum ostree.Checksum) *dirMeta {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.metas[sum]
	if m == nil {
		m = &dirMeta{sum: sum, src: s}
		s.metas[sum] = m
	}
	return m
}

func newMeta(d ostree.DirMeta) *dirMeta {
	m := &dirMeta{sum: d.Checksum()}
	m.val.Store(&d)
	return m
}

func (m *dirMeta) load() (ostree.DirMeta, error) {
	if d := m.val.Load(); d != nil {
		return *d, nil
	}
	d, err := m.src.DirMeta(m.sum)
	if err != nil {
		return ostree.DirMeta{}, err
	}
	m.val.Store(d)
	return *d, nil
}

// load returns the entries of the directory, which must not be changed.
func (n *node) load() (*dir, error) {
	if d := n.dir.Load(); d != nil {
		return d, nil
	}
	t, err := n.src.DirTree(n.sum)
	if err != nil {
		return nil, err
	}
	d := &dir{files: t.Files}
	if len(t.Dirs) > 0 {
		nodes := make([]node, len(t.Dirs))
		d.dirs = make([]child, len(t.Dirs))
		for i, sub := range t.Dirs {
			nodes[i].src, nodes[i].sum, nodes[i].depth = n.src, sub.Tree, n.depth+1
			d.dirs[i] = child{sub.Name, &nodes[i], n.src.meta(sub.Meta)}
		}
	}
	n.dir.Store(d)
	return d, nil
}

// same reports whether both are the same directory, as far as can be seen without loading.
func same(a, b *node) bool {
	return a == b || a.src != nil && b.src != nil && a.sum == b.sum
}

func (d *dir) findFile(name string) (int, bool) {
	return slices.BinarySearchFunc(d.files, name, func(f ostree.TreeFile, s string) int { return strings.Compare(f.Name, s) })
}

func (d *dir) findDir(name string) (int, bool) {
	return slices.BinarySearchFunc(d.dirs, name, func(c child, s string) int { return strings.Compare(c.name, s) })
}

// entry returns the entry with a name.
func (d *dir) entry(name string) (Entry, bool) {
	if i, ok := d.findFile(name); ok {
		return fileEntry(d.files[i]), true
	}
	if i, ok := d.findDir(name); ok {
		return dirEntry(d.dirs[i]), true
	}
	return Entry{}, false
}

// entries returns all entries sorted by name.
func (d *dir) entries() []Entry {
	list := make([]Entry, 0, len(d.files)+len(d.dirs))
	files, dirs := d.files, d.dirs
	for len(files) > 0 || len(dirs) > 0 {
		if len(dirs) == 0 || len(files) > 0 && files[0].Name < dirs[0].name {
			list = append(list, fileEntry(files[0]))
			files = files[1:]
		} else {
			list = append(list, dirEntry(dirs[0]))
			dirs = dirs[1:]
		}
	}
	return list
}

// split returns the components of a path, none for the root.
func split(path string) ([]string, error) {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil, nil
	}
	parts := strings.Split(path, "/")
	if len(parts) > MaxDepth+1 { // the last one may be a file
		return nil, fmt.Errorf("path is nested deeper than %d", MaxDepth)
	}
	for _, p := range parts {
		if err := ostree.ValidateName(p); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// join makes the absolute path of a name in a directory with an absolute path.
func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}
