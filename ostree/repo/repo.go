// Package repo is an OSTree repository on disk: a directory of content
// addressed objects, the refs that name commits, and a configuration.
//
//	r, err := repo.Open("/ostree/repo")
//	commit, err := r.ResolveRev("fedora/stable")
//	err = r.Checkout(ctx, commit, "/dest", repo.CheckoutOptions{})
//
// Objects are added in a [Transaction], which writes them beside the repository
// and moves them in at once, refs last: a crash leaves the old state, or the
// new one.
//
// The format is that of libostree; see its manual, "Anatomy of an OSTree
// repository" and "Repository formats".
package repo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/keyfile"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// maxParents bounds the chain of core.parent repositories.
const maxParents = 8

// A Repo is an open repository. It is safe for concurrent use. It must be
// closed.
type Repo struct {
	*Objects
	path   string
	dir    *dirfd.Dir
	state  atomic.Pointer[state]
	lock   repoLock
	parent *Repo
	object *dirfd.Dir // the directory objects
}

// A state is what the configuration says at one time.
type state struct {
	config     *keyfile.File
	remotesDir string // if not the default
	settings
}

func (r *Repo) settings() *settings { return &r.state.Load().settings }

// Open opens the repository at path.
func Open(path string) (*Repo, error) { return open(path, 0) }

func open(path string, depth int) (*Repo, error) {
	if depth > maxParents {
		return nil, fmt.Errorf("opening repo: more than %d parents", maxParents)
	}
	path = filepath.Clean(path)
	dir, err := dirfd.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening repo: opendir(%s): %w", path, errnoText(err))
	}
	r := &Repo{path: path, dir: dir, lock: repoLock{fd: -1}}
	if err := r.load(depth); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Repo) load(depth int) error {
	var err error
	if r.object, err = r.dir.Open("objects"); err != nil {
		return fmt.Errorf("opening repo: opendir(%s): %w", r.path, errnoText(err))
	}
	if err := r.ReloadConfig(); err != nil {
		return err
	}
	s := r.settings()
	r.lock.timeout, r.lock.off = s.lockTimeout, !s.locking
	if tmp, err := r.dir.Create("tmp", 0o775); err == nil {
		tmp.Close() // who may write finds it; others do not need it
	}
	r.Objects = &Objects{mode: s.mode, disableXattrs: s.disableXattrs, dirs: []int{r.object.FD()}}
	if s.cache && s.mode == Archive {
		r.Objects.cacheParent = r.dir
	}
	if s.parent == "" {
		return nil
	}
	parent, err := filepath.Abs(s.parent) // from the working directory, as upstream has it
	if err != nil {
		return err
	}
	if r.parent, err = open(parent, depth+1); err != nil {
		return fmt.Errorf("While checking parent repository '%s': %w", parent, err)
	}
	r.Objects.parent = r.parent.Objects
	return nil
}

// errorText is the error of a system call as upstream prints it: "No such file
// or directory" rather than Go's lower-case text with a path.
type errorText struct{ errno unix.Errno }

func (e errorText) Error() string {
	s := e.errno.Error()
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (e errorText) Unwrap() error { return e.errno }

// errnoText reduces err to its errno, if it has one.
func errnoText(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errorText{errno}
	}
	return err
}

// Close closes the repository. Trees and files that were read from it must not
// be used afterwards.
func (r *Repo) Close() error {
	r.lock.close()
	if r.object != nil {
		r.object.Close()
	}
	if r.parent != nil {
		r.parent.Close()
	}
	return r.dir.Close()
}

// Path is the path that the repository was opened by.
func (r *Repo) Path() string { return r.path }

// Dir is the open directory of the repository. It stays owned by r.
func (r *Repo) Dir() *dirfd.Dir { return r.dir }

// Parent is the repository that core.parent names, or nil.
func (r *Repo) Parent() *Repo { return r.parent }

// CheckWritable returns an error if the caller may not write to the repository.
func (r *Repo) CheckWritable() error {
	err := unix.Faccessat(r.object.FD(), ".", unix.W_OK, unix.AT_EACCESS)
	if err != nil {
		return fmt.Errorf("Repository is not writable: %w", errnoText(err))
	}
	return nil
}

// InitOptions describe a new repository.
type InitOptions struct {
	Mode         Mode
	CollectionID string // optional
}

// initDirs are the directories of a new repository. The last one marks that
// the repository exists, so that an interrupted Init can be repeated.
var initDirs = [...]string{"tmp", "extensions", "state", "refs", "refs/heads", "refs/mirrors", "refs/remotes", "objects"}

// Init makes a repository at path, or opens the one that is there.
func Init(path string, o InitOptions) (*Repo, error) {
	if r, err := Open(path); err == nil {
		if r.mode != o.Mode {
			defer r.Close()
			return nil, fmt.Errorf("mode requested for repository (%s) differs from existing mode (%s)", o.Mode, r.mode)
		}
		return r, nil
	}
	k := &keyfile.File{}
	errs := []error{k.Set("core", "repo_version", "1"), k.Set("core", "mode", o.Mode.String())}
	if o.CollectionID != "" {
		errs = append(errs, ostree.ValidateCollectionID(o.CollectionID), k.Set("core", "collection-id", o.CollectionID))
	}
	_, err := parseSettings(k, false, true)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o755); err != nil && !os.IsExist(err) {
		return nil, err
	}
	dir, err := dirfd.Open(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if ok, err := dir.Exists("config"); err != nil {
		return nil, err
	} else if !ok {
		if err := dir.WriteFileAtomic("config", k.Bytes(), 0o644, true); err != nil {
			return nil, err
		}
	}
	for _, name := range initDirs {
		sub, err := dir.CreatePath(name, 0o775)
		if err != nil {
			return nil, err
		}
		sub.Close()
	}
	if err := dir.Sync(); err != nil {
		return nil, err
	}
	return Open(path)
}
