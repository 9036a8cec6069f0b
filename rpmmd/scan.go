package rpmmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of metadata.
const (
	// MaxToken is the size of the longest tag or text, in bytes.
	MaxToken = 16 << 20
	// MaxDepth is how deep elements may be nested.
	MaxDepth = 32
	// MaxAttrs is how many attributes an element may have.
	MaxAttrs = 64
	// MaxDocument is the size of a whole document, in bytes.
	MaxDocument = 16 << 30
)

// token is the kind of what scanner.next has found.
type token uint8

const (
	tokenStart token = iota + 1 // also for an empty element; tokenEnd follows
	tokenEnd
	tokenText // raw: not decoded, not checked
	tokenCDATA
)

var errLimit = errors.New("document exceeds a limit")

// A scanner reads XML from a stream, token by token. What it returns is valid
// until the next call: all byte slices point into its buffer.
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int   // unread bytes are buf[pos:end]
	off      int64 // position of buf[0] in the document
	eof      error // what the reader returned at its end

	name  []byte // local name of the element, at tokenStart and tokenEnd
	attrs []attr // at tokenStart
	raw   []byte // content at tokenText and tokenCDATA

	empty   bool   // an empty element was started and must be ended
	names   []byte // qualified names of open elements, one after the other
	starts  []int  // where each begins in names
	scratch []byte // decoded text
	values  []byte // decoded attribute values
}

// attr is an attribute with its local name and its value, which is not decoded.
type attr struct{ name, raw []byte }

func newScanner(r io.Reader) *scanner {
	return &scanner{r: r, buf: make([]byte, 64<<10)}
}

// depth returns how many elements are open.
func (s *scanner) depth() int { return len(s.starts) }

// errorf returns an error that names the position.
func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("XML at byte %d%s: %w", s.off+int64(s.pos), s.where(), fmt.Errorf(format, args...))
}

// where names the open elements.
func (s *scanner) where() string {
	if len(s.starts) == 0 {
		return ""
	}
	var path []byte
	for i, start := range s.starts {
		end := len(s.names)
		if i+1 < len(s.starts) {
			end = s.starts[i+1]
		}
		path = append(append(path, '/'), s.names[start:min(end, start+64)]...)
	}
	return " in " + strings.ToValidUTF8(string(path[1:]), "?")
}

// truncated is the error of input that ends too early, for whatever reason.
func (s *scanner) truncated() error {
	if s.eof != nil && s.eof != io.EOF {
		return s.eof
	}
	return s.errorf("%w", io.ErrUnexpectedEOF)
}

// fill reads more behind the unread bytes; false means that there is no more. It
// reads about as much as is there, so that scanning a token again after each
// fill costs time in proportion to its length.
func (s *scanner) fill() (bool, error) {
	if s.eof != nil {
		return false, nil
	}
	have := s.end - s.pos
	if have > MaxToken || s.off > MaxDocument {
		return false, s.errorf("%w", errLimit)
	}
	if s.pos > 0 {
		copy(s.buf, s.buf[s.pos:s.end])
		s.off += int64(s.pos)
		s.pos, s.end = 0, have
	}
	if have > len(s.buf)/2 {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	want := max(have, 1)
	for n, idle := 0, 0; n < want && s.eof == nil; {
		m, err := s.r.Read(s.buf[s.end:])
		s.end += m
		n += m
		s.eof = err
		if m > 0 {
			idle = 0
		} else if idle++; idle > 100 && err == nil {
			s.eof = io.ErrNoProgress
		}
	}
	return s.end-s.pos > have, nil
}

// next returns the next token. At the end of the document it returns io.EOF.
func (s *scanner) next() (token, error) {
	if s.empty {
		s.empty = false
		return tokenEnd, s.pop(s.top())
	}
	for {
		if s.pos == s.end {
			if more, err := s.fill(); err != nil {
				return 0, err
			} else if !more {
				return 0, s.finish()
			}
		}
		if s.buf[s.pos] != '<' {
			return s.text()
		}
		t, err := s.markup()
		if t != 0 || err != nil {
			return t, err
		}
	}
}

// finish is the result at the end of input.
func (s *scanner) finish() error {
	if len(s.starts) > 0 || s.eof != io.EOF {
		return s.truncated()
	}
	return io.EOF
}

// text reads up to the next tag.
func (s *scanner) text() (token, error) {
	from := 0
	for {
		if i := bytes.IndexByte(s.buf[s.pos+from:s.end], '<'); i >= 0 {
			s.raw = s.buf[s.pos : s.pos+from+i]
			s.pos += from + i
			return tokenText, nil
		}
		from = s.end - s.pos
		if more, err := s.fill(); err != nil {
			return 0, err
		} else if !more {
			s.raw = s.buf[s.pos:s.end]
			s.pos = s.end
			return tokenText, nil
		}
	}
}

// markup reads what begins with '<'. It returns 0 for what is of no interest.
func (s *scanner) markup() (token, error) {
	for s.end-s.pos < 2 {
		if err := s.need(); err != nil {
			return 0, err
		}
	}
	switch s.buf[s.pos+1] {
	case '/':
		return s.endTag()
	case '?':
		return 0, s.instruction()
	case '!':
		return s.declaration()
	}
	return s.startTag()
}

// need is fill where the input must not end.
func (s *scanner) need() error {
	more, err := s.fill()
	if err == nil && !more {
		err = s.truncated()
	}
	return err
}

// until returns the length of what is unread up to and with a delimiter, which
// is looked for after skip bytes.
func (s *scanner) until(skip int, delim string) (int, error) {
	from := skip
	for {
		if from < s.end-s.pos {
			if i := bytes.Index(s.buf[s.pos+from:s.end], []byte(delim)); i >= 0 {
				return from + i + len(delim), nil
			}
			from = max(skip, s.end-s.pos-len(delim)+1)
		}
		if err := s.need(); err != nil {
			return 0, err
		}
	}
}

func (s *scanner) endTag() (token, error) {
	n, err := s.until(2, ">")
	if err != nil {
		return 0, err
	}
	name := bytes.TrimRight(s.buf[s.pos+2:s.pos+n-1], " \t\r\n")
	if len(s.starts) == 0 || !bytes.Equal(name, s.top()) {
		return 0, s.errorf("unexpected </%.64s>", name)
	}
	s.pos += n
	return tokenEnd, s.pop(name)
}

func (s *scanner) top() []byte { return s.names[s.starts[len(s.starts)-1]:] }

// pop closes the innermost element.
func (s *scanner) pop(name []byte) error {
	s.name = local(name)
	last := len(s.starts) - 1
	s.names, s.starts = s.names[:s.starts[last]], s.starts[:last]
	return nil
}

func (s *scanner) push(name []byte) error {
	if len(s.starts) >= MaxDepth {
		return s.errorf("%w: elements are nested too deeply", errLimit)
	}
	s.starts = append(s.starts, len(s.names))
	s.names = append(s.names, name...)
	return nil
}

// instruction skips <?...?>. That of XML itself may only name UTF-8.
func (s *scanner) instruction() error {
	n, err := s.until(2, "?>")
	if err != nil {
		return err
	}
	body := s.buf[s.pos+2 : s.pos+n-2]
	if len(body) == 0 || !isNameByte[body[0]] {
		return s.errorf("processing instruction without name")
	}
	if bytes.HasPrefix(body, []byte("xml ")) {
		if e := pseudoAttr(body, "encoding"); e != "" && !isUTF8(e) {
			return s.errorf("encoding %.32q is not supported", e)
		}
	}
	s.pos += n
	return nil
}

func isUTF8(name string) bool {
	return bytes.EqualFold([]byte(name), []byte("utf-8")) || bytes.EqualFold([]byte(name), []byte("us-ascii"))
}

// pseudoAttr returns the value of NAME="VALUE" in an XML declaration.
func pseudoAttr(b []byte, name string) string {
	_, rest, ok := bytes.Cut(b, []byte(name))
	rest = bytes.TrimLeft(rest, " \t\r\n")
	if !ok || len(rest) == 0 || rest[0] != '=' {
		return ""
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	if len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	value, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(value)
}

// declaration reads <!--...-->, <![CDATA[...]]> and <!DOCTYPE...>.
func (s *scanner) declaration() (token, error) {
	const cdata = "<![CDATA["
	for s.end-s.pos < len(cdata) {
		if more, err := s.fill(); err != nil {
			return 0, err
		} else if !more {
			break
		}
	}
	rest := s.buf[s.pos:s.end]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		n, err := s.until(4, "-->")
		if err != nil {
			return 0, err
		}
		body := s.buf[s.pos+4 : s.pos+n-3]
		if bytes.Contains(body, []byte("--")) || bytes.HasSuffix(body, []byte("-")) {
			return 0, s.errorf("-- in comment")
		}
		s.pos += n
		return 0, nil
	case bytes.HasPrefix(rest, []byte(cdata)):
		n, err := s.until(len(cdata), "]]>")
		if err != nil {
			return 0, err
		}
		s.raw = s.buf[s.pos+len(cdata) : s.pos+n-3]
		s.pos += n
		return tokenCDATA, nil
	}
	n, err := s.until(2, ">")
	if err != nil {
		return 0, err
	}
	body := s.buf[s.pos+2 : s.pos+n-1]
	if !bytes.HasPrefix(body, []byte("DOCTYPE")) || bytes.ContainsAny(body, "[<") {
		return 0, s.errorf("declarations are not supported")
	}
	s.pos += n
	return 0, nil
}

// startTag reads a start tag or an empty element.
func (s *scanner) startTag() (token, error) {
	for {
		n, name, err := s.parseTag(s.buf[s.pos:s.end])
		if err != nil {
			return 0, err
		}
		if n > 0 {
			s.name = local(name)
			s.pos += n
			return tokenStart, s.push(name)
		}
		if err := s.need(); err != nil {
			return 0, err
		}
	}
}

// local returns the part of a qualified name after the colon.
func local(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// parseTag parses the tag at the start of b and returns its length; zero means
// that the tag does not end in b.
func (s *scanner) parseTag(b []byte) (n int, name []byte, err error) {
	i := 1
	for i < len(b) && isNameByte[b[i]] {
		i++
	}
	name = b[1:i]
	if i < len(b) && len(name) == 0 {
		return 0, nil, s.errorf("invalid element name")
	}
	s.attrs, s.empty = s.attrs[:0], false
	for {
		space := i
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i >= len(b) {
			return 0, nil, nil
		}
		switch {
		case b[i] == '>':
			return i + 1, name, nil
		case b[i] == '/':
			if i+1 == len(b) {
				return 0, nil, nil
			}
			if b[i+1] != '>' {
				return 0, nil, s.errorf("expected /> in element")
			}
			s.empty = true
			return i + 2, name, nil
		case space == i:
			return 0, nil, s.errorf("invalid character in element name")
		}
		n, err := s.parseAttr(b[i:])
		if n == 0 || err != nil {
			return 0, nil, err
		}
		i += n
	}
}

// parseAttr parses the attribute at the start of b; zero means that it does not
// end in b.
func (s *scanner) parseAttr(b []byte) (int, error) {
	i := 0
	for i < len(b) && isNameByte[b[i]] {
		i++
	}
	name := b[:i]
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	if i < len(b) && (b[i] != '=' || len(name) == 0) {
		return 0, s.errorf("attribute without value")
	}
	for i++; i < len(b) && isSpace(b[i]); i++ {
	}
	if i >= len(b) {
		return 0, nil
	}
	quote := b[i]
	if quote != '"' && quote != '\'' {
		return 0, s.errorf("attribute value without quotes")
	}
	i++
	end := bytes.IndexByte(b[i:], quote)
	if end < 0 {
		return 0, nil
	}
	value := b[i : i+end]
	if bytes.IndexByte(value, '<') >= 0 {
		return 0, s.errorf("< in attribute value")
	}
	if len(s.attrs) >= MaxAttrs {
		return 0, s.errorf("%w: too many attributes", errLimit)
	}
	s.attrs = append(s.attrs, attr{local(name), value})
	return i + end + 1, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// isNameByte tells which bytes may be part of a name. All of UTF-8 is taken.
var isNameByte = func() (t [256]bool) {
	for i := range t {
		c := byte(i)
		t[i] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '_' || c == ':' || c == '-' || c == '.' || c >= 0x80
	}
	return t
}()

// A ParseError says that a metadata file is not what it should be.
type ParseError struct {
	File string // its kind, such as "primary"
	Err  error  // names the place in it
}

func (e *ParseError) Error() string { return "reading " + e.File + " metadata: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ParseError) Unwrap() error { return e.Err }
