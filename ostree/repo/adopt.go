package repo

import (
	"bytes"
	"io"
	"slices"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// adopts tells whether a consumed file may become the object itself: it already
// is what the repository would store.
func (im *importer) adopts(st *unix.Stat_t, disk []ostree.Xattr, h ostree.FileHeader) bool {
	if !im.o.Consume || st.Mode != h.Mode {
		return false
	}
	switch im.tx.mode {
	case BareUserOnly:
		return true
	case Bare:
		same := func(a, b ostree.Xattr) bool { return a.Name == b.Name && bytes.Equal(a.Value, b.Value) }
		return !im.o.NoXattrs && st.Uid == h.UID && st.Gid == h.GID && slices.EqualFunc(disk, h.Xattrs, same)
	}
	return false
}

// adopt makes the open file fd, which is name in d, an object by linking it. It
// reports false if the file is on another file system.
func (tx *Transaction) adopt(d *dirfd.Dir, fd int, name string, h ostree.FileHeader, size int64) (ostree.Checksum, bool, error) {
	sum, err := ostree.FileChecksum(h, io.NewSectionReader(preader(fd), 0, size))
	if err != nil {
		return sum, false, err
	}
	path, err := tx.stagingPath(ostree.ObjectFile, sum)
	if err != nil {
		return sum, false, err
	}
	if ok, err := tx.known(nil, sum); ok || err != nil {
		tx.stats.contentTotal.Add(1)
		return sum, true, err
	}
	err = unix.Linkat(d.FD(), name, tx.staging.dir.FD(), path, 0)
	switch err {
	case nil:
		tx.countContent(size)
	case unix.EEXIST:
	case unix.EXDEV, unix.EMLINK, unix.EPERM:
		return sum, false, nil
	default:
		return sum, false, pathError("link", path, err)
	}
	tx.stats.contentTotal.Add(1)
	if tx.sharesPayload(h, size) {
		payload, err := payloadSum(fd, size)
		if err == nil {
			err = tx.linkPayload(payload, sum)
		}
		if err != nil {
			return sum, true, err
		}
	}
	return sum, true, resetTimes(fd)
}

// preader reads an open file at offsets.
type preader int

func (p preader) ReadAt(b []byte, off int64) (int, error) {
	n, err := unix.Pread(int(p), b, off)
	if n == 0 && err == nil && len(b) > 0 {
		err = io.EOF
	}
	return max(n, 0), err
}
