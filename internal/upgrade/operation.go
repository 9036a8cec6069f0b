package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"rpmostree/internal/core"
	"rpmostree/internal/core/materialize"
	"rpmostree/internal/origin"
	"rpmostree/internal/pkgdiff"
	"rpmostree/ostree"
	"rpmostree/ostree/bootloader"
	"rpmostree/ostree/sysroot"
)

// Rollback makes the second deployment the first, and the first the second.
func (h *Host) Rollback(ctx context.Context) (Result, error) {
	t, unlock, err := h.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	index, err := rollbackIndex(t)
	if err != nil {
		return Result{}, err
	}
	d := t.state.Deployments[index]
	h.progress().Message(fmt.Sprintf("Moving '%s' to be first deployment", d.Name()))
	if _, err := h.Sysroot.Write(ctx, t.state, t.state.WithDefault(index), sysroot.WriteOptions{}); err != nil {
		return Result{}, err
	}
	return Result{Changed: true, From: t.merge.Checksum, To: d.Checksum}, nil
}

// rollbackIndex returns the deployment that a rollback makes the default: the
// booted one if something else is pending, else the one after it.
func rollbackIndex(t *target) (int, error) {
	if b, ok := t.state.Booted(); ok && t.newest.Index != b.Index {
		return b.Index, nil
	}
	for _, d := range t.state.Deployments {
		if d.OSName == t.os && d.Index > t.newest.Index {
			return d.Index, nil
		}
	}
	return 0, errors.New("No rollback deployment found")
}

// Origin returns the origin of the newest deployment.
func (h *Host) Origin() (*origin.Origin, error) {
	t, err := h.target()
	if err != nil {
		return nil, err
	}
	return t.origin, nil
}

// CleanupOptions say what Cleanup removes.
type CleanupOptions struct {
	Base     bool // temporary files
	Pending  bool // deployments before the booted one
	Rollback bool // deployments after the booted one
	Metadata bool // downloaded metadata and packages
}

// Cleanup removes deployments and cached data.
func (h *Host) Cleanup(ctx context.Context, o CleanupOptions) error {
	t, unlock, err := h.begin(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if o.Base {
		if err := materialize.Clean(filepath.Join(h.Sysroot.Repo().Path(), repoWork)); err != nil {
			return err
		}
	}
	if o.Metadata {
		if err := os.RemoveAll(h.cacheDir(t.os)); err != nil {
			return err
		}
	}
	if !o.Pending && !o.Rollback {
		return h.prune(ctx, t.state, o.Base)
	}
	keep := slices.DeleteFunc(slices.Clone(t.state.Deployments), func(d sysroot.Deployment) bool {
		return d.OSName == t.os && !d.Booted && !d.Pinned() &&
			(o.Pending && isPending(t, d) || o.Rollback && !isPending(t, d) && d.Index != t.merge.Index)
	})
	if len(keep) == len(t.state.Deployments) {
		h.progress().Message("Deployments unchanged.")
		return h.prune(ctx, t.state, o.Base)
	}
	st, err := h.Sysroot.Write(ctx, t.state, keep, sysroot.WriteOptions{})
	if err != nil {
		return err
	}
	return h.collect(ctx, t.state, st)
}

// prune drops packages that were imported and not deployed, with what else
// nothing needs.
func (h *Host) prune(ctx context.Context, st *sysroot.State, wanted bool) error {
	if !wanted {
		return nil
	}
	if _, err := h.keepRefs(ctx, st); err != nil {
		return err
	}
	return h.Sysroot.Cleanup(ctx, st)
}

// isPending reports whether d is waiting for the next boot. If nothing is
// booted, the default deployment counts as the booted one.
func isPending(t *target, d sysroot.Deployment) bool {
	if b, ok := t.state.Booted(); ok {
		return d.Index < b.Index
	}
	return false
}

// KernelArgs makes a deployment that differs from one with the given index (-1
// for the newest) by its kernel arguments: edit changes them.
func (h *Host) KernelArgs(ctx context.Context, index int, lock bool, edit func(*bootloader.Kargs) error) (Result, error) {
	t, unlock, err := h.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	d, err := t.at(index)
	if err != nil {
		return Result{}, err
	}
	if d.OSName != t.os {
		return Result{}, fmt.Errorf("Deployment %d is of stateroot '%s'; use --stateroot=%s to change it", index, d.OSName, d.OSName)
	}
	kargs := d.Kargs()
	before := kargs.String()
	if err := edit(&kargs); err != nil {
		return Result{}, err
	}
	result := Result{From: d.Checksum, To: d.Checksum}
	if kargs.String() == before {
		return result, nil
	}
	o := t.origin
	if d.Origin != nil {
		if o, err = origin.Parse(d.Origin.Bytes()); err != nil {
			return result, err
		}
	}
	base, err := baseOf(h.Sysroot.Repo(), d)
	if err != nil {
		return result, err
	}
	result.Changed = true
	return result, h.deploy(ctx, t, d.Checksum, base, o, &kargs, lock)
}

// Kargs returns the kernel arguments of the deployment with the given index, -1
// for the newest.
func (h *Host) Kargs(index int) (bootloader.Kargs, error) {
	t, err := h.target()
	if err != nil {
		return bootloader.Kargs{}, err
	}
	d, err := t.at(index)
	if err != nil {
		return bootloader.Kargs{}, err
	}
	return d.Kargs(), nil
}

func (t *target) at(index int) (sysroot.Deployment, error) {
	switch {
	case index < 0:
		return t.newest, nil
	case index >= len(t.state.Deployments):
		return sysroot.Deployment{}, fmt.Errorf("Out of range deployment index %d, expected < %d", index, len(t.state.Deployments))
	}
	return t.state.Deployments[index], nil
}

// Diff compares the packages of two commits.
func (h *Host) Diff(from, to ostree.Checksum, changelogs bool) (pkgdiff.Diff, error) {
	a, err := h.packages(from, changelogs)
	if err != nil {
		return pkgdiff.Diff{}, err
	}
	b, err := h.packages(to, changelogs)
	if err != nil {
		return pkgdiff.Diff{}, err
	}
	return pkgdiff.New(a, b), nil
}

// packages returns the packages of a commit: from its metadata if that has
// all that is asked for.
func (h *Host) packages(sum ostree.Checksum, changelogs bool) ([]pkgdiff.Package, error) {
	r := h.Sysroot.Repo()
	c, err := r.Commit(sum)
	if err != nil {
		return nil, err
	}
	if list, ok := c.Metadata.Lookup("rpmostree.rpmdb.pkglist"); ok && !changelogs {
		return pkgdiff.FromPkglist(list)
	}
	t, err := r.Tree(sum)
	if err != nil {
		return nil, err
	}
	db, err := core.Database(r.Objects, t)
	if err != nil {
		return nil, err
	}
	return pkgdiff.FromDB(db, changelogs), nil
}

// An Available is an update that could be had.
type Available struct {
	Commit  ostree.Checksum
	Version string
	Time    time.Time
	Diff    pkgdiff.Diff
}

// Check finds out whether there is a new base. It downloads what it needs to
// know, and deploys nothing. The result is nil if there is none.
func (h *Host) Check(ctx context.Context, r Request) (*Available, error) {
	t, unlock, err := h.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if t.origin.UnconfiguredState != "" {
		return nil, errors.New(t.origin.UnconfiguredState)
	}
	current, err := baseOf(h.Sysroot.Repo(), t.newest)
	if err != nil {
		return nil, err
	}
	sum, err := h.resolveBase(ctx, t, t.origin.Clone(), &r)
	if err != nil || sum == current {
		return nil, err
	}
	c, err := h.Sysroot.Repo().Commit(sum)
	if err != nil {
		return nil, err
	}
	u := &Available{Commit: sum, Version: c.Version(), Time: c.Time()}
	u.Diff, err = h.Diff(current, sum, false)
	return u, err
}

// Reboot restarts the running system.
func Reboot() error {
	out, err := exec.Command("systemctl", "reboot").CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl reboot: %w: %s", err, out)
	}
	return nil
}
