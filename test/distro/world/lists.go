package world

import (
	"embed"
	"fmt"
	"strings"
)

// listFiles are the inputs that are not downloaded: which packages, and what to change.
//
//go:embed lists
var listFiles embed.FS

// lists is what the text files in lists/ say.
type lists struct {
	seeds     []string // packages of the composed system
	extra     []string // further packages of the repository
	blackhole map[string]bool
	overrides map[string][][]string // by package: verb, package, arguments
	keep      map[string]bool       // packages whose documentation stays
}

func readLists() (*lists, error) {
	l := &lists{blackhole: map[string]bool{}, overrides: map[string][][]string{}, keep: map[string]bool{}}
	for _, f := range []struct {
		name string
		line func(words []string) error
	}{
		{"seeds.txt", func(w []string) error { l.seeds = append(l.seeds, w...); return nil }},
		{"extra.txt", func(w []string) error { l.extra = append(l.extra, w...); return nil }},
		{"blackhole.txt", func(words []string) error {
			for _, w := range words {
				l.blackhole[w] = true
			}
			return nil
		}},
		{"overrides.txt", func(w []string) error {
			if len(w) < 2 {
				return fmt.Errorf("%q names no package", w)
			}
			l.overrides[w[1]] = append(l.overrides[w[1]], w)
			l.keep[w[1]] = l.keep[w[1]] || w[0] == "keep"
			return nil
		}},
	} {
		text, err := listFiles.ReadFile("lists/" + f.name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			if words := strings.Fields(line); len(words) > 0 {
				if err := f.line(words); err != nil {
					return nil, fmt.Errorf("%s: %w", f.name, err)
				}
			}
		}
	}
	return l, nil
}
