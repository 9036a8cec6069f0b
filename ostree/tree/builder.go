package tree

import (
	"io/fs"
	"slices"

	"rpmostree/ostree"
)

// Builder makes many changes to a tree. Each directory it touches is copied once, the
// rest is shared with the tree it started from. A Builder is for one goroutine.
// After an error the tree is as it was before the failed call, except for Overlay.
type Builder struct {
	// Parent is the metadata of directories that are made because something is put
	// below them; the zero value stands for mode 0755 of root.
	Parent ostree.DirMeta

	edit *edit
	root child
}

// edit marks the nodes which a Builder may change.
type edit struct{ _ byte }

// NewBuilder returns a Builder that starts from a tree.
func NewBuilder(base Tree) *Builder {
	e := base.entry()
	return &Builder{edit: new(edit), root: child{"/", e.node, e.meta}}
}

// Tree returns the tree as it is now. The Builder may be used further.
func (b *Builder) Tree() Tree {
	b.edit = new(edit) // what was ours is shared from now on
	return Tree{b.root.node, b.root.meta}
}

// Lookup returns the entry at a path, as Tree.Lookup does.
func (b *Builder) Lookup(path string) (Entry, error) {
	return Tree{b.root.node, b.root.meta}.Lookup(path)
}

// AddFile puts a file where nothing is, or the same file. Something else there
// makes a *ConflictError, a file among the path's directories a *NotDirError.
func (b *Builder) AddFile(path string, sum ostree.Checksum) error {
	return b.putFile(path, sum, false)
}

// SetFile puts a file at path, in place of a file that is there. A directory there makes a *ConflictError.
func (b *Builder) SetFile(path string, sum ostree.Checksum) error {
	return b.putFile(path, sum, true)
}

func (b *Builder) putFile(path string, sum ostree.Checksum, replace bool) error {
	parts, err := split(path)
	if err != nil || len(parts) == 0 {
		return pathError("add", path, err)
	}
	name := parts[len(parts)-1]
	if ours, err := b.find(parts); err != nil {
		return err
	} else if ours.Name != "" {
		if !ours.IsDir && ours.Checksum == sum {
			return nil
		}
		if ours.IsDir || !replace {
			return &ConflictError{path, ours, Entry{Name: name, Checksum: sum}}
		}
	}
	parent, err := b.open(parts[:len(parts)-1])
	if err != nil {
		return err
	}
	i, ok := parent.findFile(name)
	if ok {
		parent.files[i].Checksum = sum
	} else {
		parent.files = slices.Insert(parent.files, i, ostree.TreeFile{Name: name, Checksum: sum})
	}
	return nil
}

func pathError(op, path string, err error) error {
	if err == nil {
		err = fs.ErrInvalid
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// find looks for what is at a path: the zero Entry if nothing is, an error if a
// file stands among its directories.
func (b *Builder) find(parts []string) (Entry, error) {
	e := dirEntry(b.root)
	at := "/"
	for _, name := range parts {
		if !e.IsDir {
			return Entry{}, &NotDirError{at, e.Checksum}
		}
		d, err := e.node.load()
		if err != nil {
			return Entry{}, err
		}
		var ok bool
		if e, ok = d.entry(name); !ok {
			return Entry{}, nil
		}
		at = join(at, name)
	}
	return e, nil
}

// own makes the directory in c changeable and returns its entries.
func (b *Builder) own(c *child) (*dir, error) {
	d, err := c.node.load()
	if err != nil {
		return nil, err
	}
	if c.node.owner == b.edit {
		return d, nil
	}
	d = &dir{slices.Clone(d.files), slices.Clone(d.dirs)}
	n := &node{owner: b.edit}
	n.dir.Store(d)
	c.node = n
	return d, nil
}

// openChild makes changeable the directories on the way to a path, which are made if
// they are missing, and returns the last one. The caller has checked the path.
func (b *Builder) openChild(parts []string) (*child, error) {
	c := &b.root
	for _, name := range parts {
		d, err := b.own(c)
		if err != nil {
			return nil, err
		}
		i, ok := d.findDir(name)
		if !ok {
			d.dirs = slices.Insert(d.dirs, i, child{name, newNode(b.edit), b.parentMeta()})
		}
		c = &d.dirs[i]
	}
	return c, nil
}

func (b *Builder) open(parts []string) (*dir, error) {
	c, err := b.openChild(parts)
	if err != nil {
		return nil, err
	}
	return b.own(c)
}

func newNode(owner *edit) *node {
	n := &node{owner: owner}
	n.dir.Store(&dir{})
	return n
}

func (b *Builder) parentMeta() *dirMeta {
	if b.Parent.Mode == 0 {
		return emptyMeta
	}
	return newMeta(b.Parent)
}

// AddDir makes a directory if there is none yet; one that is there keeps its metadata.
func (b *Builder) AddDir(path string, meta ostree.DirMeta) error {
	return b.putDir(path, meta, false)
}

// SetDir makes a directory, or changes the metadata of the one that is there.
func (b *Builder) SetDir(path string, meta ostree.DirMeta) error {
	return b.putDir(path, meta, true)
}

// SetMeta changes the metadata of a directory that must exist.
func (b *Builder) SetMeta(path string, meta ostree.DirMeta) error {
	if _, err := b.Lookup(path); err != nil {
		return err
	}
	return b.putDir(path, meta, true)
}

func (b *Builder) putDir(path string, meta ostree.DirMeta, replace bool) error {
	parts, err := split(path)
	if err != nil {
		return pathError("add", path, err)
	}
	m := newMeta(meta)
	ours, err := b.find(parts)
	switch {
	case err != nil:
		return err
	case ours.Name != "" && !ours.IsDir:
		return &ConflictError{path, ours, Entry{Name: ours.Name, IsDir: true, meta: m}}
	case ours.Name != "" && (!replace || ours.meta.sum == m.sum):
		return nil
	case len(parts) == 0:
		b.root.meta = m
		return nil
	}
	parent, err := b.open(parts[:len(parts)-1])
	if err != nil {
		return err
	}
	name := parts[len(parts)-1]
	i, ok := parent.findDir(name)
	if ok {
		parent.dirs[i].meta = m
	} else {
		parent.dirs = slices.Insert(parent.dirs, i, child{name, newNode(b.edit), m})
	}
	return nil
}

// Put grafts an entry of this or another tree where nothing is: a file, or a
// directory with all that is in it.
func (b *Builder) Put(path string, e Entry) error {
	parts, err := split(path)
	if err != nil || len(parts) == 0 {
		return pathError("add", path, err)
	}
	ours, err := b.find(parts)
	if err != nil {
		return err
	}
	if ours.Name != "" {
		if ours.same(e) {
			return nil
		}
		return &ConflictError{path, ours, e}
	}
	if !e.IsDir {
		return b.putFile(path, e.Checksum, false)
	}
	parent, err := b.open(parts[:len(parts)-1])
	if err != nil {
		return err
	}
	root := e.Tree().entry()
	name := parts[len(parts)-1]
	i, _ := parent.findDir(name)
	parent.dirs = slices.Insert(parent.dirs, i, child{name, root.node, root.meta})
	return nil
}

// Remove removes what is at path, a file or a whole directory; of the root, what is in
// it. The error is fs.ErrNotExist if there is nothing.
func (b *Builder) Remove(path string) error {
	if _, err := b.Lookup(path); err != nil {
		return err
	}
	parts, _ := split(path)
	if len(parts) == 0 {
		b.root.node = newNode(b.edit)
		return nil
	}
	parent, err := b.open(parts[:len(parts)-1])
	if err != nil {
		return err
	}
	name := parts[len(parts)-1]
	if i, ok := parent.findFile(name); ok {
		parent.files = slices.Delete(parent.files, i, i+1)
	} else if i, ok := parent.findDir(name); ok {
		parent.dirs = slices.Delete(parent.dirs, i, i+1)
	}
	return nil
}

// RemoveEmpty removes the directory at path if it exists and nothing is in it, and
// reports whether it did.
func (b *Builder) RemoveEmpty(path string) (bool, error) {
	parts, err := split(path)
	if err != nil {
		return false, pathError("remove", path, err)
	}
	e, err := b.find(parts)
	if err != nil || !e.IsDir || len(parts) == 0 {
		return false, err
	}
	d, err := e.node.load()
	if err != nil || len(d.files)+len(d.dirs) > 0 {
		return false, err
	}
	return true, b.Remove(path)
}

// Rename moves a file or directory to a path where nothing is yet; missing
// directories of the new path are made.
func (b *Builder) Rename(from, to string) error {
	e, err := b.Lookup(from)
	if err != nil {
		return err
	}
	src, _ := split(from)
	dst, err := split(to)
	if err != nil || len(src) == 0 || len(dst) >= len(src) && slices.Equal(src, dst[:len(src)]) {
		return pathError("rename", to, err)
	}
	ours, err := b.find(dst)
	if err != nil {
		return err
	}
	if ours.Name != "" {
		return &ConflictError{to, ours, e}
	}
	if err := b.Put(to, e); err != nil {
		return err
	}
	return b.Remove(from)
}
