package repo

import (
	"golang.org/x/sys/unix"

	"rpmostree/ostree"
)

// StoredSize returns how many bytes the file of an object takes; in an archive
// repository that is its compressed size.
func (o *Objects) StoredSize(n ostree.ObjectName) (int64, error) {
	path := o.loosePath(n.Type, n.Checksum)
	var st unix.Stat_t
	for _, dir := range o.dirs {
		err := unix.Fstatat(dir, path, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err != unix.ENOENT {
			return st.Size, pathError("stat", path, err)
		}
	}
	if o.parent != nil {
		return o.parent.StoredSize(n)
	}
	return 0, &MissingObjectError{n}
}
