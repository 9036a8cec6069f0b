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
	// Origin returns where package i comes from: the number of its vendor, 0 if there is none, and
	// when it was built, in seconds since 1970; 0 = unknown.
	Origin(i int) (vendor int, buildTime int64)
	// List returns a list of package i: its paths, for HasFiles, or dependencies. pre are the
	// requirements that scripts need; list need not have them. ref gives the Ref of a string. The
	// pool is done with the result before it asks for the next.
	List(i int, which ListSet, ref func(n int) Ref) (list, pre []Ref)
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

// fromCatalog marks the packages of a catalog.
const fromCatalog ListSet = 1 << 15

// AddCatalog adds the packages of a catalog to the repository, which has to be empty until then,
// and returns the ID of the first; the others follow. Dependencies and paths are read when they
// are asked for.
func (r *Repo) AddCatalog(c Catalog) ID {
	p := r.pool
	r.catalog, r.first, r.span = c, ID(len(p.sols)), p.strs.adopt(c)
	// Not by slices.Grow, which would write to all of the new memory.
	p.sols = append(make([]solvable, 0, len(p.sols)+c.Len()), p.sols...)
	for i := range c.Len() {
		e := c.Entry(i)
		p.sols = append(p.sols, solvable{name: p.strs.ref(r.span, e.Name), arch: p.strs.ref(r.span, e.Arch), evr: p.strs.ref(r.span, e.EVR),
			repo: r.ref(), has: e.Lists | fromCatalog, row: -1 - int32(i)})
	}
	p.considerFrom(r.first)
	p.invalidate()
	return r.first
}

// entry returns the number of a package in the catalog that it is from.
func (p *Pool) entry(s *solvable) int {
	if s.row < 0 {
		return int(-1 - s.row)
	}
	return int(p.rows[s.row].entry)
}

// load reads a list of a package of a catalog.
func (p *Pool) load(s *solvable, which ListSet) (list, pre []Ref) {
	r := p.repoOf(s)
	return r.catalog.List(p.entry(s), which, func(n int) Ref { return p.strs.ref(r.span, n) })
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
			if id := r.first + ID(i); p.visible(id) {
				list = append(list, id)
			}
		}
	}
	return list
}

// A textSpan is the part of a string table that a catalog's strings are. Those that were there
// before keep their Refs.
type textSpan struct {
	first Ref // of number 0
	n     int
	src   Catalog
	own   map[int]Ref // by number: strings that were the table's own before
	isOwn bitmap      // the same numbers
	// refs has the Refs of strings, some of which earlier spans have too; 0 = not known yet. The
	// first span has none.
	refs []Ref
}

// adopt adds the strings of a catalog, without reading them, and returns their span.
func (t *stringTable) adopt(c Catalog) int {
	n := min(c.Strings(), int(relBit)-t.len())
	sp := textSpan{first: Ref(t.len()), n: n, src: c, own: map[int]Ref{}, isOwn: newBitmap(n)}
	t.eachOwn(func(ref Ref, s string) {
		if i := c.Find(s); i != 0 && i < n {
			sp.own[i] = ref
			sp.isOwn.set(int32(i))
		}
	})
	if len(t.spans) > 0 {
		sp.refs = make([]Ref, n)
	}
	t.spans = append(t.spans, sp)
	t.adopted += n
	return len(t.spans) - 1
}

// eachOwn calls f with the strings of the table's own, but for the empty one.
func (t *stringTable) eachOwn(f func(Ref, string)) {
	first, span := 0, 0 // own strings before those of the next span
	for i := 2; i < len(t.ends); i++ {
		for span < len(t.spans) && i+first >= int(t.spans[span].first) {
			first += t.spans[span].n
			span++
		}
		f(Ref(i+first), view(t.bytes[t.ends[i-1]:t.ends[i]]))
	}
}

// ref returns the Ref of string n of a span.
func (t *stringTable) ref(span, n int) Ref {
	sp := &t.spans[span]
	switch {
	case n == 0 || n >= sp.n:
		return refEmpty
	case sp.isOwn.has(int32(n)):
		return sp.own[n]
	case span == 0:
		return sp.first + Ref(n)
	}
	if sp.refs[n] == 0 {
		if sp.refs[n] = t.find(t.spans[:span], sp.src.String(n)); sp.refs[n] == 0 {
			sp.refs[n] = sp.first + Ref(n)
		}
	}
	return sp.refs[n]
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
