package sysroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"rpmostree/ostree/repo"

	"golang.org/x/sys/unix"
)

// EnsureWritable makes /sysroot and /boot of the running system writable for
// this process if they are mounted read-only, as systems do to keep programs
// from writing there by accident. Other processes do not see it.
//
// That needs a mount namespace of our own. Only a process as a whole can have
// one, so unless it has it already, the program is executed again: call
// EnsureWritable at the start of main. Without privileges, or if the system was
// not booted by OSTree, nothing happens.
func EnsureWritable() error { return ensureWritable("/", unix.MS_SLAVE, "sysroot", "boot") }

// EnsureRepoWritable is EnsureWritable for those who do not need /boot, which may be
// missing, or on a disk that cannot be written to.
func EnsureRepoWritable() error { return ensureWritable("/", unix.MS_SLAVE, "sysroot") }

// EnsureWritableShared is EnsureWritable for operations that mount something,
// which other processes then do see.
func EnsureWritableShared() error { return ensureWritable("/", 0, "sysroot", "boot") }

func ensureWritable(root string, propagation uintptr, names ...string) error {
	if !repo.Privileged() || !lexists(filepath.Join(root, "run/ostree-booted")) {
		return nil
	}
	var readonly []string
	for _, name := range names {
		dir := filepath.Join(root, name)
		ro, err := isReadonly(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if ro {
			readonly = append(readonly, dir)
		}
	}
	if len(readonly) == 0 {
		return nil
	}
	private, err := hasPrivateMounts()
	if err != nil {
		return err
	}
	if private {
		return remount(readonly)
	}
	self, err := os.Executable() // before its path means something else
	if err != nil {
		return err
	}
	// From here this thread is alone in the new namespace, and no other code
	// must run on it; exec makes it the whole process.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("Failed to invoke unshare(CLONE_NEWNS): %w", err)
	}
	if propagation != 0 {
		if err := unix.Mount("", "/", "", unix.MS_REC|propagation, ""); err != nil {
			return fmt.Errorf("making mounts private: %w", err)
		}
	}
	if err := remount(readonly); err != nil {
		return err
	}
	return fmt.Errorf("executing %s again: %w", self, unix.Exec(self, os.Args, os.Environ()))
}

// hasPrivateMounts reports whether our mount namespace is not that of the
// system.
func hasPrivateMounts() (bool, error) {
	system, err := os.Readlink("/proc/1/ns/mnt")
	if err != nil {
		return false, fmt.Errorf("Reading /proc/1/ns/mnt: %w", err)
	}
	ours, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return false, fmt.Errorf("Reading /proc/self/ns/mnt: %w", err)
	}
	return system != ours, nil
}

func isReadonly(path string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return st.Flags&unix.ST_RDONLY != 0, nil
}

// remount makes mounts writable: the mount alone, or else the file system.
func remount(dirs []string) error {
	for _, dir := range dirs {
		_ = unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RELATIME, "")
		if ro, err := isReadonly(dir); err == nil && !ro {
			continue
		}
		if err := unix.Mount(dir, dir, "", unix.MS_REMOUNT|unix.MS_RELATIME, ""); err != nil {
			return fmt.Errorf("Remounting %s read-write: %w", dir, err)
		}
	}
	return nil
}
