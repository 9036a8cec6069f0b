package repo

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"rpmostree/ostree"
)

// WalkSubpaths goes from the root of a commit to each of the paths. It calls
// load for every directory on the way, and visit for what a path names; of a
// file, for nothing. Pulls use it to fetch parts of a tree.
func WalkSubpaths(c *ostree.Commit, paths []string, load func(tree, meta ostree.Checksum) (*ostree.DirTree, error), visit func(tree, meta ostree.Checksum) error) error {
	for _, p := range paths {
		tree, meta, err := findSubpath(c, p, load)
		if err != nil {
			return err
		}
		if err := visit(tree, meta); err != nil {
			return err
		}
	}
	return nil
}

func findSubpath(c *ostree.Commit, p string, load func(tree, meta ostree.Checksum) (*ostree.DirTree, error)) (tree, meta ostree.Checksum, err error) {
	tree, meta = c.Tree, c.Meta
	for name := range strings.SplitSeq(strings.Trim(path.Clean("/"+p), "/"), "/") {
		if name == "" {
			continue
		}
		d, err := load(tree, meta)
		if err != nil {
			return tree, meta, err
		}
		found := false
		for _, sub := range d.Dirs {
			if sub.Name == name {
				tree, meta, found = sub.Tree, sub.Meta, true
			}
		}
		if !found {
			return tree, meta, fmt.Errorf("subpath %s: no directory %s: %w", p, name, fs.ErrNotExist)
		}
	}
	return tree, meta, nil
}
