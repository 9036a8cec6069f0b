package sack

import (
	"strings"

	"rpmostree/rpmmd"
	"rpmostree/solv"
)

// A catalog is an index as the solver wants to see it. It interns each dependency once.
type catalog struct {
	*rpmmd.Index
	pool *solv.Pool
	deps []solv.Ref // by number; 0 = not interned yet
	out  solv.Interned
}

func newCatalog(p *solv.Pool, x *rpmmd.Index) *catalog {
	return &catalog{Index: x, pool: p, deps: make([]solv.Ref, x.Deps())}
}

// kinds are the lists of a package by kind.
var kinds = [rpmmd.DepKinds]solv.ListSet{
	rpmmd.Provides: solv.HasProvides, rpmmd.Requires: solv.HasRequires, rpmmd.Conflicts: solv.HasConflicts, rpmmd.Obsoletes: solv.HasObsoletes,
	rpmmd.Suggests: solv.HasSuggests, rpmmd.Enhances: solv.HasEnhances, rpmmd.Recommends: solv.HasRecommends, rpmmd.Supplements: solv.HasSupplements,
}

// Entry returns what package i is.
func (c *catalog) Entry(i int) solv.CatalogEntry {
	e := c.Index.Entry(i)
	out := solv.CatalogEntry{Name: e.Name, Arch: e.Arch, EVR: e.EVR, Vendor: e.Vendor, BuildTime: e.BuildTime}
	for k, list := range kinds {
		if c.Has(i, rpmmd.DepKind(k)) {
			out.Lists |= list
		}
	}
	if c.HasFiles(i) {
		out.Lists |= solv.HasFiles
	}
	return out
}

// Package returns the dependencies and files of package i, and is valid until the next call.
func (c *catalog) Package(i int, ref func(int) solv.Ref) *solv.Interned {
	k := &c.out
	k.Requires, k.PreRequires = k.Requires[:0], k.PreRequires[:0]
	for n, pre := range c.List(i, rpmmd.Requires) {
		if pre {
			k.PreRequires = append(k.PreRequires, c.dep(n, ref))
		} else {
			k.Requires = append(k.Requires, c.dep(n, ref))
		}
	}
	lists := [rpmmd.DepKinds]*[]solv.Ref{
		rpmmd.Provides: &k.Provides, rpmmd.Conflicts: &k.Conflicts, rpmmd.Obsoletes: &k.Obsoletes, rpmmd.Suggests: &k.Suggests,
		rpmmd.Enhances: &k.Enhances, rpmmd.Recommends: &k.Recommends, rpmmd.Supplements: &k.Supplements,
	}
	for kind, list := range lists {
		if list == nil {
			continue
		}
		*list = (*list)[:0]
		for n := range c.List(i, rpmmd.DepKind(kind)) {
			*list = append(*list, c.dep(n, ref))
		}
	}
	k.Files = k.Files[:0]
	for n := range c.Files(i) {
		k.Files = append(k.Files, ref(n))
	}
	return k
}

func (c *catalog) dep(n int, ref func(int) solv.Ref) solv.Ref {
	if c.deps[n] == 0 {
		c.deps[n] = c.newDep(n, ref)
	}
	return c.deps[n]
}

func (c *catalog) newDep(n int, ref func(int) solv.Ref) solv.Ref {
	name, version, op := c.DepEntry(n)
	switch {
	case strings.HasPrefix(c.String(name), "("), strings.HasPrefix(c.String(version), "0:"):
		d := c.Dep(n)
		return c.pool.Ref(solv.Dep{Name: d.Name, Op: d.Op, EVR: d.EVR})
	case op == 0 || version == 0:
		return ref(name)
	}
	return c.pool.Relate(ref(name), solv.RelOp(op&7), ref(version))
}
