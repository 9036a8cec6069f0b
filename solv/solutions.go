package solv

import (
	"cmp"
	"slices"
)

// solutions proposes ways out of a problem: for every element of it, what has to be given up if
// all the others stay.
func (s *solver) solutions(elems []int32) []Solution {
	if len(elems) == 0 {
		return nil
	}
	saved := s.save()
	defer s.restore(saved)
	elems = slices.Clone(elems)
	slices.SortStableFunc(elems, func(a, b int32) int {
		if (a < 0) != (b < 0) {
			return order(b < 0)
		}
		if a < 0 {
			if x := cmp.Compare(s.jobs[-a-1].Flags&Essential, s.jobs[-b-1].Flags&Essential); x != 0 {
				return x
			}
		}
		return cmp.Compare(a, b)
	})
	var list []Solution
	for _, essential := range [...]bool{false, true} {
		for _, v := range elems {
			if r := s.remedies(s.refine(elems, v, essential)); len(r) > 0 {
				list = append(list, s.solution(v, r))
			}
		}
		if len(list) > 0 {
			return list
		}
	}
	for _, v := range elems {
		if r := s.remedies([]int32{v}); len(r) > 0 {
			return []Solution{s.solution(v, r)}
		}
	}
	return nil
}

func (s *solver) solution(v int32, r []Remedy) Solution {
	if v < 0 {
		return Solution{Remedies: r, Job: int(-v - 1)}
	}
	return Solution{Remedies: r, Job: -1, Rule: s.publicRule(v)}
}

// savedSearch is the state of the search that looking for solutions overwrites.
type savedSearch struct {
	decisions, why []int32
	levels         []int32
	reasons        []DecisionReason
	branches       []branch
	problems       []problem
	mistakes       int
}

func (s *solver) save() savedSearch {
	v := savedSearch{slices.Clone(s.decisions), slices.Clone(s.why), slices.Clone(s.level), slices.Clone(s.reasons),
		s.branches, s.problems, len(s.cleanMistakes)}
	s.branches, s.problems = nil, nil
	return v
}

func (s *solver) restore(v savedSearch) {
	s.decisions, s.why, s.level, s.reasons = v.decisions, v.why, v.levels, v.reasons
	s.branches, s.problems = v.branches, v.problems
	s.cleanMistakes = s.cleanMistakes[:v.mistakes]
	s.weakIndex = -1
}

// refine finds what has to be given up together with element v so that the other elements of a
// problem can stay. The search is left in the state of that solution. An empty result means that
// there is none.
func (s *solver) refine(elems []int32, v int32, essential bool) []int32 {
	isEssential := func(v int32) bool { return v < 0 && s.jobs[-v-1].Flags&Essential != 0 }
	if !essential && isEssential(v) {
		return nil
	}
	refined := []int32{v}
	s.reset()
	for _, o := range elems {
		if o != v {
			s.enableElem(o)
		}
	}
	if v < 0 {
		s.enablePolicyRules(-v - 1)
	}
	s.enableFeature(v)
	s.enableWeakRules()
	var disabled []int32
	for {
		s.problems = nil
		s.reset()
		s.search(false, false)
		if len(s.problems) == 0 {
			break
		}
		more := s.furtherElems(elems, v, func(o int32) bool { return !essential && isEssential(o) })
		if len(more) == 0 {
			refined = nil
			break
		}
		disabled = append(disabled, more...)
		if len(more) > 1 {
			for _, o := range more {
				s.disableElem(o)
				s.enableFeature(o)
			}
			continue
		}
		o := more[0]
		if !s.feature.has(o) && o != v {
			refined = append(refined, o)
		}
		s.disableElem(o)
		if o < 0 {
			s.enablePolicyRules(-o - 1)
		}
		s.enableFeature(o)
	}
	for _, o := range disabled {
		s.enableElem(o)
	}
	for _, o := range elems {
		s.enableElem(o)
	}
	s.disablePolicyRules()
	for _, o := range elems {
		s.disableElem(o)
	}
	return refined
}

// enableFeature lets an installed package be changed in any way when its update rule is given up.
func (s *solver) enableFeature(v int32) {
	if s.update.has(v) {
		if f := &s.rules[v-s.update.start+s.feature.start]; f.p != 0 {
			f.off = false
		}
	}
}

// furtherElems picks those elements of the new problem that may be given up besides v.
func (s *solver) furtherElems(elems []int32, v int32, skip func(int32) bool) (more []int32) {
	found := s.problems[0].elems
	for pass := 0; pass < 2 && len(more) == 0; pass++ {
		for _, o := range found {
			if skip(o) || o != v && slices.Contains(elems, o) && !(pass > 0 && s.elemBefore(elems, v, o)) {
				continue
			}
			more = append(more, o)
		}
	}
	features := slices.ContainsFunc(more, s.feature.has)
	updates := slices.ContainsFunc(more, s.update.has)
	others := slices.ContainsFunc(more, func(o int32) bool { return !s.feature.has(o) && !s.update.has(o) })
	if !others && updates && features {
		more = slices.DeleteFunc(more, s.feature.has)
	}
	return more
}

// elemBefore reports that v stands before o in the problem.
func (s *solver) elemBefore(elems []int32, v, o int32) bool {
	return slices.Index(elems, v) < slices.Index(elems, o)
}

func (s *solver) enableWeakRules() {
	if s.weakRules == nil {
		return
	}
	for i := int32(1); i < s.learntStart; i++ {
		if s.rules[i].off && s.weakRules.has(i) {
			s.rules[i].off = false
		}
	}
	for _, i := range s.brokenOrphans {
		s.rules[i].off = true
	}
}

// remedies says what giving up the elements means, given the solution found.
func (s *solver) remedies(elems []int32) (sol []Remedy) {
	for _, v := range elems {
		sol = append(sol, s.remedy(v)...)
	}
	return sol
}

func (s *solver) newRemedy(kind RemedyKind, id ID) Remedy {
	return Remedy{Kind: kind, ID: id, Job: -1, pool: s.pool, jobs: s.jobs}
}

func (s *solver) replaceRemedy(old, id ID) Remedy {
	r := s.newRemedy(ReplacePackage, old)
	r.New = id
	bad := s.policyForbids(old, id, 0)
	r.Downgrade, r.ArchChange = bad&illegalDowngrade != 0, bad&illegalArch != 0
	r.VendorChange, r.NameChange = bad&illegalVendor != 0, bad&illegalName != 0
	return r
}

func (s *solver) dropJob(job int32) Remedy {
	r := s.newRemedy(DropJob, 0)
	r.Job = int(job)
	return r
}

func (s *solver) remedy(v int32) []Remedy {
	switch {
	case v < 0:
		return []Remedy{s.dropJob(-v - 1)}
	case s.infArch.has(v):
		return s.allowOfName(s.infArch, v, AllowInferior)
	case s.dup.has(v):
		return s.allowOfName(s.dup, v, AllowDistUpgrade)
	case s.update.has(v):
		return s.updateRemedy(v)
	case s.best.has(v):
		return s.bestRemedy(v)
	case s.black.has(v):
		return []Remedy{s.newRemedy(AllowBlacklisted, -s.rules[v].p)}
	case s.prio.has(v):
		return []Remedy{s.newRemedy(AllowPriority, -s.rules[v].p)}
	}
	return nil
}

// allowOfName allows the package that the solution has installed against the rules of its name.
func (s *solver) allowOfName(sp span, v int32, kind RemedyKind) []Remedy {
	name := s.pool.sols[-s.rules[v].p].name
	for i := s.firstOfName(sp, v); i < sp.end && s.pool.sols[-s.rules[i].p].name == name; i++ {
		if id := -s.rules[i].p; s.level[id] > 0 {
			return []Remedy{s.newRemedy(kind, id)}
		}
	}
	return nil
}

// holds reports that one of the packages of a rule is installed in the solution.
func (s *solver) holds(r *rule) bool {
	return slices.ContainsFunc(positives(r), func(id ID) bool { return s.level[id] > 0 })
}

// replacement returns what replaces an installed package in the solution: a package, or, if only
// multiversion packages come, one of these as beside.
func (s *solver) replacementIn(r *rule) (id, beside ID) {
	for _, id := range positives(r) {
		if s.level[id] > 0 && !s.isInstalled(id) {
			beside = id
			if !s.multi.has(id) {
				return id, 0
			}
		}
	}
	return 0, beside
}

func (s *solver) updateRemedy(v int32) (list []Remedy) {
	id := s.first + v - s.update.start
	if s.holds(&s.rules[v]) || s.level[id] > 0 {
		return nil
	}
	r := s.featureRule(id)
	if r.p == 0 {
		r = &s.rules[v]
	}
	if len(r.rest) > 0 {
		by, beside := s.replacementIn(r)
		if by != 0 {
			return []Remedy{s.replaceRemedy(id, by)}
		}
		if beside != 0 {
			list = append(list, s.replaceRemedy(id, beside))
		}
	}
	return append(list, s.newRemedy(ErasePackage, id))
}

func (s *solver) bestRemedy(v int32) []Remedy {
	if s.holds(&s.rules[v]) {
		return nil
	}
	id := s.bestOf[v-s.best.start]
	if id < 0 {
		return []Remedy{s.dropJob(s.jobOf[-id-s.job.start])}
	}
	if s.level[id] > 0 {
		return []Remedy{s.newRemedy(AllowNotBest, id)}
	}
	by, beside := s.replacementIn(s.featureOrUpdate(id))
	if by != 0 {
		return []Remedy{s.newRemedy(AllowNotBest, by)}
	}
	if beside != 0 {
		return []Remedy{s.newRemedy(AllowNotBest, beside), s.newRemedy(ErasePackage, id)}
	}
	return nil
}
