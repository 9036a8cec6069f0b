package solv

// ProofStep is one conclusion in the proof of a problem or of a learnt rule.
type ProofStep struct {
	// Literal is what follows: a package is, or if negative is not, installed. 0 ends the proof:
	// the rule contradicts what was found before.
	Literal int32
	Premise bool // an assumption, not a conclusion
	Rule    Rule // why Literal follows from the steps before
	Learnt  int  // argument for LearntProof if Rule was learnt, else 0
}

// Proof returns the steps that lead to a contradiction, for a problem by its index.
func (r *Result) Proof(problem int) []ProofStep {
	if problem < 0 || problem >= len(r.s.problems) {
		return nil
	}
	return r.s.proofSteps(r.s.problems[problem].proof)
}

// LearntProof returns the steps by which a rule was learnt: its negation as premises, and how
// that leads to a contradiction.
func (r *Result) LearntProof(learnt int) []ProofStep {
	s := r.s
	i := int32(learnt)
	if i < s.learntStart || int(i) >= len(s.rules) {
		return nil
	}
	var steps []ProofStep
	s.rules[i].each(func(l int32) bool {
		steps = append(steps, ProofStep{Literal: -l, Premise: true, Rule: Rule{Class: ReasonLearnt, Literals: []int32{-l}}})
		return true
	})
	return append(steps, s.proofSteps(s.learntWhy[i-s.learntStart])...)
}

// proofSteps reads a proof, which was recorded from the contradiction back to the first cause.
func (s *solver) proofSteps(at int32) []ProofStep {
	sign := map[int32]bool{} // packages met; true = the rules after need it not to be installed
	var steps []ProofStep
	rules := s.proof(at)
	for _, i := range rules {
		st := ProofStep{Rule: s.publicRule(i)}
		if i >= s.learntStart {
			st.Learnt = int(i)
		}
		s.rules[i].each(func(l int32) bool {
			negative, met := sign[abs(l)]
			switch {
			case !met:
				sign[abs(l)] = l < 0
			case negative == (l > 0):
				st.Literal = l
			}
			return true
		})
		steps = append(steps, st)
	}
	for i, j := 0, len(steps)-1; i < j; i, j = i+1, j-1 {
		steps[i], steps[j] = steps[j], steps[i]
	}
	if len(rules) > 1 && s.cause(rules[0]).Kind == ReasonSameName {
		return endWithSameName(steps)
	}
	return steps
}

// endWithSameName turns the last two steps around if the contradiction is that a package is the
// second of its name: that it is ruled out reads better as a conclusion.
func endWithSameName(steps []ProofStep) []ProofStep {
	n := len(steps)
	a, b := &steps[n-2], &steps[n-1]
	l := b.Rule.Literals
	if a.Literal <= 0 || len(l) != 2 || l[0] != -a.Literal && l[1] != -a.Literal {
		return steps
	}
	lit := a.Literal
	*a, *b = *b, *a
	a.Literal, b.Literal = -lit, 0
	return steps
}
