package solv

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	p := testPool(t, "x86_64",
		"installed bash 5.1-1 x86_64; P: /bin/sh",
		"repo bash 5.2-1.fc40 x86_64",
		"repo bash 1:5.3-2 i686",
		"repo bash-completion 2-1 noarch; P: completion(bash) = 2",
		"repo python3.12 3-1 x86_64; P: python(abi) = 3.12",
	)
	p.AddFileProvide(6, "/usr/bin/python3.12")
	for _, tt := range []struct {
		pattern string
		form    MatchForm
		want    string
	}{
		{"bash", MatchName, "bash-5.1-1.x86_64 bash-5.2-1.fc40.x86_64 bash-1:5.3-2.i686"},
		{"bash.i686", MatchNameArch, "bash-1:5.3-2.i686"},
		{"bash-5.2", MatchNEV, "bash-5.2-1.fc40.x86_64"},
		{"bash-5.2-1.fc40", MatchNEVR, "bash-5.2-1.fc40.x86_64"},
		{"bash-5.2-1.fc40.x86_64", MatchNEVRA, "bash-5.2-1.fc40.x86_64"},
		{"bash-1:5.3-2", MatchNEVR, "bash-1:5.3-2.i686"},
		{"bash-0:5.3-2", MatchNone, ""},
		{"bash-5.3-2", MatchNEVR, "bash-1:5.3-2.i686"},
		{"bash-*", MatchName, "bash-completion-2-1.noarch"},
		{"bash-5*64", MatchNEV, "bash-5.1-1.x86_64 bash-5.2-1.fc40.x86_64"},
		{"python3.12", MatchName, "python3.12-3-1.x86_64"},
		{"completion(bash)", MatchProvides, "bash-completion-2-1.noarch"},
		{"completion(bash) >= 3", MatchNone, ""},
		{"python(abi) = 3.12", MatchProvides, "python3.12-3-1.x86_64"},
		{"python(*", MatchProvides, "python3.12-3-1.x86_64"},
		{"/bin/sh", MatchProvides, "bash-5.1-1.x86_64"},
		{"/usr/bin/python3*", MatchFile, "python3.12-3-1.x86_64"},
		{"nothing", MatchNone, ""},
	} {
		ids, form := p.Match(tt.pattern, MatchOptions{})
		var got []string
		for _, id := range ids {
			got = append(got, p.String(id))
		}
		s := strings.Join(got, " ")
		if tt.pattern == "bash-5*64" { // the version is "5*64", which fits none; the whole does
			tt.form = MatchGlobNEVRA
		}
		if s != tt.want || form != tt.form {
			t.Errorf("%s: %d %q, want %d %q", tt.pattern, form, s, tt.form, tt.want)
		}
	}
}
