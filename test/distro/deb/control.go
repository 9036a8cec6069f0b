package deb

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Stanza is a paragraph of a control file, by field name. Continuation lines are
// joined by newlines without their leading space, and the line "." is empty.
type Stanza map[string]string

// ParseStanza reads the first paragraph of a control file.
func ParseStanza(text string) (Stanza, error) {
	s, last := Stanza{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "" && len(s) > 0:
			return s, nil
		case line == "":
		case line[0] == ' ' || line[0] == '\t':
			if last == "" {
				return nil, errors.New("a continuation line comes first")
			}
			if line = line[1:]; line == "." {
				line = ""
			}
			s[last] += "\n" + line
		default:
			key, value, ok := strings.Cut(line, ":")
			if !ok {
				return nil, fmt.Errorf("%q is no field", line)
			}
			last = key
			s[key] = strings.TrimSpace(value)
		}
	}
	return s, nil
}

// Relation is one alternative of a relation field: a package and a bound on its version.
type Relation struct {
	Name    string
	Op      string // "<<", "<=", "=", ">=", ">>", or "" for any version
	Version string
}

// relation has a name, an architecture qualifier that is dropped, and a version.
var relation = regexp.MustCompile(`^([a-z0-9][a-z0-9.+-]*)(?::[a-z0-9]+)?(?:\s*\((<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?$`)

// ParseRelations reads a relation field, "a (>= 1), b | c", as groups of alternatives.
func ParseRelations(field string) ([][]Relation, error) {
	var all [][]Relation
	for group := range strings.SplitSeq(strings.ReplaceAll(field, "\n", " "), ",") {
		if group = strings.TrimSpace(group); group == "" {
			continue
		}
		var one []Relation
		for alt := range strings.SplitSeq(group, "|") {
			m := relation.FindStringSubmatch(strings.TrimSpace(alt))
			if m == nil {
				return nil, fmt.Errorf("%q is no relation", alt)
			}
			one = append(one, Relation{m[1], m[2], m[3]})
		}
		all = append(all, one)
	}
	return all, nil
}
