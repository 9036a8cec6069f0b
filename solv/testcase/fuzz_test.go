package testcase

import (
	"strings"
	"testing"

	"rpmostree/solv"
)

func FuzzParseDep(f *testing.F) {
	for _, s := range []string{"a", "a = 1", "a & b | c", "a <IF> (b <ELSE> c)", "(a + b) >= 2", "a.i686", "a . i686", "namespace:x(y)",
		"a:any", `\00`, `a\20b`, "<NULL>", "a compat >= 1 compat >= 2", "((a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := solv.NewPool("")
		r := ParseDep(p, s)
		if r == 0 {
			return
		}
		text := FormatDep(p, r)
		if again := ParseDep(p, text); FormatDep(p, again) != text && !strings.ContainsAny(s, "\x00\n\t\r") {
			t.Errorf("%q -> %q -> %q", s, text, FormatDep(p, again))
		}
	})
}

func FuzzRun(f *testing.F) {
	for seed := range int64(6) {
		f.Add(randomCase(seed))
	}
	f.Add("repo a 0 testtags <inline>\n#>=Pkg: A 1 1 noarch\n#>+Req:\n#>B\n#>-Req:\nsystem unset * a\ngenid lit x\ngenid null\ngenid op =\nresult genid,jobs,rules\nnextjob reusesolver\njob verify all packages\n")
	f.Add("repo a 0 testtags <inline>\n#>=Pkg: A 1 1 noarch\n#>=Req: <NULL> = 1\n#>=Prv: <NULL>\n#>=Con: \\00 = \\00\nsystem i686 rpm\njob install name A\n")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<14 {
			return
		}
		lines, err := solveText(s)
		if err != nil {
			return
		}
		again, err := solveText(s)
		if err != nil || strings.Join(lines, "\n") != strings.Join(again, "\n") {
			t.Errorf("answers differ:\n%s", Diff(lines, again))
		}
	})
}
