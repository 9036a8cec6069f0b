package tree_test

import (
	"crypto/sha256"
	"fmt"

	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

func Example() {
	// Files are names of objects that a repository holds already.
	object := func(content string) ostree.Checksum { return sha256.Sum256([]byte(content)) }

	base, _ := tree.Tree{}.WithFile("/usr/bin/sh", object("shell"))
	pkg, _ := tree.Tree{}.WithFile("/usr/bin/vim", object("editor"))

	os, err := base.Overlay(pkg, tree.OverlayOptions{})
	fmt.Println(err)
	for change := range tree.Diff(base, os) {
		fmt.Println(change.Path, "added:", change.From == nil)
	}

	_, err = os.Overlay(pkg, tree.OverlayOptions{}) // the same again is fine
	fmt.Println(err)
	other, _ := tree.Tree{}.WithFile("/usr/bin", object("not a directory"))
	_, err = os.Overlay(other, tree.OverlayOptions{})
	_, isConflict := err.(*tree.ConflictError)
	fmt.Println(isConflict)
	// Output:
	// <nil>
	// /usr/bin/vim added: true
	// <nil>
	// true
}
