package testcase

import (
	"slices"
	"strings"
)

// Canonical returns result lines without what differs between two proofs of one answer: the ids
// of problems, solutions and alternatives, which are sums over rules. What belongs together stays
// together: a problem with its solutions, a solution with its parts, an alternative with its
// choices. Proofs and rules are left as they are.
func Canonical(lines []string) []string {
	var out []string
	groups := map[string][]string{} // "problem ID", "alternative ID"
	for _, line := range lines {
		kind, rest, _ := strings.Cut(line, " ")
		id, rest, _ := strings.Cut(rest, " ")
		if kind == "problem" || kind == "alternative" {
			groups[kind+" "+id] = append(groups[kind+" "+id], rest)
			continue
		}
		out = append(out, line)
	}
	for key, members := range groups {
		kind, _, _ := strings.Cut(key, " ")
		if kind == "problem" {
			members = withoutSolutionIDs(members)
		}
		slices.Sort(members)
		out = append(out, kind+" "+strings.Join(members, "; "))
	}
	slices.Sort(out)
	return out
}

// withoutSolutionIDs joins the parts of each solution.
func withoutSolutionIDs(lines []string) (out []string) {
	parts := map[string][]string{}
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, "solution ")
		if !ok {
			out = append(out, line)
			continue
		}
		id, part, _ := strings.Cut(rest, " ")
		parts[id] = append(parts[id], part)
	}
	for _, p := range parts {
		slices.Sort(p)
		out = append(out, "solution "+strings.Join(p, " and "))
	}
	return out
}
