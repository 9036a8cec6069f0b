package repo

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A PathSet is a list of absolute paths of which it is known whether each was
// met. It is safe for concurrent use.
type PathSet[T any] struct {
	mu  sync.Mutex
	all map[string]T
	met map[string]bool
}

func (s *PathSet[T]) put(path string, v T) {
	if s.all == nil {
		s.all, s.met = map[string]T{}, map[string]bool{}
	}
	s.all[path] = v
}

// match looks a path up and marks it as met.
func (s *PathSet[T]) match(path string) (v T, ok bool) {
	if s == nil {
		return v, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok = s.all[path]; ok {
		s.met[path] = true
	}
	return v, ok
}

// Unmatched returns the sorted paths that were not met so far.
func (s *PathSet[T]) Unmatched() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.all)), func(p string) bool { return s.met[p] })
}

// A ModeOverride changes the mode of a file: it sets the permission bits, or
// adds to them.
type ModeOverride struct {
	Bits uint32
	Set  bool
}

// ParseStatOverride reads the lines "[=]MODE /path" of a statoverride file.
// MODE is decimal, or hexadecimal after "0x"; with "=" it replaces the
// permission bits, without it is added to them. Paths with "=" need not be there:
// Unmatched leaves them out, as libostree does. Blank lines and those that
// start with "#" are skipped.
func ParseStatOverride(text string) (*PathSet[ModeOverride], error) {
	var s PathSet[ModeOverride]
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		mode, path, ok := strings.Cut(line, " ")
		if !ok || path == "" {
			return nil, errors.New("Malformed statoverride file (no space found)")
		}
		mode, set := strings.CutPrefix(mode, "=")
		mode = strings.TrimPrefix(mode, "+")
		n, err := strconv.ParseUint(mode, 10, 32)
		if hex, isHex := strings.CutPrefix(strings.ToLower(mode), "0x"); isHex {
			n, err = strconv.ParseUint(hex, 16, 32)
		}
		if err != nil {
			return nil, fmt.Errorf("Malformed statoverride file (invalid mode): %s", line)
		}
		s.put(path, ModeOverride{uint32(n), set})
		s.met[path] = set
	}
	return &s, nil
}

// ParseSkipList reads a list of absolute paths, one a line.
func ParseSkipList(text string) *PathSet[struct{}] {
	var s PathSet[struct{}]
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && line[0] != '#' {
			s.put(line, struct{}{})
		}
	}
	return &s
}
