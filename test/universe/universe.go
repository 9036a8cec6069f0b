// Package universe makes rpm-md repositories of the size of a distribution: every package of
// Debian's index becomes an RPM package with the same relations, in the way Fedora's packages
// have them (sonames with symbol versions, i686 twins, rich and weak dependencies, requirements
// of paths). A second repository has newer builds of some. There are no package files.
//
// All of it follows from the index: whatever looks like chance is a checksum of a name.
package universe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rpmostree/rpmmd/createrepo"
)

// ErrUnavailable is wrapped by Make's error where there is no index to work from.
var ErrUnavailable = errors.New("no package index of Debian")

// A Universe is two repositories.
type Universe struct {
	Base    string // directory of what was released
	Updates string // directory of newer builds
}

// version is part of the cache's key: it changes with what is made of an index.
const version = "1"

// staleAfter is how long after its last use a universe is kept that another index made.
const staleAfter = 24 * time.Hour

// Make makes the repositories below the user's cache directory, or takes them from there. Lines
// that say what is going on go to log.
func Make(ctx context.Context, log io.Writer) (*Universe, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	cache = filepath.Join(cache, "rpm-ostree-universe")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	index, err := findIndex(ctx)
	if err != nil {
		return nil, err
	}
	key, err := keyOf(index)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, key)
	u := &Universe{Base: filepath.Join(dir, "base"), Updates: filepath.Join(dir, "updates")}
	if err := os.Chtimes(dir, time.Time{}, time.Now()); err == nil {
		return u, nil
	}
	if err := removeStale(cache); err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "making repositories from %s\n", index)
	tmp, err := os.MkdirTemp(cache, ".new-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	if err := write(ctx, index, tmp); err != nil {
		return nil, err
	}
	return u, os.Rename(tmp, dir)
}

// write makes both repositories below dir.
func write(ctx context.Context, index, dir string) error {
	list, err := readIndex(ctx, index)
	if err != nil {
		return err
	}
	w := newWriter(list)
	for _, repo := range []struct {
		name string
		pkgs []*createrepo.Package
	}{{"base", w.base()}, {"updates", w.updates()}} {
		sub := filepath.Join(dir, repo.name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			return err
		}
		if _, err := createrepo.WritePackages(sub, repo.pkgs, createrepo.Options{}); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

// findIndex returns the file of apt's index of the release, without updates.
func findIndex(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages").Output()
	if err != nil {
		return "", fmt.Errorf("%w: apt-get: %w", ErrUnavailable, err)
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		base := filepath.Base(name)
		if !strings.Contains(base, "_main_binary-amd64") || strings.Contains(base, "security") || strings.Contains(base, "updates") {
			continue
		}
		for _, suffix := range []string{"", ".lz4", ".gz", ".xz", ".zst"} {
			if _, err := os.Stat(name + suffix); err == nil {
				return name + suffix, nil
			}
		}
	}
	return "", ErrUnavailable
}

func keyOf(index string) (string, error) {
	f, err := os.Open(index)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	io.WriteString(h, version)
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

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

// removeStale removes what nobody has used for some time, and what a killed process left.
func removeStale(cache string) error {
	list, err := os.ReadDir(cache)
	if err != nil {
		return err
	}
	for _, e := range list {
		if st, err := e.Info(); err == nil && e.IsDir() && time.Since(st.ModTime()) > staleAfter {
			if err := os.RemoveAll(filepath.Join(cache, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
