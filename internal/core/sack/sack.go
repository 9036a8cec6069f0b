// Package sack is the set of packages that a request is resolved against: those
// of the base tree, of the enabled repositories, and those given as files. It
// answers requests with solv.
package sack

import (
	"iter"

	"rpmostree/rpm"
	"rpmostree/rpm/evr"
	"rpmostree/rpm/rpmdb"
	"rpmostree/rpmmd"
	"rpmostree/solv"
)

// A Source says where a package of the pool comes from: it is remote, or one of
// Installed and Local is set.
type Source struct {
	Repo      string // ID of the repository that it is from, or once was
	Installed *rpmdb.Installed
	Local     *Local

	index *rpmmd.Index // of a repository
	n     int          // number in it
}

// Remote reports whether the package is one of a repository's metadata.
func (s Source) Remote() bool { return s.index != nil }

// Package returns what the repository's metadata says of a remote package.
func (s Source) Package() *rpmmd.Package { return s.index.Package(s.n) }

// Summary returns the summary of a remote package.
func (s Source) Summary() string { return s.index.Summary(s.n) }

// Provided returns the names of what a remote package provides.
func (s Source) Provided() iter.Seq[string] { return s.index.Provided(s.n) }

// NEVRA returns what identifies a remote package.
func (s Source) NEVRA() evr.NEVRA { return s.index.NEVRA(s.n) }

// A Local is a package that was given as a file.
type Local struct {
	Path   string // "" if only the package cache has it
	Header *rpm.Header
	SHA256 string // of lead, signature header and header, hex
	// Checksum is that of the whole file, "ALGO:HEX", if it came from a
	// repository once.
	Checksum string
}

// A Sack is a pool of packages and where each comes from.
type Sack struct {
	Pool    *solv.Pool
	indexes []indexed          // ascending
	others  map[solv.ID]Source // of packages that are in no index
	repos   map[string]*solv.Repo
	locals  *solv.Repo
	arch    string
}

// An indexed is where the packages of an index are in the pool.
type indexed struct {
	first solv.ID
	repo  string
	index *rpmmd.Index
}

// New returns an empty sack for machines of that architecture (rpm's name,
// such as "x86_64").
func New(arch string) *Sack {
	p := solv.NewPool(arch)
	p.SetFlags(solv.PoolFlags{ImplicitObsoletesUseColors: true})
	return &Sack{Pool: p, arch: arch, others: map[solv.ID]Source{}, repos: map[string]*solv.Repo{}}
}

// Source returns where a package comes from; the zero Source for an ID that is
// none of the sack's.
func (s *Sack) Source(id solv.ID) Source {
	for _, x := range s.indexes {
		if n := int(id - x.first); n >= 0 && n < x.index.Len() {
			return Source{Repo: x.repo, index: x.index, n: n}
		}
	}
	return s.others[id]
}

func (s *Sack) add(r *solv.Repo, p solv.Package, src Source) solv.ID {
	id := r.Add(p)
	s.others[id] = src
	return id
}

// AddInstalled adds the packages of the base tree. It must be called first, so
// that they come before all others.
func (s *Sack) AddInstalled(pkgs []rpmdb.Installed) {
	r := s.Pool.AddRepo("@System", 99, 1000)
	for i := range pkgs {
		s.add(r, fromHeader(pkgs[i].Header), Source{Installed: &pkgs[i]})
	}
	s.Pool.SetInstalled(r)
}

// AddRepo adds an empty repository, to be filled by AddIndex.
func (s *Sack) AddRepo(id string, priority, cost int) {
	s.repos[id] = s.Pool.AddRepo(id, priority, cost)
}

// Repo returns the repository that AddRepo added, or nil.
func (s *Sack) Repo(id string) *solv.Repo { return s.repos[id] }

// AddIndex adds all packages of a repository. They get IDs that follow each other
// from the one that is returned. The index must not be closed as long as the sack
// is in use.
func (s *Sack) AddIndex(repo string, x *rpmmd.Index) solv.ID {
	first := s.repos[repo].AddCatalog(newCatalog(s.Pool, x))
	s.indexes = append(s.indexes, indexed{first, repo, x})
	return first
}

// AddLocal adds a package that was given as a file.
func (s *Sack) AddLocal(l *Local) solv.ID {
	if s.locals == nil {
		s.locals = s.Pool.AddRepo("@commandline", 99, 1000)
	}
	return s.add(s.locals, fromHeader(l.Header), Source{Local: l})
}

// AddCached adds a package to a repository that does not have it any more.
func (s *Sack) AddCached(repo string, l *Local) solv.ID {
	return s.add(s.repos[repo], fromHeader(l.Header), Source{Repo: repo, Local: l})
}

// EVR returns epoch, version and release of a header, without an epoch of 0.
func EVR(h *rpm.Header) evr.EVR {
	e := evr.EVR{Version: h.Version(), Release: h.Release()}
	if n, ok := h.Epoch(); ok && n != 0 {
		e.Epoch, e.HasEpoch = n, true
	}
	return e
}

// NEVRA returns what identifies the package of a header.
func NEVRA(h *rpm.Header) evr.NEVRA {
	return evr.NEVRA{Name: h.Name(), EVR: EVR(h), Arch: h.Arch()}
}

func fromHeader(h *rpm.Header) solv.Package {
	build, _ := h.Uint(rpm.TagBuildTime)
	return solv.Package{
		Name: h.Name(), Arch: h.Arch(), EVR: EVR(h).String(), Vendor: h.String(rpm.TagVendor), BuildTime: int64(build),
		Provides: headerDeps(h.Provides()), Requires: headerDeps(h.Requires()), Conflicts: headerDeps(h.Conflicts()),
		Obsoletes: headerDeps(h.Obsoletes()), Recommends: headerDeps(h.Recommends()), Suggests: headerDeps(h.Suggests()),
		Supplements: headerDeps(h.Supplements()), Enhances: headerDeps(h.Enhances()),
		OrderWithRequires: headerDeps(h.OrderWithRequires()), Files: h.Paths(),
	}
}

// prereq are the flags of a requirement that must hold before the package's
// scripts run.
const prereq = rpm.DepPreReq | rpm.DepPre | rpm.DepPost

func headerDeps(list []rpm.Dep) []solv.Dep {
	out := make([]solv.Dep, 0, len(list))
	for _, d := range list {
		if d.Flags&rpm.DepRpmlib != 0 {
			continue // checked when the package is read
		}
		dep := solv.Dep{Name: d.Name, Pre: d.Flags&prereq != 0}
		if op := opOf(d.Flags); op != 0 && d.EVR != "" {
			dep.Op, dep.EVR = op, d.EVR
		}
		out = append(out, dep)
	}
	return out
}

func opOf(f rpm.DepFlags) (op evr.Op) {
	if f&rpm.DepLess != 0 {
		op |= evr.LT
	}
	if f&rpm.DepGreater != 0 {
		op |= evr.GT
	}
	if f&rpm.DepEqual != 0 {
		op |= evr.EQ
	}
	return op
}
