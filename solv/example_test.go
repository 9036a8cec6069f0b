package solv_test

import (
	"fmt"

	"rpmostree/rpm/evr"
	"rpmostree/solv"
)

func Example() {
	pool := solv.NewPool("x86_64")
	system := pool.AddRepo("@System", 99, 1000)
	pool.SetInstalled(system)
	system.Add(solv.Package{Name: "bash", EVR: "5.2-1", Arch: "x86_64",
		Provides: []solv.Dep{{Name: "bash", Op: evr.EQ, EVR: "5.2-1"}}})
	fedora := pool.AddRepo("fedora", 99, 1000)
	fedora.Add(solv.Package{Name: "editor", EVR: "1-1", Arch: "x86_64",
		Provides: []solv.Dep{{Name: "editor", Op: evr.EQ, EVR: "1-1"}},
		Requires: []solv.Dep{{Name: "bash"}, {Name: "libedit.so.0()(64bit)"}, {Name: "(editor-gtk if gtk)"}}})
	fedora.Add(solv.Package{Name: "libedit", EVR: "3.1-2", Arch: "x86_64",
		Provides: []solv.Dep{{Name: "libedit", Op: evr.EQ, EVR: "3.1-2"}, {Name: "libedit.so.0()(64bit)"}}})

	job, ok := pool.MatchJob(solv.Install, "editor", solv.MatchOptions{})
	if !ok {
		fmt.Println("no such package")
		return
	}
	transaction, problems := solv.Solve(pool, []solv.Job{job}, solv.LibdnfOptions())
	fmt.Print(solv.Format(problems))
	for _, id := range pool.Order(&transaction) {
		fmt.Println(pool.String(id))
	}
	// Output:
	// libedit-3.1-2.x86_64
	// editor-1-1.x86_64
}

func ExampleFormat() {
	pool := solv.NewPool("x86_64")
	repo := pool.AddRepo("fedora", 99, 1000)
	repo.Add(solv.Package{Name: "a", EVR: "1-1", Arch: "noarch", Provides: []solv.Dep{{Name: "a", Op: evr.EQ, EVR: "1-1"}},
		Requires: []solv.Dep{{Name: "b", Op: evr.GT | evr.EQ, EVR: "2"}}})
	jobs := []solv.Job{{Action: solv.Install, Select: solv.SelectName(pool.Intern("a"))}}
	_, problems := solv.Solve(pool, jobs, solv.Options{})
	fmt.Print(solv.Format(problems))
	// Output:
	// Problem: conflicting requests
	//   - nothing provides b >= 2 needed by a-1-1.noarch from fedora
}
