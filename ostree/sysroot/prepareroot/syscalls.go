package prepareroot

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags|unix.MS_SILENT, data); err != nil {
		return fmt.Errorf("failed to mount %s on %s: %v", mountText(source, fstype, flags), target, err)
	}
	return nil
}

// mountText says in an error what the mount was to be.
func mountText(source, fstype string, flags uintptr) string {
	switch {
	case flags&unix.MS_MOVE != 0:
		return source + " (move)"
	case flags&unix.MS_REMOUNT != 0 && flags&unix.MS_RDONLY != 0:
		return "(read-only)"
	case flags&unix.MS_REMOUNT != 0:
		return "(read-write)"
	case flags&unix.MS_BIND != 0:
		return source + " (bind)"
	case flags&(unix.MS_PRIVATE|unix.MS_SLAVE|unix.MS_SHARED) != 0:
		return "(propagation)"
	}
	return fstype
}

func bind(source, target string) error { return mount(source, target, "", unix.MS_BIND, "") }

// bindWritable binds and makes the new mount writable. The flags of a bind
// mount are its own.
func bindWritable(source, target string) error {
	if err := bind(source, target); err != nil {
		return err
	}
	return mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT, "")
}

func isWritable(path string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false, fmt.Errorf("statvfs(%s): %v", path, err)
	}
	return st.Flags&unix.ST_RDONLY == 0, nil
}

func realpath(path string) (string, error) {
	p, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("realpath(%q): %v", path, err)
	}
	return filepath.Abs(p)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func isDir(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.IsDir()
}

func isLink(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode()&os.ModeSymlink != 0
}
