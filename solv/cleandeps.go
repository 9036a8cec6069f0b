package solv

import "slices"

// cleaner finds the installed packages that nothing needs any more.
type cleaner struct {
	s         *solver
	user      bitmap // wanted for their own sake
	in        bitmap // still needed
	installed bitmap
	queue     []ID
}

// createCleanDeps marks in set the installed packages that become unneeded by the CleanDeps jobs;
// with unneeded, those that are not needed by any package the user asked for.
func (s *solver) createCleanDeps(set bitmap, unneeded bool) {
	set.zero()
	if len(s.installed()) == 0 {
		return
	}
	n := len(s.pool.sols)
	c := &cleaner{s: s, user: newBitmap(n), in: newBitmap(n), installed: newBitmap(n)}
	c.readJobs(unneeded)
	gone := slices.Clone(c.queue) // erased by the jobs themselves
	if unneeded {
		c.queue = nil
	}
	for _, id := range c.queue {
		c.user.clear(id)
	}
	for _, id := range s.installed() {
		if s.pool.excluded(id) {
			c.user.set(id)
		}
	}
	var seeds []ID
	if !unneeded && s.cleanUpdates != nil {
		seeds = c.updateSeeds()
		for _, id := range s.cleanUpdates {
			if !s.pool.excluded(id) {
				c.queue = append(c.queue, id)
				c.user.clear(id)
			}
		}
	}
	for _, id := range s.installed() {
		c.installed.set(id)
		if !unneeded || c.user.has(id) {
			c.in.set(id)
		}
	}
	c.installed.set(System)
	c.in.set(System)
	c.remove(unneeded)
	c.prepareAddBack(unneeded)
	c.addBack()
	for _, list := range [...][]ID{seeds, s.cleanMistakes, gone} {
		for _, id := range list {
			c.in.set(id)
		}
	}
	for _, id := range s.installed() {
		if !s.pool.excluded(id) && !c.in.has(id) {
			set.set(id)
		}
	}
}

// readJobs finds what the user wants, and queues the packages that go.
func (c *cleaner) readJobs(unneeded bool) {
	s := c.s
	for i := range s.jobs {
		if s.jobs[i].Action == UserInstalled {
			for _, id := range s.pool.Selected(s.jobs[i].Select) {
				if s.isInstalled(id) {
					c.user.set(id)
				}
			}
		}
	}
	for i := s.job.start; i < s.job.end; i++ {
		if s.rules[i].off || s.jobs[s.jobOf[i-s.job.start]].Flags&CleanDeps != 0 {
			continue
		}
		for _, id := range positives(&s.rules[i]) {
			if s.isInstalled(id) {
				c.user.set(id)
			}
		}
	}
	for i := s.job.start; i < s.job.end; i++ {
		r, j := &s.rules[i], &s.jobs[s.jobOf[i-s.job.start]]
		switch {
		case r.off:
		case r.p < 0 && len(r.rest) == 0:
			if s.isInstalled(-r.p) {
				c.user.clear(-r.p)
				if !unneeded && j.Action == Erase && j.Flags&CleanDeps != 0 {
					c.queue = append(c.queue, -r.p)
				}
			}
		case r.p > 0 && !unneeded && j.Flags&CleanDeps != 0:
			c.queue = append(c.queue, c.replacedBy(r)...)
		}
	}
}

// replacedBy returns the installed packages that an install job replaces whatever it chooses.
func (c *cleaner) replacedBy(r *rule) (common []ID) {
	s := c.s
	if len(r.rest) == 0 && s.isInstalled(r.p) {
		return nil
	}
	if s.multi != nil && !s.keepObsoletes && !r.each(func(l int32) bool { return !s.multi.has(l) }) {
		return nil
	}
	first := true
	r.each(func(l int32) bool {
		if l < 0 {
			common = nil
			return false
		}
		old := []ID{l}
		if !s.isInstalled(l) {
			old = s.replaced(l)
		}
		if first {
			common, first = old, false
		} else {
			common = filterIDs(common, func(o ID) bool { return slices.Contains(old, o) })
		}
		return len(common) > 0
	})
	return common
}

// updateSeeds returns the updated packages that stay needed: those that no other updated
// package alone needs, and what the user wants.
func (c *cleaner) updateSeeds() []ID {
	s := c.s
	list := filterIDs(s.cleanUpdates, s.isInstalled)
	u := unneededGraph{s: s, ids: slices.Clone(list), justOne: true}
	seeds := filterIDs(u.filter(), func(id ID) bool { return !c.user.has(id) })
	return append(seeds, filterIDs(list, c.user.has)...)
}

// shift takes the next package off the queue.
func (c *cleaner) shift() ID {
	id := c.queue[0]
	c.queue = c.queue[1:]
	return id
}

// possible reports that a dependency could hold with the packages of a set.
func (c *cleaner) possible(d Ref, set bitmap) bool {
	g := packageRules{s: c.s, seen: set}
	return g.possible(d)
}

// remove takes away the queued packages and all that they needed, unless the user wants it.
func (c *cleaner) remove(unneeded bool) {
	s, p := c.s, c.s.pool
	for {
		if len(c.queue) == 0 {
			if unneeded {
				return
			}
			c.queueUnsupplemented()
			if len(c.queue) == 0 {
				return
			}
		}
		id := c.shift()
		if !c.in.has(id) || !c.installed.has(id) || s.isInstalled(id) && c.user.has(id) {
			continue
		}
		c.in.clear(id)
		sol := &p.sols[id]
		for _, kind := range [...]depKind{depRequires, depRecommends} {
			for _, d := range p.list(sol, kind) {
				if d == preMarker {
					continue
				}
				if p.isRich(d) {
					c.removeRich(d)
					continue
				}
				for _, o := range p.whatProvides(d) {
					if o != System && c.in.has(o) {
						c.queue = append(c.queue, o)
					}
				}
			}
		}
	}
}

// queueUnsupplemented queues the packages all of whose supplements have gone.
func (c *cleaner) queueUnsupplemented() {
	s, p := c.s, c.s.pool
	for _, id := range s.installed() {
		sol := &p.sols[id]
		if !p.has(sol, depSupplements) || !c.in.has(id) || c.user.has(id) {
			continue
		}
		sups := p.list(sol, depSupplements)
		if slices.ContainsFunc(sups, func(d Ref) bool { return c.possible(d, c.in) }) {
			continue
		}
		for _, d := range sups {
			if !c.possible(d, c.installed) {
				continue
			}
			// what is left of the condition is not to go because of this package
			for _, o := range c.conditions(d, c.in, nil) {
				if s.isInstalled(o) {
					c.user.set(o)
				}
			}
			c.queue = append(c.queue, id)
		}
	}
}

// conditions appends the packages in set that play a part in a supplements (nil = all).
func (c *cleaner) conditions(d Ref, set bitmap, list []ID) []ID {
	p := c.s.pool
	if d.isRel() {
		switch r := p.rel(d); r.op {
		case OpAnd:
			return c.conditions(r.right, set, c.conditions(r.left, set, list))
		case OpIf, OpUnless:
			list = c.conditions(r.left, set, list)
			if r.right.isRel() && p.rel(r.right).op == OpElse {
				list = c.conditions(p.rel(r.right).right, set, list)
			}
			return list
		case OpNamespace:
			if p.isSplit(r) {
				return list
			}
		}
	}
	for _, id := range p.whatProvides(d) {
		if set == nil || set.has(id) {
			list = append(list, id)
		}
	}
	return list
}

func (c *cleaner) removeRich(d Ref) {
blocks:
	for _, b := range c.s.pool.normalize(d, richMode{}).blocks {
		for _, l := range b {
			if l < 0 {
				if !c.installed.has(-l) {
					continue blocks
				}
				continue
			}
			if l != System && c.in.has(l) {
				c.queue = append(c.queue, l)
			}
		}
	}
}

// prepareAddBack queues all that stays, and all that jobs install.
func (c *cleaner) prepareAddBack(unneeded bool) {
	s := c.s
	c.user.zero() // from here on: what is not to be added back
	for i := s.job.start; i < s.job.end; i++ {
		if r := &s.rules[i]; !r.off && r.p < 0 && len(r.rest) == 0 {
			c.in.clear(-r.p)
			if s.isInstalled(-r.p) {
				c.user.set(-r.p)
			}
		}
	}
	if !unneeded {
		for _, id := range s.cleanUpdates {
			if s.isInstalled(id) {
				c.user.set(id)
			}
		}
	}
	c.in.set(System)
	for _, id := range s.installed() {
		if c.in.has(id) {
			c.queue = append(c.queue, id)
		}
	}
	for i := s.job.start; i < s.job.end; i++ {
		if !s.rules[i].off {
			c.queue = append(c.queue, positives(&s.rules[i])...)
		}
	}
	for i := range s.jobs {
		if j := &s.jobs[i]; j.Action == UserInstalled && j.Select.kind == selectPackage && len(s.picked[i]) > 0 && !s.isInstalled(j.Select.ids[0]) {
			c.queue = append(c.queue, j.Select.ids[0])
		}
	}
}

// addBack adds what the remaining packages need.
func (c *cleaner) addBack() {
	s, p := c.s, c.s.pool
	for {
		if len(c.queue) == 0 {
			for _, id := range s.installed() {
				if c.user.has(id) || c.in.has(id) || !p.has(&p.sols[id], depSupplements) {
					continue
				}
				if slices.ContainsFunc(p.list(&p.sols[id], depSupplements), func(d Ref) bool { return c.possible(d, c.in) }) {
					c.add(id)
				}
			}
			if len(c.queue) == 0 {
				return
			}
		}
		id := c.shift()
		if s.isInstalled(id) && p.flags.ImplicitObsoletesUseColors {
			c.addTwin(id)
		}
		sol := &p.sols[id]
		for _, kind := range [...]depKind{depRequires, depRecommends} {
			for _, d := range p.list(sol, kind) {
				if d != preMarker {
					c.addNeeded(id, d)
				}
			}
		}
	}
}

func (c *cleaner) add(id ID) {
	c.in.set(id)
	c.queue = append(c.queue, id)
}

func (c *cleaner) addNeeded(id ID, d Ref) {
	p := c.s.pool
	if p.isRich(d) {
		c.addRich(id, d)
		return
	}
	list := p.whatProvides(d)
	if slices.Contains(list, id) {
		return
	}
	for _, o := range list {
		if !c.in.has(o) && c.installed.has(o) && !c.user.has(o) {
			c.add(o)
		}
	}
}

func (c *cleaner) addRich(id ID, d Ref) {
	for _, b := range c.s.pool.normalize(d, richMode{}).blocks {
		if slices.ContainsFunc(b, func(l int32) bool { return l < 0 && !c.installed.has(-l) || l == id }) {
			continue
		}
		for _, l := range b {
			if l > 0 && !c.in.has(l) && c.installed.has(l) && !c.user.has(l) {
				c.add(l)
			}
		}
	}
}

// addTwin keeps the best architecture's installed twin of a package.
func (c *cleaner) addTwin(id ID) {
	p, sol := c.s.pool, &c.s.pool.sols[id]
	best := uint32(0)
	for _, o := range p.whatProvides(sol.name) {
		if p.sols[o].name == sol.name && !c.s.isInstalled(o) {
			if r := p.archRank(p.sols[o].arch); r > 1 && (best == 0 || r < best) {
				best = r
			}
		}
	}
	if best == 0 || p.archRank(sol.arch) == best {
		return
	}
	for _, o := range p.whatProvides(sol.name) {
		os := &p.sols[o]
		if c.s.isInstalled(o) && os.name == sol.name && os.evr == sol.evr && os.arch != sol.arch && p.archRank(os.arch) == best && !c.in.has(o) {
			c.add(o)
		}
	}
}

// unneededGraph thins out a list of packages to those that no other one of the list needs.
type unneededGraph struct {
	s       *solver
	ids     []ID
	justOne bool // count only requirements with a single installed provider
	edges   [][]int
	nreq    []int // edges[i][:nreq[i]] are hard
}

func (u *unneededGraph) index(id ID) int { return slices.Index(u.ids, id) }

func (u *unneededGraph) link(from int, id ID) {
	to := u.index(id)
	if e := u.edges[from]; to >= 0 && (len(e) == 0 || e[len(e)-1] != to) {
		u.edges[from] = append(e, to)
	}
}

// filter returns the packages at the start of all chains of need: first without weak needs
// among those that hard ones leave over.
func (u *unneededGraph) filter() []ID {
	if len(u.ids) < 2 {
		return u.ids
	}
	u.edges = make([][]int, len(u.ids))
	u.nreq = make([]int, len(u.ids))
	for i, id := range u.ids {
		sol := &u.s.pool.sols[id]
		u.linkDeps(i, id, sol, depRequires)
		u.nreq[i] = len(u.edges[i])
		u.linkDeps(i, id, sol, depRecommends)
	}
	for i, id := range u.ids {
		u.linkSupplements(i, id)
	}
	dead := make([]bool, len(u.ids))
	for pass := range 2 {
		if pass == 1 {
			for i := range u.edges {
				u.edges[i] = u.edges[i][u.nreq[i]:]
			}
		}
		for i, root := range roots(u.edges, dead) {
			dead[i] = !root
		}
	}
	var out []ID
	for i, id := range u.ids {
		if !dead[i] {
			out = append(out, id)
		}
	}
	return out
}

func (u *unneededGraph) linkDeps(i int, id ID, sol *solvable, kind depKind) {
	s, p := u.s, u.s.pool
	for _, d := range p.list(sol, kind) {
		if d == preMarker {
			continue
		}
		if p.isRich(d) {
			for _, b := range p.normalize(d, richMode{}).blocks {
				for _, l := range b {
					if l < 0 && !s.isInstalled(-l) {
						break
					}
					if l > 0 && l != id && s.isInstalled(l) {
						u.link(i, l)
					}
				}
			}
			continue
		}
		others := filterIDs(p.whatProvides(d), func(o ID) bool { return o != id && s.isInstalled(o) })
		if u.justOne && len(others) != 1 {
			continue
		}
		for _, o := range others {
			u.link(i, o)
		}
	}
}

func (u *unneededGraph) linkSupplements(i int, id ID) {
	s, p := u.s, u.s.pool
	inst := newBitmap(len(p.sols))
	for _, o := range s.installed() {
		inst.set(o)
	}
	c := cleaner{s: s}
	for _, d := range p.list(&p.sols[id], depSupplements) {
		if !c.possible(d, inst) {
			continue
		}
		conds := c.conditions(d, nil, nil)
		if u.justOne && len(conds) != 1 {
			continue
		}
		for _, o := range conds {
			if j := u.index(o); o != id && j >= 0 {
				u.edges[j] = slices.Insert(u.edges[j], u.nreq[j], i)
			}
		}
	}
}

// filterCleanDeps prefers candidates that are installed and about to be cleaned up.
func (s *solver) filterCleanDeps(list []ID) []ID {
	update := false
	for _, id := range list {
		if s.isInstalled(id) && s.cleanDeps.has(id) {
			if !s.wantsUpdate(id) {
				return []ID{id}
			}
			update = true
		}
	}
	if !update {
		return list
	}
	// keep those that update an installed candidate
	keep := newBitmap(len(s.pool.sols))
	for _, id := range list {
		if !s.isInstalled(id) || !s.cleanDeps.has(id) || keep.has(id) {
			continue
		}
		var ups []ID
		if sp := s.special[id]; sp != nil {
			ups = sp
		} else if r := s.updateRule(id); r.p != 0 {
			ups = positives(r)
		}
		ups = s.pruneToTargets(id, filterIDs(ups, func(o ID) bool { return s.level[o] >= 0 }))
		keep.set(id)
		for _, o := range ups {
			keep.set(o)
		}
	}
	return filterIDs(list, keep.has)
}

// resolveCleanDeps erases what is left undecided of the packages to clean up.
func (s *solver) resolveCleanDeps(level int32) (int32, bool) {
	for _, id := range s.installed() {
		if s.level[id] != 0 || !s.cleanDeps.has(id) {
			continue
		}
		old := level
		if level = s.set(level, -id, false, 0, DecidedCleanDeps); level < old {
			return level, true
		}
	}
	return level, false
}

// cleanDepsMistaken finds packages that were thought unneeded but are not, and excepts them.
func (s *solver) cleanDepsMistaken() (mistaken bool) {
	p := s.pool
	if p.installed == nil {
		return false
	}
	s.updateRecommended()
	except := func(id ID) {
		s.cleanMistakes = append(s.cleanMistakes, id)
		s.cleanDeps.clear(id)
		if !slices.Contains(s.activeLifts(), lift{liftUpdate, id}) {
			s.applyUpdate(id, false)
		}
		mistaken = true
	}
	for _, id := range s.installed() {
		if s.level[id] > 0 {
			for _, d := range p.list(&p.sols[id], depRequires) {
				if d == preMarker {
					continue
				}
				for _, o := range p.whatProvides(d) {
					if o != id && s.isInstalled(o) && s.level[o] <= 0 && s.cleanDeps.has(o) {
						except(o)
					}
				}
			}
		}
		if s.cleanDeps.has(id) && s.cleanMistake(id) {
			except(id)
		}
	}
	return mistaken
}

func (s *solver) cleanMistake(id ID) bool {
	f := s.featureOrUpdate(id)
	if f.p == 0 {
		return false
	}
	if !s.holds(f) {
		return s.isRecommended(id)
	}
	u := s.updateRule(id)
	if u.p != 0 && u != f && !s.holds(u) {
		return true
	}
	for i := s.bestUp; i < s.best.end; i++ {
		if s.bestOf[i-s.best.start] == id && !s.holds(&s.rules[i]) {
			return true
		}
	}
	return false
}
