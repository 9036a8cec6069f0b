package tree

import (
	"errors"
	"fmt"
	"io/fs"

	"rpmostree/ostree"
)

// Tree is an immutable directory tree. The zero Tree is an empty directory of mode 0755
// that belongs to root. A Tree may be shared by goroutines.
type Tree struct {
	node *node
	meta *dirMeta
}

// emptyMeta is the metadata of the zero Tree.
var emptyMeta = newMeta(ostree.DirMeta{Mode: ostree.ModeDir | 0o755})

// Load returns the tree with a root of the given dirtree and dirmeta objects. Nothing
// is read until it is needed.
func Load(l Loader, tree, meta ostree.Checksum) Tree {
	src := &source{Loader: l, metas: map[ostree.Checksum]*dirMeta{}}
	return Tree{&node{src: src, sum: tree}, src.meta(meta)}
}

// Empty returns an empty tree whose root has the given metadata.
func Empty(root ostree.DirMeta) Tree { return Tree{nil, newMeta(root)} }

// entry returns the root; a missing node or meta is that of the zero Tree.
func (t Tree) entry() Entry {
	e := Entry{Name: "/", IsDir: true, node: t.node, meta: t.meta}
	if e.node == nil {
		e.node = &node{}
		e.node.dir.Store(&dir{})
	}
	if e.meta == nil {
		e.meta = emptyMeta
	}
	return e
}

// HasMeta tells whether anybody said what the metadata of the root is. If not, it reads as that
// of the zero Tree.
func (t Tree) HasMeta() bool { return t.meta != nil }

// WithoutMeta returns the tree with a root whose metadata nobody said.
func (t Tree) WithoutMeta() Tree { return Tree{t.node, nil} }

// Root returns the root as an entry.
func (t Tree) Root() Entry { return t.entry() }

// Lookup returns the entry at a path. The error is fs.ErrNotExist or a *NotDirError.
func (t Tree) Lookup(path string) (Entry, error) {
	parts, err := split(path)
	if err != nil {
		return Entry{}, &fs.PathError{Op: "lookup", Path: path, Err: err}
	}
	e := t.entry()
	at := "/"
	for _, name := range parts {
		if !e.IsDir {
			return Entry{}, &NotDirError{at, e.Checksum}
		}
		at = join(at, name)
		d, err := e.node.load()
		if err != nil {
			return Entry{}, err
		}
		var ok bool
		if e, ok = d.entry(name); !ok {
			return Entry{}, &fs.PathError{Op: "lookup", Path: at, Err: fs.ErrNotExist}
		}
	}
	return e, nil
}

// Exists reports whether there is an entry at a path.
func (t Tree) Exists(path string) (bool, error) {
	_, err := t.Lookup(path)
	var notDir *NotDirError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &notDir) {
		return false, nil
	}
	return err == nil, err
}

// ReadDir returns the entries of a directory, sorted by name.
func (t Tree) ReadDir(path string) ([]Entry, error) {
	e, err := t.Lookup(path)
	if err != nil {
		return nil, err
	}
	if !e.IsDir {
		return nil, &NotDirError{path, e.Checksum}
	}
	d, err := e.node.load()
	if err != nil {
		return nil, err
	}
	return d.entries(), nil
}

// Subtree returns the directory at a path as a tree.
func (t Tree) Subtree(path string) (Tree, error) {
	e, err := t.Lookup(path)
	if err == nil && !e.IsDir {
		err = &NotDirError{path, e.Checksum}
	}
	return e.Tree(), err
}

// Walk calls fn for the root, "/", and for everything below it, a directory before what is
// in it and entries in the order of their names. If fn returns fs.SkipDir for a
// directory that is left out; fs.SkipAll ends the walk; other errors end it and are returned.
func (t Tree) Walk(fn func(path string, e Entry) error) error {
	err := walk("/", t.entry(), fn, MaxDepth)
	if err == fs.SkipDir || err == fs.SkipAll {
		return nil
	}
	return err
}

func walk(path string, e Entry, fn func(string, Entry) error, depth int) error {
	if err := fn(path, e); err != nil || !e.IsDir {
		return err
	}
	if depth < 0 {
		return errTooDeep(path)
	}
	d, err := e.node.load()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, c := range d.entries() {
		if err := walk(join(path, c.Name), c, fn, depth-1); err != nil && (err != fs.SkipDir || !c.IsDir) {
			return err
		}
	}
	return nil
}

func errTooDeep(path string) error {
	return fmt.Errorf("%.64s...: %w", path, ErrTooDeep)
}

// WithFile returns the tree with a file at path, in place of a file that is there;
// missing directories are made.
func (t Tree) WithFile(path string, sum ostree.Checksum) (Tree, error) {
	return t.edit(func(b *Builder) error { return b.SetFile(path, sum) })
}

// WithDir returns the tree with a directory of the given metadata at path: a new
// one, or the one that is there with its metadata changed.
func (t Tree) WithDir(path string, meta ostree.DirMeta) (Tree, error) {
	return t.edit(func(b *Builder) error { return b.SetDir(path, meta) })
}

// Remove returns the tree without what is at path, a file or a whole directory.
func (t Tree) Remove(path string) (Tree, error) {
	return t.edit(func(b *Builder) error { return b.Remove(path) })
}

// Rename returns the tree with a file or directory moved to a path where nothing is yet.
func (t Tree) Rename(from, to string) (Tree, error) {
	return t.edit(func(b *Builder) error { return b.Rename(from, to) })
}

// Overlay returns the tree with everything of other added. What only one of both has
// is shared, not loaded.
func (t Tree) Overlay(other Tree, opts OverlayOptions) (Tree, error) {
	return t.edit(func(b *Builder) error { return b.Overlay("/", other, opts) })
}

func (t Tree) edit(change func(*Builder) error) (Tree, error) {
	b := NewBuilder(t)
	if err := change(b); err != nil {
		return Tree{}, err
	}
	return b.Tree(), nil
}
