package solv

import (
	"cmp"
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

func TestConsideredAndUnmetWeak(t *testing.T) {
	p := testPool(t, "x86_64",
		"installed base 1-1 noarch; r: docs; r: (a if b)",
		"repo docs 1-1 noarch",
		"repo help 1-1 noarch; S: base",
		"repo a 1-1 noarch",
		"repo b 1-1 noarch",
		"repo new 1-1 noarch; r: docs; r: help; r: a",
	)
	if got := p.UnmetWeak(); len(got) != 2 || p.String(got[0]) != "docs-1-1.noarch" || p.String(got[1]) != "help-1-1.noarch" {
		t.Error(got)
	}
	exclude := Job{Action: ExcludeFromWeak, Select: SelectOneOf(p.UnmetWeak()...)}
	tr, _ := Solve(p, []Job{installJob(p, "new"), exclude}, Options{})
	if got := steps(p, tr); got != "install a-1-1.noarch, install new-1-1.noarch" {
		t.Error(got)
	}
	p.SetConsidered(func(id ID) bool { return p.Info(id).Name != "a" })
	id := p.Repo("repo").Add(Package{Name: "later", EVR: "1", Arch: "noarch", Requires: []Dep{{Name: "new"}}})
	tr, problems := Solve(p, []Job{{Action: Install, Select: SelectPackage(id)}, exclude}, Options{})
	if got := steps(p, tr); len(problems) > 0 || got != "install new-1-1.noarch, install later-1.noarch" {
		t.Error(got, Format(problems))
	}
	for _, by := range []string{"", "modular"} {
		p.NameExclusions(func(ID) string { return by })
		_, problems = Solve(p, []Job{installJob(p, "a")}, Options{})
		want := "package a-1-1.noarch from repo is filtered out by " + cmp.Or(by, "exclude") + " filtering"
		if got := Format(problems); !strings.Contains(got, want) {
			t.Error(got, want)
		}
	}
}

func TestBadSelections(t *testing.T) {
	p := testPool(t, "x86_64", "installed a 1 noarch", "repo b 1 noarch")
	for _, a := range []Action{Noop, Install, Erase, Update, WeakenDeps, MultiVersion, Lock, DistUpgrade, Verify, DropOrphaned, UserInstalled,
		AllowUninstall, Favor, Disfavor, Blacklist, ExcludeFromWeak} {
		for _, sel := range []Selection{{}, SelectPackage(0), SelectPackage(-3), SelectPackage(99), SelectOneOf(), SelectOneOf(2, 50), SelectRepo(nil),
			SelectName(0), SelectProvides(0), SelectAll(), SelectPackage(System)} {
			for _, f := range []JobFlags{0, ForceBest, CleanDeps, Targeted} {
				_, problems := Solve(p, []Job{{Action: a, Select: sel, Flags: f}}, Options{})
				_ = Format(problems)
				for _, pr := range problems {
					for _, s := range pr.Solutions {
						for _, r := range s.Remedies {
							_ = r.Text()
						}
					}
				}
			}
		}
	}
}

func TestFileProvides(t *testing.T) {
	p := testPool(t, "x86_64",
		"repo app 1-1 noarch; R: /usr/bin/tool; R: (/opt/a or /opt/b); R: /bin/sh",
		"repo sh 1-1 noarch; P: /bin/sh",
	)
	p.Repo("repo").Add(Package{Name: "tools", EVR: "1", Arch: "noarch", Files: []string{"/usr/bin/tool", "/usr/share/x"}})
	late := p.Repo("repo").Add(Package{Name: "late", EVR: "1", Arch: "noarch"})
	if got := strings.Join(p.WantedFiles(), " "); got != "/opt/a /opt/b" {
		t.Error(got)
	}
	jobs := []Job{installJob(p, "app")}
	if _, problems := Solve(p, jobs, Options{}); len(problems) != 1 {
		t.Error(Format(problems))
	}
	p.AddFileProvide(0, "/opt/a")
	p.AddFileProvide(late, "/opt/b")
	tr, problems := Solve(p, jobs, Options{})
	if got := steps(p, tr); len(problems) > 0 || got != "install app-1-1.noarch, install sh-1-1.noarch, install tools-1.noarch, install late-1.noarch" {
		t.Error(got, Format(problems))
	}
	if ids, form := p.Match("/usr/share/*", MatchOptions{}); form != MatchFile || len(ids) != 1 {
		t.Error(ids, form)
	}
}
