// Package query answers questions about installed and available packages: which
// there are, what they have, who needs whom, and why a package is there.
package query

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"rpmostree/internal/core"
	"rpmostree/internal/core/sack"
	"rpmostree/rpm"
	"rpmostree/solv"
)

// Names of what stands for a repository.
const (
	System      = "@System"      // of installed packages
	CommandLine = "@commandline" // of package files
)

// A Package is what one package is.
type Package struct {
	Name        string `json:"name"`
	Epoch       uint32 `json:"epoch"`
	Version     string `json:"version"`
	Release     string `json:"release"`
	Arch        string `json:"arch"`
	EVR         string `json:"evr"`   // without an epoch of 0
	NEVRA       string `json:"nevra"` // NAME-EVR.ARCH
	Repo        string `json:"repo"`  // System if it is installed
	Summary     string `json:"summary"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url,omitempty"`
	License     string `json:"license,omitempty"`
	SourceRPM   string `json:"source,omitempty"`
	// Size is that of the package file, or of the files if it is installed, in
	// bytes.
	Size uint64 `json:"size"`

	id solv.ID
}

// Installed reports whether the package is installed.
func (p *Package) Installed() bool { return p.Repo == System }

// Same reports whether p and o are the same package of the same repository.
func (p Package) Same(o Package) bool { return p.id == o.id }

// An Index is what is searched.
type Index struct{ *core.Index }

// Package describes a package of the index.
func (x Index) Package(id solv.ID) Package {
	n := x.Sack.NEVRA(id)
	p := Package{
		Name: n.Name, Epoch: n.EVR.Epoch, Version: n.EVR.Version, Release: n.EVR.Release, Arch: n.Arch,
		EVR: n.EVR.String(), NEVRA: n.String(), Repo: x.repo(id), id: id,
	}
	if h := x.Header(id); h != nil {
		p.Summary, p.Description, p.URL = h.String(rpm.TagSummary), h.String(rpm.TagDescription), h.String(rpm.TagURL)
		p.License, p.SourceRPM, p.Size = h.String(rpm.TagLicense), h.String(rpm.TagSourceRPM), h.Size()
	}
	if src := x.Sack.Source(id); src.Remote() {
		m := src.Package()
		p.Summary, p.Description, p.URL = m.Summary, m.Description, m.URL
		p.License, p.SourceRPM, p.Size = m.License, m.SourceRPM, uint64(max(m.Size, 0))
	}
	return p
}

// repo returns the repository of a package.
func (x Index) repo(id solv.ID) string {
	switch src := x.Sack.Source(id); {
	case src.Remote():
		return src.Repo
	case src.Local != nil:
		return cmp.Or(src.Repo, CommandLine)
	}
	return System
}

func (x Index) packages(ids []solv.ID) []Package {
	out := make([]Package, 0, len(ids))
	for _, id := range ids {
		out = append(out, x.Package(id))
	}
	return out
}

// Sort orders packages by name and architecture, then by version, then puts the
// installed one first.
func (x Index) Sort(list []Package) {
	slices.SortStableFunc(list, func(a, b Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch), x.Sack.Pool.Compare(a.id, b.id),
			cmp.Compare(a.id, b.id))
	})
}

// A Filter says which packages are wanted. The zero value wants all.
type Filter struct {
	Patterns  []string // shell patterns for NAME, NAME.ARCH, NAME-EVR or NEVRA; none means all
	Installed bool     // only installed packages
	Available bool     // only packages of repositories
	Upgrades  bool     // only packages of repositories that are newer than an installed one
	Latest    bool     // only the newest of each name and architecture
	Newer     bool     // of repositories only the newest of each, if nothing as new is installed
	Repos     []string // only packages of these repositories, by their IDs; none means all
	Arches    []string // only packages of these architectures; none means all

	// What has capabilities or paths, by kind: only packages one of whose dependencies of that kind is about
	// it, or, but for Provides and Obsoletes, about anything that packages which have it have.
	What map[DepKind]string
	File string // only packages that own this path
}

// List returns the packages that a filter lets through, sorted.
func (x Index) List(ctx context.Context, f Filter) ([]Package, error) {
	ids := x.IDs()
	keep := func(fn func(solv.ID) bool) {
		ids = slices.DeleteFunc(ids, func(id solv.ID) bool { return !fn(id) })
	}
	if len(f.Patterns) > 0 {
		keep(func(id solv.ID) bool { return sack.Matches(f.Patterns, x.Sack.NEVRA(id)) })
	}
	if f.Installed {
		keep(x.Installed)
	}
	if f.Available || f.Upgrades {
		keep(func(id solv.ID) bool { return !x.Installed(id) })
	}
	if f.Upgrades {
		newest := x.newestInstalled()
		keep(func(id solv.ID) bool {
			old, ok := newest[x.key(id)]
			return ok && x.Sack.Pool.Compare(id, old) > 0
		})
	}
	if len(f.Repos) > 0 {
		keep(func(id solv.ID) bool { return slices.Contains(f.Repos, x.repo(id)) })
	}
	if len(f.Arches) > 0 {
		keep(func(id solv.ID) bool { return slices.Contains(f.Arches, x.Sack.Pool.Info(id).Arch) })
	}
	for _, capability := range []string{f.What[Provides], f.File} {
		if capability == "" {
			continue
		}
		having, err := x.WhatProvides(ctx, capability)
		if err != nil {
			return nil, err
		}
		has := byID(having)
		keep(func(id solv.ID) bool {
			_, ok := has[id]
			return ok
		})
	}
	for kind := range numDepKinds {
		if kind == Provides || f.What[kind] == "" {
			continue
		}
		met, err := x.meets(ctx, kind, f.What[kind])
		if err != nil {
			return nil, err
		}
		keep(func(id solv.ID) bool { return slices.ContainsFunc(x.deps(id, kind), met) })
	}
	if f.Latest {
		ids = x.latest(ids)
	}
	if f.Newer {
		ids = x.newer(ids)
	}
	list := x.packages(ids)
	x.Sort(list)
	return list, nil
}

// key is what two builds of one package have in common.
func (x Index) key(id solv.ID) [2]string {
	i := x.Sack.Pool.Info(id)
	return [2]string{i.Name, i.Arch}
}

func (x Index) newestInstalled() map[[2]string]solv.ID {
	newest := map[[2]string]solv.ID{}
	for _, id := range x.IDs() {
		if !x.Installed(id) {
			continue
		}
		if old, ok := newest[x.key(id)]; !ok || x.Sack.Pool.Compare(id, old) > 0 {
			newest[x.key(id)] = id
		}
	}
	return newest
}

// latest leaves the newest package of each name and architecture, of every repository that has it.
func (x Index) latest(ids []solv.ID) []solv.ID {
	newest := map[[2]string]solv.ID{}
	for _, id := range ids {
		if old, ok := newest[x.key(id)]; !ok || x.Sack.Pool.Compare(id, old) > 0 {
			newest[x.key(id)] = id
		}
	}
	return slices.DeleteFunc(ids, func(id solv.ID) bool { return x.Sack.Pool.Compare(id, newest[x.key(id)]) != 0 })
}

// newer leaves the installed packages, and the newest of each name and architecture that is newer or
// not installed.
func (x Index) newer(ids []solv.ID) []solv.ID {
	var installed, available []solv.ID
	newest := x.newestInstalled()
	for _, id := range ids {
		if x.Installed(id) {
			installed = append(installed, id)
		} else if old, ok := newest[x.key(id)]; !ok || x.Sack.Pool.Compare(id, old) > 0 {
			available = append(available, id)
		}
	}
	return append(installed, x.latest(available)...)
}

// A Providing is a package that has a capability or path that was asked for.
type Providing struct {
	Package
	Provides []string `json:"provides,omitempty"` // the capabilities that fit
	Files    []string `json:"files,omitempty"`    // the paths that fit
}

// Providing returns the packages that a filter lets through and that have a capability or a path,
// which may be a shell pattern.
func (x Index) Providing(ctx context.Context, capability string, f Filter) ([]Providing, error) {
	having, err := x.WhatProvides(ctx, capability)
	if err != nil {
		return nil, err
	}
	list, err := x.List(ctx, f)
	if err != nil {
		return nil, err
	}
	has := byID(having)
	var out []Providing
	for _, k := range list {
		if p, ok := has[k.id]; ok {
			out = append(out, Providing{Package: k, Provides: p.Capabilities, Files: p.Paths})
		}
	}
	return out, nil
}

func byID(list []core.Provider) map[solv.ID]core.Provider {
	out := make(map[solv.ID]core.Provider, len(list))
	for _, p := range list {
		out[p.ID] = p
	}
	return out
}

// meets returns the condition for a dependency of a kind to be about a capability; see Filter.What.
func (x Index) meets(ctx context.Context, kind DepKind, capability string) (func(solv.Dep) bool, error) {
	wanted, err := x.Sack.Pool.ParseDep(capability)
	if err != nil || kind == Obsoletes {
		return func(d solv.Dep) bool { return x.Sack.Pool.Overlaps(d.Ref, wanted) }, err
	}
	having, err := x.WhatProvides(ctx, capability)
	if err != nil {
		return nil, err
	}
	target := byID(having)
	memo := map[string]bool{}
	return func(d solv.Dep) bool {
		dep := depString(d)
		ok, known := memo[dep]
		if !known {
			ok = x.Sack.Pool.Overlaps(d.Ref, wanted) || slices.ContainsFunc(x.providers(dep), func(id solv.ID) bool {
				_, met := target[id]
				return met
			})
			memo[dep] = ok
		}
		return ok
	}, nil
}

// Providers returns the packages that have what the packages' dependencies of a kind ask for, each
// once, sorted.
func (x Index) Providers(list []Package, kind DepKind) []Package {
	var ids []solv.ID
	for _, dep := range x.Deps(list, kind) {
		ids = append(ids, x.providers(dep)...)
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id solv.ID) bool { return id <= solv.System || x.Hidden(id) })
	out := x.packages(ids)
	x.Sort(out)
	return out
}

// providers returns the packages that meet a dependency; none if it cannot be
// parsed.
func (x Index) providers(dep string) []solv.ID {
	d, err := x.Sack.Pool.ParseDep(dep)
	if err != nil {
		return nil
	}
	return x.Sack.Pool.Selected(solv.SelectProvides(d))
}

// depString writes a dependency as spec files do.
func depString(d solv.Dep) string {
	if d.Op == 0 || d.EVR == "" {
		return d.Name
	}
	return d.Name + " " + d.Op.String() + " " + d.EVR
}

// A DepKind is a list of dependencies of a package.
type DepKind int

// The kinds.
const (
	Requires DepKind = iota
	Provides
	Conflicts
	Obsoletes
	Recommends
	Suggests
	Supplements
	Enhances
	numDepKinds
)

// deps returns the dependencies of a package.
func (x Index) deps(id solv.ID, kind DepKind) []solv.Dep {
	m := x.Sack.Pool.Package(id)
	return [numDepKinds][]solv.Dep{m.Requires, m.Provides, m.Conflicts, m.Obsoletes, m.Recommends, m.Suggests, m.Supplements, m.Enhances}[kind]
}

// Deps returns the dependencies of the packages, each once, sorted.
func (x Index) Deps(list []Package, kind DepKind) []string {
	var out []string
	for _, p := range list {
		for _, d := range x.deps(p.id, kind) {
			out = append(out, depString(d))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Files returns the paths of the packages, each once, sorted.
func (x Index) Files(ctx context.Context, list []Package) ([]string, error) {
	var ids []solv.ID
	for _, p := range list {
		ids = append(ids, p.id)
	}
	var out []string
	err := x.Index.Files(ctx, ids, func(_ solv.ID, paths []string) { out = append(out, paths...) })
	slices.Sort(out)
	return slices.Compact(out), err
}
