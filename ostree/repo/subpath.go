package repo

import (
	"path"
	"strings"

	"rpmostree/ostree"
)

// A SubpathVisitor is told what WalkSubpaths finds.
type SubpathVisitor struct {
	// Load returns a directory that is on the way to a path.
	Load func(tree, meta ostree.Checksum) (*ostree.DirTree, error)
	Dir  func(tree, meta ostree.Checksum) error // named by a path
	File func(c ostree.Checksum) error          // named by a path
}

// WalkSubpaths goes from the root of a commit to each of the paths. One that is
// not there is passed over. Pulls use it to fetch parts of a tree.
func WalkSubpaths(c *ostree.Commit, paths []string, v SubpathVisitor) error {
	for _, p := range paths {
		if err := v.walk(c.Tree, c.Meta, strings.Trim(path.Clean("/"+p), "/")); err != nil {
			return err
		}
	}
	return nil
}

func (v *SubpathVisitor) walk(tree, meta ostree.Checksum, rel string) error {
	if rel == "" {
		return v.Dir(tree, meta)
	}
	name, rest, deeper := strings.Cut(rel, "/")
	d, err := v.Load(tree, meta)
	if err != nil {
		return err
	}
	for _, sub := range d.Dirs {
		if sub.Name == name {
			return v.walk(sub.Tree, sub.Meta, rest)
		}
	}
	for _, file := range d.Files {
		if file.Name == name && !deeper {
			return v.File(file.Checksum)
		}
	}
	return nil
}
