package rpm

import (
	"errors"
	"fmt"
	"strings"

	"rpmostree/rpm/evr"
)

// MaxRichDepth limits how deep rich dependencies nest.
const MaxRichDepth = 64

// RichOp is the operator of a rich dependency.
type RichOp string

// Operators of rich dependencies (rpm's doc/manual/boolean_dependencies).
const (
	RichAnd     RichOp = "and"
	RichOr      RichOp = "or"
	RichIf      RichOp = "if"
	RichUnless  RichOp = "unless"
	RichWith    RichOp = "with"
	RichWithout RichOp = "without"

	// richElse alone is an operator only to RichNames.
	richElse RichOp = "else"
)

// Rich is a rich dependency: either a plain one, or an operator with operands.
type Rich struct {
	Dep      Dep    // if Op is ""
	Op       RichOp //
	Operands []Rich // of RichIf and RichUnless: what, condition, and what else if there is an "else"
}

// ParseRich reads a rich dependency such as "(foo >= 1 if (bar or baz) else qux)".
func ParseRich(s string) (Rich, error) {
	p := richParser{rest: s}
	r, err := p.group(0)
	if err == nil && p.rest != "" {
		err = fmt.Errorf("junk after rich dependency: %s", p.rest)
	}
	if err != nil {
		return Rich{}, fmt.Errorf("rich dependency %q: %w", s, err)
	}
	return r, nil
}

// String returns the dependency as rpm writes it.
func (r Rich) String() string {
	if r.Op == "" {
		return r.Dep.String()
	}
	var b strings.Builder
	b.WriteByte('(')
	for i, o := range r.Operands {
		switch {
		case i == 2 && (r.Op == RichIf || r.Op == RichUnless):
			b.WriteString(" else ")
		case i > 0:
			b.WriteString(" " + string(r.Op) + " ")
		}
		b.WriteString(o.String())
	}
	b.WriteByte(')')
	return b.String()
}

type richParser struct {
	rest  string
	loose bool // as rpm parses for its index: "else" needs no condition before it
}

func (p *richParser) group(depth int) (Rich, error) {
	rest, ok := strings.CutPrefix(p.rest, "(")
	if !ok {
		return Rich{}, errors.New("does not start with '('")
	}
	if depth == MaxRichDepth {
		return Rich{}, errors.New("nested too deep")
	}
	p.rest = rest
	var r Rich
	for {
		o, err := p.operand(depth)
		if err != nil {
			return Rich{}, err
		}
		r.Operands = append(r.Operands, o)
		p.space()
		if rest, ok := strings.CutPrefix(p.rest, ")"); ok {
			p.rest = rest
			if r.Op == "" && len(r.Operands) == 1 {
				return r.Operands[0], nil
			}
			return r, nil
		}
		if err := p.operator(&r); err != nil {
			return Rich{}, err
		}
	}
}

// operator reads what joins the next operand to those of r.
func (p *richParser) operator(r *Rich) error {
	word := p.word()
	conditional := r.Op == RichIf || r.Op == RichUnless
	switch op := RichOp(word); {
	case word == "":
		return errors.New("missing ')'")
	case op == richElse && conditional && len(r.Operands) == 2:
		return nil
	case op == richElse && r.Op == "" && p.loose:
		r.Op = op
		return nil
	case op == richElse:
		return errors.New("'else' without 'if' or 'unless'")
	case op != RichAnd && op != RichOr && op != RichIf && op != RichUnless && op != RichWith && op != RichWithout:
		return fmt.Errorf("unknown operator '%s'", word)
	case r.Op == "":
		r.Op = op
		return nil
	case op != r.Op || op != RichAnd && op != RichOr && op != RichWith:
		return errors.New("cannot chain different operators")
	}
	return nil
}

func (p *richParser) operand(depth int) (Rich, error) {
	p.space()
	if strings.HasPrefix(p.rest, "(") {
		return p.group(depth + 1)
	}
	name := p.word()
	if name == "" {
		return Rich{}, errors.New("name is missing")
	}
	d := Dep{Name: name}
	p.space()
	n := len(p.rest) - len(strings.TrimLeft(p.rest, "<>="))
	for _, c := range p.rest[:n] {
		switch c {
		case '<':
			d.Flags |= DepLess
		case '>':
			d.Flags |= DepGreater
		case '=':
			d.Flags |= DepEqual
		}
	}
	if p.rest = p.rest[n:]; n > 0 {
		p.space()
		if d.EVR = p.word(); d.EVR == "" {
			return Rich{}, errors.New("version is missing")
		}
	}
	return Rich{Dep: d}, nil
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

// Range returns the versions that d accepts or has.
func (d Dep) Range() evr.Range {
	var op evr.Op
	for _, s := range [...]struct {
		flag DepFlags
		op   evr.Op
	}{{DepLess, evr.LT}, {DepEqual, evr.EQ}, {DepGreater, evr.GT}} {
		if d.Flags&s.flag != 0 {
			op |= s.op
		}
	}
	return evr.Range{Op: op, EVR: d.EVR}
}

// MatchedBy reports whether the capability provided satisfies d: the names are
// equal and the versions overlap. Of a rich dependency it is only the whole that
// could match.
func (d Dep) MatchedBy(provided Dep) bool {
	return d.Name == provided.Name && evr.Overlap(provided.Range(), d.Range())
}
