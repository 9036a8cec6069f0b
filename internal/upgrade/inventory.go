package upgrade

import (
	"context"
	"errors"

	"rpmostree/internal/core"
	"rpmostree/rpmmd"
)

// An Inventory is what can be asked about the packages of a host.
type Inventory struct {
	Index    *core.Index
	Requests []string        // what the user asked for; package files by NEVRA
	Base     map[string]bool // NEVRAs of the packages of the base image
	Repos    []rpmmd.RepoConfig
}

// Inventory indexes the packages of the deployment that is booted, or would be.
// Those of the enabled repositories are in it only if available is true; then
// metadata is brought up to date, unless cacheOnly forbids it.
func (h *Host) Inventory(ctx context.Context, available, cacheOnly bool) (*Inventory, error) {
	t, err := h.target()
	if err != nil {
		return nil, err
	}
	r := h.Sysroot.Repo()
	tr, err := r.Tree(t.merge.Checksum)
	if err != nil {
		return nil, err
	}
	db, err := core.Database(r.Objects, tr)
	if err != nil {
		return nil, err
	}
	in := &Inventory{Base: map[string]bool{}}
	if in.Repos, err = h.allRepos(t, h.vars(t, tr)); err != nil {
		return nil, err
	}
	base, err := baseOf(r, t.merge)
	if err != nil {
		return nil, err
	}
	list, err := h.packages(base, false)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		in.Base[p.NEVRA()] = true
	}
	in.Requests = requested(t.origin)
	c, err := h.core(t, tr, cacheOnly)
	if err != nil {
		return nil, err
	}
	c.Planning = true
	var repos []rpmmd.RepoConfig
	if available {
		repos = enabled(in.Repos)
	}
	in.Index, err = c.Index(ctx, db.Packages(), repos)
	return in, err
}

// Repos returns the configured repositories, those that are not enabled too.
func (h *Host) Repos() ([]rpmmd.RepoConfig, error) {
	t, err := h.target()
	if err != nil {
		return nil, err
	}
	tr, err := h.Sysroot.Repo().Tree(t.merge.Checksum)
	if err != nil {
		return nil, err
	}
	return h.allRepos(t, h.vars(t, tr))
}

// Try resolves what it would take to install a package besides what the host's
// origin asks for. It changes nothing. The error is a *core.DepsolveError or a
// *core.MissingError if that cannot be.
func (h *Host) Try(ctx context.Context, request string, cacheOnly bool) (*core.Plan, error) {
	t, err := h.target()
	if err != nil {
		return nil, err
	}
	sum, err := baseOf(h.Sysroot.Repo(), t.newest)
	if err != nil {
		return nil, err
	}
	base, err := h.base(t, sum)
	if err != nil {
		return nil, err
	}
	spec, _, err := h.active(t.origin, base, nil)
	if err != nil {
		return nil, err
	}
	spec.Install = append(spec.Install, request)
	c, err := h.core(t, base.Tree, cacheOnly)
	if err != nil {
		return nil, err
	}
	c.Planning = true
	if spec.Repos, err = h.repos(t, c.Vars); err != nil {
		return nil, err
	}
	return c.Prepare(ctx, spec)
}

// IsUnsatisfiable reports whether an error says that a request cannot be met, and
// not that something went wrong.
func IsUnsatisfiable(err error) bool {
	var unsolvable *core.DepsolveError
	var missing *core.MissingError
	return errors.As(err, &unsolvable) || errors.As(err, &missing)
}
