package fetch

import (
	"slices"
	"sync"
)

// MaxMirrorFailures is after how many failures without a success between them a
// mirror goes behind all others (librepo drops it).
const MaxMirrorFailures = 4

// Mirrors is a list of base URLs that serve the same files. It remembers which
// of them failed, so one Mirrors should be shared by all requests that use it.
// It is safe for concurrent use.
type Mirrors struct {
	mu   sync.Mutex
	list []mirror
}

type mirror struct {
	base     string
	failures int
}

// NewMirrors returns the mirrors of the given base URLs, best first. Equal ones
// are taken once.
func NewMirrors(bases ...string) *Mirrors {
	m := &Mirrors{}
	for _, b := range bases {
		if !slices.ContainsFunc(m.list, func(x mirror) bool { return x.base == b }) {
			m.list = append(m.list, mirror{base: b})
		}
	}
	return m
}

// Bases returns the base URLs in the order in which they are tried now.
func (m *Mirrors) Bases() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.Clone(m.list)
	slices.SortStableFunc(list, func(a, b mirror) int { return a.rank() - b.rank() })
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = x.base
	}
	return out
}

// rank does not count single failures: a mirror that lacks one file is not bad.
func (x mirror) rank() int {
	if x.failures < MaxMirrorFailures {
		return 0
	}
	return x.failures
}

// report notes how a transfer from a mirror has ended: with how many failures it
// counts, or zero for a success.
func (m *Mirrors) report(base string, failures int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.list {
		if m.list[i].base != base {
			continue
		}
		if failures == 0 {
			m.list[i].failures = 0
		} else {
			m.list[i].failures += failures
		}
	}
}
