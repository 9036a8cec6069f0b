package solv

// Solve finds a set of packages that fulfils the jobs. If there are problems the transaction is
// that of the solver's best effort, with the problems' jobs dropped, and must not be used
// without asking.
func Solve(p *Pool, jobs []Job, opts Options) (Transaction, []Problem) {
	s := newSolver(p, jobs, opts)
	s.run()
	return s.transaction(), s.explain()
}
