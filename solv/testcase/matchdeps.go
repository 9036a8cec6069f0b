package testcase

import (
	"slices"
	"strings"

	"rpmostree/rpm/evr"
	"rpmostree/solv"
)

// listOf returns one of a package's dependency lists.
func listOf(k *solv.Package, key string) []solv.Dep {
	switch key {
	case "requires":
		return k.Requires
	case "provides":
		return k.Provides
	case "conflicts":
		return k.Conflicts
	case "obsoletes":
		return k.Obsoletes
	case "recommends":
		return k.Recommends
	case "suggests":
		return k.Suggests
	case "supplements":
		return k.Supplements
	case "enhances":
		return k.Enhances
	}
	return nil
}

// each selects the packages for which f holds, one by one.
func (s *selector) each(f func(id solv.ID) bool) selection {
	var sel selection
	for _, id := range s.all(func(id solv.ID) bool { return s.fits(id) && f(id) }) {
		if in := s.pool.Installed(); !s.flags["installedonly"] || in != nil && s.pool.Info(id).Repo == in {
			sel = append(sel, one(id))
		}
	}
	return s.flatten(sel)
}

// matchSolvable selects the packages with a dependency that another package meets.
func (s *selector) matchSolvable(key string, other solv.ID) selection {
	return s.each(func(id solv.ID) bool {
		k := s.pool.Package(id)
		return id != other && slices.ContainsFunc(listOf(&k, key), func(d solv.Dep) bool {
			return slices.Contains(s.pool.Providers(d.Ref), other)
		})
	})
}

// matchDeps selects the packages with a dependency that fits a pattern "NAME [OP EVR]" or a
// dependency.
func (s *selector) matchDeps(key, pattern string, dep solv.Ref) selection {
	var r evr.Range
	if i := strings.IndexAny(pattern, "<=>"); i > 0 && s.flags["rel"] && !s.flags["depstr"] {
		if have, ok := evr.ParseRange(pattern[i:]); ok {
			r, pattern = have, strings.TrimRight(pattern[:i], " \t")
		}
	}
	byPattern := s.flags["glob"] && strings.ContainsAny(pattern, "*?[") || s.flags["nocase"] || s.flags["depstr"]
	if pattern != "" && !byPattern {
		dep = s.pool.Intern(pattern)
		if r.Op != 0 {
			dep = s.pool.Relate(dep, solv.RelOp(r.Op), s.pool.Intern(r.EVR))
		}
	}
	return s.each(func(id solv.ID) bool {
		k := s.pool.Package(id)
		if key == "name" {
			return s.matchSelf(id, pattern, dep, r)
		}
		list := listOf(&k, key)
		if key == "provides" {
			list = s.withPaths(id, list)
		}
		return slices.ContainsFunc(list, func(d solv.Dep) bool {
			switch {
			case dep != 0 && s.flags["depstr"]:
				return d.Ref == dep
			case dep != 0:
				return s.pool.Overlaps(d.Ref, dep)
			case s.flags["depstr"]:
				return s.matches(pattern, s.pool.DepString(d.Ref))
			}
			return s.matchDep(d.Ref, pattern, r)
		})
	})
}

// withPaths adds those of a package's files that it provides because somebody asks for them.
func (s *selector) withPaths(id solv.ID, list []solv.Dep) []solv.Dep {
	files := s.pool.Package(id).Files
	if len(files) == 0 {
		return list
	}
	if s.asked == nil {
		s.asked = map[solv.Ref]bool{}
		for other := solv.ID(2); int(other) < s.pool.Len(); other++ {
			k := s.pool.Package(other)
			for _, key := range []string{"requires", "conflicts", "obsoletes", "recommends", "suggests", "supplements", "enhances"} {
				for _, d := range listOf(&k, key) {
					s.ask(d.Ref)
				}
			}
		}
	}
	for _, f := range files {
		if r := s.pool.Intern(f); s.asked[r] {
			list = append(list, solv.Dep{Ref: r})
		}
	}
	return list
}

// ask notes the names in a dependency.
func (s *selector) ask(d solv.Ref) {
	left, op, right, isRel := s.pool.Relation(d)
	if !isRel {
		s.asked[d] = true
		return
	}
	s.ask(left)
	if op >= 8 {
		s.ask(right)
	}
}

// matchSelf compares what a package is.
func (s *selector) matchSelf(id solv.ID, pattern string, dep solv.Ref, r evr.Range) bool {
	info := s.pool.Info(id)
	self := s.pool.Relate(s.pool.Intern(info.Name), solv.RelOp(evr.EQ), s.pool.Intern(info.EVR))
	switch {
	case dep != 0 && s.flags["depstr"]:
		return dep == self
	case dep != 0:
		return s.pool.Is(id, dep)
	case s.flags["depstr"]:
		return s.matches(pattern, info.Name+" = "+info.EVR)
	}
	return s.matchDep(self, pattern, r)
}

// matchDep compares any part of a dependency with a pattern.
func (s *selector) matchDep(d solv.Ref, pattern string, r evr.Range) bool {
	left, op, right, isRel := s.pool.Relation(d)
	switch {
	case !isRel:
		return s.matches(pattern, s.pool.Name(d))
	case op < 8:
		return s.matchDep(left, pattern, evr.Range{}) && (r.Op == 0 || evr.Intersects(evr.Op(op), s.pool.Name(right), r.Op, r.EVR))
	case op == solv.OpArch || op == solv.OpWithout:
		return s.matchDep(left, pattern, r)
	case op == solv.OpAnd || op == solv.OpOr || op == solv.OpWith:
		return s.matchDep(left, pattern, r) || s.matchDep(right, pattern, r)
	case op == solv.OpIf || op == solv.OpUnless:
		_, o, alt, _ := s.pool.Relation(right)
		return s.matchDep(left, pattern, r) || o == solv.OpElse && s.matchDep(alt, pattern, r)
	}
	// Other relations are looked at by what they are about; versions do not fit them.
	return r.Op == 0 && s.matchDep(left, pattern, r)
}
