package core

import (
	"rpmostree/internal/progress"
	"rpmostree/ostree/repo"
)

// A Core has what the stages need besides their input. It is not changed.
type Core struct {
	// Repo keeps packages and trees. Its mode is bare, since programs must see
	// the files as they are.
	Repo *repo.Repo
	// Work is a directory on the file system of the repository, for what is
	// put on disk for a while.
	Work string
	// CacheDir keeps what was downloaded.
	CacheDir string
	// CacheOnly forbids downloads.
	CacheOnly bool
	// Planning says that nothing will be fetched: with CacheOnly, packages of
	// the metadata then count even if they were never downloaded.
	Planning bool
	// Progress is told what is done; nil means nobody.
	Progress progress.Sink
	// Arch is the architecture packages are for, by rpm's name.
	Arch string
	// Epoch is the time of installation that is recorded, in seconds since 1970.
	Epoch uint64
	// Vars are the variables of repository URLs, such as releasever.
	Vars map[string]string
	// Root holds the files that repository configurations name, such as keys;
	// "" means the running system.
	Root string
	// Var is the directory that is /var of Root; "" means the one in Root.
	Var string
	// NoOverlay copies trees where overlayfs would do.
	NoOverlay bool
	// Lua is the program that runs <lua> scripts: see scripts.Runner.
	Lua string
}

func (c *Core) progress() progress.Sink {
	if c.Progress == nil {
		return progress.Discard
	}
	return c.Progress
}
