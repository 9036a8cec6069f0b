package evr

import "strings"

// Op is a set of comparison operators: LT|EQ is "<=". Zero means "any version".
type Op uint8

// The bits of an Op.
const (
	GT Op = 1 << iota
	EQ
	LT
)

// String returns "<", "<=", "=", ">=", ">" or, for other sets, "<>", "<=>" and "".
func (o Op) String() string {
	return [8]string{"", ">", "=", ">=", "<", "<>", "<=", "<=>"}[o&7]
}

// ParseOp reads an operator in rpm's text form ("<", "<=", "=", "==", ">=", ">"; "=<" and "=>"
// are accepted too). ok is false for anything else.
func ParseOp(s string) (o Op, ok bool) {
	if s == "" || len(s) > 2 {
		return 0, false
	}
	for _, c := range s {
		switch c {
		case '<':
			o |= LT
		case '=':
			o |= EQ
		case '>':
			o |= GT
		default:
			return 0, false
		}
	}
	return o, s != "<<" && s != ">>"
}

// Range is one end of a dependency: all versions that stand in relation Op to EVR.
type Range struct {
	Op  Op
	EVR string
}

// String returns "OP EVR", or nothing if the range is "any version".
func (r Range) String() string {
	if r.Op == 0 {
		return ""
	}
	return r.Op.String() + " " + r.EVR
}

// ParseRange reads "OP EVR"; the empty string is "any version".
func ParseRange(s string) (Range, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Range{}, true
	}
	n := run(s, func(c byte) bool { return c == '<' || c == '=' || c == '>' })
	op, ok := ParseOp(s[:n])
	ver := strings.TrimSpace(s[n:])
	return Range{op, ver}, ok && ver != ""
}

// Overlap reports whether a provided range meets a wanted one: some version lies in both. If
// only one of the two names a release, that release does not count. A range without operator or
// version meets every other.
func Overlap(provided, wanted Range) bool {
	if provided.Op&7 == 0 || wanted.Op&7 == 0 || provided.EVR == "" || wanted.EVR == "" {
		return true
	}
	return Intersects(provided.Op, provided.EVR, wanted.Op, wanted.EVR)
}

// Intersects is Overlap for two ranges that both have an operator (one without never meets).
func Intersects(provided Op, pevr string, wanted Op, evr string) bool {
	if provided == 0 || wanted == 0 {
		return false
	}
	if provided == LT|EQ|GT || wanted == LT|EQ|GT || provided&wanted&(LT|GT) != 0 {
		return true
	}
	if pevr == evr {
		return provided&wanted&EQ != 0
	}
	switch MatchCompare(Parse(pevr), Parse(evr)) {
	case -2:
		return provided&EQ != 0
	case -1:
		return wanted&LT != 0 || provided&GT != 0
	case 0:
		return provided&wanted&EQ != 0
	case 1:
		return wanted&GT != 0 || provided&LT != 0
	}
	return wanted&EQ != 0
}

// MatchCompare is the comparison used in dependency matching: as Compare, but if epoch and
// version are equal and only one side has a release the result is -2 (a has none) or 2 (b has
// none): the one without stands for all releases.
func MatchCompare(a, b EVR) int {
	if r := compareEV(a, b); r != 0 {
		return r
	}
	switch {
	case a.Release == "" && b.Release == "":
		return 0
	case a.Release == "":
		return -2
	case b.Release == "":
		return 2
	}
	return Vercmp(a.Release, b.Release)
}
