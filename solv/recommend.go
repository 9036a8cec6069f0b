package solv

import "slices"

// Recommendations returns the packages that the result's packages recommend and suggest. With
// missing, packages that are installed anyway are left out.
func (r *Result) Recommendations(missing bool) (recommended, suggested []ID) {
	s := r.s
	obsoleted := s.obsoletedByInstalled(false)
	undo := s.liftEraseJobs()
	defer undo()
	rec := newBitmap(len(s.pool.sols))
	for i, l := range s.decisions {
		if i > 0 && l > 0 && s.why[i] == 0 && s.reasons[s.level[l]] == DecidedWeak {
			rec.set(l)
		}
	}
	s.markWanted(depRecommends, rec, missing)
	recommended = s.wanted(rec, depSupplements, obsoleted, missing)
	sug := newBitmap(len(s.pool.sols))
	s.markWanted(depSuggests, sug, missing)
	suggested = s.wanted(sug, depEnhances, obsoleted, missing)
	return recommended, suggested
}

// markWanted marks what the installed packages' recommends (or suggests) ask for: the providers
// that are installed, or all if none is.
func (s *solver) markWanted(kind depKind, set bitmap, missing bool) {
	p := s.pool
	for _, id := range s.decisions {
		if id < 0 {
			continue
		}
		for _, d := range p.list(&p.sols[id], kind) {
			if p.isRich(d) {
				for _, b := range p.normalize(d, richMode{}).blocks {
					s.markWantedBlock(b, set, missing)
				}
				continue
			}
			s.markWantedBlock(p.whatProvides(d), set, missing)
		}
	}
}

// markWantedBlock handles one block of literals, of which one has to hold.
func (s *solver) markWantedBlock(b []int32, set bitmap, missing bool) {
	have := false
	for _, l := range b {
		if l < 0 && s.level[-l] <= 0 {
			return // holds without any package
		}
		have = have || l > 0 && s.level[l] > 0
	}
	if have && missing {
		return
	}
	for _, l := range b {
		if l > 0 && (!have || s.level[l] > 0) {
			set.set(l)
		}
	}
}

// wanted returns the marked packages, and those that supplement (or enhance) an installed one.
func (s *solver) wanted(set bitmap, kind depKind, obsoleted bitmap, missing bool) (list []ID) {
	p := s.pool
	for id := ID(1); int(id) < len(p.sols); id++ {
		if s.level[id] < 0 || s.level[id] > 0 && missing || obsoleted.has(id) {
			continue
		}
		if !set.has(id) {
			deps := p.list(&p.sols[id], kind)
			if len(deps) == 0 || !p.installable(id) || !slices.ContainsFunc(deps, s.fulfilled) {
				continue
			}
		}
		list = append(list, id)
	}
	if len(list) == 0 {
		return nil
	}
	return s.filter(list, modeSuggest)
}

// liftEraseJobs makes the packages undecided that are not installed only because of erase jobs,
// until undo is called.
func (s *solver) liftEraseJobs() (undo func()) {
	var disabled []int32
	for i := s.job.start; i < s.job.end; i++ {
		if r := &s.rules[i]; !r.off && r.p < 0 {
			r.off = true
			disabled = append(disabled, i)
		}
	}
	if len(disabled) == 0 {
		return func() {}
	}
	s.updateLearnt()
	levels := slices.Clone(s.level)
	s.undecideConflicts()
	return func() {
		s.level = levels
		for _, i := range disabled {
			s.rules[i].off = false
		}
	}
}

// undecideConflicts takes back decisions against packages that were made by disabled rules,
// unless another rule demands them.
func (s *solver) undecideConflicts() {
	lifted := false
	for i, l := range s.decisions {
		if l < 0 && s.why[i] > 0 && s.rules[s.why[i]].off && s.level[-l] != 0 {
			s.level[-l] = 0
			lifted = true
		}
	}
	for again := lifted; again; {
		again = false
		for i := 1; i < len(s.rules); i++ {
			if l := s.forcedOut(&s.rules[i]); l != 0 {
				s.level[-l] = -1
				again = true
			}
		}
	}
}

// forcedOut returns the only literal by which a rule can hold if that is an undecided negative
// one, else 0.
func (s *solver) forcedOut(r *rule) (open int32) {
	if r.off {
		return 0
	}
	r.each(func(l int32) bool {
		switch {
		case s.isFalse(l):
			return true
		case l < 0 && s.level[-l] == 0 && open == 0:
			open = l
			return true
		}
		open = 0
		return false
	})
	return open
}

// Cleaned returns the packages that are erased only because nothing needs them any more.
func (r *Result) Cleaned() (ids []ID) {
	s := r.s
	if s.cleanDeps == nil {
		return nil
	}
	for _, id := range s.installed() {
		if s.cleanDeps.has(id) && s.level[id] < 0 && !s.holds(s.updateRule(id)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// UnmetWeak returns the packages that installed ones recommend, or that supplement installed ones,
// although they are not installed: somebody has decided against them, so dnf does not let weak
// dependencies of new packages bring them back (see ExcludeFromWeak). Rich dependencies do not
// count.
func (p *Pool) UnmetWeak() (ids []ID) {
	if p.installed == nil {
		return nil
	}
	names := map[Ref]bool{}
	unmet := newBitmap(len(p.sols))
	usable := func(id ID) bool { return id != System && !p.excluded(id) }
	for _, id := range p.installed.IDs() {
		names[p.sols[id].name] = true
		for _, d := range p.list(&p.sols[id], depRecommends) {
			if p.simple(d) {
				list := filterIDs(p.whatProvides(p.baseName(d)), usable)
				if !slices.ContainsFunc(list, p.isInstalled) {
					for _, o := range list {
						unmet.set(o)
					}
				}
			}
		}
	}
	for id := ID(2); int(id) < len(p.sols); id++ {
		s := &p.sols[id]
		if !unmet.has(id) && p.has(s, depSupplements) && !names[s.name] && usable(id) && slices.ContainsFunc(p.list(s, depSupplements), func(d Ref) bool {
			return p.simple(d) && slices.ContainsFunc(p.whatProvides(d), p.isInstalled)
		}) {
			unmet.set(id)
		}
		if unmet.has(id) && !p.isInstalled(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// simple reports a name with or without a version.
func (p *Pool) simple(d Ref) bool { return d > 0 && (!d.isRel() || p.rel(d).op < 8) }
