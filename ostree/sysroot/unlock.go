package sysroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/keyfile"
)

// Unlock mounts an overlay on the /usr of the booted deployment, so that it can
// be changed: until the next boot (UnlockedDevelopment), the same but mounted
// read-only (UnlockedTransient), or for good (UnlockedHotfix). For a hotfix a
// copy of the deployment, as it is, becomes the one to roll back to. The mount
// is made in the mount namespace of the process; the lock must be held.
func (s *Sysroot) Unlock(ctx context.Context, st *State, mode Unlocked) error {
	d, ok := st.Booted()
	if !ok {
		return errNotBooted
	}
	if d.Unlocked != UnlockedNone {
		return fmt.Errorf("Deployment is already in unlocked state: %s", d.Unlocked)
	}
	root, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := setImmutable(root.FD(), false); err != nil {
		return err
	}
	switch mode {
	case UnlockedHotfix:
		err = s.unlockHotfix(ctx, st, d, root)
	case UnlockedDevelopment, UnlockedTransient:
		err = s.unlockForNow(d, root, mode)
	default:
		err = fmt.Errorf("cannot unlock as %q", mode)
	}
	if err != nil {
		return err
	}
	return s.touch()
}

func (s *Sysroot) unlockForNow(d Deployment, root *dirfd.Dir, mode Unlocked) error {
	// Beside the deployment: /var may be a file system of its own, too small for
	// what somebody does to /usr.
	backing, err := s.ostree.CreatePath(d.backingPath(), 0o700)
	if err != nil {
		return err
	}
	defer backing.Close()
	const name = "usr-transient"
	if err := backing.RemoveAll(name); err != nil { // of an earlier boot
		return err
	}
	over, err := s.overlayDir(root, backing, name)
	if err != nil {
		return err
	}
	defer over.Close()
	policy, err := policyOf(root)
	if err == nil {
		err = setLabel(policy, over.FD(), "/usr", unix.S_IFDIR)
	}
	if err != nil {
		return err
	}
	if err := s.overlayUsr(root, over, "upper", "work", mode == UnlockedTransient); err != nil {
		return errors.Join(err, backing.RemoveAll(name))
	}
	mark := filepath.Join(s.host.run, "ostree/deployment-state", d.Name(), "unlocked-"+string(mode))
	return writeRunFile(mark, nil, 0o644)
}

// unlockHotfix keeps the overlay in the deployment, where the initramfs finds
// it.
func (s *Sysroot) unlockHotfix(ctx context.Context, st *State, d Deployment, root *dirfd.Dir) error {
	if err := s.PrepareCleanup(ctx, st); err != nil {
		return fmt.Errorf("Performing initial cleanup: %w", err)
	}
	kargs := d.Kargs()
	copied, err := s.Create(ctx, st, DeployOptions{Stateroot: d.OSName, Commit: d.Checksum, Origin: WithoutTransient(d.Origin), Merge: &d, Kargs: &kargs})
	if err != nil {
		return err
	}
	if _, err := s.Write(ctx, st, st.With(copied, &d, Retain{NotDefault: true}), WriteOptions{}); err != nil {
		return err
	}
	if err := s.overlayUsr(root, root, ".usr-ovl-upper", ".usr-ovl-work", false); err != nil {
		return err
	}
	origin := new(keyfile.File)
	if d.Origin != nil {
		origin = d.Origin.Clone()
	}
	if err := origin.Set("origin", "unlocked", string(UnlockedHotfix)); err != nil {
		return err
	}
	return s.WriteOrigin(d, origin)
}

// overlayDir makes a directory for an overlay on /usr, with the mode of that.
func (s *Sysroot) overlayDir(root, in *dirfd.Dir, name string) (*dirfd.Dir, error) {
	usr, err := root.Stat("usr")
	if err != nil {
		return nil, err
	}
	if err := in.Mkdir(name, usr.Mode&0o7777); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := in.Chmod(name, usr.Mode&0o7777); err != nil {
		return nil, err
	}
	return in.Open(name)
}

// overlayUsr mounts an overlay on /usr whose changes go to directories in dir.
func (s *Sysroot) overlayUsr(root, dir *dirfd.Dir, upper, work string, readonly bool) error {
	for _, name := range []string{upper, work} {
		d, err := s.overlayDir(root, dir, name)
		if err != nil {
			return err
		}
		d.Close()
	}
	var flags uintptr
	if readonly {
		flags = unix.MS_RDONLY
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", root.ProcPath("usr"), dir.ProcPath(upper), dir.ProcPath(work))
	if err := unix.Mount("overlay", filepath.Join(s.host.root, "usr"), "overlay", flags, options); err != nil {
		return fmt.Errorf("Failed overlayfs mount: %w", err)
	}
	return nil
}
