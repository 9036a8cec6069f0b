package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rpmostree/internal/core/sack"
	"rpmostree/rpmmd"
	"rpmostree/solv"
	"rpmostree/solv/testcase"
	"rpmostree/test/universe"
)

// header is what libdnf sets before it solves.
const header = `poolflags implicitobsoleteusescolors
solverflags keeporphans bestobeypolicy yumobsoletes allowvendorchange allowdowngrade
`

// perSystem is how many requests are made of one installed system.
const perSystem = 50

// A request is a list of jobs.
type request struct {
	kind string
	jobs []solv.Job
	opts solv.Options
}

// random answers requests of all kinds, in batches that share an installed system.
func random(ctx context.Context, o options) error {
	u, err := universe.Make(ctx, os.Stderr)
	if err != nil {
		return err
	}
	var c content
	if c.base, err = index(u.Base); err == nil {
		c.updates, err = index(u.Updates)
	}
	if err != nil {
		return err
	}
	p := c.newPool(nil)
	for _, r := range p.Repos() {
		if err := save(p, r, filepath.Join(o.keep, r.Name()+".repo")); err != nil {
			return err
		}
	}
	var total tally
	for done := 0; done < o.n; done += perSystem {
		b := &batch{options: o, number: done / perSystem, rng: rand.New(rand.NewSource(o.seed<<20 + int64(done)))}
		b.build(&c)
		t, err := b.run(ctx, min(perSystem, o.n-done))
		if err != nil {
			return err
		}
		total.add(t)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Printf("random requests: %d equal, %d without a solution on both sides, %d different\n", total.equal, total.unsolved, total.different)
	if total.different > 0 {
		return fmt.Errorf("%d requests have other answers than libsolv's", total.different)
	}
	return nil
}

type tally struct{ equal, unsolved, different int }

func (t *tally) add(o tally) {
	t.equal += o.equal
	t.unsolved += o.unsolved
	t.different += o.different
}

// A batch is a number of requests about one system.
type batch struct {
	options
	number int
	rng    *rand.Rand
	pool   *solv.Pool
	system []solv.ID // installed
	names  []string  // of all packages
}

// content is what there is to install.
type content struct{ base, updates *rpmmd.Index }

// newPool makes a pool of it, besides what is installed; nil for an empty root.
func (c *content) newPool(installed []solv.Package) *solv.Pool {
	s := sack.New("x86_64")
	p := s.Pool
	p.SetFlags(solv.PoolFlags{ImplicitObsoletesUseColors: true, HideExcluded: true})
	if installed != nil {
		r := p.AddRepo("@System", 99, 1000)
		for _, k := range installed {
			r.Add(k)
		}
		p.SetInstalled(r)
	}
	load(s, "base", c.base)
	load(s, "updates", c.updates)
	return p
}

// build makes the pool: an installed system in three of four batches.
func (b *batch) build(c *content) {
	var installed []solv.Package
	if b.number%4 != 0 {
		b.pool = c.newPool(nil)
		b.names = allNames(b.pool)
		installed = b.makeSystem()
	}
	b.pool = c.newPool(installed)
	b.names = allNames(b.pool)
	if in := b.pool.Installed(); in != nil {
		b.system = in.IDs()
	}
}

func allNames(p *solv.Pool) (names []string) {
	for id := solv.ID(2); int(id) < p.Len(); id++ {
		names = append(names, p.Info(id).Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// makeSystem installs a few random packages of the base with all that they need.
func (b *batch) makeSystem() []solv.Package {
	p := b.pool
	p.SetConsidered(func(id solv.ID) bool { return p.Info(id).Repo.Name() == "base" })
	defer p.SetConsidered(nil)
	var jobs []solv.Job
	for range 10 + b.rng.Intn(60) {
		jobs = append(jobs, solv.Job{Action: solv.Install, Select: solv.SelectName(p.Intern(b.name())), Flags: solv.Weak})
	}
	t, _ := solv.Solve(p, jobs, solv.LibdnfOptions())
	var list []solv.Package
	for _, id := range t.Installed() {
		k := p.Package(id)
		for _, deps := range [][]solv.Dep{k.Provides, k.Requires, k.Conflicts, k.Obsoletes, k.Recommends, k.Suggests, k.Supplements, k.Enhances} {
			for i := range deps {
				deps[i].Ref = 0 // belongs to the other pool
			}
		}
		list = append(list, k)
	}
	return list
}

func (b *batch) name() string { return b.names[b.rng.Intn(len(b.names))] }

func (b *batch) select1() solv.Selection { return solv.SelectName(b.pool.Intern(b.name())) }

// installedName selects a name of the system.
func (b *batch) installedName() solv.Selection {
	id := b.system[b.rng.Intn(len(b.system))]
	return solv.SelectName(b.pool.Intern(b.pool.Info(id).Name))
}

// request makes one request.
func (b *batch) request() request {
	r := request{kind: "install", opts: solv.LibdnfOptions()}
	add := func(a solv.Action, s solv.Selection, f solv.JobFlags) {
		r.jobs = append(r.jobs, solv.Job{Action: a, Select: s, Flags: f})
	}
	installs := func(n int) {
		for range 1 + b.rng.Intn(n) {
			add(solv.Install, b.select1(), 0)
		}
	}
	n := 0
	if len(b.system) > 0 {
		n = b.rng.Intn(8)
	}
	switch n {
	case 0, 1:
		installs(12)
	case 2:
		r.kind = "update"
		if b.rng.Intn(2) == 0 {
			add(solv.Update, solv.SelectAll(), 0)
		} else {
			for range 1 + b.rng.Intn(10) {
				add(solv.Update, b.installedName(), 0)
			}
		}
	case 3:
		r.kind = "remove"
		flags := solv.JobFlags(0)
		if b.rng.Intn(2) == 0 {
			flags = solv.CleanDeps
		}
		for range 1 + b.rng.Intn(3) {
			add(solv.Erase, b.installedName(), flags)
		}
		r.opts.AllowUninstall = true
	case 4:
		r.kind = "distupgrade"
		add(solv.DistUpgrade, solv.SelectAll(), 0)
	case 5:
		r.kind = "mixed"
		installs(5)
		add(solv.Erase, b.installedName(), 0)
		add(solv.Update, b.installedName(), 0)
		r.opts.AllowUninstall = true
	default:
		r.kind = "layer"
		installs(5)
		r.opts.AllowUninstall = true
		for _, id := range b.system {
			add(solv.Lock, solv.SelectPackage(id), 0)
		}
	}
	r.opts.IgnoreRecommended = b.rng.Intn(5) == 0
	return r
}

// run answers requests on both sides.
func (b *batch) run(ctx context.Context, n int) (t tally, err error) {
	var text strings.Builder
	if in := b.pool.Installed(); in != nil {
		name := fmt.Sprintf("system-%d.repo", b.number)
		if err := save(b.pool, in, filepath.Join(b.keep, name)); err != nil {
			return t, err
		}
		fmt.Fprintf(&text, "repo @System -99.-1000 testtags %s\n", name)
	}
	text.WriteString("repo base -99.-1000 testtags base.repo\nrepo updates -99.-1000 testtags updates.repo\nsystem x86_64 rpm")
	if len(b.system) > 0 {
		text.WriteString(" @System")
	}
	text.WriteString("\n")
	var requests []request
	for i := range n {
		r := b.request()
		requests = append(requests, r)
		if i > 0 {
			text.WriteString("nextjob\n")
		}
		text.WriteString(b.format(r))
	}
	file := filepath.Join(b.keep, fmt.Sprintf("batch-%d.t", b.number))
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return t, err
	}
	answers, err := testsolv(ctx, file)
	if err != nil {
		return t, err
	}
	if len(answers) != n && n > 1 {
		return t, fmt.Errorf("%s: %d answers to %d requests", file, len(answers), n)
	}
	for i, r := range requests {
		st := testcase.Step{Pool: b.pool, Jobs: r.jobs, Options: r.opts}
		t.add(b.compare(i, r, answers[i], st.Solve()))
	}
	fmt.Printf("batch %d: %d installed: %d equal, %d unsolved, %d different\n", b.number, len(b.system), t.equal, t.unsolved, t.different)
	return t, nil
}

// format writes a request as a run of a case.
func (b *batch) format(r request) string {
	var s strings.Builder
	s.WriteString(header)
	if r.opts.AllowUninstall {
		s.WriteString("solverflags allowuninstall\n")
	}
	if r.opts.IgnoreRecommended {
		s.WriteString("solverflags ignorerecommended\n")
	}
	for i := range r.jobs {
		s.WriteString("job " + testcase.JobString(b.pool, &r.jobs[i]) + "\n")
	}
	s.WriteString("result transaction,problems\n")
	return s.String()
}

func (b *batch) compare(i int, r request, theirs, ours []string) (t tally) {
	switch {
	case unsolved(theirs) && unsolved(ours):
		t.unsolved++
	case unsolved(theirs) != unsolved(ours):
		t.different++
		fmt.Printf("batch %d, run %d (%s): only one side has problems:\n%s", b.number, i+1, r.kind, testcase.Diff(theirs, ours))
	default:
		if d := testcase.Diff(theirs, ours); d != "" {
			t.different++
			fmt.Printf("batch %d, run %d (%s):\n%s", b.number, i+1, r.kind, d)
		} else {
			t.equal++
		}
	}
	return t
}
