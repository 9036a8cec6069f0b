package solv

import (
	"slices"
	"strings"
)

// liftKind is a class of policy rules that a job may lift.
type liftKind uint8

const (
	liftUpdate    liftKind = iota // update rules of an installed package
	liftInfArch                   // inferior architecture rules of a name
	liftDup                       // distribution upgrade rules of a name
	liftBlacklist                 // blacklist rule of a package
	liftPriority                  // repository priority rules of a name
)

// lift is a policy that does not apply, because a job wants otherwise.
type lift struct {
	kind liftKind
	what int32 // package, or Ref of a name
}

// lifts returns the policies that contradict a job.
func (s *solver) lifts(job int32) []lift {
	switch s.jobs[job].Action {
	case Install:
		return s.installLifts(job)
	case Erase:
		return s.eraseLifts(job)
	case Lock:
		return s.lockLifts(job)
	}
	return nil
}

// setFlags returns which policies an install job overrides by what it selects.
func (s *solver) setFlags(j *Job) JobFlags {
	set := j.Flags & setMask
	if set&NoAutoSet != 0 {
		return set &^ NoAutoSet
	}
	sel := &j.Select
	switch sel.kind {
	case selectPackage:
		return set | SetName | SetArch | SetVendor | SetRepo | SetEVR
	case selectName:
		set |= SetName
	case selectProvides:
	default:
		return set
	}
	if !sel.dep.isRel() {
		return set
	}
	r := s.pool.rel(sel.dep)
	if r.op == RelOp(2) && sel.kind == selectName {
		if strings.Contains(s.pool.strs.get(r.right), "-") {
			set |= SetEVR
		} else {
			set |= SetEV
		}
	}
	if s.namesArch(sel.dep) {
		set |= SetArch
	}
	return set
}

// namesArch reports that a dependency names an architecture, as in "glibc.i686 >= 2".
func (s *solver) namesArch(d Ref) bool {
	if !d.isRel() {
		return false
	}
	r := s.pool.rel(d)
	if r.op <= 7 && r.left.isRel() {
		r = s.pool.rel(r.left)
	}
	return r.op == OpArch
}

func (s *solver) installLifts(job int32) (q []lift) {
	p, j := s.pool, &s.jobs[job]
	set := s.setFlags(j)
	if set == 0 {
		return nil
	}
	ids := s.picked[job]
	// names adds a lift for every package name selected.
	names := func(kind liftKind, ok func(ID) bool) {
		for _, id := range ids {
			if l := (lift{kind, int32(p.sols[id].name)}); !slices.Contains(q, l) && ok(id) {
				q = append(q, l)
			}
		}
	}
	yes := func(ID) bool { return true }
	if set&SetArch != 0 && !s.infArch.empty() {
		names(liftInfArch, func(id ID) bool {
			return slices.ContainsFunc(s.rules[s.infArch.start:s.infArch.end], func(r rule) bool { return r.p == -id })
		})
	}
	if set&SetRepo != 0 && !s.dup.empty() {
		names(liftDup, yes)
	}
	if set&SetRepo != 0 && !s.prio.empty() {
		names(liftPriority, yes)
	}
	if set&SetEVR != 0 && !s.black.empty() {
		for _, id := range ids {
			q = append(q, lift{liftBlacklist, id})
		}
	}
	if len(s.installed()) == 0 {
		return q
	}
	const exact = SetEVR | SetArch | SetVendor
	if j.Select.kind == selectPackage && len(ids) > 0 && s.isInstalled(ids[0]) && set&exact == exact && len(s.bestOf) > 0 {
		if slices.Contains(s.bestOf[s.bestUp-s.best.start:], ids[0]) {
			q = append(q, lift{liftUpdate, ids[0]})
		}
		return q
	}
	for _, id := range ids {
		if s.isInstalled(id) || s.multi.has(id) && !s.keepObsoletes {
			return q
		}
	}
	for _, old := range s.replacedByAll(ids) {
		if set&exact == exact || s.jobMayReplace(old, ids, set) {
			q = append(q, lift{liftUpdate, old})
		}
	}
	return q
}

// jobMayReplace reports that a job chose all that policy would forbid about replacing an
// installed package by any of the selected ones.
func (s *solver) jobMayReplace(old ID, ids []ID, set JobFlags) bool {
	var ignore illegal
	if set&SetEVR != 0 {
		ignore |= illegalDowngrade
	}
	if set&SetName != 0 {
		ignore |= illegalName
	}
	if set&SetArch != 0 {
		ignore |= illegalArch
	}
	if set&SetVendor != 0 {
		ignore |= illegalVendor
	}
	p := s.pool
	for _, id := range ids {
		bad := s.policyForbids(old, id, ignore)
		if bad == illegalDowngrade && set&SetEV != 0 && p.compareVersion(p.sols[old].evr, p.sols[id].evr) != 0 {
			bad = 0
		}
		if bad != 0 {
			return false
		}
	}
	return true
}

// replacedByAll returns the installed packages that every one of the packages replaces.
func (s *solver) replacedByAll(ids []ID) (common []ID) {
	for i, id := range ids {
		old := s.replaced(id)
		if i == 0 {
			common = old
		} else {
			common = filterIDs(common, func(o ID) bool { return slices.Contains(old, o) })
		}
		if len(common) == 0 {
			return nil
		}
	}
	return common
}

// replaced returns the installed packages that a package replaces.
func (s *solver) replaced(id ID) []ID { return s.succeeded(id, !s.keepObsoletes || !s.multi.has(id)) }

// succeeded returns the installed packages that a package obsoletes, and those whose place it takes
// by its name if that is asked for.
func (s *solver) succeeded(id ID, byName bool) (list []ID) {
	p, sol := s.pool, &s.pool.sols[id]
	if byName {
		for _, o := range p.whatProvides(sol.name) {
			os := &p.sols[o]
			if s.isInstalled(o) && (p.flags.ImplicitObsoletesUseProvides || os.name == sol.name) &&
				!(p.flags.ImplicitObsoletesUseColors && !p.sameColor(sol, os)) {
				list = append(list, o)
			}
		}
	}
	for _, d := range p.list(sol, depObsoletes) {
		for _, o := range p.whatProvides(d) {
			if s.isInstalled(o) && p.obsoletesBy(sol, d, &p.sols[o]) && (len(list) == 0 || list[len(list)-1] != o) {
				list = append(list, o)
			}
		}
	}
	return list
}

func (s *solver) eraseLifts(job int32) (q []lift) {
	p, j := s.pool, &s.jobs[job]
	if p.installed == nil {
		return nil
	}
	arch := j.Flags&SetArch != 0
	if j.Flags&(NoAutoSet|SetArch) == 0 && p.flags.ImplicitObsoletesUseColors && !s.infArch.empty() {
		sel := &j.Select
		arch = sel.kind == selectPackage || (sel.kind == selectName || sel.kind == selectProvides) && s.namesArch(sel.dep)
	}
	for _, id := range p.Selected(j.Select) {
		if !s.isInstalled(id) {
			continue
		}
		q = append(q, lift{liftUpdate, id})
		if arch && p.flags.ImplicitObsoletesUseColors && s.inLockStep(id) {
			q = append(q, lift{liftInfArch, int32(p.sols[id].name)})
		}
	}
	return q
}

// inLockStep reports that another architecture's installed package depends on this one.
func (s *solver) inLockStep(id ID) bool {
	for i := s.infArch.start; i < s.infArch.end; i++ {
		if r := &s.rules[i]; r.p < 0 && s.isInstalled(-r.p) && r.hasLiteral(id) {
			return true
		}
	}
	return false
}

func (s *solver) lockLifts(job int32) (q []lift) {
	for _, id := range s.pool.Selected(s.jobs[job].Select) {
		l := lift{liftDup, int32(s.pool.sols[id].name)}
		if s.isInstalled(id) && !slices.Contains(q, l) {
			q = append(q, l)
		}
	}
	return q
}

// activeLifts returns the lifts of all jobs that have not been given up.
func (s *solver) activeLifts() (q []lift) {
	last := int32(-1)
	for i := s.job.start; i < s.job.end; i++ {
		if s.rules[i].off {
			continue
		}
		if j := s.jobOf[i-s.job.start]; j != last {
			last = j
			q = append(q, s.lifts(j)...)
		}
	}
	return q
}

// disablePolicyRules disables the policy rules that contradict jobs.
func (s *solver) disablePolicyRules() {
	q := s.activeLifts()
	if s.cleanDeps != nil {
		s.createCleanDeps(s.cleanDeps, false)
		for _, id := range s.installed() {
			if s.cleanDeps.has(id) {
				q = append(q, lift{liftUpdate, id})
			}
		}
	}
	s.noUpdate.zero()
	for _, l := range q {
		s.apply(l, true)
	}
}

// enablePolicyRules takes back what a given-up job had lifted.
func (s *solver) enablePolicyRules(job int32) {
	q := s.lifts(job)
	if len(q) == 0 {
		return
	}
	if s.cleanDeps != nil {
		s.createCleanDeps(s.cleanDeps, false)
		q = slices.DeleteFunc(q, func(l lift) bool { return l.kind == liftUpdate && s.cleanDeps.has(l.what) })
	}
	if len(q) == 0 {
		return
	}
	active := s.activeLifts()
	for _, l := range q {
		if !slices.Contains(active, l) {
			s.apply(l, false)
		}
	}
}

// apply disables the rules that a lift is about, or enables them again.
func (s *solver) apply(l lift, off bool) {
	ofName := func(sp span) {
		for i := sp.start; i < sp.end; i++ {
			if r := &s.rules[i]; r.p < 0 && int32(s.pool.sols[-r.p].name) == l.what {
				r.off = off
			}
		}
	}
	switch l.kind {
	case liftInfArch:
		ofName(s.infArch)
	case liftDup:
		ofName(s.dup)
	case liftPriority:
		ofName(s.prio)
	case liftBlacklist:
		for i := s.black.start; i < s.black.end; i++ {
			if s.rules[i].p == -l.what {
				s.rules[i].off = off
			}
		}
	case liftUpdate:
		s.applyUpdate(l.what, off)
	}
}

func (s *solver) applyUpdate(id ID, off bool) {
	u, f := s.updateRule(id), s.featureRule(id)
	if off {
		s.noUpdate.set(id)
		u.off, f.off = true, true
	} else {
		s.noUpdate.clear(id)
		if u.p != 0 {
			u.off = false
		} else {
			f.off = false
		}
	}
	for i := s.bestUp; i < s.best.end; i++ {
		if s.bestOf[i-s.best.start] == id {
			s.rules[i].off = off
		}
	}
}
