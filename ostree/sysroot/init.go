package sysroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree/repo"
)

// InitFS makes an empty sysroot of the existing directory path. What is there
// already is left alone. The epoch says which directories a root file system
// gets: 0 all that mount points need, 1 only boot, 2 only boot and an ostree
// directory that unprivileged users cannot enter.
func InitFS(path string, epoch int) error {
	dir, err := dirfd.Open(path)
	if err != nil {
		return fmt.Errorf("opendir(%s): %w", path, cause(err))
	}
	defer dir.Close()
	type entry struct {
		name string
		mode uint32
	}
	dirs := []entry{{"boot", 0o755}}
	switch epoch {
	case 0:
		dirs = append(dirs, entry{"dev", 0o755}, entry{"home", 0o755}, entry{"proc", 0o755},
			entry{"run", 0o755}, entry{"sys", 0o755}, entry{"root", 0o700}, entry{"tmp", 0o1777})
	case 1:
	case 2:
		dirs = append(dirs, entry{"ostree", 0o700})
	default:
		return fmt.Errorf("Invalid epoch: %d", epoch)
	}
	for _, d := range dirs {
		if err := dir.Mkdir(d.name, d.mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if epoch == 0 { // the sticky bit and group write are lost to the umask
		if err := dir.Chmod("tmp", 0o1777); err != nil {
			return err
		}
	}
	return EnsureInitialized(path)
}

// EnsureInitialized makes the ostree directory of a sysroot and its
// repository, of mode bare, if they are missing.
func EnsureInitialized(path string) error {
	for _, d := range []string{"ostree/repo", "ostree/deploy"} {
		if err := os.MkdirAll(filepath.Join(path, d), 0o755); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(filepath.Join(path, "ostree/repo/objects")); err == nil {
		return nil // of whatever mode
	}
	r, err := repo.Init(filepath.Join(path, "ostree/repo"), repo.InitOptions{Mode: repo.Bare})
	if err != nil {
		return err
	}
	return r.Close()
}

// InitStateroot makes a stateroot. One that exists is an error. The lock must
// be held.
func (s *Sysroot) InitStateroot(osname string) error {
	if !validStateroot(osname) {
		return fmt.Errorf("invalid stateroot name %q", osname)
	}
	dir, err := s.ostree.Open("deploy")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Mkdir(osname, 0o777); err != nil {
		return fmt.Errorf("Creating ostree/deploy/%s: %w", osname, cause(err))
	}
	root, err := dir.Open(osname)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Mkdir("var", 0o777); err != nil {
		return fmt.Errorf("Creating var: %w", cause(err))
	}
	return s.touch()
}

// legacyVar fills the empty var of a stateroot for systems that do not have
// systemd-tmpfiles to do it.
func legacyVar(dir *dirfd.Dir) error {
	for _, d := range []struct {
		name string
		mode uint32
	}{{"tmp", 0o777}, {"lib", 0o777}, {"log", 0o755}} {
		if err := dir.Mkdir(d.name, d.mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := dir.Chmod("tmp", 0o1777); err != nil {
		return err
	}
	for name, target := range map[string]string{"run": "../run", "lock": "../run/lock"} {
		if err := dir.Symlink(target, name); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return nil
}
