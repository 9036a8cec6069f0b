package solv

// Options choose policies. The zero value is libsolv's default.
type Options struct {
	AllowDowngrade    bool // installed packages may be downgraded without a request
	AllowArchChange   bool
	AllowVendorChange bool
	ForbidNameChange  bool // an installed package may not be updated by one that obsoletes it
	AllowUninstall    bool // installed packages may be erased to make the jobs possible

	DupForbidDowngrade    bool // the same for packages of a DistUpgrade job, where the default
	DupForbidArchChange   bool // is to allow all of it
	DupForbidVendorChange bool
	DupForbidNameChange   bool

	IgnoreRecommended        bool // install nothing for the sake of weak dependencies
	AddAlreadyRecommended    bool // also what installed packages recommend
	OnlyNamespaceRecommended bool
	StrongRecommends         bool // give up a recommended package only if there is no other way
	IgnoreInferiorArch       bool // packages of a worse architecture are as good as any
	BestObeyPolicy           bool // ForceBest accepts the best that policy allows
	NoAutoTarget             bool // Update of packages not installed is not Targeted
	KeepOrphans              bool // DistUpgrade keeps what is in no repository
	BreakOrphans             bool
	YumObsoletes             bool // packages that obsolete the same one come together
	SplitProvides            bool // "namespace:splitprovides(PKG with PATH)" holds if PKG, which has PATH, is updated
	LocaleOrder              bool // of several candidates, those for locales and kernels that are installed come first (urpmi)
	FocusInstalled           bool // keep installed packages current before looking at jobs
	FocusBest                bool // prefer the best packages to few changes
	FocusNew                 bool // as FocusBest, for newly needed packages
	NeedUpdateProvide        bool
	NoUpdateProvide          bool
	InstallAlsoUpdates       bool // Install jobs may update installed packages
	StrictRepoPriority       bool // a package hides its other builds in worse repositories
	KeepExplicitObsoletes    bool // multiversion packages obey their Obsoletes (the default,
	DropExplicitObsoletes    bool // unless PoolFlags.NoObsoletesMultiversion says otherwise)
	NoSolutions              bool // look for no ways out of problems
}

// LibdnfOptions are what libdnf's goals use when packages are to be installed.
func LibdnfOptions() Options {
	return Options{AllowDowngrade: true, AllowVendorChange: true, KeepOrphans: true, BestObeyPolicy: true, YumObsoletes: true}
}

// solver is the state of one Solve.
type solver struct {
	pool          *Pool
	opts          Options
	jobs          []Job
	picked        [][]ID // Pool.listed of each job
	keepObsoletes bool

	first, end ID // IDs of installed packages lie in [first, end)

	rules                                                                                  []rule
	lastPackageRule                                                                        int
	pkg, feature, update, job, infArch, dup, best, yumobs, black, recommends, prio, choice span
	bestUp                                                                                 int32 // best rules from here on are for updates
	learntStart                                                                            int32
	heads                                                                                  []int32 // by rule: its first literal; 0 = it never leaves a choice
	jobOf                                                                                  []int32 // job rule -> job
	bestOf                                                                                 []int32 // best rule -> installed package, or -job rule
	yumobsOf                                                                               []Ref
	recommendsOf                                                                           []int32
	choiceOf                                                                               []int32 // choice rule -> package rule
	weakRules                                                                              bitmap  // rules to give up silently
	weakQueue                                                                              []int32

	fixAll, updateAll, bestUpdateAll, dupAll, dropOrphanedAll, allowUninstallAll bool
	processOrphans                                                               bool
	fix, multi, updates, bestMap, dupMap, dupInvolved, noUpdate                  bitmap
	dropOrphaned, allowUninstall, cleanDeps, excludeFromWeak                     bitmap
	favor                                                                        []int32
	disfavored                                                                   bool
	obsoleters                                                                   map[ID][]ID // installed -> packages that obsolete it by another name
	special                                                                      map[ID][]ID // installed -> updaters to be used although they do not replace it
	targets                                                                      map[ID][]ID // installed -> what it may be updated to
	orphans                                                                      []ID
	brokenOrphans                                                                []int32
	cleanUpdates                                                                 []ID // installed packages updated with clean-up
	cleanMistakes                                                                []ID
	seen                                                                         bitmap // packages that have rules
	nsInstall                                                                    []Ref

	watch      []int32 // chain heads by literal + number of packages
	level      []int32 // by package: 0 undecided, >0 installed, <0 not; the value is the level
	decisions  []int32
	why        []int32 // per decision: rule; negative = chosen for that rule; 0 = chosen freely
	reasons    []DecisionReason
	propagated int
	assertions []int32
	branches   []branch
	learntWhy  []int32 // per learnt rule: where its proof starts in learntPool
	learntPool []int32 // proofs, each ended by 0
	resume     ID      // installed package at which to go on
	extraOrder bool

	problems []problem

	supplementing          bitmap // packages with supplements
	weakIndex              int    // decisions whose weak dependencies are in the maps; -1 = redo
	recommended, suggested bitmap
	recLater, sugLater     []laterDep
}

// DecisionReason is why the search decided something.
type DecisionReason uint8

// Decision reasons.
const (
	DecidedUnrelated DecisionReason = iota
	DecidedByRule
	DecidedKeep
	DecidedJob
	DecidedUpdate
	DecidedCleanDeps
	DecidedDependency
	DecidedWeak
	DecidedOrphan
)

// branch is a choice between several candidates. Those tried already are negative.
type branch struct {
	candidates []ID
	level      int32
	from       ID    // package whose recommends is resolved, 0 for a rule
	data       int32 // rule, or Ref of the recommends
}

// problem is a set of rules, one of which has to be given up. A number greater than zero is a
// rule, -n-1 all rules of job n.
type problem struct {
	proof int32
	elems []int32
}

func newSolver(p *Pool, jobs []Job, opts Options) *solver {
	p.prepare()
	s := &solver{pool: p, opts: opts, jobs: jobs, rules: make([]rule, 1), learntPool: make([]int32, 1)}
	s.keepObsoletes = opts.KeepExplicitObsoletes || !opts.DropExplicitObsoletes && !p.flags.NoObsoletesMultiversion
	if ids := s.installed(); len(ids) > 0 {
		s.first, s.end = ids[0], ids[len(ids)-1]+1
	}
	n := len(p.sols)
	s.level = make([]int32, n)
	s.recommended, s.suggested, s.noUpdate = newBitmap(n), newBitmap(n), newBitmap(n)
	s.seen = newBitmap(n)
	s.seen.set(System)
	s.picked = make([][]ID, len(jobs))
	for i := range jobs {
		s.picked[i] = p.listed(jobs[i].Select)
	}
	return s
}

// installed returns the installed packages in order.
func (s *solver) installed() []ID {
	if s.pool.installed == nil {
		return nil
	}
	return s.pool.installed.IDs()
}

func (s *solver) isInstalled(id ID) bool { return s.pool.isInstalled(id) }

// markBit sets a bit in a set that may not exist yet.
func (s *solver) markBit(b *bitmap, id ID) {
	if *b == nil {
		*b = newBitmap(len(s.pool.sols))
	}
	b.set(id)
}

// updateRule and featureRule return the rule that keeps an installed package or its update.
func (s *solver) updateRule(id ID) *rule  { return &s.rules[s.update.start+id-s.first] }
func (s *solver) featureRule(id ID) *rule { return &s.rules[s.feature.start+id-s.first] }

// keepRule returns the update rule, or the feature rule if there is none.
func (s *solver) keepRule(id ID) *rule {
	if r := s.updateRule(id); r.p != 0 {
		return r
	}
	return s.featureRule(id)
}

func (s *solver) wantsUpdate(id ID) bool { return s.updateAll || s.updates.has(id) }

func (s *solver) inDup(id ID) bool { return s.dupAll || s.dupInvolved.has(id) }

func (s *solver) dropsOrphan(id ID) bool { return s.dropOrphanedAll || s.dropOrphaned.has(id) }

// newRules runs add and returns the numbers of the rules that it added.
func (s *solver) newRules(add func()) span {
	start := int32(len(s.rules))
	if add != nil {
		add()
	}
	return span{start, int32(len(s.rules))}
}

// addRules makes all rules but learnt ones.
func (s *solver) addRules() {
	s.indexObsoletes()
	s.readInstalledJobs()
	s.addPackageRules()
	needDup := s.hasJob(DistUpgrade)
	if needDup {
		s.createDupMaps()
	}
	s.addUpdateRules()
	var c jobClasses
	s.job = s.newRules(func() { c = s.addJobRules() })
	if c.favor {
		s.setupFavor()
	}
	s.infArch = s.newRules(when(!s.opts.IgnoreInferiorArch, s.addInferiorArchRules))
	s.dup = s.newRules(when(s.dupAll || s.dupInvolved != nil, s.addDupRules))
	s.best = s.newRules(nil)
	s.bestUp = s.best.end
	if s.bestUpdateAll || s.bestMap != nil || c.bestInstall {
		s.best = s.newRules(func() { s.addBestRules(c.bestInstall, c.lock) })
	}
	if needDup {
		s.dupMap = nil
	}
	s.yumobs = s.newRules(when(s.opts.YumObsoletes, s.addYumObsoleteRules))
	s.black = s.newRules(when(c.blacklist, s.addBlackRules))
	s.setupExcludeFromWeak()
	s.recommends = s.newRules(when(s.disfavored && s.opts.StrongRecommends, s.addRecommendsRules))
	s.prio = s.newRules(when(s.opts.StrictRepoPriority, s.addRepoPriorityRules))
	s.choice = s.newRules(s.addChoiceRules)
	s.learntStart = int32(len(s.rules))
	s.markWeakRules()
	if s.cleanUpdates != nil && s.cleanDeps == nil {
		s.cleanDeps = newBitmap(len(s.pool.sols))
	}
}

func when(cond bool, f func()) func() {
	if cond {
		return f
	}
	return nil
}

func (s *solver) hasJob(a Action) bool {
	for i := range s.jobs {
		if s.jobs[i].Action == a {
			return true
		}
	}
	return false
}

func (s *solver) markWeakRules() {
	for i := range s.rules[:s.learntStart] {
		if s.rules[i].weak {
			s.weakQueue = append(s.weakQueue, int32(i))
		}
	}
	if len(s.weakQueue) == 0 {
		return
	}
	s.weakRules = newBitmap(len(s.rules))
	for _, i := range s.weakQueue {
		s.weakRules.set(i)
	}
}

// run solves until there is an answer or problems.
func (s *solver) run() {
	if s.addRules(); s.pool.err != nil {
		return
	}
	s.makeWatches()
	for i := int32(1); i < int32(len(s.rules)); i++ {
		if s.rules[i].asserts() {
			s.assertions = append(s.assertions, i)
		}
	}
	s.disablePolicyRules()
	if s.processOrphans && len(s.orphans) > 0 && s.opts.BreakOrphans {
		s.breakOrphans()
	}
	s.search(true, !s.opts.IgnoreRecommended)
}

// addPackageRules makes rules from the dependencies of installed packages, their updates, the
// packages that jobs install, and all that these could need.
func (s *solver) addPackageRules() {
	g := packageRules{s: s, seen: s.seen}
	g.emit = func(p int32, rest []int32, kind Reason, dep Ref) {
		n := len(s.rules)
		if n >= s.pool.limits.rules {
			s.pool.fail(&s.pool.sols[g.owner], dep, s.pool.limits.rules, "rules")
			return
		}
		s.addPackageRule(p, rest)
		if kind == ReasonRecommends && len(s.rules) > n {
			s.rules[n].weak = true
			s.lastPackageRule = 0
		}
	}
	for _, id := range s.installed() {
		g.addFor(id)
	}
	for _, id := range s.installed() {
		for _, u := range s.updatersOf(id, anyChange) {
			g.addFor(u)
		}
	}
	for i := range s.jobs {
		switch s.jobs[i].Action {
		case Install:
			for _, id := range s.picked[i] {
				g.addFor(id)
			}
		case DistUpgrade:
			if s.jobs[i].Select.kind == selectAll {
				s.processOrphans = true
			}
		}
	}
	g.addForWeak()
	s.unifyRules()
	s.pkg = span{1, int32(len(s.rules))}
}
