package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rpmostree/solv"
	"rpmostree/solv/testcase"
)

// verdicts has testsolv decide for every package whether it can be installed by itself. It indexes
// the repositories anew for each request, which costs far more than the answer. So it is
// first asked for many packages at once. That decides about all that are in the transaction, and
// about each one whose request is all that a problem could be solved by dropping: what
// contradicts it are packages alone. The others are asked for in smaller groups, in the end one by one.
func verdicts(ctx context.Context, p *solv.Pool, ids []solv.ID, o options, repos string) (map[string]bool, error) {
	var open []string
	for _, id := range ids {
		open = append(open, testcase.PackageString(p, id))
	}
	can := map[string]bool{}
	for _, size := range []int{40, 6, 1} {
		// Neighbours are builds of one name, which exclude each other: they go to different groups.
		groups := make([][]string, (len(open)+size-1)/size)
		for i, name := range open {
			groups[i%len(groups)] = append(groups[i%len(groups)], name)
		}
		answers, err := askGroups(ctx, filepath.Join(o.keep, fmt.Sprintf("verdicts-%d.t", size)), groups, repos)
		if err != nil {
			return nil, err
		}
		for i, lines := range answers {
			decide(groups[i], lines, can)
		}
		rest := open[:0]
		for _, name := range open {
			if _, known := can[name]; !known {
				rest = append(rest, name)
			}
		}
		open = rest
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("testsolv gives no verdict about %s and %d others", open[0], len(open)-1)
	}
	return can, nil
}

// askGroups has testsolv install all packages of each group.
func askGroups(ctx context.Context, file string, groups [][]string, repos string) ([][]string, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	var text strings.Builder
	text.WriteString(repos + "system x86_64 rpm\n")
	for i, group := range groups {
		if i > 0 {
			text.WriteString("nextjob\n")
		}
		text.WriteString(header)
		for _, name := range group {
			text.WriteString("job install pkg " + name + "\n")
		}
		text.WriteString("result transaction,problems\n")
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return nil, err
	}
	answers, err := testsolv(ctx, file)
	if err == nil && len(answers) != len(groups) {
		err = fmt.Errorf("%s: %d answers to %d requests", file, len(answers), len(groups))
	}
	return answers, err
}

// decide adds the verdicts that follow from the answer about a group.
func decide(group, lines []string, can map[string]bool) {
	member := map[string]bool{}
	for _, name := range group {
		member[name] = true
	}
	ways := map[string]map[string]bool{} // out of each problem
	for _, line := range lines {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "install" && member[f[1]]:
			can[f[1]] = true
		case len(f) > 4 && f[0] == "problem" && f[2] == "solution":
			if ways[f[1]] == nil {
				ways[f[1]] = map[string]bool{}
			}
			ways[f[1]][strings.Join(f[4:], " ")] = true
		}
	}
	for _, list := range ways {
		for way := range list {
			if name, ok := strings.CutPrefix(way, "deljob install pkg "); ok && len(list) == 1 && member[name] {
				can[name] = false
			}
		}
	}
	if len(group) == 1 && len(ways) > 0 {
		can[group[0]] = false
	}
}
