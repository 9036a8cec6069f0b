package dirfd

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Resolve says what a path that is looked up below a directory may contain.
type Resolve uint8

const (
	// NoSymlinks refuses every symbolic link on the way (ELOOP).
	NoSymlinks Resolve = iota
	// Beneath follows symbolic links, but refuses those that lead out of the
	// directory (EXDEV).
	Beneath
	// InRoot follows symbolic links as chroot(2) would: absolute ones and ".."
	// at the top stay inside.
	InRoot
)

// OpenBeneath opens the slash-separated path below d. A leading slash is
// ignored. The empty path is d itself.
func (d *Dir) OpenBeneath(path string, flags int, mode uint32, r Resolve) (*os.File, error) {
	fd, err := d.openBeneath(path, flags, mode, r)
	if err != nil {
		return nil, d.err("open", path, err)
	}
	return os.NewFile(uintptr(fd), strings.TrimSuffix(d.name, "/")+"/"+path), nil
}

// OpenDirBeneath is OpenBeneath for a directory.
func (d *Dir) OpenDirBeneath(path string, r Resolve) (*Dir, error) {
	fd, err := d.openBeneath(path, unix.O_RDONLY|unix.O_DIRECTORY, 0, r)
	if err != nil {
		return nil, d.err("open", path, err)
	}
	return &Dir{fd, strings.TrimSuffix(d.name, "/") + "/" + path}, nil
}

func (d *Dir) openBeneath(path string, flags int, mode uint32, r Resolve) (int, error) {
	path = strings.TrimLeft(path, "/")
	if path == "" {
		path = "."
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC | unix.O_NOCTTY), Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if flags&unix.O_PATH != 0 {
		how.Flags &^= unix.O_NOCTTY // openat2 refuses what O_PATH ignores
	}
	if flags&(unix.O_CREAT|unix.O_TMPFILE) != 0 {
		how.Mode = uint64(mode)
	}
	switch r {
	case NoSymlinks:
		how.Resolve |= unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS
	case Beneath:
		how.Resolve |= unix.RESOLVE_BENEATH
	case InRoot:
		how.Resolve |= unix.RESOLVE_IN_ROOT
	}
	for {
		fd, err := unix.Openat2(d.fd, path, &how)
		switch err {
		case unix.EINTR, unix.EAGAIN: // EAGAIN: a rename raced with a ".."
			continue
		case unix.ENOSYS, unix.EPERM:
			if r == NoSymlinks { // kernels before 5.6 and strict seccomp filters
				return d.walk(path, flags, mode)
			}
		}
		return fd, err
	}
}

// walk opens path element by element without following links.
func (d *Dir) walk(path string, flags int, mode uint32) (int, error) {
	cur := d.fd
	names := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, name := range names {
		if name == ".." {
			closeIfNot(cur, d.fd)
			return -1, unix.EXDEV
		}
		f, m := unix.O_PATH|unix.O_DIRECTORY, uint32(0)
		if i == len(names)-1 {
			f, m = flags, mode
		}
		next, err := Openat(cur, name, f|unix.O_NOFOLLOW, m)
		closeIfNot(cur, d.fd)
		if err != nil {
			return -1, err
		}
		cur = next
	}
	return cur, nil
}

func closeIfNot(fd, keep int) {
	if fd != keep {
		unix.Close(fd)
	}
}
