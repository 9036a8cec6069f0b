package solv

import (
	"strings"
	"testing"
)

func FuzzParseDep(f *testing.F) {
	for _, s := range []string{"a", "a >= 1:2-3", "(a and b)", "(a if (b or c) else d)", "(a with b with c)", "((a))", "perl(Foo::Bar) = 1",
		"(a unless b", "(a or b and c)", "a >> 1", "( ", "(a else b)", "(a if b else c else d)", "/bin/sh"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := NewPool("x86_64")
		r, err := p.ParseDep(s)
		if err != nil {
			return
		}
		text := p.DepString(r)
		if strings.Count(text, "(") != strings.Count(text, ")") {
			return // a blank ended a name that has a parenthesis open, as in libsolv
		}
		again, err := p.ParseDep(text)
		if err != nil {
			t.Fatalf("%q -> %q: %v", s, text, err)
		}
		if p.DepString(again) != text {
			t.Fatalf("%q -> %q -> %q", s, text, p.DepString(again))
		}
		if n := p.normalize(r, richMode{}); n.truth > 0 && !strings.Contains(text, " if ") {
			t.Fatalf("%q holds without any package, and without a condition", s)
		}
	})
}

func FuzzMatch(f *testing.F) {
	p := testPool(f, "x86_64", "repo bash 5.2-1 x86_64; P: /bin/sh", "repo zsh 1:5-1 noarch")
	for _, s := range []string{"bash", "b*", "[a-", "zsh-1:5-1.noarch", "/bin/*", "\\", "x >= 1", "-.-", "bash-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ids, form := p.Match(s, MatchOptions{})
		if (len(ids) == 0) != (form == MatchNone) {
			t.Errorf("%q: %v, form %d", s, ids, form)
		}
	})
}
