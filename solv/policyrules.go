package solv

import "slices"

// named returns the packages called name that have rules.
func (s *solver) named(name Ref) []ID {
	return filterIDs(s.pool.whatProvides(name), func(id ID) bool { return s.pool.sols[id].name == name && s.seen.has(id) })
}

// eachName calls f once for every package name that has rules, with all its packages.
func (s *solver) eachName(f func(ids []ID)) {
	for i := ID(2); int(i) < len(s.pool.sols); i++ {
		if !s.seen.has(i) {
			continue
		}
		if ids := s.named(s.pool.sols[i].name); len(ids) > 0 && ids[0] == i {
			f(ids)
		}
	}
}

func sameArchClass(a, b uint32) bool { return (a^b)&0xffff0000 == 0 }

// addInferiorArchRules forbids packages of a worse architecture than the best there is for their
// name, except for what is installed already.
func (s *solver) addInferiorArchRules() {
	if s.pool.arch.any {
		return
	}
	s.eachName(func(ids []ID) {
		best, allowed := s.bestArch(ids)
		if best == 0 {
			return
		}
		for _, id := range ids {
			if s.inferior(id, best, allowed) {
				s.addInferior(id, best)
			}
		}
	})
}

// bestArch returns the rank of the best architecture available, and the architectures that are
// allowed because they are installed.
func (s *solver) bestArch(ids []ID) (best uint32, allowed []Ref) {
	p := s.pool
	var bestOf Ref
	for _, id := range ids {
		arch := p.sols[id].arch
		r := p.archRank(arch)
		if r != 1 && s.isInstalled(id) {
			if !s.inDup(id) && !slices.Contains(allowed, arch) {
				allowed = append(allowed, arch)
			}
			continue
		}
		if r > 1 && (best == 0 || r < best) {
			best, bestOf = r, arch
		}
	}
	colors := p.flags.ImplicitObsoletesUseColors
	if best == 0 && len(allowed) > 1 && colors {
		for _, a := range allowed {
			if r := p.archRank(a); r > 1 && (best == 0 || r < best) {
				best = r
			}
		}
	}
	if len(allowed) == 1 && allowed[0] == bestOf {
		allowed = nil
	}
	if best != 0 && len(allowed) > 0 && colors {
		allowed = s.allowedArchs(ids, best)
	}
	return best, allowed
}

// allowedArchs returns the architectures of installed packages that have no twin of the best
// architecture.
func (s *solver) allowedArchs(ids []ID, best uint32) (allowed []Ref) {
	p := s.pool
	for _, id := range ids {
		if !s.isInstalled(id) || s.inDup(id) {
			continue
		}
		arch := p.sols[id].arch
		r := p.archRank(arch)
		if r == 1 || r != 0 && sameArchClass(r, best) {
			continue
		}
		if r == 0 || len(s.twins(id, best)) == 0 {
			if !slices.Contains(allowed, arch) {
				allowed = append(allowed, arch)
			}
		}
	}
	return allowed
}

// twins returns the packages of the same name and version in the best architecture (or none).
func (s *solver) twins(id ID, best uint32) []ID {
	p, sol := s.pool, &s.pool.sols[id]
	return filterIDs(p.whatProvides(sol.name), func(o ID) bool {
		os := &p.sols[o]
		if o == id || os.name != sol.name || os.evr != sol.evr || os.arch == sol.arch {
			return false
		}
		r := p.archRank(os.arch)
		return r == 1 || r != 0 && sameArchClass(r, best)
	})
}

func (s *solver) inferior(id ID, best uint32, allowed []Ref) bool {
	p := s.pool
	arch := p.sols[id].arch
	r := p.archRank(arch)
	if r == 1 || sameArchClass(r, best) {
		return false
	}
	if s.isInstalled(id) {
		return p.flags.ImplicitObsoletesUseColors // keeps step with its twin
	}
	return !slices.ContainsFunc(allowed, func(a Ref) bool {
		ra := p.archRank(a)
		return a == arch || ra != 0 && sameArchClass(r, ra)
	})
}

func (s *solver) addInferior(id ID, best uint32) {
	if !s.pool.flags.ImplicitObsoletesUseColors {
		s.addRule(-id)
		return
	}
	twins := s.twins(id, best)
	if s.isInstalled(id) && !slices.ContainsFunc(twins, s.isInstalled) {
		return
	}
	s.addRule(-id, twins...)
}

// createDupMaps finds the packages that DistUpgrade jobs are about (dupInvolved) and those that
// belong to what is upgraded to (dupMap).
func (s *solver) createDupMaps() {
	p := s.pool
	s.dupMap = newBitmap(len(p.sols))
	for i := range s.jobs {
		j := &s.jobs[i]
		if j.Action != DistUpgrade {
			continue
		}
		switch j.Select.kind {
		case selectAll:
			s.dupEverything(j)
		case selectRepo:
			repo := j.Select.repo
			if repo == nil || repo != p.installed && j.Flags&Targeted == 0 && s.opts.NoAutoTarget {
				continue
			}
			targeted := repo != p.installed || j.Flags&Targeted != 0
			for _, id := range repo.IDs() {
				if repo == p.installed || p.installable(id) {
					s.addToDup(id, j.Flags, targeted)
				}
			}
		default:
			targeted := j.Flags&Targeted != 0
			if !targeted && !s.opts.NoAutoTarget {
				targeted = p.installed == nil || !slices.ContainsFunc(s.picked[i], s.isInstalled)
			}
			for _, id := range s.picked[i] {
				if p.sols[id].repo == noRepo || !s.isInstalled(id) && (!targeted || !p.installable(id)) {
					continue
				}
				s.addToDup(id, j.Flags, targeted)
			}
		}
	}
	if s.dupInvolved != nil {
		s.dupInvolved.clear(System)
	}
	if s.dupAll {
		s.updateAll = true
	} else if s.dupInvolved != nil && !s.updateAll {
		for _, id := range s.installed() {
			if s.dupInvolved.has(id) {
				s.markBit(&s.updates, id)
			}
		}
	}
}

func (s *solver) dupEverything(j *Job) {
	s.dupAll = true
	for i := ID(2); int(i) < len(s.pool.sols); i++ {
		if !s.isInstalled(i) && s.pool.installable(i) {
			s.dupMap.set(i)
		}
	}
	s.bestUpdateAll = s.bestUpdateAll || j.Flags&ForceBest != 0
	if j.Flags&CleanDeps != 0 {
		for _, id := range s.installed() {
			s.addCleanUpdate(id)
		}
	}
}

func (s *solver) addToDup(id ID, f JobFlags, targeted bool) {
	p, sol := s.pool, &s.pool.sols[id]
	involve := func(id ID) { s.markBit(&s.dupInvolved, id) }
	// rivals are packages that may take the place of an installed one
	rivals := func(inst ID) {
		for _, o := range s.obsoleters[inst] {
			if !s.isInstalled(o) {
				involve(o)
			}
		}
	}
	mark := func(inst ID) {
		if f&ForceBest != 0 && !s.bestUpdateAll {
			s.markBit(&s.bestMap, inst)
		}
		if f&CleanDeps != 0 {
			s.addCleanUpdate(inst)
		}
	}
	involve(id)
	if targeted {
		s.dupMap.set(id)
	}
	for _, o := range p.whatProvides(sol.name) {
		if p.sols[o].name != sol.name {
			continue
		}
		involve(o)
		if s.isInstalled(o) {
			if targeted {
				rivals(o)
			}
			mark(o)
		} else if !targeted {
			s.dupMap.set(o)
		}
	}
	if s.isInstalled(id) {
		for _, o := range s.obsoleters[id] {
			if s.isInstalled(o) {
				continue
			}
			involve(o)
			if !targeted {
				s.dupMap.set(o)
			}
		}
	}
	if !targeted || s.isInstalled(id) {
		return
	}
	for _, d := range p.list(sol, depObsoletes) {
		for _, o := range p.whatProvides(d) {
			if !p.obsoletesBy(sol, d, &p.sols[o]) {
				continue
			}
			involve(o)
			if s.isInstalled(o) {
				rivals(o)
				mark(o)
			}
		}
	}
}

// addDupRules forbids what is not in the repositories upgraded to.
func (s *solver) addDupRules() {
	s.eachName(func(ids []ID) {
		for _, id := range ids {
			switch {
			case !s.inDup(id) || s.dupMap.has(id):
			case !s.isInstalled(id):
				s.addRule(-id)
			case !s.pool.excluded(id):
				s.addInstalledDupRule(id)
			}
		}
	})
}

func (s *solver) addInstalledDupRule(id ID) {
	p, sol := s.pool, &s.pool.sols[id]
	for _, o := range p.whatProvides(sol.name) {
		if s.dupMap.has(o) && p.sols[o].evr == sol.evr && p.identical(sol, &p.sols[o]) {
			s.dupMap.set(id)
			return
		}
	}
	r := s.keepRule(id)
	if r.p == 0 {
		s.dupMap.set(id)
		return
	}
	if sp := s.special[id]; sp != nil {
		s.addRule(-id, sp...)
		return
	}
	if r.p == id && len(r.rest) == 0 { // only it can keep itself: an orphan
		if f := s.featureRule(id); len(f.rest) == 0 {
			s.dupMap.set(id)
			return
		}
	}
	s.addRule(-id)
}

// addBlackRules forbids blacklisted packages, but not updates of installed ones.
func (s *solver) addBlackRules() {
	p := s.pool
	installedNames := map[Ref]bool{}
	each := func(f func(id ID)) {
		for i := range s.jobs {
			if s.jobs[i].Action == Blacklist {
				for _, id := range s.picked[i] {
					f(id)
				}
			}
		}
	}
	each(func(id ID) {
		if s.isInstalled(id) {
			installedNames[p.sols[id].name] = true
		}
	})
	each(func(id ID) {
		if !s.isInstalled(id) && !installedNames[p.sols[id].name] {
			s.addRule(-id)
		}
	})
}

// addRecommendsRules replaces rules from recommends by ones without disfavored packages.
func (s *solver) addRecommendsRules() {
	for i := s.pkg.start; i < s.pkg.end; i++ {
		r := &s.rules[i]
		if !r.weak {
			continue
		}
		var keep []int32
		disfavored, positive := false, false
		r.each(func(l int32) bool {
			if l > 0 && s.favor[l] < 0 {
				disfavored = true
				return true
			}
			positive = positive || l > 0
			keep = append(keep, l)
			return true
		})
		if !disfavored {
			continue
		}
		r.off = true
		if positive && len(keep) > 1 {
			s.addRule(keep[0], keep[1:]...)
			s.recommendsOf = append(s.recommendsOf, i)
		}
	}
}

// addRepoPriorityRules forbids packages that a better repository has in any version.
func (s *solver) addRepoPriorityRules() {
	p := s.pool
	todo := slices.Clone(s.seen)
	for i := ID(2); int(i) < len(p.sols); i++ {
		if !todo.has(i) {
			continue
		}
		sol := &p.sols[i]
		best := p.repoOf(sol).priority
		for _, o := range p.whatProvides(sol.name) {
			if p.sols[o].name == sol.name {
				best = max(best, p.repoOf(&p.sols[o]).priority)
			}
		}
		for _, o := range p.whatProvides(sol.name) {
			if p.sols[o].name != sol.name || !todo.has(o) {
				continue
			}
			todo.clear(o)
			if !s.isInstalled(o) && p.repoOf(&p.sols[o]).priority < best {
				s.addRule(-o)
			}
		}
	}
}
