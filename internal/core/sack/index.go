package sack

import (
	"slices"
	"strings"

	"rpmostree/rpmmd"
	"rpmostree/solv"
)

// A catalog is an index as the solver wants to see it. It interns each dependency once.
type catalog struct {
	*rpmmd.Index
	pool *solv.Pool
	deps map[int]solv.Ref // by number, as far as they are interned: those are few
	list []solv.Ref       // scratch space, as pre
	pre  []solv.Ref
}

func newCatalog(p *solv.Pool, x *rpmmd.Index) *catalog {
	return &catalog{Index: x, pool: p, deps: map[int]solv.Ref{}}
}

// kinds are the lists of a package by kind.
var kinds = [rpmmd.DepKinds]solv.ListSet{
	rpmmd.Provides: solv.HasProvides, rpmmd.Requires: solv.HasRequires, rpmmd.Conflicts: solv.HasConflicts, rpmmd.Obsoletes: solv.HasObsoletes,
	rpmmd.Suggests: solv.HasSuggests, rpmmd.Enhances: solv.HasEnhances, rpmmd.Recommends: solv.HasRecommends, rpmmd.Supplements: solv.HasSupplements,
}

// Entry returns what package i is.
func (c *catalog) Entry(i int) solv.CatalogEntry {
	e := c.Index.Entry(i)
	out := solv.CatalogEntry{Name: e.Name, Arch: e.Arch, EVR: e.EVR}
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

// Origin returns the vendor of package i and when it was built.
func (c *catalog) Origin(i int) (vendor int, buildTime int64) {
	e := c.Index.Entry(i)
	return e.Vendor, e.BuildTime
}

// List returns dependencies or files of package i, and is valid until the next call.
func (c *catalog) List(i int, which solv.ListSet, ref func(int) solv.Ref) (list, pre []solv.Ref) {
	c.list, c.pre = c.list[:0], c.pre[:0]
	if which == solv.HasFiles {
		for n := range c.Files(i) {
			c.list = append(c.list, ref(n))
		}
		return c.list, nil
	}
	kind := rpmmd.DepKind(slices.Index(kinds[:], which))
	for n, pre := range c.Index.List(i, kind) {
		if pre && kind == rpmmd.Requires {
			c.pre = append(c.pre, c.dep(n, ref))
		} else {
			c.list = append(c.list, c.dep(n, ref))
		}
	}
	return c.list, c.pre
}

func (c *catalog) dep(n int, ref func(int) solv.Ref) solv.Ref {
	d := c.deps[n]
	if d == 0 {
		d = c.newDep(n, ref)
		c.deps[n] = d
	}
	return d
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
