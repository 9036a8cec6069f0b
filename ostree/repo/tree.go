package repo

import (
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// Tree returns the tree of a commit, whose directories are loaded when asked
// for.
func (o *Objects) Tree(commit ostree.Checksum) (tree.Tree, error) {
	c, err := o.Commit(commit)
	if err != nil {
		return tree.Tree{}, err
	}
	return tree.Load(o, c.Tree, c.Meta), nil
}
