package solv

import "slices"

// addChoiceRules makes weak rules that prefer the providers that are installed, or update what is
// installed, over others.
func (s *solver) addChoiceRules() {
	if s.pool.installed == nil {
		return
	}
	c := choiceMaker{s: s, inRule: newBitmap(len(s.pool.sols)), forbidden: newBitmap(len(s.pool.sols))}
	c.downgrades = s.opts.AllowDowngrade || (s.dupAll || s.dupInvolved != nil) && !s.opts.DupForbidDowngrade
	for _, sp := range [...]span{s.infArch, s.dup} {
		for i := sp.start; i < sp.end; i++ {
			if r := &s.rules[i]; r.p < 0 && len(r.rest) == 0 {
				c.forbidden.set(-r.p)
			}
		}
	}
	for i := s.pkg.start; i < s.pkg.end; i++ {
		if r := &s.rules[i]; r.p < 0 && len(r.rest) > 0 && !(len(r.rest) == 1 && r.rest[0] <= 0) {
			c.add(i)
		}
	}
}

// pairing is a candidate with the installed package that it is or replaces.
type pairing struct{ old, id ID }

type choiceMaker struct {
	s          *solver
	inRule     bitmap // candidates of the rule at hand
	forbidden  bitmap
	downgrades bool
	lastFirst  int32 // the choice rule made last
	lastRest   []int32
	checked    []ID // cache of updatesOf for checkedFor
	checkedFor ID
	pruned     bool
}

func (c *choiceMaker) add(i int32) {
	s := c.s
	r := &s.rules[i]
	pairs, choice, ofInstalled := c.pair(r)
	if !choice || len(pairs) == 0 {
		return
	}
	for _, id := range positives(r) {
		c.inRule.set(id)
	}
	if !ofInstalled {
		pairs = slices.DeleteFunc(pairs, func(x pairing) bool { return c.updatesAway(x) })
	}
	useless := len(pairs) == 0 || c.covered(pairs)
	for _, id := range positives(r) {
		c.inRule.clear(id)
	}
	if useless {
		return
	}
	var rest []int32
	for _, l := range r.rest {
		if l < 0 {
			rest = append(rest, l)
		}
	}
	for _, x := range pairs {
		rest = append(rest, x.id)
	}
	if c.lastFirst == r.p && slices.Equal(c.lastRest, rest) {
		return
	}
	c.lastFirst, c.lastRest = r.p, rest
	s.weakQueue = append(s.weakQueue, s.addRule(r.p, rest...))
	s.choiceOf = append(s.choiceOf, i)
}

// pair finds the candidates that belong to an installed package. choice says that there are
// others, ofInstalled that an installed package that stays has the dependency.
func (c *choiceMaker) pair(r *rule) (pairs []pairing, choice, ofInstalled bool) {
	s := c.s
	r.each(func(l int32) bool {
		if l < 0 {
			if s.isInstalled(-l) && !s.wantsUpdate(-l) {
				ofInstalled = true
			}
			return true
		}
		switch {
		case s.pool.sols[l].repo == noRepo:
		case s.isInstalled(l):
			pairs = append(pairs, pairing{l, l})
		default:
			old := s.installedFor(l)
			switch {
			case old == 0:
				choice = true
			case !c.forbidden.has(l) && s.policyForbids(old, l, 0) == 0:
				pairs = append(pairs, pairing{old, l})
			}
		}
		return true
	})
	return pairs, choice, ofInstalled
}

// installedFor returns an installed package that id would replace.
func (s *solver) installedFor(id ID) ID {
	p, sol := s.pool, &s.pool.sols[id]
	for _, o := range p.whatProvides(sol.name) {
		os := &p.sols[o]
		if s.isInstalled(o) && (p.flags.ImplicitObsoletesUseProvides || sol.name == os.name) &&
			!(p.flags.ImplicitObsoletesUseColors && !p.sameColor(sol, os)) {
			return o
		}
	}
	for _, d := range p.list(sol, depObsoletes) {
		for _, o := range p.whatProvides(d) {
			if s.isInstalled(o) && p.obsoletesBy(sol, d, &p.sols[o]) {
				return o
			}
		}
	}
	return 0
}

// updatesAway reports that the installed package will be updated to something that is no
// candidate, so that it is no reason to choose this one.
func (c *choiceMaker) updatesAway(x pairing) bool {
	s, p := c.s, c.s.pool
	down := c.downgrades && p.sols[x.old].name == p.sols[x.id].name && p.compareEVR(p.sols[x.old].evr, p.sols[x.id].evr) > 0
	if !down && !s.wantsUpdate(x.old) {
		return false
	}
	if c.checkedFor != x.old {
		r := s.keepRule(x.old)
		c.checkedFor, c.checked, c.pruned = 0, nil, false
		if r.p == 0 {
			return false
		}
		c.checkedFor, c.checked = x.old, positives(r)
	}
	if len(c.checked) == 0 {
		return true
	}
	if len(c.checked) > 1 && !c.pruned {
		if !slices.ContainsFunc(c.checked, func(id ID) bool { return !c.inRule.has(id) }) {
			return false
		}
		c.checked = s.filter(c.checked, modeChoose)
		c.pruned = true
	}
	return !slices.ContainsFunc(c.checked, c.inRule.has)
}

// covered reports that the installed packages' own update rules say as much.
func (c *choiceMaker) covered(pairs []pairing) bool {
	s := c.s
	done := map[ID]bool{}
	for _, x := range pairs {
		if done[x.old] {
			continue
		}
		r := s.keepRule(x.old)
		if r.p == 0 {
			continue
		}
		if !r.each(func(l int32) bool { return c.inRule.has(l) }) {
			return false
		}
		done[x.old] = true
	}
	return true
}

// disableChoice gives up a choice rule, and all others for the same candidates.
func (s *solver) disableChoice(i int32) {
	s.rules[i].off = true
	own := positives(&s.rules[i])
	dropped := newBitmap(len(s.pool.sols))
	for _, id := range positives(&s.rules[s.choiceOf[i-s.choice.start]]) {
		if !slices.Contains(own, id) {
			dropped.set(id)
		}
	}
	for j := s.choice.start; j < s.choice.end; j++ {
		if !s.rules[j].off && slices.ContainsFunc(positives(&s.rules[s.choiceOf[j-s.choice.start]]), dropped.has) {
			s.rules[j].off = true
		}
	}
}

// dropUnneededChoices disables choice rules whose package rule was resolved otherwise.
func (s *solver) dropUnneededChoices() (dropped bool) {
	for i := s.choice.start; i < s.choice.end; i++ {
		r := &s.rules[i]
		orig := &s.rules[s.choiceOf[i-s.choice.start]]
		if r.off || orig.off {
			continue
		}
		for _, id := range positives(orig) {
			if s.level[id] > 0 && !r.hasLiteral(id) {
				s.disableChoice(i)
				dropped = true
				break
			}
		}
	}
	return dropped
}
