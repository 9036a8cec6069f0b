package sysroot

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// setImmutable sets or clears the flag that keeps even root from changing a
// directory. Without support or privilege nothing happens.
func setImmutable(fd int, on bool) error {
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil {
		return ignoreUnsupported("FS_IOC_GETFLAGS", err)
	}
	want := flags &^ immutableFlag
	if on {
		want |= immutableFlag
	}
	if want == flags {
		return nil
	}
	return ignoreUnsupported("FS_IOC_SETFLAGS", unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(want)))
}

// immutableFlag is FS_IMMUTABLE_FL of linux/fs.h.
const immutableFlag = 0x10

func ignoreUnsupported(op string, err error) error {
	switch err {
	case nil, unix.EPERM, unix.ENOTTY, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL:
		return nil
	}
	return fmt.Errorf("ioctl(%s): %w", op, err)
}
