package main

import (
	"fmt"
	"slices"
	"strings"

	"rpmostree/solv"
)

// sound checks the explanation of why a package cannot be installed: each rule of the proof has
// to follow from what the packages say, and all rules together must not be satisfiable.
func sound(p *solv.Pool, id solv.ID, pr solv.Problem) error {
	var clauses [][]int32
	for _, r := range pr.Proof {
		if !justified(p, id, r) {
			return fmt.Errorf("a rule of the proof follows from nothing: %v", r.Literals)
		}
		clauses = append(clauses, r.Literals)
	}
	if satisfiable(clauses, map[int32]bool{}) {
		return fmt.Errorf("the proof is no contradiction: %v", clauses)
	}
	return nil
}

// valid checks a set of packages with the wanted one among them: all that they require is there,
// and nothing that one of them excludes.
func valid(p *solv.Pool, id solv.ID, ids []solv.ID) error {
	in := map[solv.ID]bool{}
	for _, i := range ids {
		in[i] = true
	}
	if !in[id] {
		return fmt.Errorf("it is not in the solution")
	}
	for _, i := range ids {
		k := p.Package(i)
		for _, d := range k.Requires {
			if !strings.HasPrefix(d.Name, "rpmlib(") && !holds(p, d.Ref, in) {
				return fmt.Errorf("%s requires %s, which is not in the solution", p.String(i), p.DepString(d.Ref))
			}
		}
		for _, d := range k.Conflicts {
			if o := other(p, d.Ref, i, in); o != 0 && holds(p, d.Ref, in) {
				return fmt.Errorf("%s conflicts with %s", p.String(i), p.String(o))
			}
		}
		for _, d := range k.Obsoletes {
			if o := other(p, d.Ref, i, in); o != 0 && p.Is(o, d.Ref) {
				return fmt.Errorf("%s obsoletes %s", p.String(i), p.String(o))
			}
		}
		for _, o := range ids {
			a, b := p.Info(i), p.Info(o) // of different word sizes both may be there
			if o != i && a.Name == b.Name && (a.Arch == b.Arch || a.Arch == "noarch" || b.Arch == "noarch") {
				return fmt.Errorf("both %s and %s are in the solution", p.String(i), p.String(o))
			}
		}
	}
	return nil
}

// other returns a package besides id that provides a dependency, of those in a set.
func other(p *solv.Pool, d solv.Ref, id solv.ID, in map[solv.ID]bool) solv.ID {
	for _, o := range p.Providers(d) {
		if o != id && in[o] {
			return o
		}
	}
	return 0
}

// holds evaluates a dependency, rich or not, in a set of packages.
func holds(p *solv.Pool, d solv.Ref, in map[solv.ID]bool) bool {
	left, op, right, isRel := p.Relation(d)
	if isRel {
		cond, otherwise := right, solv.Ref(0)
		if l, o, r, is := p.Relation(right); is && o == solv.OpElse {
			cond, otherwise = l, r
		}
		switch op {
		case solv.OpAnd:
			return holds(p, left, in) && holds(p, right, in)
		case solv.OpOr:
			return holds(p, left, in) || holds(p, right, in)
		case solv.OpIf:
			if holds(p, cond, in) {
				return holds(p, left, in)
			}
			return otherwise == 0 || holds(p, otherwise, in)
		case solv.OpUnless:
			if !holds(p, cond, in) {
				return holds(p, left, in)
			}
			return otherwise != 0 && holds(p, otherwise, in)
		}
	}
	return slices.ContainsFunc(p.Providers(d), func(id solv.ID) bool { return in[id] || id == solv.System })
}

// justified reports that a rule is the request, or follows from a dependency, by the providers that
// the pool gives for it.
func justified(p *solv.Pool, id solv.ID, r solv.Rule) bool {
	switch r.Class {
	case solv.ReasonJob:
		return slices.Equal(r.Literals, []int32{id})
	case solv.ReasonInferiorArch:
		return betterArch(p, r.Literals)
	case solv.ReasonPackage:
	default:
		return false
	}
	var negative, positive []int32
	for _, l := range r.Literals {
		if l < 0 {
			negative = append(negative, -l)
		} else {
			positive = append(positive, l)
		}
	}
	slices.Sort(positive)
	return slices.ContainsFunc(negative, func(from int32) bool {
		return requires(p, from, negative, positive) || len(positive) == 0 && excludes(p, from, negative)
	})
}

// requires reports that a package requires one of exactly these.
func requires(p *solv.Pool, from int32, negative, positive []int32) bool {
	return slices.ContainsFunc(p.Package(from).Requires, func(d solv.Dep) bool {
		if len(d.Name) > 0 && d.Name[0] == '(' {
			return mentions(p, d, positive) // its form is checked by the solver's own tests
		}
		list := slices.Sorted(slices.Values(p.Providers(d.Ref)))
		return len(negative) == 1 && slices.Equal(list, positive)
	})
}

// mentions reports that a rich dependency is about all of these packages.
func mentions(p *solv.Pool, d solv.Dep, ids []int32) bool {
	parts := operands(p, d.Ref, nil)
	for _, id := range ids {
		if !slices.ContainsFunc(parts, func(r solv.Ref) bool { return slices.Contains(p.Providers(r), id) }) {
			return false
		}
	}
	return true
}

// operands appends the simple parts of a dependency.
func operands(p *solv.Pool, r solv.Ref, list []solv.Ref) []solv.Ref {
	left, op, right, isRel := p.Relation(r)
	if !isRel || op < 8 {
		return append(list, r)
	}
	return operands(p, right, operands(p, left, list))
}

// excludes reports that two packages cannot be installed together: by a conflict, because one
// obsoletes the other, or because they have the same name.
func excludes(p *solv.Pool, from int32, both []int32) bool {
	k := p.Package(from)
	for _, to := range both {
		if to == from {
			continue
		}
		other := p.Info(to)
		same := k.Name == other.Name
		conflict := slices.ContainsFunc(k.Conflicts, func(d solv.Dep) bool { return slices.Contains(p.Providers(d.Ref), to) })
		obsolete := slices.ContainsFunc(k.Obsoletes, func(d solv.Dep) bool { return p.Is(to, d.Ref) })
		if same || conflict || obsolete {
			return true
		}
	}
	return false
}

// betterArch reports that a rule forbids a package that exists for a better architecture too, or
// allows it only beside that of the same version.
func betterArch(p *solv.Pool, literals []int32) bool {
	k := p.Info(-literals[0])
	for _, l := range literals[1:] {
		if o := p.Info(l); l < 0 || o.Name != k.Name || o.EVR != k.EVR {
			return false
		}
	}
	return k.Arch == "i686" && slices.ContainsFunc(p.Providers(p.Intern(k.Name)), func(o solv.ID) bool {
		i := p.Info(o)
		return i.Name == k.Name && i.Arch == "x86_64"
	})
}

// satisfiable decides a small set of clauses by propagation and case distinction.
func satisfiable(clauses [][]int32, value map[int32]bool) bool {
	value = clone(value)
	var open []int32 // an undecided clause
	for again := true; again; {
		again, open = false, nil
		for _, c := range clauses {
			rest, holds := undecided(c, value)
			switch {
			case holds:
			case len(rest) == 0:
				return false
			case len(rest) == 1:
				value[abs(rest[0])] = rest[0] > 0
				again = true
			default:
				open = rest
			}
		}
	}
	if open == nil {
		return true
	}
	for _, yes := range []bool{true, false} {
		value[abs(open[0])] = yes
		if satisfiable(clauses, value) {
			return true
		}
	}
	return false
}

func undecided(clause []int32, value map[int32]bool) (rest []int32, holds bool) {
	for _, l := range clause {
		v, known := value[abs(l)]
		switch {
		case !known:
			rest = append(rest, l)
		case v == (l > 0):
			return nil, true
		}
	}
	return rest, false
}

func clone(m map[int32]bool) map[int32]bool {
	out := make(map[int32]bool, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

func abs(l int32) int32 {
	if l < 0 {
		return -l
	}
	return l
}
