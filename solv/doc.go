// Package solv answers "which packages have to be installed and removed so that these requests
// hold": a dependency solver for RPM packages that gives the answers libsolv gives.
//
// A Pool holds packages (solvables) of several repositories, one of which may be marked as
// installed. Solve takes a pool and a list of jobs and returns a Transaction, or the Problems
// that make the jobs impossible, each with causes and proposed solutions. A Problem is an
// answer, not an error. Solve is deterministic: which of several valid answers is chosen
// depends only on the order in which repositories and packages were added, never on maps,
// time or chance.
//
// # From packages to a transaction
//
//	pool := NewPool("x86_64")               // for a machine of that architecture
//	repo := pool.AddRepo("name", 99, 1000)  // priority and cost as in .repo files
//	repo.Add(Package{...})                  // in a fixed order
//	pool.SetInstalled(...)                  // if something is installed already
//	pool.SetConsidered(...)                 // to leave packages out
//	paths := pool.WantedFiles()             // to be looked up in file lists; then AddFileProvide
//	job, ok := pool.MatchJob(Install, "vim", MatchOptions{})
//	transaction, problems := Solve(pool, []Job{job}, LibdnfOptions())
//	ids := pool.Order(&transaction)         // the order in which rpm would go
//
// Problems are worded by Format and Problem.Lines as dnf words them; Solution.Apply follows a
// proposal. SolveAll returns a Result that also says why a package is in it (Result.Why), what
// else could have been chosen (Alternatives), what is recommended (Recommendations), and how a
// problem is proved (Proof).
//
// # How it works
//
// Every dependency is interned to a Ref; every Ref has a sorted list of providers. From the
// packages that could play a role rules are made: clauses over "package p is installed". A
// conflict-driven search (two watched literals, first unique implication point learning)
// assigns packages in an order that is policy: requested packages first, then installed ones,
// then what is needed, then weak dependencies; candidates are pruned and sorted by repository
// priority, architecture, version, and what is installed or recommended.
//
// Names of files follow that order: dep, rich, provides (the pool); pkgrules, updates, jobrules,
// policyrules, bestrules, choicerules (rules); disable (which jobs lift which policies); sat,
// search, policy, weak, cleandeps (the search); problem, solutions, proof, why (explanations);
// transaction, order (the answer).
package solv
