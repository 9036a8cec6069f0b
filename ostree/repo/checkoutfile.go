package repo

import (
	"errors"
	"fmt"
	"io"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"

	"golang.org/x/sys/unix"
)

// file checks out one file into the directory d, which has the path dir.
func (co *checkout) file(d *dirfd.Dir, e tree.Entry, dir string) error {
	if err := failpoint.At("repo.checkout.file"); err != nil {
		return err
	}
	if co.opts.PassthroughWhiteouts {
		if name, ok, err := co.whiteoutOf(e, passthroughWhiteoutPrefix); ok || err != nil {
			if err == nil {
				err = co.whiteout(d, e, name)
			}
			return err
		}
	}
	linksFrom := co.from
	switch {
	case co.cache != nil:
		linksFrom = co.cache.objects
	case !co.links:
		linksFrom = nil
	}
	if linksFrom != nil {
		done, err := co.link(linksFrom, d, e)
		if done || err != nil {
			return err
		}
	}
	h, size, content, err := co.from.File(e.Checksum)
	if err != nil {
		return err
	}
	defer content.Close()
	if co.cache != nil && cacheable(h, size) {
		if err := co.cache.unpack(e.Checksum, h, size, content); err != nil {
			return fmt.Errorf("Unpacking loose object %s: %w", e.Checksum, err)
		}
		if done, err := co.link(linksFrom, d, e); done || err != nil {
			return err
		}
		content.Close()
		if _, _, content, err = co.from.File(e.Checksum); err != nil {
			return err
		}
		defer content.Close()
	}
	if co.opts.RequireHardlinks && !co.links && (size > 0 || !ostree.IsRegular(h.Mode)) {
		return co.noLinks
	}
	if co.opts.Label != nil {
		if h.Xattrs, err = co.label(joinPath(dir, e.Name), h.Mode, h.Xattrs); err != nil {
			return err
		}
	}
	return co.place(d, e.Name, e.Checksum, func(name string) error {
		return co.create(d.FD(), name, h, size, content)
	})
}

// place calls create with the name, or with a temporary one that then replaces
// a file that exists.
func (co *checkout) place(d *dirfd.Dir, name string, sum ostree.Checksum, create func(name string) error) error {
	if co.opts.Overwrite == AddFiles {
		if ok, err := d.Exists(name); ok || err != nil {
			return err
		}
	}
	if co.opts.Overwrite != UnionFiles {
		err := create(name)
		if errors.Is(err, unix.EEXIST) && co.opts.Overwrite == UnionIdentical {
			return co.checkIdentical(d, name, sum)
		}
		return err
	}
	tmp := "." + tmpName()
	if err := create(tmp); err != nil {
		return err
	}
	if co.opts.Whiteouts { // a file replaces a directory
		if err := d.RemoveAll(name); err != nil {
			return err
		}
	}
	err := d.Rename(tmp, d, name)
	if err != nil {
		d.Unlink(tmp)
	}
	return err
}

// link makes a hard link to the object among those of from or its parents. It
// reports false when the file must be copied.
func (co *checkout) link(from *Objects, d *dirfd.Dir, e tree.Entry) (bool, error) {
	var path objPath
	path.fileObject(&e.Checksum)
	for o := from; o != nil && o.mode == from.mode; o = o.parent {
		for _, dir := range o.dirs {
			var st unix.Stat_t
			err := path.stat(dir, &st)
			if err == unix.ENOENT {
				continue
			}
			if err != nil {
				return false, pathError("stat", e.Checksum.String(), err)
			}
			if !co.linkable(o, dir, e.Checksum, &st) {
				return false, nil
			}
			err = path.link(dir, d.FD(), e.Name)
			if err == unix.EEXIST {
				err = co.linkOver(d, e, o, dir, &st)
			}
			return co.linked(e, &st, err)
		}
	}
	return false, nil
}

// linked judges the outcome of a link.
func (co *checkout) linked(e tree.Entry, st *unix.Stat_t, err error) (bool, error) {
	switch err {
	case nil:
		if co.opts.DevIno != nil {
			co.opts.DevIno.add(st, e.Checksum)
		}
		return true, nil
	case unix.EMLINK, unix.EXDEV, unix.EPERM:
		if !co.opts.RequireHardlinks {
			return false, nil
		}
	}
	return false, err
}

// linkable tells whether an object may be linked. Empty files are not, because
// file systems bound the number of links and a tree has many of them.
func (co *checkout) linkable(o *Objects, dir int, sum ostree.Checksum, st *unix.Stat_t) bool {
	if !ostree.IsRegular(st.Mode) {
		return true
	}
	if st.Size == 0 || co.opts.UserMode && st.Mode&unix.S_IRUSR == 0 {
		return false
	}
	// In bare-user mode this may be a symbolic link: those are regular files of
	// mode 0644 no larger than a path with its NUL.
	if o.mode != BareUser || st.Mode&ostree.ModePerm != 0o644 || st.Size > unix.PathMax+1 {
		return true
	}
	var buf [512]byte
	path := dirfd.ProcPath(dir, o.loosePath(ostree.ObjectFile, sum))
	n, err := unix.Lgetxattr(path, bareUserMeta, buf[:])
	if err != nil || n < 12 { // large attributes take the slow way
		return false
	}
	return buf[10]&0xf0 != 0xa0 // uid, gid, mode as u32 big endian: is it S_IFLNK?
}

func (co *checkout) linkOver(d *dirfd.Dir, e tree.Entry, o *Objects, dir int, st *unix.Stat_t) error {
	switch co.opts.Overwrite {
	case AddFiles:
		return nil
	case UnionIdentical:
		if have, err := d.Stat(e.Name); err != nil {
			return err
		} else if have.Dev == st.Dev && have.Ino == st.Ino {
			return nil
		}
		return co.checkIdentical(d, e.Name, e.Checksum)
	case UnionFiles:
		tmp := "." + tmpName()
		if err := unix.Linkat(dir, o.loosePath(ostree.ObjectFile, e.Checksum), d.FD(), tmp, 0); err != nil {
			return err
		}
		if co.opts.Whiteouts { // a file replaces a directory
			if err := d.RemoveAll(e.Name); err != nil {
				return err
			}
		}
		err := unix.Renameat(d.FD(), tmp, d.FD(), e.Name)
		// Renaming one link over another of the same file does nothing.
		if err2 := unix.Unlinkat(d.FD(), tmp, 0); err == nil && err2 != unix.ENOENT {
			err = err2
		}
		return err
	}
	return pathError("link", e.Name, unix.EEXIST)
}

// checkIdentical compares a file on disk with an object.
func (co *checkout) checkIdentical(d *dirfd.Dir, name string, sum ostree.Checksum) error {
	want, _, content, err := co.from.File(sum)
	if err != nil {
		return err
	}
	content.Close()
	got, err := co.diskChecksum(d, name, want)
	if err == nil && got != sum {
		err = pathError("link", name, unix.EEXIST)
	}
	return err
}

// diskChecksum is the checksum of a file on disk, where the repository's mode
// cannot put the metadata of an object on disk as if it had those of want.
func (co *checkout) diskChecksum(d *dirfd.Dir, name string, want ostree.FileHeader) (ostree.Checksum, error) {
	st, err := d.Stat(name)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if !ostree.IsRegular(st.Mode) && !ostree.IsSymlink(st.Mode) {
		return ostree.Checksum{}, nil
	}
	h := ostree.FileHeader{UID: st.Uid, GID: st.Gid, Mode: st.Mode}
	if co.from.disableXattrs || co.from.mode != Bare {
		h.Xattrs = want.Xattrs
	} else if x, err := d.Xattrs(name); err != nil {
		return ostree.Checksum{}, err
	} else {
		h.Xattrs = fromDirXattrs(x)
	}
	if !co.from.mode.owners() {
		h.UID, h.GID = want.UID, want.GID
		if h.Mode&unix.S_IFMT == want.Mode&unix.S_IFMT && (h.Mode^want.Mode)&bareUserOnlyBits == 0 {
			h.Mode = want.Mode
		}
	}
	if ostree.IsSymlink(h.Mode) {
		if h.Target, err = d.Readlink(name); err != nil {
			return ostree.Checksum{}, err
		}
		return h.Checksum(), nil
	}
	f, err := d.OpenFile(name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return ostree.Checksum{}, err
	}
	defer f.Close()
	return ostree.FileChecksum(h, f)
}

// create makes a new file.
func (co *checkout) create(dir int, name string, h ostree.FileHeader, size int64, content io.Reader) error {
	if ostree.IsSymlink(h.Mode) {
		return co.createLink(dir, name, h)
	}
	fd, err := dirfd.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return pathError("open", name, err)
	}
	err = co.fill(fd, h, size, content)
	if err2 := unix.Close(fd); err == nil {
		err = err2
	}
	if err != nil {
		unix.Unlinkat(dir, name, 0)
	}
	return err
}

func (co *checkout) fill(fd int, h ostree.FileHeader, size int64, content io.Reader) error {
	if err := copyContent(fd, size, content); err != nil {
		return err
	}
	mode := h.Mode & ostree.ModePerm
	if co.opts.UserMode {
		mode = mode&^(unix.S_ISUID|unix.S_ISGID) | unix.S_IRUSR
	} else {
		if err := unix.Fchown(fd, int(h.UID), int(h.GID)); err != nil {
			return fmt.Errorf("fchown: %w", errnoText(err))
		}
		for _, x := range h.Xattrs {
			if err := unix.Fsetxattr(fd, x.Name, x.Value, 0); err != nil {
				return fmt.Errorf("fsetxattr(%s): %w", x.Name, errnoText(err))
			}
		}
	}
	return fchmod(fd, mode) // a copy keeps the time of the checkout, as upstream's
}

// copyContent lets the kernel copy from a plain file.
func copyContent(fd int, size int64, content io.Reader) error {
	if size == 0 {
		return nil
	}
	if src, ok := content.(fdFile); ok {
		return dirfd.CopyFile(fd, int(src))
	}
	return copyN(fdFile(fd), content, size)
}

func (co *checkout) createLink(dir int, name string, h ostree.FileHeader) error {
	if err := unix.Symlinkat(h.Target, dir, name); err != nil {
		return pathError("symlink", name, err)
	}
	if co.opts.UserMode {
		return nil
	}
	d := dirfd.New(dir, "")
	if err := d.Chown(name, h.UID, h.GID); err != nil {
		return err
	}
	for _, x := range h.Xattrs {
		if err := d.SetXattr(name, x.Name, x.Value); err != nil {
			return err
		}
	}
	return nil
}

// whiteout makes the character device 0:0 that overlayfs takes for a removed
// name, with the metadata of the file that stands for it.
func (co *checkout) whiteout(d *dirfd.Dir, e tree.Entry, name string) error {
	if name == "" {
		return errors.New("Invalid empty overlayfs whiteout ''")
	}
	if err := ostree.ValidateName(name); err != nil {
		return err
	}
	h, err := co.from.FileHeader(e.Checksum)
	if err != nil {
		return err
	}
	create := func(name string) error {
		if err := unix.Mknodat(d.FD(), name, unix.S_IFCHR|h.Mode&ostree.ModePerm, 0); err != nil {
			return pathError("mknod", name, err)
		}
		if co.opts.UserMode {
			return d.Chmod(name, h.Mode&ostree.ModePerm)
		}
		if err := d.Chown(name, h.UID, h.GID); err != nil {
			return err
		}
		for _, x := range h.Xattrs {
			if err := d.SetXattr(name, x.Name, x.Value); err != nil {
				return err
			}
		}
		return d.Chmod(name, h.Mode&ostree.ModePerm)
	}
	if co.opts.Overwrite == UnionIdentical { // what is there is compared with the whiteout, not with the file that stands for it
		if same, err := co.sameWhiteout(d, name, h); same || err != nil {
			return err
		}
		return create(name)
	}
	return co.place(d, name, e.Checksum, create)
}

// sameWhiteout tells whether a whiteout is there already, with the same metadata as far as
// these are put on disk.
func (co *checkout) sameWhiteout(d *dirfd.Dir, name string, h ostree.FileHeader) (bool, error) {
	st, err := d.Stat(name)
	if isMissing(err) {
		return false, nil
	}
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0 || st.Mode&ostree.ModePerm != h.Mode&ostree.ModePerm {
		return false, err
	}
	if co.opts.UserMode {
		return true, nil
	}
	have := ostree.FileHeader{UID: st.Uid, GID: st.Gid, Mode: h.Mode, Xattrs: h.Xattrs}
	if !co.from.disableXattrs {
		x, err := d.Xattrs(name)
		if err != nil {
			return false, err
		}
		have.Xattrs = fromDirXattrs(x)
	}
	return have.Equal(h), nil
}
