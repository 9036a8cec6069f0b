package sysroot

import (
	"context"
	"fmt"
	"slices"

	"rpmostree/gvariant"
	"rpmostree/internal/dirfd"
	"rpmostree/ostree/bootloader"
)

// Kargs returns the kernel arguments that a deployment boots with. Those of a
// staged deployment may be the ones that its merge deployment has.
func (st *State) Kargs(d Deployment) bootloader.Kargs {
	if d.Staged && st.stagedMerge != nil && !d.hasKargs() {
		if merge, ok := st.find(st.stagedMerge.Same); ok {
			d = merge
		}
	}
	return d.Kargs()
}

// SetKargs writes the deployments with other kernel arguments for d, without
// making a new deployment: new boot entries take the place of all there are. A
// staged deployment has none, and is only told. The lock must be held.
func (s *Sysroot) SetKargs(ctx context.Context, st *State, d Deployment, kargs bootloader.Kargs) (*State, error) {
	if err := kargs.Validate(); err != nil {
		return nil, err
	}
	if d.Staged {
		if err := s.EditKargsInPlace(st, d, kargs); err != nil {
			return nil, err
		}
		return s.Load()
	}
	list := slices.Clone(st.Deployments)
	for i, old := range list {
		if old.Same(d) {
			list[i].Entry = old.Entry.Clone()
			list[i].Entry.Set("options", kargs.String())
		}
	}
	return s.Write(ctx, st, list, WriteOptions{rewrite: true})
}

// EditKargsInPlace rewrites the kernel arguments of d in the boot entry that is
// in use, or in the state of a staged deployment. What else boot loaders read, such
// as the configuration of GRUB 2, stays as it is. The lock must be held.
func (s *Sysroot) EditKargsInPlace(st *State, d Deployment, kargs bootloader.Kargs) error {
	if err := kargs.Validate(); err != nil {
		return err
	}
	if d.Staged {
		return s.editStaged("kargs", gvariant.Strings(kargs.Strings()))
	}
	e := d.Entry.Clone()
	e.Set("options", kargs.String())
	text, err := e.Marshal()
	if err != nil {
		return err
	}
	dir, err := s.boot.OpenDirBeneath(fmt.Sprintf("loader.%d/entries", st.BootVersion), dirfd.InRoot)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.WriteFileAtomic(e.Name, text, 0o644, true)
}
