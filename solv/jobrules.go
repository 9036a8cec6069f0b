package solv

import (
	"slices"
)

// readInstalledJobs collects what jobs say about installed packages.
func (s *solver) readInstalledJobs() {
	p := s.pool
	for i := range s.jobs {
		if s.jobs[i].Action == MultiVersion {
			for _, id := range p.Selected(s.jobs[i].Select) {
				s.markBit(&s.multi, id)
			}
		}
	}
	if p.installed == nil {
		return
	}
	for i := range s.jobs {
		j := &s.jobs[i]
		whole := j.Select.kind == selectAll || j.Select.kind == selectRepo && j.Select.repo == p.installed
		mark := func(all *bool, set *bitmap) {
			*all = *all || whole
			for _, id := range s.picked[i] {
				if s.isInstalled(id) {
					s.markBit(set, id)
				}
			}
		}
		switch j.Action {
		case Verify:
			mark(&s.fixAll, &s.fix)
		case Update:
			s.readUpdateJob(j, s.picked[i])
		case DropOrphaned:
			mark(&s.dropOrphanedAll, &s.dropOrphaned)
		case AllowUninstall:
			mark(&s.allowUninstallAll, &s.allowUninstall)
		}
	}
	s.sortTargets()
}

func (s *solver) readUpdateJob(j *Job, ids []ID) {
	whole := j.Select.kind == selectAll ||
		j.Select.kind == selectRepo && j.Select.repo == s.pool.installed && j.Flags&Targeted == 0
	switch {
	case whole:
		s.updateAll = true
		s.bestUpdateAll = s.bestUpdateAll || j.Flags&ForceBest != 0
		if j.Flags&CleanDeps != 0 {
			for _, id := range s.installed() {
				s.addCleanUpdate(id)
			}
		}
		return
	case j.Select.kind == selectRepo:
		if j.Select.repo == nil || s.opts.NoAutoTarget && j.Flags&Targeted == 0 {
			return
		}
		ids = j.Select.repo.IDs()
	case j.Flags&Targeted == 0:
		targeted := true
		for _, id := range ids {
			if s.isInstalled(id) {
				s.markBit(&s.updates, id)
				s.markUpdate(id, j.Flags)
				targeted = false
			}
		}
		if !targeted || s.opts.NoAutoTarget {
			return
		}
	}
	for _, id := range ids {
		s.addTarget(id, j.Flags)
	}
}

// markUpdate notes the flags of a job that updates the installed package id.
func (s *solver) markUpdate(id ID, f JobFlags) {
	if f&ForceBest != 0 {
		s.markBit(&s.bestMap, id)
	}
	if f&CleanDeps != 0 {
		s.addCleanUpdate(id)
	}
}

func (s *solver) addCleanUpdate(id ID) {
	if !slices.Contains(s.cleanUpdates, id) {
		s.cleanUpdates = append(s.cleanUpdates, id)
	}
}

// addTarget notes that installed packages which id replaces are to be updated to it.
func (s *solver) addTarget(id ID, f JobFlags) {
	p, sol := s.pool, &s.pool.sols[id]
	if s.targets == nil {
		s.targets = map[ID][]ID{}
	}
	add := func(old, new ID) { s.targets[old] = append(s.targets[old], new) }
	colors := p.flags.ImplicitObsoletesUseColors
	if s.isInstalled(id) {
		add(id, id)
		for _, o := range p.whatProvides(sol.name) {
			if s.isInstalled(o) && o != id && p.sols[o].name == sol.name && (!colors || p.sameColor(sol, &p.sols[o])) {
				add(o, id)
			}
		}
		return
	}
	var same ID
	var hit []ID
	for _, o := range p.whatProvides(sol.name) {
		os := &p.sols[o]
		if !s.isInstalled(o) || os.name != sol.name || colors && !p.sameColor(sol, os) {
			continue
		}
		s.markUpdate(o, f)
		hit = append(hit, o)
		if p.identical(sol, os) {
			same = o
		}
	}
	for _, d := range p.list(sol, depObsoletes) {
		for _, o := range p.whatProvides(d) {
			if s.isInstalled(o) && p.sols[o].name != sol.name && p.obsoletesBy(sol, d, &p.sols[o]) {
				s.markUpdate(o, f)
				hit = append(hit, o)
			}
		}
	}
	for _, o := range hit {
		add(o, id)
		if same != 0 { // the installed build is as good
			add(o, same)
		}
	}
}

func (s *solver) sortTargets() {
	for id, list := range s.targets {
		slices.Sort(list)
		s.targets[id] = slices.Compact(list)
		s.markBit(&s.updates, id)
	}
}

// jobClasses says which classes of jobs there are.
type jobClasses struct{ bestInstall, lock, favor, blacklist bool }

// addJobRules makes the rules of install, erase and lock jobs.
func (s *solver) addJobRules() (c jobClasses) {
	candidates := newBitmap(len(s.pool.sols)) // of install jobs
	for i := range s.jobs {
		if s.jobs[i].Action == Install {
			for _, id := range s.picked[i] {
				candidates.set(id)
			}
		}
	}
	for i := range s.jobs {
		j := &s.jobs[i]
		start := len(s.rules)
		switch j.Action {
		case Install:
			s.wantCleanDeps(j)
			if s.addInstallJob(i) && j.Flags&ForceBest != 0 {
				c.bestInstall = true
			}
		case Erase:
			s.wantCleanDeps(j)
			s.addEraseJob(i, candidates)
		case WeakenDeps:
			if j.Select.kind == selectPackage && len(s.picked[i]) > 0 {
				s.weaken(j.Select.ids[0])
			}
		case Lock:
			for _, id := range s.pool.Selected(j.Select) {
				if s.isInstalled(id) {
					s.addJobRule(i, id)
				} else {
					s.addJobRule(i, -id)
				}
			}
			c.lock = c.lock || len(s.rules) > start
		case Favor, Disfavor:
			c.favor = true
		case Blacklist:
			c.blacklist = true
		}
	}
	return c
}

func (s *solver) wantCleanDeps(j *Job) {
	if j.Flags&CleanDeps != 0 && s.cleanDeps == nil && s.pool.installed != nil {
		s.cleanDeps = newBitmap(len(s.pool.sols))
	}
}

func (s *solver) addJobRule(job int, p int32, rest ...int32) {
	n := s.addRule(p, rest...)
	s.jobOf = append(s.jobOf, int32(job))
	if s.jobs[job].Flags&Weak != 0 {
		s.weakQueue = append(s.weakQueue, n)
	}
}

// addInstallJob reports whether the job can have a best candidate.
func (s *solver) addInstallJob(i int) bool {
	sel := &s.jobs[i].Select
	byDep := sel.kind == selectName || sel.kind == selectProvides
	if byDep && s.pool.isRich(sel.dep) {
		return s.addRichJob(i, richMode{byName: sel.kind == selectName}, false)
	}
	ids := s.picked[i]
	if len(ids) == 0 {
		if sel.kind != selectOneOf {
			s.addJobRule(i, -System)
		}
		return true
	}
	if sel.kind == selectProvides && len(ids) == 1 && ids[0] == System && sel.dep.isRel() && s.pool.rel(sel.dep).op == OpNamespace {
		s.nsInstall = append(s.nsInstall, sel.dep)
	}
	s.addJobRule(i, ids[0], ids[1:]...)
	return true
}

func (s *solver) addRichJob(i int, m richMode, invert bool) bool {
	nf := s.pool.normalize(s.jobs[i].Select.dep, m)
	if invert {
		nf = nf.invert()
	}
	if nf.truth == 0 {
		s.addJobRule(i, -System)
	}
	for _, b := range nf.blocks {
		s.addJobRule(i, b[0], b[1:]...)
	}
	return nf.truth < 0
}

func (s *solver) addEraseJob(i int, candidates bitmap) {
	p, sel := s.pool, &s.jobs[i].Select
	if (sel.kind == selectName || sel.kind == selectProvides) && p.isRich(sel.dep) {
		s.addRichJob(i, richMode{disjunctive: true, byName: sel.kind == selectName}, true)
		return
	}
	start := len(s.rules)
	exact := sel.kind == selectPackage || sel.kind == selectName && sel.dep.isRel()
	var only ID // the one installed package that is to go
	for _, id := range p.Selected(*sel) {
		if s.isInstalled(id) && sel.kind != selectAll && sel.kind != selectRepo {
			exact = exact && only == 0
			only = id
		}
		s.addJobRule(i, -id)
	}
	if !exact || only == 0 {
		return
	}
	// to erase exactly one package means not to put another build in its place
	for _, id := range p.whatProvides(p.sols[only].name) {
		o := &p.sols[id]
		if o.name != p.sols[only].name || s.isInstalled(id) || candidates.has(id) {
			continue
		}
		if p.flags.ImplicitObsoletesUseColors && !p.sameColor(&p.sols[only], o) {
			continue
		}
		if !slices.ContainsFunc(s.rules[start:], func(r rule) bool { return r.p == -id }) {
			s.addJobRule(i, -id)
		}
	}
}

// weaken lets a package's requirements be broken.
func (s *solver) weaken(id ID) {
	for i := s.pkg.start; i < s.pkg.end; i++ {
		if r := &s.rules[i]; r.p == -id && !r.conflict() {
			s.weakQueue = append(s.weakQueue, i)
		}
	}
}

func (s *solver) setupFavor() {
	s.favor = make([]int32, len(s.pool.sols))
	for i := range s.jobs {
		v := int32(2*i + 1)
		switch s.jobs[i].Action {
		case Favor:
		case Disfavor:
			v = -v
		default:
			continue
		}
		ids := s.picked[i]
		if s.jobs[i].Select.kind == selectRepo {
			ids = s.pool.Selected(s.jobs[i].Select)
		}
		for _, id := range ids {
			s.favor[id] = v
			s.disfavored = s.disfavored || v < 0
		}
	}
}

func (s *solver) setupExcludeFromWeak() {
	for i := range s.jobs {
		if s.jobs[i].Action != ExcludeFromWeak {
			continue
		}
		ids := s.picked[i]
		if s.jobs[i].Select.kind == selectRepo {
			ids = s.pool.Selected(s.jobs[i].Select)
		}
		for _, id := range ids {
			s.markBit(&s.excludeFromWeak, id)
		}
	}
}
