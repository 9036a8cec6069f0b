package rpmdb

import (
	"slices"
	"strings"
)

// Limits of a rich dependency: an "else" doubles the names of its condition, so
// that nesting alone does not bound them.
const (
	maxRichDepth = 64
	maxRichNames = 4096
)

// richNames returns the keys under which rpm indexes the rich dependency dep
// besides dep itself: the names in it, sorted, those on the negated side of an
// "if" or "unless" marked by "!" and after the others. It returns nil if dep is
// malformed or too large; what follows its closing parenthesis is ignored.
// Names of an "else" follow its condition inverted.
func richNames(dep string) []string {
	p := richParser{rest: dep}
	if !p.group(0) {
		return nil
	}
	slices.SortFunc(p.names, func(a, b richName) int {
		if a.negated != b.negated {
			if b.negated {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	var out []string
	for _, n := range slices.Compact(p.names) {
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

type richParser struct {
	rest    string
	names   []richName
	negated bool
}

// group parses "(" operand { operator operand } ")".
func (p *richParser) group(depth int) bool {
	rest, ok := strings.CutPrefix(p.rest, "(")
	if !ok || depth == maxRichDepth {
		return false
	}
	p.rest = rest
	chain := ""               // the operator before
	condition := len(p.names) // where the names of the condition start
	for {
		p.space()
		if strings.HasPrefix(p.rest, "(") {
			if !p.group(depth + 1) {
				return false
			}
		} else if !p.simple() {
			return false
		}
		p.space()
		if rest, ok := strings.CutPrefix(p.rest, ")"); ok {
			p.rest = rest
			if chain == "if" || chain == "unless" {
				p.negated = !p.negated
			}
			return true
		}
		op := p.word()
		if op == "else" && (chain == "if" || chain == "unless") {
			chain = ""
		}
		// Only these may be repeated, and not mixed.
		if chain != "" && (op != chain || op != "and" && op != "or" && op != "with") {
			return false
		}
		chain = op
		switch op {
		case "and", "or", "with", "without":
		case "if", "unless":
			condition, p.negated = len(p.names), !p.negated
		case "else":
			if 2*len(p.names)-condition > maxRichNames {
				return false
			}
			for _, n := range p.names[condition:] {
				p.names = append(p.names, richName{n.name, !n.negated})
			}
			p.negated = !p.negated
		default:
			return false
		}
	}
}

// simple parses a name with an optional version.
func (p *richParser) simple() bool {
	name := p.word()
	if name == "" {
		return false
	}
	if !strings.HasPrefix(name, "rpmlib(") {
		p.names = append(p.names, richName{name, p.negated})
	}
	p.space()
	if n := len(p.rest) - len(strings.TrimLeft(p.rest, "<>=")); n > 0 {
		p.rest = p.rest[n:]
		p.space()
		return p.word() != ""
	}
	return true
}

// word takes the text up to white space or the parenthesis that ends the group.
func (p *richParser) word() string {
	depth, i := 0, 0
scan:
	for ; i < len(p.rest); i++ {
		switch p.rest[i] {
		case ' ', '\t', '\n', '\r', ',':
			break scan
		case '(':
			depth++
		case ')':
			if depth == 0 {
				break scan
			}
			depth--
		}
	}
	w := p.rest[:i]
	p.rest = p.rest[i:]
	return w
}

func (p *richParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n\r,") }
