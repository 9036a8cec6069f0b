package solv

import "slices"

// laterDep is a rich weak dependency that has to be looked at again when a package is decided.
type laterDep struct {
	id  ID
	dep Ref
}

// catchUpRecommended updates the sets of recommended and suggested packages.
func (s *solver) catchUpRecommended() {
	if s.weakIndex < len(s.decisions) {
		s.updateRecommended()
	}
}

func (s *solver) updateRecommended() {
	p := s.pool
	if s.weakIndex < 0 {
		s.recommended.zero()
		s.suggested.zero()
		s.recLater, s.sugLater = nil, nil
		s.weakIndex = 0
	}
	for s.weakIndex < len(s.decisions) {
		id := s.decisions[s.weakIndex]
		s.weakIndex++
		if id < 0 {
			continue
		}
		s.recheck(id, s.recommended, &s.recLater)
		s.recheck(id, s.suggested, &s.sugLater)
		sol := &p.sols[id]
		s.markWeak(p.list(sol, depRecommends), s.recommended, &s.recLater)
		s.markWeak(p.list(sol, depSuggests), s.suggested, &s.sugLater)
	}
}

func (s *solver) markWeak(deps []Ref, set bitmap, later *[]laterDep) {
	for _, d := range deps {
		if s.pool.isRich(d) {
			s.markRich(d, set, later)
			continue
		}
		for _, id := range s.pool.whatProvides(d) {
			set.set(id)
		}
	}
}

// markRich marks the packages of those blocks whose negative literals are installed. If some of
// these are undecided the dependency is remembered.
func (s *solver) markRich(d Ref, set bitmap, later *[]laterDep) {
	nf := s.pool.normalize(d, richMode{})
	if nf.truth >= 0 {
		return
	}
blocks:
	for _, b := range nf.blocks {
		var open []ID
		i := 0
		for ; i < len(b) && b[i] < 0; i++ {
			if s.level[-b[i]] < 0 {
				continue blocks
			}
			if s.level[-b[i]] == 0 {
				open = append(open, -b[i])
			}
		}
		if i == len(b) {
			continue
		}
		if len(open) == 0 {
			for _, id := range b[i:] {
				set.set(id)
			}
			continue
		}
		for _, id := range open {
			if l := (laterDep{id, d}); !slices.Contains(*later, l) {
				*later = append(*later, l)
			}
		}
	}
}

func (s *solver) recheck(id ID, set bitmap, later *[]laterDep) {
	if !slices.ContainsFunc(*later, func(l laterDep) bool { return l.id == id }) || s.level[id] <= 0 {
		return
	}
	var deps []Ref
	*later = slices.DeleteFunc(*later, func(l laterDep) bool {
		if l.id == id {
			deps = append(deps, l.dep)
		}
		return l.id == id
	})
	for _, d := range deps {
		s.markRich(d, set, later)
	}
}

// fulfilled reports that a dependency holds with what is decided to be installed.
func (s *solver) fulfilled(d Ref) bool {
	p := s.pool
	if d.isRel() {
		r := p.rel(d)
		cond, alt := r.right, Ref(0)
		if r.op == OpIf || r.op == OpUnless {
			if cond.isRel() && p.rel(cond).op == OpElse {
				cond, alt = p.rel(cond).left, p.rel(cond).right
			}
		}
		switch r.op {
		case OpIf:
			if alt != 0 {
				if s.fulfilled(cond) {
					return s.fulfilled(r.left)
				}
				return s.fulfilled(alt)
			}
			return s.fulfilled(r.left) || !s.fulfilled(cond)
		case OpUnless:
			if alt != 0 {
				if !s.fulfilled(cond) {
					return s.fulfilled(r.left)
				}
				return s.fulfilled(alt)
			}
			return s.fulfilled(r.left) && !s.fulfilled(cond)
		case OpAnd:
			return s.fulfilled(r.left) && s.fulfilled(r.right)
		case OpOr:
			return s.fulfilled(r.left) || s.fulfilled(r.right)
		}
		if p.isSplit(r) {
			return s.splitFrom(r.right, false)
		}
	}
	for _, id := range p.whatProvides(d) {
		if s.level[id] > 0 {
			return true
		}
	}
	return false
}

// supplements reports that a package supplements something that is installed.
func (s *solver) supplements(id ID) bool {
	return slices.ContainsFunc(s.pool.list(&s.pool.sols[id], depSupplements), s.fulfilled)
}

func (s *solver) enhances(id ID) bool {
	return slices.ContainsFunc(s.pool.list(&s.pool.sols[id], depEnhances), s.fulfilled)
}

// freshness of a dependency: 0 = does not hold, 1 = holds, 2 = holds because of something that
// is not installed yet (or that a namespace answers, depending on the test).
type freshness func(d Ref) int

// fresh says whether a dependency holds because of a newly installed package.
func (s *solver) fresh(d Ref) int {
	p := s.pool
	if d.isRel() {
		switch r := p.rel(d); {
		case r.op.boolean():
			return s.freshRich(r, s.fresh)
		case p.isSplit(r):
			return s.freshSplit(r)
		case r.op == OpNamespace && (slices.Contains(s.nsInstall, d) || slices.Contains(s.nsInstall, r.left)):
			return 2
		}
	}
	found := 0
	for _, id := range p.whatProvides(d) {
		if s.level[id] > 0 {
			if p.sols[id].repo != noRepo && !s.isInstalled(id) {
				return 2
			}
			found = 1
		}
	}
	return found
}

// freshNamespace says whether a dependency holds because of a namespace.
func (s *solver) freshNamespace(d Ref) int {
	result := 1
	if d.isRel() {
		r := s.pool.rel(d)
		if r.op.boolean() {
			return s.freshRich(r, s.freshNamespace)
		}
		if p := s.pool; p.isSplit(r) {
			return s.freshSplit(r)
		}
		if r.op == OpNamespace {
			result = 2
		}
	}
	for _, id := range s.pool.whatProvides(d) {
		if s.level[id] > 0 {
			return result
		}
	}
	return 0
}

// isSplit reports "namespace:splitprovides(...)".
func (p *Pool) isSplit(r relation) bool {
	return r.op == OpNamespace && !r.left.isRel() && string(p.strs.raw(r.left)) == "namespace:splitprovides"
}

// splitFrom reports that a package which was split is being updated; or, with possible, that it is
// there to be. The argument is "PKG with PATH": the package has the path that moved.
func (s *solver) splitFrom(d Ref, possible bool) bool {
	p := s.pool
	if !s.opts.SplitProvides || p.installed == nil || !d.isRel() || p.rel(d).op != OpWith {
		return false
	}
	name := p.rel(d).left
	return slices.ContainsFunc(p.whatProvides(d), func(id ID) bool {
		return s.isInstalled(id) && p.sols[id].name == name && (possible || s.isUpdated(id))
	})
}

func (s *solver) freshSplit(r relation) int {
	if s.splitFrom(r.right, false) {
		return 2
	}
	return 0
}

// isUpdated reports that an installed package is replaced by a newer one, or by one of another name.
func (s *solver) isUpdated(id ID) bool {
	if s.level[id] >= 0 {
		return false
	}
	r := s.featureRule(id)
	if r.p == 0 {
		r = s.updateRule(id)
	}
	p := s.pool
	old := &p.sols[id]
	return !r.each(func(l int32) bool {
		if l <= 0 || l == id || s.level[l] <= 0 {
			return true
		}
		sol := &p.sols[l]
		return sol.name == old.name && p.compareEVR(sol.evr, old.evr) <= 0
	})
}

func (s *solver) freshRich(r relation, f freshness) int {
	p := s.pool
	both := func(a, b int) int { // b holds; fresh if a is
		if b != 0 && a == 2 {
			return 2
		}
		return b
	}
	any := func(a, b int) int {
		if a == 2 || b == 2 {
			return 2
		}
		return 1
	}
	not := func(a int) int {
		if a == 0 {
			return 1
		}
		return 0
	}
	if (r.op == OpIf || r.op == OpUnless) && r.right.isRel() && p.rel(r.right).op == OpElse {
		e := p.rel(r.right)
		yes, no := r.left, e.right
		if r.op == OpUnless {
			yes, no = no, yes
		}
		if c := f(e.left); c != 0 {
			return both(c, f(yes))
		}
		return f(no)
	}
	a, b := f(r.left), f(r.right)
	switch r.op {
	case OpIf:
		b = not(b)
		if a == 0 && b == 0 {
			return 0
		}
		return any(a, 1)
	case OpUnless:
		if a == 0 || not(b) == 0 {
			return 0
		}
		return any(a, 1)
	case OpAnd:
		if a == 0 || b == 0 {
			return 0
		}
		return any(a, b)
	}
	if a == 0 && b == 0 {
		return 0
	}
	return any(a, b)
}

func (s *solver) supplementsFresh(id ID) bool {
	for _, d := range s.pool.list(&s.pool.sols[id], depSupplements) {
		if !s.opts.AddAlreadyRecommended && s.fresh(d) != 2 {
			continue
		}
		if s.opts.OnlyNamespaceRecommended && s.freshNamespace(d) != 2 {
			continue
		}
		return true
	}
	return false
}

func (s *solver) isNamespace(d Ref) bool {
	for d.isRel() {
		r := s.pool.rel(d)
		if r.op == OpNamespace || s.isNamespace(r.left) {
			return true
		}
		d = r.right
	}
	return false
}

// resolveWeak installs what newly installed packages recommend and what supplements them, as far
// as possible without changing anything else. again asks for another round.
func (s *solver) resolveWeak(level int32) (_ int32, again bool) {
	rec, sup := s.weakCandidates()
	for _, id := range sup {
		if !slices.Contains(rec, id) {
			rec = append(rec, id)
		}
	}
	if len(rec) == 0 {
		return level, false
	}
	if len(rec) == 1 {
		return s.set(level, rec[0], false, 0, DecidedWeak), true
	}
	wanted := newBitmap(len(s.pool.sols))
	for _, id := range s.filter(rec, modeRecommend) {
		wanted.set(id)
	}
	sup = filterIDs(sup, wanted.has)
	if len(sup) > 1 {
		sup = s.filter(sup, modeSupplement)
	}
	decided := len(s.decisions)
	for _, id := range sup {
		if s.level[id] != 0 {
			continue
		}
		old := level
		if level = s.set(level, id, false, 0, DecidedWeak); level <= old {
			return level, true
		}
	}
	if len(s.decisions) < decided {
		return level, true
	}
	return s.installRecommended(level, decided, wanted), true
}

// installRecommended goes through the recommends of the first packages that were decided.
func (s *solver) installRecommended(level int32, decided int, wanted bitmap) int32 {
	p := s.pool
	for i := 0; i < decided; i++ {
		id := s.decisions[i]
		if id < 0 || p.sols[id].repo == noRepo || !s.opts.AddAlreadyRecommended && s.isInstalled(id) {
			continue
		}
		for _, d := range p.list(&p.sols[id], depRecommends) {
			list := s.missingFor(d, wanted)
			if len(list) == 0 {
				continue
			}
			if len(list) > 1 {
				list = s.filter(list, modeChoose)
			}
			if len(list) > 1 {
				s.addBranch(level, list, id, int32(d))
			}
			old := level
			level = s.set(level, list[0], false, 0, DecidedWeak)
			if level <= old || len(s.decisions) < decided {
				return level
			}
		}
	}
	return level
}

// missingFor returns the candidates for a recommends that does not hold yet.
func (s *solver) missingFor(d Ref, wanted bitmap) (list []ID) {
	if s.pool.isRich(d) {
		return s.missingForRich(nil, d, wanted)
	}
	for _, id := range s.pool.whatProvides(d) {
		if s.level[id] > 0 {
			return nil
		}
		if s.level[id] == 0 && wanted.has(id) {
			list = append(list, id)
		}
	}
	return list
}

// missingForRich appends candidates to list; without wanted, dropped orphans are left out.
func (s *solver) missingForRich(list []ID, d Ref, wanted bitmap) []ID {
	nf := s.pool.normalize(d, richMode{})
	if nf.truth >= 0 {
		return list
	}
	start := len(list)
blocks:
	for _, b := range nf.blocks {
		mark := len(list)
		for _, l := range b {
			switch {
			case l < 0:
				if s.level[-l] <= 0 {
					continue blocks
				}
			case s.level[l] > 0:
				list = list[:mark]
				continue blocks
			case s.level[l] < 0:
			case wanted != nil && !wanted.has(l), wanted == nil && s.droppedOrphan(l):
			default:
				list = append(list, l)
			}
		}
	}
	out := list[:start]
	for _, id := range list[start:] {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

func (s *solver) droppedOrphan(id ID) bool {
	return s.processOrphans && s.isInstalled(id) && s.dropsOrphan(id)
}

// weakCandidates returns the packages that are recommended and those that supplement.
func (s *solver) weakCandidates() (rec, sup []ID) {
	p := s.pool
	queued := newBitmap(len(p.sols))
	s.findSupplementing()
	for i := ID(1); int(i) < len(p.sols); i++ {
		if s.level[i] < 0 || s.level[i] == 0 && !s.supplementing.has(i) {
			continue
		}
		sol := &p.sols[i]
		if s.level[i] > 0 {
			if s.opts.AddAlreadyRecommended || !s.isInstalled(i) {
				rec = s.addRecommendsOf(rec, sol, queued)
			}
			continue
		}
		if !p.installable(i) || !s.supplements(i) || s.droppedOrphan(i) ||
			s.disfavored && s.favor[i] < 0 || s.excludeFromWeak.has(i) {
			continue
		}
		sup = append(sup, i)
	}
	if s.disfavored {
		rec = filterIDs(rec, func(id ID) bool { return s.favor[id] >= 0 })
	}
	if s.excludeFromWeak != nil {
		rec = filterIDs(rec, func(id ID) bool { return !s.excludeFromWeak.has(id) })
	}
	if (len(rec) > 0 || len(sup) > 0) && p.installed != nil {
		obsoleted := s.obsoletedByInstalled(true)
		keep := func(id ID) bool { return !obsoleted.has(id) }
		rec, sup = filterIDs(rec, keep), filterIDs(sup, keep)
	}
	return rec, s.pruneSupplements(sup)
}

func (s *solver) findSupplementing() {
	if s.supplementing != nil {
		return
	}
	s.supplementing = newBitmap(len(s.pool.sols))
	for i := range s.pool.sols {
		if s.pool.has(&s.pool.sols[i], depSupplements) {
			s.supplementing.set(ID(i))
		}
	}
}

func (s *solver) addRecommendsOf(rec []ID, sol *solvable, queued bitmap) []ID {
	p := s.pool
	for _, d := range p.list(sol, depRecommends) {
		if s.opts.OnlyNamespaceRecommended && !s.isNamespace(d) {
			continue
		}
		if p.isRich(d) {
			start := len(rec)
			rec = s.missingForRich(rec, d, nil)
			for _, id := range rec[start:] {
				queued.set(id)
			}
			continue
		}
		list := p.whatProvides(d)
		if slices.ContainsFunc(list, func(id ID) bool { return s.level[id] > 0 }) {
			continue
		}
		for _, id := range list {
			if s.level[id] == 0 && !queued.has(id) && !s.droppedOrphan(id) {
				queued.set(id)
				rec = append(rec, id)
			}
		}
	}
	return rec
}

// obsoletedByInstalled returns what installed packages that stay obsolete.
func (s *solver) obsoletedByInstalled(obeyKeep bool) bitmap {
	p := s.pool
	set := newBitmap(len(p.sols))
	for _, id := range s.installed() {
		sol := &p.sols[id]
		if s.level[id] <= 0 || !p.has(sol, depObsoletes) || s.multi.has(id) && !(obeyKeep && s.keepObsoletes) {
			continue
		}
		for _, d := range p.list(sol, depObsoletes) {
			for _, o := range p.whatProvides(d) {
				if !obeyKeep || p.obsoletesBy(sol, d, &p.sols[o]) {
					set.set(o)
				}
			}
		}
	}
	return set
}

// pruneSupplements leaves out packages that supplement only what was installed before, further
// versions of multiversion packages, and second architectures.
func (s *solver) pruneSupplements(sup []ID) []ID {
	p := s.pool
	if !s.opts.AddAlreadyRecommended || s.opts.OnlyNamespaceRecommended {
		sup = filterIDs(sup, s.supplementsFresh)
	}
	return filterIDs(sup, func(id ID) bool {
		sol := &p.sols[id]
		if !s.multi.has(id) && !p.flags.ImplicitObsoletesUseColors {
			return true
		}
		return !slices.ContainsFunc(p.whatProvides(sol.name), func(o ID) bool {
			os := &p.sols[o]
			return s.level[o] > 0 && os.name == sol.name && (s.multi.has(id) || os.arch != sol.arch)
		})
	})
}
