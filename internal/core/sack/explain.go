package sack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rpmostree/solv"
)

// An Asked is a job with the request that it was made for.
type Asked struct {
	solv.Job
	Request string // as the user has written it; "" for what follows from policy
}

// An Explanation says why requests cannot be met together, and what would help.
type Explanation struct {
	Problems []Problem `json:"problems"`
	Plans    []Plan    `json:"plans,omitempty"`
}

// A Problem is one reason why requests cannot be met.
type Problem struct {
	// Blocked are the requests that cannot be met because of it.
	Blocked []string `json:"blocked,omitempty"`
	// Lines are all facts of the proof, in libdnf's words.
	Lines []string `json:"lines"`
	// Because leads from a requested package to the cause, a fact each.
	Because []string `json:"because,omitempty"`
}

// Error words the problems as rpm-ostree does.
func (e *Explanation) Error() string {
	s := "s"
	if len(e.Problems) == 1 {
		s = ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Could not depsolve transaction; %d problem%s detected:", len(e.Problems), s)
	for i, p := range e.Problems {
		number := ""
		if len(e.Problems) > 1 {
			number = fmt.Sprintf(" %d", i+1)
		}
		fmt.Fprintf(&b, "\n Problem%s: %s", number, strings.Join(p.Lines, "\n  - "))
	}
	return b.String()
}

// Advice says in few words what is blocked, why, and what would help. It ends in a newline unless
// there is nothing to say.
func (e *Explanation) Advice() string {
	var b strings.Builder
	for _, p := range e.Problems {
		if len(p.Blocked) == 0 || len(p.Because) == 0 {
			continue
		}
		fmt.Fprintf(&b, "Blocked: %s (requested)\n", strings.Join(p.Blocked, ", "))
		for _, line := range p.Because {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	for _, p := range e.Plans {
		fmt.Fprintf(&b, "Works %s\n", p)
	}
	return b.String()
}

// Explain describes problems of jobs, and tries what would solve them.
func (s *Sack) Explain(jobs []Asked, opts solv.Options, problems []solv.Problem) *Explanation {
	e := &Explanation{}
	for i := range problems {
		pr := &problems[i]
		slices.Sort(pr.Jobs)
		p := Problem{Lines: pr.Lines()}
		for _, j := range pr.Jobs {
			if r := jobs[j].Request; r != "" && !slices.Contains(p.Blocked, r) {
				p.Blocked = append(p.Blocked, r)
			}
		}
		t := trail{sack: s, causes: causesOf(pr), done: map[solv.ID]bool{}}
		for _, j := range pr.Jobs {
			if jobs[j].Request != "" && jobs[j].Action == solv.Install {
				t.start(s.Pool.Selected(jobs[j].Select))
			}
		}
		p.Because = t.lines
		e.Problems = append(e.Problems, p)
	}
	e.Plans = s.tryPlans(jobs, opts, problems)
	return e
}

// causesOf sorts the causes of a problem by the package that has them. What forbids two packages
// side by side belongs to both.
func causesOf(pr *solv.Problem) map[solv.ID][]solv.Cause {
	m := map[solv.ID][]solv.Cause{}
	for _, c := range pr.Causes {
		if c.From != 0 {
			m[c.From] = append(m[c.From], c)
		}
		if c.To != 0 && excludes(c.Kind) {
			m[c.To] = append(m[c.To], c)
		}
	}
	return m
}

// excludes reports that a cause forbids two packages to be installed together.
func excludes(k solv.Reason) bool {
	switch k {
	case solv.ReasonConflicts, solv.ReasonSameName, solv.ReasonObsoletes, solv.ReasonImplicitObsoletes, solv.ReasonInstalledObsoletes,
		solv.ReasonYumObsoletes:
		return true
	}
	return false
}

// maxLines is how much of the way to a cause is told.
const maxLines = 12

// A trail is the way from a requested package to what makes it impossible.
type trail struct {
	sack   *Sack
	causes map[solv.ID][]solv.Cause
	done   map[solv.ID]bool
	lines  []string
}

// start follows the newest of the packages that would meet a request. Those that are hidden or of
// another architecture are followed only if there are no others.
func (t *trail) start(ids []solv.ID) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id solv.ID) bool { return len(t.causes[id]) == 0 })
	if len(ids) == 0 {
		return
	}
	open := slices.DeleteFunc(slices.Clone(ids), func(id solv.ID) bool {
		return slices.ContainsFunc(t.causes[id], func(c solv.Cause) bool { return c.Kind == solv.ReasonNotInstallable })
	})
	if len(open) == 0 {
		open = ids
	}
	t.follow(t.newest(open))
	if n := len(ids) - 1; n > 0 && len(t.lines) < maxLines {
		t.lines = append(t.lines, fmt.Sprintf("%d other package%s that would do cannot be installed either", n, plural(n)))
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// newest returns the newest of the packages of the first name, of the system's architecture if it can be.
func (t *trail) newest(ids []solv.ID) solv.ID {
	native := func(id solv.ID) int {
		if t.sack.Pool.Info(id).Arch == t.sack.arch {
			return 1
		}
		return 0
	}
	return slices.MaxFunc(ids, func(a, b solv.ID) int {
		return cmp.Or(strings.Compare(t.sack.Pool.Info(b).Name, t.sack.Pool.Info(a).Name), t.sack.Pool.Compare(a, b), native(a)-native(b), int(b-a))
	})
}

// name is how a package is called here: with where it is from.
func (s *Sack) name(id solv.ID) string {
	src := s.Source(id)
	switch {
	case src.Installed != nil:
		return "base package " + s.Pool.String(id)
	case src.Local != nil && src.Repo == "":
		return s.Pool.String(id) + " (local)"
	case src.Repo != "":
		return s.Pool.String(id) + " from " + src.Repo
	}
	return s.Pool.String(id)
}

// follow tells why a package cannot be installed: what is final if there is such a cause, else the
// first requirement all of whose providers cannot be installed either.
func (t *trail) follow(id solv.ID) {
	if t.done[id] || len(t.lines) >= maxLines {
		return
	}
	t.done[id] = true
	if t.missing(id) || t.beside(id) {
		return
	}
	for _, c := range t.causes[id] {
		if c.Kind != solv.ReasonRequires || c.From != id {
			continue
		}
		t.requires(id, c)
		return
	}
	for _, c := range t.causes[id] {
		t.add(c.DnfString())
		return
	}
}

func (t *trail) add(line string) {
	if !slices.Contains(t.lines, line) {
		t.lines = append(t.lines, line)
	}
}

// missing tells of all that nothing provides, in one line.
func (t *trail) missing(id solv.ID) bool {
	var deps []string
	for _, c := range t.causes[id] {
		switch {
		case c.Kind == solv.ReasonNothingProvides && c.From == id:
			deps = append(deps, t.sack.Pool.DepString(c.Dep))
		case c.Kind == solv.ReasonNotInstallable && c.From == id:
			t.add(c.DnfString())
			return true
		}
	}
	if len(deps) == 0 {
		return false
	}
	t.add(t.sack.name(id) + " needs " + list(deps) + ", which nothing provides")
	return true
}

// list joins words: "a, b and c"; a long list is cut short.
func list(words []string) string {
	const most = 4
	if n := len(words); n > most {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %d more", n-most)
	} else if n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// beside tells of a package that stands in the way and stays as it is.
func (t *trail) beside(id solv.ID) bool {
	for _, c := range t.causes[id] {
		if !excludes(c.Kind) {
			continue
		}
		other := c.To
		if other == id {
			other = c.From
		}
		if t.sack.Source(other).Installed == nil && len(t.causes[other]) > 1 && !t.done[other] {
			continue // not settled yet
		}
		switch c.Kind {
		case solv.ReasonSameName:
			const beside = " cannot be installed beside "
			if !slices.Contains(t.lines, t.sack.name(other)+beside+t.sack.name(id)) {
				t.add(t.sack.name(id) + beside + t.sack.name(other))
			}
		case solv.ReasonConflicts:
			t.add(t.sack.name(c.From) + " conflicts with " + t.sack.name(c.To))
		default:
			t.add(t.sack.name(c.From) + " obsoletes " + t.sack.name(c.To))
		}
		return true
	}
	return false
}

// isa returns the end of a name that is an architecture, such as "(x86-64)".
func isa(name string) string {
	if i := strings.IndexByte(name, '('); i > 0 && strings.HasSuffix(name, ")") {
		return name[i:]
	}
	return ""
}

// requires tells of a requirement, with the others of the package that need the same packages, and
// goes on with the newest of the providers.
func (t *trail) requires(id solv.ID, first solv.Cause) {
	p := t.sack.Pool
	names := func(d solv.Ref) (names []string) {
		for _, o := range p.Providers(d) {
			if n := p.Info(o).Name; !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
		return names
	}
	owners := names(first.Dep)
	var deps []string
	for _, c := range t.causes[id] {
		if c.Kind == solv.ReasonRequires && c.From == id && slices.Equal(names(c.Dep), owners) {
			deps = append(deps, p.DepString(c.Dep))
		}
	}
	line := t.sack.name(id) + " requires " + list(deps)
	if name, _, _ := strings.Cut(deps[0], " "); len(owners) > 0 && strings.TrimSuffix(name, isa(name)) != owners[0] {
		verb := "is"
		if len(deps) > 1 {
			verb = "are"
		}
		line += ", which " + verb + " in " + list(owners)
	}
	t.add(line)
	next := slices.DeleteFunc(slices.Clone(p.Providers(first.Dep)), func(o solv.ID) bool { return len(t.causes[o]) == 0 })
	open := slices.DeleteFunc(slices.Clone(next), func(o solv.ID) bool { return t.done[o] })
	if len(open) > 0 {
		t.follow(t.newest(open))
	}
}
