package solv

import (
	"bytes"
	"slices"
	"strings"

	"rpmostree/rpm/evr"
)

// providers says which packages provide a dependency. It is built from the pool when first
// needed and dropped whenever the pool changes.
type providers struct {
	ok       bool
	catalogs bool // there are some
	// The packages that provide string i, but for those of catalogs, are data[start[i]:start[i+1]].
	start   []uint32
	data    []ID
	names   memo // all packages that provide a string, as far as was asked
	rels    memo // and a relation
	scratch []ID
}

// A memo remembers lists by numbers above zero. It has no pointers for the garbage collector to follow.
type memo struct {
	index numberTable // number to that of the list, plus one
	lists []listSpan
	ids   []ID
}

// A listSpan is a part of a list: memo.ids.
type listSpan struct{ start, end int32 }

func (m *memo) get(i int) (list []ID, ok bool) {
	n := m.index.get(uint32(i))
	if n == 0 {
		return nil, false
	}
	l := m.lists[n-1]
	return m.ids[l.start:l.end:l.end], true
}

// set remembers a copy of the list of a number that has none yet, and returns it.
func (m *memo) set(i int, list []ID) []ID {
	m.ids = extend(m.ids, len(list))
	start := len(m.ids)
	m.ids = append(m.ids, list...)
	m.lists = append(extend(m.lists, 1), listSpan{int32(start), int32(len(m.ids))})
	m.index.set(uint32(i), uint32(len(m.lists)))
	return m.ids[start:len(m.ids):len(m.ids)]
}

// A numberTable has numbers by others, all above zero: a hash table with open addressing. It is for
// keys of which few are used and those lie far apart: so it takes less memory than an array, and less
// time.
type numberTable struct {
	slots []uint64 // the key, and above it the number; 0 = free
	n     int
}

// slot returns where a key is or would be; there has to be a free slot.
func (t *numberTable) slot(key uint32) *uint64 {
	mask := uint32(len(t.slots) - 1)
	h := key * 0x9e3779b1
	for h ^= h >> 15; ; h++ {
		if s := &t.slots[h&mask]; *s == 0 || uint32(*s) == key {
			return s
		}
	}
}

// get returns the number of a key, or 0.
func (t *numberTable) get(key uint32) uint32 {
	if t.n == 0 {
		return 0
	}
	return uint32(*t.slot(key) >> 32)
}

// set gives a number to a key that has none yet.
func (t *numberTable) set(key, n uint32) {
	if t.n++; t.n*2 > len(t.slots) {
		old := t.slots
		t.slots = make([]uint64, max(1<<10, 2*len(old)))
		for _, s := range old {
			if s != 0 {
				*t.slot(uint32(s)) = s
			}
		}
	}
	*t.slot(key) = uint64(n)<<32 | uint64(key)
}

type fileProvide struct {
	id   ID
	path Ref
}

func (p *Pool) invalidate() { p.prov = providers{} }

// AddFileProvide records that a package owns a path, as found out by searching file lists.
func (p *Pool) AddFileProvide(id ID, path string) {
	if id <= System || p.unknown(id) {
		return
	}
	p.late = append(p.late, fileProvide{id, p.strs.intern(path)})
	p.invalidate()
}

// WantedFiles returns the absolute paths that are named in dependencies but provided by no
// package of the pool as far as is known, sorted. They may be in file lists not yet read: see
// AddFileProvide.
func (p *Pool) WantedFiles() []string {
	p.prepare()
	for i := range p.sols[2:] {
		for kind := range depKinds {
			p.list(&p.sols[2+i], kind)
		}
	}
	used := newBitmap(p.strs.len())
	for _, d := range p.deps {
		p.markNames(d, used)
	}
	var paths []string
	for i := Ref(2); int(i) < p.strs.len(); i++ {
		if used.has(int32(i)) && bytes.HasPrefix(p.strs.raw(i), []byte("/")) && len(p.whatProvides(i)) == 0 {
			paths = append(paths, p.strs.get(i))
		}
	}
	slices.Sort(paths)
	return paths
}

func (p *Pool) markNames(d Ref, used bitmap) {
	for d.isRel() && d > 0 {
		r := p.rel(d)
		if r.op > 7 {
			p.markNames(r.right, used)
		}
		d = r.left
	}
	if d > 0 {
		used.set(int32(d))
	}
}

// baseName strips versions off a dependency.
func (p *Pool) baseName(d Ref) Ref {
	for d.isRel() {
		d = p.rel(d).left
	}
	return d
}

func (p *Pool) prepare() {
	if p.prov.ok {
		return
	}
	p.prov = providers{ok: true}
	own := len(p.late) > 0
	for _, r := range p.repos {
		p.prov.catalogs = p.prov.catalogs || r.catalog != nil
		own = own || len(r.own) > 0
	}
	if own {
		p.prov.index(p, p.strs.len())
	}
}

// index fills start and data, for the first n strings.
func (pr *providers) index(p *Pool, n int) {
	// First all names in the order of packages, then sorted by name, by counting.
	var names []Ref
	ends := make([]uint32, len(p.sols)) // per package, of its names
	count := make([]uint32, n+2)        // at a name plus two; then where the names before it end
	p.eachProvide(make([]ID, n), func(name Ref, id ID) {
		names = append(names, name)
		ends[id]++
		count[name+2]++
	})
	for i := range n {
		count[i+2] += count[i+1]
	}
	pr.data = make([]ID, len(names))
	at := 0
	for id, k := range ends {
		for _, name := range names[at : at+int(k)] {
			pr.data[count[name+1]] = ID(id)
			count[name+1]++
		}
		at += int(k)
	}
	pr.start = count[:n+1]
}

// eachProvide calls f once for every name and package that provides it, packages ascending; of those
// of catalogs only for late files. last is scratch space.
func (p *Pool) eachProvide(last []ID, f func(Ref, ID)) {
	late := slices.Clone(p.late)
	slices.SortStableFunc(late, func(a, b fileProvide) int { return int(a.id - b.id) })
	for i := 2; i < len(p.sols); i++ {
		id, s := ID(i), &p.sols[i]
		own := 0
		for own < len(late) && late[own].id == id {
			own++
		}
		mine := late[:own]
		late = late[own:]
		if s.has&fromCatalog != 0 && own == 0 || !p.visible(id) {
			continue
		}
		once := func(name Ref) {
			if last[name] != id {
				last[name] = id
				f(name, id)
			}
		}
		for _, l := range mine {
			once(l.path)
		}
		if s.has&fromCatalog != 0 {
			continue
		}
		for _, d := range p.list(s, depProvides) {
			once(p.baseName(d))
		}
		p.eachFile(s, func(path []byte) bool {
			if ref := p.strs.lookup(view(path)); ref > refEmpty && int(ref) < len(last) {
				once(ref)
			}
			return true
		})
	}
}

// whatProvides returns the packages that provide d, ascending. The result must not be changed.
func (p *Pool) whatProvides(d Ref) []ID {
	p.prepare()
	if d.isRel() {
		return p.relProviders(d)
	}
	if d <= 0 {
		return nil
	}
	if !p.prov.catalogs && int(d)+1 < len(p.prov.start) {
		return p.ownProviders(d)
	}
	if list, ok := p.prov.names.get(int(d)); ok {
		return list
	}
	list := append(p.prov.scratch[:0], p.ownProviders(d)...)
	own := len(list)
	if list = p.catalogProviders(list, d); len(list) > own {
		slices.Sort(list)
		list = slices.Compact(list)
	}
	p.prov.scratch = list
	return p.remember(&p.prov.names, int(d), d, list)
}

// ownProviders returns the packages that provide a name, but for those of catalogs.
func (p *Pool) ownProviders(name Ref) (list []ID) {
	if int(name)+1 < len(p.prov.start) {
		return p.prov.data[p.prov.start[name]:p.prov.start[name+1]]
	}
	if !bytes.HasPrefix(p.strs.raw(name), []byte("/")) {
		return nil
	}
	path := p.strs.get(name) // interned after the index was made
	for _, r := range p.repos {
		list = append(list, filterIDs(r.own, func(id ID) bool { return p.visible(id) && p.owns(&p.sols[id], path) })...)
	}
	slices.Sort(list)
	return list
}

func (p *Pool) owns(s *solvable, path string) (found bool) {
	p.eachFile(s, func(f []byte) bool {
		found = string(f) == path
		return !found
	})
	return found
}

func (p *Pool) relProviders(d Ref) []ID {
	i := int(d &^ relBit)
	if list, ok := p.prov.rels.get(i); ok {
		return list
	}
	if p.err != nil {
		return nil
	}
	return p.remember(&p.prov.rels, i, d, p.computeRel(d))
}

// remember keeps the providers of d in a memo.
func (p *Pool) remember(m *memo, i int, d Ref, list []ID) []ID {
	if len(p.prov.names.ids)+len(p.prov.rels.ids)+len(list) > p.limits.providers {
		p.fail(nil, d, p.limits.providers, "packages that provide something")
		list = nil
	}
	return m.set(i, list)
}

// computeRel finds the providers of a relation. For the boolean operators it answers who could
// play a part in fulfilling it.
func (p *Pool) computeRel(d Ref) []ID {
	r := p.rel(d)
	switch r.op {
	case OpWith:
		return filterIDs(p.whatProvides(r.left), func(id ID) bool { return contains(p.whatProvides(r.right), id) })
	case OpWithout:
		return filterIDs(p.whatProvides(r.left), func(id ID) bool { return !contains(p.whatProvides(r.right), id) })
	case OpAnd, OpOr:
		return mergeIDs(p.whatProvides(r.left), p.whatProvides(r.right))
	case OpIf, OpUnless:
		if r.right.isRel() && p.rel(r.right).op == OpElse {
			return mergeIDs(p.whatProvides(r.left), p.whatProvides(p.rel(r.right).right))
		}
		return p.whatProvides(r.left)
	case OpArch:
		return p.archProviders(r)
	case OpNamespace:
		return p.namespaces[d]
	case OpMultiarch:
		if p.strs.get(r.right) == "any" {
			return p.whatProvides(r.left)
		}
		return nil
	case OpKind:
		return filterIDs(p.whatProvides(r.left), func(id ID) bool { return p.isKind(p.sols[id].name, r.right) })
	}
	if r.op < 8 {
		return p.versionProviders(d, r)
	}
	return nil
}

func (p *Pool) isKind(name, kind Ref) bool {
	prefix := p.strs.get(kind) + ":"
	s := p.strs.get(name)
	return len(s) >= len(prefix) && s[:len(prefix)] == prefix
}

func (p *Pool) archProviders(r relation) []ID {
	want := p.strs.get(r.right)
	if want == "src" || want == "nosrc" { // these provide nothing, so they are not indexed
		var list []ID
		for i := 2; i < len(p.sols); i++ {
			s := &p.sols[i]
			if s.arch != r.right && p.strs.get(s.arch) != "nosrc" || p.excluded(ID(i)) {
				continue
			}
			if r.left == 0 || p.matchNEVR(s, r.left) {
				list = append(list, ID(i))
			}
		}
		return list
	}
	if r.left == 0 {
		var list []ID
		for i := 2; i < len(p.sols); i++ {
			if p.visible(ID(i)) && p.sols[i].arch == r.right {
				list = append(list, ID(i))
			}
		}
		return list
	}
	return filterIDs(p.whatProvides(r.left), func(id ID) bool { return p.sols[id].arch == r.right })
}

func (p *Pool) versionProviders(d Ref, r relation) []ID {
	name := p.baseName(r.left)
	var list []ID
	for _, id := range p.whatProvides(r.left) {
		s := &p.sols[id]
		if !p.has(s, depProvides) || p.isSource(s) {
			if p.matchNEVR(s, d) || p.lateOwner(id, name) {
				list = append(list, id)
			}
			continue
		}
		if p.providesVersion(s, name, r) || p.lateOwner(id, name) {
			list = append(list, id)
		}
	}
	if len(list) == 0 && p.isRpmlib(name) {
		list = []ID{System}
	}
	return list
}

// isRpmlib reports the name of something that the system provides in any version.
func (p *Pool) isRpmlib(name Ref) bool {
	return !name.isRel() && bytes.HasPrefix(p.strs.raw(name), []byte("rpmlib("))
}

// lateOwner reports that the package has the name as a file: that fits every version.
func (p *Pool) lateOwner(id ID, name Ref) bool {
	if !bytes.HasPrefix(p.strs.raw(name), []byte("/")) {
		return false
	}
	return slices.Contains(p.late, fileProvide{id, name}) || p.owns(&p.sols[id], p.strs.get(name))
}

func (p *Pool) providesVersion(s *solvable, name Ref, want relation) bool {
	list := p.list(s, depProvides)
	if len(list) > longList {
		list = p.longProvides(s, list)[name]
	}
	if p.compared += len(list); p.compared > p.limits.compared {
		p.fail(s, name, p.limits.compared, "comparisons of versions that are provided")
		return false
	}
	for _, d := range list {
		if !d.isRel() {
			if d == name {
				return true
			}
			continue
		}
		if r := p.rel(d); r.left == name && p.intersects(r, want) {
			return true
		}
	}
	return false
}

// longProvides returns the provides of a package by name: kernels have tens of thousands, and as many
// are asked for.
func (p *Pool) longProvides(s *solvable, list []Ref) map[Ref][]Ref {
	if byName := p.long[s.row]; byName != nil {
		return byName
	}
	byName := map[Ref][]Ref{}
	for _, d := range list {
		name := d
		if d.isRel() {
			name = p.rel(d).left
		}
		byName[name] = append(byName[name], d)
	}
	if p.long == nil {
		p.long = map[int32]map[Ref][]Ref{}
	}
	p.long[s.row] = byName
	return byName
}

// intersects compares two version ranges of the same name.
func (p *Pool) intersects(have, want relation) bool {
	if have.op > 7 || want.op > 7 {
		return false
	}
	h, w := evr.Op(have.op), evr.Op(want.op)
	const any = evr.LT | evr.EQ | evr.GT
	switch {
	case h == 0 || w == 0:
		return false
	case h == any || w == any || h&w&(evr.LT|evr.GT) != 0:
		return true
	case have.right == want.right:
		return h&w&evr.EQ != 0
	}
	switch p.matchCompare(have.right, want.right) {
	case -2:
		return h&evr.EQ != 0
	case -1:
		return w&evr.LT != 0 || h&evr.GT != 0
	case 0:
		return h&w&evr.EQ != 0
	case 1:
		return w&evr.GT != 0 || h&evr.LT != 0
	}
	return w&evr.EQ != 0
}

// evrCache keeps parsed versions by string.
type evrCache struct {
	index  numberTable // string to what is parsed, plus one
	parsed []evr.EVR
}

func (p *Pool) parseEVR(r Ref) *evr.EVR {
	c := &p.evrs
	n := c.index.get(uint32(r))
	if n == 0 {
		c.parsed = append(c.parsed, evr.Parse(p.strs.get(r)))
		n = uint32(len(c.parsed))
		c.index.set(uint32(r), n)
	}
	return &c.parsed[n-1]
}

func (p *Pool) matchCompare(a, b Ref) int {
	if a == b || a.isRel() || b.isRel() {
		return 0
	}
	x := *p.parseEVR(a)
	return p.compareParsed(x, *p.parseEVR(b), evr.MatchCompare)
}

// compareParsed compares two versions as the pool's flags say.
func (p *Pool) compareParsed(a, b evr.EVR, compare func(a, b evr.EVR) int) int {
	if p.flags.PromoteEpoch && a.HasEpoch && !b.HasEpoch {
		a.Epoch = 0
	}
	if !p.flags.DistEpochs {
		return compare(a, b)
	}
	var x, y string
	var okX, okY bool
	a.Release, x, okX = strings.Cut(a.Release, ":")
	b.Release, y, okY = strings.Cut(b.Release, ":")
	if c := compare(a, b); c != 0 || !okX || !okY {
		return c
	}
	return evr.Vercmp(x, y)
}

// compareEVR orders two versions.
func (p *Pool) compareEVR(a, b Ref) int {
	if a == b || a.isRel() || b.isRel() {
		return 0
	}
	x := *p.parseEVR(a)
	return p.compareParsed(x, *p.parseEVR(b), evr.Compare)
}

// matchNEVR matches a dependency against what a package is, not what it provides.
func (p *Pool) matchNEVR(s *solvable, d Ref) bool {
	if !d.isRel() {
		return s.name == d
	}
	r := p.rel(d)
	switch r.op {
	case OpArch:
		return (s.arch == r.right || p.strs.get(r.right) == "src" && p.strs.get(s.arch) == "nosrc") && p.matchNEVR(s, r.left)
	case OpOr:
		return p.matchNEVR(s, r.left) || p.matchNEVR(s, r.right)
	case OpAnd, OpWith:
		return p.matchNEVR(s, r.left) && p.matchNEVR(s, r.right)
	case OpWithout:
		return p.matchNEVR(s, r.left) && !p.matchNEVR(s, r.right)
	case OpMultiarch:
		return p.strs.get(r.right) == "any" && p.matchNEVR(s, r.left)
	}
	if r.op > 7 || !p.matchNEVR(s, r.left) {
		return false
	}
	return p.intersects(relation{op: RelOp(evr.EQ), right: s.evr}, r)
}

// SetNamespace answers a namespace dependency ("ns(arg)"): the packages that fulfil it, or
// System if the machine does.
func (p *Pool) SetNamespace(d Ref, ids []ID) {
	if p.namespaces == nil {
		p.namespaces = map[Ref][]ID{}
	}
	p.namespaces[d] = ids
	p.invalidate()
}

// identical reports that two packages are the same build.
func (p *Pool) identical(a, b *solvable) bool {
	if a.name != b.name || a.arch != b.arch || a.evr != b.evr || max(p.vendor(a), refEmpty) != max(p.vendor(b), refEmpty) {
		return false
	}
	if ta, tb := p.buildTime(a), p.buildTime(b); ta != 0 && tb != 0 {
		return ta == tb
	}
	// without build times: a rebuild mostly shows in the requirements
	x, y := slices.Clone(p.list(a, depRequires)), slices.Clone(p.list(b, depRequires))
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// obsoletesBy reports that the obsoletes entry d of s hits a package which is known to provide d.
func (p *Pool) obsoletesBy(s *solvable, d Ref, victim *solvable) bool {
	if !p.flags.ObsoletesUseProvides && !p.matchNEVR(victim, d) {
		return false
	}
	return !p.flags.ObsoletesUseColors || p.sameColor(s, victim)
}

func filterIDs(list []ID, keep func(ID) bool) []ID {
	var out []ID
	for _, id := range list {
		if keep(id) {
			out = append(out, id)
		}
	}
	return out
}

func mergeIDs(a, b []ID) []ID {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]ID, 0, len(a)+len(b))
	out = append(append(out, a...), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

func contains(sorted []ID, id ID) bool {
	_, ok := slices.BinarySearch(sorted, id)
	return ok
}

// compareVersion orders two versions without their releases.
func (p *Pool) compareVersion(a, b Ref) int {
	if a == b || a.isRel() || b.isRel() {
		return 0
	}
	x := *p.parseEVR(a)
	return evr.CompareVersion(x, *p.parseEVR(b))
}
