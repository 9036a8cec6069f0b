package solv

import (
	"strings"

	"rpmostree/rpm/evr"
)

// MatchForm is the way in which a pattern was understood.
type MatchForm uint8

// Forms, in the order in which they are tried.
const (
	MatchNone MatchForm = iota
	MatchNEVRA
	MatchNameArch
	MatchName
	MatchNEVR
	MatchNEV
	MatchGlobNEVRA // a wildcard pattern for NAME-[EPOCH:]VERSION-RELEASE.ARCH as a whole
	MatchProvides
	MatchFile
)

// MatchOptions restrict Match. With the zero value all packages that SetConsidered allows are
// looked at.
type MatchOptions struct {
	Keep       func(ID) bool // only these packages; nil = all
	NoProvides bool          // match packages only by what they are
	NoFiles    bool          // do not match owners of files
	IgnoreCase bool
}

// Match finds packages as dnf understands an argument: by name, name and architecture, name and
// version and so on, by what is provided, or by an absolute path. Parts may have wildcards
// ('*', '?', '[...]'). The first form that fits any package wins. The packages are in ascending
// order.
//
// Paths are found only among Package.Files and AddFileProvide.
func (p *Pool) Match(pattern string, o MatchOptions) ([]ID, MatchForm) {
	if pattern == "" {
		return nil, MatchNone
	}
	m := matcher{pool: p, opts: o}
	for _, form := range [...]MatchForm{MatchNEVRA, MatchNameArch, MatchName, MatchNEVR, MatchNEV} {
		if q, ok := parseNEVRA(pattern, form); ok {
			if ids := m.nevra(q); len(ids) > 0 {
				return ids, form
			}
		}
	}
	if isGlob(pattern) {
		if ids := m.filter(func(id ID) bool { return m.globNEVRA(pattern, id) }); len(ids) > 0 {
			return ids, MatchGlobNEVRA
		}
	}
	if !o.NoProvides {
		if ids := m.provides(pattern); len(ids) > 0 {
			return ids, MatchProvides
		}
	}
	if !o.NoFiles && strings.HasPrefix(pattern, "/") {
		if ids := m.files(pattern); len(ids) > 0 {
			return ids, MatchFile
		}
	}
	return nil, MatchNone
}

// MatchJob is Match for a job. As libdnf does, it takes the choice among the packages found for
// what the user wants, whatever policies on versions and architectures say. ok is false if
// nothing matches.
func (p *Pool) MatchJob(action Action, pattern string, o MatchOptions) (job Job, ok bool) {
	ids, _ := p.Match(pattern, o)
	return Job{Action: action, Select: SelectOneOf(ids...), Flags: SetArch | SetEVR}, len(ids) > 0
}

// nevraPattern is a pattern cut into parts; an empty part matches everything.
type nevraPattern struct {
	name, version, release, arch string
	epoch                        string
}

func parseNEVRA(s string, form MatchForm) (q nevraPattern, ok bool) {
	cut := func(sep byte) (string, bool) {
		i := strings.LastIndexByte(s, sep)
		if i <= 0 || i+1 == len(s) {
			return "", false
		}
		tail := s[i+1:]
		s = s[:i]
		return tail, true
	}
	ok = true
	if form == MatchNEVRA || form == MatchNameArch {
		if q.arch, ok = cut('.'); !ok || strings.Contains(q.arch, "-") {
			return q, false
		}
	}
	if form == MatchNEVRA || form == MatchNEVR {
		if q.release, ok = cut('-'); !ok {
			return q, false
		}
	}
	if form == MatchNEVRA || form == MatchNEVR || form == MatchNEV {
		if q.version, ok = cut('-'); !ok {
			return q, false
		}
		if e, v, has := strings.Cut(q.version, ":"); has {
			q.epoch, q.version = e, v
			for _, c := range e {
				if c < '0' || c > '9' {
					return q, false
				}
			}
		}
	}
	q.name = s
	return q, q.name != ""
}

type matcher struct {
	pool *Pool
	opts MatchOptions
}

func (m *matcher) ok(id ID) bool {
	return !m.pool.excluded(id) && (m.opts.Keep == nil || m.opts.Keep(id))
}

// filter tries all packages.
func (m *matcher) filter(f func(ID) bool) (ids []ID) {
	for id := ID(2); int(id) < len(m.pool.sols); id++ {
		if m.ok(id) && f(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// text compares one part.
func (m *matcher) text(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	if m.opts.IgnoreCase {
		pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	}
	if isGlob(pattern) {
		return glob(pattern, s)
	}
	return pattern == s
}

func (m *matcher) nevra(q nevraPattern) []ID {
	p := m.pool
	fits := func(id ID) bool {
		s := &p.sols[id]
		if !m.text(q.arch, p.strs.get(s.arch)) {
			return false
		}
		if q.version == "" && q.release == "" && q.epoch == "" {
			return true
		}
		e := p.parseEVR(s.evr)
		return m.text(q.version, e.Version) && m.text(q.release, e.Release) &&
			(q.epoch == "" || evr.Parse(q.epoch+":").Epoch == e.Epoch)
	}
	if m.opts.IgnoreCase || isGlob(q.name) {
		return m.filter(func(id ID) bool { return m.text(q.name, p.strs.get(p.sols[id].name)) && fits(id) })
	}
	name := p.strs.lookup(q.name)
	if name == 0 {
		return nil
	}
	return m.filter(func(id ID) bool { return p.sols[id].name == name && fits(id) })
}

func (m *matcher) globNEVRA(pattern string, id ID) bool {
	p := m.pool
	s := &p.sols[id]
	e := *p.parseEVR(s.evr)
	full := evr.NEVRA{Name: p.strs.get(s.name), EVR: e, Arch: p.strs.get(s.arch)}
	full.HasEpoch = e.Epoch != 0
	if m.text(pattern, full.String()) {
		return true
	}
	full.HasEpoch = false
	return m.text(pattern, full.String())
}

// provides matches "NAME [OP EVR]", where NAME may have wildcards.
func (m *matcher) provides(pattern string) []ID {
	p := m.pool
	if !isGlob(pattern) && !m.opts.IgnoreCase {
		d, err := p.ParseDep(pattern)
		if err != nil {
			return nil
		}
		return filterIDs(p.whatProvides(d), func(id ID) bool { return id != System && m.ok(id) })
	}
	name, rest, _ := strings.Cut(pattern, " ")
	want, valid := evr.ParseRange(rest)
	if !valid {
		return nil
	}
	return m.filter(func(id ID) bool {
		for _, d := range p.list(&p.sols[id], depProvides) {
			have := evr.Range{}
			if d.isRel() {
				if r := p.rel(d); r.op < 8 {
					have = evr.Range{Op: evr.Op(r.op), EVR: p.strs.get(r.right)}
				}
			}
			if m.text(name, p.strs.get(p.baseName(d))) && evr.Overlap(have, want) {
				return true
			}
		}
		return false
	})
}

func (m *matcher) files(pattern string) []ID {
	p := m.pool
	late := map[ID][]Ref{}
	for _, f := range p.late {
		late[f.id] = append(late[f.id], f.path)
	}
	return m.filter(func(id ID) (found bool) {
		p.eachFile(&p.sols[id], func(path []byte) bool {
			found = m.text(pattern, string(path))
			return !found
		})
		for _, f := range late[id] {
			found = found || m.text(pattern, p.strs.get(f))
		}
		return found
	})
}

// Unusable says what keeps a package from being installed, whatever it depends on: SetConsidered
// leaves it out, its architecture does not fit, or it is a source package.
func (p *Pool) Unusable(id ID) (excluded, badArch, source bool) {
	s := &p.sols[id]
	return p.excluded(id), p.badArch(s), p.isSource(s)
}

// Is reports that a package's name, version and architecture fit d, whatever it provides.
func (p *Pool) Is(id ID, d Ref) bool { return p.matchNEVR(&p.sols[id], d) }

// Overlaps reports that two dependencies can be met by the same version of the same name; of a
// rich one any part.
func (p *Pool) Overlaps(a, b Ref) bool {
	if a == b {
		return true
	}
	if parts, rich := p.parts(a); rich {
		for _, d := range parts {
			if p.Overlaps(d, b) {
				return true
			}
		}
		return false
	}
	if parts, rich := p.parts(b); rich {
		for _, d := range parts {
			if p.Overlaps(a, d) {
				return true
			}
		}
		return false
	}
	switch {
	case a.isRel() && b.isRel():
		x, y := p.rel(a), p.rel(b)
		return p.Overlaps(x.left, y.left) && p.intersects(x, y)
	case a.isRel():
		return p.Overlaps(p.rel(a).left, b)
	case b.isRel():
		return p.Overlaps(a, p.rel(b).left)
	}
	return false
}

// parts returns the operands of a rich dependency that ask for something.
func (p *Pool) parts(d Ref) (parts []Ref, rich bool) {
	if !d.isRel() {
		return nil, false
	}
	r := p.rel(d)
	switch r.op {
	case OpAnd, OpOr, OpWith:
		return []Ref{r.left, r.right}, true
	case OpWithout:
		return []Ref{r.left}, true
	case OpIf, OpUnless:
		parts = []Ref{r.left}
		if r.right.isRel() && p.rel(r.right).op == OpElse {
			parts = append(parts, p.rel(r.right).right)
		}
		return parts, true
	}
	return nil, false
}

// Glob matches a shell pattern ('*', '?', '[...]') against the whole of s. A slash is nothing
// special.
func Glob(pattern, s string) bool { return glob(pattern, s) }
