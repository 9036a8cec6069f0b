package sack

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"rpmostree/rpm/evr"
	"rpmostree/rpmmd"
	"rpmostree/solv"
)

// randomPackages are packages of a small world, with dependencies of every kind. Some are in it
// twice.
func randomPackages(rng *rand.Rand, n int) (list []*rpmmd.Package) {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	name := func() string { return fmt.Sprintf("p%d", rng.IntN(12)) }
	version := func() string { return fmt.Sprintf("%d-1", 1+rng.IntN(3)) }
	dep := func() rpmmd.Dep {
		switch rng.IntN(8) {
		case 0:
			return rpmmd.Dep{Name: fmt.Sprintf("(%s %s %s)", name(), pick("or", "if", "and"), name())}
		case 1:
			return rpmmd.Dep{Name: pick("/usr/bin/a", "/usr/bin/b", "/opt/c")}
		case 2, 3:
			return rpmmd.Dep{Name: name(), Op: evr.Op(pick("\x01", "\x02", "\x03", "\x04", "\x06")[0]), EVR: version()}
		}
		return rpmmd.Dep{Name: pick(name(), "cap"+pick("1", "2", "3"))}
	}
	for range n {
		p := &rpmmd.Package{Name: name(), Arch: pick("noarch", "x86_64", "x86_64", "i686", "s390x"), EVR: evr.Parse(version()),
			Vendor: pick("", "v"), BuildTime: int64(rng.IntN(2))}
		p.Provides = []rpmmd.Dep{{Name: p.Name, Op: evr.EQ, EVR: p.EVR.String()}}
		if rng.IntN(2) == 0 {
			p.Provides = append(p.Provides, rpmmd.Dep{Name: "cap" + pick("1", "2", "3")}, p.Provides[0])
		}
		for kind, chance := range [rpmmd.DepKinds]int{rpmmd.Requires: 60, rpmmd.Conflicts: 8, rpmmd.Obsoletes: 5, rpmmd.Recommends: 20,
			rpmmd.Suggests: 20, rpmmd.Supplements: 15, rpmmd.Enhances: 15} {
			for rng.IntN(100) < chance {
				d, list := dep(), p.Deps(rpmmd.DepKind(kind))
				d.Pre = list == &p.Requires && rng.IntN(4) == 0
				*list = append(*list, d)
			}
		}
		for rng.IntN(3) == 0 {
			p.Files = append(p.Files, rpmmd.File{Path: pick("/usr/bin/a", "/usr/bin/b", "/usr/bin/d")})
		}
		list = append(list, p)
	}
	return list
}

// plain is a package as Repo.Add wants it.
func plain(p *rpmmd.Package) solv.Package {
	deps := func(k rpmmd.DepKind) (out []solv.Dep) {
		for _, d := range *p.Deps(k) {
			out = append(out, solv.Dep{Name: d.Name, Op: d.Op, EVR: d.EVR, Pre: d.Pre})
		}
		return out
	}
	out := solv.Package{Name: p.Name, Arch: p.Arch, EVR: p.EVR.String(), Vendor: p.Vendor, BuildTime: p.BuildTime,
		Provides: deps(rpmmd.Provides), Requires: deps(rpmmd.Requires), Conflicts: deps(rpmmd.Conflicts), Obsoletes: deps(rpmmd.Obsoletes),
		Recommends: deps(rpmmd.Recommends), Suggests: deps(rpmmd.Suggests), Supplements: deps(rpmmd.Supplements), Enhances: deps(rpmmd.Enhances)}
	for _, f := range p.Files {
		out.Files = append(out.Files, f.Path)
	}
	return out
}

// facts are what can be asked of a pool, in words.
func facts(p *solv.Pool, jobs func(*solv.Pool) []solv.Job) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	res := solv.SolveAll(p, jobs(p), solv.LibdnfOptions())
	for _, id := range p.Order(&res.Transaction) {
		add("in order %d %s", id, p.String(id))
	}
	// The reasons of one package are in the order of numbers that are given when a dependency is first met.
	lines = append(lines, slices.Sorted(strings.Lines(solv.Format(res.Problems)))...)
	add("wanted %v", p.WantedFiles())
	for _, name := range []string{"p1", "cap1", "cap2", "/usr/bin/a", "/usr/bin/d", "/opt/c", "p2 >= 2", "p3 = 1-1", "(p1 or cap3)", "nothing"} {
		d, err := p.ParseDep(name)
		add("%s: %v %v", name, p.Providers(d), err)
	}
	for id := solv.ID(1); int(id) < p.Len(); id++ {
		k := p.Package(id)
		for _, list := range [][]solv.Dep{k.Provides, k.Requires, k.Conflicts, k.Obsoletes, k.Recommends, k.Suggests, k.Supplements, k.Enhances} {
			for i := range list {
				list[i].Ref = 0 // other numbers mean the same
			}
		}
		excluded, badArch, source := p.Unusable(id)
		add("%d %+v %v %v %v", id, k, excluded, badArch, source)
	}
	return lines
}

// A pool that reads an index when it needs it answers as one that was given all packages.
func TestIndexIsLikeAdding(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 1))
		lists := [][]*rpmmd.Package{randomPackages(rng, 4), randomPackages(rng, 10+rng.IntN(40)), randomPackages(rng, rng.IntN(20)), randomPackages(rng, 2)}
		installed, withoutIndex := rng.IntN(2) == 0, rng.IntN(2) == 0
		read, given := New("x86_64"), New("x86_64")
		for _, s := range []*Sack{read, given} {
			for i, name := range []string{"@System", "base", "updates"} {
				if i == 0 && !installed {
					continue
				}
				s.AddRepo(name, 99, 1000)
				switch {
				case i > 0 && s == read:
					s.AddIndex(name, index(t, lists[i]))
				default:
					for _, k := range lists[i] {
						s.Repo(name).Add(plain(k))
					}
				}
				if i == 0 {
					s.Pool.SetInstalled(s.Repo(name))
				}
			}
			if withoutIndex { // as a package of the cache that the repository has no more
				for _, k := range lists[3] {
					s.Repo("base").Add(plain(k))
				}
			}
		}
		last := solv.ID(read.Pool.Len() - 1)
		asked := rng.IntN(12)
		jobs := func(p *solv.Pool) []solv.Job {
			job := func(a solv.Action, name string) solv.Job {
				return solv.Job{Action: a, Select: solv.SelectName(p.Intern(name))}
			}
			list := []solv.Job{job(solv.Install, fmt.Sprintf("p%d", asked)), job(solv.Install, fmt.Sprintf("p%d", (asked*7+3)%12))}
			if installed {
				list = append(list, solv.Job{Action: solv.Update, Select: solv.SelectAll()})
			}
			return list
		}
		compare := func(what string) {
			t.Helper()
			if d := gocmp.Diff(facts(given.Pool, jobs), facts(read.Pool, jobs)); d != "" {
				t.Fatalf("seed %d, %s (-given +read):\n%s", seed, what, d)
			}
		}
		compare("at first")
		for _, s := range []*Sack{read, given} {
			s.Pool.AddFileProvide(last, "/opt/c")
			s.Pool.AddFileProvide(last/2+1, "/usr/bin/a")
			s.Pool.SetConsidered(func(id solv.ID) bool { return id%5 != 0 })
		}
		compare("with files and excluded packages")
	}
}

func TestSource(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	s := New("x86_64")
	var want []string
	for _, repo := range []string{"a", "b"} {
		list := randomPackages(rng, 20)
		s.AddRepo(repo, 99, 1000)
		s.AddIndex(repo, index(t, list))
		for _, k := range list {
			want = append(want, repo+" "+k.String())
		}
	}
	var got []string
	for id := solv.ID(0); int(id) <= s.Pool.Len(); id++ {
		if src := s.Source(id); src.Remote() {
			got = append(got, src.Repo+" "+src.Package().String())
			if src.NEVRA() != s.NEVRA(id) {
				t.Errorf("%d: %v in the index, %v in the pool", id, src.NEVRA(), s.NEVRA(id))
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Error(gocmp.Diff(want, got))
	}
}
