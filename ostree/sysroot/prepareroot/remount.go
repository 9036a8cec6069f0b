package prepareroot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/gvariant"
)

// Remount is the program ostree-remount. It runs when the new root is in use
// and systemd has mounted it as fstab and the kernel command line want it: the
// mounts that share a file system with it may have become read-only, or
// writable, and get their own state back here. Without an initramfs it makes
// /run/ostree-booted. log receives lines about what is done.
func Remount(log io.Writer) error {
	state, err := readBooted()
	if err != nil {
		return err
	}
	if state.transientEtc != "" {
		if err := relabelEtc(state.transientEtc); err != nil {
			return err
		}
	}
	if writable, err := isWritable("/"); err != nil || !writable && !state.composefs {
		return err // somebody wants to have it that way
	}
	if err := remount("/sysroot", !state.sysrootReadonly, log); err != nil {
		return err
	}
	if state.sysrootReadonly && state.transientEtc == "" {
		if err := remount("/etc", true, log); err != nil {
			return err
		}
	}
	return remount("/var", true, log)
}

// readBooted reads what the initramfs left, and makes it if it is missing.
func readBooted() (booted, error) {
	b, err := os.ReadFile(bootedFile)
	if os.IsNotExist(err) {
		f, err := os.OpenFile(bootedFile, os.O_CREATE|os.O_WRONLY, 0o640)
		if err == nil {
			f.Close()
		}
		return booted{}, nil // /run may be read-only
	}
	if err != nil {
		return booted{}, fmt.Errorf("failed to open %s: %v", bootedFile, err)
	}
	return parseBooted(gvariant.New("a{sv}", b, hostOrder())), nil
}

// remount makes a mount read-only or writable. What is no mount of its own is
// left alone, and so are symbolic links, which lead to /sysroot.
func remount(target string, writable bool, log io.Writer) error {
	st, err := os.Lstat(target)
	if err != nil || st.Mode()&os.ModeSymlink != 0 {
		return nil
	}
	is, err := isWritable(target)
	if err != nil || is == writable {
		return nil
	}
	flags, word := uintptr(unix.MS_REMOUNT|unix.MS_SILENT), "rw"
	if !writable {
		flags, word = flags|unix.MS_RDONLY, "ro"
	}
	switch err := unix.Mount(target, target, "", flags, ""); err {
	case nil:
		fmt.Fprintf(log, "Remounted %s: %s\n", word, target)
		return nil
	case unix.EINVAL:
		return nil // not a mount
	default:
		return fmt.Errorf("failed to remount(%s) %s: %v", word, target, err)
	}
}

// relabelEtc gives SELinux labels to what the initramfs, which has no policy,
// wrote to the overlay on /etc whose directory is overlay.
func relabelEtc(overlay string) error {
	if !exists("/sys/fs/selinux/enforce") {
		return nil
	}
	var names strings.Builder
	if err := upperNames(path.Join(overlay, "upper"), "/etc", &names); err != nil {
		return err
	}
	program, err := exec.LookPath("restorecon")
	if err != nil {
		return fmt.Errorf("Failed to relabel /etc: %v", err)
	}
	// In mounts of its own: /etc/machine-id is covered by another file until the
	// system has one, and the covered one needs the label.
	const script = `if test -e /run/machine-id && test -e /etc/machine-id; then
	mount --make-rprivate /etc && umount -l /etc/machine-id || exit 1
fi
exec "$0" -i -0 -f -`
	cmd := exec.Command("/bin/sh", "-c", script, program)
	cmd.SysProcAttr = &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	cmd.Stdin = strings.NewReader(names.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("Failed to relabel /etc: %v: %s", err, out)
	}
	return nil
}

// upperNames writes the paths of all that the upper directory of an overlay on
// target has, each ended by a NUL. Whiteouts are not there to be labelled.
func upperNames(upper, target string, out *strings.Builder) error {
	out.WriteString(target + "\x00")
	entries, err := os.ReadDir(upper)
	if err != nil {
		return fmt.Errorf("Failed to open upper directory %s for relabeling: %v", upper, err)
	}
	for _, e := range entries {
		at := path.Join(target, e.Name())
		switch {
		case e.IsDir():
			err = upperNames(path.Join(upper, e.Name()), at, out)
			if errors.Is(err, os.ErrNotExist) {
				err = nil // removed meanwhile
			}
		case e.Type()&os.ModeCharDevice == 0:
			out.WriteString(at + "\x00")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
