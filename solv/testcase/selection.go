package testcase

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rpmostree/rpm/evr"
	"rpmostree/solv"
)

// selFlags are the flags of libsolv's selection language.
type selFlags map[string]bool

// selection is what libsolv's selection language yields: a list of selections, each with flags
// that say what it fixes.
type selection []solv.Job

// selector makes selections.
type selector struct {
	pool  *solv.Pool
	flags selFlags
	asked map[solv.Ref]bool // names in dependencies; see withPaths
}

// setFlagsMask are the flags of a job that belong to its selection.
const setFlagsMask = solv.SetEV | solv.SetEVR | solv.SetArch | solv.SetVendor | solv.SetRepo | solv.SetName | solv.NoAutoSet

// selectionJob executes "job ACTION selection PATTERN FLAGS" and its relatives that match
// dependencies.
func (c *runner) selectionJob(job solv.Job, f []string) error {
	kind, key := f[0], ""
	f = f[1:]
	if kind != "selection" {
		if len(f) < 2 {
			return fmt.Errorf("%w: %s", errUsage, kind)
		}
		key, _ = strings.CutPrefix(f[0], "solvable:")
		if key == f[0] {
			key = "" // no list of a package
		}
		f = f[1:]
	}
	if len(f) < 2 {
		return fmt.Errorf("%w: selection without flags", errUsage)
	}
	s := selector{pool: c.pool, flags: selFlags{}}
	for _, name := range strings.Split(f[len(f)-1], ",") {
		s.flags[name] = true
	}
	arg := strings.Join(f[:len(f)-1], " ")
	var old selection
	if s.flags["add"] || s.flags["subtract"] || s.flags["filter"] {
		old = slices.Clone(c.cur.Jobs)
		for i := range old {
			old[i].Flags &= setFlagsMask
		}
		c.cur.Jobs = nil
	}
	var sel selection
	switch kind {
	case "selection":
		sel = s.make(arg)
	case "selection_matchdeps":
		sel = s.matchDeps(key, arg, 0)
	case "selection_matchdepid":
		sel = s.matchDeps(key, "", ParseDep(c.pool, arg))
	case "selection_matchsolvable":
		sel = s.matchSolvable(key, c.solvable(arg))
	default:
		return fmt.Errorf("%w: %s", errUsage, kind)
	}
	for _, j := range s.combine(old, sel) {
		j.Action = job.Action
		j.Flags |= job.Flags
		c.cur.Jobs = append(c.cur.Jobs, j)
	}
	return nil
}

// combine adds, subtracts or filters as the flags say.
func (s *selector) combine(old, sel selection) selection {
	keep := func(in bool) selection {
		set := map[solv.ID]bool{}
		for _, id := range s.packages(sel) {
			set[id] = true
		}
		var flags solv.JobFlags
		if len(sel) == 1 && in {
			flags = sel[0].Flags &^ solv.NoAutoSet
		}
		return s.restrict(old, func(id solv.ID) bool { return set[id] == in }, flags)
	}
	switch {
	case s.flags["add"]:
		return append(old, sel...)
	case s.flags["subtract"]:
		return keep(false)
	case s.flags["filter"]:
		return keep(true)
	}
	return sel
}

func one(id solv.ID) solv.Job {
	return solv.Job{Select: solv.SelectPackage(id), Flags: solv.NoAutoSet}
}

// list selects exactly the packages, keeping flags.
func list(ids []solv.ID, flags solv.JobFlags) solv.Job {
	if len(ids) == 1 {
		j := one(ids[0])
		j.Flags |= flags
		return j
	}
	return solv.Job{Select: solv.SelectOneOf(ids...), Flags: flags}
}

// packages returns all packages of a selection, ascending.
func (s *selector) packages(sel selection) (ids []solv.ID) {
	for _, j := range sel {
		ids = append(ids, s.pool.Selected(j.Select)...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// restrict leaves out packages; what is not touched keeps its form.
func (s *selector) restrict(sel selection, ok func(solv.ID) bool, flags solv.JobFlags) (out selection) {
	for _, j := range sel {
		ids := s.pool.Selected(j.Select)
		var rest []solv.ID
		for _, id := range ids {
			if ok(id) {
				rest = append(rest, id)
			}
		}
		switch {
		case len(rest) == 0:
		case len(rest) == len(ids):
			j.Flags |= flags
			out = append(out, j)
		default:
			out = append(out, list(rest, j.Flags|flags))
		}
	}
	return out
}

// make selects by pattern.
func (s *selector) make(pattern string) selection {
	var sel selection
	if s.flags["filelist"] {
		sel = s.files(pattern)
	}
	if len(sel) == 0 && s.flags["name"] {
		sel = s.relation(pattern, false)
	}
	if len(sel) == 0 && s.flags["provides"] {
		sel = s.relation(pattern, true)
	}
	if len(sel) == 0 && s.flags["canon"] {
		sel = s.canon(pattern)
	}
	if s.flags["installedonly"] {
		in := s.pool.Installed()
		sel = s.restrict(sel, func(id solv.ID) bool { return in != nil && s.pool.Info(id).Repo == in }, solv.SetRepo)
	}
	return s.flatten(sel)
}

func (s *selector) flatten(sel selection) selection {
	if !s.flags["flat"] || len(sel) < 2 {
		return sel
	}
	return selection{list(s.packages(sel), 0)}
}

// fits applies the flags about sources, excluded packages and architectures.
func (s *selector) fits(id solv.ID) bool {
	excluded, badArch, source := s.pool.Unusable(id)
	installed := s.pool.Installed() != nil && s.pool.Info(id).Repo == s.pool.Installed()
	if source {
		return (s.flags["sourceonly"] || s.flags["withsource"]) && (!excluded || s.flags["withdisabled"])
	}
	return !s.flags["sourceonly"] && (installed || (!excluded || s.flags["withdisabled"]) && (!badArch || s.flags["withbadarch"]))
}

// extra reports packages that are selected only because of a flag.
func (s *selector) extra(id solv.ID) bool {
	excluded, badArch, source := s.pool.Unusable(id)
	installed := s.pool.Installed() != nil && s.pool.Info(id).Repo == s.pool.Installed()
	return source && !s.flags["sourceonly"] || excluded || badArch && !source && !installed
}

func (s *selector) all(f func(solv.ID) bool) (ids []solv.ID) {
	for id := solv.ID(2); int(id) < s.pool.Len(); id++ {
		if f(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *selector) matches(pattern, text string) bool {
	if s.flags["nocase"] {
		pattern, text = strings.ToLower(pattern), strings.ToLower(text)
	}
	if s.flags["glob"] && strings.ContainsAny(pattern, "*?[") {
		return solv.Glob(pattern, text)
	}
	return pattern == text
}

// withExtra replaces a selection by name or provides by the packages themselves if flags add some
// that a dependency would not find.
func (s *selector) withExtra(j solv.Job) solv.Job {
	kind, dep, _, _ := j.Select.Parts()
	if kind != "name" && kind != "provides" || !s.flags["withsource"] && !s.flags["withdisabled"] && !s.flags["withbadarch"] {
		return j
	}
	found := false
	ids := s.all(func(id solv.ID) bool {
		ok := s.pool.Is(id, dep)
		if kind == "provides" {
			ok = slices.Contains(s.pool.Providers(dep), id) || s.extra(id) && slices.ContainsFunc(s.pool.Package(id).Provides, func(d solv.Dep) bool {
				return s.pool.Overlaps(d.Ref, dep)
			})
		}
		ok = ok && s.fits(id)
		found = found || ok && s.extra(id)
		return ok
	})
	if !found {
		return j
	}
	return list(ids, j.Flags)
}

// names returns what a pattern for names or capabilities selects.
func (s *selector) names(pattern string, provides bool) (sel selection) {
	add := func(d solv.Ref) {
		if provides {
			sel = append(sel, solv.Job{Select: solv.SelectProvides(d)})
			return
		}
		if s.flags["sourceonly"] {
			d = s.pool.Relate(d, solv.OpArch, s.pool.Intern("src"))
		}
		sel = append(sel, s.withExtra(solv.Job{Select: solv.SelectName(d)}))
	}
	if provides && s.flags["sourceonly"] {
		return nil
	}
	seen := map[string]bool{}
	for _, id := range s.all(s.fits) {
		caps := []string{s.pool.Info(id).Name}
		if provides {
			caps = s.capabilities(id)
		}
		for _, name := range caps {
			plain := name
			if s.flags["skipkind"] {
				plain = withoutKind(name)
			}
			seen[name] = seen[name] || s.matches(pattern, plain)
		}
	}
	if seen[pattern] && !s.flags["nocase"] {
		seen = map[string]bool{pattern: true}
	}
	maps.DeleteFunc(seen, func(_ string, hit bool) bool { return !hit })
	for _, name := range s.inOrder(seen, provides) {
		add(s.pool.Intern(name))
	}
	return s.prune(sel)
}

// withoutKind cuts off a prefix such as "patch:".
func withoutKind(name string) string {
	kind, rest, ok := strings.Cut(name, ":")
	if !ok || kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz") != "" {
		return name
	}
	return rest
}

func (s *selector) capabilities(id solv.ID) (names []string) {
	for _, d := range s.withPaths(id, s.pool.Package(id).Provides) {
		r := d.Ref
		for {
			left, _, _, isRel := s.pool.Relation(r)
			if !isRel {
				break
			}
			r = left
		}
		names = append(names, s.pool.Name(r))
	}
	return names
}

// inOrder sorts names by first use: as names of packages, or as interned strings.
func (s *selector) inOrder(set map[string]bool, provides bool) (names []string) {
	if provides {
		for name := range set {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int { return int(s.pool.Intern(a) - s.pool.Intern(b)) })
		return names
	}
	for id := solv.ID(2); int(id) < s.pool.Len(); id++ {
		if name := s.pool.Info(id).Name; set[name] && !slices.Contains(names, name) && s.fits(id) {
			names = append(names, name)
		}
	}
	return names
}

// prune leaves out selections of nothing. Provides of unusable packages are kept for withExtra.
func (s *selector) prune(sel selection) selection {
	return slices.DeleteFunc(sel, func(j solv.Job) bool {
		kind, _, _, _ := j.Select.Parts()
		later := kind == "provides" && (s.flags["withdisabled"] || s.flags["withbadarch"])
		return !later && len(s.pool.Selected(j.Select)) == 0
	})
}

// arch selects by "NAME" or "NAME.ARCH".
func (s *selector) arch(pattern string, provides bool) selection {
	if sel := s.names(pattern, provides); len(sel) > 0 || !s.flags["dotarch"] {
		return sel
	}
	i := strings.LastIndexByte(pattern, '.')
	if i < 0 || !s.knownArch(pattern[i+1:]) {
		return nil
	}
	arch := pattern[i+1:]
	if arch == "src" || arch == "nosrc" {
		s.flags["sourceonly"] = true
		defer delete(s.flags, "sourceonly")
	}
	return s.prune(s.relate(s.names(pattern[:i], provides), solv.OpArch, arch))
}

func (s *selector) knownArch(arch string) bool {
	if arch == "src" || arch == "nosrc" || arch == "noarch" {
		return true
	}
	return slices.ContainsFunc(s.all(func(id solv.ID) bool { _, bad, _ := s.pool.Unusable(id); return !bad }), func(id solv.ID) bool {
		return s.pool.Info(id).Arch == arch
	})
}

// relate narrows a selection to an architecture or a version.
func (s *selector) relate(sel selection, op solv.RelOp, right string) (out selection) {
	ref := s.pool.Intern(right)
	for _, j := range sel {
		kind, dep, ids, _ := j.Select.Parts()
		switch kind {
		case "pkg", "oneof":
			var rest []solv.ID
			for _, id := range ids {
				name := s.pool.Intern(s.pool.Info(id).Name)
				if s.pool.Is(id, s.pool.Relate(name, op, ref)) {
					rest = append(rest, id)
				}
			}
			if len(rest) < len(ids) {
				j = list(rest, j.Flags&^solv.NoAutoSet)
			}
		case "name", "provides":
			if left, o, a, _ := s.pool.Relation(dep); op == solv.OpArch && o == solv.OpArch && s.pool.Name(a) == "src" {
				dep = left
			}
			dep = s.pool.Relate(dep, op, ref)
			if kind == "name" {
				j.Select = solv.SelectName(dep)
			} else {
				j.Select = solv.SelectProvides(dep)
			}
		}
		switch {
		case op == solv.OpArch:
			j.Flags |= solv.SetArch
		case op == solv.RelOp(evr.EQ) && kind != "provides" && strings.Contains(right, "-"):
			j.Flags |= solv.SetEVR
		case op == solv.RelOp(evr.EQ) && kind != "provides":
			j.Flags |= solv.SetEV
		}
		out = append(out, j)
	}
	return out
}

// relation selects by "NAME[.ARCH] [OP EVR]".
func (s *selector) relation(pattern string, provides bool) selection {
	name, op, version := pattern, evr.Op(0), ""
	if i := strings.IndexAny(pattern, "<=>"); s.flags["rel"] && i > 0 {
		if r, ok := evr.ParseRange(pattern[i:]); ok {
			name, op, version = strings.TrimRight(pattern[:i], " \t"), r.Op, r.EVR
		}
	}
	sel := s.arch(name, provides)
	if op != 0 {
		sel = s.relate(sel, solv.RelOp(op), version)
	}
	if provides {
		for i := range sel {
			sel[i] = s.withExtra(sel[i])
		}
	}
	return slices.DeleteFunc(sel, func(j solv.Job) bool { return len(s.pool.Selected(j.Select)) == 0 })
}

// canon selects by NAME-VERSION[-RELEASE][.ARCH].
func (s *selector) canon(pattern string) selection {
	i := strings.LastIndexByte(pattern, '-')
	if i < 0 {
		return nil
	}
	arch, rest := "", pattern
	if k := strings.LastIndexByte(pattern, '.'); k > i && s.knownArch(pattern[k+1:]) {
		arch, rest = pattern[k+1:], pattern[:k]
	}
	if arch == "src" || arch == "nosrc" {
		s.flags["sourceonly"] = true
		defer delete(s.flags, "sourceonly")
	}
	sel := s.names(rest[:i], false)
	if len(sel) == 0 {
		if i = strings.LastIndexByte(rest[:i], '-'); i < 0 {
			return nil
		}
		sel = s.names(rest[:i], false)
	}
	if arch != "" {
		sel = s.prune(s.relate(sel, solv.OpArch, arch))
	}
	return s.version(sel, rest[i+1:])
}

// version narrows a selection to packages of a version, with or without a release. If it has no
// epoch, that of the packages is added; if they have several, they are listed.
func (s *selector) version(sel selection, version string) (out selection) {
	want := evr.Parse(version)
	if want.HasEpoch {
		return s.prune(s.relate(sel, solv.RelOp(evr.EQ), version))
	}
	for _, j := range sel {
		var ids []solv.ID
		epochs := map[uint32]bool{}
		for _, id := range s.pool.Selected(j.Select) {
			e := evr.Parse(s.pool.Info(id).EVR)
			plain := e
			plain.Epoch, plain.HasEpoch = 0, false
			if r := evr.MatchCompare(plain, want); r == 1 || r == -1 {
				continue
			}
			ids = append(ids, id)
			epochs[e.Epoch] = true
		}
		if len(epochs) > 1 {
			j.Select = solv.SelectOneOf(ids...)
			out = append(out, j)
			continue
		}
		full := version
		for epoch := range epochs {
			if epoch != 0 {
				full = fmt.Sprintf("%d:%s", epoch, version)
			}
		}
		out = append(out, s.prune(s.relate(selection{j}, solv.RelOp(evr.EQ), full))...)
	}
	return out
}

// files selects the owners of files. Without "flat" those of each path go together.
func (s *selector) files(pattern string) (sel selection) {
	if !strings.HasPrefix(pattern, "/") && !(s.flags["glob"] && strings.IndexAny(pattern, "*?[") == 0) {
		return nil
	}
	owners := map[string][]solv.ID{}
	var flat []solv.ID
	for _, id := range s.all(s.fits) {
		hit := false
		for _, f := range s.pool.Package(id).Files {
			if s.matches(pattern, f) {
				owners[f] = append(owners[f], id)
				hit = true
			}
		}
		if hit {
			flat = append(flat, id)
		}
	}
	if s.flags["flat"] && len(flat) > 0 {
		return selection{list(flat, 0)}
	}
	var paths []string
	for f := range owners {
		paths = append(paths, f)
	}
	slices.Sort(paths)
	for _, f := range paths {
		j := list(owners[f], 0)
		same := func(o solv.Job) bool {
			_, _, a, _ := o.Select.Parts()
			return slices.Equal(a, owners[f])
		}
		if !slices.ContainsFunc(sel, same) {
			sel = append(sel, j)
		}
	}
	return sel
}
