package repo

import (
	"strings"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
)

// A commit of which objects may be missing is marked by an empty file
// state/<checksum>.commitpartial; it holds "f" when fsck found objects missing
// that had been there.

func partialName(c ostree.Checksum) string { return c.String() + ".commitpartial" }

func (r *Repo) stateDir() (*dirfd.Dir, error) { return r.dir.Create("state", 0o775) }

// IsPartial tells whether objects of the commit may be missing.
func (r *Repo) IsPartial(c ostree.Checksum) (bool, error) {
	d, err := r.dir.Open("state")
	if isMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer d.Close()
	return d.Exists(partialName(c))
}

// brokenPartial tells whether Fsck marked a commit as partial, because of objects that
// it found to be broken.
func (r *Repo) brokenPartial(c ostree.Checksum) (bool, error) {
	d, err := r.dir.Open("state")
	if err != nil {
		return false, err
	}
	defer d.Close()
	reason, err := d.ReadFile(partialName(c), 1<<10)
	return strings.HasPrefix(string(reason), "f"), err
}

// SetPartial marks a commit as partial, or as complete.
func (r *Repo) SetPartial(c ostree.Checksum, partial bool) error {
	return r.setPartial(c, partial, "")
}

func (r *Repo) setPartial(c ostree.Checksum, partial bool, reason string) error {
	d, err := r.stateDir()
	if err != nil {
		return err
	}
	defer d.Close()
	if partial {
		return d.WriteFileAtomic(partialName(c), []byte(reason), 0o644, false)
	}
	err = d.Unlink(partialName(c))
	if isMissing(err) {
		return nil
	}
	return err
}
