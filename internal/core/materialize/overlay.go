package materialize

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Attribute names of overlayfs on directories, when it is mounted by root.
const (
	attrPrefix = "trusted.overlay."
	attrOpaque = "trusted.overlay.opaque"
)

// mountOverlay mounts at merged the layers lower (uppermost first) below the
// writable directory upper. The features that would make the upper directory
// anything else than a plain change set are off.
func mountOverlay(lower []string, upper, work, merged string) error {
	escaped := make([]string, len(lower))
	for i, l := range lower {
		escaped[i] = strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace(l)
	}
	data := "lowerdir=" + strings.Join(escaped, ":") + ",upperdir=" + upper + ",workdir=" + work +
		",index=off,metacopy=off,redirect_dir=off,xino=off"
	if err := unix.Mount("overlay", merged, "overlay", 0, data); err != nil {
		return fmt.Errorf("mounting overlayfs: %w", err)
	}
	return nil
}

// Available reports whether trees can be mounted with overlayfs in dir: a real
// mount is tried, since the kernel, the file system below and the privileges
// all have a say.
func Available(dir string) bool {
	tmp := filepath.Join(dir, testName)
	if os.Mkdir(tmp, 0o700) != nil {
		return false
	}
	defer os.RemoveAll(tmp)
	var sub [4]string
	for i, name := range [...]string{"lower", "upper", "work", mergedName} {
		sub[i] = filepath.Join(tmp, name)
		if os.Mkdir(sub[i], 0o700) != nil {
			return false
		}
	}
	if mountOverlay(sub[:1], sub[1], sub[2], sub[3]) != nil {
		return false
	}
	return unix.Unmount(sub[3], unix.MNT_DETACH) == nil
}

// Clean removes what killed processes left in the work directory dir: their
// mounts, and then the files. Work that a running process holds stays.
func Clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), workPrefix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		lock, err := lockWork(path)
		if err != nil {
			continue // in use
		}
		err = removeWork(path)
		lock.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	workPrefix = "tree-"
	lockName   = "lock"
	mergedName = "root"
	testName   = "overlay-test"
)

// A Work is a directory for temporary files. If the process is killed, Clean
// removes it.
type Work struct {
	work string
	lock *os.File // held while in use
}

// NewWork makes an empty directory in dir. It must be closed.
func NewWork(dir string) (*Work, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(dir, workPrefix)
	if err != nil {
		return nil, err
	}
	lock, err := lockWork(work)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(work))
	}
	return &Work{work, lock}, nil
}

// Mkdir makes an empty directory that goes away with the Work, and returns its
// path.
func (w *Work) Mkdir(name string) (string, error) {
	dir := filepath.Join(w.work, name)
	return dir, os.Mkdir(dir, 0o755)
}

// Close removes the directory, and what is mounted in it.
func (w *Work) Close() error { return errors.Join(removeWork(w.work), w.lock.Close()) }

// lockWork takes the lock that says that a work directory is in use.
func lockWork(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// removeWork takes a work directory away, mount first.
func removeWork(path string) error {
	for _, name := range []string{mergedName, filepath.Join(testName, mergedName)} {
		err := unix.Unmount(filepath.Join(path, name), unix.MNT_DETACH)
		if err != nil && err != unix.EINVAL && err != unix.ENOENT {
			return fmt.Errorf("unmounting %s: %w", filepath.Join(path, name), err)
		}
	}
	return os.RemoveAll(path)
}
