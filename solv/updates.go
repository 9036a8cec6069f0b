package solv

import "slices"

// changes is what an update may change.
type changes uint8

const (
	byPolicy   changes = iota // what Options allow
	anyChange                 // everything
	dupChanges                // what Options allow for DistUpgrade
)

// allowed says which kinds of change are allowed for updates.
func (s *solver) allowed(c changes) (downgrade, name, arch, vendor bool) {
	o := &s.opts
	switch c {
	case anyChange:
		return true, true, true, true
	case dupChanges:
		return !o.DupForbidDowngrade, !o.DupForbidNameChange, !o.DupForbidArchChange, !o.DupForbidVendorChange
	}
	return o.AllowDowngrade, !o.ForbidNameChange, o.AllowArchChange, o.AllowVendorChange
}

// archChange reports that replacing a by b is a change of architecture class.
func (p *Pool) archChange(a, b *solvable) bool {
	if a.arch == b.arch || p.arch.any {
		return false
	}
	ra, rb := p.archRank(a.arch), p.archRank(b.arch)
	return ra != 1 && rb != 1 && (ra^rb)&0xffff0000 != 0
}

// illegal are changes that policy forbids.
type illegal uint8

const (
	illegalDowngrade illegal = 1 << iota
	illegalArch
	illegalVendor
	illegalName
)

// policyForbids returns which forbidden changes replacing the installed package by another would
// be, leaving out those in ignore.
func (s *solver) policyForbids(old, id ID, ignore illegal) (bad illegal) {
	p := s.pool
	a, b := &p.sols[old], &p.sols[id]
	c := byPolicy
	if s.inDup(old) {
		c = dupChanges
	}
	downgrade, name, arch, vendor := s.allowed(c)
	if !downgrade && a.name == b.name && p.compareEVR(a.evr, b.evr) > 0 {
		bad |= illegalDowngrade
	}
	if !arch && p.archChange(a, b) {
		bad |= illegalArch
	}
	if !vendor && p.vendorChange(a, b) {
		bad |= illegalVendor
	}
	if !name && a.name != b.name {
		bad |= illegalName
	}
	return bad &^ ignore
}

// indexObsoletes finds the packages that obsolete installed ones of another name.
func (s *solver) indexObsoletes() {
	p := s.pool
	s.obsoleters = map[ID][]ID{}
	if len(s.installed()) == 0 {
		return
	}
	for i := ID(2); int(i) < len(p.sols); i++ {
		sol := &p.sols[i]
		if !p.has(sol, depObsoletes) || !p.installable(i) {
			continue
		}
		for _, d := range p.list(sol, depObsoletes) {
			for _, victim := range p.whatProvides(d) {
				if !p.isInstalled(victim) || p.sols[victim].name == sol.name || !p.obsoletesBy(sol, d, &p.sols[victim]) {
					continue
				}
				if l := s.obsoleters[victim]; len(l) == 0 || l[len(l)-1] != i {
					s.obsoleters[victim] = append(l, i)
				}
			}
		}
	}
}

// updatersOf returns the packages by which an installed one may be replaced.
func (s *solver) updatersOf(id ID, c changes) []ID {
	p := s.pool
	downgrade, name, arch, vendor := s.allowed(c)
	sol := &p.sols[id]
	colors := p.flags.ImplicitObsoletesUseColors
	var list []ID
	add := func(u ID) {
		o := &p.sols[u]
		if (arch || !p.archChange(sol, o)) && (vendor || !p.vendorChange(sol, o)) {
			list = append(list, u)
		}
	}
	provider := false
	for _, u := range p.whatProvides(sol.name) {
		o := &p.sols[u]
		if u == id || !p.isInstalled(u) && p.excluded(u) && !p.flags.HideExcluded {
			continue
		}
		if sol.name == o.name {
			if colors && !p.sameColor(sol, o) || !downgrade && p.compareEVR(sol.evr, o.evr) > 0 {
				continue
			}
			add(u)
			continue
		}
		if !name || s.opts.NoUpdateProvide && !s.opts.NeedUpdateProvide || colors && !p.sameColor(sol, o) || !s.obsoletesInstalled(u, id) {
			continue
		}
		provider = true
		add(u)
	}
	if !name || s.opts.NeedUpdateProvide || !s.opts.NoUpdateProvide && provider {
		return list
	}
	for _, u := range s.obsoleters[id] {
		if !colors || p.sameColor(sol, &p.sols[u]) {
			add(u)
		}
	}
	return list
}

// obsoletesInstalled reports that u obsoletes the installed package id.
func (s *solver) obsoletesInstalled(u, id ID) bool {
	p := s.pool
	for _, d := range p.list(&p.sols[u], depObsoletes) {
		if contains(p.whatProvides(d), id) && p.obsoletesBy(&p.sols[u], d, &p.sols[id]) {
			return true
		}
	}
	return false
}

// addUpdateRules makes two rules for every installed package: "it, or any update" (feature rule)
// and "it, or an update that policy allows" (update rule). A feature rule that says nothing more
// than the update rule is dropped, another one is kept disabled for when the update rule is given
// up.
func (s *solver) addUpdateRules() {
	p := s.pool
	slots := func(add func(ID)) func() {
		return func() {
			for id := s.first; id < s.end; id++ {
				if p.isInstalled(id) {
					add(id)
				} else {
					s.addRule(0)
				}
			}
		}
	}
	s.feature = s.newRules(slots(s.addFeatureRule))
	s.update.start = s.feature.end
	s.update = s.newRules(slots(func(id ID) {
		s.addUpdateRule(id)
		u, f := &s.rules[len(s.rules)-1], s.featureRule(id)
		if u.p == 0 {
			*f = rule{}
			return
		}
		if !s.processOrphans && f.p == id && len(f.rest) == 0 {
			s.orphans = append(s.orphans, id)
		}
		if compareRules(u, f) == 0 {
			*f = rule{}
		} else if f.p != 0 {
			f.off = true
		}
	}))
}

func (s *solver) addFeatureRule(id ID) {
	list := s.updatersOf(id, anyChange)
	if s.inDup(id) && !s.dupKeeps(id) && !slices.ContainsFunc(list, func(u ID) bool {
		return !s.isInstalled(u) || s.dupKeeps(u)
	}) {
		s.addRule(0) // an orphan
		return
	}
	s.addRule(id, list...)
}

// dupKeeps reports that an installed package fits what DistUpgrade brings.
func (s *solver) dupKeeps(id ID) bool {
	p := s.pool
	if s.dupMap.has(id) {
		return true
	}
	sol := &p.sols[id]
	for _, o := range p.whatProvides(sol.name) {
		if p.sols[o].evr != sol.evr {
			continue
		}
		if s.dupMap != nil && !s.dupMap.has(o) || s.dupMap == nil && s.isInstalled(o) {
			continue
		}
		if p.identical(sol, &p.sols[o]) {
			return true
		}
	}
	return false
}

func (s *solver) keepsOrphan(id ID) bool { return s.opts.KeepOrphans && !s.dropsOrphan(id) }

func (s *solver) addUpdateRule(id ID) {
	if s.pool.excluded(id) {
		s.addRule(id)
		return
	}
	if s.featureRule(id).p == 0 { // an orphan
		s.orphans = append(s.orphans, id)
		if s.keepsOrphan(id) {
			s.addRule(id)
		} else {
			s.addRule(0)
		}
		return
	}
	c := byPolicy
	if s.inDup(id) {
		c = dupChanges
	}
	list := s.updatersOf(id, c)
	if s.multi != nil && slices.ContainsFunc(list, s.multi.has) {
		s.addMultiUpdateRule(id, list)
		return
	}
	s.addRule(id, list...)
}

// addMultiUpdateRule makes the update rule of a package that has multiversion updaters: those are
// installed beside it, so they do not count as a replacement.
func (s *solver) addMultiUpdateRule(id ID, all []ID) {
	p, sol := s.pool, &s.pool.sols[id]
	list := filterIDs(all, func(u ID) bool {
		if !s.multi.has(u) {
			return true
		}
		o := &p.sols[u]
		if s.keepObsoletes && p.has(o, depObsoletes) && s.multiObsoletes(o, sol) {
			return true
		}
		return o.name == sol.name && o.evr == sol.evr && o.arch == sol.arch
	})
	if len(list) == 0 && s.inDup(id) && !s.dupKeeps(id) {
		s.orphans = append(s.orphans, id)
		s.setSpecial(id, all)
		if s.keepsOrphan(id) {
			s.addRule(id)
			return
		}
		list = all
	}
	if len(list) < len(all) && s.wantsUpdate(id) {
		s.setSpecial(id, all)
	}
	s.addRule(id, list...)
}

func (s *solver) setSpecial(id ID, updaters []ID) {
	if s.special == nil {
		s.special = map[ID][]ID{}
	}
	s.special[id] = updaters
}

func (s *solver) multiObsoletes(o, victim *solvable) bool {
	p := s.pool
	if p.flags.ObsoletesUseColors && !p.sameColor(victim, o) {
		return false
	}
	for _, d := range p.list(o, depObsoletes) {
		if p.matchNEVR(victim, d) {
			return true
		}
	}
	return false
}
