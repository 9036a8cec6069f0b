package gvariant

import (
	"fmt"
	"strings"
)

// MaxText is the longest text that Parse accepts, in bytes.
const MaxText = 16 << 20

// ParseError says where a text is wrong. It prints as GLib's does: "3-5:unknown keyword".
type ParseError struct {
	From, To int // the source span, in bytes; To is From for a point
	Also     *ParseError
	Message  string
}

// Error returns the spans and the message.
func (e *ParseError) Error() string {
	s := e.span()
	if e.Also != nil {
		s += "," + e.Also.span()
	}
	return s + ":" + e.Message
}

func (e *ParseError) span() string {
	if e.From == e.To {
		return fmt.Sprint(e.From)
	}
	return fmt.Sprintf("%d-%d", e.From, e.To)
}

// Parse reads a value in GVariant text format. If t is "" the type is inferred from
// the text, else the value has that type. Integers are little endian.
func Parse(t Type, text string) (Value, error) {
	if len(text) > MaxText {
		return Value{}, fmt.Errorf("text of %d bytes is too long", len(text))
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return Value{}, &ParseError{From: i, To: i + 1, Message: "invalid character"}
	}
	p := &parser{lexer{text: text}}
	n, err := p.value(MaxDepth)
	if err != nil {
		return Value{}, err
	}
	if t == "" {
		pattern, err := n.pattern()
		if err != nil {
			return Value{}, err
		}
		if t, err = n.settle(pattern); err != nil {
			return Value{}, err
		}
	}
	i, err := compile(string(t))
	if err != nil {
		return Value{}, err
	}
	v, err := n.build(i)
	if err != nil {
		return Value{}, err
	}
	if p.next(); p.start < len(text) {
		return Value{}, &ParseError{From: p.start, To: p.start, Message: "expected end of input"}
	}
	return v, nil
}

// settle picks the type for a pattern: no maybe where there is a choice, "s" for
// strings, "i" for numbers.
func (n *node) settle(pattern string) (Type, error) {
	if strings.Contains(pattern, "*") {
		return "", n.errorf("unable to infer type")
	}
	return Type(strings.NewReplacer("M", "", "S", "s", "N", "i").Replace(pattern)), nil
}

// lexer splits the text into tokens. [start,end) is the current one.
type lexer struct {
	text       string
	start, end int
	stopped    bool // the current token was looked at and not consumed
}

// next makes the next token the current one unless that was not consumed yet.
func (l *lexer) next() {
	if l.stopped {
		return
	}
	l.stopped = true
	at := l.end
	for at < len(l.text) && isSpace(l.text[at]) {
		at++
	}
	l.start = at
	if at == len(l.text) {
		l.end = at
		return
	}
	l.end = l.tokenEnd(at)
}

func isSpace(c byte) bool  { return c == ' ' || '\t' <= c && c <= '\r' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLower(c byte) bool  { return 'a' <= c && c <= 'z' }
func isLetter(c byte) bool { return isLower(c) || 'A' <= c && c <= 'Z' }
func isAlnum(c byte) bool  { return isDigit(c) || isLetter(c) }

func (l *lexer) tokenEnd(at int) int {
	c := l.text[at]
	switch {
	case c == '-' || c == '+' || c == '.' || isDigit(c):
		end := at + 1
		for end < len(l.text) && (isAlnum(l.text[end]) || strings.IndexByte("-+.", l.text[end]) >= 0) {
			end++
		}
		return end
	case c == 'b' && at+1 < len(l.text) && (l.text[at+1] == '\'' || l.text[at+1] == '"'):
		return l.stringEnd(at + 1)
	case c == '\'' || c == '"':
		return l.stringEnd(at)
	case isLower(c):
		end := at + 1
		for end < len(l.text) && isAlnum(l.text[end]) {
			end++
		}
		return end
	case c == '@' || c == '%':
		return l.typeEnd(at + 1)
	}
	return at + 1
}

func (l *lexer) stringEnd(at int) int {
	quote := l.text[at]
	for end := at + 1; end < len(l.text); end++ {
		switch l.text[end] {
		case '\\':
			end++
		case quote:
			return end + 1
		}
	}
	return len(l.text)
}

// typeEnd finds the end of a type declaration: a space, a comma, a colon, or a
// bracket that was not opened in it.
func (l *lexer) typeEnd(at int) int {
	brackets := 0
	for ; at < len(l.text); at++ {
		switch c := l.text[at]; c {
		case '(', '{':
			brackets++
		case ')', '}':
			if brackets == 0 {
				return at
			}
			brackets--
		case ',', ':', '>', ']':
			return at
		default:
			if isSpace(c) {
				return at
			}
		}
	}
	return at
}

func (l *lexer) token() string {
	l.next()
	return l.text[l.start:l.end]
}

// peek returns the first byte of the next token, 0 at the end.
func (l *lexer) peek() byte {
	if t := l.token(); t != "" {
		return t[0]
	}
	return 0
}

func (l *lexer) take() string {
	t := l.token()
	l.stopped = false
	return t
}

// consume takes the next token if it is t.
func (l *lexer) consume(t string) bool {
	if l.token() != t {
		return false
	}
	l.stopped = false
	return true
}

// require takes the token t, which must be next.
func (l *lexer) require(t, purpose string) error {
	if l.consume(t) {
		return nil
	}
	return &ParseError{From: l.start, To: l.start, Message: fmt.Sprintf("expected '%s'%s", t, purpose)}
}

// fail returns an error at the current token.
func (l *lexer) fail(message string) error {
	l.next()
	return &ParseError{From: l.start, To: l.end, Message: message}
}

type parser struct {
	lexer
}

// value parses one value, which may be nested depth levels deep.
func (p *parser) value(depth int) (*node, error) {
	if depth == 0 {
		return nil, p.fail("variant nested too deeply")
	}
	p.next()
	n := &node{from: p.start}
	err := p.dispatch(n, depth)
	if err != nil {
		return nil, err
	}
	n.to = p.consumedEnd()
	return n, nil
}

// consumedEnd is where the last consumed token ended.
func (p *parser) consumedEnd() int {
	if !p.stopped {
		return p.end
	}
	at := p.start
	for at > 0 && isSpace(p.text[at-1]) {
		at--
	}
	return at
}

func (p *parser) dispatch(n *node, depth int) error {
	c := p.peek()
	switch t := p.token(); {
	case c == '[':
		return p.array(n, depth)
	case c == '(':
		return p.tuple(n, depth)
	case c == '<':
		return p.variant(n, depth)
	case c == '{':
		return p.dictionary(n, depth)
	case t == "true" || t == "false":
		n.kind, n.text = boolNode, p.take()
	case c == '-' || c == '+' || c == '.' || c != 0 && isDigit(c) || t == "inf" || t == "nan":
		n.kind, n.text = numberNode, p.take()
	case c == 'n' || c == 'j':
		return p.maybe(n, depth)
	case c == '\'' || c == '"':
		return p.string(n)
	case c == 'b' && len(t) > 1 && (t[1] == '\'' || t[1] == '"'):
		return p.bytestring(n)
	case c == '@' || len(t) > 1 && isLower(c) && isLetter(t[1]): // one letter is no keyword
		return p.declared(n, depth)
	default:
		return &ParseError{From: p.start, To: p.start, Message: "expected value"}
	}
	return nil
}

func (p *parser) array(n *node, depth int) error {
	n.kind = arrayNode
	p.take()
	for !p.consume("]") {
		if len(n.children) > 0 {
			if err := p.require(",", " or ']' to follow array element"); err != nil {
				return err
			}
		}
		child, err := p.value(depth - 1)
		if err != nil {
			return err
		}
		n.children = append(n.children, child)
	}
	return nil
}

func (p *parser) tuple(n *node, depth int) error {
	n.kind = tupleNode
	p.take()
	needComma, first := false, true
	for !p.consume(")") {
		if needComma {
			if err := p.require(",", " or ')' to follow tuple element"); err != nil {
				return err
			}
			needComma = false
		}
		child, err := p.value(depth - 1)
		if err != nil {
			return err
		}
		n.children = append(n.children, child)
		// A tuple of one is written with a comma: (1,)
		if first {
			if err := p.require(",", " after first tuple element"); err != nil {
				return err
			}
			first = false
		} else {
			needComma = true
		}
	}
	return nil
}

func (p *parser) variant(n *node, depth int) error {
	n.kind = variantNode
	p.take()
	child, err := p.value(depth - 1)
	if err != nil {
		return err
	}
	n.children = []*node{child}
	return p.require(">", " to follow variant value")
}

// dictionary parses {}, {key: value, ...} and the single entry {key, value}.
func (p *parser) dictionary(n *node, depth int) error {
	n.kind = dictNode
	p.take()
	if p.consume("}") {
		return nil
	}
	for {
		key, err := p.value(depth - 1)
		if err != nil {
			return err
		}
		if len(n.children) == 0 && p.consume(",") {
			n.kind = entryNode
		} else if err := p.require(":", map[bool]string{
			true:  " or ',' to follow dictionary entry key",
			false: " to follow dictionary entry key"}[len(n.children) == 0]); err != nil {
			return err
		}
		value, err := p.value(depth - 1)
		if err != nil {
			return err
		}
		n.children = append(n.children, key, value)
		if n.kind == entryNode {
			return p.require("}", " at end of dictionary entry")
		}
		if p.consume("}") {
			return nil
		}
		if err := p.require(",", " or '}' to follow dictionary entry"); err != nil {
			return err
		}
	}
}

func (p *parser) maybe(n *node, depth int) error {
	n.kind = maybeNode
	if p.consume("nothing") {
		return nil
	}
	if !p.consume("just") {
		return p.fail("unknown keyword")
	}
	child, err := p.value(depth - 1)
	n.children = []*node{child}
	return err
}

// keywords are the type names that may precede a value.
var keywords = map[string]Type{
	"boolean": "b", "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "handle": "h", "uint32": "u",
	"int64": "x", "uint64": "t", "double": "d", "string": "s", "objectpath": "o", "signature": "g",
}

func (p *parser) declared(n *node, depth int) error {
	n.kind = typeNode
	t := p.token()
	if decl, ok := strings.CutPrefix(t, "@"); ok {
		i, err := compile(decl)
		switch {
		case err != nil && indefinite(decl):
			return p.fail("type declarations must be definite")
		case err != nil:
			return p.fail("invalid type declaration")
		case i.depth > depth:
			return p.fail("type declaration recurses too deeply")
		}
		n.typ = Type(decl)
	} else if n.typ = keywords[t]; n.typ == "" {
		return p.fail("unknown keyword")
	}
	p.take()
	child, err := p.value(depth - 1)
	n.children = []*node{child}
	return err
}

// indefinite reports whether s would be a type if its wildcards were filled in.
func indefinite(s string) bool {
	if !strings.ContainsAny(s, "*?r") {
		return false
	}
	_, err := compile(strings.NewReplacer("*", "i", "?", "i", "r", "()").Replace(s))
	return err == nil
}
