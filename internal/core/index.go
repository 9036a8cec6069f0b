package core

import (
	"context"
	"errors"
	"slices"
	"strings"

	"rpmostree/internal/core/sack"
	"rpmostree/rpm"
	"rpmostree/rpm/rpmdb"
	"rpmostree/rpmmd"
	"rpmostree/solv"
)

// errEnough ends the reading of file lists.
var errEnough = errors.New("enough")

// An Index holds the installed packages and those of the enabled repositories,
// to be asked about them.
type Index struct {
	Sack *sack.Sack

	repos  *repos
	hidden map[solv.ID]exclusion
}

// Index makes the index of packages that are installed and those of the
// repositories. It downloads metadata, as far as the Core allows; without
// repositories nothing is downloaded.
func (c *Core) Index(ctx context.Context, installed []rpmdb.Installed, repos []rpmmd.RepoConfig) (*Index, error) {
	x := &Index{Sack: sack.New(c.Arch), repos: newRepos()}
	x.Sack.AddInstalled(installed)
	if len(repos) == 0 {
		return x, nil
	}
	var err error
	// A base, so that packages of the cache count where nothing may be downloaded.
	if x.repos, err = c.loadRepos(ctx, Spec{Repos: repos, Base: &Base{}}, x.Sack); err != nil {
		return nil, err
	}
	x.hidden = hide(x.Sack, func(src sack.Source) exclusion {
		if !x.repos.isCached(src.NEVRA()) {
			return byExclude
		}
		return x.repos.excludes(src)
	})
	return x, nil
}

// IDs returns all packages that are not hidden: the installed ones first.
func (x *Index) IDs() []solv.ID {
	var ids []solv.ID
	for id := solv.ID(2); int(id) < x.Sack.Pool.Len(); id++ {
		if x.hidden[id] == "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// Hidden reports whether the configuration of a package's repository, or
// modularity, hides it.
func (x *Index) Hidden(id solv.ID) bool { return x.hidden[id] != "" }

// Installed reports whether a package is installed.
func (x *Index) Installed(id solv.ID) bool { return x.Sack.Source(id).Installed != nil }

// A Provider is a package that has what was asked for, and what that is.
type Provider struct {
	ID           solv.ID
	Capabilities []string // as "NAME = EVR"
	Paths        []string
}

// WhatProvides returns the packages that have a capability ("perl(Foo) >= 2") or own a path, in
// order. If there are none it is taken for a shell pattern of one: "*/vim", "perl(Foo::*)".
func (x *Index) WhatProvides(ctx context.Context, capability string) ([]Provider, error) {
	p := x.Sack.Pool
	dep, err := p.ParseDep(capability)
	if err != nil {
		return nil, err
	}
	if capability[0] == '/' {
		if _, err := x.repos.provideFiles(ctx, x.Sack, []string{capability}); err != nil {
			return nil, err
		}
	}
	var list []Provider
	for _, id := range p.Selected(solv.SelectProvides(dep)) {
		have := Provider{ID: id}
		for _, d := range p.Package(id).Provides {
			if p.Overlaps(d.Ref, dep) {
				have.Capabilities = append(have.Capabilities, p.DepString(d.Ref))
			}
		}
		if len(have.Capabilities) == 0 && capability[0] == '/' {
			have.Paths = []string{capability}
		}
		list = append(list, have)
	}
	if len(list) > 0 || !strings.ContainsAny(capability, "*?[") {
		return list, nil
	}
	return x.matching(ctx, capability)
}

// matching is WhatProvides for a shell pattern.
func (x *Index) matching(ctx context.Context, pattern string) ([]Provider, error) {
	found := map[solv.ID]*Provider{}
	have := func(id solv.ID) *Provider {
		if found[id] == nil {
			found[id] = &Provider{ID: id}
		}
		return found[id]
	}
	files := strings.ContainsAny(pattern[:1], "/*?[")
	path := func(id solv.ID, path string) {
		if solv.Glob(pattern, path) {
			have(id).Paths = append(have(id).Paths, path)
		}
	}
	for _, id := range x.IDs() {
		k := x.Sack.Pool.Package(id)
		for _, d := range k.Provides {
			if solv.Glob(pattern, d.Name) {
				have(id).Capabilities = append(have(id).Capabilities, x.Sack.Pool.DepString(d.Ref))
			}
		}
		for _, f := range k.Files {
			if files {
				path(id, f)
			}
		}
	}
	if files {
		err := x.EachFilelist(ctx, func(id solv.ID, list *rpmmd.Filelist) {
			for _, f := range list.Files {
				path(id, f.Path)
			}
		}, func() bool { return true })
		if err != nil {
			return nil, err
		}
	}
	var list []Provider
	for _, id := range x.IDs() {
		if p := found[id]; p != nil {
			slices.Sort(p.Paths) // some are in the package's metadata and in its file list
			p.Paths = slices.Compact(p.Paths)
			list = append(list, *p)
		}
	}
	return list, nil
}

// Files calls fn with the paths of each of the packages, in no particular order. Of a package that no file
// list has, these are those in its primary metadata.
func (x *Index) Files(ctx context.Context, ids []solv.ID, fn func(solv.ID, []string)) error {
	wanted := map[solv.ID]bool{}
	for _, id := range ids {
		switch src := x.Sack.Source(id); {
		case src.Installed != nil:
			fn(id, src.Installed.Header.Paths())
		case src.Local != nil:
			fn(id, src.Local.Header.Paths())
		default:
			wanted[id] = true
		}
	}
	err := x.EachFilelist(ctx, func(id solv.ID, list *rpmmd.Filelist) {
		if !wanted[id] {
			return
		}
		paths := make([]string, len(list.Files))
		for i, f := range list.Files {
			paths[i] = f.Path
		}
		fn(id, paths)
		delete(wanted, id)
	}, func() bool { return len(wanted) > 0 })
	if err != nil {
		return err
	}
	for id := range wanted {
		fn(id, x.Sack.Pool.Package(id).Files)
	}
	return nil
}

// EachFilelist calls fn with the file list of each package of the repositories,
// for as long as more is true. The list is valid until fn returns.
func (x *Index) EachFilelist(ctx context.Context, fn func(solv.ID, *rpmmd.Filelist), more func() bool) error {
	for _, snapshot := range x.repos.list {
		if !more() || !snapshot.Has("filelists") {
			continue
		}
		ids, err := x.repos.byPkgID(ctx, snapshot)
		if err != nil {
			return err
		}
		err = snapshot.Filelists(ctx, func(list *rpmmd.Filelist) error {
			if id, ok := ids[list.PkgID]; ok {
				fn(id, list)
			}
			if !more() {
				return errEnough
			}
			return nil
		})
		if err != nil && err != errEnough {
			return err
		}
	}
	return nil
}

// Header returns the header of a package, nil if it is only known by the
// metadata of a repository.
func (x *Index) Header(id solv.ID) *rpm.Header {
	switch src := x.Sack.Source(id); {
	case src.Installed != nil:
		return src.Installed.Header
	case src.Local != nil:
		return src.Local.Header
	}
	return nil
}
