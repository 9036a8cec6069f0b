package solv

import "slices"

func (s *solver) makeWatches() {
	n := len(s.pool.sols)
	s.watch = make([]int32, 2*n)
	for i := len(s.rules) - 1; i > 0; i-- {
		if s.rules[i].w2 != 0 {
			s.watchRule(int32(i))
		}
	}
}

func (s *solver) watchRule(i int32) {
	n := int32(len(s.pool.sols))
	r := &s.rules[i]
	r.n1, s.watch[n+r.w1] = s.watch[n+r.w1], i
	r.n2, s.watch[n+r.w2] = s.watch[n+r.w2], i
}

func abs(l int32) int32 {
	if l < 0 {
		return -l
	}
	return l
}

func (s *solver) isTrue(l int32) bool {
	if l > 0 {
		return s.level[l] > 0
	}
	return s.level[-l] < 0
}

func (s *solver) isFalse(l int32) bool {
	if l > 0 {
		return s.level[l] < 0
	}
	return s.level[-l] > 0
}

// decide records a literal as true. why is as in solver.why.
func (s *solver) decide(l, level, why int32) {
	if l > 0 {
		s.level[l] = level
	} else {
		s.level[-l] = -level
	}
	s.decisions = append(s.decisions, l)
	s.why = append(s.why, why)
}

// propagate draws all conclusions from rules with one literal left. It returns a rule that
// cannot hold any more, or 0.
func (s *solver) propagate(level int32) int32 {
	watch := s.watch[len(s.pool.sols):]
	neg := s.watch[:len(s.pool.sols)]
	head := func(l int32) *int32 {
		if l >= 0 {
			return &watch[l]
		}
		return &neg[int32(len(neg))+l]
	}
	for s.propagated < len(s.decisions) {
		lit := -s.decisions[s.propagated]
		s.propagated++
		for link := head(lit); *link != 0; {
			i := *link
			r := &s.rules[i]
			next, other := &r.n1, r.w2
			if lit != r.w1 {
				next, other = &r.n2, r.w1
			}
			if r.off || s.isTrue(other) {
				link = next
				continue
			}
			if l := s.replacement(r, other); l != 0 {
				*link = *next
				h := head(l)
				if lit == r.w1 {
					r.w1, r.n1 = l, *h
				} else {
					r.w2, r.n2 = l, *h
				}
				*h = i
				continue
			}
			if s.isFalse(other) {
				return i
			}
			s.decide(other, level, i)
			link = next
		}
	}
	return 0
}

// replacement returns another literal to watch: one that may still hold.
func (s *solver) replacement(r *rule, other int32) int32 {
	if len(r.rest) < 2 {
		return 0
	}
	if r.p != other && !s.isFalse(r.p) {
		return r.p
	}
	for _, l := range r.rest {
		if l != other && !s.isFalse(l) {
			return l
		}
	}
	return 0
}

// revert takes back all decisions above a level.
func (s *solver) revert(level int32) {
	for n := len(s.decisions); n > 0; n-- {
		v := abs(s.decisions[n-1])
		if abs(s.level[v]) <= level {
			break
		}
		s.level[v] = 0
		s.decisions = s.decisions[:n-1]
		s.why = s.why[:n-1]
		s.propagated = n - 1
	}
	for n := len(s.branches); n > 0 && s.branches[n-1].level >= level; n-- {
		s.branches = s.branches[:n-1]
	}
	if s.weakIndex > len(s.decisions) {
		s.weakIndex = -1
	}
	s.reasons = s.reasons[:level+1]
}

// analyze learns from a rule that cannot hold: it resolves it with the rules behind its
// literals until only one literal of the current level is left (the first unique implication
// point), reverts to the level where that new rule becomes active, and returns level and rule.
func (s *solver) analyze(level, conflict int32) (int32, int32) {
	seen := newBitmap(len(s.pool.sols))
	proof := int32(len(s.learntPool))
	var others []int32
	var p int32
	back := int32(1)
	here, atOne := 0, 0 // literals of the current level and of level 1 still to resolve
	idx := len(s.decisions)
	// next steps back to the decision of the latest literal seen.
	next := func() int32 {
		for {
			idx--
			if v := abs(s.decisions[idx]); seen.has(v) {
				seen.clear(v)
				return s.decisions[idx]
			}
		}
	}
resolve:
	for c := conflict; ; {
		s.learntPool = append(s.learntPool, c)
		s.rules[c].each(func(l int32) bool {
			v := abs(l)
			if s.isTrue(l) || seen.has(v) {
				return true
			}
			seen.set(v)
			switch at := abs(s.level[v]); at {
			case 1:
				atOne++
			case level:
				here++
			default:
				others = append(others, l)
				back = max(back, at)
			}
			return true
		})
		for {
			if here == 0 {
				if atOne--; atOne == 0 {
					break resolve
				}
			}
			v := next()
			if here > 0 {
				if here--; here == 0 {
					p = -v
					if atOne == 0 {
						break resolve
					}
					for _, l := range others {
						seen.clear(abs(l))
					}
					// from now on only facts of level 1 are resolved, for the proof
					atOne++
					continue
				}
			}
			if why := s.why[idx]; why > 0 {
				c = why
				break
			}
		}
	}
	s.learntPool = append(s.learntPool, 0)
	s.revert(back)
	i := s.addRule(p, others...)
	s.learntWhy = append(s.learntWhy, proof)
	if r := &s.rules[i]; r.w2 != 0 {
		s.watchHighest(r)
		s.watchRule(i)
	} else {
		s.assertions = append(s.assertions, i)
	}
	return back, i
}

// watchHighest makes the second watched literal the one decided last.
func (s *solver) watchHighest(r *rule) {
	top := int32(0)
	if len(r.rest) < 2 {
		return
	}
	for _, l := range r.rest {
		if at := abs(s.level[abs(l)]); at > top {
			r.w2, top = l, at
		}
	}
}

// set decides a literal (0 = none), draws conclusions, and learns from contradictions. The
// returned level is lower than or equal to the given one if the decision did not stand, 0 if
// the search has to start again, -1 if there is no solution.
func (s *solver) set(level, l int32, disable bool, why int32, reason DecisionReason) int32 {
	if l != 0 {
		level++
		s.decide(l, level, -why)
		s.reasons = append(s.reasons, reason)
	}
	for {
		conflict := s.propagate(level)
		if conflict == 0 {
			return level
		}
		if level == 1 {
			return s.unsolvable(conflict, disable)
		}
		var learnt int32
		level, learnt = s.analyze(level, conflict)
		s.decide(s.rules[learnt].p, level, learnt)
	}
}

// reset forgets all decisions.
func (s *solver) reset() {
	for _, l := range s.decisions {
		s.level[abs(l)] = 0
	}
	s.decisions, s.why, s.reasons = s.decisions[:0], s.why[:0], s.reasons[:0]
	s.weakIndex, s.propagated = -1, 0
	s.branches = s.branches[:0]
	s.updateLearnt()
}

// updateLearnt disables the learnt rules that follow from a disabled rule, and enables others.
func (s *solver) updateLearnt() {
	for i := int(s.learntStart); i < len(s.rules); i++ {
		off := false
		for _, why := range s.proof(s.learntWhy[i-int(s.learntStart)]) {
			if s.rules[why].off {
				off = true
				break
			}
		}
		s.rules[i].off = off
	}
}

// proof returns the rules of the proof that starts at an index of learntPool.
func (s *solver) proof(at int32) []int32 {
	p := s.learntPool[at:]
	return p[:slices.Index(p, 0)]
}

// decideAssertions starts the search: all rules with one literal become decisions of level 1. If
// two contradict each other that is a problem. It returns the level, -1 if there is no solution.
func (s *solver) decideAssertions(disable bool) int32 {
	s.decide(System, 1, 0)
	s.reasons = append(s.reasons, 0, 0)
	changed := false
	for {
		for _, l := range s.decisions[1:] {
			s.level[abs(l)] = 0
		}
		s.decisions, s.why = s.decisions[:1], s.why[:1]
		again, ok := s.strongAssertions(disable, &changed)
		if !ok {
			return -1
		}
		if again {
			continue
		}
		if s.weakRules == nil || !s.weakAssertions(&changed) {
			return 1
		}
	}
}

// strongAssertions decides all assertions but weak ones. again reports that a problem was dealt
// with by disabling rules.
func (s *solver) strongAssertions(disable bool, changed *bool) (again, ok bool) {
	for _, i := range s.assertions {
		if *changed && i >= s.learntStart {
			s.updateLearnt()
			*changed = false
		}
		r := &s.rules[i]
		if r.off || r.p == 0 || i < s.learntStart && s.weakRules.has(i) || s.isTrue(r.p) {
			continue
		}
		if !s.isFalse(r.p) {
			s.decide(r.p, 1, i)
			continue
		}
		if i >= s.learntStart {
			r.off = true
			continue
		}
		if s.assertionProblem(i, disable) {
			*changed = true
			return true, true
		}
		return false, false
	}
	return false, true
}

// assertionProblem records that assertion i contradicts an earlier decision. It reports whether
// the search may go on.
func (s *solver) assertionProblem(i int32, disable bool) bool {
	l := s.rules[i].p
	other := int32(0)
	if l != -System {
		other = s.why[slices.Index(s.decisions, -l)]
	}
	s.problems = append(s.problems, problem{})
	uninstall := false
	record := func(i int32) {
		s.record(i)
		uninstall = uninstall || i >= s.feature.start && i < s.update.end
	}
	if other < s.pkg.end {
		record(i)
	} else { // all assertions about the package but weak ones
		for j := s.pkg.end; j < s.learntStart; j++ {
			r := &s.rules[j]
			if !r.off && r.asserts() && abs(r.p) == abs(l) && !s.weakRules.has(j) {
				record(j)
			}
		}
	}
	last := len(s.problems) - 1
	if uninstall && s.mayUninstall() && s.uninstall(s.problems[last].elems) {
		s.problems = s.problems[:last]
		return true
	}
	s.problems[last].proof = int32(len(s.learntPool))
	s.learntPool = append(s.learntPool, i)
	if other != 0 {
		s.learntPool = append(s.learntPool, other)
	}
	s.learntPool = append(s.learntPool, 0)
	if !disable {
		return false
	}
	for _, v := range s.problems[last].elems {
		s.disableElem(v)
	}
	return true
}

// weakAssertions decides weak assertions and disables those that contradict; it reports whether
// it did so.
func (s *solver) weakAssertions(changed *bool) bool {
	for _, i := range s.assertions {
		r := &s.rules[i]
		if r.off || r.p == 0 || i >= s.learntStart || !s.weakRules.has(i) || s.isTrue(r.p) {
			continue
		}
		if !s.isFalse(r.p) {
			s.decide(r.p, 1, i)
			continue
		}
		s.giveUp(i)
		*changed = true
		return true
	}
	return false
}

// unsolvable deals with a rule that cannot hold at level 1. It collects the rules that led there.
// Weak ones among them are given up, else installed packages that may be erased, else it is a
// problem. It returns 0 if the search can start again, else -1.
func (s *solver) unsolvable(conflict int32, disable bool) int32 {
	proofStart := int32(len(s.learntPool))
	involved := newBitmap(len(s.pool.sols))
	c := collector{s: s, seen: newBitmap(len(s.rules))}
	s.problems = append(s.problems, problem{})
	last := len(s.problems) - 1
	add := func(i int32) {
		s.learntPool = append(s.learntPool, i)
		c.add(i)
		s.rules[i].each(func(l int32) bool {
			if !s.isTrue(l) {
				involved.set(abs(l))
			}
			return true
		})
	}
	add(conflict)
	for i := len(s.decisions) - 1; i >= 0; i-- {
		if v := abs(s.decisions[i]); involved.has(v) && v != System {
			add(s.why[i])
		}
	}
	drop := func() int32 {
		s.problems = s.problems[:last]
		s.learntPool = s.learntPool[:proofStart]
		return 0
	}
	if len(c.weak) > 0 {
		drop()
		s.disableWeak(c.weak)
		s.reset()
		return 0
	}
	if s.mayUninstall() && s.uninstall(s.problems[last].elems) {
		drop()
		s.reset()
		return 0
	}
	s.learntPool = append(s.learntPool, 0)
	s.problems[last].proof = proofStart
	if disable && len(s.problems[last].elems) > 0 {
		for _, v := range s.problems[last].elems {
			s.disableElem(v)
		}
		s.reset()
		return 0
	}
	return -1
}

// collector finds the original rules behind learnt ones.
type collector struct {
	s    *solver
	seen bitmap // learnt rules
	weak []int32
}

func (c *collector) add(i int32) {
	s := c.s
	if i >= s.learntStart {
		if c.seen.has(i) {
			return
		}
		c.seen.set(i)
		for _, why := range s.proof(s.learntWhy[i-s.learntStart]) {
			c.add(why)
		}
		return
	}
	if s.weakRules.has(i) {
		c.weak = append(c.weak, i)
	}
	if i >= s.pkg.end {
		s.record(i)
	}
}

// disableWeak gives up the last of some weak rules. Rules from recommends go all together.
func (s *solver) disableWeak(weak []int32) {
	last := slices.Max(weak)
	if s.recommends.has(last) {
		last = 0
		for _, i := range weak {
			if i < s.recommends.start {
				last = max(last, i)
			}
		}
		if last < s.pkg.end {
			s.disableRecommends(weak)
			return
		}
	}
	switch {
	case last < s.pkg.end && s.opts.StrongRecommends && s.rules[last].weak:
		s.disableRecommends(weak)
	case s.choice.has(last):
		s.disableChoice(last)
	default:
		s.giveUp(last)
	}
}

func (s *solver) disableRecommends(weak []int32) {
	for _, i := range weak {
		if s.recommends.has(i) || s.rules[i].weak {
			s.rules[i].off = true
		}
	}
}
