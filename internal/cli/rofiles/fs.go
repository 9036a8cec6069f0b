package rofiles

import (
	"context"
	"errors"
	"path"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
)

// A mirror shows the tree below a directory. All is done by path below the directory, as the
// names of a hard link are different files here: one may be given its own content.
type mirror struct {
	base   *dirfd.Dir
	copyUp bool       // give a file of its own to who writes, in place of an error
	mu     sync.Mutex // a file is opened for writing before it can be copied once more
}

// errno is that of an error of system calls.
func errno(err error) syscall.Errno {
	var e syscall.Errno
	switch {
	case err == nil:
		return fs.OK
	case errors.As(err, &e):
		return e
	}
	return unix.EIO
}

// statx returns the state of a path, with the attributes that stat(2) lacks.
func (m *mirror) statx(p string) (unix.Statx_t, error) {
	var st unix.Statx_t
	return st, unix.Statx(m.base.FD(), p, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS, &st)
}

// shared tells whether writing to the file would change another one, or is impossible. Other
// kinds of files than these are not in a repository.
func shared(st *unix.Statx_t) bool {
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFLNK {
		return false
	}
	return st.Attributes&unix.STATX_ATTR_VERITY != 0 || st.Nlink > 1
}

// own makes sure that writing to the path changes this file only. The caller holds the lock.
func (m *mirror) own(p string) error {
	st, err := m.statx(p)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil || !shared(&st):
		return err
	case !m.copyUp:
		return unix.EROFS
	}
	return m.copy(p, &st)
}

// copy replaces a file with a copy of it.
func (m *mirror) copy(p string, st *unix.Statx_t) error {
	dir, err := m.base.OpenDirBeneath(path.Dir(p), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer dir.Close()
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return copyLink(dir, path.Base(p), st)
	}
	return copyFile(dir, path.Base(p), st)
}

func copyFile(dir *dirfd.Dir, name string, st *unix.Statx_t) error {
	src, err := dir.OpenFile(name, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	tmp, err := dir.TmpFile(0o600)
	if err != nil {
		return err
	}
	defer tmp.Close()
	fd := int(tmp.Fd())
	if err := dirfd.CopyFile(fd, int(src.Fd())); err != nil {
		return err
	}
	xattrs, err := dirfd.Fxattrs(int(src.Fd()))
	if err != nil {
		return err
	}
	if err := unix.Fchown(fd, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	for _, x := range xattrs {
		if err := unix.Fsetxattr(fd, x.Name, x.Value, 0); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(fd, uint32(st.Mode)&0o7777); err != nil {
		return err
	}
	times := []unix.Timespec{timespec(st.Atime), timespec(st.Mtime)}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, dirfd.ProcPath(fd, ""), times, 0); err != nil {
		return err
	}
	return tmp.Replace(dir, name)
}

func timespec(t unix.StatxTimestamp) unix.Timespec {
	return unix.Timespec{Sec: t.Sec, Nsec: int64(t.Nsec)}
}

// copyLink makes the copy in a directory of its own, where its name cannot be taken.
func copyLink(dir *dirfd.Dir, name string, st *unix.Statx_t) error {
	target, err := dir.Readlink(name)
	if err != nil {
		return err
	}
	xattrs, err := dir.Xattrs(name)
	if err != nil {
		return err
	}
	tmpName, err := dir.MkdirTemp(".rofiles-", 0o700)
	if err != nil {
		return err
	}
	defer dir.RemoveAll(tmpName)
	tmp, err := dir.Open(tmpName)
	if err != nil {
		return err
	}
	defer tmp.Close()
	if err := tmp.Symlink(target, name); err != nil {
		return err
	}
	if err := tmp.Chown(name, st.Uid, st.Gid); err != nil {
		return err
	}
	for _, x := range xattrs {
		if err := tmp.SetXattr(name, x.Name, x.Value); err != nil {
			return err
		}
	}
	return tmp.Rename(name, dir, name)
}

// open opens a path; for writing only when the file is its own.
func (m *mirror) open(p string, flags int, mode uint32) (fs.FileHandle, syscall.Errno) {
	if flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0 {
		m.mu.Lock()
		defer m.mu.Unlock()
		if err := m.own(p); err != nil {
			return nil, errno(err)
		}
	}
	// The kernel knows where the end is that O_APPEND means.
	fd, err := dirfd.Openat(m.base.FD(), p, flags&^unix.O_APPEND|unix.O_NOFOLLOW, mode)
	if err != nil {
		return nil, errno(err)
	}
	return fs.NewLoopbackFile(fd), fs.OK
}

// A node is one path of the mirror.
type node struct {
	fs.Inode
	m *mirror
}

var _ interface {
	fs.NodeAccesser
	fs.NodeCreater
	fs.NodeGetattrer
	fs.NodeGetxattrer
	fs.NodeLinker
	fs.NodeListxattrer
	fs.NodeLookuper
	fs.NodeMkdirer
	fs.NodeMknoder
	fs.NodeOpener
	fs.NodeReaddirer
	fs.NodeReadlinker
	fs.NodeRemovexattrer
	fs.NodeRenamer
	fs.NodeRmdirer
	fs.NodeSetattrer
	fs.NodeSetxattrer
	fs.NodeStatfser
	fs.NodeSymlinker
	fs.NodeUnlinker
} = (*node)(nil)

// path is where the node is below the base.
func (n *node) path() string {
	if p := n.Path(n.Root()); p != "" {
		return p
	}
	return "."
}

func (n *node) child(name string) string { return path.Join(n.path(), name) }

// proc is the path for system calls that know no descriptors.
func (n *node) proc() string { return n.m.base.ProcPath(n.path()) }

// attr fills what the kernel asks of a path.
func (m *mirror) attr(p string, a *fuse.Attr) error {
	st, err := m.statx(p)
	if err != nil {
		return err
	}
	*a = fuse.Attr{
		Ino: st.Ino, Size: st.Size, Blocks: st.Blocks, Mode: uint32(st.Mode), Nlink: st.Nlink,
		Atime: uint64(st.Atime.Sec), Mtime: uint64(st.Mtime.Sec), Ctime: uint64(st.Ctime.Sec),
		Atimensec: st.Atime.Nsec, Mtimensec: st.Mtime.Nsec, Ctimensec: st.Ctime.Nsec,
		Rdev: uint32(unix.Mkdev(st.Rdev_major, st.Rdev_minor)), Blksize: st.Blksize,
	}
	a.Uid, a.Gid = st.Uid, st.Gid
	return nil
}

// entry returns the node of a name, which keeps its identity while the kernel knows it.
func (n *node) entry(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if err := n.m.attr(n.child(name), &out.Attr); err != nil {
		return nil, errno(err)
	}
	kind := out.Mode & unix.S_IFMT
	if known := n.GetChild(name); known != nil && known.Mode() == kind {
		return known, fs.OK
	}
	return n.NewInode(ctx, &node{m: n.m}, fs.StableAttr{Mode: kind}), fs.OK
}

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.entry(ctx, name, out)
}

// Getattr tells of what has the name now, which may be a copy of what was opened under it.
func (n *node) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	err := n.m.attr(n.path(), &out.Attr)
	if open, ok := f.(*fs.LoopbackFile); ok && errors.Is(err, unix.ENOENT) {
		return open.Getattr(ctx, out)
	}
	return errno(err)
}

func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	err := n.change(in)
	if open, ok := f.(*fs.LoopbackFile); ok && errors.Is(err, unix.ENOENT) {
		return changeNameless(ctx, open, in, out)
	}
	if err != nil {
		return errno(err)
	}
	return n.Getattr(ctx, f, out)
}

// changeNameless changes an open file that has lost its name. One that has others cannot be
// replaced with a copy anymore.
func changeNameless(ctx context.Context, f *fs.LoopbackFile, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if e := f.Getattr(ctx, out); e != fs.OK {
		return e
	}
	if out.Nlink > 0 && changesFile(in) {
		return unix.EROFS
	}
	return f.Setattr(ctx, in, out)
}

// changesFile tells whether the request changes more than times, which may be set on every file.
func changesFile(in *fuse.SetAttrIn) bool {
	return in.Valid&(fuse.FATTR_MODE|fuse.FATTR_UID|fuse.FATTR_GID|fuse.FATTR_SIZE) != 0
}

// change sets what the request names.
func (n *node) change(in *fuse.SetAttrIn) error {
	at, p := n.m.base.FD(), n.path()
	mode, hasMode := in.GetMode()
	uid, hasUID := in.GetUID()
	gid, hasGID := in.GetGID()
	size, hasSize := in.GetSize()
	if changesFile(in) {
		n.m.mu.Lock()
		defer n.m.mu.Unlock()
		if err := n.m.own(p); err != nil {
			return err
		}
	}
	if hasUID || hasGID {
		owner, group := -1, -1
		if hasUID {
			owner = int(uid)
		}
		if hasGID {
			group = int(gid)
		}
		if err := unix.Fchownat(at, p, owner, group, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if hasMode {
		if err := unix.Fchmodat(at, p, mode, 0); err != nil {
			return err
		}
	}
	if hasSize {
		if err := truncate(at, p, int64(size)); err != nil {
			return err
		}
	}
	return setTimes(at, p, in)
}

func truncate(at int, p string, size int64) error {
	fd, err := dirfd.Openat(at, p, unix.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Ftruncate(fd, size)
}

func setTimes(at int, p string, in *fuse.SetAttrIn) error {
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_OMIT}}
	atime, hasAtime := in.GetATime()
	mtime, hasMtime := in.GetMTime()
	if !hasAtime && !hasMtime {
		return nil
	}
	var errs [2]error
	if hasAtime {
		times[0], errs[0] = unix.TimeToTimespec(atime)
	}
	if hasMtime {
		times[1], errs[1] = unix.TimeToTimespec(mtime)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return unix.EINVAL
	}
	return unix.UtimesNanoAt(at, p, times, unix.AT_SYMLINK_NOFOLLOW)
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, e := n.m.open(n.path(), int(flags), 0)
	return f, 0, e
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	f, e := n.m.open(n.child(name), int(flags)|unix.O_CREAT, mode)
	if e != fs.OK {
		return nil, nil, 0, e
	}
	inode, e := n.entry(ctx, name, out)
	if e != fs.OK {
		f.(fs.FileReleaser).Release(ctx)
		return nil, nil, 0, e
	}
	return inode, f, 0, fs.OK
}

// Mknod refuses devices and pipes, which no repository holds.
func (n *node) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, unix.EROFS
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if err := unix.Mkdirat(n.m.base.FD(), n.child(name), mode); err != nil {
		return nil, errno(err)
	}
	return n.entry(ctx, name, out)
}

func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if err := unix.Symlinkat(target, n.m.base.FD(), n.child(name)); err != nil {
		return nil, errno(err)
	}
	return n.entry(ctx, name, out)
}

func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	from, ok := target.(*node)
	if !ok {
		return nil, unix.EXDEV
	}
	at := n.m.base.FD()
	if err := unix.Linkat(at, from.path(), at, n.child(name), 0); err != nil {
		return nil, errno(err)
	}
	return n.entry(ctx, name, out)
}

func (n *node) Rename(ctx context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := newParent.(*node)
	if !ok {
		return unix.EXDEV
	}
	at := n.m.base.FD()
	return errno(unix.Renameat2(at, n.child(name), at, to.child(newName), uint(flags)))
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	return errno(unix.Unlinkat(n.m.base.FD(), n.child(name), 0))
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	return errno(unix.Unlinkat(n.m.base.FD(), n.child(name), unix.AT_REMOVEDIR))
}

func (n *node) Readdir(ctx context.Context) (fs.DirStream, syscall.Errno) {
	fd, err := dirfd.Openat(n.m.base.FD(), n.path(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, errno(err)
	}
	return fs.NewLoopbackDirStreamFd(fd)
}

func (n *node) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	target, err := dirfd.Readlinkat(n.m.base.FD(), n.path())
	return []byte(target), errno(err)
}

func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(n.m.base.FD(), &st); err != nil {
		return errno(err)
	}
	out.FromStatfsT(&st)
	return fs.OK
}

// Access says what a file's mode says: programs ask before they remove a name, for which
// the file need not be writable.
func (n *node) Access(ctx context.Context, mask uint32) syscall.Errno {
	return errno(unix.Faccessat(n.m.base.FD(), n.path(), mask, unix.AT_SYMLINK_NOFOLLOW))
}

func (n *node) Getxattr(ctx context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	size, err := unix.Lgetxattr(n.proc(), attr, dest)
	return uint32(max(size, 0)), errno(err)
}

func (n *node) Listxattr(ctx context.Context, dest []byte) (uint32, syscall.Errno) {
	size, err := unix.Llistxattr(n.proc(), dest)
	return uint32(max(size, 0)), errno(err)
}

func (n *node) Setxattr(ctx context.Context, attr string, data []byte, flags uint32) syscall.Errno {
	return n.changeXattr(func(p string) error { return unix.Lsetxattr(p, attr, data, int(flags)) })
}

func (n *node) Removexattr(ctx context.Context, attr string) syscall.Errno {
	return n.changeXattr(func(p string) error { return unix.Lremovexattr(p, attr) })
}

func (n *node) changeXattr(change func(p string) error) syscall.Errno {
	n.m.mu.Lock()
	defer n.m.mu.Unlock()
	if err := n.m.own(n.path()); err != nil {
		return errno(err)
	}
	return errno(change(n.proc()))
}

// mount shows base at a directory.
func mount(base *dirfd.Dir, at string, copyUp bool, o fuse.MountOptions) (*fuse.Server, error) {
	root := &node{m: &mirror{base: base, copyUp: copyUp}}
	// A file that the kernel reads itself has to stay the same one while it is open, and a copy
	// takes its place.
	o.DisabledCapabilities |= fuse.CAP_PASSTHROUGH
	second := time.Second
	return fs.Mount(at, root, &fs.Options{MountOptions: o, NullPermissions: true, EntryTimeout: &second, AttrTimeout: &second})
}
