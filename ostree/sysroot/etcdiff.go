package sysroot

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
)

// ConfigDiff is how a /etc differs from the /usr/etc that it was made from.
// Paths are relative to etc; a directory comes before what is in it. Extended
// attributes do not count, because SELinux labels differ in all files.
type ConfigDiff struct {
	Modified, Removed, Added []string
}

// ConfigDiff compares the /etc of a deployment with its /usr/etc.
func (s *Sysroot) ConfigDiff(d Deployment) (ConfigDiff, error) {
	root, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return ConfigDiff{}, err
	}
	defer root.Close()
	return diffEtc(root)
}

func diffEtc(root *dirfd.Dir) (ConfigDiff, error) {
	var diff ConfigDiff
	from, err := root.OpenDirBeneath("usr/etc", dirfd.NoSymlinks)
	if err != nil {
		return diff, err
	}
	defer from.Close()
	to, err := root.OpenDirBeneath("etc", dirfd.NoSymlinks)
	if err != nil {
		return diff, err
	}
	defer to.Close()
	return diff, diff.dirs(from, to, "")
}

// maxEtcDepth bounds how deep the directories of /etc may nest.
const maxEtcDepth = 256

var errEtcDepth = errors.New("directories below /etc nest too deeply")

// dirs adds the differences of the directories from and to, both at rel.
func (c *ConfigDiff) dirs(from, to *dirfd.Dir, rel string) error {
	names, err := sortedNames(from)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(names))
	for _, name := range names {
		known[name] = true
		if err := c.entry(from, to, name, path.Join(rel, name)); err != nil {
			return err
		}
	}
	return c.addNew(to, rel, known)
}

// entry compares one name that is in from.
func (c *ConfigDiff) entry(from, to *dirfd.Dir, name, rel string) error {
	a, err := from.Stat(name)
	if err != nil {
		return err
	}
	b, err := to.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		c.Removed = append(c.Removed, rel)
		return nil
	}
	if err != nil {
		return err
	}
	same, err := sameFile(from, to, name, &a, &b)
	if err != nil {
		return err
	}
	if !same {
		c.Modified = append(c.Modified, rel)
	}
	if a.Mode&unix.S_IFMT != unix.S_IFDIR || b.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	return inDirs(from, to, name, func(from, to *dirfd.Dir) error { return c.dirs(from, to, rel) })
}

func inDirs(from, to *dirfd.Dir, name string, do func(from, to *dirfd.Dir) error) error {
	f, err := from.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := to.Open(name)
	if err != nil {
		return err
	}
	defer t.Close()
	return do(f, t)
}

// addNew adds what is in dir and not known, with everything below it.
func (c *ConfigDiff) addNew(dir *dirfd.Dir, rel string, known map[string]bool) error {
	names, err := sortedNames(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if known[name] {
			continue
		}
		at := path.Join(rel, name)
		c.Added = append(c.Added, at)
		st, err := dir.Stat(name)
		if err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		sub, err := dir.Open(name)
		if err != nil {
			return err
		}
		err = c.addNew(sub, at, nil)
		sub.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// sameFile compares type, mode, owner and content.
func sameFile(from, to *dirfd.Dir, name string, a, b *unix.Stat_t) (bool, error) {
	if a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid {
		return false, nil
	}
	switch a.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		x, err := from.Readlink(name)
		if err != nil {
			return false, err
		}
		y, err := to.Readlink(name)
		return x == y, err
	case unix.S_IFREG:
		if a.Size != b.Size {
			return false, nil
		}
		if a.Dev == b.Dev && a.Ino == b.Ino {
			return true, nil
		}
		return sameContent(from, to, name)
	}
	return true, nil
}

func sameContent(from, to *dirfd.Dir, name string) (bool, error) {
	f, err := from.OpenFile(name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	t, err := to.OpenFile(name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false, err
	}
	defer t.Close()
	x, y := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, err := io.ReadFull(f, x)
		m, err2 := io.ReadFull(t, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return err2 == io.EOF || err2 == io.ErrUnexpectedEOF, nil
		case err != nil:
			return false, err
		case err2 != nil:
			return false, err2
		}
	}
}
