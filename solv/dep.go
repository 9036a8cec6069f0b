package solv

import (
	"errors"
	"fmt"
	"strings"

	"rpmostree/rpm/evr"
)

// Ref is an interned dependency of a Pool: a plain name, or a relation between two Refs. The
// zero Ref is "no dependency". Refs of different pools must not be mixed.
type Ref int32

const (
	relBit   Ref = 1 << 30
	refEmpty Ref = 1
)

func (r Ref) isRel() bool { return r&relBit != 0 }

// RelOp says how the two sides of a relation belong together.
type RelOp uint8

// Relations between dependencies. Values up to 7 are the comparisons of evr.Op.
const (
	OpAnd       RelOp = iota + 16 // both
	OpOr                          // either
	OpWith                        // one package that provides both
	OpWithout                     // a package that provides the left but not the right side
	OpIf                          // the left side, if the right side holds
	OpUnless                      // the left side, unless the right side holds
	OpElse                        // right operand of OpIf and OpUnless: condition, alternative
	OpArch                        // a package of an architecture
	OpNamespace                   // answered by the caller (Pool.SetNamespace)
	OpMultiarch
	OpKind
	OpCompat
	OpFileConflict
	OpError
)

func (o RelOp) boolean() bool {
	return o == OpAnd || o == OpOr || o == OpIf || o == OpUnless
}

// Dep is one dependency of a package.
type Dep struct {
	// Name is what is wanted or provided: a name, an absolute path, or, starting with an
	// opening parenthesis, a boolean ("rich") dependency in rpm's syntax.
	Name string
	Op   evr.Op // 0 = any version
	EVR  string // "[EPOCH:]VERSION[-RELEASE]"
	Pre  bool   // needed before the package's scripts run; for Requires only
	// Ref, if not zero, is the interned dependency; Name, Op and EVR are then ignored.
	Ref Ref
}

// Intern returns the Ref of a plain name.
func (p *Pool) Intern(name string) Ref { return p.strs.intern(name) }

// InternEVR returns the Ref of a version, "[EPOCH:]VERSION[-RELEASE]".
func (p *Pool) InternEVR(evr string) Ref { return p.strs.intern(canonicalEVR(evr)) }

// Relate returns the Ref of a relation between two others.
func (p *Pool) Relate(left Ref, op RelOp, right Ref) Ref {
	return p.rels.intern(relation{left, right, op})
}

func (p *Pool) rel(r Ref) relation { return p.rels.rels[r&^relBit] }

// MaxDepDepth bounds the nesting of a rich dependency, and the number of its chained operators.
const MaxDepDepth = 256

// MaxDepLength bounds the text of a dependency, in bytes.
const MaxDepLength = 64 << 10

// ErrDep is wrapped by the errors of ParseDep.
var ErrDep = errors.New("invalid dependency")

// ParseDep interns a dependency in rpm's text form: "NAME", "NAME OP EVR", or a rich
// dependency such as "(a >= 1 if (b or c) else d)".
func (p *Pool) ParseDep(s string) (Ref, error) {
	if len(s) > MaxDepLength {
		return 0, fmt.Errorf("%w: too long", ErrDep)
	}
	d := depParser{pool: p, rest: strings.Trim(s, blanks)}
	ref, err := d.dep(0)
	if err == nil && strings.Trim(d.rest, blanks) != "" {
		err = fmt.Errorf("%w: trailing text", ErrDep)
	}
	if err != nil {
		return 0, fmt.Errorf("%q: %w", s, err)
	}
	return ref, nil
}

// Ref returns the Ref of a dependency as Repo.Add interns it.
func (p *Pool) Ref(d Dep) Ref { return p.dep(d) }

// dep interns d. A rich dependency that does not parse becomes a plain name, which nothing
// provides: the package stays in the pool but cannot be installed.
func (p *Pool) dep(d Dep) Ref {
	if d.Ref != 0 {
		return d.Ref
	}
	if strings.HasPrefix(d.Name, "(") {
		if r, err := p.ParseDep(d.Name); err == nil {
			return r
		}
	}
	name := p.strs.intern(d.Name)
	if d.Op == 0 || d.EVR == "" {
		return name
	}
	return p.Relate(name, RelOp(d.Op&7), p.InternEVR(d.EVR))
}

// canonicalEVR drops a zero epoch, so that equal versions mostly are equal strings.
func canonicalEVR(s string) string {
	if strings.HasPrefix(s, "0:") && len(s) > 2 {
		return s[2:]
	}
	return s
}

type depParser struct {
	pool *Pool
	rest string
}

// blanks divide the words of a dependency, as in libsolv; all else is part of a name.
const blanks = " \t\n"

func (d *depParser) dep(depth int) (Ref, error) {
	d.rest = strings.TrimLeft(d.rest, blanks)
	if strings.HasPrefix(d.rest, "(") {
		if depth >= MaxDepDepth {
			return 0, fmt.Errorf("%w: nested too deeply", ErrDep)
		}
		d.rest = d.rest[1:]
		return d.rich(depth+1, 0)
	}
	name := d.name()
	if name == "" {
		return 0, fmt.Errorf("%w: no name", ErrDep)
	}
	ref := d.pool.strs.intern(name)
	d.rest = strings.TrimLeft(d.rest, blanks)
	n := len(d.rest) - len(strings.TrimLeft(d.rest, "<=>"))
	if n == 0 {
		return ref, nil
	}
	op, ok := evr.ParseOp(d.rest[:n])
	d.rest = strings.TrimLeft(d.rest[n:], blanks)
	version := d.name()
	if !ok || version == "" {
		return 0, fmt.Errorf("%w: operator or version", ErrDep)
	}
	return d.pool.Relate(ref, RelOp(op), d.pool.strs.intern(canonicalEVR(version))), nil
}

// name takes characters up to a blank or an unbalanced closing parenthesis.
func (d *depParser) name() string {
	open := 0
	i := 0
loop:
	for ; i < len(d.rest); i++ {
		switch d.rest[i] {
		case ' ', '\t', '\n':
			break loop
		case '(':
			open++
		case ')':
			if open--; open < 0 {
				break loop
			}
		}
	}
	name := d.rest[:i]
	d.rest = d.rest[i:]
	return name
}

var richOps = map[string]RelOp{
	"and": OpAnd, "or": OpOr, "with": OpWith, "without": OpWithout, "if": OpIf, "unless": OpUnless, "else": OpElse,
}

// rich parses what follows an opening parenthesis, the closing one included. chain is the
// operator to the left of this operand (0 at the start): only and, or, with may repeat, and
// else only ends an if or unless.
func (d *depParser) rich(depth int, chain RelOp) (Ref, error) {
	left, err := d.dep(depth)
	if err != nil {
		return 0, err
	}
	d.rest = strings.TrimLeft(d.rest, blanks)
	if strings.HasPrefix(d.rest, ")") {
		d.rest = d.rest[1:]
		return left, nil
	}
	op, ok := richOps[d.name()]
	if !ok {
		return 0, fmt.Errorf("%w: boolean operator", ErrDep)
	}
	switch {
	case op == OpElse && chain != OpIf && chain != OpUnless, chain == OpElse:
		return 0, fmt.Errorf("%w: else without if", ErrDep)
	case op != OpElse && chain != 0 && (op != chain || op != OpAnd && op != OpOr && op != OpWith):
		return 0, fmt.Errorf("%w: mixed operators", ErrDep)
	}
	if depth >= MaxDepDepth {
		return 0, fmt.Errorf("%w: nested too deeply", ErrDep)
	}
	right, err := d.rich(depth+1, op)
	if err != nil {
		return 0, err
	}
	return d.pool.Relate(left, op, right), nil
}

// DepString returns the dependency in rpm's text form.
func (p *Pool) DepString(r Ref) string {
	var b strings.Builder
	p.writeDep(&b, r, noRich)
	return b.String()
}

const (
	noRich   RelOp = 255 // outermost: a rich dependency gets parentheses
	inSimple RelOp = 0
)

func (p *Pool) writeDep(b *strings.Builder, r Ref, outer RelOp) {
	if !r.isRel() {
		b.WriteString(p.strs.get(r))
		return
	}
	rel := p.rel(r)
	rich := rel.op.boolean() || rel.op == OpWith || rel.op == OpWithout || rel.op == OpElse
	chain := rel.op == outer && (outer == OpAnd || outer == OpOr || outer == OpWith) ||
		rel.op == OpElse && (outer == OpIf || outer == OpUnless)
	paren := rich && outer != inSimple && !chain
	if paren {
		b.WriteByte('(')
	}
	switch inner := rel.op; {
	case rel.op == OpNamespace:
		p.writeDep(b, rel.left, inSimple)
		b.WriteByte('(')
		if rel.right != 0 {
			p.writeDep(b, rel.right, inSimple)
		}
		b.WriteByte(')')
	default:
		if !rich {
			inner = inSimple
		}
		p.writeDep(b, rel.left, inner)
		b.WriteString(opText(rel.op))
		p.writeDep(b, rel.right, inner)
	}
	if paren {
		b.WriteByte(')')
	}
}

func opText(o RelOp) string {
	switch o {
	case OpAnd:
		return " and "
	case OpOr:
		return " or "
	case OpWith:
		return " with "
	case OpWithout:
		return " without "
	case OpIf:
		return " if "
	case OpUnless:
		return " unless "
	case OpElse:
		return " else "
	case OpArch:
		return "."
	case OpMultiarch:
		return ":"
	case OpKind:
		return " KIND "
	case OpCompat:
		return " compat >= "
	case OpFileConflict:
		return " FILECONFLICT "
	case OpError:
		return " ERROR "
	}
	if o < 8 {
		return " " + evr.Op(o).String() + " "
	}
	return " ?? "
}

// Relation returns the parts of a relation; isRel is false for a plain name.
func (p *Pool) Relation(r Ref) (left Ref, op RelOp, right Ref, isRel bool) {
	if !r.isRel() {
		return 0, 0, 0, false
	}
	rel := p.rel(r)
	return rel.left, rel.op, rel.right, true
}

// Name returns the text of a plain name.
func (p *Pool) Name(r Ref) string {
	if r.isRel() {
		return ""
	}
	return p.strs.get(r)
}

// Providers returns the packages that provide d, ascending. The result must not be changed.
func (p *Pool) Providers(d Ref) []ID { return p.whatProvides(d) }
