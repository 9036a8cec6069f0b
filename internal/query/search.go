package query

import (
	"strings"

	"rpmostree/solv"
)

// A Group is where the terms of a search were found.
type Group string

// The groups, in the order in which they are shown, with the keys that the D-Bus
// method Search has for them.
const (
	NameAndSummary Group = "match_group_a"
	NameOnly       Group = "match_group_b"
	SummaryOnly    Group = "match_group_c"
)

// maxFound is how many names a group has at most, as upstream has it.
const maxFound = 50

// A Found is a package that a search found.
type Found struct {
	Group Group `json:"group"`
	Package
}

// Search returns the packages whose names or summaries contain all terms, or
// match them if they are shell patterns, without regard to case. In the first
// group are those that have a single term in both, or of which each of several
// terms is in one of them. A package can be in more than one group; each has a
// name only once.
func (x Index) Search(terms []string) []Found {
	var out []Found
	for _, g := range []struct {
		group Group
		parts []func(solv.ID) bool
	}{
		{NameAndSummary, x.both(terms)},
		{NameOnly, []func(solv.ID) bool{all(terms, x.name, equal), all(terms, x.name, contains)}},
		{SummaryOnly, []func(solv.ID) bool{all(terms, x.summary, equal), all(terms, x.summary, contains)}},
	} {
		seen := map[string]bool{}
		for _, match := range g.parts {
			for _, id := range x.IDs() {
				if len(seen) == maxFound {
					break
				}
				if name := x.name(id); !seen[name] && match(id) {
					seen[name] = true
					out = append(out, Found{g.group, x.Package(id)})
				}
			}
		}
	}
	return out
}

// both is the condition of the first group.
func (x Index) both(terms []string) []func(solv.ID) bool {
	return []func(solv.ID) bool{func(id solv.ID) bool {
		for _, t := range terms {
			inName, inSummary := contains(t, x.name(id)), contains(t, x.summary(id))
			if len(terms) == 1 && !(inName && inSummary) || !inName && !inSummary {
				return false
			}
		}
		return true
	}}
}

func all(terms []string, text func(solv.ID) string, match func(term, text string) bool) func(solv.ID) bool {
	return func(id solv.ID) bool {
		s := text(id)
		for _, t := range terms {
			if !match(t, s) {
				return false
			}
		}
		return true
	}
}

func equal(term, text string) bool {
	if isPattern(term) {
		return contains(term, text)
	}
	return strings.EqualFold(term, text)
}

func contains(term, text string) bool {
	term, text = strings.ToLower(term), strings.ToLower(text)
	if isPattern(term) {
		return solv.Glob(term, text)
	}
	return strings.Contains(text, term)
}

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }

func (x Index) name(id solv.ID) string { return x.Sack.Pool.Info(id).Name }
func (x Index) summary(id solv.ID) string {
	if src := x.Sack.Source(id); src.Remote() {
		return src.Summary()
	}
	return x.Package(id).Summary
}
