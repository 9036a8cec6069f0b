// Package dirfd works on directory trees through open directory descriptors.
//
// A name is looked up relative to a descriptor and never followed when it is a
// symbolic link, so that a process that changes the tree at the same time
// cannot lead an operation out of it. Names given to the methods of Dir are
// single path elements unless the method says "path".
//
// It is Linux only: O_TMPFILE, renameat2, openat2, copy_file_range and FICLONE
// are used where the file system has them, with fallbacks where it has not.
package dirfd

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// CWD stands for the current working directory in place of a descriptor.
const CWD = unix.AT_FDCWD

// A Dir is an open directory. Its methods may be called from several
// goroutines at once, except Close. It has no finalizer: it must be closed.
type Dir struct {
	fd   int
	name string // as opened, for error texts only
}

// Open opens the directory at path, which may lead through symbolic links.
func Open(path string) (*Dir, error) {
	return openAt(CWD, path, path, 0)
}

// New makes a Dir of a descriptor that it owns from then on. The name is used
// in error texts only.
func New(fd int, name string) *Dir { return &Dir{fd, name} }

func openAt(at int, path, full string, flags int) (*Dir, error) {
	fd, err := Openat(at, path, unix.O_RDONLY|unix.O_DIRECTORY|flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: full, Err: err}
	}
	return &Dir{fd, full}, nil
}

// Openat is openat(2) with O_CLOEXEC and O_NOCTTY, retried on EINTR. The error
// is a bare errno.
func Openat(at int, path string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(at, path, flags|unix.O_CLOEXEC|unix.O_NOCTTY, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// Close closes the descriptor.
func (d *Dir) Close() error {
	if d.fd < 0 {
		return nil
	}
	fd := d.fd
	d.fd = -1
	return unix.Close(fd)
}

// FD is the descriptor. It stays owned by d.
func (d *Dir) FD() int { return d.fd }

// Name is the path that the directory was opened by. The directory may have
// moved since.
func (d *Dir) Name() string { return d.name }

// ProcPath is a path that names the directory, or a name in it, by descriptor,
// for system calls that know no descriptors. It needs /proc.
func (d *Dir) ProcPath(name string) string { return ProcPath(d.fd, name) }

// ProcPath is the path of name below the open directory fd, or of the open
// file itself when name is empty.
func ProcPath(fd int, name string) string {
	p := "/proc/self/fd/" + strconv.Itoa(fd)
	if name != "" {
		p += "/" + name
	}
	return p
}

func (d *Dir) err(op, name string, err error) error {
	if err == nil {
		return nil
	}
	full := d.name
	if name != "" {
		full = strings.TrimSuffix(full, "/") + "/" + name
	}
	return &fs.PathError{Op: op, Path: full, Err: err}
}

// Open opens the directory name.
func (d *Dir) Open(name string) (*Dir, error) {
	return openAt(d.fd, name, strings.TrimSuffix(d.name, "/")+"/"+name, unix.O_NOFOLLOW)
}

// Create opens the directory name and makes it first if it is missing; mode is
// then its mode before the umask. The parents must exist.
func (d *Dir) Create(name string, mode uint32) (*Dir, error) {
	sub, err := d.Open(name)
	if err == nil || !os.IsNotExist(err) {
		return sub, err
	}
	if err := d.Mkdir(name, mode); err != nil && !os.IsExist(err) {
		return nil, err
	}
	return d.Open(name)
}

// CreatePath is Create for a slash-separated relative path: every missing
// directory is made, and none of the elements may be a symbolic link.
func (d *Dir) CreatePath(path string, mode uint32) (*Dir, error) {
	cur := d
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			return nil, closeUnless(cur, d, d.err("mkdir", path, unix.EXDEV))
		}
		next, err := cur.Create(name, mode)
		if err := closeUnless(cur, d, err); err != nil {
			return nil, err
		}
		cur = next
	}
	if cur == d {
		return d.Open(".")
	}
	return cur, nil
}

func closeUnless(cur, keep *Dir, err error) error {
	if cur != keep {
		cur.Close()
	}
	return err
}

// OpenFile opens the file name. A symbolic link is an error (ELOOP).
func (d *Dir) OpenFile(name string, flags int, mode uint32) (*os.File, error) {
	fd, err := Openat(d.fd, name, flags|unix.O_NOFOLLOW, mode)
	if err != nil {
		return nil, d.err("open", name, err)
	}
	return os.NewFile(uintptr(fd), strings.TrimSuffix(d.name, "/")+"/"+name), nil
}

// TooLarge is the error for a file that has more bytes than this many, which is all that
// its reader takes. It is an EFBIG.
type TooLarge int64

func (e TooLarge) Error() string {
	return fmt.Sprintf("file is larger than the limit of %d bytes", int64(e))
}

// Unwrap returns EFBIG.
func (e TooLarge) Unwrap() error { return unix.EFBIG }

// ReadFile returns the content of the regular file name. A file of more than
// max bytes is an error ([TooLarge]).
func (d *Dir) ReadFile(name string, max int64) ([]byte, error) {
	f, err := d.OpenFile(name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, d.err("read", name, unix.EINVAL)
	}
	if st.Size() > max {
		return nil, d.err("read", name, TooLarge(max))
	}
	buf := make([]byte, 0, st.Size()+1)
	for int64(len(buf)) <= max {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, d.err("read", name, TooLarge(max))
}

// Stat returns the status of name, of the link itself if it is one. The empty
// name stands for the directory.
func (d *Dir) Stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH)
	return st, d.err("stat", name, err)
}

// Exists tells whether name exists, without following it.
func (d *Dir) Exists(name string) (bool, error) {
	_, err := d.Stat(name)
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

// Mkdir makes the directory name with mode before the umask.
func (d *Dir) Mkdir(name string, mode uint32) error {
	return d.err("mkdir", name, unix.Mkdirat(d.fd, name, mode))
}

// MkdirTemp makes a new directory whose name starts with prefix, and returns
// its name.
func (d *Dir) MkdirTemp(prefix string, mode uint32) (string, error) {
	return d.tempName(prefix, func(name string) error { return unix.Mkdirat(d.fd, name, mode) })
}

// Symlink makes the symbolic link name with the given target.
func (d *Dir) Symlink(target, name string) error {
	return d.err("symlink", name, unix.Symlinkat(target, d.fd, name))
}

// Readlink returns the target of the symbolic link name.
func (d *Dir) Readlink(name string) (string, error) {
	target, err := Readlinkat(d.fd, name)
	return target, d.err("readlink", name, err)
}

// Readlinkat returns the whole target of a symbolic link. The error is a bare
// errno.
func Readlinkat(at int, name string) (string, error) {
	var first [256]byte
	buf := first[:]
	for {
		n, err := unix.Readlinkat(at, name, buf)
		if err != nil {
			return "", err
		}
		if n < len(buf) {
			return string(buf[:n]), nil
		}
		buf = make([]byte, 2*len(buf))
	}
}

// Link makes newName in to a hard link to the file name. A symbolic link is
// linked itself. An existing newName is an error.
func (d *Dir) Link(name string, to *Dir, newName string) error {
	return d.err("link", name, unix.Linkat(d.fd, name, to.fd, newName, 0))
}

// Rename moves name to newName in to, and replaces what is there.
func (d *Dir) Rename(name string, to *Dir, newName string) error {
	return d.err("rename", name, unix.Renameat(d.fd, name, to.fd, newName))
}

// RenameNoReplace is Rename that fails (EEXIST) when newName exists.
func (d *Dir) RenameNoReplace(name string, to *Dir, newName string) error {
	err := unix.Renameat2(d.fd, name, to.fd, newName, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS {
		// Some file systems know no flags; a file can be linked and unlinked.
		err = unix.Linkat(d.fd, name, to.fd, newName, 0)
		if err == nil {
			err = unix.Unlinkat(d.fd, name, 0)
		}
	}
	return d.err("rename", name, err)
}

// Exchange swaps name and newName in to. Both must exist.
func (d *Dir) Exchange(name string, to *Dir, newName string) error {
	return d.err("rename", name, unix.Renameat2(d.fd, name, to.fd, newName, unix.RENAME_EXCHANGE))
}

// Unlink removes the file name, which must not be a directory.
func (d *Dir) Unlink(name string) error {
	return d.err("unlink", name, unix.Unlinkat(d.fd, name, 0))
}

// Rmdir removes the empty directory name.
func (d *Dir) Rmdir(name string) error {
	return d.err("rmdir", name, unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR))
}

// Chmod sets the permission bits (07777) of the file or directory name, which
// must not be a symbolic link.
func (d *Dir) Chmod(name string, mode uint32) error {
	err := unix.Fchmodat(d.fd, name, mode, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
		err = d.chmodByDescriptor(name, mode)
	}
	return d.err("chmod", name, err)
}

// chmodByDescriptor serves kernels before fchmodat2 (6.6).
func (d *Dir) chmodByDescriptor(name string, mode uint32) error {
	fd, err := Openat(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return unix.EOPNOTSUPP
	}
	return unix.Chmod(ProcPath(fd, ""), mode)
}

// Chown sets the owner of name, of the link itself if it is one.
func (d *Dir) Chown(name string, uid, gid uint32) error {
	return d.err("chown", name, unix.Fchownat(d.fd, name, int(uid), int(gid), unix.AT_SYMLINK_NOFOLLOW))
}

// SetTimes sets access and modification time of name to sec seconds after
// 1970, of the link itself if it is one.
func (d *Dir) SetTimes(name string, sec int64) error {
	ts := []unix.Timespec{{Sec: sec}, {Sec: sec}}
	return d.err("utimensat", name, unix.UtimesNanoAt(d.fd, name, ts, unix.AT_SYMLINK_NOFOLLOW))
}

// Sync is fsync(2) on the directory: names made or removed in it are durable
// afterwards.
func (d *Dir) Sync() error { return d.err("fsync", "", unix.Fsync(d.fd)) }

// SyncFS is syncfs(2): everything written to the file system is durable
// afterwards.
func (d *Dir) SyncFS() error { return d.err("syncfs", "", unix.Syncfs(d.fd)) }

// Statfs returns the state of the file system.
func (d *Dir) Statfs() (unix.Statfs_t, error) {
	var st unix.Statfs_t
	err := unix.Fstatfs(d.fd, &st)
	return st, d.err("statfs", "", err)
}
