package solv

import "slices"

// Alternative is a choice that the solver made although other packages would have done as well.
type Alternative struct {
	// Why is the requirement, request or update that left the choice.
	Why Cause
	// Candidates are all packages that were considered, best first; those that are negative were
	// tried.
	Candidates []ID
	Chosen     ID // 0 if none of them is in the result
	Rule       Rule
}

// Alternatives returns the choices behind the result, in the order in which they were made.
func (r *Result) Alternatives() (list []Alternative) {
	s := r.s
	for i := range s.branches {
		b := &s.branches[i]
		a := Alternative{Candidates: slices.Clone(b.candidates)}
		for _, l := range b.candidates {
			if l < 0 && s.level[-l] == b.level+1 {
				a.Chosen = -l
				break
			}
		}
		if b.from != 0 {
			a.Why = s.newCause(ReasonRecommends, b.from, 0, Ref(b.data))
		} else {
			a.Why = s.alternativeCause(b)
			a.Rule = s.publicRule(b.data)
		}
		list = append(list, a)
	}
	return list
}

func (s *solver) alternativeCause(b *branch) Cause {
	i := b.data
	if i >= s.learntStart {
		var open []ID
		for _, id := range b.candidates {
			if id > 0 {
				open = append(open, id)
			}
		}
		if i = s.originOf(i, open); i == 0 {
			return s.newCause(ReasonLearnt, 0, 0, 0)
		}
	}
	switch {
	case s.choice.has(i):
		i = s.choiceOf[i-s.choice.start]
	case s.recommends.has(i):
		i = s.recommendsOf[i-s.recommends.start]
	case s.best.has(i):
		if of := s.bestOf[i-s.best.start]; of > 0 {
			return s.newCause(ReasonUpdate, of, 0, 0)
		} else {
			i = -of
		}
	}
	return s.cause(i)
}

// originOf finds the rule behind a learnt one that has all the candidates.
func (s *solver) originOf(i int32, candidates []ID) int32 {
	for _, why := range s.proof(s.learntWhy[i-s.learntStart]) {
		if why >= s.learntStart {
			if o := s.originOf(why, candidates); o != 0 {
				return o
			}
			continue
		}
		n := 0
		for _, id := range positives(&s.rules[why]) {
			if slices.Contains(candidates, id) {
				n++
			}
		}
		if n == len(candidates) {
			return why
		}
	}
	return 0
}

// String says what the choice was about.
func (a *Alternative) String() string {
	c := a.Why
	if c.pool == nil {
		return ""
	}
	p := c.pool
	switch c.Kind {
	case ReasonRecommends:
		return p.DepString(c.Dep) + ", recommended by " + p.String(c.From)
	case ReasonRequires:
		return p.DepString(c.Dep) + ", required by " + p.String(c.From)
	case ReasonConflicts:
		return p.DepString(c.Dep) + ", conflicted by  " + p.String(c.From)
	case ReasonYumObsoletes:
		return p.Info(c.To).Name + ", obsoleting " + p.DepString(c.Dep)
	case ReasonJob:
		sel := &c.jobs[c.Job].Select
		if sel.kind == selectName || sel.kind == selectProvides {
			return p.DepString(sel.dep)
		}
		return p.selectString(sel)
	case ReasonUpdate, ReasonFeature:
		return p.String(c.From)
	}
	return c.String()
}
