package gvariant

import (
	"fmt"
	"strings"
)

type nodeKind uint8

const (
	numberNode nodeKind = iota
	boolNode
	stringNode
	bytesNode
	arrayNode
	tupleNode
	dictNode
	entryNode
	variantNode
	maybeNode
	typeNode
)

// node is a parsed value whose type is not settled yet.
type node struct {
	kind     nodeKind
	from, to int
	text     string  // of a number, boolean, string or bytestring
	typ      Type    // of a typeNode
	children []*node // keys and values in turn for a dictNode
}

func (n *node) errorf(format string, args ...any) error {
	return &ParseError{From: n.from, To: n.to, Message: fmt.Sprintf(format, args...)}
}

// A pattern is a type string in which more letters stand for a choice:
// N is any number, S any of s, o and g, * any type, and M before a type says that it
// may be wrapped in maybes.

// pattern returns the types that n may have.
func (n *node) pattern() (string, error) {
	switch n.kind {
	case numberNode:
		hex := strings.HasPrefix(n.text, "0x")
		if strings.Contains(n.text, ".") || !hex && strings.Contains(n.text, "e") ||
			strings.Contains(n.text, "inf") || strings.Contains(n.text, "nan") {
			return "Md", nil
		}
		return "MN", nil
	case boolNode:
		return "Mb", nil
	case stringNode:
		return "MS", nil
	case bytesNode:
		return "May", nil
	case variantNode:
		return "Mv", nil
	case typeNode:
		return string(n.typ), nil
	case arrayNode:
		if len(n.children) == 0 {
			return "Ma*", nil
		}
		elem, err := commonPattern(n.children, 1)
		return "Ma" + elem, err
	case maybeNode:
		if len(n.children) == 0 {
			return "m*", nil
		}
		child, err := n.children[0].pattern()
		return "m" + child, err
	case tupleNode:
		var out strings.Builder
		out.WriteString("M(")
		for _, c := range n.children {
			child, err := c.pattern()
			if err != nil {
				return "", err
			}
			out.WriteString(child)
		}
		return out.String() + ")", nil
	}
	return n.dictPattern()
}

func (n *node) dictPattern() (string, error) {
	if len(n.children) == 0 {
		return "Ma{**}", nil
	}
	key, err := commonPattern(n.children, 2)
	if err != nil {
		return "", err
	}
	key = strings.TrimPrefix(key, "M") // a key is never a maybe
	if len(key) != 1 || !strings.Contains("bynqiuxthdsogNS", key) {
		return "", n.errorf("dictionary keys must have basic types")
	}
	// GLib looks at the first value only.
	value, err := n.children[1].pattern()
	if err != nil {
		return "", err
	}
	open := "Ma{"
	if n.kind == entryNode {
		open = "M{"
	}
	return open + key + value + "}", nil
}

// commonPattern joins the patterns of every step-th node.
func commonPattern(list []*node, step int) (string, error) {
	pattern, err := list[0].pattern()
	if err != nil {
		return "", err
	}
	for i := step; i < len(list); i += step {
		p, err := list[i].pattern()
		if err != nil {
			return "", err
		}
		joined, ok := join(pattern, p)
		if !ok {
			return "", commonError(list[:i+1], step)
		}
		pattern = joined
	}
	return pattern, nil
}

// commonError names the first node that cannot have the type of the last one.
func commonError(list []*node, step int) error {
	last := list[len(list)-1]
	for i := 0; i < len(list)-1; i += step {
		a, errA := list[i].pattern()
		b, errB := last.pattern()
		if _, ok := join(a, b); !ok && errA == nil && errB == nil {
			return &ParseError{From: list[i].from, To: list[i].to,
				Also: &ParseError{From: last.from, To: last.to}, Message: "unable to find a common type"}
		}
	}
	return last.errorf("unable to find a common type")
}

// join returns the pattern of the types that both patterns allow.
func join(left, right string) (string, bool) {
	var out []byte
	for left != "" && right != "" {
		if left[0] == right[0] {
			out = append(out, left[0])
			left, right = left[1:], right[1:]
			continue
		}
		if joinStep(&out, &left, &right) || joinStep(&out, &right, &left) {
			continue
		}
		break
	}
	return string(out), left == "" && right == ""
}

// joinStep resolves the choice at the start of one by the start of other.
func joinStep(out *[]byte, one, other *string) bool {
	a, b := (*one)[0], (*other)[0]
	switch {
	case a == '*' && b != ')':
		n := patternLen(*other)
		*out = append(*out, (*other)[:n]...)
		*one, *other = (*one)[1:], (*other)[n:]
	case a == 'M' && b == 'm':
		*out = append(*out, b)
		*other = (*other)[1:]
	case a == 'M' && b != '*':
		*one = (*one)[1:]
	case a == 'N' && strings.IndexByte("ynqiuxthd", b) >= 0, a == 'S' && strings.IndexByte("sog", b) >= 0:
		*out = append(*out, b)
		*one, *other = (*one)[1:], (*other)[1:]
	default:
		return false
	}
	return true
}

// patternLen is the length of the one type at the start of a pattern.
func patternLen(p string) int {
	i := 0
	for i < len(p) && (p[i] == 'a' || p[i] == 'm' || p[i] == 'M') {
		i++
	}
	for brackets := 0; i < len(p); {
		switch p[i] {
		case '(', '{':
			brackets++
		case ')', '}':
			brackets--
		}
		i++
		if brackets <= 0 {
			break
		}
	}
	return i
}

// build makes the value of n as type t.
func (n *node) build(t *info) (Value, error) {
	if n.kind == typeNode {
		return n.children[0].build(t)
	}
	if n.kind == maybeNode {
		return n.buildMaybe(t)
	}
	// Any other value may stand for itself wrapped in maybes.
	base, depth := t, 0
	for base.kind == 'm' {
		base = base.elem
		depth++
	}
	v, err := n.buildBase(base)
	if err != nil {
		return Value{}, err
	}
	for range depth {
		v = Just(v)
	}
	return v, nil
}

func (n *node) buildMaybe(t *info) (Value, error) {
	if t.kind != 'm' {
		return Value{}, n.typeError(t)
	}
	if len(n.children) == 0 {
		return Nothing(t.elem.typ), nil
	}
	v, err := n.children[0].build(t.elem)
	if err != nil {
		return Value{}, err
	}
	return Just(v), nil
}

func (n *node) typeError(t *info) error {
	return n.errorf("can not parse as value of type '%s'", t.typ)
}

func (n *node) buildBase(t *info) (Value, error) {
	switch n.kind {
	case numberNode:
		return n.buildNumber(t)
	case boolNode:
		if t.kind == 'b' {
			return Bool(n.text == "true"), nil
		}
	case stringNode:
		return n.buildString(t)
	case bytesNode:
		if t == &infoBytes {
			text, _, _ := strings.Cut(n.text, "\x00")
			return Bytestring(text), nil
		}
	case variantNode:
		if t.kind == 'v' {
			return n.buildVariant()
		}
	case arrayNode:
		if t.kind == 'a' {
			return n.buildArray(t)
		}
	case tupleNode:
		if t.kind == '(' && len(t.members) == len(n.children) {
			return n.buildMembers(t)
		}
	case entryNode:
		if t.kind == '{' {
			return n.buildMembers(t)
		}
	case dictNode:
		if t.kind == 'a' && t.elem.kind == '{' {
			return n.buildDict(t)
		}
	}
	return Value{}, n.typeError(t)
}

func (n *node) buildString(t *info) (Value, error) {
	switch t.kind {
	case 's':
		return String(n.text), nil
	case 'o':
		if !validObjectPath(n.text) {
			return Value{}, n.errorf("not a valid object path")
		}
		return ObjectPath(n.text), nil
	case 'g':
		if !validSignature(n.text) {
			return Value{}, n.errorf("not a valid signature")
		}
		return Signature(n.text), nil
	}
	return Value{}, n.typeError(t)
}

func (n *node) buildVariant() (Value, error) {
	child := n.children[0]
	pattern, err := child.pattern()
	if err != nil {
		return Value{}, err
	}
	t, err := child.settle(pattern)
	if err != nil {
		return Value{}, err
	}
	i, err := compile(string(t))
	if err != nil {
		return Value{}, child.errorf("%v", err)
	}
	v, err := child.build(i)
	if err != nil {
		return Value{}, err
	}
	return Variant(v), nil
}

func (n *node) buildArray(t *info) (Value, error) {
	elements := make([]Value, len(n.children))
	for i, c := range n.children {
		var err error
		if elements[i], err = c.build(t.elem); err != nil {
			return Value{}, err
		}
	}
	return assemble(t.typ, elements), nil
}

func (n *node) buildMembers(t *info) (Value, error) {
	members := make([]Value, len(n.children))
	for i, c := range n.children {
		var err error
		if members[i], err = c.build(t.members[i].info); err != nil {
			return Value{}, err
		}
	}
	if len(members) == 0 {
		return Tuple(), nil
	}
	return assemble(t.typ, members), nil
}

func (n *node) buildDict(t *info) (Value, error) {
	entries := make([]Value, 0, len(n.children)/2)
	for i := 0; i < len(n.children); i += 2 {
		entry := node{kind: entryNode, children: n.children[i : i+2]}
		e, err := entry.buildMembers(t.elem)
		if err != nil {
			return Value{}, err
		}
		entries = append(entries, e)
	}
	return assemble(t.typ, entries), nil
}
