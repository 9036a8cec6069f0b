package solv

import "slices"

// search assigns packages until every rule holds. The order of its steps is policy. With disable
// set, problems are recorded and worked around so that all can be reported; else the first one
// ends the search. weak says whether weak dependencies install packages.
func (s *solver) search(disable, weak bool) {
	s.resume, s.extraOrder = 0, false
	level := int32(0)
	system := level + 1 // below this level a step has to be taken again
	haveInstalled := len(s.installed()) > 0
	focus := (s.opts.FocusNew || s.opts.FocusBest) && !s.opts.FocusInstalled
	// step runs one part of the search. ok is false if it undid what was there before.
	step := func(f func(int32, bool) int32) bool {
		old := level
		level = f(level, disable)
		return level >= old
	}
	extra := func(f func(int32, bool) int32) bool {
		s.extraOrder = haveInstalled
		ok := step(f)
		s.extraOrder = false
		return ok
	}
	for {
		if level < 0 {
			return
		}
		if level == 0 {
			if level = s.decideAssertions(disable); level < 0 {
				return
			}
			if c := s.propagate(level); c != 0 {
				level = s.unsolvable(c, disable)
				continue
			}
			system = level + 1
		}
		if level < system && !s.opts.FocusInstalled {
			if !extra(s.resolveJobs) {
				continue
			}
			system = level + 1
		}
		if level < system && focus && haveInstalled {
			if !extra(s.resolveDependencies) {
				continue
			}
			system = level + 1
		}
		if level < system && haveInstalled {
			if !step(s.resolveInstalled) {
				continue
			}
			system = level + 1
		}
		if level < system && s.opts.FocusInstalled {
			if !step(s.resolveJobs) {
				continue
			}
			system = level + 1
		}
		system = min(system, level)
		if !step(s.resolveDependencies) {
			continue
		}
		var again bool
		if level, again = s.finish(level, disable, weak); !again {
			return
		}
	}
}

// finish does what comes after all rules hold. again asks for another round.
func (s *solver) finish(level int32, disable, weak bool) (_ int32, again bool) {
	if s.cleanDeps != nil && s.pool.installed != nil {
		if level, again = s.resolveCleanDeps(level); again {
			return level, true
		}
	}
	if weak {
		if level, again = s.resolveWeak(level); again {
			return level, true
		}
	}
	if s.pool.installed != nil && (len(s.orphans) > 0 || s.brokenOrphans != nil) {
		if level, again = s.resolveOrphans(level); again {
			return level, true
		}
	}
	for _, id := range s.installed() { // what is left undecided may go
		if s.level[id] != 0 {
			continue
		}
		old := level
		if level = s.set(level, -id, disable, 0, DecidedCleanDeps); level < old {
			return level, true
		}
	}
	if s.cleanDeps != nil && s.cleanDepsMistaken() || s.dropUnneededChoices() {
		s.reset()
		return 0, true
	}
	return s.minimize(level, disable)
}

// minimize goes back to a choice where another candidate was installed anyway, or is wanted by a
// weak dependency while the chosen one is not.
func (s *solver) minimize(level int32, disable bool) (int32, bool) {
	if s.weakIndex < len(s.decisions) && len(s.branches) > 0 {
		s.updateRecommended()
	}
	lastBranch, last := -1, -1
	for b := len(s.branches) - 1; b >= 0; b-- {
		br := &s.branches[b]
		wanted := -1
		for i, id := range br.candidates {
			if id <= 0 {
				continue
			}
			if s.level[id] > br.level {
				lastBranch, last, wanted = b, i, -1
				break
			}
			if s.disfavored && s.favor[id] < 0 {
				continue
			}
			if wanted < 0 && s.isRecommended(id) {
				wanted = i
			}
		}
		if wanted >= 0 && s.chosenIsWorse(br, br.candidates[wanted]) {
			lastBranch, last = b, wanted
		}
	}
	if lastBranch < 0 {
		return level, false
	}
	return s.takeBranch(lastBranch, last, disable), true
}

// chosenIsWorse reports that the candidate taken at a branch is neither recommended nor favored
// over another that is recommended, and replaces nothing.
func (s *solver) chosenIsWorse(br *branch, wanted ID) bool {
	for _, l := range br.candidates {
		id := -l
		if id <= 0 || s.level[id] != br.level+1 {
			continue
		}
		if s.favor != nil && s.favor[id] > s.favor[wanted] || s.replacesInstalled(id, s.noUpdate) || s.isRecommended(id) {
			continue
		}
		return true
	}
	return false
}

func (s *solver) isRecommended(id ID) bool {
	return s.recommended.has(id) || s.supplements(id)
}

// takeBranch reverts to a branch and takes another of its candidates.
func (s *solver) takeBranch(b, i int, disable bool) int32 {
	br := &s.branches[b]
	level, id := br.level, br.candidates[i]
	br.candidates[i] = -id
	at := len(s.decisions)
	for at > 0 && abs(s.level[abs(s.decisions[at-1])]) > level {
		at--
	}
	why, reason := -s.why[at], s.reasons[level+1]
	keep := br.level
	br.level = 0 // so that revert keeps this branch
	s.revert(level)
	s.branches = s.branches[:b+1]
	s.branches[b].level = keep
	return s.set(level, id, disable, why, reason)
}

// choose installs the best of several candidates and remembers the others.
func (s *solver) choose(level int32, list []ID, disable bool, why int32, reason DecisionReason) int32 {
	if len(list) > 1 {
		list = s.filter(list, modeChoose)
	}
	if len(list) > 1 && s.extraOrder {
		list = s.preferReplacing(list)
		if len(list) > 1 {
			list = s.orderForInstalled(level, list)
		}
	}
	if len(list) > 1 && !s.yumobs.empty() {
		list = s.pruneYumObsoletes(list)
	}
	if len(list) > 1 {
		s.addBranch(level, list, 0, why)
	}
	return s.set(level, list[0], disable, why, reason)
}

func (s *solver) addBranch(level int32, list []ID, from ID, data int32) {
	c := slices.Clone(list)
	c[0] = -c[0]
	s.branches = append(s.branches, branch{c, level, from, data})
}

// resolveJobs installs what install jobs ask for.
func (s *solver) resolveJobs(level int32, disable bool) int32 {
	start := level
	for i := s.job.start; i < s.job.end; i++ {
		r := &s.rules[i]
		if r.off {
			continue
		}
		list, open := s.openLiterals(r)
		if !open || len(list) == 0 {
			continue
		}
		if len(list) > 1 {
			list = s.preferInstalled(list, i)
		}
		old := level
		level = s.choose(level, list, disable, i, DecidedJob)
		if level <= old {
			if level == old {
				i-- // try something else
				continue
			}
			if level < start {
				return level
			}
			i = s.job.start - 1
		}
	}
	return level
}

// openLiterals returns the undecided positive literals of a rule; open is false if it holds.
func (s *solver) openLiterals(r *rule) (list []ID, open bool) {
	open = r.each(func(l int32) bool {
		if l < 0 {
			return s.level[-l] > 0
		}
		if s.level[l] > 0 {
			return false
		}
		if s.level[l] == 0 {
			list = append(list, l)
		}
		return true
	})
	return list, open
}

// preferInstalled keeps an install job from updating packages.
func (s *solver) preferInstalled(list []ID, jobRule int32) []ID {
	if s.pool.installed == nil || s.updateAll || s.opts.InstallAlsoUpdates || s.jobs[s.jobOf[jobRule-s.job.start]].Flags&OrUpdate != 0 {
		return list
	}
	if slices.ContainsFunc(list, func(id ID) bool { return s.isInstalled(id) && s.updates.has(id) }) {
		return list
	}
	if inst := filterIDs(list, s.isInstalled); len(inst) > 0 {
		return inst
	}
	return list
}

// resolveInstalled goes over the installed packages: first those that a job updates, then it
// keeps the others, then it updates those that could not be kept.
func (s *solver) resolveInstalled(level int32, disable bool) int32 {
	start := level
	if s.resume == 0 {
		s.resume = s.first
	}
	pos := s.resume
	firstPass := 1
	if s.updateAll {
		firstPass = 2
	} else if s.updates != nil {
		firstPass = 0
	}
	for pass := firstPass; pass < 3; {
		ip := installedPass{s: s, pass: pass, base: level, level: level, pos: pos, disable: disable}
		done := ip.run()
		level, pos = ip.level, ip.pos
		if !done {
			if level < start {
				break
			}
			pass = firstPass
			continue
		}
		pos = s.first
		if pass++; pass == 2 && !ip.more {
			break
		}
	}
	s.resume = pos
	return level
}

// installedPass is one round over the installed packages.
type installedPass struct {
	s           *solver
	pass        int
	base, level int32
	pos         ID
	disable     bool
	more        bool // a further pass is needed
}

// run returns false if a decision from before the pass had to be undone.
func (ip *installedPass) run() bool {
	s := ip.s
	for left := s.end - s.first; left > 0; left-- {
		if ip.pos >= s.end {
			ip.pos = s.first
		}
		old := ip.level
		again := s.isInstalled(ip.pos) && ip.one(ip.pos)
		if !again {
			ip.pos++
			continue
		}
		if ip.level < ip.base {
			return false
		}
		if ip.level < old {
			left = s.end - s.first // start over, from here
		}
		left++
	}
	return true
}

// one handles one package; it returns true if a decision did not stand.
func (ip *installedPass) one(id ID) bool {
	s := ip.s
	if s.level[id] > 0 && s.special[id] == nil {
		return false
	}
	if ip.pass == 0 && s.updates != nil && !s.updates.has(id) {
		return false
	}
	rid := s.update.start + id - s.first
	keep := rid
	if r := &s.rules[rid]; r.p == 0 || r.off {
		rid = s.feature.start + id - s.first
	}
	if s.rules[rid].p == 0 {
		rid = keep
	}
	if s.rules[rid].p == 0 {
		return false
	}
	if !s.noUpdate.has(id) && (s.level[id] < 0 || s.wantsUpdate(id)) {
		if ip.pass == 1 {
			ip.more = true
			return false
		}
		if ip.update(id, rid) {
			return true
		}
	}
	if s.level[id] != 0 || s.cleanDeps.has(id) {
		return false
	}
	old := ip.level
	ip.level = s.set(ip.level, id, ip.disable, keep, DecidedKeep)
	return ip.level <= old
}

func (ip *installedPass) update(id ID, rid int32) bool {
	s := ip.s
	if s.special[id] != nil {
		if list := s.specialUpdaters(id); len(list) > 0 {
			why := s.feature.start + id - s.first
			if s.rules[why].p == 0 {
				why = s.update.start + id - s.first
			}
			old := ip.level
			if ip.level = s.choose(ip.level, list, ip.disable, why, DecidedUpdate); ip.level <= old {
				return true
			}
		}
	}
	var list []ID
	s.rules[rid].each(func(l int32) bool {
		if s.level[l] > 0 {
			list = nil
			return false
		}
		if s.level[l] == 0 {
			list = append(list, l)
		}
		return true
	})
	list = s.pruneToTargets(id, list)
	if len(list) == 0 {
		return false
	}
	old := ip.level
	ip.level = s.choose(ip.level, list, ip.disable, rid, DecidedUpdate)
	return ip.level <= old
}

// pruneToTargets keeps the packages that a targeted job names for the installed package id.
func (s *solver) pruneToTargets(id ID, list []ID) []ID {
	if t := s.targets[id]; t != nil && len(list) > 0 {
		return filterIDs(list, func(u ID) bool { return slices.Contains(t, u) })
	}
	return list
}

// specialUpdaters returns the multiversion package to install beside an installed one, if any.
func (s *solver) specialUpdaters(id ID) []ID {
	p := s.pool
	var list []ID
	if s.level[id] >= 0 {
		list = append(list, id)
	}
	updaters := s.special[id]
	for _, u := range updaters {
		if s.level[u] >= 0 {
			list = append(list, u)
		}
	}
	for i := 0; i < len(list); i++ {
		if !s.isInstalled(list[i]) {
			continue
		}
		for _, u := range updaters {
			if s.level[u] < 0 && !s.isInstalled(u) && p.identical(&p.sols[u], &p.sols[list[i]]) {
				list = append(list, u)
			}
		}
	}
	list = s.pruneToTargets(id, list)
	if len(list) == 0 {
		return nil
	}
	list = s.filter(list, modeChoose)
	if best := list[0]; best != id && s.level[best] == 0 {
		return list[:1]
	}
	return nil
}

// resolveDependencies installs what is needed so that every rule holds. Rules with several
// equally good candidates are put off until all others are settled.
func (s *solver) resolveDependencies(level int32, disable bool) int32 {
	start := level
	s.updateHeads()
	postponed := int32(0) // first rule put off; -1 = now it is their turn
	for i, n := int32(1), 1; ; i, n = i+1, n+1 {
		if n >= len(s.rules) {
			if postponed <= 0 {
				return level
			}
			i, n, postponed = postponed, 1, -1
		}
		if int(i) >= len(s.rules) {
			i = 1
		}
		if h := s.heads[i]; h == 0 || h < 0 && s.level[-h] <= 0 || h > 0 && s.level[h] > 0 {
			continue
		}
		r := &s.rules[i]
		if r.off || len(r.rest) == 0 || s.extraOrder && !s.focuses(i) {
			continue
		}
		list, open := s.candidates(r)
		if !open {
			continue
		}
		if s.cleanDeps != nil && s.pool.installed != nil {
			list = s.filterCleanDeps(list)
		}
		if len(list) > 1 && postponed >= 0 {
			if list = s.filter(list, modeChooseNoReorder); len(list) > 1 {
				if postponed == 0 {
					postponed = i
				}
				continue
			}
		}
		level = s.choose(level, list, disable, i, DecidedDependency)
		if level < start {
			return level
		}
		s.updateHeads()
		n = 0
	}
}

// updateHeads appends the heads of new rules.
func (s *solver) updateHeads() {
	for i := len(s.heads); i < len(s.rules); i++ {
		r := &s.rules[i]
		h := r.p
		if len(r.rest) == 0 || len(r.rest) == 1 && (r.p < 0 || r.rest[0] < 0) {
			h = 0
		}
		s.heads = append(s.heads, h)
	}
}

// candidates returns the undecided packages of a rule that does not hold yet.
func (s *solver) candidates(r *rule) ([]ID, bool) {
	if r.p < 0 && (len(r.rest) == 1 || s.level[-r.p] <= 0) {
		return nil, false
	}
	if len(r.rest) == 1 {
		if r.rest[0] <= 0 || s.level[r.p] != 0 || s.level[r.rest[0]] != 0 {
			return nil, false
		}
		return []ID{r.p, r.rest[0]}, true
	}
	if r.p > 0 && s.level[r.p] > 0 {
		return nil, false
	}
	for _, l := range r.rest { // most rules hold: look before making a list
		if l < 0 && s.level[-l] <= 0 || l > 0 && s.level[l] > 0 {
			return nil, false
		}
	}
	list, open := s.openLiterals(r)
	return list, open && len(list) > 0
}

// focuses reports that a rule is one of those that FocusBest and FocusNew resolve before the
// installed packages.
func (s *solver) focuses(i int32) bool {
	if i >= s.feature.start {
		return false
	}
	r := &s.rules[i]
	if len(r.rest) < 2 || s.pool.installed == nil {
		return true
	}
	newlyNeeded := r.p < 0 && !s.isInstalled(-r.p) || slices.ContainsFunc(r.rest, func(l int32) bool {
		return l < 0 && s.level[-l] > 0 && !s.isInstalled(-l)
	})
	if !newlyNeeded {
		return false
	}
	return s.opts.FocusBest || r.each(func(l int32) bool { return l <= 1 || !s.isInstalled(l) })
}

// resolveOrphans keeps installed packages that are in no repository if nothing speaks against it.
func (s *solver) resolveOrphans(level int32) (int32, bool) {
	again := false
	for _, id := range s.orphans {
		if s.level[id] != 0 || s.dropsOrphan(id) {
			continue
		}
		old := level
		level = s.set(level, id, false, 0, DecidedOrphan)
		again = true
		if level < old {
			break
		}
	}
	if again {
		return level, true
	}
	for _, id := range s.orphans {
		if s.level[id] != 0 {
			continue
		}
		old := level
		if level = s.set(level, -id, false, 0, DecidedOrphan); level < old {
			return level, true
		}
	}
	list := s.brokenOrphanNeeds()
	if len(list) == 0 {
		return level, false
	}
	for _, id := range s.filter(list, modeChoose) {
		old := level
		if level = s.set(level, id, false, 0, DecidedOrphan); level < old {
			break
		}
	}
	return level, true
}

// breakOrphans turns the dependencies of orphans into mere wishes.
func (s *solver) breakOrphans() {
	if s.pool.installed == nil || s.dropOrphanedAll {
		return
	}
	orphan := newBitmap(len(s.pool.sols))
	for _, id := range s.orphans {
		if s.isInstalled(id) && !s.dropOrphaned.has(id) {
			orphan.set(id)
		}
	}
	for i := s.pkg.start; i < s.pkg.end; i++ {
		r := &s.rules[i]
		if r.p >= 0 || r.conflict() {
			continue
		}
		if !orphan.has(-r.p) {
			if len(r.rest) < 2 || !slices.ContainsFunc(r.rest, func(l int32) bool { return l < 0 && orphan.has(-l) }) {
				continue
			}
		}
		s.brokenOrphans = append(s.brokenOrphans, i)
		r.off = true
	}
}

func (s *solver) brokenOrphanNeeds() (list []ID) {
	for _, i := range s.brokenOrphans {
		r := &s.rules[i]
		holds := !r.each(func(l int32) bool {
			if l < 0 {
				return s.level[-l] > 0
			}
			return !(s.level[l] > 0 && !s.isInstalled(l))
		})
		if holds {
			continue
		}
		r.each(func(l int32) bool {
			if l > 0 && s.level[l] == 0 && !s.isInstalled(l) && !slices.Contains(list, l) {
				list = append(list, l)
			}
			return true
		})
	}
	return list
}
