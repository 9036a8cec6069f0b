package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// bareUserMeta is the extended attribute that holds the metadata of a file in
// bare-user mode.
const bareUserMeta = "user.ostreemeta"

// maxTarget bounds the target of a symbolic link that is stored as a file.
const maxTarget = 64 << 10

// fdFile is an open file without the poller and the finalizer of os.File,
// which cost more than opening a small file.
type fdFile int

func (f fdFile) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, err := unix.Read(int(f), b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, pathError("read", "object", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (f fdFile) Write(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		m, err := unix.Write(int(f), b[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, pathError("write", "object", err)
		}
		n += m
	}
	return n, nil
}

// ReadAt is for bsdiffs and the like, which read a file anywhere.
func (f fdFile) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) {
		m, err := unix.Pread(int(f), b[n:], off+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, pathError("read", "object", err)
		case m == 0:
			return n, io.EOF
		default:
			n += m
		}
	}
	return n, nil
}

func (f fdFile) Close() error { return unix.Close(int(f)) }

// Fd returns the descriptor, as that of an os.File does.
func (f fdFile) Fd() uintptr { return uintptr(f) }

var errNotRegular = errors.New("not a regular file")

var noContent = io.NopCloser(bytes.NewReader(nil))

// FileHeader reads the metadata of a file object.
func (o *Objects) FileHeader(c ostree.Checksum) (ostree.FileHeader, error) {
	h, _, content, err := o.File(c)
	if err == nil {
		content.Close()
	}
	return h, err
}

// File opens a file object: its metadata, the size of its content in bytes, and
// the content, which must be closed and is empty for a symbolic link. Content
// is not verified, only its size in archive mode: see Fsck.
func (o *Objects) File(c ostree.Checksum) (ostree.FileHeader, int64, io.ReadCloser, error) {
	path := o.loosePath(ostree.ObjectFile, c)
	for _, dir := range o.dirs {
		h, size, content, err := o.openFile(dir, path)
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return h, 0, nil, fmt.Errorf("Opening content object %s: %w", c, err)
		}
		return h, size, content, nil
	}
	if o.parent != nil {
		return o.parent.File(c)
	}
	return ostree.FileHeader{}, 0, nil, &MissingObjectError{ostree.ObjectName{Type: ostree.ObjectFile, Checksum: c}}
}

// openFile opens one object file. A missing file is a bare ENOENT.
func (o *Objects) openFile(dir int, path string) (h ostree.FileHeader, size int64, content io.ReadCloser, err error) {
	fd, err := dirfd.Openat(dir, path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == unix.ELOOP && o.mode.links() {
		h, err = o.readLink(dir, path)
		return h, 0, noContent, err
	}
	if err != nil {
		return h, 0, nil, err
	}
	content = fdFile(fd)
	switch o.mode {
	case Archive:
		h, size, content, err = openArchived(fdFile(fd))
	case BareUser:
		h, size, err = readBareUser(fd)
		if ostree.IsSymlink(h.Mode) {
			content.Close()
			content = noContent
		}
	default:
		h, size, err = o.readBare(fd)
		if err == nil && o.mode == BareSplitXattrs {
			h.Xattrs, err = readSplitXattrs(dir, path)
		}
	}
	if err != nil {
		if content != nil {
			content.Close()
		}
		return h, 0, nil, err
	}
	return h, size, content, nil
}

func (o *Objects) readLink(dir int, path string) (h ostree.FileHeader, err error) {
	if h.Target, err = dirfd.Readlinkat(dir, path); err != nil {
		return h, err
	}
	h.Mode = unix.S_IFLNK | 0o777
	if o.mode == BareUserOnly {
		return h, nil
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, path, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return h, err
	}
	h.UID, h.GID, h.Mode = st.Uid, st.Gid, st.Mode
	switch {
	case o.mode == BareSplitXattrs:
		h.Xattrs, err = readSplitXattrs(dir, path)
	case !o.disableXattrs:
		h.Xattrs, err = linkXattrs(dir, path)
	}
	return h, err
}

// readSplitXattrs reads the attributes of the file object at path from the object beside it,
// which is a link to one that is named by their checksum.
func readSplitXattrs(dir int, path string) ([]ostree.Xattr, error) {
	path += "-xattrs-link"
	fd, err := dirfd.Openat(dir, path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, pathError("open", path, err) // not a bare ENOENT: the file itself is there
	}
	defer unix.Close(fd)
	data, err := readAll(fd, dirfd.MaxXattrBytes)
	if err != nil {
		return nil, pathError("read", path, err)
	}
	list, err := ostree.ParseXattrs(data)
	if err != nil {
		return nil, fmt.Errorf("Deserializing xattrs content: %w", err)
	}
	return list, nil
}

// linkXattrs reads the attributes of a symbolic link.
func linkXattrs(dir int, path string) ([]ostree.Xattr, error) {
	// Most links have none: ask before building a Dir.
	p := dirfd.ProcPath(dir, path)
	if n, err := unix.Llistxattr(p, nil); n == 0 || err == unix.EOPNOTSUPP || err == unix.ENOENT {
		return nil, nil
	}
	x, err := dirfd.New(dir, "").Xattrs(path)
	return fromDirXattrs(x), err
}

// fromDirXattrs leaves out attributes with empty values, as libostree does:
// they are no part of any checksum.
func fromDirXattrs(list []dirfd.Xattr) []ostree.Xattr {
	var out []ostree.Xattr
	for _, x := range list {
		if len(x.Value) > 0 {
			out = append(out, ostree.Xattr(x))
		}
	}
	return out
}

func (o *Objects) readBare(fd int) (h ostree.FileHeader, size int64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return h, 0, err
	}
	if !ostree.IsRegular(st.Mode) {
		return h, 0, errNotRegular
	}
	h.Mode = st.Mode
	if o.mode == BareUserOnly {
		return h, st.Size, nil
	}
	h.UID, h.GID = st.Uid, st.Gid
	if !o.disableXattrs && o.mode == Bare {
		var x []dirfd.Xattr
		x, err = dirfd.Fxattrs(fd)
		h.Xattrs = fromDirXattrs(x)
	}
	return h, st.Size, err
}

func readBareUser(fd int) (h ostree.FileHeader, size int64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return h, 0, err
	}
	meta, err := readBareUserMeta(fd)
	if err != nil {
		return h, 0, err
	}
	h = ostree.FileHeader{UID: meta.UID, GID: meta.GID, Mode: meta.Mode, Xattrs: meta.Xattrs}
	if ostree.IsSymlink(h.Mode) {
		target, err := readAll(fd, maxTarget)
		if err != nil {
			return h, 0, err
		}
		h.Target = strings.TrimSuffix(string(target), "\x00")
		return h, 0, h.Validate()
	}
	return h, st.Size, h.Validate()
}

func readBareUserMeta(fd int) (ostree.DirMeta, error) {
	var first [512]byte
	n, err := unix.Fgetxattr(fd, bareUserMeta, first[:])
	buf := first[:max(n, 0)]
	if err == unix.ERANGE {
		big := make([]byte, dirfd.MaxXattrBytes)
		n, err = unix.Fgetxattr(fd, bareUserMeta, big)
		buf = big[:max(n, 0)]
	}
	if err != nil {
		return ostree.DirMeta{}, fmt.Errorf("fgetxattr(%s): %w", bareUserMeta, errnoText(err))
	}
	meta, err := ostree.ParseFileMeta(bytes.Clone(buf))
	if err != nil {
		return meta, fmt.Errorf("%s: %w", bareUserMeta, err)
	}
	return meta, nil
}

// ReadFile returns the content of a regular file of at most max bytes.
func (o *Objects) ReadFile(c ostree.Checksum, max int64) ([]byte, error) {
	_, size, content, err := o.File(c)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	if size > max {
		return nil, fmt.Errorf("file object %s of %d bytes exceeds limit of %d bytes", c, size, max)
	}
	b := make([]byte, size)
	_, err = io.ReadFull(content, b)
	return b, err
}
