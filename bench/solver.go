package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rpmostree/rpmmd"
	"rpmostree/solv"
	"rpmostree/solv/testcase"
	"rpmostree/test/universe"
)

// A solverCase is a request about the universe of packages made from Debian's index. Both sides
// read the same case in libsolv's test language and answer the request once, and then many times:
// the difference is the time of one answer, without that of loading.
type solverCase struct {
	name, what string
	system     bool // on the desktop as installed system, all of which is locked
	runs       int  // answers, to be set against the time of loading
	jobs       func(names []string) []string
}

var solverCases = []solverCase{
	{name: "solve-desktop", what: "a desktop into an empty root", runs: 20, jobs: func([]string) []string { return []string{desktop} }},
	{name: "solve-layer", what: "5 packages on the desktop, which is locked", system: true, runs: 20, jobs: func([]string) []string {
		return []string{"vim", "strace", "htop", "tmux", "podman"}
	}},
	{name: "solve-unsat", what: "300 random packages, with problems and all their solutions", runs: 5, jobs: func(names []string) []string {
		rng := rand.New(rand.NewSource(1))
		var list []string
		for range 300 {
			list = append(list, names[rng.Intn(len(names))])
		}
		return list
	}},
}

const solverHeader = `poolflags implicitobsoleteusescolors
solverflags keeporphans bestobeypolicy yumobsoletes allowvendorchange allowdowngrade
`

// solveCase is our side: it answers the runs of a case as "testsolv -r" does.
func solveCase(name string, w io.Writer) error {
	out := bufio.NewWriter(w)
	err := testcase.Run(os.DirFS(filepath.Dir(name)), filepath.Base(name), func(st *testcase.Step) error {
		for _, line := range st.Solve() {
			out.WriteString(line + "\n")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// measureSolver runs the solver's cases that match.
func (in *input) measureSolver(ctx context.Context, dir string, matches func(string) bool, rounds int) error {
	cases := slices.DeleteFunc(slices.Clone(solverCases), func(c solverCase) bool { return !matches(c.name) })
	if len(cases) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	names, err := writeUniverse(ctx, dir)
	if err != nil {
		return err
	}
	if rounds == 0 {
		rounds = 5
	}
	for _, c := range cases {
		if err := c.measure(ctx, dir, names, rounds); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// writeUniverse writes the base repository and a desktop made of it, and returns all names.
func writeUniverse(ctx context.Context, dir string) ([]string, error) {
	u, err := universe.Make(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	p := solv.NewPool("x86_64")
	p.SetFlags(solv.PoolFlags{ImplicitObsoletesUseColors: true})
	base := p.AddRepo("base", 99, 1000)
	if err := readPrimary(u.Base, func(k *rpmmd.Package) { base.Add(packageOf(k)) }); err != nil {
		return nil, err
	}
	t, problems := solv.Solve(p, []solv.Job{{Action: solv.Install, Select: solv.SelectName(p.Intern(desktop))}}, solv.LibdnfOptions())
	if len(problems) > 0 {
		return nil, fmt.Errorf("the desktop cannot be installed: %s", solv.Format(problems))
	}
	desktop := p.AddRepo("@System", 99, 1000)
	for _, id := range t.Installed() {
		desktop.Add(p.Package(id))
	}
	for _, r := range []*solv.Repo{base, desktop} {
		f, err := os.Create(filepath.Join(dir, r.Name()+".repo"))
		if err != nil {
			return nil, err
		}
		if err := testcase.WriteTestTags(f, p, r); err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	var names []string
	for _, id := range base.IDs() {
		names = append(names, p.Info(id).Name)
	}
	slices.Sort(names)
	return slices.Compact(names), os.WriteFile(filepath.Join(dir, "locks"), locks(p, desktop), 0o644)
}

// locks are the jobs that keep a system as it is.
func locks(p *solv.Pool, r *solv.Repo) []byte {
	var b strings.Builder
	for _, id := range r.IDs() {
		j := solv.Job{Action: solv.Lock, Select: solv.SelectPackage(id)}
		b.WriteString("job " + testcase.JobString(p, &j) + "\n")
	}
	return []byte(b.String())
}

// write writes the case with a number of runs.
func (c solverCase) write(dir string, names []string, runs int) (string, error) {
	var b strings.Builder
	jobs := solverHeader
	for _, n := range c.jobs(names) {
		jobs += "job install name " + n + "\n"
	}
	if c.system {
		text, err := os.ReadFile(filepath.Join(dir, "locks"))
		if err != nil {
			return "", err
		}
		jobs += string(text)
		b.WriteString("repo @System -99.-1000 testtags @System.repo\n")
	}
	b.WriteString("repo base -99.-1000 testtags base.repo\nsystem x86_64 rpm")
	if c.system {
		b.WriteString(" @System")
	}
	b.WriteString("\n")
	for i := range runs {
		if i > 0 {
			b.WriteString("nextjob\n")
		}
		b.WriteString(jobs + "result transaction,problems /dev/null\n")
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%d.t", c.name, runs))
	return file, os.WriteFile(file, []byte(b.String()), 0o644)
}

func (c solverCase) measure(ctx context.Context, dir string, names []string, rounds int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	once, err := c.write(dir, names, 1)
	if err != nil {
		return err
	}
	many, err := c.write(dir, names, 1+c.runs)
	if err != nil {
		return err
	}
	var costs [2][]float64 // CPU seconds of one answer
	var loads, peaks [2][]result
	for round := range rounds {
		for i := range 2 {
			s := side((round + i) % 2)
			run := command{self, "-solve"}
			if s == theirs {
				run = command{"testsolv", "-r"}
			}
			a, err := timed(ctx, dir, append(slices.Clone(run), once))
			if err != nil {
				return err
			}
			b, err := timed(ctx, dir, append(slices.Clone(run), many))
			if err != nil {
				return err
			}
			costs[s] = append(costs[s], (b.cpu-a.cpu).Seconds()/float64(c.runs))
			loads[s], peaks[s] = append(loads[s], a), append(peaks[s], b)
		}
	}
	fmt.Printf("# %s: %s; CPU time of one answer, without loading; %d rounds\n", c.name, c.what, rounds)
	value := func(v float64) float64 { return v }
	for s, list := range costs {
		fmt.Printf("#   %s:", side(s))
		for _, v := range list {
			fmt.Printf(" %.3f", v)
		}
		fmt.Printf(" s, with loading %.2f s\n", median(loads[s], func(r result) float64 { return r.cpu.Seconds() }))
	}
	a, b := median(costs[ours], value), median(costs[theirs], value)
	peak := func(s side) float64 { return median(peaks[s], func(r result) float64 { return float64(r.peak) / 1e6 }) }
	fmt.Printf("%s ratio=%.2f ours=%.3f peer=%.3f ours_peak=%.0f peer_peak=%.0f\n", c.name, a/b, a, b, peak(ours), peak(theirs))
	return nil
}

// readPrimary reads the packages of a repository.
func readPrimary(dir string, fn func(*rpmmd.Package)) error {
	files, err := filepath.Glob(filepath.Join(dir, "repodata", "*primary.xml.gz"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("%s: %d files of primary metadata: %w", dir, len(files), err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	return rpmmd.ParsePrimary(z, func(k *rpmmd.Package) error {
		fn(k)
		return nil
	})
}

func packageOf(k *rpmmd.Package) solv.Package {
	deps := func(list []rpmmd.Dep) []solv.Dep {
		out := make([]solv.Dep, len(list))
		for i, d := range list {
			out[i] = solv.Dep{Name: d.Name, Op: d.Op, EVR: d.EVR, Pre: d.Pre}
		}
		return out
	}
	p := solv.Package{Name: k.Name, Arch: k.Arch, EVR: k.EVR.String(), Vendor: k.Vendor, BuildTime: k.BuildTime,
		Provides: deps(k.Provides), Requires: deps(k.Requires), Conflicts: deps(k.Conflicts), Obsoletes: deps(k.Obsoletes),
		Recommends: deps(k.Recommends), Suggests: deps(k.Suggests), Supplements: deps(k.Supplements), Enhances: deps(k.Enhances)}
	for _, f := range k.Files {
		p.Files = append(p.Files, f.Path)
	}
	return p
}
