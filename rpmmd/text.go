package rpmmd

import (
	"bytes"
	"io"
	"strconv"
	"unicode/utf8"
)

// Classes of bytes in text: most of it consists of plain bytes only.
const (
	classEntity  = 1 << iota // an entity, or the end of one
	classHigh                // a part of a UTF-8 sequence
	classReturn              // a carriage return, which XML turns into a newline
	classControl             // not allowed in XML
	classBracket             // "]]>" ends CDATA and must not stand elsewhere
)

var byteClass = func() (t [256]uint8) {
	for i := range t {
		switch {
		case i == '&':
			t[i] = classEntity
		case i == '\r':
			t[i] = classReturn
		case i == ']':
			t[i] = classBracket
		case i == '\n', i == '\t':
		case i < ' ':
			t[i] = classControl
		case i >= utf8.RuneSelf:
			t[i] = classHigh
		}
	}
	return t
}()

// place is where characters stand.
type place uint8

const (
	inText place = iota
	inCDATA
	inAttr
)

// decode appends the text of raw to dst. If raw is plain and dst empty, raw itself
// is returned.
func (s *scanner) decode(dst, raw []byte, in place) ([]byte, error) {
	var class uint8
	for _, c := range raw {
		class |= byteClass[c]
	}
	if class&classControl != 0 {
		return nil, s.errorf("control character in text")
	}
	if class&classBracket != 0 && in == inText && bytes.Contains(raw, []byte("]]>")) {
		return nil, s.errorf("]]> outside of CDATA")
	}
	if class&classHigh != 0 && !validText(raw) {
		return nil, s.errorf("invalid UTF-8")
	}
	if class&classReturn == 0 && (class&classEntity == 0 || in == inCDATA) {
		if len(dst) == 0 {
			return raw, nil
		}
		return append(dst, raw...), nil
	}
	return s.decodeSlow(dst, raw, in != inCDATA)
}

func (s *scanner) decodeSlow(dst, raw []byte, entities bool) ([]byte, error) {
	for len(raw) > 0 {
		c := raw[0]
		switch {
		case c == '\r':
			dst = append(dst, '\n')
			raw = bytes.TrimPrefix(raw[1:], []byte("\n"))
		case c == '&' && entities:
			n := bytes.IndexByte(raw, ';')
			r := rune(-1)
			if n > 0 {
				r = entity(raw[1:n])
			}
			if r < 0 {
				return nil, s.errorf("invalid entity %.16q", raw)
			}
			dst = utf8.AppendRune(dst, r)
			raw = raw[n+1:]
		default:
			n := bytes.IndexAny(raw, "&\r")
			if n == 0 {
				n = 1 // an ampersand in CDATA
			} else if n < 0 {
				n = len(raw)
			}
			dst = append(dst, raw[:n]...)
			raw = raw[n:]
		}
	}
	return dst, nil
}

// entity returns the character of a named or numeric entity, -1 if there is none.
func entity(name []byte) rune {
	switch string(name) {
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "amp":
		return '&'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	if len(name) < 2 || name[0] != '#' {
		return -1
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || !isChar(rune(n)) {
		return -1
	}
	return rune(n)
}

// isChar reports whether XML 1.0 (section 2.2) allows a character.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff ||
		r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= 0x10ffff
}

// validText reports whether b is UTF-8 without U+FFFE and U+FFFF.
func validText(b []byte) bool {
	return utf8.Valid(b) && !bytes.Contains(b, []byte("\ufffe")) && !bytes.Contains(b, []byte("\uffff"))
}

// place returns where the content of a token stands.
func (t token) place() place {
	if t == tokenCDATA {
		return inCDATA
	}
	return inText
}

// content returns the text of the element that was just started, up to its end.
// Elements inside it are skipped. The result is valid until the next call.
func (s *scanner) content() ([]byte, error) {
	depth := s.depth()
	out := s.scratch[:0]
	for {
		t, err := s.next()
		if err != nil {
			return nil, noEOF(err)
		}
		switch {
		case t == tokenEnd && s.depth() < depth:
			s.scratch = out
			return out, nil
		case t != tokenText && t != tokenCDATA || s.depth() > depth:
			continue
		}
		piece, err := s.decode(out, s.raw, t.place())
		if err != nil {
			return nil, err
		}
		if len(out) == 0 && s.ends() {
			// Nearly always: one piece, which need not be copied, because an end tag that
			// is in the buffer as a whole does not move it.
			_, err := s.next()
			return piece, err
		}
		if len(out) == 0 {
			piece = append(out, piece...)
		}
		if out = piece; len(out) > MaxToken {
			return nil, s.errorf("%w: text is too long", errLimit)
		}
	}
}

// ends reports whether an end tag follows that is in the buffer as a whole.
func (s *scanner) ends() bool {
	b := s.buf[s.pos:s.end]
	return len(b) > 2 && b[0] == '<' && b[1] == '/' && bytes.IndexByte(b, '>') > 0
}

// value decodes the value of an attribute.
func (s *scanner) value(a attr) ([]byte, error) {
	b, err := s.decode(s.values[:0], a.raw, inAttr)
	if err != nil {
		return nil, err
	}
	if len(b) > 0 && len(a.raw) > 0 && &b[0] != &a.raw[0] {
		s.values = b // keep a buffer that has grown
	}
	return b, nil
}

// attr returns the value of an attribute of the current element, nil if there is none.
func (s *scanner) attr(name string) ([]byte, error) {
	for i := len(s.attrs) - 1; i >= 0; i-- {
		if string(s.attrs[i].name) == name {
			return s.value(s.attrs[i])
		}
	}
	return nil, nil
}

// skip reads up to the end of the element that was just started.
func (s *scanner) skip() error {
	depth := s.depth()
	for {
		t, err := s.next()
		if err != nil {
			return noEOF(err)
		}
		if t == tokenEnd && s.depth() < depth {
			return nil
		}
	}
}

// child moves to the next element inside the one at the given depth; false means
// that it has ended. Text between is ignored.
func (s *scanner) child(depth int) (bool, error) {
	for {
		t, err := s.next()
		if err != nil {
			return false, noEOF(err)
		}
		switch {
		case t == tokenStart:
			return true, nil
		case t == tokenEnd && s.depth() < depth:
			return false, nil
		}
	}
}

// root moves to the document's element, which must have one of the given names.
func (s *scanner) root(names ...string) error {
	for {
		t, err := s.next()
		if err == io.EOF {
			return s.errorf("no element found")
		}
		if err != nil {
			return err
		}
		if t != tokenStart {
			continue
		}
		for _, n := range names {
			if string(s.name) == n {
				return nil
			}
		}
		return s.errorf("document is <%.64s>, expected <%s>", s.name, names[0])
	}
}

// drain reads to the end of the stream, so that a reader below that verifies
// what passes sees all of it.
func (s *scanner) drain() error {
	s.pos = s.end
	if s.eof == nil {
		if _, err := io.Copy(io.Discard, s.r); err != nil {
			return err
		}
	} else if s.eof != io.EOF {
		return s.eof
	}
	return nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
