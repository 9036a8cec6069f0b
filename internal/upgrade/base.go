package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"rpmostree/internal/core/sack"
	"rpmostree/internal/journal"
	"rpmostree/internal/origin"
	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
)

type localPackage = sack.Local

func nevraOf(l *sack.Local) string { return sack.NEVRA(l.Header).String() }

// resolveBase returns the base commit that the origin and the request ask for.
// It is in the repository afterwards, whole.
func (h *Host) resolveBase(ctx context.Context, t *target, o *origin.Origin, r *Request) (ostree.Checksum, error) {
	repository := h.Sysroot.Repo()
	current, err := baseOf(repository, t.newest)
	if err != nil {
		return ostree.Checksum{}, err
	}
	switch {
	case r.Revision != "":
		sum, err := h.revision(ctx, o, r)
		if err != nil {
			return sum, err
		}
		o.OverrideCommit = sum.String()
		if !r.AnyBranch {
			if err := h.checkBranch(o.Refspec, sum); err != nil {
				return sum, err
			}
		}
		if !r.AllowDowngrade && sum != current {
			err = h.checkTime(current, sum)
		}
		return sum, err
	case !r.Pull && r.Refspec == "":
		return current, nil
	}
	if r.Refspec != "" {
		h.progress().Message("Rebasing to " + o.Refspec)
	}
	sum, err := h.follow(ctx, o.Refspec, r.CacheOnly)
	if err != nil {
		return sum, err
	}
	if !r.AllowDowngrade && sum != current {
		err = h.checkTime(current, sum)
	}
	return sum, err
}

// follow brings the newest commit of a refspec into the repository.
func (h *Host) follow(ctx context.Context, refspec string, cacheOnly bool) (ostree.Checksum, error) {
	repository := h.Sysroot.Repo()
	if sum, err := ostree.ParseChecksum(refspec); err == nil {
		return sum, nil // pinned to a commit
	}
	remote, ref, err := ostree.ParseRefspec(refspec)
	if err != nil {
		return ostree.Checksum{}, err
	}
	if remote == "" || cacheOnly {
		return repository.ResolveRev(refspec)
	}
	if err := h.pull(ctx, remote, ref, ostree.Checksum{}); err != nil {
		return ostree.Checksum{}, err
	}
	return repository.ResolveRev(refspec)
}

// pull fetches a ref of a remote, or the commit override of it.
func (h *Host) pull(ctx context.Context, remote, ref string, override ostree.Checksum) error {
	o := pull.Options{Verify: sign.NewVerifier(h.Sysroot.Repo()), Progress: h.Progress, Journal: journal.Socket, Refs: []string{ref}}
	if !override.IsZero() {
		o.Refs = []string{override.String()}
	}
	_, err := pull.Pull(ctx, h.Sysroot.Repo(), remote, o)
	return err
}

// revision resolves "version=V", "revision=SHA", or either alone.
func (h *Host) revision(ctx context.Context, o *origin.Origin, r *Request) (ostree.Checksum, error) {
	repository := h.Sysroot.Repo()
	kind, value, ok := strings.Cut(r.Revision, "=")
	if !ok {
		kind, value = "version", r.Revision
		if ostree.IsChecksum(value) {
			kind = "revision"
		}
	}
	remote, ref, err := ostree.ParseRefspec(o.Refspec)
	if err != nil {
		return ostree.Checksum{}, err
	}
	switch strings.ToLower(kind) {
	case "revision":
		sum, err := ostree.ParseChecksum(value)
		if err != nil {
			return sum, err
		}
		h.progress().Message("Validating checksum '" + value + "'")
		if whole(repository, sum) {
			return sum, nil
		}
		if remote == "" || r.CacheOnly {
			return sum, fmt.Errorf("Commit %s is not in the repository", sum)
		}
		return sum, h.pull(ctx, remote, ref, sum)
	case "version":
		h.progress().Message("Resolving version '" + value + "'")
		return h.version(ctx, remote, ref, value, r.CacheOnly)
	}
	return ostree.Checksum{}, fmt.Errorf("Invalid revision '%s'", r.Revision)
}

// checkBranch refuses a commit that says that it belongs to other branches.
func (h *Host) checkBranch(refspec string, sum ostree.Checksum) error {
	c, err := h.Sysroot.Repo().Commit(sum)
	if err != nil {
		return err
	}
	_, ref, err := ostree.ParseRefspec(refspec)
	if err != nil {
		return nil // pinned to a commit: there is no branch
	}
	binding, ok := c.Metadata.Lookup(ostree.KeyRefBinding)
	if !ok || binding.Len() == 0 {
		return nil
	}
	for i := range binding.Len() {
		if binding.Index(i).Str() == ref {
			return nil
		}
	}
	return fmt.Errorf("Checksum %s not found in %s; use --skip-branch-check to deploy it all the same", sum, refspec)
}

// version finds the commit of a ref's history that has a version.
func (h *Host) version(ctx context.Context, remote, ref, version string, cacheOnly bool) (ostree.Checksum, error) {
	repository := h.Sysroot.Repo()
	refspec := ostree.Refspec(remote, ref)
	if remote != "" && !cacheOnly {
		o := pull.Options{Verify: sign.NewVerifier(h.Sysroot.Repo()), Progress: h.Progress, Journal: journal.Socket, Refs: []string{ref}, CommitMetadataOnly: true, Depth: -1}
		if _, err := pull.Pull(ctx, repository, remote, o); err != nil {
			return ostree.Checksum{}, err
		}
	}
	sum, err := repository.ResolveRev(refspec)
	if err != nil {
		return sum, err
	}
	for !sum.IsZero() {
		c, err := repository.Commit(sum)
		if errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return sum, err
		}
		if c.Version() == version {
			if whole(repository, sum) {
				return sum, nil
			}
			return sum, h.pull(ctx, remote, ref, sum)
		}
		sum = c.Parent
	}
	return ostree.Checksum{}, fmt.Errorf("Version %s not found in %s", version, refspec)
}

// whole reports whether a commit is in the repository with all its objects.
func whole(r *repo.Repo, sum ostree.Checksum) bool {
	if ok, err := r.Has(ostree.ObjectCommit, sum); err != nil || !ok {
		return false
	}
	partial, err := r.IsPartial(sum)
	return err == nil && !partial
}
