package scripts

import "strings"

// maxExpansion bounds the text that Expand makes, in bytes.
const maxExpansion = 1 << 20

// Expand replaces rpm macros in the text of a script that asks for it (flag
// "expand"): %name, %{name}, %{?name}, %{?name:text}, %{!?name:text} and %%.
// As in rpm, an unknown macro stays as it is.
func Expand(text string, macros map[string]string) string {
	var b strings.Builder
	for len(text) > 0 && b.Len() < maxExpansion {
		i := strings.IndexByte(text, '%')
		if i < 0 || i+1 == len(text) {
			break
		}
		b.WriteString(text[:i])
		text = text[i:]
		used, value := expandOne(text, macros)
		b.WriteString(value)
		text = text[used:]
	}
	b.WriteString(text)
	return b.String()
}

// expandOne expands the macro at the start of text, which is a "%" with at
// least one byte behind it, and returns how many bytes it took.
func expandOne(text string, macros map[string]string) (used int, value string) {
	switch {
	case text[1] == '%':
		return 2, "%"
	case text[1] == '{':
		end := closing(text)
		if end < 0 {
			return 1, "%"
		}
		return end + 1, braced(text[2:end], text[:end+1], macros)
	}
	n := 1
	for n < len(text) && isWord(text[n]) {
		n++
	}
	if v, ok := macros[text[1:n]]; ok {
		return n, v
	}
	return n, text[:n]
}

// closing returns the index of the brace that closes the one at text[1], or -1.
func closing(text string) int {
	depth := 0
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// braced expands the inside of %{...}; whole is what to leave if it is unknown.
func braced(inside, whole string, macros map[string]string) string {
	name := strings.TrimLeft(inside, "!?")
	marks := inside[:len(inside)-len(name)]
	name, body, hasBody := strings.Cut(name, ":")
	v, known := macros[name]
	if !strings.Contains(marks, "?") {
		if !known || hasBody {
			return whole
		}
		return v
	}
	if known == strings.Contains(marks, "!") {
		return ""
	}
	if hasBody {
		return Expand(body, macros)
	}
	return v
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
