// Package core turns packages into an OS tree. It knows no deployments, so that
// composing an image and layering packages on one are the same code:
//
//	Spec -> Prepare -> Plan -> Fetch -> Fetched -> Assemble -> Built -> commit
//
// Each stage takes the value of the stage before and returns the next.
package core

import (
	"rpmostree/internal/core/materialize"
	"rpmostree/internal/core/passwd"
	"rpmostree/internal/core/postprocess"
	"rpmostree/internal/core/sack"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
	"rpmostree/rpm/rpmdb"
	"rpmostree/rpmmd"
)

// A Spec says what a tree is to be.
type Spec struct {
	Base *Base // nil to begin with nothing, as a compose does

	Install []string      // names, NEVRAs, capabilities or paths
	Local   []*sack.Local // package files to install
	// Overwrite are package files whose files may replace those of the base.
	Overwrite []*sack.Local
	// FromRepo are packages that must come from one repository.
	FromRepo []FromRepo

	Remove        []string      // names of base packages to remove
	Replace       []*sack.Local // package files that replace base packages
	ReplaceRemote []FromRepo    // base packages to be replaced from a repository

	Exclude      []string // patterns of packages that must not be used
	NoRecommends bool     // install nothing for the sake of a recommendation
	NoDocs       bool     // leave documentation out
	IMA          bool     // store the signatures of the packages' files

	Repos []rpmmd.RepoConfig

	// Initramfs asks for a new initramfs even if nothing it is made of changes.
	Initramfs bool
	// InitramfsArgs are arguments for dracut, in place of those of an image.
	InitramfsArgs []string
	// NoInitramfs leaves an initramfs out where one would be made.
	NoInitramfs bool

	// Shape is that of a tree which begins with nothing.
	Shape postprocess.Options
}

// A FromRepo names packages and the repository they must come from.
type FromRepo struct {
	Repo     string
	Packages []string
}

// A Base is the image that packages are layered on.
type Base struct {
	Commit   ostree.Checksum
	Tree     tree.Tree
	Database []rpmdb.Entry // everything in its package database, keys too
	Packages []rpmdb.Installed
	// OnDisk is a tree that is on disk already and resembles what is to be
	// made, or nil.
	OnDisk *materialize.Base
	// Users are those of an earlier tree of the same machine, whose numbers
	// are kept.
	Users passwd.Database
}

// A RepoState is a repository as it was when a request was resolved.
type RepoState struct {
	ID        string
	Timestamp uint64 // of its metadata, seconds since 1970
}
