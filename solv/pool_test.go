package solv

import (
	"fmt"
	"slices"
	"testing"
)

// A list of any length has each dependency once, at its first place; what scripts need is not among
// the ordinary requirements.
func TestLists(t *testing.T) {
	for _, n := range []int{1, longList / 2, longList, longList + 1, 10 * longList} {
		var names, pre []Dep
		for i := range n {
			names = append(names, Dep{Name: fmt.Sprintf("a%d", i/2)})
			pre = append(pre, Dep{Name: fmt.Sprintf("a%d", 3*i), Pre: true})
		}
		p := NewPool("x86_64")
		r := p.AddRepo("r", 0, 0)
		id := r.Add(Package{Name: "p", EVR: "1-1", Arch: "noarch", Provides: names, Requires: slices.Concat(names, pre)})
		var provides, requires []string
		for i := range (n + 1) / 2 {
			name := fmt.Sprintf("a%d", i)
			provides = append(provides, name)
			if i%3 != 0 {
				requires = append(requires, name)
			}
		}
		requires = append(requires, "")
		for _, d := range pre {
			requires = append(requires, d.Name)
		}
		for kind, want := range map[depKind][]string{depProvides: provides, depRequires: requires} {
			var got []string
			for _, d := range p.list(&p.sols[id], kind) {
				if d == preMarker {
					got = append(got, "")
				} else {
					got = append(got, p.DepString(d))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d: %q, want %q", n, got, want)
			}
		}
	}
}
