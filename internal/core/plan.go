package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rpmostree/internal/core/sack"
	"rpmostree/rpm"
	"rpmostree/rpm/evr"
	"rpmostree/rpm/rpmdb"
	"rpmostree/solv"
)

// A Plan says which packages make a tree out of a base. It can be printed,
// compared by its StateHash, carried out with Fetch and Assemble, or dropped.
type Plan struct {
	Install []Step            // packages that come, in order of installation
	Remove  []rpmdb.Installed // base packages that go, replaced ones included
	Repos   []RepoState

	spec  Spec
	repos *repos
}

// A Step is a package that comes.
type Step struct {
	Source    sack.Source
	Overwrite bool // its files may replace those of others
	header    *rpm.Header
}

// NEVRA returns what identifies the package.
func (s Step) NEVRA() evr.NEVRA {
	if s.Source.Remote() {
		return s.Source.NEVRA()
	}
	return sack.NEVRA(s.Source.Local.Header)
}

// checksum identifies the package's content.
func (s Step) checksum() string {
	if s.Source.Remote() {
		return s.Source.Package().Checksum.String()
	}
	return cmp.Or(s.Source.Local.Checksum, "header-sha256:"+s.Source.Local.SHA256)
}

// IsEmpty reports whether the plan changes no package.
func (p *Plan) IsEmpty() bool { return len(p.Install) == 0 && len(p.Remove) == 0 }

// A MissingError tells that requested packages do not exist.
type MissingError struct{ Names []string }

func (e *MissingError) Error() string {
	return "Packages not found: " + strings.Join(e.Names, ", ")
}

// A DepsolveError tells that a request cannot be met.
type DepsolveError = sack.Explanation

// Prepare resolves a request into a plan. It downloads metadata, as far as the
// Core allows, and changes nothing.
func (c *Core) Prepare(ctx context.Context, spec Spec) (*Plan, error) {
	s := sack.New(c.Arch)
	if spec.Base != nil {
		s.AddInstalled(spec.Base.Packages)
	}
	r := newRepos()
	if needsRepos(spec) {
		var err error
		if r, err = c.loadRepos(ctx, spec, s); err != nil {
			return nil, err
		}
	}
	task := c.progress().Begin("Resolving dependencies")
	p := planner{core: c, spec: spec, sack: s, repos: r, overwrite: map[solv.ID]bool{}}
	plan, err := p.solve(ctx)
	if err != nil {
		return nil, err
	}
	task.End("")
	return plan, nil
}

// A planner is the state of Prepare.
type planner struct {
	core      *Core
	spec      Spec
	sack      *sack.Sack
	repos     *repos
	jobs      []sack.Asked
	missing   []string
	touched   map[solv.ID]bool // base packages that a request names
	overwrite map[solv.ID]bool
}

func (p *planner) solve(ctx context.Context) (*Plan, error) {
	p.touched = map[solv.ID]bool{}
	if err := p.needFiles(ctx); err != nil {
		return nil, err
	}
	p.exclude()
	if err := p.request(); err != nil {
		return nil, err
	}
	p.lockBase()
	if unmet := p.sack.Pool.UnmetWeak(); p.spec.Base != nil && len(unmet) > 0 {
		// What the base recommends and does not have was left out on purpose.
		p.job("", solv.Job{Action: solv.ExcludeFromWeak, Select: solv.SelectOneOf(unmet...)})
	}
	opts := solv.LibdnfOptions()
	opts.IgnoreRecommended = p.spec.NoRecommends
	opts.AllowUninstall = true
	opts.NoSolutions = true // plans are tried instead
	jobs := make([]solv.Job, len(p.jobs))
	for i := range p.jobs {
		jobs[i] = p.jobs[i].Job
	}
	t, problems := solv.Solve(p.sack.Pool, jobs, opts)
	if len(problems) > 0 {
		// Only now it is known that paths matter which the metadata so far does not have.
		found, err := p.repos.provideFiles(ctx, p.sack, p.sack.Pool.WantedFiles())
		if err != nil {
			return nil, err
		}
		if found {
			t, problems = solv.Solve(p.sack.Pool, jobs, opts)
		}
	}
	if err := p.sack.Pool.Err(); err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, p.sack.Explain(p.jobs, opts, problems)
	}
	return p.plan(t)
}

// needFiles loads file lists for the requests that are paths.
func (p *planner) needFiles(ctx context.Context) error {
	var paths []string
	for _, r := range p.spec.Install {
		if strings.HasPrefix(r, "/") {
			paths = append(paths, r)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	_, err := p.repos.provideFiles(ctx, p.sack, paths)
	return err
}

// exclude hides the packages that must not be used.
func (p *planner) exclude() {
	hide(p.sack, func(src sack.Source) exclusion {
		if n := src.NEVRA(); !p.repos.isCached(n) || sack.Matches(p.spec.Exclude, n) {
			return byExclude
		}
		return p.repos.excludes(src)
	})
}

// An exclusion is what hides a package, in libdnf's words.
type exclusion string

// Kinds of exclusions; "" hides nothing.
const (
	byExclude exclusion = "exclude"
	byModule  exclusion = "modular"
)

// hide hides the packages of repositories that are unwanted, and returns them.
func hide(s *sack.Sack, unwanted func(sack.Source) exclusion) map[solv.ID]exclusion {
	hidden := map[solv.ID]exclusion{}
	for id := solv.ID(2); int(id) < s.Pool.Len(); id++ {
		if src := s.Source(id); src.Remote() {
			if by := unwanted(src); by != "" {
				hidden[id] = by
			}
		}
	}
	if len(hidden) > 0 {
		s.Pool.SetConsidered(func(id solv.ID) bool { return hidden[id] == "" })
		s.Pool.NameExclusions(func(id solv.ID) string { return string(hidden[id]) })
	}
	return hidden
}

// request turns the spec into jobs.
func (p *planner) request() error {
	for _, l := range p.spec.Local {
		p.install(l, p.sack.AddLocal(l))
	}
	for _, l := range p.spec.Overwrite {
		id := p.sack.AddLocal(l)
		p.overwrite[id] = true
		p.install(l, id)
	}
	for _, l := range p.spec.Replace {
		id := p.sack.AddLocal(l)
		p.touch(l.Header.Name())
		p.install(l, id)
	}
	for _, f := range slices.Concat(p.spec.FromRepo, p.spec.ReplaceRemote) {
		if err := p.fromRepo(f); err != nil {
			return err
		}
	}
	for _, name := range p.spec.Remove {
		ids := p.touch(name)
		if len(ids) == 0 {
			return fmt.Errorf("Package \"%s\" not found in the base", name)
		}
		p.job("removal of "+name, solv.Job{Action: solv.Erase, Select: solv.SelectOneOf(ids...)})
	}
	for _, r := range p.spec.Install {
		sel, ids := p.sack.Select(r)
		if len(ids) == 0 {
			p.missing = append(p.missing, r)
			continue
		}
		p.job(r, solv.Job{Action: solv.Install, Select: sel})
	}
	if len(p.missing) > 0 {
		return &MissingError{p.missing}
	}
	return nil
}

// job adds a job for a request; "" is none of the user's.
func (p *planner) job(request string, j solv.Job) {
	p.jobs = append(p.jobs, sack.Asked{Job: j, Request: request})
}

func (p *planner) install(l *sack.Local, id solv.ID) {
	p.job(sack.NEVRA(l.Header).String(), solv.Job{Action: solv.Install, Select: solv.SelectPackage(id), Flags: solv.SetEVR | solv.SetArch})
}

// fromRepo asks for packages of one repository, newest first.
func (p *planner) fromRepo(f FromRepo) error {
	repo := p.sack.Repo(f.Repo)
	if repo == nil {
		return fmt.Errorf("No matches for repo: %s (it is unknown or disabled)", f.Repo)
	}
	for _, name := range f.Packages {
		var ids []solv.ID
		_, all := p.sack.Select(name)
		for _, id := range all {
			if p.sack.Source(id).Repo == f.Repo {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			return fmt.Errorf("No matches for %s in repo %s", name, f.Repo)
		}
		p.touch(p.sack.NEVRA(ids[0]).Name)
		p.job(name, solv.Job{Action: solv.Install, Select: solv.SelectOneOf(ids...), Flags: solv.SetRepo | solv.SetEVR})
	}
	return nil
}

// touch releases the base packages of a name, so that they may be changed.
func (p *planner) touch(name string) []solv.ID {
	var ids []solv.ID
	for _, id := range p.base() {
		if i := p.sack.Pool.Info(id); i.Name == name || p.sack.NEVRA(id).String() == name {
			ids = append(ids, id)
			p.touched[id] = true
		}
	}
	return ids
}

func (p *planner) base() []solv.ID {
	if r := p.sack.Pool.Installed(); r != nil {
		return r.IDs()
	}
	return nil
}

// lockBase keeps the base as it is, but for what requests name.
func (p *planner) lockBase() {
	for _, id := range p.base() {
		if !p.touched[id] {
			p.job("", solv.Job{Action: solv.Lock, Select: solv.SelectPackage(id)})
		}
	}
}

// plan turns the answer into a plan, after making sure that it changes the
// base only where it was asked to.
func (p *planner) plan(t solv.Transaction) (*Plan, error) {
	plan := &Plan{spec: p.spec, repos: p.repos, Repos: p.repos.states()}
	var removed []string
	for _, id := range t.Erased() {
		src := p.sack.Source(id)
		if src.Installed == nil {
			return nil, errors.New("the solver removed a package that is not installed")
		}
		plan.Remove = append(plan.Remove, *src.Installed)
		if !p.touched[id] {
			removed = append(removed, p.sack.NEVRA(id).String())
		}
	}
	if len(removed) > 0 {
		slices.Sort(removed)
		return nil, fmt.Errorf("Base packages would be removed: %s", strings.Join(removed, ", "))
	}
	slices.SortFunc(plan.Remove, func(a, b rpmdb.Installed) int { return int(a.HeaderNum) - int(b.HeaderNum) })
	for _, id := range p.sack.Pool.Order(&t) {
		src := p.sack.Source(id)
		if src.Installed != nil {
			continue
		}
		step := Step{Source: src, Overwrite: p.overwrite[id]}
		if src.Local != nil {
			step.header = src.Local.Header
		}
		plan.Install = append(plan.Install, step)
	}
	return plan, nil
}

// Provided returns which requests the base meets without any package, with the
// package that does. Packages in removed do not count.
func Provided(arch string, base []rpmdb.Installed, removed, requests []string) map[string]string {
	out := map[string]string{}
	if len(requests) == 0 {
		return out
	}
	var kept []rpmdb.Installed
	for _, p := range base {
		n := sack.NEVRA(p.Header)
		if !slices.Contains(removed, n.Name) && !slices.Contains(removed, n.String()) {
			kept = append(kept, p)
		}
	}
	s := sack.New(arch)
	s.AddInstalled(kept)
	for _, r := range requests {
		if _, ids := s.Select(r); len(ids) > 0 {
			out[r] = s.NEVRA(ids[0]).String()
		}
	}
	return out
}
