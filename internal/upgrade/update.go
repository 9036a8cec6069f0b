package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rpmostree/internal/core"
	"rpmostree/internal/origin"
	"rpmostree/ostree"
	"rpmostree/ostree/bootloader"
	"rpmostree/ostree/sysroot"
)

// A Result tells what an operation did.
type Result struct {
	// Changed tells whether there is a new deployment.
	Changed bool
	// From and To are the commits to compare: of what runs (or, if nothing does, was to
	// boot) before, and of what boots next. A deployment that was pending may be gone.
	From, To ostree.Checksum
	// Plan is what a dry run would have done.
	Plan *core.Plan
	// Downloaded tells that the operation stopped after the download.
	Downloaded bool
	// BaseChanged tells whether the base commit is another one.
	BaseChanged bool
}

// Update changes what the machine boots next as the request says.
func (h *Host) Update(ctx context.Context, r Request) (Result, error) {
	switch {
	case r.CacheOnly && r.DownloadOnly:
		return Result{}, errors.New("Can't specify cache-only and download-only")
	case r.DryRun && r.DownloadOnly:
		return Result{}, errors.New("Can't specify dry-run and download-only")
	}
	t, unlock, err := h.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if t.origin.UnconfiguredState != "" && r.Pull {
		return Result{}, errors.New(t.origin.UnconfiguredState)
	}
	o, locals, err := r.apply(t.origin)
	if err != nil {
		return Result{}, err
	}
	base, err := h.resolveBase(ctx, t, o, &r)
	if err != nil {
		return Result{}, err
	}
	oldBase, err := baseOf(h.Sysroot.Repo(), t.newest)
	if err != nil {
		return Result{}, err
	}
	result := Result{From: t.merge.Checksum, BaseChanged: base != oldBase}
	commit := base
	if o.Layered() {
		if commit, err = h.layered(ctx, t, o, locals, base, &r); err != nil {
			var dry *dryRun
			switch {
			case errors.As(err, &dry):
				result.Plan = dry.plan
				return result, nil
			case errors.Is(err, errDownloaded):
				result.Downloaded = true
				return result, nil
			}
			return result, err
		}
	}
	result.To = commit
	same, err := sameOrigin(t, o)
	if err != nil {
		return result, err
	}
	if r.DryRun || commit == t.newest.Checksum && same {
		return result, nil
	}
	if r.DownloadOnly {
		result.Downloaded = true
		return result, nil
	}
	result.Changed = true
	if err := h.deploy(ctx, t, commit, base, o, nil, r.LockFinalize); err != nil {
		return result, err
	}
	if r.Refspec != "" && !r.KeepRef {
		return result, h.purge(t.origin.Refspec, o.Refspec)
	}
	return result, nil
}

// purge drops the ref that was followed before a rebase: its commits stay as
// long as they are deployed, and then go.
func (h *Host) purge(old, now string) error {
	remote, ref, err := ostree.ParseRefspec(old)
	if err != nil || remote == "" || old == now {
		return nil // a commit, or a branch of our own
	}
	return h.Sysroot.Repo().SetRef(remote, ref, ostree.Checksum{})
}

// layered returns the commit of the origin's packages on a base.
func (h *Host) layered(ctx context.Context, t *target, o *origin.Origin, locals map[string]*localPackage, baseSum ostree.Checksum, r *Request) (ostree.Checksum, error) {
	base, err := h.base(t, baseSum)
	if err != nil {
		return ostree.Checksum{}, err
	}
	spec, off, err := h.active(o, base, locals)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if err := off.refuse(r, t.origin, o); err != nil {
		return ostree.Checksum{}, err
	}
	h.report(off)
	if !hasEffect(spec) {
		return baseSum, nil
	}
	requested := slices.Clone(spec.Install)
	for _, l := range slices.Concat(spec.Local, spec.Overwrite) {
		requested = append(requested, nevraOf(l))
	}
	return h.layer(ctx, t, spec, requested, r)
}

// refuse returns an error if what a request adds to the origin old, which makes
// it now, has no effect. What was there before may wait for another base.
func (off inactive) refuse(r *Request, old, now *origin.Origin) error {
	before := overridden(old, false)
	for _, names := range [][]string{off.removals, off.replaced} {
		for _, name := range names {
			if !slices.Contains(before, name) {
				return fmt.Errorf("Package \"%s\" not found in the base", name)
			}
		}
	}
	if r.AllowInactive {
		return nil
	}
	before = requested(old)
	for _, name := range requested(now) {
		if by, ok := off.requests[name]; ok && !slices.Contains(before, name) {
			return fmt.Errorf("\"%s\" is already provided by: %s. Use --allow-inactive to explicitly require it.", name, by)
		}
	}
	return nil
}

// requested returns the names of all that an origin wants layered.
func requested(o *origin.Origin) []string {
	names := slices.Clone(o.Packages)
	for _, l := range slices.Concat(o.LocalPackages, o.LocalOverwrite) {
		names = append(names, l.NEVRA)
	}
	return names
}

// sameOrigin reports whether an origin is that of the newest deployment.
func sameOrigin(t *target, o *origin.Origin) (bool, error) {
	now, err := o.File()
	if err != nil {
		return false, err
	}
	before, err := t.origin.File()
	if err != nil {
		return false, err
	}
	return string(now.Bytes()) == string(before.Bytes()), nil
}

// deploy makes a commit what the machine boots next. Kargs are those of the
// merge deployment unless given.
func (h *Host) deploy(ctx context.Context, t *target, commit, base ostree.Checksum, o *origin.Origin, kargs *bootloader.Kargs, lock bool) error {
	file, err := o.File()
	if err != nil {
		return err
	}
	if kargs == nil {
		k := t.newest.Kargs()
		kargs = &k
	}
	r := h.Sysroot.Repo()
	if base != commit {
		if err := r.SetRef("", baseTmpRef, base); err != nil {
			return err
		}
	}
	title := "Writing deployment"
	stage := h.Sysroot.IsBooted()
	if stage {
		title = "Staging deployment"
	}
	task := h.progress().Begin(title)
	_, st, err := h.Sysroot.Deploy(ctx, sysroot.DeployOptions{
		Stateroot: t.os, Commit: commit, Origin: sysroot.WithoutTransient(file), Merge: &t.merge, Kargs: kargs,
		Stage: stage, LockFinalization: lock, NoPrune: true,
	})
	if err != nil {
		return err
	}
	task.End("")
	return h.collect(ctx, t.state, st)
}

// checkTime refuses a base that is older than the present one.
func (h *Host) checkTime(from, to ostree.Checksum) error {
	r := h.Sysroot.Repo()
	old, err := r.Commit(from)
	if err != nil {
		return err
	}
	now, err := r.Commit(to)
	if err != nil {
		return err
	}
	if now.Timestamp < old.Timestamp {
		return fmt.Errorf("Upgrade target revision '%s' with timestamp '%s' is chronologically older than current revision '%s' with timestamp '%s'; use --allow-downgrade to permit",
			to, now.Time().UTC().Format(time.RFC1123Z), from, old.Time().UTC().Format(time.RFC1123Z))
	}
	return nil
}
