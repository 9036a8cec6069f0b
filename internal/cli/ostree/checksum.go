package ostree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

func checksumCommand() *command {
	c := &command{name: "checksum", args: "PATH", about: "Checksum a file or directory"}
	ignoreXattrs := false
	c.flag(&ignoreXattrs, "ignore-xattrs", 0, "Don't include xattrs in checksum")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return fmt.Errorf("A filename must be given")
		}
		sum, err := checksumPath(e.args[0], ignoreXattrs)
		if errors.Is(err, fs.ErrNotExist) && !ignoreXattrs { // in the words of GIO
			path, _ := filepath.Abs(e.args[0])
			return fmt.Errorf("Error when getting information for file “%s”: No such file or directory", path)
		}
		if err == nil {
			e.printf("%s\n", sum)
		}
		return err
	}
	return c
}

// checksumPath returns the name of the object that a file or the metadata of a directory
// would be.
func checksumPath(path string, ignoreXattrs bool) (ostree.Checksum, error) {
	h, err := scanOptions{noXattrs: ignoreXattrs}.read(path)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if ostree.IsDir(h.Mode) {
		return ostree.DirMeta{UID: h.UID, GID: h.GID, Mode: h.Mode, Xattrs: h.Xattrs}.Checksum(), nil
	}
	return checksumFile(path, h)
}

// scanOptions change the metadata of files on disk.
type scanOptions struct {
	noXattrs bool
	uid, gid *uint32
}

// read returns the metadata of a file or directory.
func (o scanOptions) read(path string) (ostree.FileHeader, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return ostree.FileHeader{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	h := ostree.FileHeader{UID: st.Uid, GID: st.Gid, Mode: st.Mode}
	if o.uid != nil {
		h.UID = *o.uid
	}
	if o.gid != nil {
		h.GID = *o.gid
	}
	var err error
	if !o.noXattrs {
		if h.Xattrs, err = readXattrs(path); err != nil {
			return h, err
		}
	}
	if ostree.IsSymlink(h.Mode) {
		h.Target, err = os.Readlink(path)
	}
	return h, err
}

// checksumFile returns the name of the file object with metadata h and the content at path.
func checksumFile(path string, h ostree.FileHeader) (ostree.Checksum, error) {
	switch {
	case ostree.IsSymlink(h.Mode):
		return h.Checksum(), nil
	case !ostree.IsRegular(h.Mode):
		return ostree.Checksum{}, fmt.Errorf("Not a regular file or symlink: %s", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return ostree.Checksum{}, err
	}
	defer f.Close()
	return ostree.FileChecksum(h, io.Reader(f))
}

func readXattrs(path string) ([]ostree.Xattr, error) {
	dir, err := dirfd.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	list, err := dir.Xattrs(filepath.Base(path))
	if err != nil {
		return nil, err
	}
	out := make([]ostree.Xattr, len(list))
	for i, x := range list {
		out[i] = ostree.Xattr{Name: x.Name, Value: x.Value}
	}
	slices.SortFunc(out, ostree.CompareXattrs)
	return out, nil
}
