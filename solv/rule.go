package solv

import (
	"cmp"
	"slices"
)

// rule is a clause: at least one of its literals has to hold. A literal is a package (installed)
// or a negated package (not installed).
type rule struct {
	p      int32   // first literal; 0 = no rule (keeps numbers of update rules in step)
	w1, w2 int32   // watched literals; w2 == 0 = assertion, that is, only one literal
	n1, n2 int32   // next rules in the two watch chains
	rest   []int32 // other literals, shared with provider lists: never changed
	off    bool    // disabled
	weak   bool    // made from a recommends (strong recommends only)
}

// literals calls f for each literal until it returns false.
func (r *rule) each(f func(l int32) bool) bool {
	if r.p == 0 {
		return true
	}
	if !f(r.p) {
		return false
	}
	for _, l := range r.rest {
		if !f(l) {
			return false
		}
	}
	return true
}

func (r *rule) hasLiteral(l int32) bool {
	return r.p != 0 && (r.p == l || slices.Contains(r.rest, l))
}

// asserts reports that the rule has only one literal.
func (r *rule) asserts() bool { return r.p != 0 && len(r.rest) == 0 }

// negativeOnly reports a binary rule whose second literal is negative (a conflict) or an
// assertion with a negative package.
func (r *rule) conflict() bool { return len(r.rest) == 1 && r.rest[0] < 0 }

// span is a range of rule numbers of one class.
type span struct{ start, end int32 }

func (s span) has(i int32) bool { return i >= s.start && i < s.end }
func (s span) empty() bool      { return s.start == s.end }

// addRule appends a rule with literals p and rest. rest is kept, not copied.
func (s *solver) addRule(p int32, rest ...int32) int32 {
	r := rule{p: p, w1: p, rest: rest}
	if len(rest) == 1 && rest[0] == 0 {
		r.rest = nil
	}
	if len(r.rest) > 0 {
		r.w2 = r.rest[0]
	}
	s.rules = append(extend(s.rules, 1), r)
	return int32(len(s.rules) - 1)
}

// addPackageRule adds a rule made from dependencies. Rules that always hold are left out, and so
// is a repetition of the rule before.
func (s *solver) addPackageRule(p int32, rest []int32) {
	switch len(rest) {
	case 0:
	case 1:
		if p > rest[0] {
			p, rest = rest[0], []int32{p}
		}
		if p == -rest[0] {
			return
		}
	default:
		if slices.Contains(rest, -p) {
			return
		}
	}
	if len(s.rules) > 1 {
		last := &s.rules[len(s.rules)-1]
		if last.p == p && slices.Equal(last.rest, rest) && s.lastPackageRule == len(s.rules)-1 {
			return
		}
	}
	s.lastPackageRule = len(s.rules)
	s.addRule(p, rest...)
}

// compareRules is the order of package rules, which is the order in which the search meets them.
func compareRules(a, b *rule) int {
	if c := cmp.Compare(a.p, b.p); c != 0 {
		return c
	}
	shortA, shortB := len(a.rest) < 2, len(b.rest) < 2
	switch {
	case shortA && shortB:
		return cmp.Compare(at(a.rest, 0), at(b.rest, 0))
	case shortA:
		return cmp.Or(cmp.Compare(at(a.rest, 0), b.rest[0]), -1)
	case shortB:
		return cmp.Or(cmp.Compare(a.rest[0], at(b.rest, 0)), 1)
	}
	for i := range b.rest {
		if c := cmp.Compare(at(a.rest, i), b.rest[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(at(a.rest, len(b.rest)), 0)
}

func at(s []int32, i int) int32 {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// unifyRules sorts the package rules and removes duplicates.
func (s *solver) unifyRules() {
	rules := s.rules[1:]
	slices.SortFunc(rules, func(a, b rule) int { return compareRules(&a, &b) })
	n := 0
	for i := range rules {
		if n > 0 && compareRules(&rules[i], &rules[n-1]) == 0 {
			rules[n-1].weak = rules[n-1].weak && rules[i].weak
			continue
		}
		rules[n] = rules[i]
		n++
	}
	clear(rules[n:])
	s.rules = s.rules[:n+1]
}
