package solv

// Why explains why a package is installed, or is not, in the result: the last cause is a job or
// an installed package, each one before follows from the one after. It is empty if nothing
// demands it. A choice shows as the requirement that left it.
func (r *Result) Why(id ID) (chain []Cause) {
	s := r.s
	at := make(map[ID]int, len(s.decisions))
	for i, l := range s.decisions {
		at[abs(l)] = i
	}
	seen := map[ID]bool{}
	for id > System && !seen[id] {
		seen[id] = true
		i, decided := at[id]
		if !decided || s.why[i] == 0 {
			break
		}
		rid := abs(s.why[i])
		if s.choice.has(rid) {
			rid = s.choiceOf[rid-s.choice.start]
		}
		if rid >= s.learntStart {
			if rid = s.sourceOf(rid, s.decisions[i]); rid == 0 {
				break
			}
		}
		chain = append(chain, s.cause(rid))
		if rid >= s.pkg.end {
			break
		}
		id = s.supporter(&s.rules[rid], id)
	}
	return chain
}

// sourceOf finds an original rule with a literal behind a learnt one.
func (s *solver) sourceOf(rid int32, lit int32) int32 {
	for _, i := range s.proofRules(s.learntWhy[rid-s.learntStart]) {
		if s.rules[i].hasLiteral(lit) {
			return i
		}
	}
	return 0
}

// supporter returns the package whose installation makes a rule demand something of id.
func (s *solver) supporter(r *rule, id ID) (by ID) {
	r.each(func(l int32) bool {
		if l < 0 && -l != id && s.level[-l] > 0 {
			by = -l
		}
		return by == 0
	})
	return by
}
