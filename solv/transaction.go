package solv

import (
	"slices"
	"strings"
)

// StepKind is what happens to a package.
type StepKind uint8

// Step kinds. Install to Obsolete are packages that come, Erase is one that goes without
// replacement, Replaced one that goes because of a package that comes.
const (
	StepInstall      StepKind = iota + 1
	StepReinstall             // the same build again
	StepUpgrade               // a newer version
	StepDowngrade             // an older version
	StepChange                // the same version, but another build
	StepObsolete              // replaces a package of another name
	StepMultiInstall          // beside other versions
	StepMultiReinstall
	StepErase
	StepReplaced
)

var stepNames = [...]string{"", "install", "reinstall", "upgrade", "downgrade", "change", "obsolete", "multiinstall",
	"multireinstall", "erase", "replaced"}

func (k StepKind) String() string { return stepNames[k] }

// Step is one change to a package.
type Step struct {
	ID   ID
	Kind StepKind
	// Old are the installed packages that a new one replaces, the most important one first. For
	// Replaced it is the packages that replace this one.
	Old []ID
	// Reason is why the solver decided so.
	Reason DecisionReason
}

// Transaction is the change from the installed packages to the solution.
type Transaction struct {
	// Steps are in the order of the packages; see Order.
	Steps []Step
}

// Installed returns the packages that come, in order.
func (t *Transaction) Installed() (ids []ID) {
	for _, st := range t.Steps {
		if st.Kind < StepErase {
			ids = append(ids, st.ID)
		}
	}
	return ids
}

// Erased returns the packages that go, replaced ones included.
func (t *Transaction) Erased() (ids []ID) {
	for _, st := range t.Steps {
		if st.Kind >= StepErase {
			ids = append(ids, st.ID)
		}
	}
	return ids
}

func (s *solver) transaction() Transaction {
	p := s.pool
	m := replaceMap{s: s, by: map[ID][]ID{}, of: map[ID][]ID{}}
	m.build()
	var t Transaction
	reasons := s.decisionReasons()
	for id := ID(2); int(id) < len(p.sols); id++ {
		in := s.level[id] > 0
		if s.level[id] == 0 || in == s.isInstalled(id) {
			continue
		}
		st := Step{ID: id, Reason: reasons[id]}
		if in {
			st.Old = m.of[id]
			st.Kind = m.kind(id)
		} else {
			st.Old = m.by[id]
			st.Kind = StepErase
			if len(st.Old) > 0 {
				st.Kind = StepReplaced
			}
		}
		t.Steps = append(t.Steps, st)
	}
	return t
}

// replaceMap says which new packages replace which installed ones.
type replaceMap struct {
	s      *solver
	by, of map[ID][]ID // installed -> new, new -> installed
}

// build finds all pairs, then sorts them by how well they fit together.
func (m *replaceMap) build() {
	s, p := m.s, m.s.pool
	for _, id := range s.decisions {
		if id <= System || s.isInstalled(id) {
			continue
		}
		sol := &p.sols[id]
		for _, o := range p.whatProvides(sol.name) {
			os := &p.sols[o]
			if !s.isInstalled(o) || s.level[o] >= 0 || s.multi.has(id) && (os.name != sol.name || os.evr != sol.evr || os.arch != sol.arch) {
				continue
			}
			if !p.flags.ImplicitObsoletesUseProvides && os.name != sol.name || p.flags.ImplicitObsoletesUseColors && !p.sameColor(sol, os) {
				continue
			}
			m.add(o, id)
		}
		if s.multi.has(id) {
			continue
		}
		for _, d := range p.list(sol, depObsoletes) {
			for _, o := range p.whatProvides(d) {
				if s.isInstalled(o) && s.level[o] < 0 && p.obsoletesBy(sol, d, &p.sols[o]) {
					m.add(o, id)
				}
			}
		}
	}
	for old, list := range m.by {
		m.by[old] = m.sorted(old, list)
	}
	for id, list := range m.of {
		m.of[id] = m.sorted(id, list)
	}
}

func (m *replaceMap) add(old, id ID) {
	if !slices.Contains(m.by[old], id) {
		m.by[old] = append(m.by[old], id)
		m.of[id] = append(m.of[id], old)
	}
}

// sorted puts packages of the same name first, then by name; higher versions, and the same
// architecture first.
func (m *replaceMap) sorted(id ID, list []ID) []ID {
	p, sol := m.s.pool, &m.s.pool.sols[id]
	slices.SortFunc(list, func(a, b ID) int {
		x, y := &p.sols[a], &p.sols[b]
		if x.name != y.name {
			if x.name == sol.name || y.name == sol.name {
				return order(x.name == sol.name)
			}
			return strings.Compare(p.strs.get(x.name), p.strs.get(y.name))
		}
		if c := p.compareEVR(y.evr, x.evr); c != 0 {
			return c
		}
		if x.arch != y.arch && (x.arch == sol.arch || y.arch == sol.arch) {
			return order(x.arch == sol.arch)
		}
		return int(a - b)
	})
	return list
}

// kind classifies a package that comes.
func (m *replaceMap) kind(id ID) StepKind {
	s, p := m.s, m.s.pool
	sol := &p.sols[id]
	if len(m.of[id]) == 0 {
		if s.multi.has(id) {
			return StepMultiInstall
		}
		return StepInstall
	}
	old := &p.sols[m.of[id][0]]
	if s.multi.has(id) {
		if old.name == sol.name && old.arch == sol.arch && old.evr == sol.evr {
			return StepMultiReinstall
		}
		return StepMultiInstall
	}
	if old.name != sol.name {
		return StepObsolete
	}
	if p.identical(sol, old) {
		return StepReinstall
	}
	switch c := p.compareEVR(sol.evr, old.evr); {
	case c > 0:
		return StepUpgrade
	case c < 0:
		return StepDowngrade
	}
	return StepChange
}

func (s *solver) decisionReasons() map[ID]DecisionReason {
	m := make(map[ID]DecisionReason, len(s.decisions))
	for i, l := range s.decisions {
		if s.why[i] > 0 {
			m[abs(l)] = DecidedByRule
		} else if at := abs(s.level[abs(l)]); int(at) < len(s.reasons) {
			m[abs(l)] = s.reasons[at]
		}
	}
	return m
}
