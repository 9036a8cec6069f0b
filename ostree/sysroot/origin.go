package sysroot

import (
	"errors"
	"path"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/keyfile"
	"rpmostree/internal/selinux"
)

// NewOrigin returns the origin of a deployment that follows refspec.
func NewOrigin(refspec string) *keyfile.File {
	f := new(keyfile.File)
	if err := f.Set("origin", "refspec", refspec); err != nil {
		return new(keyfile.File) // unreachable: the names are valid
	}
	return f
}

// WithoutTransient returns a copy of an origin without what is true of one
// deployment only and not of its successors: that it is pinned or unlocked.
func WithoutTransient(origin *keyfile.File) *keyfile.File {
	if origin == nil {
		return nil
	}
	c := origin.Clone()
	c.RemoveGroup(transientGroup)
	c.Remove("origin", "unlocked")
	return c
}

// WriteOrigin replaces the origin file of a deployment; nil leaves it as it is.
// The lock must be held.
func (s *Sysroot) WriteOrigin(d Deployment, origin *keyfile.File) error {
	root, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer root.Close()
	policy, err := policyOf(root)
	if err != nil {
		return err
	}
	if err := s.writeOrigin(d, origin, policy, true); err != nil {
		return err
	}
	return s.touch()
}

// originPlace is where the policy sees an origin file.
const originPlace = "/etc/ostree/remotes.d/dummy.conf"

func (s *Sysroot) writeOrigin(d Deployment, origin *keyfile.File, p *selinux.Policy, sync bool) error {
	if origin == nil {
		return nil
	}
	dir, err := s.ostree.OpenDirBeneath(path.Dir(d.originPath()), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer dir.Close()
	return writeLabelled(dir, path.Base(d.originPath()), origin.Bytes(), p, originPlace, sync)
}

// Pin keeps a deployment, or gives it free, until it is told otherwise. The
// lock must be held.
func (s *Sysroot) Pin(d Deployment, pinned bool) error {
	if d.Pinned() == pinned {
		return nil
	}
	if d.Staged {
		return errors.New("Cannot pin staged deployment")
	}
	origin := new(keyfile.File)
	if d.Origin != nil {
		origin = d.Origin.Clone()
	}
	if !pinned {
		origin.Remove(transientGroup, "pinned")
	} else if err := origin.Set(transientGroup, "pinned", "true"); err != nil {
		return err
	}
	return s.WriteOrigin(d, origin)
}
