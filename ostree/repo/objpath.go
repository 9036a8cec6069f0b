package repo

import (
	"encoding/hex"
	"unsafe"

	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// Checkout makes two system calls for each file. The wrappers in x/sys copy
// every path to the heap; these keep them on the stack, which halves the time
// that is spent outside the kernel.

// An objPath is the path of an object below objects, with a NUL.
type objPath [2*ostree.ChecksumSize + 1 + 8]byte

// fileObject fills in "XX/<62 digits>.file".
func (p *objPath) fileObject(c *ostree.Checksum) {
	hex.Encode(p[1:], c[:])
	p[0], p[1] = p[1], p[2]
	p[2] = '/'
	copy(p[2*ostree.ChecksumSize+1:], ".file\x00")
}

// stat is fstatat(2) without following links.
func (p *objPath) stat(dir int, st *unix.Stat_t) error {
	_, _, errno := unix.Syscall6(sysFstatat, uintptr(dir), uintptr(unsafe.Pointer(p)),
		uintptr(unsafe.Pointer(st)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// maxName is the length of the longest name in a directory (NAME_MAX).
const maxName = 255

// link is linkat(2). The error for a name that is too long is ENAMETOOLONG.
func (p *objPath) link(dir, at int, name string) error {
	var buf [maxName + 1]byte
	if len(name) > maxName {
		return unix.ENAMETOOLONG
	}
	copy(buf[:], name)
	_, _, errno := unix.Syscall6(unix.SYS_LINKAT, uintptr(dir), uintptr(unsafe.Pointer(p)),
		uintptr(at), uintptr(unsafe.Pointer(&buf)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
