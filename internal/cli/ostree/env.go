package ostree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"rpmostree/ostree/repo"
	"rpmostree/ostree/sysroot"
)

// env is what a running command has at hand.
type env struct {
	ctx                   context.Context
	in                    io.Reader
	out, err              io.Writer
	terminal              bool // out is one
	columns               int  // of the terminal
	cmd                   *command
	args                  []string
	verbose               bool
	printDir              bool // of the first deployment, in place of the command
	repoPath, sysrootPath string
	repo                  *repo.Repo // of a command with repoScope or remoteScope
}

func (e *env) printf(format string, args ...any) { fmt.Fprintf(e.out, format, args...) }

// flush lets what was printed be seen before something that takes long.
func (e *env) flush() error {
	if b, ok := e.out.(interface{ Flush() error }); ok {
		return b.Flush()
	}
	return nil
}

// debugf prints a line for --verbose.
func (e *env) debugf(format string, args ...any) {
	if e.verbose {
		fmt.Fprintf(e.err, "OT: "+format+"\n", args...)
	}
}

// open opens what the command works on.
func (e *env) open() error {
	switch e.cmd.scope {
	case repoScope, remoteScope:
		path, err := e.findRepo()
		if err != nil {
			return err
		}
		e.debugf("Opening repository %s", path)
		if e.repo, err = repo.Open(path); err != nil {
			if e.repoPath == "" && e.sysrootPath == "" && errors.Is(err, fs.ErrNotExist) {
				return errNoRepo
			}
			return fmt.Errorf("opening repo: %w", unprefixed{err, "opening repo: "})
		}
		if e.repo.IsSystem() && e.repo.CheckWritable() != nil {
			// What reads need not fail for it; what writes will say what is wrong.
			if err := sysroot.EnsureRepoWritable(); err != nil {
				e.debugf("%v", err)
			}
		}
	}
	// Remotes of a system are in its /etc, unless its repository wants them itself. A
	// physical root, where nothing is mounted on sysroot, has no /etc.
	if e.cmd.scope == remoteScope && e.sysrootPath != "" && isDir(filepath.Join(e.sysrootPath, "sysroot")) {
		if on, err := e.repo.Config().Bool("core", "add-remotes-config-dir", true); err == nil && on {
			e.repo.SetRemotesDir(filepath.Join(e.sysrootPath, "etc/ostree/remotes.d"))
		}
	}
	return nil
}

func (e *env) close() {
	if e.repo != nil {
		e.repo.Close()
	}
}

// errNoRepo is about a command that was given no repository where there is none.
var errNoRepo = usageError{"Command requires a --repo argument"}

// findRepo returns the repository of --repo, else the current directory if it is one, that of
// the environment, or that of the system, which need not exist.
func (e *env) findRepo() (string, error) {
	if e.cmd.scope == remoteScope && e.sysrootPath != "" {
		return filepath.Join(e.sysrootPath, "ostree/repo"), nil
	}
	if e.repoPath != "" {
		return filepath.Abs(e.repoPath)
	}
	if isDir("objects") && exists("config") {
		return ".", nil
	}
	if path := os.Getenv("OSTREE_REPO"); path != "" {
		return path, nil
	}
	sysroot := os.Getenv("OSTREE_SYSROOT")
	if sysroot == "" {
		sysroot = "/"
	}
	return filepath.Join(sysroot, "ostree/repo"), nil
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readText reads a file that an option names; errors are those of upstream.
func readText(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	var at *fs.PathError
	if errors.As(err, &at) && at.Op == "open" {
		err = fmt.Errorf("openat(%s): %w", name, at.Err)
	}
	if err == nil && (!utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0) {
		err = errors.New("Invalid UTF-8")
	}
	return data, err
}

// writable fails early for a command that changes the repository.
func (e *env) writable() error { return e.repo.CheckWritable() }

// unprefixed is an error whose text lacks a prefix that it may have had.
type unprefixed struct {
	error
	prefix string
}

func (e unprefixed) Error() string { return strings.TrimPrefix(e.error.Error(), e.prefix) }
func (e unprefixed) Unwrap() error { return e.error }
