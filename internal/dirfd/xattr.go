package dirfd

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// MaxXattrBytes bounds the names, and each value, of the extended attributes
// of one file: the kernel's own limit (XATTR_SIZE_MAX, XATTR_LIST_MAX).
const MaxXattrBytes = 64 << 10

// An Xattr is an extended attribute.
type Xattr struct {
	Name  string // with namespace, "user.x"
	Value []byte
}

// Xattrs returns the extended attributes of name sorted by name, of the link
// itself if it is one. A file system without them has none. The empty name
// stands for the directory.
func (d *Dir) Xattrs(name string) ([]Xattr, error) {
	if name == "" {
		x, err := Fxattrs(d.fd)
		return x, d.err("listxattr", "", err)
	}
	path := d.ProcPath(name)
	x, err := readXattrs(
		func(b []byte) (int, error) { return unix.Llistxattr(path, b) },
		func(attr string, b []byte) (int, error) { return unix.Lgetxattr(path, attr, b) })
	return x, d.err("listxattr", name, err)
}

// Fxattrs returns the extended attributes of the open file fd sorted by name.
// The error is a bare errno.
func Fxattrs(fd int) ([]Xattr, error) {
	return readXattrs(
		func(b []byte) (int, error) { return unix.Flistxattr(fd, b) },
		func(attr string, b []byte) (int, error) { return unix.Fgetxattr(fd, attr, b) })
}

func readXattrs(list func([]byte) (int, error), get func(string, []byte) (int, error)) ([]Xattr, error) {
	names, err := readGrowing(list)
	if err == unix.EOPNOTSUPP {
		return nil, nil
	}
	if err != nil || len(names) == 0 {
		return nil, err
	}
	var xattrs []Xattr
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		value, err := readGrowing(func(b []byte) (int, error) { return get(name, b) })
		if err == unix.ENODATA { // removed between the calls
			continue
		}
		if err != nil {
			return nil, err
		}
		xattrs = append(xattrs, Xattr{name, value})
	}
	slices.SortFunc(xattrs, func(a, b Xattr) int { return strings.Compare(a.Name, b.Name) })
	return xattrs, nil
}

// readGrowing calls read with larger buffers until the result fits.
func readGrowing(read func([]byte) (int, error)) ([]byte, error) {
	var first [256]byte
	for buf := first[:]; ; buf = make([]byte, MaxXattrBytes) {
		n, err := read(buf)
		if err == nil {
			return slices.Clone(buf[:n]), nil
		}
		if err != unix.ERANGE || len(buf) == MaxXattrBytes {
			return nil, err
		}
	}
}

// SetXattr sets one extended attribute of name, of the link itself if it is
// one. The empty name stands for the directory.
func (d *Dir) SetXattr(name, attr string, value []byte) error {
	if name == "" {
		return d.err("setxattr", "", unix.Fsetxattr(d.fd, attr, value, 0))
	}
	return d.err("setxattr", name, unix.Lsetxattr(d.ProcPath(name), attr, value, 0))
}

// RemoveXattr removes one extended attribute of name.
func (d *Dir) RemoveXattr(name, attr string) error {
	if name == "" {
		return d.err("removexattr", "", unix.Fremovexattr(d.fd, attr))
	}
	return d.err("removexattr", name, unix.Lremovexattr(d.ProcPath(name), attr))
}
