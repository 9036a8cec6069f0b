package scripts

import (
	"fmt"
	"strconv"
	"strings"

	"rpmostree/rpm"
)

// Format replaces header tags in the text of a script that asks for it (flag
// "qformat"), as "rpm --queryformat" does: %{TAG}, %% and backslash escapes.
// Of an array it takes the first element. Iterators, conditions and formats are
// an error: no script is known that has them.
func Format(text string, h *rpm.Header) (string, error) {
	var b strings.Builder
	for len(text) > 0 && b.Len() < maxExpansion {
		i := strings.IndexAny(text, `%\[]`)
		if i < 0 {
			break
		}
		b.WriteString(text[:i])
		text = text[i:]
		switch {
		case strings.HasPrefix(text, "%%"):
			b.WriteByte('%')
			text = text[2:]
		case strings.HasPrefix(text, "%{"):
			end := strings.IndexByte(text, '}')
			if end < 0 {
				return "", fmt.Errorf("query format: no '}' after %.20q", text)
			}
			tag, ok := rpm.ParseTag(text[2:end])
			if !ok {
				return "", fmt.Errorf("query format: unknown tag: %q", text[2:end])
			}
			b.WriteString(value(h, tag))
			text = text[end+1:]
		case text[0] == '\\' && len(text) > 1:
			b.WriteString(escaped(text[1]))
			text = text[2:]
		default:
			return "", fmt.Errorf("query format: %.20q is not supported", text)
		}
	}
	b.WriteString(text)
	return b.String(), nil
}

// value prints a tag as rpm does without a format.
func value(h *rpm.Header, tag rpm.Tag) string {
	if s := h.Strings(tag); len(s) > 0 {
		return s[0]
	}
	if n, ok := h.Uint(tag); ok {
		return strconv.FormatUint(n, 10)
	}
	return "(none)"
}

// escaped returns what a backslash and a letter stand for.
func escaped(c byte) string {
	if i := strings.IndexByte("abfnrtv", c); i >= 0 {
		return string("\a\b\f\n\r\t\v"[i])
	}
	return string(c)
}
