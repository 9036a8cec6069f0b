package machine

import (
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
		deployments, err := filepath.Glob(filepath.Join(dir, "ostree/deploy/*/deploy/*"))
		if err != nil {
			t.Error(err)
		}
		for _, d := range deployments {
			if err := makeMutable(d); err != nil {
				t.Logf("%s: %v", d, err) // a file system without such flags
			}
		}
	})
	return dir
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
