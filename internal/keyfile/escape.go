package keyfile

import (
	"errors"
	"strings"
)

var errEscape = errors.New("invalid escape sequence")

// unescape decodes a string value.
func unescape(s string) (string, error) { return unescapeList(s, 0) }

// unescapeList decodes one list element; "\" before sep stands for sep.
func unescapeList(s string, sep byte) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch {
		case i == len(s):
			return "", errEscape
		case s[i] == 's':
			b.WriteByte(' ')
		case s[i] == 'n':
			b.WriteByte('\n')
		case s[i] == 't':
			b.WriteByte('\t')
		case s[i] == 'r':
			b.WriteByte('\r')
		case s[i] == '\\':
			b.WriteByte('\\')
		case sep != 0 && s[i] == sep:
			b.WriteByte(sep)
		default:
			return "", errEscape
		}
	}
	return b.String(), nil
}

// escape encodes a value. Only leading blanks need an escape, because a reader
// strips them.
func escape(s string, sep byte) string {
	var b strings.Builder
	leading := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ' ' && leading:
			b.WriteString(`\s`)
		case c == '\t' && leading:
			b.WriteString(`\t`)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\\':
			b.WriteString(`\\`)
		case sep != 0 && c == sep:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
		if c != ' ' && c != '\t' {
			leading = false
		}
	}
	return b.String()
}
