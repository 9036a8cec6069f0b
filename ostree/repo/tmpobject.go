package repo

import (
	"crypto/rand"
	"encoding/hex"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// A tmpObject is a file in the staging directory that gets its name when its
// checksum is known. It is a bare descriptor: os.File would cost more than the
// writing of a small object.
type tmpObject struct {
	fdFile
	name string // where the file system has no O_TMPFILE
}

func (tx *Transaction) createTmp() (tmpObject, error) {
	if tx.staging == nil {
		return tmpObject{}, errDone
	}
	dir := tx.staging.dir.FD()
	fd, err := dirfd.Openat(dir, ".", unix.O_TMPFILE|unix.O_RDWR, 0o600)
	if err == nil {
		return tmpObject{fdFile(fd), ""}, nil
	}
	if err != unix.EOPNOTSUPP && err != unix.EISDIR {
		return tmpObject{}, pathError("open", "staging file", err)
	}
	name := tmpName()
	fd, err = dirfd.Openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	return tmpObject{fdFile(fd), name}, pathError("open", "staging file", err)
}

func tmpName() string {
	var b [8]byte
	rand.Read(b[:])
	return "tmp-" + hex.EncodeToString(b[:])
}

// drop closes the file and removes it if it was not linked.
func (tx *Transaction) drop(t tmpObject) {
	t.Close()
	if t.name != "" {
		unix.Unlinkat(tx.staging.dir.FD(), t.name, 0)
	}
}

// link gives a complete file its name as an object. It reports whether the
// object is new.
func (tx *Transaction) link(t tmpObject, typ ostree.ObjectType, c ostree.Checksum) (bool, error) {
	if tx.options.PerObjectFsync {
		if err := unix.Fsync(int(t.fdFile)); err != nil {
			return false, pathError("fsync", "object", err)
		}
	}
	path, err := tx.stagingPath(typ, c)
	if err != nil {
		return false, err
	}
	dir := tx.staging.dir.FD()
	if t.name != "" {
		err = unix.Linkat(dir, t.name, dir, path, 0)
	} else {
		err = dirfd.LinkFD(int(t.fdFile), dir, path)
	}
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
