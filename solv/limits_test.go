package solv

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"rpmostree/rpm/evr"
)

// Metadata with which the solver would take too long is an error that names the package and what there is
// too much of.
func TestLimits(t *testing.T) {
	version := func(i int) Dep { return Dep{Name: "x", Op: evr.EQ, EVR: fmt.Sprint(i)} }
	for _, tt := range []struct {
		name   string
		limits limits
		want   string
	}{
		{"none", limits{1 << 20, 1 << 20, 1 << 20}, ""},
		{"compared", limits{1 << 20, 5000, 1 << 20}, "at p1-1-1.noarch of repository base, dependency x: more than 5000 comparisons"},
		{"providers", limits{50, 1 << 20, 1 << 20}, "dependency x = 5: more than 50 packages that provide something"},
		{"rules", limits{1 << 20, 1 << 20, 1000}, "at p1-1-1.noarch of repository base: more than 1000 rules"},
	} {
		p := NewPool("x86_64")
		base := p.AddRepo("base", 99, 1000)
		p.limits = tt.limits
		for i := range 100 { // p0 wants what all p1 provide, of which there may be only one
			k := Package{Name: "p1", EVR: "1-1", Arch: "noarch"}
			if i == 0 {
				k.Name, k.Requires = "p0", []Dep{version(5)}
			}
			k.Provides = []Dep{{Name: k.Name, Op: evr.EQ, EVR: k.EVR}}
			for j := range 70 * min(i, 1) {
				k.Provides = append(k.Provides, version(j))
			}
			base.Add(k)
		}
		_, problems := Solve(p, []Job{{Action: Install, Select: SelectName(p.Intern("p0"))}}, Options{})
		switch err := p.Err(); {
		case tt.want == "" && (err != nil || len(problems) > 0):
			t.Errorf("%s: %v, %d problems", tt.name, err, len(problems))
		case tt.want != "" && (!errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// Many provides are found as few are.
func TestLongProvides(t *testing.T) {
	p := NewPool("x86_64")
	k := Package{Name: "kernel", EVR: "1-1", Arch: "x86_64", Provides: []Dep{{Name: "plain"}, {Name: "(a with b)"}}}
	for i := range 3 * longList {
		k.Provides = append(k.Provides, Dep{Name: fmt.Sprint("s", i%50), Op: evr.EQ, EVR: fmt.Sprint(i)})
	}
	id := p.AddRepo("base", 99, 1000).Add(k)
	for text, want := range map[string]bool{"s1 = 1": true, "s1 = 51": true, "s1 > 151": false, "s1 >= 151": true, "s2 = 1": false,
		"plain > 4": true, "s50 = 50": false, "s0": true, "other = 1": false} {
		d, err := p.ParseDep(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := contains(p.Providers(d), id); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
