// Package solv answers "which packages have to be installed and removed so that these requests
// hold": a dependency solver for RPM packages that gives the answers libsolv gives.
//
// A Pool holds packages (solvables) of several repositories, one of which may be marked as
// installed. Solve takes a pool and a list of jobs and returns a Transaction, or the Problems
// that make the jobs impossible, each with reasons and proposed solutions. A Problem is an
// answer, not an error. Solve is deterministic: which of several valid answers is chosen
// depends only on the order in which repositories and packages were added, never on maps,
// time or chance.
//
// # How it works
//
// Every dependency is interned to a Ref; every Ref has a sorted list of providers. From the
// packages that could play a role rules are made: clauses over "package p is installed". A
// conflict-driven search (two watched literals, first unique implication point learning)
// assigns packages in an order that is policy: requested packages first, then installed ones,
// then what is needed, then weak dependencies; candidates are pruned and sorted by repository
// priority, architecture, version, and what is installed or recommended.
package solv
