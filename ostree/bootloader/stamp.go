package bootloader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"rpmostree/internal/failpoint"
)

// updateStamp, in boot, says that a program must run before the machine boots.
// It is still there if that did not succeed.
const updateStamp = "ostree-bootloader-update.stamp"

func (t Target) stamp() error { return t.Boot.WriteFileAtomic(updateStamp, nil, 0o644, false) }

func (t Target) stamped() (bool, error) { return t.Boot.Exists(updateStamp) }

func (t Target) unstamp() error {
	if err := failpoint.At("bootloader.finish"); err != nil {
		return err
	}
	if err := t.Boot.Unlink(updateStamp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// run runs a program whose output matters only if it fails.
func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Args[0], err, out)
	}
	return nil
}

// inChroot runs a program in the root directory $1, with the directory $2 as
// its /boot.
const inChroot = `set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount --bind "$2" "$1/boot"
mount --rbind /dev "$1/dev"
mount --rbind /sys "$1/sys"
mount -t proc proc "$1/proc"
root=$1
shift 2
exec chroot "$root" "$@"`

// chroot returns a program that is run in the target's Chroot.
func (t Target) chroot(ctx context.Context, boot string, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", inChroot, argv[0], t.Chroot, boot}, argv...)...)
	cmd.Args[0] = argv[0] // for messages
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	return cmd
}
