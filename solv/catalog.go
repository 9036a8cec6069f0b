package solv

import (
	"iter"
	"unsafe"
)

// A Catalog has the packages of a repository in a form of its own, from which a pool takes only
// what it needs and when it needs it: most packages of a distribution play no part in a request.
// Equal strings have equal numbers. It must not change as long as the pool is in use.
type Catalog interface {
	// Len returns how many packages there are.
	Len() int
	// Entry returns what package i is.
	Entry(i int) CatalogEntry
	// Package returns all of package i. ref gives the Ref of a string. The pool is done with the
	// result before it asks for the next.
	Package(i int, ref func(n int) Ref) *Interned
	// Providers returns the packages that provide a name, or own the file of that name, ascending.
	Providers(n int) iter.Seq[int]

	// Strings returns one more than the highest number of a string.
	Strings() int
	// String returns the string of a number; that of 0 is empty.
	String(n int) string
	// Find returns the number of a string, or 0 if there is none.
	Find(s string) int
}

// A CatalogEntry is the identity of a package by numbers of strings, and which of its lists are
// not empty.
type CatalogEntry struct {
	Name, Arch, EVR int
	Vendor          int // 0 if there is none
	BuildTime       int64
	Lists           ListSet
}

// A ListSet is a set of lists that a package may have.
type ListSet uint16

// The lists of a package.
const (
	HasRequires ListSet = 1 << iota // also if there are only PreRequires
	HasProvides
	HasConflicts
	HasObsoletes
	HasRecommends
	HasSuggests
	HasSupplements
	HasEnhances
	HasOrderWithRequires
	HasFiles
)

// Interned is a Package whose strings and dependencies are interned.
type Interned struct {
	Name, Arch, EVR Ref
	Vendor          Ref // 0 if there is none
	BuildTime       int64

	Provides, Requires, Conflicts, Obsoletes    []Ref
	PreRequires                                 []Ref // those with Dep.Pre; Requires need not have them
	Recommends, Suggests, Supplements, Enhances []Ref
	OrderWithRequires                           []Ref
	Files                                       []Ref // their paths
}

// fromCatalog marks the packages of a catalog.
const fromCatalog ListSet = 1 << 15

// AddCatalog adds the packages of a catalog to the repository, which has to be empty until then,
// and returns the ID of the first; the others follow. Dependencies and paths are read when they
// are asked for.
func (r *Repo) AddCatalog(c Catalog) ID {
	p := r.pool
	first := ID(len(p.sols))
	span := p.strs.adopt(c)
	r.catalog, r.span = c, span
	// Not by slices.Grow, which would write to all of the new memory.
	p.sols = append(make([]solvable, 0, len(p.sols)+c.Len()), p.sols...)
	r.ids = make([]ID, c.Len())
	for i := range c.Len() {
		e := c.Entry(i)
		s := solvable{name: p.strs.ref(span, e.Name), arch: p.strs.ref(span, e.Arch), evr: p.strs.ref(span, e.EVR),
			repo: r.ref(), buildTime: e.BuildTime, has: e.Lists | fromCatalog, row: -1 - int32(i)}
		if e.Vendor != 0 {
			s.vendor = p.strs.ref(span, e.Vendor)
		}
		p.sols = append(p.sols, s)
		r.ids[i] = first + ID(i)
	}
	p.considerFrom(first)
	p.invalidate()
	return first
}

// own returns the packages that are not of the catalog.
func (r *Repo) own() []ID {
	if r.catalog == nil {
		return r.ids
	}
	return r.ids[r.catalog.Len():]
}

// load reads the lists of a package of a catalog.
func (p *Pool) load(s *solvable) {
	r := p.repoOf(s)
	k := r.catalog.Package(int(-1-s.row), func(n int) Ref { return p.strs.ref(r.span, n) })
	p.addLists(s, k)
}

// catalogProviders appends the packages of catalogs that provide a name.
func (p *Pool) catalogProviders(list []ID, name Ref) []ID {
	for _, r := range p.repos {
		if r.catalog == nil {
			continue
		}
		n := p.strs.numberIn(r.span, name)
		if n == 0 {
			continue
		}
		for i := range r.catalog.Providers(n) {
			if id := r.ids[i]; p.visible(id) {
				list = append(list, id)
			}
		}
	}
	return list
}

// A textSpan is the part of a string table that a catalog's strings are.
type textSpan struct {
	first Ref // of number 0
	n     int
	src   Catalog
	refs  []Ref // by number; 0 = not known yet. Strings that were there before keep their Refs
}

// adopt adds the strings of a catalog, without reading them, and returns their span.
func (t *stringTable) adopt(c Catalog) int {
	n := min(c.Strings(), int(relBit)-t.len())
	t.spans = append(t.spans, textSpan{first: Ref(t.len()), n: n, src: c, refs: make([]Ref, c.Strings())})
	t.adopted += n
	return len(t.spans) - 1
}

// ref returns the Ref of string n of a span.
func (t *stringTable) ref(span, n int) Ref {
	sp := &t.spans[span]
	if sp.refs[n] == 0 {
		sp.refs[n] = t.newRef(span, n)
	}
	return sp.refs[n]
}

func (t *stringTable) newRef(span, n int) Ref {
	sp := &t.spans[span]
	s := sp.src.String(n)
	if s == "" || n >= sp.n {
		return refEmpty
	}
	if _, _, ref := t.slot(s); ref != 0 {
		return ref
	}
	if ref := t.find(t.spans[:span], s); ref != 0 {
		return ref
	}
	return sp.first + Ref(n)
}

// find returns the Ref of a string of spans: that in the first which has it.
func (t *stringTable) find(spans []textSpan, s string) Ref {
	for i := range spans {
		if n := spans[i].src.Find(s); n != 0 && n < spans[i].n {
			return spans[i].first + Ref(n)
		}
	}
	return 0
}

// numberIn returns the number that a string has in a span's catalog, or 0.
func (t *stringTable) numberIn(span int, i Ref) int {
	sp := &t.spans[span]
	if i >= sp.first && int(i-sp.first) < sp.n {
		return int(i - sp.first)
	}
	return sp.src.Find(view(t.raw(i)))
}

// locate returns where a string is: its span and its number there, or no span and its number among
// the table's own.
func (t *stringTable) locate(i Ref) (*textSpan, int) {
	own := int(i)
	for k := range t.spans {
		sp := &t.spans[k]
		if i < sp.first {
			break
		}
		if n := int(i - sp.first); n < sp.n {
			return sp, n
		}
		own -= sp.n
	}
	return nil, own
}

// viewBytes returns a string as bytes, which must not be changed.
func viewBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
