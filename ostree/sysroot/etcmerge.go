package sysroot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
)

// etcMerge carries what the administrator changed from one /etc to another.
type etcMerge struct {
	copier
	from *dirfd.Dir // etc of the merge deployment
	to   *dirfd.Dir // etc of the new deployment
}

// mergeEtc applies to the /etc of the deployment root "to" the changes diff that
// were made to the /etc of the deployment root "from" since it was copied from
// its /usr/etc.
func mergeEtc(from, to *dirfd.Dir, diff ConfigDiff, c copier) (err error) {
	c.times = true
	m := etcMerge{copier: c}
	if m.from, err = from.OpenDirBeneath("etc", dirfd.NoSymlinks); err != nil {
		return err
	}
	defer m.from.Close()
	if m.to, err = to.OpenDirBeneath("etc", dirfd.NoSymlinks); err != nil {
		return err
	}
	defer m.to.Close()
	return m.apply(diff)
}

func (m etcMerge) apply(diff ConfigDiff) error {
	for _, name := range diff.Removed {
		if err := m.remove(name); err != nil {
			return err
		}
	}
	for _, names := range [][]string{diff.Modified, diff.Added} {
		for _, name := range names {
			if err := errors.Join(m.copyChanged(name), failpoint.At("sysroot.deploy.merge")); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes a file or a directory that the administrator removed.
func (m etcMerge) remove(name string) error {
	parent, err := m.to.OpenDirBeneath(path.Dir(name), dirfd.Beneath)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.RemoveAll(path.Base(name))
}

// copyChanged copies a file or directory that was changed or added.
func (m etcMerge) copyChanged(name string) error {
	from, err := m.from.OpenDirBeneath(path.Dir(name), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer from.Close()
	base := path.Base(name)
	changed, err := from.Stat(base)
	if err != nil {
		return fmt.Errorf("Reading modified config file: %w", err)
	}
	to, err := m.parent(path.Dir(name))
	if err != nil {
		return err
	}
	defer to.Close()

	isDir := changed.Mode&unix.S_IFMT == unix.S_IFDIR
	switch st, err := to.Stat(base); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT == unix.S_IFDIR && isDir:
		return nil // what is in it is in the list as well
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return fmt.Errorf("Modified config file newly defaults to directory '%s', cannot merge", name)
	default:
		if err := to.Unlink(base); err != nil {
			return err
		}
	}
	if isDir {
		return m.tree(from, to, base, 0)
	}
	return m.file(from, to, base, &changed)
}

// parent opens the directory name of the new /etc. It is given the attributes
// that it has in the changed /etc, and made if the new default has it not.
// Links of the new default are followed as long as they stay in /etc.
func (m etcMerge) parent(name string) (*dirfd.Dir, error) {
	if name == "." {
		return m.to.OpenDirBeneath(".", dirfd.NoSymlinks)
	}
	dir, err := m.to.OpenDirBeneath(name, dirfd.Beneath)
	if errors.Is(err, fs.ErrNotExist) {
		dir, err = m.makeParent(name)
	}
	if errors.Is(err, unix.EXDEV) {
		return nil, fmt.Errorf("Modified config directory '%s' newly defaults to a symbolic link that leads out of /etc, cannot merge", name)
	}
	if err != nil {
		return nil, err
	}
	from, err := m.from.OpenDirBeneath(name, dirfd.NoSymlinks)
	if err == nil {
		err = m.directory(from, dir)
		from.Close()
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// makeParent makes a missing directory, and those above it that are missing.
func (m etcMerge) makeParent(name string) (*dirfd.Dir, error) {
	above, err := m.to.OpenDirBeneath(path.Dir(name), dirfd.Beneath)
	if errors.Is(err, fs.ErrNotExist) {
		above, err = m.parent(path.Dir(name))
	}
	if err != nil {
		return nil, err
	}
	defer above.Close()
	return above.Create(path.Base(name), 0o700)
}
