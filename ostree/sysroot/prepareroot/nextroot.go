package prepareroot

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

const (
	// NextRoot is where systemd looks for the root of a soft reboot.
	NextRoot = "/run/nextroot"
	// NextRootBooted becomes bootedFile when the soft reboot is over.
	NextRootBooted = runState + "/nextroot-booted"
)

// PrepareNext puts the root of a deployment together at NextRoot, for a soft
// reboot of the running system: systemd stops all services, makes NextRoot its
// root and starts them from there, with the same kernel. path is the directory
// of the deployment, below /sysroot. Mounts are made in the mount namespace of
// the calling thread. On error they stay; see ClearNext.
func PrepareNext(path string, c Config) error {
	if err := c.supported(); err != nil {
		return err
	}
	r := &run{Options: Options{Config: c}, physical: "/sysroot", newRoot: NextRoot}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fmt.Errorf("stat(%s) failed: %v", path, err)
	}
	r.deploy = deployment{path: path, dev: uint64(st.Dev), ino: st.Ino}
	r.readonly = r.wantReadonly()
	r.booted = booted{dev: r.deploy.dev, ino: r.deploy.ino, sysrootReadonly: r.readonly}
	return inOrder(r.state, r.nextRoot, r.boot, r.etc, r.usr, r.nextSysroot, r.nextMark)
}

// nextRoot binds the deployment, which may be below a read-only /sysroot.
func (r *run) nextRoot() error {
	if err := os.MkdirAll(r.newRoot, 0o755); err != nil {
		return err
	}
	if err := bindWritable(r.deploy.path, r.newRoot); err != nil {
		return err
	}
	// Mounts below must not show up in the deployment directory as well.
	return mount("", r.newRoot, "", unix.MS_PRIVATE, "")
}

// nextSysroot shows the physical root below the new one.
func (r *run) nextSysroot() error {
	inside := path.Join(r.newRoot, "sysroot")
	if err := bind(r.physical, inside); err != nil || !r.readonly {
		return err
	}
	return mount("", inside, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

func (r *run) nextMark() error { return r.booted.write(NextRootBooted) }

// ClearNext undoes PrepareNext, wholly or partly done.
func ClearNext() error {
	for {
		// Each call takes away the topmost mount with all below it.
		err := unix.Unmount(NextRoot, unix.MNT_DETACH)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break // nothing is mounted
		}
		if err != nil {
			return fmt.Errorf("failed to unmount %s: %v", NextRoot, err)
		}
	}
	if err := os.Remove(NextRootBooted); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
