package rpm

import (
	"slices"
	"strings"
)

// maxRichNames limits the names of a rich dependency: an "else" doubles those of
// its condition, so that nesting alone does not bound them.
const maxRichNames = 4096

// RichNames returns the keys under which rpm's database indexes the rich
// dependency dep besides dep itself: the names in it, sorted, those on the negated
// side of an "if" or "unless" marked by "!" and after the others. It returns nil
// if dep is malformed or too large; what follows its closing parenthesis is
// ignored. Names of an "else" follow its condition inverted.
func RichNames(dep string) []string {
	p := richParser{rest: dep, loose: true}
	r, err := p.group(0)
	if err != nil {
		return nil
	}
	var l richNames
	if !l.add(r) {
		return nil
	}
	l.compact(0)
	var out []string
	for _, n := range l.names {
		if n.negated {
			n.name = "!" + n.name
		}
		out = append(out, n.name)
	}
	return out
}

type richName struct {
	name    string
	negated bool
}

// richNames are the names of a dependency as far as it has been walked.
type richNames struct {
	names   []richName
	negated bool // whether the next name is on the negated side
}

// add adds the names of r. It returns false if they are too many.
func (l *richNames) add(r Rich) bool {
	if r.Op == "" {
		if !strings.HasPrefix(r.Dep.Name, "rpmlib(") {
			l.names = append(l.names, richName{r.Dep.Name, l.negated})
		}
		return true
	}
	conditional := r.Op == RichIf || r.Op == RichUnless
	condition := len(l.names) // where the names of the condition start
	for i, o := range r.Operands {
		switch {
		case i == 1 && conditional:
			condition, l.negated = len(l.names), !l.negated
		case i == 2 && conditional, i == 1 && r.Op == richElse:
			if 2*len(l.names)-condition > maxRichNames {
				return false
			}
			for _, n := range l.names[condition:] {
				l.names = append(l.names, richName{n.name, !n.negated})
			}
			l.compact(condition) // or nested ones would double the same names again and again
			l.negated = !l.negated
		}
		if !l.add(o) {
			return false
		}
	}
	if conditional && len(r.Operands) == 2 {
		l.negated = !l.negated
	}
	return true
}

// compact sorts the names from one on and removes those that are equal.
func (l *richNames) compact(from int) {
	tail := l.names[from:]
	slices.SortFunc(tail, func(a, b richName) int {
		if a.negated != b.negated {
			if b.negated {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	l.names = l.names[:from+len(slices.Compact(tail))]
}
