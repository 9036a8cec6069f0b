package sysroot

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/selinux"
)

// copier copies files with owner and mode.
type copier struct {
	xattrs bool // copy extended attributes
	times  bool // copy the time of last change
	// skipped is told the names of files that are left out; it may be nil.
	skipped func(name string)

	// policy gives files new labels; at is where it sees the present directory.
	policy *selinux.Policy
	at     string
}

// file copies the regular file or link name from one directory to the other,
// under the same name, and replaces what is not a directory there. Other kinds
// of files are left out.
func (c copier) file(from, to *dirfd.Dir, name string, st *unix.Stat_t) error {
	c = c.below(name)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return c.regular(from, to, name)
	case unix.S_IFLNK:
		return c.link(from, to, name, st)
	}
	if c.skipped != nil {
		c.skipped(name)
	}
	return nil
}

func (c copier) regular(from, to *dirfd.Dir, name string) error {
	src, err := from.OpenFile(name, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := to.TmpFile(0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	in, out := int(src.Fd()), int(dst.Fd())
	if err := dirfd.CopyFile(out, in); err != nil {
		return fmt.Errorf("Copying %s: %w", name, err)
	}
	var st unix.Stat_t // after opening: this is the file that was copied
	if err := unix.Fstat(in, &st); err != nil {
		return err
	}
	if err := c.attributes(in, out, &st); err != nil {
		return fmt.Errorf("Copying attributes of %s: %w", name, err)
	}
	if c.times {
		times := []unix.Timespec{st.Atim, st.Mtim}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, dirfd.ProcPath(out, ""), times, 0); err != nil {
			return fmt.Errorf("Copying times of %s: %w", name, err)
		}
	}
	return dst.Replace(to, name)
}

// attributes copies owner, extended attributes and mode between open files.
// The order matters: chown takes away capabilities.
func (c copier) attributes(in, out int, st *unix.Stat_t) error {
	if err := unix.Fchown(out, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if c.xattrs {
		list, err := dirfd.Fxattrs(in)
		if err != nil {
			return err
		}
		if list, err = c.relabel(list, st.Mode); err != nil {
			return err
		}
		for _, x := range list {
			if err := unix.Fsetxattr(out, x.Name, x.Value, 0); err != nil {
				return fmt.Errorf("setxattr %s: %w", x.Name, err)
			}
		}
	}
	return unix.Fchmod(out, st.Mode&0o7777)
}

func (c copier) link(from, to *dirfd.Dir, name string, st *unix.Stat_t) error {
	target, err := from.Readlink(name)
	if err != nil {
		return err
	}
	if err := to.Unlink(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := to.Symlink(target, name); err != nil {
		return err
	}
	if err := to.Chown(name, st.Uid, st.Gid); err != nil || !c.xattrs {
		return err
	}
	list, err := from.Xattrs(name)
	if err == nil {
		list, err = c.relabel(list, st.Mode)
	}
	if err != nil {
		return err
	}
	for _, x := range list {
		if err := to.SetXattr(name, x.Name, x.Value); err != nil {
			return err
		}
	}
	return nil
}

// tree copies the directory name with all that is in it; into the directory
// that is there, if there is one.
func (c copier) tree(from, to *dirfd.Dir, name string, depth int) error {
	if depth > maxEtcDepth {
		return errEtcDepth
	}
	if err := to.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	c = c.below(name)
	return inDirs(from, to, name, func(from, to *dirfd.Dir) error {
		if err := c.directory(from, to); err != nil {
			return fmt.Errorf("Copying attributes of %s: %w", name, err)
		}
		return c.contents(from, to, depth)
	})
}

// contents copies what is in a directory.
func (c copier) contents(from, to *dirfd.Dir, depth int) error {
	names, err := sortedNames(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		st, err := from.Stat(name)
		if err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = c.tree(from, to, name, depth+1)
		} else {
			err = c.file(from, to, name, &st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// directory copies the attributes of the directory itself.
func (c copier) directory(from, to *dirfd.Dir) error {
	var st unix.Stat_t
	if err := unix.Fstat(from.FD(), &st); err != nil {
		return err
	}
	return c.attributes(from.FD(), to.FD(), &st)
}
