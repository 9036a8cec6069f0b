package repo

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// Objects reads objects: those of a repository and its parents and, in a
// transaction, those that it has written so far.
type Objects struct {
	mode          Mode
	disableXattrs bool
	dirs          []int // searched in order; one read-only list for all goroutines
	parent        *Objects
	cacheParent   *dirfd.Dir // where the cache of unpacked files may be, or nil
}

// A MissingObjectError reports an object that is not in the repository. It
// unwraps to fs.ErrNotExist.
type MissingObjectError struct{ Name ostree.ObjectName }

func (e *MissingObjectError) Error() string {
	if e.Name.Type.IsMetadata() {
		return fmt.Sprintf("No such metadata object %s", e.Name)
	}
	return fmt.Sprintf("Couldn't find file object '%s'", e.Name.Checksum)
}

func (e *MissingObjectError) Unwrap() error { return fs.ErrNotExist }

// Mode is the mode of the repository.
func (o *Objects) Mode() Mode { return o.mode }

// StoresXattrs tells whether files keep their extended attributes.
func (o *Objects) StoresXattrs() bool { return !o.disableXattrs && o.mode != BareUserOnly }

func (o *Objects) loosePath(t ostree.ObjectType, c ostree.Checksum) string {
	return ostree.LoosePath(c, t, o.mode == Archive)
}

// Has tells whether the object is there.
func (o *Objects) Has(t ostree.ObjectType, c ostree.Checksum) (bool, error) {
	ok, err := o.hasOwn(t, c)
	if !ok && err == nil && o.parent != nil {
		return o.parent.Has(t, c)
	}
	return ok, err
}

// hasOwn is Has without the parents.
func (o *Objects) hasOwn(t ostree.ObjectType, c ostree.Checksum) (bool, error) {
	path := o.loosePath(t, c)
	var st unix.Stat_t
	for _, dir := range o.dirs {
		err := unix.Fstatat(dir, path, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err != unix.ENOENT {
			return err == nil, pathError("stat", path, err)
		}
	}
	return false, nil
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// ReadMetadata returns the bytes of a metadata object. They are not verified:
// see Fsck.
func (o *Objects) ReadMetadata(t ostree.ObjectType, c ostree.Checksum) ([]byte, error) {
	path := o.loosePath(t, c)
	for _, dir := range o.dirs {
		fd, err := dirfd.Openat(dir, path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return nil, pathError("open", path, err)
		}
		data, err := readAll(fd, ostree.MaxMetadataSize)
		unix.Close(fd)
		return data, pathError("read", path, err)
	}
	if o.parent != nil {
		return o.parent.ReadMetadata(t, c)
	}
	return nil, &MissingObjectError{ostree.ObjectName{Type: t, Checksum: c}}
}

// readAll reads a regular file of at most max bytes. The error does not tell its name.
func readAll(fd int, max int64) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	switch {
	case ostree.IsDir(st.Mode):
		return nil, unix.EISDIR
	case !ostree.IsRegular(st.Mode):
		return nil, errNotRegular
	}
	if st.Size > max {
		return nil, dirfd.TooLarge(max)
	}
	buf := make([]byte, st.Size)
	n, err := readFull(fd, buf)
	return buf[:n], err
}

// readFull reads until buf is full or the file ends.
func readFull(fd int, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || m == 0 {
			return n, err
		}
		n += m
	}
	return n, nil
}

func metadataError(t ostree.ObjectType, c ostree.Checksum, err error) error {
	return fmt.Errorf("Corrupted metadata object '%s': %w", ostree.ObjectName{Type: t, Checksum: c}, err)
}

// Commit reads a commit object.
func (o *Objects) Commit(c ostree.Checksum) (*ostree.Commit, error) {
	return readParsed(o, ostree.ObjectCommit, c, ostree.ParseCommit)
}

// DirTree reads a dirtree object.
func (o *Objects) DirTree(c ostree.Checksum) (*ostree.DirTree, error) {
	return readParsed(o, ostree.ObjectDirTree, c, ostree.ParseDirTree)
}

// DirMeta reads a dirmeta object.
func (o *Objects) DirMeta(c ostree.Checksum) (*ostree.DirMeta, error) {
	return readParsed(o, ostree.ObjectDirMeta, c, ostree.ParseDirMeta)
}

func readParsed[T any](o *Objects, t ostree.ObjectType, c ostree.Checksum, parse func([]byte) (T, error)) (*T, error) {
	data, err := o.ReadMetadata(t, c)
	if err != nil {
		return nil, err
	}
	v, err := parse(data)
	if err != nil {
		return nil, metadataError(t, c, err)
	}
	return &v, nil
}

// DetachedMetadata returns the bytes of the commit's commitmeta object, an
// a{sv}, or nil when it has none.
func (o *Objects) DetachedMetadata(commit ostree.Checksum) ([]byte, error) {
	data, err := o.ReadMetadata(ostree.ObjectCommitMeta, commit)
	if os.IsNotExist(err) || isMissing(err) {
		return nil, nil
	}
	return data, err
}

// ObjectPath is the path of an object in the repository itself, not in its
// parents or transactions, whether it exists or not.
func (r *Repo) ObjectPath(t ostree.ObjectType, c ostree.Checksum) string {
	return filepath.Join(r.path, "objects", r.loosePath(t, c))
}

// LinkFile makes name in the directory at a hard link to a file object, which
// keeps its owner, mode and attributes only when the repository is bare. The
// error is unix.EXDEV or unix.EMLINK, bare, when a copy is needed.
func (o *Objects) LinkFile(c ostree.Checksum, at int, name string) error {
	path := o.loosePath(ostree.ObjectFile, c)
	for _, dir := range o.dirs {
		err := unix.Linkat(dir, path, at, name, 0)
		if err != unix.ENOENT {
			return err
		}
	}
	if o.parent != nil && o.parent.mode == o.mode {
		return o.parent.LinkFile(c, at, name)
	}
	return &MissingObjectError{ostree.ObjectName{Type: ostree.ObjectFile, Checksum: c}}
}

// bigBufs are for file content: one read of 128 KiB is cheap enough, and stays
// in the cache until it is hashed and written.
var bigBufs = sync.Pool{New: func() any { b := make([]byte, bigBuf); return &b }}

const bigBuf = 128 << 10

// copyN copies exactly n bytes and fails if src has less.
func copyN(dst io.Writer, src io.Reader, n int64) error {
	buf := bigBufs.Get().(*[]byte)
	defer bigBufs.Put(buf)
	got, err := io.CopyBuffer(onlyWriter{dst}, io.LimitReader(src, n), *buf)
	if err == nil && got < n {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// onlyWriter hides ReadFrom, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }
