package repo

import (
	"crypto/sha256"
	"errors"
	"io"
	"strings"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// Files whose content is the same are different objects if their owners or modes are not. In
// a repository that keeps payload links (core.payload-link-threshold), such objects share
// their blocks: objects/XX/<checksum of the content>.payload-link is a symbolic link to the
// first one, and later ones are clones of that.

const payloadTarget = "../"

// sharesPayload tells whether a file of the size gets a payload link.
func (tx *Transaction) sharesPayload(h ostree.FileHeader, size int64) bool {
	limit := tx.repo.settings().payloadThreshold
	if limit < 0 || size < limit || !ostree.IsRegular(h.Mode) {
		return false
	}
	return (tx.mode == Bare || tx.mode == BareUser || tx.mode == BareUserOnly) && tx.reflinks()
}

// canReflink tries whether the file system shares blocks between files.
func (tx *Transaction) canReflink() bool {
	config, err := dirfd.Openat(tx.repo.dir.FD(), "config", unix.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer unix.Close(config)
	t, err := createTmp(tx.staging.dir.FD())
	if err != nil {
		return false
	}
	defer t.drop()
	return unix.IoctlFileClone(int(t.fdFile), config) == nil
}

// payloadSum hashes the content of an open file.
func payloadSum(fd int, size int64) (ostree.Checksum, error) {
	digest := sha256.New()
	var sum ostree.Checksum
	if _, err := io.Copy(digest, io.NewSectionReader(preader(fd), 0, size)); err != nil {
		return sum, err
	}
	digest.Sum(sum[:0])
	return sum, nil
}

// clonePayload makes the file t, which has this content already, share the blocks of the
// object that has it, too.
func (tx *Transaction) clonePayload(t tmpObject, payload ostree.Checksum) error {
	for o := tx.Objects; o != nil; o = o.parent {
		for _, dir := range o.dirs {
			done, err := clonePayloadFrom(o, dir, t, payload)
			if done || err != nil {
				return err
			}
		}
	}
	return nil
}

func clonePayloadFrom(o *Objects, dir int, t tmpObject, payload ostree.Checksum) (bool, error) {
	link := o.loosePath(ostree.ObjectPayloadLink, payload)
	sum, err := readPayloadLink(dir, link)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	fd, err := dirfd.Openat(dir, o.loosePath(ostree.ObjectFile, sum), unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT {
		return false, nil // it was pruned, or is in another directory
	}
	if err != nil {
		return false, pathError("open", link, err)
	}
	defer unix.Close(fd)
	err = unix.IoctlFileClone(int(t.fdFile), fd)
	if err == unix.EXDEV || err == unix.EOPNOTSUPP { // a parent on another file system
		return false, nil
	}
	return err == nil, pathError("clone", link, err)
}

// readPayloadLink returns the object that a payload link names.
func readPayloadLink(dir int, path string) (ostree.Checksum, error) {
	target, err := dirfd.Readlinkat(dir, path)
	if err != nil {
		return ostree.Checksum{}, err
	}
	hex := strings.Replace(strings.TrimSuffix(strings.TrimPrefix(target, payloadTarget), ".file"), "/", "", 1)
	sum, err := ostree.ParseChecksum(hex)
	if err != nil {
		return sum, pathError("readlink", path, err)
	}
	return sum, nil
}

// linkPayload makes the payload link of an object.
func (tx *Transaction) linkPayload(payload, object ostree.Checksum) error {
	path, err := tx.stagingPath(ostree.ObjectPayloadLink, payload)
	if err != nil {
		return err
	}
	err = unix.Symlinkat(payloadTarget+tx.loosePath(ostree.ObjectFile, object), tx.staging.dir.FD(), path)
	if err == unix.EEXIST {
		return nil
	}
	return pathError("symlink", path, err)
}

// keepsPayload tells prune whether the object that a payload link names stays, and is still
// large enough for one.
func (p *prune) keepsPayload(n ostree.ObjectName) (bool, error) {
	sum, err := readPayloadLink(p.r.object.FD(), p.r.loosePath(n.Type, n.Checksum))
	if err != nil || !p.keep.Has(ostree.ObjectFile, sum) {
		return false, err
	}
	st, err := p.r.statObject(ostree.ObjectName{Type: ostree.ObjectFile, Checksum: sum})
	if isMissing(err) { // in the parent
		return false, nil
	}
	limit := p.r.settings().payloadThreshold
	return limit >= 0 && st.Size >= limit, err
}
