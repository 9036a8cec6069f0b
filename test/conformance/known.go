package main

import (
	_ "embed"
	"fmt"
	"strings"
)

// knownText gives the scripts that do not pass and the reason of each: "NAME REASON" lines;
// "#" begins a comment.
//
//go:embed known.txt
var knownText string

func parseKnown(text string) (map[string]string, error) {
	known := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, reason, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("known.txt: %s has no reason", name)
		}
		known[name] = strings.TrimSpace(reason)
	}
	return known, nil
}
