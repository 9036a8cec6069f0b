package solv

import "slices"

// addBestRules makes rules for ForceBest: the best candidates of install jobs, and the best
// updates.
func (s *solver) addBestRules(installs, locks bool) {
	var locked bitmap
	if locks {
		locked = newBitmap(len(s.pool.sols))
		for i, job := range s.jobOf {
			if r := &s.rules[s.job.start+int32(i)]; len(r.rest) == 0 && s.jobs[job].Action == Lock {
				locked.set(abs(r.p))
			}
		}
	}
	if installs {
		for i := range s.jobs {
			if s.jobs[i].Action == Install && s.jobs[i].Flags&ForceBest != 0 {
				s.addBestInstall(int32(i), locked)
			}
		}
	}
	s.bestUp = int32(len(s.rules))
	if s.pool.installed == nil || !s.bestUpdateAll && s.bestMap == nil {
		return
	}
	for _, id := range s.installed() {
		if s.wantsUpdate(id) && (s.bestUpdateAll || s.bestMap.has(id)) {
			s.addBestUpdate(id, locked)
		}
	}
}

// usable leaves out excluded packages.
func (s *solver) usable(list []ID) []ID {
	if s.pool.considered == nil || s.pool.flags.HideExcluded {
		return list
	}
	return filterIDs(list, func(id ID) bool { return s.isInstalled(id) || !s.pool.excluded(id) })
}

func addUnique(list []ID, more []ID) []ID {
	for _, id := range more {
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

func (s *solver) addBestInstall(job int32, locked bitmap) {
	for k, j := range s.jobOf {
		if j != job {
			continue
		}
		rid := s.job.start + int32(k)
		var pos, neg []int32
		s.rules[rid].each(func(l int32) bool {
			if l > 0 {
				pos = append(pos, l)
			} else {
				neg = append(neg, l)
			}
			return true
		})
		list := s.usable(slices.Clone(pos))
		if len(list) == 0 {
			continue
		}
		before := len(list)
		if list = s.filter(list, modeRecommend); len(list) == before {
			continue // every candidate is as good
		}
		list = slices.Concat(neg, list)
		if locked != nil { // also the best one that locks allow
			var free []ID
			for _, id := range pos {
				if s.isInstalled(id) {
					if locked.has(id) {
						list = addUnique(list, []ID{id})
					}
				} else if locked.has(id) {
					continue
				}
				free = append(free, id)
			}
			list = addUnique(list, s.filter(s.usable(free), modeRecommend))
		}
		n := s.addRule(list[0], list[1:]...)
		if s.jobs[job].Flags&Weak != 0 {
			s.weakQueue = append(s.weakQueue, n)
		}
		s.bestOf = append(s.bestOf, -rid)
	}
}

// filterBestUpdate keeps the best of the updates of an installed package.
func (s *solver) filterBestUpdate(id ID, list []ID) []ID {
	list = s.pruneToTargets(id, list)
	if s.dupInvolved.has(id) {
		list = filterIDs(list, s.dupMap.has)
	}
	if len(list) == 0 {
		return nil
	}
	return s.filter(list, modeRecommend)
}

func positives(r *rule) (list []ID) {
	r.each(func(l int32) bool {
		if l > 0 {
			list = append(list, l)
		}
		return true
	})
	return list
}

func (s *solver) addBestUpdate(id ID, locked bitmap) {
	r := s.featureRule(id)
	if s.opts.BestObeyPolicy || r.p == 0 {
		r = s.updateRule(id)
	}
	var all []ID
	if sp := s.special[id]; sp != nil && r == s.updateRule(id) {
		if r.p == id {
			all = append(all, id)
		}
		all = append(all, sp...)
	} else {
		all = positives(r)
	}
	list := s.filterBestUpdate(id, slices.Clone(all))
	if len(list) == 0 {
		return
	}
	if locked != nil {
		list = s.addLockedBest(id, all, list, locked)
	}
	if s.opts.BestObeyPolicy {
		if f := s.featureRule(id); f.p != 0 { // what policy forbids would be as welcome
			list = addUnique(list, s.filterBestUpdate(id, positives(f)))
			if locked != nil {
				free := filterIDs(positives(f), func(o ID) bool { return s.isInstalled(o) || !locked.has(o) })
				list = addUnique(list, s.filterBestUpdate(id, free))
			}
		}
	}
	if s.opts.AllowUninstall || s.allowUninstallAll || s.allowUninstall.has(id) {
		// it may go, but not be updated to less than the best
		for _, o := range positives(s.featureOrUpdate(id)) {
			if !slices.Contains(list, o) {
				s.addRule(-o, list...)
				s.bestOf = append(s.bestOf, id)
			}
		}
		return
	}
	s.addRule(list[0], list[1:]...)
	s.bestOf = append(s.bestOf, id)
}

func (s *solver) featureOrUpdate(id ID) *rule {
	if f := s.featureRule(id); f.p != 0 {
		return f
	}
	return s.updateRule(id)
}

func (s *solver) addLockedBest(id ID, all, list []ID, locked bitmap) []ID {
	if locked.has(id) {
		all = addUnique(all, []ID{id})
	}
	list = addUnique(list, filterIDs(all, func(o ID) bool { return s.isInstalled(o) && locked.has(o) }))
	free := filterIDs(all, func(o ID) bool { return s.isInstalled(o) || !locked.has(o) })
	return addUnique(list, s.filterBestUpdate(id, free))
}

// addYumObsoleteRules ties together the packages into which an installed one was split: all that
// carry the same Obsoletes come, or none.
func (s *solver) addYumObsoleteRules() {
	if s.pool.installed == nil {
		return
	}
	for _, d := range s.splitObsoletes() {
		groups := s.obsoleteGroup(d)
		for i, group := range groups {
			for _, id := range group {
				if s.isInstalled(id) {
					continue
				}
				for k, other := range groups {
					if k != i && len(other) > 0 {
						s.addRule(-id, other...)
						s.yumobsOf = append(s.yumobsOf, d)
					}
				}
			}
		}
	}
}

// splitObsoletes returns the Obsoletes that hit installed packages.
func (s *solver) splitObsoletes() (deps []Ref) {
	p := s.pool
	colors := p.flags.ObsoletesUseColors || p.flags.ImplicitObsoletesUseColors
	for _, id := range s.installed() {
		for _, o := range s.obsoleters[id] {
			for _, d := range p.list(&p.sols[o], depObsoletes) {
				hit := slices.ContainsFunc(p.whatProvides(d), func(v ID) bool {
					return s.isInstalled(v) && (p.flags.ObsoletesUseProvides || p.matchNEVR(&p.sols[v], d)) &&
						!(colors && !p.sameColor(&p.sols[id], &p.sols[v]))
				})
				if hit && !slices.Contains(deps, d) {
					deps = append(deps, d)
				}
			}
		}
	}
	return deps
}

// obsoleteGroup returns the packages with the Obsoletes d, grouped by name, if there are at least
// two groups of equal standing.
func (s *solver) obsoleteGroup(d Ref) [][]ID {
	p := s.pool
	colors := p.flags.ObsoletesUseColors || p.flags.ImplicitObsoletesUseColors
	var all []ID
	for _, v := range p.whatProvides(d) {
		vs := &p.sols[v]
		if !s.isInstalled(v) || !p.flags.ObsoletesUseProvides && !p.matchNEVR(vs, d) {
			continue
		}
		add := func(o ID) {
			os := &p.sols[o]
			if slices.Contains(p.list(os, depObsoletes), d) && !(colors && !p.sameColor(vs, os)) {
				all = addUnique(all, []ID{o})
			}
		}
		for _, o := range s.obsoleters[v] {
			add(o)
		}
		for _, o := range p.whatProvides(vs.name) {
			if p.sols[o].name == vs.name {
				add(o)
			}
		}
	}
	best := s.pruneToVersion(slices.Clone(all))
	if len(best) == 1 {
		return nil
	}
	var groups [][]ID
	for _, b := range best {
		if g := filterIDs(all, func(o ID) bool { return p.sols[o].name == p.sols[b].name }); len(g) > 0 {
			groups = append(groups, g)
		}
	}
	if len(groups) < 2 {
		return nil
	}
	return groups
}
