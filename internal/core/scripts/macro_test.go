package scripts

import "testing"

func TestExpand(t *testing.T) {
	macros := map[string]string{"_arch": "x86_64", "_install_langs": "all"}
	for in, want := range map[string]string{
		"":                           "",
		"a%%b":                       "a%b",
		"%_arch-%{_arch}":            "x86_64-x86_64",
		"%{unknown} %unknown":        "%{unknown} %unknown",
		"%{?unknown}%{?_arch}":       "x86_64",
		"%{?_arch:is %{_arch}}":      "is x86_64",
		"%{!?_arch:no}%{!?x:no}":     "no",
		"100%":                       "100%",
		"%{open":                     "%{open",
		"langs=%{_install_langs} %(": "langs=all %(",
	} {
		if got := Expand(in, macros); got != want {
			t.Errorf("Expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("%{?a:%{b}}%%%c")
	f.Fuzz(func(t *testing.T, s string) { Expand(s, map[string]string{"a": "%{a}", "b": "x"}) })
}
