package solv

import (
	"strings"
	"testing"
)

// testPool builds a pool from lines "repo name evr arch; tag: dep; ...".
func testPool(t testing.TB, arch string, lines ...string) *Pool {
	t.Helper()
	p := NewPool(arch)
	repos := map[string]*Repo{}
	for _, line := range lines {
		f := strings.Split(line, ";")
		id := strings.Fields(f[0])
		r := repos[id[0]]
		if r == nil {
			r = p.AddRepo(id[0], 99, 1000)
			repos[id[0]] = r
			if id[0] == "installed" {
				p.SetInstalled(r)
			}
		}
		dep := func(s string) Dep {
			ref, err := p.ParseDep(s)
			if err != nil {
				t.Fatal(err)
			}
			return Dep{Ref: ref}
		}
		pkg := Package{Name: id[1], EVR: id[2], Arch: id[3], Provides: []Dep{dep(id[1] + " = " + id[2])}}
		lists := map[string]*[]Dep{"R": &pkg.Requires, "P": &pkg.Provides, "C": &pkg.Conflicts, "O": &pkg.Obsoletes,
			"r": &pkg.Recommends, "s": &pkg.Suggests, "S": &pkg.Supplements, "e": &pkg.Enhances}
		for _, s := range f[1:] {
			tag, d, _ := strings.Cut(strings.TrimSpace(s), ":")
			l := lists[tag]
			*l = append(*l, dep(d))
		}
		r.Add(pkg)
	}
	return p
}

func steps(p *Pool, tr Transaction) string {
	var s []string
	for _, st := range tr.Steps {
		s = append(s, st.Kind.String()+" "+p.String(st.ID))
	}
	return strings.Join(s, ", ")
}

func installJob(p *Pool, name string) Job {
	return Job{Action: Install, Select: SelectName(p.Intern(name))}
}

func TestSolveSimple(t *testing.T) {
	p := testPool(t, "x86_64",
		"installed base 1-1 x86_64",
		"installed old 1-1 x86_64",
		"repo foo 1-1 x86_64; R: libbar >= 2; r: doc",
		"repo bar 1-1 x86_64; P: libbar = 1",
		"repo bar 2-1 x86_64; P: libbar = 2; R: /bin/sh",
		"repo shell 1-1 x86_64; P: /bin/sh",
		"repo doc 1-1 noarch",
		"repo old 2-1 x86_64",
		"repo broken 1-1 x86_64; R: nothing-there",
		"repo hater 1-1 x86_64; C: base",
	)
	tr, pr := Solve(p, []Job{installJob(p, "foo")}, Options{})
	if got := steps(p, tr); len(pr) > 0 || got != "install foo-1-1.x86_64, install bar-2-1.x86_64, install shell-1-1.x86_64, install doc-1-1.noarch" {
		t.Error(got, pr)
	}
	tr, pr = Solve(p, []Job{{Action: Update, Select: SelectAll()}}, Options{})
	if got := steps(p, tr); len(pr) > 0 || got != "replaced old-1-1.x86_64, upgrade old-2-1.x86_64" {
		t.Error(got, pr)
	}
	_, pr = Solve(p, []Job{installJob(p, "broken"), installJob(p, "hater"), installJob(p, "none")}, Options{})
	t.Log("\n" + Format(pr))
	if len(pr) != 3 {
		t.Error(len(pr))
	}
	for _, x := range pr {
		t.Log(x.Reason)
		for _, s := range x.Solutions {
			for _, r := range s.Remedies {
				t.Log("  ", r.Text())
			}
		}
	}
}
