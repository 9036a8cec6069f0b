package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// immutable is the flag FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

// SysrootDir is t.TempDir for a sysroot: deployments are immutable to the file system,
// and so could not be removed at the end.
func SysrootDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := RemoveSysroot(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// RemoveSysroot removes a sysroot directory with its deployments. It may be missing.
func RemoveSysroot(dir string) error {
	deployments, err := filepath.Glob(filepath.Join(dir, "ostree/deploy/*/deploy/*"))
	if err != nil {
		return err
	}
	for _, d := range deployments {
		if err := makeMutable(d); err != nil && !noFlags(err) {
			return &fs.PathError{Op: "make mutable", Path: d, Err: err}
		}
	}
	return os.RemoveAll(dir)
}

// noFlags says whether an error means that the file system has no such flags.
func noFlags(err error) bool {
	return errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)
}

func makeMutable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil || flags&immutable == 0 {
		return err
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags&^immutable))
}
