package rpmostree

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// jsonPath returns what an expression selects in a decoded JSON value.
func jsonPath(root any, path string) ([]any, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, fmt.Errorf("Parsing JSONPath '%s': it must start with '$'", path)
	}
	now := []any{root}
	for rest != "" {
		step, quoted, tail, err := jsonStep(rest)
		if err != nil {
			return nil, fmt.Errorf("Parsing JSONPath '%s': %w", path, err)
		}
		rest = tail
		next := []any{}
		for _, v := range now {
			next = append(next, jsonSelect(v, step, quoted)...)
		}
		now = next
	}
	return now, nil
}

// jsonStep cuts one step off an expression: a member, an element or "*".
func jsonStep(s string) (step string, quoted bool, rest string, err error) {
	switch {
	case strings.HasPrefix(s, "['"):
		end := strings.Index(s, "']")
		if end < 0 {
			return "", false, "", fmt.Errorf("no end of ['")
		}
		return s[2:end], true, s[end+2:], nil
	case s[0] == '[':
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", false, "", fmt.Errorf("no end of [")
		}
		return s[1:end], false, s[end+1:], nil
	case s[0] == '.' && len(s) > 1:
		s = s[1:]
		end := strings.IndexAny(s, ".[")
		if end < 0 {
			end = len(s)
		}
		if end > 0 {
			return s[:end], s[:end] != "*", s[end:], nil
		}
	}
	return "", false, "", fmt.Errorf("unexpected '%s'", s)
}

func jsonSelect(v any, step string, quoted bool) []any {
	switch v := v.(type) {
	case map[string]any:
		if step == "*" && !quoted {
			var all []any
			for _, k := range slices.Sorted(maps.Keys(v)) {
				all = append(all, v[k])
			}
			return all
		}
		if x, ok := v[step]; ok {
			return []any{x}
		}
	case []any:
		if step == "*" && !quoted {
			return v
		}
		if i, err := strconv.Atoi(step); err == nil && !quoted {
			if i < 0 {
				i += len(v)
			}
			if i >= 0 && i < len(v) {
				return []any{v[i]}
			}
		}
	}
	return nil
}
