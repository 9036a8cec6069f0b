package solv

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// The model below says in the simplest way what it means for a set of packages to be valid, to
// judge the solver's answers: it shares no code with it.

type modelDep struct {
	op          string // "", "and", "or", "if", "unless", "with"
	name        string
	cmp         string // "", "=", "<", ">=", ...
	version     int
	left, right *modelDep
	alt         *modelDep // else
}

type modelPackage struct {
	name                           string
	version                        int
	provides                       []modelDep // capabilities, "=" or unversioned
	requires                       []modelDep
	conflicts, obsoletes           []modelDep // simple ones
	recommends, suggests, supplies []modelDep
	installed                      bool
}

type model struct {
	packages []modelPackage
	install  []string
	erase    []string
}

func (d modelDep) String() string {
	switch d.op {
	case "":
		if d.cmp == "" {
			return d.name
		}
		return fmt.Sprintf("%s %s %d", d.name, d.cmp, d.version)
	case "if", "unless":
		if d.alt != nil {
			return fmt.Sprintf("(%s %s %s else %s)", d.left, d.op, d.right, d.alt)
		}
	}
	return fmt.Sprintf("(%s %s %s)", d.left, d.op, d.right)
}

// holdsFor compares versions: provided have (0 = any) against the wanted range.
func (d modelDep) holdsFor(have int) bool {
	if d.cmp == "" || have == 0 {
		return true
	}
	switch d.cmp {
	case "=":
		return have == d.version
	case "<":
		return have < d.version
	case "<=":
		return have <= d.version
	case ">":
		return have > d.version
	}
	return have >= d.version
}

func (k *modelPackage) gives(d modelDep) bool {
	if d.op == "with" {
		return k.gives(*d.left) && k.gives(*d.right)
	}
	if k.name == d.name && d.holdsFor(k.version) {
		return true
	}
	return slices.ContainsFunc(k.provides, func(p modelDep) bool { return p.name == d.name && d.holdsFor(p.version) })
}

// set is a set of packages as bits.
type set uint32

func (m *model) holds(d modelDep, in set) bool {
	switch d.op {
	case "and":
		return m.holds(*d.left, in) && m.holds(*d.right, in)
	case "or":
		return m.holds(*d.left, in) || m.holds(*d.right, in)
	case "if":
		if m.holds(*d.right, in) {
			return m.holds(*d.left, in)
		}
		return d.alt == nil || m.holds(*d.alt, in)
	case "unless":
		if !m.holds(*d.right, in) {
			return m.holds(*d.left, in)
		}
		return d.alt != nil && m.holds(*d.alt, in)
	}
	for i := range m.packages {
		if in&(1<<i) != 0 && m.packages[i].gives(d) {
			return true
		}
	}
	return false
}

// invalid says why a set of packages cannot be installed together; "" if it can.
func (m *model) invalid(in set) string {
	for i := range m.packages {
		a := &m.packages[i]
		if in&(1<<i) == 0 {
			continue
		}
		for _, d := range a.requires {
			if !m.holds(d, in) {
				return fmt.Sprintf("%s-%d requires %v", a.name, a.version, d)
			}
		}
		for j := range m.packages {
			b := &m.packages[j]
			if i == j || in&(1<<j) == 0 {
				continue
			}
			if a.name == b.name {
				return "two " + a.name
			}
			if slices.ContainsFunc(a.conflicts, b.gives) {
				return a.name + " conflicts with " + b.name
			}
			if slices.ContainsFunc(a.obsoletes, func(d modelDep) bool { return d.name == b.name && d.holdsFor(b.version) }) {
				return a.name + " obsoletes " + b.name
			}
		}
	}
	return ""
}

// unfulfilled says which job a set does not fulfil.
func (m *model) unfulfilled(in set) string {
	has := func(name string) bool {
		for i := range m.packages {
			if in&(1<<i) != 0 && m.packages[i].name == name {
				return true
			}
		}
		return false
	}
	for _, n := range m.install {
		if !has(n) {
			return n + " is not installed"
		}
	}
	for _, n := range m.erase {
		if has(n) {
			return n + " is not erased"
		}
	}
	return ""
}

func randomModel(rng *rand.Rand) *model {
	m := &model{}
	names := []string{"a", "b", "c", "d", "e", "f"}[:3+rng.Intn(4)]
	caps := []string{"x", "y"}
	pick := func(l []string) string { return l[rng.Intn(len(l))] }
	simple := func() modelDep {
		if rng.Intn(4) == 0 {
			return modelDep{name: pick(caps)}
		}
		d := modelDep{name: pick(names)}
		if rng.Intn(3) == 0 {
			d.cmp, d.version = pick([]string{"=", "<", "<=", ">", ">="}), 1+rng.Intn(3)
		}
		return d
	}
	dep := func() modelDep {
		if rng.Intn(3) > 0 {
			return simple()
		}
		l, r, e := simple(), simple(), simple()
		d := modelDep{op: pick([]string{"and", "or", "if", "unless", "with"}), left: &l, right: &r}
		if (d.op == "if" || d.op == "unless") && rng.Intn(2) == 0 {
			d.alt = &e
		}
		return d
	}
	list := func(percent int, f func() modelDep) (out []modelDep) {
		for rng.Intn(100) < percent && len(out) < 3 {
			out = append(out, f())
		}
		return out
	}
	for range 4 + rng.Intn(8) {
		k := modelPackage{name: pick(names), version: 1 + rng.Intn(3)}
		if slices.ContainsFunc(m.packages, func(o modelPackage) bool { return o.name == k.name && o.version == k.version }) {
			continue
		}
		k.provides = list(25, func() modelDep { return modelDep{name: pick(caps), version: rng.Intn(3)} })
		k.requires = list(40, dep)
		k.conflicts, k.obsoletes = list(12, simple), list(8, simple)
		k.recommends, k.suggests, k.supplies = list(25, dep), list(15, simple), list(15, dep)
		m.packages = append(m.packages, k)
	}
	if rng.Intn(2) == 0 { // some valid set is installed
		for range 20 {
			in := set(rng.Intn(1 << len(m.packages)))
			if m.invalid(in) != "" {
				continue
			}
			for i := range m.packages {
				m.packages[i].installed = in&(1<<i) != 0
			}
			break
		}
	}
	for range 1 + rng.Intn(2) {
		m.install = append(m.install, pick(names))
	}
	if rng.Intn(3) == 0 {
		m.erase = append(m.erase, pick(names))
	}
	return m
}

// pool turns the model into a pool; ids are in the order of the packages.
func (m *model) pool(t *testing.T) (*Pool, []ID) {
	p := NewPool("x86_64")
	sys, avail := p.AddRepo("system", 99, 1000), p.AddRepo("avail", 99, 1000)
	p.SetInstalled(sys)
	ids := make([]ID, len(m.packages))
	deps := func(list []modelDep) (out []Dep) {
		for _, d := range list {
			ref, err := p.ParseDep(d.String())
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, Dep{Ref: ref})
		}
		return out
	}
	for _, installed := range []bool{true, false} {
		for i, k := range m.packages {
			if k.installed != installed {
				continue
			}
			pkg := Package{Name: k.name, EVR: fmt.Sprint(k.version), Arch: "noarch", Requires: deps(k.requires),
				Conflicts: deps(k.conflicts), Obsoletes: deps(k.obsoletes), Recommends: deps(k.recommends),
				Suggests: deps(k.suggests), Supplements: deps(k.supplies)}
			pkg.Provides = []Dep{{Name: k.name, Op: 2, EVR: pkg.EVR}}
			for _, d := range k.provides {
				if d.version == 0 {
					pkg.Provides = append(pkg.Provides, Dep{Name: d.name})
				} else {
					pkg.Provides = append(pkg.Provides, Dep{Name: d.name, Op: 2, EVR: fmt.Sprint(d.version)})
				}
			}
			r := avail
			if installed {
				r = sys
			}
			ids[i] = r.Add(pkg)
		}
	}
	return p, ids
}

func (m *model) String() string {
	var b strings.Builder
	for _, k := range m.packages {
		fmt.Fprintf(&b, "%+v\n", k)
	}
	return fmt.Sprintf("%sinstall %v erase %v", b.String(), m.install, m.erase)
}

// TestAnswersAreRight checks by brute force that every solution is valid, and that there is none
// where the solver says so.
func TestAnswersAreRight(t *testing.T) {
	solved, unsolvable := 0, 0
	for seed := range int64(600) {
		if randomModel(rand.New(rand.NewSource(seed))).judge(t, seed) {
			solved++
		} else {
			unsolvable++
		}
	}
	t.Logf("%d solved, %d unsolvable", solved, unsolvable)
}

// judge compares the solver's answer with all sets of packages that there are.
func (m *model) judge(t *testing.T, seed int64) (solved bool) {
	p, ids := m.pool(t)
	var jobs []Job
	for _, n := range m.install {
		jobs = append(jobs, installJob(p, n))
	}
	for _, n := range m.erase {
		jobs = append(jobs, Job{Action: Erase, Select: SelectName(p.Intern(n))})
	}
	tr, problems := Solve(p, jobs, Options{AllowUninstall: true})
	possible := false
	for in := range set(1) << len(m.packages) {
		if m.unfulfilled(in) == "" && m.invalid(in) == "" {
			possible = true
			break
		}
	}
	if possible != (len(problems) == 0) {
		t.Fatalf("seed %d: possible %v, but problems %v\n%v", seed, possible, Format(problems), m)
	}
	if len(problems) > 0 {
		m.checkProblems(t, seed, p, ids, jobs, problems)
		return false
	}
	in := m.after(ids, tr)
	if why := m.invalid(in) + m.unfulfilled(in); why != "" {
		t.Fatalf("seed %d: %s: %s\n%v", seed, steps(p, tr), why, m)
	}
	return true
}

// FuzzSolve makes the choices that a model is made of from the input, as long as it lasts.
func FuzzSolve(f *testing.F) {
	for _, s := range []string{"", "\x01\x02\x03\x04\x05\x06\x07\x08", "solver", strings.Repeat("\x00\xff\x55", 40)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := randomModel(rand.New(&byteSource{data: b, rest: rand.NewSource(int64(len(b)))}))
		m.judge(t, 0)
	})
}

// A byteSource takes random numbers from bytes, and others when these are used up.
type byteSource struct {
	data []byte
	rest rand.Source
}

func (s *byteSource) Seed(int64) {}

func (s *byteSource) Int63() int64 {
	if len(s.data) == 0 {
		return s.rest.Int63()
	}
	n := int64(s.data[0])
	s.data = s.data[1:]
	return (n*0x0101010101010101 ^ 0x2b) & (1<<63 - 1)
}

// after returns the packages that are installed after a transaction.
func (m *model) after(ids []ID, tr Transaction) (in set) {
	for i := range m.packages {
		if m.packages[i].installed {
			in |= 1 << i
		}
	}
	for _, st := range tr.Steps {
		bit := set(1) << slices.Index(ids, st.ID)
		if st.Kind < StepErase {
			in |= bit
		} else {
			in &^= bit
		}
	}
	return in
}

// checkProblems checks that the jobs become possible if all those are dropped that a proposal
// names. (One proposal per problem is mostly enough, but, as in libsolv, not always.)
func (m *model) checkProblems(t *testing.T, seed int64, p *Pool, ids []ID, jobs []Job, problems []Problem) {
	drop := map[int]bool{}
	for _, pr := range problems {
		if pr.Reason.String() == "" || len(pr.Causes) == 0 {
			t.Fatalf("seed %d: no cause", seed)
		}
		if len(pr.Solutions) == 0 {
			t.Fatalf("seed %d: no solution for %v\n%v", seed, pr.Reason, m)
		}
		for _, sol := range pr.Solutions {
			for _, r := range sol.Remedies {
				if r.Kind != DropJob {
					return // installed packages are not judged here
				}
				drop[r.Job] = true
			}
		}
	}
	var rest []Job
	for i, j := range jobs {
		if !drop[i] {
			rest = append(rest, j)
		}
	}
	if _, problems := Solve(p, rest, Options{AllowUninstall: true}); len(problems) > 0 {
		t.Fatalf("seed %d: still problems after dropping %v: %s\n%v", seed, drop, Format(problems), m)
	}
}

// TestApply follows the first proposal of every problem until there are none left.
func TestApply(t *testing.T) {
	rounds := map[int]int{}
	for seed := range int64(400) {
		m := randomModel(rand.New(rand.NewSource(seed)))
		p, _ := m.pool(t)
		var jobs []Job
		for _, n := range m.install {
			jobs = append(jobs, installJob(p, n))
		}
		for _, n := range m.erase {
			jobs = append(jobs, Job{Action: Erase, Select: SelectName(p.Intern(n))})
		}
		for round := 0; ; round++ {
			if round > 8 {
				t.Fatalf("seed %d: no end of problems\n%v", seed, m)
			}
			_, problems := Solve(p, jobs, Options{})
			if len(problems) == 0 {
				rounds[round]++
				break
			}
			for _, pr := range problems {
				jobs = pr.Solutions[0].Apply(jobs)
			}
		}
	}
	t.Logf("cases by rounds: %v", rounds)
}
