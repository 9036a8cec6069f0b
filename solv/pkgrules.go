package solv

import "slices"

// Reason is why a rule exists.
type Reason uint8

// Reasons. The order of the package reasons is the order in which one of them is chosen to
// stand for a rule that has several.
const (
	ReasonUnknown Reason = iota
	ReasonPackage
	ReasonNotInstallable
	ReasonNothingProvides
	ReasonRequires
	ReasonSelfConflict
	ReasonConflicts
	ReasonSameName
	ReasonObsoletes
	ReasonImplicitObsoletes
	ReasonInstalledObsoletes
	ReasonRecommends
	ReasonSupplements
	ReasonUpdate
	ReasonFeature
	ReasonJob
	ReasonJobNothingProvides
	ReasonJobUnknownPackage
	ReasonJobProvidedBySystem
	ReasonJobUnsupported
	ReasonDistUpgrade
	ReasonInferiorArch
	ReasonChoice
	ReasonLearnt
	ReasonBest
	ReasonYumObsoletes
	ReasonRecommendsRule
	ReasonBlacklist
	ReasonRepoPriority
)

// packageRules turns the dependencies of packages into rules. emit gets each rule as its first
// literal and the others, with the reason: kind, the other package (0 = none) and dependency.
type packageRules struct {
	s     *solver
	seen  bitmap // packages done; nil = do not follow dependencies
	queue []ID
	owner ID // the package whose dependencies are being looked at
	emit  func(p int32, rest []int32, kind Reason, dep Ref)
}

// addFor makes the rules of a package and of all packages it could pull in.
func (g *packageRules) addFor(id ID) {
	g.queue = append(g.queue[:0], id)
	for len(g.queue) > 0 && g.s.pool.err == nil {
		n := g.queue[0]
		g.queue = g.queue[1:]
		if g.seen != nil {
			if g.seen.has(n) {
				continue
			}
			g.seen.set(n)
		}
		g.one(n)
	}
}

// push queues packages whose rules are needed too.
func (g *packageRules) push(ids []ID) {
	if g.seen == nil {
		return
	}
	for _, id := range ids {
		if id > 0 && !g.seen.has(id) {
			g.queue = append(g.queue, id)
		}
	}
}

func (g *packageRules) one(n ID) {
	p, s := g.s.pool, &g.s.pool.sols[n]
	if s.repo == noRepo {
		return
	}
	g.owner = n
	// What is broken already is left alone in an installed package.
	keep := p.isInstalled(n) && !g.s.fixAll && !g.s.fix.has(n)
	source := p.isSource(s)
	if !keep && (source && p.excluded(n) || !source && !p.installable(n)) {
		g.emit(-n, nil, ReasonNotInstallable, 0)
	}
	g.requires(n, s, keep)
	if g.s.opts.StrongRecommends {
		g.recommends(n, s)
	}
	if source {
		return
	}
	g.conflicts(n, s, keep)
	if !p.isInstalled(n) || !p.flags.NoInstalledObsoletes {
		g.obsoletes(n, s, keep)
		if !p.isInstalled(n) || !keep {
			g.sameName(n, s)
		}
	}
	if g.seen == nil {
		return
	}
	g.lockStep(s)
	for _, kind := range [...]depKind{depRecommends, depSuggests} {
		for _, d := range p.list(s, kind) {
			if p.isRich(d) {
				g.push(p.positive(d))
			} else {
				g.push(p.whatProvides(d))
			}
		}
	}
}

func (g *packageRules) requires(n ID, s *solvable, keep bool) {
	p := g.s.pool
	for _, d := range p.list(s, depRequires) {
		if d == preMarker {
			continue
		}
		if p.isRich(d) {
			g.rich(n, d, ReasonRequires, keep)
			continue
		}
		list := p.whatProvides(d)
		if len(list) > 0 && list[0] == System {
			continue
		}
		if keep && !slices.ContainsFunc(list, p.isInstalled) {
			continue
		}
		switch {
		case len(list) == 0:
			g.emit(-n, nil, ReasonNothingProvides, d)
		case !slices.Contains(list, n):
			g.emit(-n, list, ReasonRequires, d)
			g.push(list)
		}
	}
}

func (g *packageRules) recommends(n ID, s *solvable) {
	p := g.s.pool
	for _, d := range p.list(s, depRecommends) {
		if p.isRich(d) {
			g.rich(n, d, ReasonRecommends, p.isInstalled(n) && !g.s.fixAll && !g.s.fix.has(n))
			continue
		}
		list := p.whatProvides(d)
		if len(list) == 0 || list[0] == System || slices.Contains(list, n) {
			continue
		}
		g.emit(-n, list, ReasonRecommends, d)
		g.push(list)
	}
}

// rich adds a rule for every block of a rich dependency.
func (g *packageRules) rich(n ID, d Ref, kind Reason, keep bool) {
	p := g.s.pool
	var nf normal
	if kind == ReasonConflicts {
		nf = p.normalize(d, richMode{disjunctive: true}).invert()
	} else {
		nf = p.normalize(d, richMode{})
	}
	if nf.truth == 0 && !keep {
		if kind == ReasonRequires {
			kind = ReasonNothingProvides
		}
		g.emit(-n, nil, kind, d)
	}
	if nf.truth >= 0 {
		return
	}
	for _, b := range nf.blocks {
		if keep && !slices.ContainsFunc(b, func(l int32) bool {
			return l > 0 && p.isInstalled(l) || l < 0 && !p.isInstalled(-l)
		}) {
			continue
		}
		g.block(n, b, d, kind)
	}
}

func (g *packageRules) block(n ID, b []int32, d Ref, kind Reason) {
	p := g.s.pool
	if len(b) == 1 && b[0] == -n {
		if kind != ReasonConflicts {
			g.emit(-n, nil, kind, d)
		} else if p.flags.ForbidSelfConflicts {
			g.emit(-n, nil, ReasonSelfConflict, d)
		}
		return
	}
	if slices.Contains(b, n) {
		return
	}
	g.push(b)
	if len(b) == 1 {
		g.emit(-n, b, kind, d)
		return
	}
	lits := mergeIDs(b, []int32{-n})
	g.emit(lits[0], lits[1:], kind, d)
}

func (g *packageRules) conflicts(n ID, s *solvable, keep bool) {
	p := g.s.pool
	for _, d := range p.list(s, depConflicts) {
		if p.isRich(d) {
			g.rich(n, d, ReasonConflicts, keep)
			continue
		}
		for _, other := range p.whatProvides(d) {
			switch {
			case keep && p.isInstalled(other):
			case other == n:
				if p.flags.ForbidSelfConflicts {
					g.emit(-n, nil, ReasonSelfConflict, d)
				}
			case other == System:
				g.emit(-n, nil, ReasonConflicts, d)
			default:
				g.emit(-n, []int32{-other}, ReasonConflicts, d)
			}
		}
	}
}

func (g *packageRules) obsoletes(n ID, s *solvable, keep bool) {
	p := g.s.pool
	if g.s.multi.has(n) && !g.s.keepObsoletes {
		return
	}
	installed := p.isInstalled(n)
	kind := ReasonObsoletes
	if installed {
		kind = ReasonInstalledObsoletes
	}
	for _, d := range p.list(s, depObsoletes) {
		for _, other := range p.whatProvides(d) {
			if other == n || installed && keep && p.isInstalled(other) || !p.obsoletesBy(s, d, &p.sols[other]) {
				continue
			}
			if other == System {
				g.emit(-n, nil, kind, d)
			} else {
				g.emit(-n, []int32{-other}, kind, d)
			}
		}
	}
}

// sameName forbids two packages of one name.
func (g *packageRules) sameName(n ID, s *solvable) {
	p := g.s.pool
	installed := p.isInstalled(n)
	multi := g.s.multi.has(n)
	for _, other := range p.whatProvides(s.name) {
		if other == n {
			continue
		}
		o := &p.sols[other]
		if installed && !p.isInstalled(other) {
			continue // found again from the other side
		}
		if multi && (s.name != o.name || s.evr != o.evr || s.arch != o.arch) {
			if installed || !p.isInstalled(other) || g.s.multi.has(other) {
				continue
			}
		}
		if !p.flags.ImplicitObsoletesUseProvides && s.name != o.name {
			continue
		}
		if p.flags.ImplicitObsoletesUseColors && !p.sameColor(s, o) {
			continue
		}
		if s.name != o.name {
			g.emit(-n, []int32{-other}, ReasonImplicitObsoletes, s.name)
			continue
		}
		if g.seen != nil && !p.isInstalled(other) && g.seen.has(other) && !p.isSource(o) && !g.s.multi.has(other) {
			continue // was added for the other package
		}
		g.emit(-n, []int32{-other}, ReasonSameName, 0)
	}
}

// lockStep follows to the packages of better architectures with the same version, which have to
// be updated together.
func (g *packageRules) lockStep(s *solvable) {
	p := g.s.pool
	rank := p.archRank(s.arch)
	if !p.flags.ImplicitObsoletesUseColors || rank <= 1 {
		return
	}
	for _, other := range p.whatProvides(s.name) {
		o := &p.sols[other]
		if s.name == o.name && s.evr == o.evr && !g.seen.has(other) {
			if r := p.archRank(o.arch); r > 1 && r < rank {
				g.queue = append(g.queue, other)
			}
		}
	}
}

// addForWeak follows to packages that supplement or enhance any package already followed.
func (g *packageRules) addForWeak() {
	p := g.s.pool
	// A round that adds nothing over the whole pool ends the search.
	i, unchanged := ID(1), 1
	for unchanged < len(p.sols) && p.err == nil {
		if int(i) == len(p.sols) {
			i = 1
		}
		if g.mayHelp(i) {
			g.addFor(i)
			unchanged = 0
		}
		i++
		unchanged++
	}
}

func (g *packageRules) mayHelp(id ID) bool {
	p, s := g.s.pool, &g.s.pool.sols[id]
	if g.seen.has(id) || s.repo == noRepo || s.has&(HasSupplements|HasEnhances) == 0 {
		return false
	}
	if !p.isInstalled(id) && !p.installable(id) {
		return false
	}
	possible := func(d Ref) bool { return g.possible(d) }
	return slices.ContainsFunc(p.list(s, depSupplements), possible) || slices.ContainsFunc(p.list(s, depEnhances), possible)
}

// possible reports that a dependency could come true with the packages followed so far.
func (g *packageRules) possible(d Ref) bool {
	p := g.s.pool
	if d.isRel() {
		switch r := p.rel(d); r.op {
		case OpNamespace:
			if p.isSplit(r) {
				return g.s.splitFrom(r.right, true)
			}
		case OpIf, OpUnless:
			return true
		case OpAnd:
			return g.possible(r.left) && g.possible(r.right)
		case OpOr:
			return g.possible(r.left) || g.possible(r.right)
		default:
			// Mostly nothing of that name is there, so that versions need not be compared.
			if r.op < 8 && !slices.ContainsFunc(p.whatProvides(r.left), g.seen.has) && !p.isRpmlib(p.baseName(r.left)) {
				return false
			}
		}
	}
	return slices.ContainsFunc(p.whatProvides(d), g.seen.has)
}
