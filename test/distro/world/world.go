// Package world makes the test distribution: a small, real RPM system that composes,
// deploys and boots, made of Debian 12 packages that are converted, and of packages of its
// own that have what Debian's lack (see cases.go).
//
// The result is cached below $XDG_CACHE_HOME/rpm-ostree-distro, by a key of all that went
// in. Downloads are kept too: once made, it takes no network to make it again. The same
// packages give the same bytes.
package world

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// World is the distribution on disk. Nothing in it may be changed: it is shared.
type World struct {
	Dir            string   // holds all the rest
	Base           string   // rpm-md repository of the release
	Updates        string   // rpm-md repository of newer builds of some packages
	RepoFile       string   // .repo file that names both, "lab" and "lab-updates"
	Treefile       string   // composes Ref from Base
	UpdateTreefile string   // composes Ref from Base and Updates
	Ref            string   // what the treefiles name their commits
	Packages       []string // what the treefiles ask for
}

// Options change how a World is made. The zero value is right for all but special needs.
type Options struct {
	// CacheDir keeps downloads and results; empty is the user's cache directory.
	CacheDir string
	// Log takes lines that say what is going on; nil discards them.
	Log io.Writer
}

// A result of other inputs is removed from the cache when it is not one of the keepResults
// used last, and nobody has used it for staleAfter.
const (
	keepResults = 2
	staleAfter  = 2 * time.Hour
)

// Make makes the distribution, or takes it from the cache. With an empty dir the cached
// files themselves are returned, else they are copied there, which dir need not have.
func Make(ctx context.Context, dir string, o Options) (*World, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.CacheDir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		o.CacheDir = filepath.Join(cache, "rpm-ostree-distro")
	}
	if err := os.MkdirAll(o.CacheDir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(o.CacheDir, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	l, err := readLists()
	if err != nil {
		return nil, err
	}
	w, err := cached(ctx, o, l)
	if err != nil || dir == "" {
		return w, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	return w.copy(dir, l)
}

// Get returns the cached distribution for a test, which is skipped if the packages cannot
// be had; with CI=true in the environment it fails instead.
func Get(t testing.TB) *World {
	t.Helper()
	w, err := Make(t.Context(), "", Options{Log: t.Output()})
	if errors.Is(err, errUnavailable) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// lock waits for the exclusive lock of a file.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}

// cached returns the World of the present inputs, which it builds if the cache lacks it.
func cached(ctx context.Context, o Options, l *lists) (*World, error) {
	f := &fetcher{o.CacheDir, l, o.Log}
	c, err := f.fetch(ctx)
	if err != nil {
		return nil, err
	}
	key, err := inputKey(c)
	if err != nil {
		return nil, err
	}
	w := newWorld(filepath.Join(o.CacheDir, "world-"+key), l)
	done := filepath.Join(w.Dir, "done")
	if err := os.Chtimes(done, time.Time{}, time.Now()); err == nil {
		return w, nil
	}
	if err := removeStale(o.CacheDir); err != nil {
		return nil, err
	}
	partial := filepath.Join(o.CacheDir, "partial")
	if err := errors.Join(os.RemoveAll(partial), os.RemoveAll(w.Dir)); err != nil {
		return nil, err
	}
	p := newWorld(partial, l)
	if err := build(ctx, p, f, c, o.Log); err != nil {
		return nil, err
	}
	if err := os.Rename(partial, w.Dir); err != nil {
		return nil, err
	}
	if err := w.writeTreefiles(l); err != nil {
		return nil, err
	}
	return w, os.WriteFile(done, nil, 0o644)
}

// sources are what makes packages out of packages, besides the lists.
//
//go:embed *.go
var sources embed.FS

// inputKey is a hash of all that decides the result: the lists, the sources, the packages
// downloaded, and what the RPM and metadata writers make of some.
func inputKey(c closure) (string, error) {
	h := sha256.New()
	for _, files := range []fs.FS{listFiles, sources} {
		err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := fs.ReadFile(files, name)
			fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	fmt.Fprintln(h, c.Base, c.Updates)
	dir, err := os.MkdirTemp("", "distro-key-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := writeRepository(context.Background(), dir, cases()); err != nil {
		return "", err
	}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		h.Write(text)
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), err
}

// removeStale removes results that nobody has used for a while.
func removeStale(cache string) error {
	results, err := filepath.Glob(filepath.Join(cache, "world-*"))
	if err != nil {
		return err
	}
	used := map[string]time.Time{} // zero for a result that was not finished
	for _, dir := range results {
		if st, err := os.Stat(filepath.Join(dir, "done")); err == nil {
			used[dir] = st.ModTime()
		}
	}
	slices.SortFunc(results, func(a, b string) int { return used[b].Compare(used[a]) })
	for i, dir := range results {
		if i < keepResults || time.Since(used[dir]) < staleAfter {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// copy copies the repositories to dir and writes treefiles that name it.
func (w *World) copy(dir string, l *lists) (*World, error) {
	to := newWorld(dir, l)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, r := range [][2]string{{w.Base, to.Base}, {w.Updates, to.Updates}} {
		if err := os.RemoveAll(r[1]); err != nil {
			return nil, err
		}
		if err := copyTree(r[0], r[1]); err != nil {
			return nil, err
		}
	}
	return to, to.writeTreefiles(l)
}

// copyTree copies files with their times, which the metadata mention.
func copyTree(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		return os.Chtimes(filepath.Join(to, rel), st.ModTime(), st.ModTime())
	})
}
