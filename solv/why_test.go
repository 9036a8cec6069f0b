package solv

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhy(t *testing.T) {
	p := testPool(t, "x86_64",
		"repo app 1-1 noarch; R: lib",
		"repo liba 1-1 noarch; P: lib; R: base; C: foe",
		"repo base 1-1 noarch",
		"repo foe 1-1 noarch",
	)
	r := SolveAll(p, []Job{installJob(p, "app")}, Options{})
	var got []string
	for _, c := range r.Why(4) {
		got = append(got, c.Fact())
	}
	want := []string{"liba-1-1.noarch requires base", "app-1-1.noarch requires lib", "job install app"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if c := r.Why(5); len(c) > 0 && c[0].Kind != ReasonConflicts {
		t.Errorf("%v", c)
	}
}

// TestRichWork checks that a dependency whose normal form is exponentially large takes no time.
func TestRichWork(t *testing.T) {
	p := NewPool("x86_64")
	r := p.AddRepo("r", 99, 1000)
	for _, n := range []string{"a", "b", "c"} {
		for range 20 {
			r.Add(Package{Name: n, EVR: "1", Arch: "noarch", Provides: []Dep{{Name: n}}})
		}
	}
	deep := "a"
	for range 60 {
		deep = "(b if " + deep + " else c)"
	}
	wide := "(a and b)"
	for range 40 {
		wide = "((a and b and c) or " + wide + ")"
	}
	for _, s := range []string{deep, wide, strings.Replace(deep, "b if", "b unless", -1)} {
		d, err := p.ParseDep(s)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		p.normalize(d, richMode{})
		p.normalize(d, richMode{disjunctive: true})
		p.positive(d)
		t.Log(time.Since(start))
	}
}
