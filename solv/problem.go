package solv

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Problem is a set of jobs and policies that cannot hold together.
type Problem struct {
	// Reason is the one cause that stands for the problem.
	Reason Cause
	// Causes are all facts that together make it impossible, Reason among them.
	Causes []Cause
	// Solutions are ways out, the least harmful first. Each is complete in itself.
	Solutions []Solution
	// Jobs are the jobs that take part, by index.
	Jobs []int
	// Proof are the rules behind Causes: no state of the system fulfils all of them.
	Proof []Rule
}

// Rule is a clause: one of its literals has to hold. A literal is a package that is installed or,
// negative, one that is not.
type Rule struct {
	Class    Reason
	Literals []int32
}

// Cause is one fact behind a problem.
type Cause struct {
	Kind Reason
	From ID  // the package that is concerned, if any
	To   ID  // the other package, if any
	Dep  Ref // the dependency, if any
	Job  int // index of the job that is concerned, -1 = none

	pool *Pool
	jobs []Job
}

// namer says how a package is called in a message.
type namer func(ID) string

// String words the cause as libsolv does.
func (c Cause) String() string { return c.text(c.pool.String) }

func (c Cause) text(name namer) string {
	p := c.pool
	dep := p.DepString(c.Dep)
	by := ""
	if c.To != 0 {
		by = " provided by " + name(c.To)
	}
	switch c.Kind {
	case ReasonDistUpgrade:
		return name(c.From) + " does not belong to a distupgrade repository"
	case ReasonInferiorArch:
		return name(c.From) + " has inferior architecture"
	case ReasonUpdate, ReasonFeature:
		return "problem with installed package " + name(c.From)
	case ReasonJob:
		return "conflicting requests"
	case ReasonJobUnsupported:
		return "unsupported request"
	case ReasonJobNothingProvides:
		return "nothing provides requested " + dep
	case ReasonJobUnknownPackage:
		return "package " + dep + " does not exist"
	case ReasonJobProvidedBySystem:
		return dep + " is provided by the system"
	case ReasonBest:
		if c.From != 0 {
			return "cannot install the best update candidate for package " + name(c.From)
		}
		return "cannot install the best candidate for the job"
	case ReasonNotInstallable:
		return "package " + name(c.From) + p.whyNotInstallable(c.From)
	case ReasonNothingProvides:
		return "nothing provides " + dep + " needed by " + name(c.From)
	case ReasonSameName:
		return "cannot install both " + name(c.From) + " and " + name(c.To)
	case ReasonConflicts:
		return "package " + name(c.From) + " conflicts with " + dep + by
	case ReasonObsoletes:
		return "package " + name(c.From) + " obsoletes " + dep + by
	case ReasonInstalledObsoletes:
		return "installed package " + name(c.From) + " obsoletes " + dep + by
	case ReasonImplicitObsoletes:
		return "package " + name(c.From) + " implicitly obsoletes " + dep + by
	case ReasonRequires:
		return "package " + name(c.From) + " requires " + dep + ", but none of the providers can be installed"
	case ReasonSelfConflict:
		return "package " + name(c.From) + " conflicts with " + dep + " provided by itself"
	case ReasonYumObsoletes:
		return "both package " + name(c.From) + " and " + name(c.To) + " obsolete " + dep
	case ReasonBlacklist:
		return "package " + name(c.From) + " can only be installed by a direct request"
	case ReasonRepoPriority:
		return "package " + name(c.From) + " is excluded by strict repo priority"
	case ReasonPackage:
		return "some dependency problem"
	}
	return "bad problem rule type"
}

func (p *Pool) whyNotInstallable(id ID) string {
	s := &p.sols[id]
	switch {
	case p.excluded(id):
		return " is disabled"
	case s.arch != 0 && !p.isSource(s) && p.badArch(s):
		return " does not have a compatible architecture"
	}
	return " is not installable"
}

// Fact words the cause as a fact instead of as a problem.
func (c Cause) Fact() string {
	p := c.pool
	switch c.Kind {
	case ReasonRequires:
		return p.String(c.From) + " requires " + p.DepString(c.Dep)
	case ReasonRecommends:
		return p.String(c.From) + " recommends " + p.DepString(c.Dep)
	case ReasonSupplements:
		return p.String(c.From) + " supplements " + p.DepString(c.Dep)
	case ReasonUpdate, ReasonFeature:
		return p.String(c.From) + " needs to stay installed or be updated"
	case ReasonJob:
		return "job " + p.jobString(&c.jobs[c.Job], 0)
	case ReasonBest:
		if c.From != 0 {
			return "install best update candidate for " + p.String(c.From)
		}
		return "best package for job " + p.jobString(&c.jobs[c.Job], 0)
	case ReasonLearnt:
		return "learnt rule"
	}
	return strings.TrimPrefix(c.String(), "package ")
}

// DnfString words the cause as libdnf does, with the repository of each package.
func (c Cause) DnfString() string {
	p := c.pool
	from := func(id ID) string {
		if s := &p.sols[id]; s.repo != noRepo {
			return p.String(id) + " from " + p.repoOf(s).name
		}
		return p.String(id)
	}
	switch c.Kind {
	case ReasonUpdate, ReasonBest, ReasonJobNothingProvides:
		return c.String()
	case ReasonNotInstallable:
		if p.excluded(c.From) {
			by := ""
			if p.exclusion != nil {
				by = p.exclusion(c.From)
			}
			return "package " + from(c.From) + " is filtered out by " + cmp.Or(by, "exclude") + " filtering"
		}
	case ReasonInstalledObsoletes:
		return "installed package " + p.String(c.From) + " obsoletes " + p.DepString(c.Dep) + " provided by " + from(c.To)
	case ReasonYumObsoletes:
		return "both package " + from(c.From) + " and " + from(c.To) + " obsolete " + p.DepString(c.Dep)
	}
	return c.text(from)
}

// Remedy is one step of a solution.
type Remedy struct {
	Kind RemedyKind
	Job  int // DropJob: index of the job
	ID   ID  // the package to erase, replace, keep or install
	New  ID  // ReplacePackage: by what
	// What policy has against ReplacePackage.
	Downgrade, ArchChange, VendorChange, NameChange bool

	pool *Pool
	jobs []Job
}

// RemedyKind is a kind of step in a solution.
type RemedyKind uint8

// Remedy kinds.
const (
	DropJob          RemedyKind = iota + 1
	ErasePackage                // allow ID to be erased
	ReplacePackage              // allow ID to be replaced by New
	AllowInferior               // keep or install ID despite its architecture
	AllowDistUpgrade            // keep or install ID although it is in no repository upgraded to
	AllowNotBest                // keep or install ID despite its version
	AllowBlacklisted
	AllowPriority
)

// Solution is a way out of a problem.
type Solution struct {
	Remedies []Remedy // all of them are needed
	Job      int      // the job that is given up; -1 if it is a policy:
	Rule     Rule     // which says this
}

// Text words a remedy, one line per objection, as libsolv does.
func (r Remedy) Text() []string {
	p := r.pool
	verb := "install "
	if r.ID != 0 && p.isInstalled(r.ID) {
		verb = "keep "
	}
	switch r.Kind {
	case DropJob:
		return []string{"do not ask to " + p.jobString(&r.jobs[r.Job], 0)}
	case ErasePackage:
		return []string{"allow deinstallation of " + p.String(r.ID)}
	case ReplacePackage:
		return r.replaceText()
	case AllowInferior:
		return []string{verb + p.String(r.ID) + " despite the inferior architecture"}
	case AllowDistUpgrade:
		if verb == "keep " {
			return []string{"keep obsolete " + p.String(r.ID)}
		}
		return []string{"install " + p.String(r.ID) + " from excluded repository"}
	case AllowNotBest:
		if verb == "keep " {
			return []string{"keep old " + p.String(r.ID)}
		}
		return []string{"install " + p.String(r.ID) + " despite the old version"}
	case AllowBlacklisted:
		return []string{"install " + p.String(r.ID)}
	case AllowPriority:
		return []string{"install " + p.String(r.ID) + " despite the repo priority"}
	}
	return nil
}

func (r Remedy) replaceText() (lines []string) {
	p := r.pool
	add := func(is bool, what string) {
		if is {
			lines = append(lines, "allow "+what+" of "+p.String(r.ID)+" to "+p.String(r.New))
		}
	}
	add(r.Downgrade, "downgrade")
	add(r.ArchChange, "architecture change")
	if r.VendorChange {
		vendor := func(id ID) string {
			if v := p.vendor(&p.sols[id]); v != 0 {
				return "'" + p.strs.get(v) + "' (" + p.String(id) + ")"
			}
			return "no vendor (" + p.String(id) + ")"
		}
		lines = append(lines, "allow vendor change from "+vendor(r.ID)+" to "+vendor(r.New))
	}
	add(r.NameChange, "name change")
	if len(lines) == 0 {
		lines = []string{"allow replacement of " + p.String(r.ID) + " with " + p.String(r.New)}
	}
	return lines
}

// Format words problems as rpm-ostree prints them: a line per problem, and one for each further
// cause.
func Format(problems []Problem) string {
	var b strings.Builder
	for i, pr := range problems {
		b.WriteString(" Problem")
		if len(problems) > 1 {
			b.WriteString(" " + strconv.Itoa(i+1))
		}
		b.WriteString(": " + strings.Join(pr.Lines(), "\n  - ") + "\n")
	}
	return b.String()
}

// Lines returns the distinct causes in libdnf's words.
func (pr *Problem) Lines() (lines []string) {
	for _, c := range pr.Causes {
		if t := c.DnfString(); !slices.Contains(lines, t) {
			lines = append(lines, t)
		}
	}
	return lines
}

// explain turns the problems found into what people can read.
func (s *solver) explain() []Problem {
	var out []Problem
	for i := range s.problems {
		var pr Problem
		seen := map[causeKey]bool{}
		for _, r := range s.proofRules(s.problems[i].proof) {
			pr.Proof = append(pr.Proof, s.publicRule(r))
			for _, c := range s.causes(r) {
				if !seen[key(c)] {
					seen[key(c)] = true
					pr.Causes = append(pr.Causes, c)
				}
			}
		}
		for _, v := range s.problems[i].elems {
			if v < 0 {
				pr.Jobs = append(pr.Jobs, int(-v-1))
			}
		}
		pr.Reason = s.cause(s.mainRule(s.problems[i].proof))
		if !s.opts.NoSolutions {
			pr.Solutions = s.solutions(s.problems[i].elems)
		}
		out = append(out, pr)
	}
	return out
}

// publicRule returns a rule for others to see.
func (s *solver) publicRule(i int32) Rule {
	r := Rule{Class: s.class(i)}
	s.rules[i].each(func(l int32) bool {
		if l != -System {
			r.Literals = append(r.Literals, l)
		}
		return true
	})
	if len(r.Literals) == 0 {
		r.Literals = []int32{-System}
	}
	return r
}

// class returns the class of a rule; of the package reasons only ReasonPackage.
func (s *solver) class(i int32) Reason {
	for _, c := range [...]struct {
		span span
		kind Reason
	}{
		{s.pkg, ReasonPackage}, {s.job, ReasonJob}, {s.update, ReasonUpdate}, {s.feature, ReasonFeature}, {s.dup, ReasonDistUpgrade},
		{s.infArch, ReasonInferiorArch}, {s.best, ReasonBest}, {s.yumobs, ReasonYumObsoletes}, {s.black, ReasonBlacklist},
		{s.choice, ReasonChoice}, {s.recommends, ReasonRecommendsRule}, {s.prio, ReasonRepoPriority},
	} {
		if c.span.has(i) {
			return c.kind
		}
	}
	return ReasonLearnt
}

type causeKey struct {
	kind     Reason
	from, to ID
	dep      Ref
	job      int
}

func key(c Cause) causeKey { return causeKey{c.Kind, c.From, c.To, c.Dep, c.Job} }

// proofRules returns the original rules of a proof.
func (s *solver) proofRules(proof int32) (rules []int32) {
	seen := newBitmap(len(s.rules))
	var walk func(at int32)
	walk = func(at int32) {
		for _, i := range s.proof(at) {
			if seen.has(i) {
				continue
			}
			seen.set(i)
			if i >= s.learntStart {
				walk(s.learntWhy[i-s.learntStart])
			} else {
				rules = append(rules, i)
			}
		}
	}
	walk(proof)
	return rules
}

// suspects are the rules of a proof that could stand for it, by class.
type suspects struct{ req, con, sys, job, black, prio int32 }

// mainRule chooses the rule that stands for a problem: something concrete about packages before
// policies and requests.
func (s *solver) mainRule(proof int32) int32 {
	var c suspects
	s.suspect(proof, &c, newBitmap(len(s.rules)))
	if c.req != 0 && c.con != 0 && s.pool.installed != nil && s.betterConflict(c.req, c.con) {
		return c.con
	}
	return cmp.Or(c.req, c.con, c.black, c.prio, c.sys, c.job)
}

// betterConflict reports that a requirement fails just because its provider conflicts with the
// requiring package.
func (s *solver) betterConflict(req, con int32) bool {
	r, c := &s.rules[req], &s.rules[con]
	if r.p >= 0 || c.p >= 0 || len(c.rest) != 1 {
		return false
	}
	a, b := -c.p, -c.rest[0]
	var other ID
	switch id := -r.p; {
	case id == a && s.isInstalled(b):
		other = b
	case id == b && s.isInstalled(a):
		other = a
	}
	return other != 0 && s.pool.sols[a].name != s.pool.sols[b].name && !s.isInstalled(-r.p) && r.hasLiteral(other)
}

func (s *solver) suspect(proof int32, c *suspects, seen bitmap) {
	var wanted ID // by a job
	for _, i := range s.proof(proof) {
		if r := &s.rules[i]; s.job.has(i) && len(r.rest) == 0 && r.p > 0 {
			wanted = r.p
			break
		}
	}
	var learnt suspects
	reqRank, conSet := 0, false
	set := func(p *int32, i int32) {
		if *p == 0 {
			*p = i
		}
	}
	for _, i := range s.proof(proof) {
		switch {
		case i >= s.learntStart:
			if !seen.has(i) {
				seen.set(i)
				s.suspect(s.learntWhy[i-s.learntStart], &learnt, seen)
			}
		case s.job.has(i), s.infArch.has(i), s.dup.has(i), s.best.has(i), s.yumobs.has(i):
			set(&c.job, i)
		case s.update.has(i):
			set(&c.sys, i)
		case s.black.has(i):
			set(&c.black, i)
		case s.prio.has(i):
			set(&c.prio, i)
		case i >= s.pkg.end:
		case s.rules[i].conflict():
			r := &s.rules[i]
			if s.pool.installed != nil && !conSet && r.p < 0 && (s.isInstalled(-r.p) || s.isInstalled(-r.rest[0])) {
				c.con, conSet = i, true
			}
			set(&c.con, i)
		default:
			s.suspectRequires(i, c, &reqRank, wanted)
		}
	}
	set(&c.req, learnt.req)
	set(&c.con, learnt.con)
	set(&c.job, learnt.job)
	set(&c.sys, learnt.sys)
	set(&c.black, learnt.black)
	set(&c.prio, learnt.prio)
}

// suspectRequires ranks rules about requirements: uninstallable packages, then requirements of
// what a job asks for, then those of installed packages.
func (s *solver) suspectRequires(i int32, c *suspects, rank *int, wanted ID) {
	r := &s.rules[i]
	switch {
	case len(r.rest) == 0 && *rank < 3:
		if c.req > 0 && r.p < -1 {
			p := s.pool
			old := -s.rules[c.req].p
			arch := p.sols[-r.p].arch
			if old > 1 && p.sols[old].arch != arch && p.strs.get(arch) != "noarch" {
				return // of another architecture: not likely meant
			}
		}
		c.req, *rank = i, 3
	case wanted != 0 && r.p == -wanted:
		c.req, *rank = i, 2
	case s.pool.installed != nil && r.p < 0 && s.isInstalled(-r.p) && *rank <= 1:
		c.req, *rank = i, 1
	case c.req == 0:
		c.req = i
	}
}

// causes returns all reasons for a rule.
func (s *solver) causes(i int32) []Cause {
	if i >= s.pkg.end {
		return []Cause{s.cause(i)}
	}
	list := s.packageCauses(i)
	slices.SortStableFunc(list, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Dep, b.Dep))
	})
	return slices.CompactFunc(list, func(a, b Cause) bool { return key(a) == key(b) })
}

func (s *solver) newCause(kind Reason, from, to ID, dep Ref) Cause {
	return Cause{Kind: kind, From: from, To: to, Dep: dep, Job: -1, pool: s.pool, jobs: s.jobs}
}

// cause returns the one reason that stands for a rule.
func (s *solver) cause(i int32) Cause {
	if i >= s.pkg.end {
		return s.policyCause(i)
	}
	r := &s.rules[i]
	best := s.newCause(ReasonPackage, max(-r.p, 0), 0, 0)
	for _, c := range s.packageCauses(i) {
		if best.Kind == ReasonPackage || c.Kind == ReasonSameName || best.Kind > c.Kind {
			best = c
			if c.Kind == ReasonSameName {
				break
			}
		}
	}
	return best
}

func (s *solver) policyCause(i int32) Cause {
	r := &s.rules[i]
	first := max(-r.p, 0)
	switch {
	case s.job.has(i):
		return s.jobCause(i)
	case s.update.has(i):
		return s.newCause(ReasonUpdate, s.first+i-s.update.start, 0, 0)
	case s.feature.has(i):
		return s.newCause(ReasonFeature, s.first+i-s.feature.start, 0, 0)
	case s.dup.has(i):
		return s.newCause(ReasonDistUpgrade, first, 0, s.pool.sols[first].name)
	case s.infArch.has(i):
		return s.newCause(ReasonInferiorArch, first, 0, s.pool.sols[first].name)
	case s.best.has(i):
		if of := s.bestOf[i-s.best.start]; of > 0 {
			return s.newCause(ReasonBest, of, 0, 0)
		} else {
			c := s.newCause(ReasonBest, 0, 0, 0)
			c.Job = int(s.jobOf[-of-s.job.start])
			return c
		}
	case s.yumobs.has(i):
		return s.newCause(ReasonYumObsoletes, first, r.rest[0], s.yumobsOf[i-s.yumobs.start])
	case s.black.has(i):
		return s.newCause(ReasonBlacklist, first, 0, 0)
	case s.prio.has(i):
		return s.newCause(ReasonRepoPriority, first, 0, 0)
	case s.choice.has(i):
		c := s.cause(s.choiceOf[i-s.choice.start])
		c.Kind = ReasonChoice
		return c
	case s.recommends.has(i):
		return s.newCause(ReasonRecommendsRule, first, 0, 0)
	case i >= s.learntStart:
		return s.newCause(ReasonLearnt, 0, 0, 0)
	}
	return s.newCause(ReasonUnknown, 0, 0, 0)
}

func (s *solver) jobCause(i int32) Cause {
	c := s.newCause(ReasonJob, 0, 0, 0)
	c.Job = int(s.jobOf[i-s.job.start])
	j := &s.jobs[c.Job]
	c.Dep = j.Select.dep
	if r := &s.rules[i]; len(r.rest) > 0 || r.p != -System {
		return c
	}
	switch {
	case j.Action == Install && j.Select.kind == selectName:
		c.Kind = ReasonJobUnknownPackage
	case j.Action == Install && j.Select.kind == selectProvides:
		c.Kind = ReasonJobNothingProvides
	case j.Action == Erase && (j.Select.kind == selectName || j.Select.kind == selectProvides):
		c.Kind = ReasonJobProvidedBySystem
	default:
		c.Kind = ReasonJobUnsupported
	}
	return c
}

// packageCauses makes the rules of the packages involved again, to see which dependencies lead
// to the given one.
func (s *solver) packageCauses(i int32) (list []Cause) {
	want := &s.rules[i]
	if want.p >= 0 {
		return nil
	}
	g := packageRules{s: s}
	g.emit = func(p int32, rest []int32, kind Reason, dep Ref) {
		from, to, ok := s.sameRule(want, p, rest, kind)
		if !ok {
			return
		}
		if from == 0 || len(rest) > 1 {
			from = g.owner
		}
		list = append(list, s.newCause(kind, from, to, dep))
	}
	want.each(func(l int32) bool {
		if l < 0 {
			g.addFor(-l)
		}
		return l < 0
	})
	return list
}

// sameRule compares a rule just made from a dependency with an existing one.
func (s *solver) sameRule(want *rule, p int32, rest []int32, kind Reason) (from, to ID, ok bool) {
	if len(rest) > 1 {
		if p != want.p && len(want.rest) < 2 || !slices.Equal(rest, want.rest) {
			return 0, 0, false
		}
		if kind == ReasonConflicts && rest[0] < 0 && rest[1] >= 0 {
			to = -rest[0]
		}
		return 0, to, true
	}
	a, b := p, at(rest, 0)
	if b != 0 && a > b {
		a, b = b, a
	}
	if want.p != a || at(want.rest, 0) != b || len(want.rest) > 1 {
		return 0, 0, false
	}
	other := at(rest, 0)
	if kind == ReasonConflicts && other == 0 {
		other = -System
	}
	if kind == ReasonSameName {
		p, other = a, b
	}
	return max(-p, 0), max(-other, 0), true
}
