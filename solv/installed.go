package solv

import "slices"

// Orphaned returns the installed packages that a DistUpgrade of all found in no repository.
func (r *Result) Orphaned() []ID { return slices.Clone(r.s.orphans) }

// Unneeded returns the installed packages that no package needs which the user asked for (see
// UserInstalled, and the jobs). With roots, those are left out that another of them needs, so that
// erasing the rest with CleanDeps erases all.
func (r *Result) Unneeded(roots bool) []ID {
	s := r.s
	set := newBitmap(len(s.pool.sols))
	s.createCleanDeps(set, true)
	ids := filterIDs(s.installed(), set.has)
	if roots {
		u := unneededGraph{s: s, ids: slices.Clone(ids)}
		ids = u.filter()
	}
	return ids
}

// UserInstalled returns the packages of the result that the user asked for: by a job that is not
// NotByUser, or as one that was UserInstalled, or as what replaces such a one.
func (r *Result) UserInstalled() (ids []ID) {
	s, p := r.s, r.s.pool
	marked := newBitmap(len(p.sols))
	have := false
	for i := range s.jobs {
		j := &s.jobs[i]
		switch {
		case j.Action == UserInstalled && p.installed != nil:
			for _, id := range p.Selected(j.Select) {
				if s.isInstalled(id) {
					marked.set(id)
					have = true
				}
			}
		case j.Action == Install && j.Flags&NotByUser == 0:
			ids = append(ids, filterIDs(s.picked[i], func(id ID) bool { return s.level[id] > 0 })...)
		}
	}
	if have {
		for _, id := range s.decisions {
			if id > System && (marked.has(id) || !s.isInstalled(id) && slices.ContainsFunc(s.succeeded(id, true), marked.has)) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Has reports whether a package is installed in the result.
func (r *Result) Has(id ID) bool { return id > 0 && int(id) < len(r.s.level) && r.s.level[id] > 0 }

// Decision says why the search decided about a package. rule is the rule that it followed, or
// that left the choice; nil if there is none.
func (r *Result) Decision(id ID) (reason DecisionReason, rule *Rule) {
	s := r.s
	lit := id
	if s.level[id] < 0 {
		lit = -id
	}
	i := slices.Index(s.decisions, lit)
	if s.level[id] == 0 || i < 0 {
		return DecidedUnrelated, nil
	}
	if s.why[i] != 0 {
		pub := s.publicRule(abs(s.why[i]))
		rule = &pub
	}
	if s.why[i] > 0 {
		return DecidedByRule, rule
	}
	return s.reasons[abs(s.level[id])], rule
}

// WeakCauses returns why a package was installed that is there for a weak dependency: which
// packages recommend it, and which of its supplements hold (To is the package that makes it
// hold, if it is a simple one).
func (r *Result) WeakCauses(id ID) (causes []Cause) {
	s, p := r.s, r.s.pool
	if reason, _ := r.Decision(id); reason != DecidedWeak || s.level[id] <= 0 {
		return nil
	}
	level := s.level[id]
	before := func(o ID) bool { return s.level[o] > 0 && s.level[o] < level }
	for from := ID(1); int(from) < len(p.sols); from++ {
		if !before(from) || !s.opts.AddAlreadyRecommended && s.isInstalled(from) {
			continue
		}
		for _, d := range p.list(&p.sols[from], depRecommends) {
			list := p.whatProvides(d)
			if slices.Contains(list, id) && !slices.ContainsFunc(list, func(o ID) bool { return o != id && before(o) }) {
				causes = append(causes, s.newCause(ReasonRecommends, from, 0, d))
			}
		}
	}
	return append(causes, s.supplementCauses(id, before)...)
}

func (s *solver) supplementCauses(id ID, before func(ID) bool) (causes []Cause) {
	p := s.pool
	levels := s.level
	defer func() { s.level = levels }()
	s.level = slices.Clone(levels)
	for i := slices.Index(s.decisions, id); i < len(s.decisions); i++ { // as it was before the decision
		if l := s.decisions[i]; l > 0 {
			s.level[l] = -s.level[l]
		}
	}
	for _, d := range p.list(&p.sols[id], depSupplements) {
		if !s.fulfilled(d) {
			continue
		}
		found := false
		for _, o := range p.whatProvides(d) {
			if (s.opts.AddAlreadyRecommended || !s.isInstalled(o)) && before(o) {
				causes = append(causes, s.newCause(ReasonSupplements, id, o, d))
				found = true
			}
		}
		if !found {
			causes = append(causes, s.newCause(ReasonSupplements, id, 0, d))
		}
	}
	return causes
}
