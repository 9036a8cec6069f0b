package repo

import (
	"crypto/rand"
	"encoding/hex"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// A tmpObject is a file in a directory that gets its name when its checksum is
// known. It is a bare descriptor: os.File would cost more than the
// writing of a small object.
type tmpObject struct {
	fdFile
	name string // where the file system has no O_TMPFILE
	dir  int
}

func (tx *Transaction) createTmp() (tmpObject, error) {
	if tx.staging == nil {
		return tmpObject{}, errDone
	}
	return createTmp(tx.staging.dir.FD())
}

// createTmp makes a file without a name in a directory, or with one if it has to.
func createTmp(dir int) (tmpObject, error) {
	fd, err := dirfd.Openat(dir, ".", unix.O_TMPFILE|unix.O_RDWR, 0o600)
	if err == nil {
		return tmpObject{fdFile(fd), "", dir}, nil
	}
	if err != unix.EOPNOTSUPP && err != unix.EISDIR {
		return tmpObject{}, pathError("open", "staging file", err)
	}
	name := tmpName()
	fd, err = dirfd.Openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	return tmpObject{fdFile(fd), name, dir}, pathError("open", "staging file", err)
}

func tmpName() string {
	var b [8]byte
	rand.Read(b[:])
	return "tmp-" + hex.EncodeToString(b[:])
}

// drop closes the file and removes it if it was not linked.
func (t tmpObject) drop() {
	t.Close()
	if t.name != "" {
		unix.Unlinkat(t.dir, t.name, 0)
	}
}

// linkAs gives the file its path below its directory. The error is a bare errno.
func (t tmpObject) linkAs(path string) error {
	if t.name != "" {
		return unix.Linkat(t.dir, t.name, t.dir, path, 0)
	}
	return dirfd.LinkFD(int(t.fdFile), t.dir, path)
}

// link gives a complete file its name as an object. It reports whether the
// object is new.
func (tx *Transaction) link(t tmpObject, typ ostree.ObjectType, c ostree.Checksum) (bool, error) {
	if err := tx.verity(t); err != nil {
		return false, err
	}
	if tx.options.PerObjectFsync {
		if err := unix.Fsync(int(t.fdFile)); err != nil {
			return false, pathError("fsync", "object", err)
		}
	}
	path, err := tx.stagingPath(typ, c)
	if err != nil {
		return false, err
	}
	err = t.linkAs(path)
	if err == unix.EEXIST {
		return false, nil
	}
	return err == nil, pathError("link", path, err)
}

// stagingPath is the path of a new object below the staging directory. It makes
// the directory for it.
func (tx *Transaction) stagingPath(typ ostree.ObjectType, c ostree.Checksum) (string, error) {
	if tx.staging == nil {
		return "", errDone
	}
	path := tx.loosePath(typ, c)
	if !tx.prefix[c[0]].Load() {
		err := unix.Mkdirat(tx.staging.dir.FD(), path[:2], 0o775)
		if err != nil && err != unix.EEXIST {
			return "", pathError("mkdir", path[:2], err)
		}
		tx.prefix[c[0]].Store(true)
	}
	return path, nil
}
