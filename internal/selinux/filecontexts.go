package selinux

import (
	"bufio"
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// File types, as in st_mode.
const (
	typeMask = 0o170000
	typeFIFO = 0o010000
	typeChar = 0o020000
	typeDir  = 0o040000
	typeBlk  = 0o060000
	typeReg  = 0o100000
	typeLink = 0o120000
	typeSock = 0o140000
)

var typeOptions = map[string]uint32{
	"-p": typeFIFO, "-c": typeChar, "-d": typeDir, "-b": typeBlk, "--": typeReg, "-l": typeLink, "-s": typeSock,
}

// noLabel is the context of files that must be left alone.
const noLabel = "<<none>>"

// A spec is a line of file_contexts: a regular expression for whole paths, a
// file type or 0, and the label.
type spec struct {
	pattern string
	mode    uint32
	label   string
	order   int    // the last spec that matches wins
	part    string // what every match contains
	re      func() (*regexp.Regexp, error)
}

// specs finds the spec of a path. Most start with a literal text, by which they
// are found, so that few regular expressions are tried.
type specs struct {
	exact    map[string][]spec // patterns without special characters, which win
	byPrefix map[string][]spec // the others, by literal start; the last ones first
}

type builder struct {
	out specs
	n   int
}

func (b *builder) parse(data []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		s := spec{pattern: f[0]}
		switch len(f) {
		case 2:
			s.label = f[1]
		case 3:
			var ok bool
			if s.mode, ok = typeOptions[f[1]]; !ok {
				return fmt.Errorf("line %d: invalid file type %q", n, f[1])
			}
			s.label = f[2]
		default:
			return fmt.Errorf("line %d: %d fields instead of 2 or 3", n, len(f))
		}
		b.add(s)
	}
	return lines.Err()
}

func (b *builder) add(s spec) {
	if b.out.exact == nil {
		b.out.exact, b.out.byPrefix = map[string][]spec{}, map[string][]spec{}
	}
	s.order = b.n
	b.n++
	prefix, whole := literalPrefix(s.pattern)
	if whole {
		b.out.exact[prefix] = append(b.out.exact[prefix], s)
		return
	}
	s.part = literalPart(s.pattern)
	s.re = sync.OnceValues(func() (*regexp.Regexp, error) {
		// As libselinux has it: the anchors are outside of any alternatives.
		return regexp.Compile("(?s)^" + s.pattern + "$")
	})
	b.out.byPrefix[prefix] = append(b.out.byPrefix[prefix], s)
}

func (b *builder) specs() specs {
	for _, m := range []map[string][]spec{b.out.exact, b.out.byPrefix} {
		for _, list := range m {
			slices.Reverse(list)
		}
	}
	return b.out
}

// literalPrefix returns the text that every match of a pattern starts with,
// and whether that is the whole pattern.
func literalPrefix(pattern string) (prefix string, whole bool) {
	if topLevelAlternative(pattern) {
		return "", false
	}
	var b []byte
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '.', '^', '$', '+', '[', '(':
			return string(b), false
		case '?', '*', '{': // the last character may be missing
			_, n := utf8.DecodeLastRune(b)
			return string(b[:len(b)-n]), false
		case '\\':
			i++
			if i == len(pattern) || isWord(pattern[i]) { // a class such as \d
				return string(b), false
			}
			b = append(b, pattern[i])
		default:
			b = append(b, c)
		}
	}
	return string(b), true
}

// literalPart returns the longest text outside of parentheses that every match of a
// pattern contains, "" if that is not known.
func literalPart(pattern string) string {
	if topLevelAlternative(pattern) {
		return ""
	}
	best, cur := "", []byte(nil)
	end := func() {
		if len(cur) > len(best) {
			best = string(cur)
		}
		cur = cur[:0]
	}
	for i, depth := 0, 0; i < len(pattern); i++ {
		c := pattern[i]
		switch c {
		case '[':
			end()
			n := strings.IndexByte(pattern[i:], ']')
			if n < 0 || strings.ContainsAny(pattern[i+1:i+n], `[\`) || n < 2 || pattern[i+1] == '^' && n == 2 {
				return best // a class that is not simple
			}
			i += n
			continue
		case '(':
			depth++
		case ')':
			depth--
		case '?', '*', '{':
			if len(cur) > 0 {
				_, n := utf8.DecodeLastRune(cur)
				cur = cur[:len(cur)-n]
			}
			if n := strings.IndexByte(pattern[i:], '}'); c == '{' && n > 0 {
				i += n
			}
		case '.', '^', '$', '+', '|':
		case '\\':
			if i++; i == len(pattern) || isWord(pattern[i]) {
				end()
				return best
			}
			c = pattern[i]
			fallthrough
		default:
			if depth == 0 {
				cur = append(cur, c)
				continue
			}
		}
		end()
	}
	end()
	return best
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// topLevelAlternative tells whether a pattern has a "|" outside of parentheses.
func topLevelAlternative(pattern string) bool {
	depth, class := 0, false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			return true
		}
	}
	return false
}

func (s *spec) allows(mode uint32) bool { return mode == 0 || s.mode == 0 || s.mode == mode }

// lookup returns the label of the last spec that matches: among those without
// special characters, then among the others.
func (s *specs) lookup(path string, mode uint32) (string, error) {
	for _, e := range s.exact[path] {
		if e.allows(mode) {
			return strings.TrimPrefix(e.label, noLabel), nil
		}
	}
	best := spec{order: -1}
	for i := len(path); i >= 0; i-- {
		if err := best.improve(s.byPrefix[path[:i]], path, mode); err != nil {
			return "", err
		}
	}
	return strings.TrimPrefix(best.label, noLabel), nil
}

// improve replaces s by the first spec of the list that matches, if that is a later line.
func (s *spec) improve(list []spec, path string, mode uint32) error {
	for _, e := range list {
		if e.order < s.order {
			return nil
		}
		if !e.allows(mode) || !strings.Contains(path, e.part) {
			continue
		}
		re, err := e.re()
		if err != nil {
			return fmt.Errorf("file context %s: %w", e.pattern, err)
		}
		if re.MatchString(path) {
			*s = e
			return nil
		}
	}
	return nil
}
