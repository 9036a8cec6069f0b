package rpm

import (
	"strings"
	"testing"
)

func TestParseRich(t *testing.T) {
	for in, want := range map[string]string{ // "" is an error
		"(a and b)":                         "(a and b)",
		"(a  or\tb or c)":                   "(a or b or c)",
		"(a if b)":                          "(a if b)",
		"(a >= 1:2-3 if (b or c) else d)":   "(a >= 1:2-3 if (b or c) else d)",
		"(a unless b else (c with d))":      "(a unless b else (c with d))",
		"(a without b)":                     "(a without b)",
		"(libc.so.6()(64bit) and x(y) < 2)": "(libc.so.6()(64bit) and x(y) < 2)",
		"((a))":                             "a",
		"":                                  "",
		"a":                                 "",
		"(":                                 "",
		"()":                                "",
		"(a":                                "",
		"(a and)":                           "",
		"(a b)":                             "",
		"(a and b) c":                       "",
		"(a and b or c)":                    "",
		"(a if b if c)":                     "",
		"(a without b without c)":           "",
		"(a else b)":                        "",
		"(a if b else c else d)":            "",
		"(a >)":                             "",
		strings.Repeat("(", 100) + "a":      "",
	} {
		got, err := ParseRich(in)
		if want == "" && err == nil || want != "" && (err != nil || got.String() != want) {
			t.Errorf("ParseRich(%q) = %v, %v; want %q", in, got, err, want)
		}
	}
}

func FuzzParseRich(f *testing.F) {
	for _, s := range []string{"(a and b)", "(a >= 1 if (b or c) else d)", "((x(y) without z) unless w)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRich(s)
		if err != nil || r.Op == "" {
			return
		}
		again, err := ParseRich(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q: %q: %v", s, r, err)
		}
	})
}

func TestRichNames(t *testing.T) {
	for in, want := range map[string]string{
		"(b and a and b)":              "a b",
		"(a if b)":                     "a !b",
		"(a unless b else c)":          "a b c !b",
		"(a >= 1 and rpmlib(X)) or so": "a",
		"(a else b)":                   "a !a !b",
		"((a if b) or c)":              "a c !b",
		"(a if b":                      "",
		"plain":                        "",
	} {
		if got := strings.Join(RichNames(in), " "); got != want {
			t.Errorf("RichNames(%q) = %q, want %q", in, got, want)
		}
	}
}

// An "else" doubles the names before it, but equal ones are one.
func TestNestedRichNames(t *testing.T) {
	dep := strings.Repeat("(a if ", 60) + "b" + strings.Repeat(" else c)", 60)
	if got := strings.Join(RichNames(dep), " "); got != "a b c !a !b !c" {
		t.Errorf("names %q", got)
	}
}

func FuzzRichNames(f *testing.F) {
	for _, s := range []string{"(a and b)", "(a if (b or c) else d)", "(a >= 1 with b)", "(((", "(a(b)c unless x)"} {
		f.Add(s)
	}
	f.Add(strings.Repeat("(a if ", 60) + "b" + strings.Repeat(" else c)", 60))
	f.Fuzz(func(t *testing.T, s string) {
		if n := len(RichNames(s)); n > len(s)+maxRichNames {
			t.Errorf("%d names", n)
		}
	})
}

func TestDepMatchedBy(t *testing.T) {
	for _, c := range []struct {
		want, have Dep
		match      bool
	}{
		{Dep{"a", 0, ""}, Dep{"a", DepEqual, "1-1"}, true},
		{Dep{"a", 0, ""}, Dep{"b", 0, ""}, false},
		{Dep{"a", DepGreater | DepEqual, "2"}, Dep{"a", DepEqual, "1:1-1"}, true},
		{Dep{"a", DepGreater | DepEqual, "2"}, Dep{"a", DepEqual, "1-1"}, false},
		{Dep{"a", DepLess, "2"}, Dep{"a", 0, ""}, true},
		{Dep{"a", DepEqual | DepPre, "2"}, Dep{"a", DepEqual, "2-7"}, true},
	} {
		if got := c.want.MatchedBy(c.have); got != c.match {
			t.Errorf("%v by %v: %v", c.want, c.have, got)
		}
	}
}
