package solv

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rpmostree/rpm/evr"
)

// ID names a package of a Pool. IDs are given in the order of Repo.Add, which is also the
// order that decides between otherwise equal packages. The zero ID is none.
type ID = int32

// System is the ID of the machine itself, which provides what rpm provides ("rpmlib(...)").
const System ID = 1

// Pool holds packages and the dependencies between them.
//
// A Pool is not safe for concurrent use: even Solve fills its caches.
type Pool struct {
	strs  stringTable
	rels  relationTable
	sols  []solvable
	rows  []listRow // where the lists of packages are
	deps  []Ref     // their dependencies, each list ended by 0
	paths []Ref     // their files, if the paths are interned
	files []byte    // if not: each ended by NUL
	repos []*Repo
	arch  archPolicy

	installed  *Repo
	considered bitmap // packages that may be used; nil = all
	exclusion  func(ID) string
	flags      PoolFlags
	vendors    []vendorClass
	namespaces map[Ref][]ID

	late []fileProvide // AddFileProvide
	prov providers
	evrs evrCache
	long map[int32]map[Ref][]Ref // by listRow: the provides of packages that have many, by name

	limits   limits
	compared int
	err      error // see Err
}

// Limits of what packages may ask for. No distribution comes near; one that does is broken or hostile.
const (
	// MaxProviders is how many packages there may be in all lists of what provides something.
	MaxProviders = 1 << 26
	// MaxCompared is how many provided versions may be compared with wanted ones.
	MaxCompared = 1 << 31
	// MaxRules is how many rules may be made of the dependencies of packages.
	MaxRules = 1 << 23
)

type limits struct{ providers, compared, rules int }

// Err returns an error if a limit was exceeded. What the pool and the solver have answered since then
// is wrong.
func (p *Pool) Err() error { return p.err }

// fail records that a limit was exceeded, because of a package (0: many) and a dependency.
func (p *Pool) fail(s *solvable, d Ref, limit int, what string) {
	if p.err != nil {
		return
	}
	at := ""
	if s != nil {
		at = " at " + p.strs.get(s.name) + "-" + p.strs.get(s.evr) + "." + p.strs.get(s.arch)
		if r := p.repoOf(s); r != nil {
			at += " of repository " + r.name
		}
	}
	if d != 0 {
		at += ", dependency " + p.DepString(d)
	}
	p.err = fmt.Errorf("%w%s: more than %d %s", ErrLimit, at, limit, what)
}

// ErrLimit is wrapped by the errors of Pool.Err.
var ErrLimit = errors.New("dependencies exceed a limit")

// PoolFlags are properties of the packaging system.
type PoolFlags struct {
	// ImplicitObsoletesUseColors lets packages of the same name but different word size (i686 and
	// x86_64) be installed side by side, and keeps their versions equal. Fedora's choice.
	ImplicitObsoletesUseColors bool
	// ObsoletesUseColors makes Obsoletes tags match only packages of the same word size.
	ObsoletesUseColors bool
	// ObsoletesUseProvides makes Obsoletes tags match provides instead of names.
	ObsoletesUseProvides bool
	// ImplicitObsoletesUseProvides makes a package exclude those that provide its name.
	ImplicitObsoletesUseProvides bool
	// NoInstalledObsoletes ignores the Obsoletes of installed packages.
	NoInstalledObsoletes bool
	// ForbidSelfConflicts makes a package that conflicts with itself uninstallable.
	ForbidSelfConflicts bool
	// NoObsoletesMultiversion makes multiversion packages ignore their Obsoletes by default.
	NoObsoletesMultiversion bool
	// PromoteEpoch ignores the epoch of the first of two versions if the second has none.
	PromoteEpoch bool
	// DistEpochs compares what follows a colon in a release, if both have it, by itself.
	DistEpochs bool
	// HideExcluded removes excluded packages from sight, so that a problem says "nothing
	// provides" instead of "is excluded".
	HideExcluded bool
}

// Kinds of dependency lists, in the order of ListSet.
type depKind uint8

const (
	depRequires depKind = iota
	depProvides
	depConflicts
	depObsoletes
	depRecommends
	depSuggests
	depSupplements
	depEnhances
	depOrder
	depKinds
)

type solvable struct {
	name, evr, arch Ref
	repo            repoRef
	row             int32 // in Pool.rows; if negative, -1 minus the number in the repository's catalog
	has             ListSet
}

// A repoRef is the number of a repository plus one: a pool has many packages, and the garbage
// collector need not look at them if there are no pointers.
type repoRef int32

// noRepo is the repository of the system.
const noRepo repoRef = 0

func (r *Repo) ref() repoRef { return repoRef(r.index + 1) }

// repoOf returns the repository of a package; nil for the system.
func (p *Pool) repoOf(s *solvable) *Repo {
	if s.repo == noRepo {
		return nil
	}
	return p.repos[s.repo-1]
}

// A listRow has what is seldom asked of a package, and says where its lists are. Those of a package
// of a catalog are read when they are asked for: then their offset is 0 although the package has them.
type listRow struct {
	deps            [depKinds]uint32 // offset in Pool.deps; 0 = empty list
	paths, pathsEnd uint32           // offsets in Pool.paths
	files, filesEnd uint32           // offsets in Pool.files
	entry           int32            // number in the catalog
	vendor          Ref              // of a package of no catalog; 0 if there is none
	buildTime       int64
}

// Repo is a set of packages from one place.
type Repo struct {
	pool     *Pool
	name     string
	index    int
	priority int     // higher is better
	sub      int     // decides between equal packages; higher is better
	own      []ID    // packages that are not of the catalog
	all      []ID    // see IDs; nil if there is no catalog
	catalog  Catalog // nil if the packages were added one by one
	first    ID      // of the catalog
	span     int     // of its strings
}

// Package is what the solver has to know about a package.
type Package struct {
	Name   string
	Arch   string // "src" and "nosrc" are source packages
	EVR    string // "[EPOCH:]VERSION-RELEASE"
	Vendor string
	// BuildTime tells rebuilds of equal NEVRA apart, in seconds since 1970; 0 = unknown.
	BuildTime int64

	// Provides should include the package itself ("NAME = EVR"), as rpm's metadata does.
	Provides, Requires, Conflicts, Obsoletes    []Dep
	Recommends, Suggests, Supplements, Enhances []Dep
	OrderWithRequires                           []Dep

	// Files are absolute paths that the package is known to own. It need not be the whole list:
	// see Pool.WantedFiles.
	Files []string
}

// NewPool returns an empty pool for a machine architecture; see SetArch.
func NewPool(arch string) *Pool {
	p := &Pool{
		strs:   newStringTable(),
		rels:   newRelationTable(),
		sols:   make([]solvable, 2),
		deps:   make([]Ref, 1),
		repos:  nil,
		limits: limits{providers: MaxProviders, compared: MaxCompared, rules: MaxRules},
	}
	p.SetArch(arch)
	return p
}

// SetFlags replaces the pool's flags.
func (p *Pool) SetFlags(f PoolFlags) {
	p.flags = f
	p.invalidate()
}

// AddRepo adds an empty repository. Of two packages that could be used, that from the
// repository with the numerically lower priority wins whatever its version (dnf's default is
// 99); cost (default 1000, lower is better) only decides between equal packages.
func (p *Pool) AddRepo(name string, priority, cost int) *Repo {
	r := &Repo{pool: p, name: name, index: len(p.repos), priority: -priority, sub: -cost}
	p.repos = append(p.repos, r)
	return r
}

// Repo returns the repository of a name, or nil.
func (p *Pool) Repo(name string) *Repo {
	for _, r := range p.repos {
		if r.name == name {
			return r
		}
	}
	return nil
}

// Repos returns all repositories in the order in which they were added.
func (p *Pool) Repos() []*Repo { return slices.Clone(p.repos) }

// Priority returns priority and cost as given to AddRepo.
func (r *Repo) Priority() (priority, cost int) { return -r.priority, -r.sub }

// Name returns the name given to AddRepo.
func (r *Repo) Name() string { return r.name }

// IDs returns the packages in the order in which they were added. The result must not be changed.
func (r *Repo) IDs() []ID {
	if r.catalog == nil {
		return r.own
	}
	if n := r.catalog.Len(); len(r.all) < n+len(r.own) {
		r.all = make([]ID, n, n+len(r.own))
		for i := range r.all {
			r.all[i] = r.first + ID(i)
		}
		r.all = append(r.all, r.own...)
	}
	return r.all
}

// SetInstalled says which repository holds the installed packages; nil = nothing is installed.
// Its packages have to have been added one after the other.
func (p *Pool) SetInstalled(r *Repo) {
	p.installed = r
	p.invalidate()
}

// Installed returns the repository of installed packages, or nil.
func (p *Pool) Installed() *Repo { return p.installed }

// SetConsidered restricts the pool to the packages for which keep is true; nil lifts the
// restriction. Packages that are added afterwards are not restricted. Excluded packages are not
// installed but explain problems.
func (p *Pool) SetConsidered(keep func(ID) bool) {
	p.considered = nil
	if keep != nil {
		p.considered = newBitmap(len(p.sols))
		for id := ID(1); int(id) < len(p.sols); id++ {
			if id == System || keep(id) {
				p.considered.set(id)
			}
		}
	}
	p.invalidate()
}

// NameExclusions says by what packages are left out with SetConsidered, for what is told of
// problems: libdnf has "modular" besides "exclude", which "" stands for.
func (p *Pool) NameExclusions(by func(ID) string) { p.exclusion = by }

// Add adds a package to the repository and returns its ID.
func (r *Repo) Add(pkg Package) ID {
	p := r.pool
	s := solvable{name: p.strs.intern(pkg.Name), arch: p.strs.intern(pkg.Arch), evr: p.InternEVR(pkg.EVR), repo: r.ref(), row: int32(len(p.rows))}
	row := listRow{buildTime: pkg.BuildTime}
	if pkg.Vendor != "" {
		row.vendor = p.strs.intern(pkg.Vendor)
	}
	for kind, deps := range [depKinds][]Dep{
		depRequires: pkg.Requires, depProvides: pkg.Provides, depConflicts: pkg.Conflicts, depObsoletes: pkg.Obsoletes, depRecommends: pkg.Recommends,
		depSuggests: pkg.Suggests, depSupplements: pkg.Supplements, depEnhances: pkg.Enhances, depOrder: pkg.OrderWithRequires,
	} {
		var list, pre []Ref
		for _, d := range deps {
			if d.Pre && depKind(kind) == depRequires {
				pre = append(pre, p.dep(d))
			} else {
				list = append(list, p.dep(d))
			}
		}
		if row.deps[kind] = p.addDeps(list, pre); row.deps[kind] != 0 {
			s.has |= 1 << kind
		}
	}
	row.files = uint32(len(p.files))
	for _, f := range pkg.Files {
		if strings.IndexByte(f, 0) < 0 && len(p.files)+len(f) < maxText {
			p.files = append(append(p.files, f...), 0)
			s.has |= HasFiles
		}
	}
	row.filesEnd = uint32(len(p.files))
	id := ID(len(p.sols))
	p.rows = append(extend(p.rows, 1), row)
	p.sols = append(p.sols, s)
	r.own = append(r.own, id)
	p.considerFrom(id)
	p.invalidate()
	return id
}

// considerFrom lifts the restriction for packages that were added after it.
func (p *Pool) considerFrom(id ID) {
	if p.considered == nil {
		return
	}
	for ; int(id) < len(p.sols); id++ {
		for len(p.considered) <= int(id)/64 {
			p.considered = append(p.considered, 0)
		}
		p.considered.set(id)
	}
}

// preMarker divides ordinary requirements from those needed by scripts.
const preMarker Ref = -1

// addDeps stores a list, without what it has twice, and returns its offset. What is in pre follows
// preMarker, and only that.
func (p *Pool) addDeps(list, pre []Ref) uint32 {
	if len(list)+len(pre) == 0 {
		return 0
	}
	p.deps = extend(p.deps, len(list)+len(pre)+2)
	start := len(p.deps)
	p.appendDeps(start, list, pre)
	if len(pre) > 0 {
		p.deps = append(p.deps, preMarker)
		p.appendDeps(start, pre, nil)
	}
	p.deps = append(p.deps, 0)
	return uint32(start)
}

// appendDeps appends dependencies to the list that begins at start, but for those that are in it
// already or in another list.
func (p *Pool) appendDeps(start int, list, but []Ref) {
	if len(list) > longList {
		p.appendLong(start, list, but)
		return
	}
	for _, d := range list {
		if !slices.Contains(p.deps[start:], d) && !slices.Contains(but, d) {
			p.deps = append(p.deps, d)
		}
	}
}

// longList is more than the dependencies that almost every package has.
const longList = 64

// appendLong is appendDeps in time that grows with the lists, not with their square.
func (p *Pool) appendLong(start int, list, but []Ref) {
	seen := make(map[Ref]bool, len(list))
	for _, d := range slices.Concat(p.deps[start:], but) {
		seen[d] = true
	}
	for _, d := range list {
		if !seen[d] {
			seen[d] = true
			p.deps = append(p.deps, d)
		}
	}
}

// lists returns where the lists of a package are.
func (p *Pool) lists(s *solvable) *listRow {
	if s.row < 0 {
		p.rows = append(extend(p.rows, 1), listRow{entry: -1 - s.row})
		s.row = int32(len(p.rows) - 1)
	}
	return &p.rows[s.row]
}

// list returns one dependency list of a package; requirements include preMarker.
func (p *Pool) list(s *solvable, k depKind) []Ref {
	if !p.has(s, k) {
		return nil
	}
	row := p.lists(s)
	if row.deps[k] == 0 {
		row.deps[k] = p.addDeps(p.load(s, 1<<k))
	}
	d := p.deps[row.deps[k]:]
	n := 0
	for d[n] != 0 {
		n++
	}
	return d[:n]
}

func (p *Pool) has(s *solvable, k depKind) bool { return s.has&(1<<k) != 0 }

// eachFile calls f with every known path of a package, without copying; f must not keep it.
func (p *Pool) eachFile(s *solvable, f func(path []byte) bool) {
	if s.has&HasFiles == 0 {
		return
	}
	row := p.lists(s)
	if s.has&fromCatalog != 0 && row.pathsEnd == 0 {
		list, _ := p.load(s, HasFiles)
		row.paths = uint32(len(p.paths))
		p.paths = append(p.paths, list...)
		row.pathsEnd = uint32(len(p.paths))
	}
	for _, ref := range p.paths[row.paths:row.pathsEnd] {
		if !f(p.strs.raw(ref)) {
			return
		}
	}
	data := p.files[row.files:row.filesEnd]
	for len(data) > 0 {
		n := bytes.IndexByte(data, 0)
		if !f(data[:n]) {
			return
		}
		data = data[n+1:]
	}
}

// Len returns one more than the highest ID.
func (p *Pool) Len() int { return len(p.sols) }

// Info is how a package is known to people.
type Info struct {
	Name, EVR, Arch, Vendor string
	Repo                    *Repo // nil for System
}

// Info returns the identity of a package.
func (p *Pool) Info(id ID) Info {
	if id <= 0 || int(id) >= len(p.sols) {
		return Info{}
	}
	s := &p.sols[id]
	return Info{p.strs.get(s.name), p.strs.get(s.evr), p.strs.get(s.arch), p.strs.get(p.vendor(s)), p.repoOf(s)}
}

// String returns NAME-EVR.ARCH.
func (p *Pool) String(id ID) string {
	if id == System {
		return "system:system.noarch" // as libsolv names it
	}
	if id <= 0 || int(id) >= len(p.sols) {
		return "unknown"
	}
	s := &p.sols[id]
	str := p.strs.get(s.name) + "-" + p.strs.get(s.evr)
	if a := p.strs.get(s.arch); a != "" {
		str += "." + a
	}
	return str
}

func (p *Pool) isInstalled(id ID) bool {
	return p.installed != nil && p.sols[id].repo == p.installed.ref()
}

func (p *Pool) isSource(s *solvable) bool {
	return s.arch == p.arch.src || s.arch == p.arch.nosrc
}

func (p *Pool) badArch(s *solvable) bool {
	return !p.arch.any && (s.arch == 0 || p.archRank(s.arch) == 0)
}

// excluded reports that SetConsidered forbids the package.
func (p *Pool) excluded(id ID) bool { return p.considered != nil && !p.considered.has(id) }

// installable reports that a package may be installed at all.
func (p *Pool) installable(id ID) bool {
	s := &p.sols[id]
	return s.repo != noRepo && !p.badArch(s) && !p.isSource(s) && !p.excluded(id)
}

// visible reports that a package may appear in provider lists.
func (p *Pool) visible(id ID) bool {
	s := &p.sols[id]
	if p.installed != nil && s.repo == p.installed.ref() {
		return true
	}
	return !p.badArch(s) && !p.isSource(s) && !(p.flags.HideExcluded && p.excluded(id))
}

// bitmap is a set of small numbers.
type bitmap []uint64

func newBitmap(n int) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) has(i int32) bool { return int(i>>6) < len(b) && b[i>>6]&(1<<(uint(i)&63)) != 0 }
func (b bitmap) set(i int32)      { b[i>>6] |= 1 << (uint(i) & 63) }
func (b bitmap) clear(i int32)    { b[i>>6] &^= 1 << (uint(i) & 63) }
func (b bitmap) zero()            { clear(b) }

// vendorClass is a set of vendor names (lower case, with '*' wildcards) between which packages
// may move; a name with a leading '!' is excluded.
type vendorClass []string

// AddVendorClass declares vendors to be equal for the purpose of vendor changes. A pattern may
// contain wildcards; one with a leading '!' keeps a vendor out of the class.
func (p *Pool) AddVendorClass(patterns ...string) {
	c := make(vendorClass, len(patterns))
	for i, s := range patterns {
		c[i] = strings.ToLower(s)
	}
	p.vendors = append(p.vendors, c)
}

func (p *Pool) vendorMask(v Ref) (mask uint64) {
	name := strings.ToLower(p.strs.get(v))
	for i, class := range p.vendors {
		if i == 64 {
			break
		}
		for _, pat := range class {
			not := strings.HasPrefix(pat, "!")
			if glob(strings.TrimPrefix(pat, "!"), name) {
				if !not {
					mask |= 1 << i
				}
				break
			}
		}
	}
	return mask
}

// vendorChange reports that replacing a by b is a change of vendor.
func (p *Pool) vendorChange(a, b *solvable) bool {
	va, vb := max(p.vendor(a), refEmpty), max(p.vendor(b), refEmpty)
	if va == vb {
		return false
	}
	return p.vendorMask(va)&p.vendorMask(vb) == 0
}

// vendor returns the vendor of a package, or 0.
func (p *Pool) vendor(s *solvable) Ref {
	if s.has&fromCatalog == 0 {
		return p.rows[s.row].vendor
	}
	r := p.repoOf(s)
	if n, _ := r.catalog.Origin(p.entry(s)); n != 0 {
		return p.strs.ref(r.span, n)
	}
	return 0
}

// buildTime returns when a package was built, in seconds since 1970, or 0.
func (p *Pool) buildTime(s *solvable) int64 {
	if s.has&fromCatalog == 0 {
		return p.rows[s.row].buildTime
	}
	_, t := p.repoOf(s).catalog.Origin(p.entry(s))
	return t
}

// Compare orders two packages by version.
func (p *Pool) Compare(a, b ID) int { return p.compareEVR(p.sols[a].evr, p.sols[b].evr) }

// Identical reports that two packages are the same build.
func (p *Pool) Identical(a, b ID) bool { return p.identical(&p.sols[a], &p.sols[b]) }

// splitDep returns a dependency in parts. A rich one stays in one piece, as its Name.
func (p *Pool) splitDep(d Ref, pre bool) Dep {
	if d.isRel() {
		if r := p.rel(d); r.op < 8 && !r.left.isRel() && !r.right.isRel() {
			return Dep{Name: p.strs.get(r.left), Op: evr.Op(r.op), EVR: p.strs.get(r.right), Pre: pre, Ref: d}
		}
	}
	return Dep{Name: p.DepString(d), Pre: pre, Ref: d}
}

// Package returns what Add was given, as far as the solver keeps it: dependencies without
// duplicates, with Ref set (which has to be cleared before they are used in another pool).
func (p *Pool) Package(id ID) Package {
	if id <= System || int(id) >= len(p.sols) {
		return Package{}
	}
	s := &p.sols[id]
	deps := func(k depKind) (list []Dep) {
		pre := false
		for _, d := range p.list(s, k) {
			if d == preMarker {
				pre = true
				continue
			}
			list = append(list, p.splitDep(d, pre))
		}
		return list
	}
	k := Package{
		Name: p.strs.get(s.name), EVR: p.strs.get(s.evr), Arch: p.strs.get(s.arch), Vendor: p.strs.get(p.vendor(s)), BuildTime: p.buildTime(s),
		Provides: deps(depProvides), Requires: deps(depRequires), Conflicts: deps(depConflicts), Obsoletes: deps(depObsoletes),
		Recommends: deps(depRecommends), Suggests: deps(depSuggests), Supplements: deps(depSupplements), Enhances: deps(depEnhances),
		OrderWithRequires: deps(depOrder),
	}
	p.eachFile(s, func(path []byte) bool {
		k.Files = append(k.Files, string(path))
		return true
	})
	return k
}
