package materialize

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// A folder applies what lies in a directory on disk to a tree.
type folder struct {
	b *tree.Builder
	w FileWriter
}

// upperDir folds the entries of an overlay's upper directory d, which is path
// in the tree ("" for the root).
func (f *folder) upperDir(d *dirfd.Dir, path string) error {
	entries, err := d.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := join(path, e.Name)
		st, err := d.Stat(e.Name)
		if err != nil {
			return err
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFCHR:
			if st.Rdev == 0 {
				err = f.remove(p)
			}
		case unix.S_IFDIR:
			err = f.directory(d, e.Name, p, &st)
		case unix.S_IFREG, unix.S_IFLNK:
			err = f.file(d, e.Name, p, &st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) directory(d *dirfd.Dir, name, path string, st *unix.Stat_t) error {
	sub, err := d.Open(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := f.setDir(sub, path, st); err != nil {
		return err
	}
	return f.upperDir(sub, path)
}

// setDir gives path the metadata of the open directory d.
func (f *folder) setDir(d *dirfd.Dir, path string, st *unix.Stat_t) error {
	attrs, opaque, err := xattrs(d, "")
	if err != nil {
		return err
	}
	if old, err := f.b.Lookup(path); err == nil && (opaque || !old.IsDir) {
		if err := f.remove(path); err != nil {
			return err
		}
	}
	return f.b.SetDir(path, ostree.DirMeta{UID: st.Uid, GID: st.Gid, Mode: st.Mode, Xattrs: attrs})
}

// file stores the file name of d and puts it at path.
func (f *folder) file(d *dirfd.Dir, name, path string, st *unix.Stat_t) error {
	attrs, _, err := xattrs(d, name)
	if err != nil {
		return err
	}
	h := ostree.FileHeader{UID: st.Uid, GID: st.Gid, Mode: st.Mode, Xattrs: attrs}
	var content io.Reader
	var size int64
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		if h.Target, err = d.Readlink(name); err != nil {
			return err
		}
	} else {
		file, err := d.OpenFile(name, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		content, size = file, st.Size
	}
	sum, err := f.w.WriteFile(h, size, content)
	if err != nil {
		return err
	}
	if old, err := f.b.Lookup(path); err == nil && old.IsDir {
		if err := f.remove(path); err != nil {
			return err
		}
	}
	return f.b.SetFile(path, sum)
}

// remove takes path out of the tree, if it is there.
func (f *folder) remove(path string) error {
	err := f.b.Remove(path)
	var below *tree.NotDirError // what held it is a file now
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &below) {
		return nil
	}
	return err
}

// xattrs returns the attributes of a file that belong to the tree, and whether
// the directory hides what is below it.
func xattrs(d *dirfd.Dir, name string) (attrs []ostree.Xattr, opaque bool, err error) {
	list, err := d.Xattrs(name)
	if err != nil {
		return nil, false, err
	}
	for _, x := range list {
		if strings.HasPrefix(x.Name, attrPrefix) {
			opaque = opaque || x.Name == attrOpaque && string(x.Value) == "y"
			continue
		}
		attrs = append(attrs, ostree.Xattr{Name: x.Name, Value: x.Value})
	}
	return attrs, opaque, nil
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
