package dirfd

import (
	"sync"

	"golang.org/x/sys/unix"
)

// copyBufs hold 128 KiB, enough to make the system calls cheap and small
// enough to stay in the second level cache.
var copyBufs = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// CopyFile copies the content of the open file src, from its start, to the
// empty open file dst: as a clone where the file system can (FICLONE), else
// inside the kernel (copy_file_range), else through memory. The error is a
// bare errno.
func CopyFile(dst, src int) error {
	if unix.IoctlFileClone(dst, src) == nil {
		return nil
	}
	var in, out int64
	for {
		n, err := unix.CopyFileRange(src, &in, dst, &out, 1<<30, 0)
		switch {
		case err == unix.EINTR:
		case err != nil && in == 0, err == nil && n == 0 && in == 0:
			// Across file systems, on special ones, or empty.
			return copyThrough(dst, src)
		case err != nil:
			return err
		case n == 0:
			return nil
		}
	}
}

func copyThrough(dst, src int) error {
	buf := copyBufs.Get().(*[]byte)
	defer copyBufs.Put(buf)
	for off := int64(0); ; {
		n, err := unix.Pread(src, *buf, off)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		if err := pwriteAll(dst, (*buf)[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
}

func pwriteAll(fd int, b []byte, off int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, off)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n > 0 {
			b, off = b[n:], off+int64(n)
		}
	}
	return nil
}
