package gvariant

import (
	"fmt"
)

// MaxDepth is how deep types and values may be nested, as in GLib.
const MaxDepth = 128

// MaxTypeLength is the longest type string that is accepted, in bytes.
const MaxTypeLength = 1 << 16

// Type is a definite GVariant type string such as "a{sv}" or "(uuua(ayay))".
type Type string

// ParseType checks that s is one complete definite type string.
func ParseType(s string) (Type, error) {
	if _, err := compile(s); err != nil {
		return "", err
	}
	return Type(s), nil
}

// info is a compiled type. It is immutable and shared by all values of the type.
type info struct {
	typ     Type
	kind    byte // first byte of the type string
	align   int  // 1, 2, 4 or 8
	size    int  // size in bytes of every value, 0 if sizes vary
	depth   int  // 1 for a basic type
	elem    *info
	members []member
	offsets int // number of framing offsets of a tuple or dictionary entry
}

// member is one place of a tuple or dictionary entry.
type member struct {
	*info
	ending ending // tells where the member stops
}

type ending uint8

const (
	endFixed  ending = iota // start + size
	endOffset               // the next framing offset, counted from the container's end
	endLast                 // where the framing offsets begin
)

// basicType returns the compiled form of a one-byte type, or nil.
func basicType(c byte) *info {
	switch c {
	case 'b':
		return &infoBool
	case 'y':
		return &infoByte
	case 'n':
		return &infoInt16
	case 'q':
		return &infoUint16
	case 'i':
		return &infoInt32
	case 'u':
		return &infoUint32
	case 'h':
		return &infoHandle
	case 'x':
		return &infoInt64
	case 't':
		return &infoUint64
	case 'd':
		return &infoFloat64
	case 's':
		return &infoString
	case 'o':
		return &infoObjectPath
	case 'g':
		return &infoSignature
	case 'v':
		return &infoVariant
	}
	return nil
}

// The basic types. They are never written to.
var (
	infoBool       = info{typ: "b", kind: 'b', align: 1, size: 1, depth: 1}
	infoByte       = info{typ: "y", kind: 'y', align: 1, size: 1, depth: 1}
	infoInt16      = info{typ: "n", kind: 'n', align: 2, size: 2, depth: 1}
	infoUint16     = info{typ: "q", kind: 'q', align: 2, size: 2, depth: 1}
	infoInt32      = info{typ: "i", kind: 'i', align: 4, size: 4, depth: 1}
	infoUint32     = info{typ: "u", kind: 'u', align: 4, size: 4, depth: 1}
	infoHandle     = info{typ: "h", kind: 'h', align: 4, size: 4, depth: 1}
	infoInt64      = info{typ: "x", kind: 'x', align: 8, size: 8, depth: 1}
	infoUint64     = info{typ: "t", kind: 't', align: 8, size: 8, depth: 1}
	infoFloat64    = info{typ: "d", kind: 'd', align: 8, size: 8, depth: 1}
	infoString     = info{typ: "s", kind: 's', align: 1, depth: 1}
	infoObjectPath = info{typ: "o", kind: 'o', align: 1, depth: 1}
	infoSignature  = info{typ: "g", kind: 'g', align: 1, depth: 1}
	infoVariant    = info{typ: "v", kind: 'v', align: 8, depth: 1}
	infoBytes      = info{typ: "ay", kind: 'a', align: 1, depth: 2, elem: &infoByte}
	infoUnit       = info{typ: "()", kind: '(', align: 1, size: 1, depth: 1}
)

// compile parses a complete definite type string.
func compile(s string) (*info, error) {
	if len(s) == 1 {
		if i := basicType(s[0]); i != nil {
			return i, nil
		}
	}
	if len(s) > MaxTypeLength {
		return nil, fmt.Errorf("type string of %d bytes is too long", len(s))
	}
	i, rest := compilePrefix(s, MaxDepth)
	if i == nil || rest != "" {
		return nil, fmt.Errorf("invalid type string %q", s)
	}
	return i, nil
}

// compilePrefix parses the type at the start of s and returns what follows it.
// The info is nil if there is none or it is nested deeper than depth.
func compilePrefix(s string, depth int) (*info, string) {
	if s == "" || depth == 0 {
		return nil, s
	}
	switch s[0] {
	case 'a', 'm':
		elem, rest := compilePrefix(s[1:], depth-1)
		if elem == nil {
			return nil, s
		}
		if elem == &infoByte && s[0] == 'a' {
			return &infoBytes, rest
		}
		typ := Type(s[:len(s)-len(rest)])
		return &info{typ: typ, kind: s[0], align: elem.align, depth: elem.depth + 1, elem: elem}, rest
	case '(':
		return compileTuple(s, depth)
	case '{':
		key, rest := compilePrefix(s[1:], depth-1)
		if key == nil || key.depth != 1 || key.kind == 'v' || key.kind == '(' {
			return nil, s
		}
		val, rest := compilePrefix(rest, depth-1)
		if val == nil || rest == "" || rest[0] != '}' {
			return nil, s
		}
		rest = rest[1:]
		return newTuple(Type(s[:len(s)-len(rest)]), []*info{key, val}), rest
	}
	return basicType(s[0]), s[1:]
}

func compileTuple(s string, depth int) (*info, string) {
	rest := s[1:]
	var members []*info
	for rest != "" && rest[0] != ')' {
		var m *info
		if m, rest = compilePrefix(rest, depth-1); m == nil {
			return nil, s
		}
		members = append(members, m)
	}
	if rest == "" {
		return nil, s
	}
	rest = rest[1:]
	if len(members) == 0 {
		return &infoUnit, rest
	}
	return newTuple(Type(s[:len(s)-len(rest)]), members), rest
}

// newTuple lays out a tuple or dictionary entry.
func newTuple(typ Type, types []*info) *info {
	t := &info{typ: typ, kind: typ[0], align: 1, members: make([]member, len(types))}
	size, fixed := 0, true
	for i, m := range types {
		t.align = max(t.align, m.align)
		t.depth = max(t.depth, m.depth)
		t.members[i] = member{info: m}
		if m.size > 0 {
			size = alignUp(size, m.align) + m.size
			continue
		}
		fixed = false
		if i == len(types)-1 {
			t.members[i].ending = endLast
			continue
		}
		t.members[i].ending = endOffset
		t.offsets++
	}
	t.depth++
	if fixed {
		t.size = alignUp(size, t.align)
	}
	return t
}

func alignUp(n, align int) int { return (n + align - 1) &^ (align - 1) }
