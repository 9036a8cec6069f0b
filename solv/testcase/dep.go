package testcase

import (
	"strings"

	"rpmostree/solv"
)

// maxDepth bounds the nesting of a dependency.
const maxDepth = 256

// operators in the order in which they are tried: a longer one before its prefixes.
var operators = []struct {
	op   solv.RelOp
	name string
}{
	{2, "="}, {7, "<=>"}, {6, "<="}, {3, ">="}, {1, ">"}, {5, "<>"},
	{solv.OpAnd, "&"}, {solv.OpOr, "|"}, {solv.OpWith, "+"}, {solv.OpWithout, "-"},
	{solv.OpNamespace, "<NAMESPACE>"}, {solv.OpArch, "."}, {solv.OpMultiarch, "<MULTIARCH>"},
	{solv.OpFileConflict, "<FILECONFLICT>"}, {solv.OpIf, "<IF>"}, {solv.OpCompat, "compat >="}, {solv.OpKind, "<KIND>"},
	{solv.OpElse, "<ELSE>"}, {solv.OpError, "<ERROR>"}, {solv.OpUnless, "<UNLESS>"}, {4, "<"},
}

func operatorName(op solv.RelOp) string {
	for _, o := range operators {
		if o.op == op {
			return o.name
		}
	}
	return "unknown"
}

// ParseDep interns a dependency in the testcase language's infix form. The zero Ref is returned
// for text that is none.
func ParseDep(p *solv.Pool, s string) solv.Ref {
	d := depParser{pool: p, rest: s}
	ref, ok := d.expr(false, 0)
	if !ok || d.rest != "" {
		return 0
	}
	return ref
}

type depParser struct {
	pool *solv.Pool
	rest string
}

// expr parses operands and operators from left to right. After a comparison (version) only one
// operand follows.
func (d *depParser) expr(version bool, depth int) (solv.Ref, bool) {
	if depth > maxDepth {
		return 0, false
	}
	id, ok := d.operand(version, depth)
	if !ok {
		return 0, false
	}
	for {
		d.rest = strings.TrimLeft(d.rest, " \t")
		if d.rest == "" || d.rest[0] == ')' || version && !strings.HasPrefix(d.rest, "compat >= ") {
			return id, true
		}
		op, ok := d.operator()
		if !ok {
			return 0, false
		}
		right, ok := d.expr(op < 8, depth+1)
		if !ok {
			return 0, false
		}
		id = d.pool.Relate(id, op, right)
	}
}

func (d *depParser) operator() (solv.RelOp, bool) {
	for _, o := range operators {
		if rest, ok := strings.CutPrefix(d.rest, o.name); ok {
			d.rest = rest
			return o.op, true
		}
	}
	return 0, false
}

func (d *depParser) operand(version bool, depth int) (solv.Ref, bool) {
	d.rest = strings.TrimLeft(d.rest, " \t")
	var ns solv.Ref
	if strings.HasPrefix(d.rest, "namespace:") {
		if i := strings.IndexByte(d.rest, '('); i >= 0 {
			ns = d.pool.Intern(d.rest[:i])
			d.rest = d.rest[i:]
		}
	}
	var id solv.Ref
	if strings.HasPrefix(d.rest, "(") {
		d.rest = d.rest[1:]
		var ok bool
		if id, ok = d.expr(false, depth+1); !ok || !strings.HasPrefix(d.rest, ")") {
			return 0, false
		}
		d.rest = d.rest[1:]
	} else {
		id = d.simple(!version)
	}
	if ns != 0 {
		id = d.pool.Relate(ns, solv.OpNamespace, id)
	}
	return id, true
}

func (d *depParser) simple(name bool) solv.Ref {
	n, open := 0, 0
loop:
	for ; n < len(d.rest); n++ {
		switch c := d.rest[n]; {
		case c <= ' ':
			break loop
		case c == '(':
			open++
		case c == ')':
			if open--; open < 0 {
				break loop
			}
		}
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	any := false
	if name && len(s) > 4 {
		s, any = strings.CutSuffix(s, ":any")
	}
	var id solv.Ref
	if s != "<NULL>" {
		id = d.pool.Intern(unescape(s))
	}
	if any {
		id = d.pool.Relate(id, solv.OpMultiarch, d.pool.Intern("any"))
	}
	return id
}

// unescape replaces backslash and two hexadecimal digits by the byte; "\00" alone is nothing.
func unescape(s string) string {
	if s == `\00` {
		return ""
	}
	if !strings.Contains(s, `\`) {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+2 < len(s) {
			hi, lo := strings.IndexByte(hexDigits, lower(s[i+1])), strings.IndexByte(hexDigits, lower(s[i+2]))
			if hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

const hexDigits = "0123456789abcdef"

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func escapeByte(c byte) string { return `\` + hexDigits[c>>4:c>>4+1] + hexDigits[c&15:c&15+1] }

// FormatDep is the inverse of ParseDep.
func FormatDep(p *solv.Pool, r solv.Ref) string {
	left, op, right, isRel := p.Relation(r)
	if !isRel {
		return formatName(p, r, true)
	}
	return formatRel(p, left, op, right)
}

func formatRel(p *solv.Pool, left solv.Ref, op solv.RelOp, right solv.Ref) string {
	_, lop, _, lrel := p.Relation(left)
	_, rop, _, rrel := p.Relation(right)
	if op == solv.OpNamespace && !lrel && strings.HasPrefix(p.Name(left), "namespace:") {
		return p.Name(left) + "(" + FormatDep(p, right) + ")"
	}
	if op == solv.OpMultiarch && !lrel && p.Name(right) == "any" {
		return formatName(p, left, true) + ":any"
	}
	l := FormatDep(p, left)
	if lrel && !(op > 7 && op != solv.OpCompat && lop > 0 && lop <= 7) && !bare(p, left) {
		l = "(" + l + ")"
	}
	if !rrel {
		return l + " " + operatorName(op) + " " + formatName(p, right, false)
	}
	r := FormatDep(p, right)
	same := op == rop && (op == solv.OpAnd || op == solv.OpOr)
	if !(op > 7 && rop > 0 && rop <= 7 || same || op < 8 && rop == solv.OpCompat) && !bare(p, right) {
		r = "(" + r + ")"
	}
	return l + " " + operatorName(op) + " " + r
}

// bare reports relations that are written without blanks and so never get parentheses.
func bare(p *solv.Pool, r solv.Ref) bool {
	left, op, right, _ := p.Relation(r)
	_, _, _, lrel := p.Relation(left)
	return !lrel && (op == solv.OpNamespace && strings.HasPrefix(p.Name(left), "namespace:") ||
		op == solv.OpMultiarch && p.Name(right) == "any")
}

func formatName(p *solv.Pool, r solv.Ref, name bool) string {
	s := p.Name(r)
	switch {
	case r == 0:
		return "<NULL>"
	case s == "":
		return `\00`
	}
	prefix := ""
	if rest, ok := strings.CutPrefix(s, "namespace:"); ok {
		prefix, s = `namespace\3a`, rest
	}
	suffix := ""
	if rest, ok := strings.CutSuffix(s, ":any"); ok && name && rest != "" {
		suffix, s = `\3aany`, rest
	}
	if prefix == "" && suffix == "" && !needsEscape(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; i == 0 && prefix == "" && strings.IndexByte("[(<=>!", c) >= 0 || c <= ' ' || c == '\\' || c == '(' || c == ')' {
			b.WriteString(escapeByte(c))
		} else {
			b.WriteByte(c)
		}
	}
	return prefix + b.String() + suffix
}

// needsEscape reports that s has a special byte; a single pair of parentheses is none.
func needsEscape(s string) bool {
	if s != "" && strings.IndexByte("[(<=>!", s[0]) >= 0 {
		return true
	}
	paren := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '(':
			if paren != 0 {
				return true
			}
			paren = 1
		case c == ')':
			if paren != 1 {
				return true
			}
			paren = 0
		case c <= ' ' || c == '\\':
			return true
		}
	}
	return paren != 0
}
