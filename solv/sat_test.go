package solv

import (
	"fmt"
	"testing"
)

// TestPropagateAllocatesNothing has a long chain of requirements with conflicts beside it: the
// loop that draws conclusions must work in place.
func TestPropagateAllocatesNothing(t *testing.T) {
	const n = 1000
	p := NewPool("")
	r := p.AddRepo("r", 99, 1000)
	for i := range n {
		name := func(i int) string { return fmt.Sprintf("p%d", i) }
		k := Package{Name: name(i), EVR: "1-1", Arch: "noarch", Provides: []Dep{{Name: name(i)}, {Name: "any"}},
			Conflicts: []Dep{{Name: fmt.Sprintf("c%d", i)}}}
		if i+1 < n {
			k.Requires = []Dep{{Name: name(i + 1)}}
		}
		r.Add(k)
		r.Add(Package{Name: fmt.Sprintf("c%d", i), EVR: "1-1", Arch: "noarch", Provides: []Dep{{Name: fmt.Sprintf("c%d", i)}},
			Requires: []Dep{{Name: "any"}}})
	}
	s := newSolver(p, []Job{{Action: Install, Select: SelectName(p.Intern("p0"))}, {Action: Install, Select: SelectAll()}}, Options{})
	s.addRules()
	s.makeWatches()
	first := r.IDs()[0]
	concluded := 0
	allocs := testing.AllocsPerRun(20, func() {
		s.reasons = append(s.reasons[:0], DecidedUnrelated, DecidedJob)
		s.decide(first, 1, 0)
		if c := s.propagate(1); c != 0 {
			t.Fatal("a conflict")
		}
		concluded = len(s.decisions)
		s.revert(0)
		s.propagated = 0
	})
	if concluded != 2*n {
		t.Errorf("%d conclusions, want %d", concluded, 2*n)
	}
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
