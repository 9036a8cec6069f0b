package solv

// Solve finds a set of packages that fulfils the jobs. If there are problems the transaction is
// that of the solver's best effort, with the problems' jobs dropped, and must not be used
// without asking. If Pool.Err returns an error afterwards, there is no answer.
func Solve(p *Pool, jobs []Job, opts Options) (Transaction, []Problem) {
	r := SolveAll(p, jobs, opts)
	return r.Transaction, r.Problems
}

// Result is the answer of the solver with all that can be asked about it.
type Result struct {
	Transaction Transaction
	Problems    []Problem

	s *solver
}

// SolveAll is Solve for those who want to know more.
func SolveAll(p *Pool, jobs []Job, opts Options) *Result {
	return newSolver(p, jobs, opts).answer()
}

func (s *solver) answer() *Result {
	r := &Result{s: s}
	if s.run(); s.pool.err == nil {
		r.Transaction = s.transaction()
		r.Problems = s.explain()
	}
	return r
}

// Again solves other jobs with the same options. The rules made from packages are kept: they grow
// from run to run, as those of a solver of libsolv that is used again.
func (r *Result) Again(jobs []Job) *Result {
	s := newSolver(r.s.pool, jobs, r.s.opts)
	s.rules = append(s.rules[:0], r.s.rules[:r.s.pkg.end]...)
	for i := range s.rules {
		s.rules[i].off = false
	}
	copy(s.seen, r.s.seen)
	return s.answer()
}

// Rules returns all rules of the solver.
func (r *Result) Rules() []Rule {
	rules := make([]Rule, 0, len(r.s.rules))
	for i := int32(1); int(i) < len(r.s.rules); i++ {
		rules = append(rules, r.s.publicRule(i))
	}
	return rules
}
