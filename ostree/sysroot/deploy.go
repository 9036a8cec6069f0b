package sysroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/internal/journal"
	"rpmostree/internal/keyfile"
	"rpmostree/internal/selinux"
	"rpmostree/ostree"
	"rpmostree/ostree/bootloader"
)

// DeployOptions says what to deploy, and how.
type DeployOptions struct {
	// Stateroot is the name of the stateroot; empty for the booted one.
	Stateroot string
	// Commit must be in the repository with all its objects.
	Commit ostree.Checksum
	// Origin becomes the origin file; see WithoutTransient if it is that of another
	// deployment. nil for none.
	Origin *keyfile.File
	// Merge is the deployment whose /etc is taken over, and whose kernel
	// arguments, if Kargs is nil. nil for none; see State.MergeDeployment.
	Merge *Deployment
	// Kargs are the kernel arguments; ostree= is set. nil for those of Merge.
	Kargs *bootloader.Kargs
	// Overlays are additional initramfs images: results of StageInitrd.
	Overlays []string
	// Retain says which other deployments stay.
	Retain Retain
	// Stage leaves the /etc merge and the boot entry for the time when the
	// running system shuts down; that of other sysroots is an error. Retain then
	// does not count, and a deployment that is staged already goes.
	Stage bool
	// LockFinalization keeps a staged deployment from getting its boot entry
	// until it is unlocked.
	LockFinalization bool
	// NoPrune keeps objects of the repository that are not needed any more.
	NoPrune bool
}

// Deploy deploys a commit: it checks it out, merges /etc, makes it what the
// machine boots next, and cleans up. It returns the new deployment and state.
// The lock must be held.
func (s *Sysroot) Deploy(ctx context.Context, o DeployOptions) (Deployment, *State, error) {
	st, err := s.Load()
	if err != nil {
		return Deployment{}, nil, err
	}
	if o.Stateroot = st.osnameOr(o.Stateroot); o.Stateroot == "" {
		return Deployment{}, nil, errNotBooted
	}
	if err := s.PrepareCleanup(ctx, st); err != nil {
		return Deployment{}, nil, fmt.Errorf("Performing initial cleanup: %w", err)
	}
	if o.Stage {
		return s.stage(ctx, st, o)
	}
	d, err := s.Create(ctx, st, o)
	if err != nil {
		return Deployment{}, nil, err
	}
	next, err := s.Write(ctx, st, st.With(d, o.Merge, o.Retain), WriteOptions{NoClean: true})
	if err != nil {
		return Deployment{}, nil, err
	}
	if o.NoPrune {
		err = s.PrepareCleanup(ctx, next)
	} else {
		err = s.Cleanup(ctx, next)
	}
	if err != nil {
		return Deployment{}, nil, fmt.Errorf("Performing final cleanup: %w", err)
	}
	d, _ = next.find(d.Same)
	return d, next, nil
}

var errNotBooted = errors.New("Not currently booted into an OSTree system")

// Create makes a complete deployment directory, which is not used until it is
// part of a list given to Write. The lock must be held.
func (s *Sysroot) Create(ctx context.Context, st *State, o DeployOptions) (Deployment, error) {
	d, err := s.initialize(ctx, st, o)
	if err != nil {
		return Deployment{}, fmt.Errorf("Deploying tree: Initializing deployment: %w", err)
	}
	if d, err = s.finalize(ctx, st, d, o.Merge); err != nil {
		return Deployment{}, fmt.Errorf("Deploying tree: Finalizing deployment: %w", err)
	}
	return d, nil
}

// initialize does the part that does not depend on the merge deployment.
func (s *Sysroot) initialize(ctx context.Context, st *State, o DeployOptions) (Deployment, error) {
	d := Deployment{OSName: st.osnameOr(o.Stateroot), Checksum: o.Commit, Origin: o.Origin, Overlays: o.Overlays, Unlocked: UnlockedNone}
	if d.OSName == "" {
		return d, errNotBooted
	}
	if !validStateroot(d.OSName) {
		return d, fmt.Errorf("invalid stateroot name %q", d.OSName)
	}
	// A staged deployment would fail when it is too late. Nobody gives what is inherited.
	if o.Kargs != nil && (o.Merge == nil || !o.Kargs.Equal(o.Merge.Kargs())) {
		if err := o.Kargs.Validate(); err != nil {
			return d, err
		}
	}
	state, err := s.ostree.OpenDirBeneath("deploy/"+d.OSName, dirfd.NoSymlinks)
	if errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("No such stateroot: %s", d.OSName)
	}
	if err != nil {
		return d, err
	}
	defer state.Close()
	if d.Serial, err = s.allocateSerial(d); err != nil {
		return d, err
	}
	root, err := s.checkout(ctx, state, d)
	if err != nil {
		return d, fmt.Errorf("Checking out deployment tree: %w", err)
	}
	defer root.Close()
	k, err := findKernel(root, !s.opts.NoDeviceTree)
	if err != nil {
		return d, err
	}
	if o.Merge != nil {
		if err := s.sameKernel(k, root, *o.Merge); err != nil {
			return d, err
		}
	}
	if err := k.digest(root); err != nil {
		return d, err
	}
	d.BootChecksum = k.checksum
	d.Entry = &bootloader.Entry{}
	if o.Kargs != nil {
		d.Entry.Set("options", o.Kargs.String())
	}
	if err := prepareEtc(root, s.copier()); err != nil {
		return d, fmt.Errorf("Preparing /etc: %w", err)
	}
	if err := failpoint.At("sysroot.deploy.etc"); err != nil {
		return d, err
	}
	if err := prepareVar(root, state, s.copier()); err != nil {
		return d, fmt.Errorf("Preparing deployment /var: %w", err)
	}
	return d, nil
}

// copier copies what a deployment gets of its own.
func (s *Sysroot) copier() copier { return copier{xattrs: !s.opts.NoXattrs} }

// allocateSerial returns the first number after those of all deployments of
// the commit, whether in use or not.
func (s *Sysroot) allocateSerial(d Deployment) (int, error) {
	serial := 0
	err := s.deployDirs(func(o Deployment) error {
		if o.OSName == d.OSName && o.Checksum == d.Checksum {
			serial = max(serial, o.Serial+1)
		}
		return nil
	})
	return serial, err
}

// checkout makes the deployment directory and opens it.
func (s *Sysroot) checkout(ctx context.Context, state *dirfd.Dir, d Deployment) (*dirfd.Dir, error) {
	deploy, err := state.Create("deploy", 0o775)
	if err != nil {
		return nil, err
	}
	defer deploy.Close()
	if err := deploy.RemoveAll(d.Name()); err != nil {
		return nil, err
	}
	if err := s.checkoutTree(ctx, deploy, d); err != nil {
		return nil, err
	}
	root, err := deploy.Open(d.Name())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkRootConfig(root), failpoint.At("sysroot.deploy.checkout")); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// prepareEtc makes /etc a copy of the tree's /usr/etc. A tree that has /etc in
// place of /usr/etc is set right.
func prepareEtc(root *dirfd.Dir, c copier) error {
	etc, err := root.Open("etc")
	var names []string
	switch {
	case err == nil:
		names, err = sortedNames(etc)
		etc.Close()
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return err
	}
	usr, err := root.Open("usr")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer usr.Close()
	has, err := usr.Exists("etc")
	switch {
	case err != nil:
		return err
	case len(names) > 0 && has:
		return errors.New("Tree contains both /etc and /usr/etc")
	case len(names) > 0:
		err = root.Rename("etc", usr, "etc")
	case !has:
		return nil
	case etc != nil:
		err = root.Rmdir("etc")
	}
	if err != nil {
		return err
	}
	p, err := policyOf(root)
	if err != nil {
		return err
	}
	return c.labelled(p, "/").tree(usr, root, "etc", 0)
}

// prepareVar copies the tree's /var to the stateroot's if that is empty, as
// container volumes are filled.
func prepareVar(root, state *dirfd.Dir, c copier) error {
	from, err := root.Open("var")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := state.Open("var")
	if err != nil {
		return fmt.Errorf("Opening stateroot: %w", err)
	}
	defer to.Close()
	if there, err := to.ReadDir(); err != nil || len(there) > 0 {
		return err
	}
	if err := c.contents(from, to, 0); err != nil {
		return err
	}
	if ok, err := exists(root, "usr/lib/tmpfiles.d"); ok || err != nil {
		return err
	}
	return legacyVar(to)
}

// finalize does the rest: what needs the merge deployment as it is now. It
// returns d with its final kernel arguments.
func (s *Sysroot) finalize(ctx context.Context, st *State, d Deployment, merge *Deployment) (Deployment, error) {
	root, err := s.ostree.OpenDirBeneath(d.path(), dirfd.NoSymlinks)
	if err != nil {
		return d, err
	}
	defer root.Close()
	if merge != nil {
		d.Entry = inheritKargs(d.Entry, *merge)
		if err := s.mergeFrom(*merge, root); err != nil {
			return d, fmt.Errorf("During /etc merge: %w", err)
		}
		if err := refreshPolicy(ctx, root); err != nil {
			return d, fmt.Errorf("Finalizing SELinux policy: %w", err)
		}
	}
	if err := failpoint.At("sysroot.deploy.merged"); err != nil {
		return d, err
	}
	if err := s.forgetUpdated(st, d, root); err != nil {
		return d, err
	}
	policy, err := policyOf(root)
	if err != nil {
		return d, err
	}
	if err := s.labelVar(d, policy); err != nil {
		return d, err
	}
	if err := s.makeBacking(d, root, policy); err != nil {
		return d, fmt.Errorf("Preparing deployment backing dir: %w", err)
	}
	if err := s.writeOrigin(d, d.Origin, policy, false); err != nil {
		return d, fmt.Errorf("Writing out origin file: %w", err)
	}
	if s.opts.MutableDeployments {
		return d, nil
	}
	return d, setImmutable(root.FD(), true)
}

// inheritKargs takes the kernel arguments of merge if there are none yet.
func inheritKargs(e *bootloader.Entry, merge Deployment) *bootloader.Entry {
	if _, ok := e.Get("options"); ok || merge.Entry == nil {
		return e
	}
	if options, ok := merge.Entry.Get("options"); ok {
		e = e.Clone()
		e.Set("options", options)
	}
	return e
}

func (s *Sysroot) mergeFrom(merge Deployment, root *dirfd.Dir) error {
	from, err := s.ostree.OpenDirBeneath(merge.path(), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer from.Close()
	diff, err := diffEtc(from)
	if err != nil {
		return fmt.Errorf("While computing configuration diff: %w", err)
	}
	modified, removed, added := len(diff.Modified), len(diff.Removed), len(diff.Added)
	s.record(journal.Entry{
		ID: configMergeID, Message: fmt.Sprintf("Copying /etc changes: %d modified, %d removed, %d added", modified, removed, added),
		Fields: []journal.Field{field("ETC_N_MODIFIED", modified), field("ETC_N_REMOVED", removed), field("ETC_N_ADDED", added)},
	})
	c := s.copier()
	c.skipped = func(name string) {
		s.journal(journal.Entry{Message: "Ignoring non-regular/non-symlink file found during /etc merge: " + name})
	}
	return mergeEtc(from, root, diff, c)
}

// forgetUpdated removes the stamps by which systemd knows that /etc and /var
// were adjusted to /usr.
func (s *Sysroot) forgetUpdated(st *State, d Deployment, root *dirfd.Dir) error {
	// /var of the running system may be a file system of its own.
	varPath := filepath.Join(s.path, "ostree/deploy", d.OSName, "var")
	if b, ok := st.Booted(); ok && b.OSName == d.OSName {
		varPath = filepath.Join(s.host.root, "var")
	}
	if err := unix.Unlink(filepath.Join(varPath, ".updated")); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "unlink", Path: varPath + "/.updated", Err: err}
	}
	etc, err := root.Open("etc")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer etc.Close()
	if err := etc.Unlink(".updated"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// makeBacking makes the directories for an overlay on the root. The upper one
// has the mode of the root.
func (s *Sysroot) makeBacking(d Deployment, root *dirfd.Dir, p *selinux.Policy) error {
	var st unix.Stat_t
	if err := unix.Fstat(root.FD(), &st); err != nil {
		return err
	}
	dir, err := s.ostree.CreatePath(d.backingPath()+"/root-transient", 0o700)
	if err != nil {
		return err
	}
	defer dir.Close()
	for name, mode := range map[string]uint32{"work": 0o700, "upper": st.Mode & 0o7777} {
		if err := dir.Mkdir(name, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	upper, err := dir.Open("upper")
	if err != nil {
		return err
	}
	defer upper.Close()
	return setLabel(p, upper.FD(), "/", st.Mode)
}
