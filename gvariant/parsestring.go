package gvariant

import (
	"strconv"
	"unicode/utf8"
)

// string parses a quoted string with C and Unicode escapes.
func (p *parser) string(n *node) error {
	n.kind = stringNode
	from := p.start
	t := p.take()
	quote, body := t[0], t[1:]
	var out []byte
	for i := 0; ; i++ {
		if i >= len(body) {
			return &ParseError{From: from, To: from + len(t), Message: "unterminated string constant"}
		}
		c := body[i]
		if c == quote {
			break
		}
		if c != '\\' {
			out = append(out, c)
			continue
		}
		i++
		if i >= len(body) {
			return &ParseError{From: from, To: from + len(t), Message: "unterminated string constant"}
		}
		switch c = body[i]; c {
		case 'u', 'U':
			digits := 4
			if c == 'U' {
				digits = 8
			}
			r, used := unescapeRune(body[i+1:], digits)
			if used == 0 {
				at := from + 2 + i
				return &ParseError{From: at, To: at + hexDigits(body[i+1:], digits),
					Message: "invalid " + strconv.Itoa(digits) + "-character unicode escape"}
			}
			out = utf8.AppendRune(out, r)
			i += used
		case '\n':
		default:
			out = append(out, unescapeByte(c))
		}
	}
	if !utf8.Valid(out) {
		return &ParseError{From: from, To: from + len(t), Message: "invalid UTF-8"}
	}
	n.text = string(out)
	return nil
}

// unescapeRune reads exactly so many hexadecimal digits. It returns 0, 0 for what
// is no character or NUL.
func unescapeRune(s string, digits int) (rune, int) {
	if len(s) < digits {
		return 0, 0
	}
	x, err := strconv.ParseUint(s[:digits], 16, 32)
	if err != nil || x == 0 || x > utf8.MaxRune || !utf8.ValidRune(rune(x)) {
		return 0, 0
	}
	return rune(x), digits
}

// hexDigits counts the hexadecimal digits at the start of s, limit at most.
func hexDigits(s string, limit int) int {
	n := 0
	for n < min(len(s), limit) && digitValue(s[n]) < 16 {
		n++
	}
	return n
}

func unescapeByte(c byte) byte {
	switch c {
	case 'a':
		return '\a'
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	}
	return c
}

// bytestring parses b'...' with C escapes; the value ends with a NUL.
func (p *parser) bytestring(n *node) error {
	n.kind = bytesNode
	from := p.start
	t := p.take()
	quote, body := t[1], t[2:]
	var out []byte
	for i := 0; ; i++ {
		if i >= len(body) || body[i] == '\\' && i+1 >= len(body) {
			return &ParseError{From: from, To: from + len(t), Message: "unterminated string constant"}
		}
		c := body[i]
		if c == quote {
			break
		}
		if c != '\\' {
			out = append(out, c)
			continue
		}
		i++
		switch c = body[i]; {
		case '0' <= c && c <= '7':
			// up to three octal digits
			x := c - '0'
			for k := 1; k < 3 && i+1 < len(body) && '0' <= body[i+1] && body[i+1] <= '7'; k++ {
				i++
				x = x<<3 | (body[i] - '0')
			}
			out = append(out, x)
		case c == '\n':
		default:
			out = append(out, unescapeByte(c))
		}
	}
	n.text = string(out)
	return nil
}
