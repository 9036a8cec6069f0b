package rpmmd

import (
	"fmt"
	"strings"
)

// iniSection is a section of a .repo file.
type iniSection struct {
	name   string
	keys   []string // in the order of the file
	values map[string]string
}

// parseINI reads yum's dialect: a line that begins with a blank continues the
// value before, comments begin with "#" or ";" at the start of a line only, a section
// may be continued later, and a value may be quoted as a whole.
func parseINI(b []byte) ([]iniSection, error) {
	if len(b) > MaxRepoFile {
		return nil, errLimit
	}
	var sections []iniSection
	index := map[string]int{}
	current, key, number := -1, "", 0
	for line := range strings.Lines(strings.TrimPrefix(string(b), "\ufeff")) {
		number++
		empty := strings.Trim(line, "\r\n") == ""
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case empty:
			key = "" // the value ends here; a line of blanks does not end it
		case line == "":
		case line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			name, _, ok := strings.Cut(line[1:], "]")
			if !ok || name == "" {
				return nil, fmt.Errorf("line %d: invalid section header", number)
			}
			at, seen := index[name]
			if !seen {
				at = len(sections)
				index[name] = at
				sections = append(sections, iniSection{name: name, values: map[string]string{}})
			}
			current, key = at, ""
		case line[0] == ' ' || line[0] == '\t':
			if text := strings.TrimLeft(line, " \t"); text[0] == '#' || text[0] == ';' {
				continue
			}
			if key == "" {
				return nil, fmt.Errorf("line %d: continuation of nothing", number)
			}
			sections[current].values[key] += "\n" + strings.TrimLeft(line, " \t")
		default:
			k, v, ok := strings.Cut(line, "=")
			key = strings.TrimSpace(k)
			if !ok || key == "" || current < 0 {
				return nil, fmt.Errorf("line %d: expected KEY=VALUE in a section", number)
			}
			s := &sections[current]
			if _, seen := s.values[key]; !seen {
				s.keys = append(s.keys, key)
			}
			s.values[key] = strings.TrimSpace(v)
		}
	}
	for _, s := range sections {
		for k, v := range s.values {
			s.values[k] = unquote(v)
		}
	}
	return sections, nil
}

// unquote takes one pair of quotes away, as libdnf does. It leaves them on lists, where
// they would only make URLs and patterns that mean nothing.
func unquote(v string) string {
	if n := len(v); n > 1 && (v[0] == '"' || v[0] == '\'') && v[n-1] == v[0] {
		return v[1 : n-1]
	}
	return v
}
