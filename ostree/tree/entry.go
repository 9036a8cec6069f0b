package tree

import (
	"fmt"

	"rpmostree/ostree"
)

// Entry is a file or directory in a Tree.
type Entry struct {
	Name     string // "/" for the root
	IsDir    bool
	Checksum ostree.Checksum // of a file's object; zero for a directory
	node     *node
	meta     *dirMeta
}

func fileEntry(f ostree.TreeFile) Entry { return Entry{Name: f.Name, Checksum: f.Checksum} }
func dirEntry(c child) Entry            { return Entry{Name: c.name, IsDir: true, node: c.node, meta: c.meta} }

// Tree returns a directory as a tree of its own; the empty Tree for a file.
func (e Entry) Tree() Tree { return Tree{e.node, e.meta} }

// MetaChecksum returns the name of a directory's dirmeta object.
func (e Entry) MetaChecksum() ostree.Checksum {
	if e.meta == nil {
		return ostree.Checksum{}
	}
	return e.meta.sum
}

// TreeChecksum returns the name of a directory's dirtree object, false for a file
// and for a directory that was changed or made since it was loaded.
func (e Entry) TreeChecksum() (ostree.Checksum, bool) {
	if e.node == nil || e.node.src == nil {
		return ostree.Checksum{}, false
	}
	return e.node.sum, true
}

// Meta returns the metadata of a directory.
func (e Entry) Meta() (ostree.DirMeta, error) {
	if e.meta == nil {
		return ostree.DirMeta{}, fmt.Errorf("%s: not a directory", e.Name)
	}
	return e.meta.load()
}

// same reports whether two entries are alike, as far as can be seen without loading.
func (e Entry) same(o Entry) bool {
	if e.IsDir != o.IsDir || e.Checksum != o.Checksum {
		return false
	}
	return !e.IsDir || e.meta.sum == o.meta.sum && same(e.node, o.node)
}

// ConflictError says that two trees want different things at one path.
type ConflictError struct {
	Path         string
	Ours, Theirs Entry
}

// Error names the path and both sides.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: %s conflicts with %s", e.Path, describe(e.Ours), describe(e.Theirs))
}

func describe(e Entry) string {
	if e.IsDir {
		return "directory"
	}
	return "file " + e.Checksum.String()
}

// NotDirError says that a path cannot be reached because a component is no
// directory. It may be a symbolic link.
type NotDirError struct {
	Path     string          // of the component
	Checksum ostree.Checksum // of the file object there
}

// Error names the component.
func (e *NotDirError) Error() string { return e.Path + ": not a directory" }

func treeFile(e Entry) ostree.TreeFile { return ostree.TreeFile{Name: e.Name, Checksum: e.Checksum} }
