package line

import (
	"slices"
	"testing"
)

func TestVerify(t *testing.T) {
	const text = `.......T.    /usr/bin/true
.......T.  d /usr/share/doc/x
S.5....T.  c /etc/passwd
missing     /var/lib/rpm
....L....    /home
....L..T.    /srv
missing     /usr/bin/false
.M.....T.    /usr/bin/su
S.5....T.    /usr/bin/sh
.M.....T.  c /etc/shadow
....L....    /usr/lib
Unsatisfied dependencies for x-1-1.noarch:
`
	config, odd := verify(text, expectedOnDisk)
	if !slices.Equal(config, []string{"/etc/passwd"}) {
		t.Errorf("edited configuration: %q", config)
	}
	want := []string{
		"missing     /usr/bin/false", ".M.....T.    /usr/bin/su", "S.5....T.    /usr/bin/sh", ".M.....T.  c /etc/shadow",
		"....L....    /usr/lib", "Unsatisfied dependencies for x-1-1.noarch:",
	}
	if !slices.Equal(odd, want) {
		t.Errorf("unexplained: %q", odd)
	}
	if _, odd := verify("missing     /var/lib/rpm\n.M.......    /proc\n....L....    /home\n", expectedRunning); len(odd) != 1 {
		t.Errorf("unexplained in a running system: %q; want /var/lib/rpm only", odd)
	}
}

func TestNames(t *testing.T) {
	for _, c := range [][2]string{{"bash-5.2.15-2+b13.x86_64", "bash"}, {"lab-hello-1.0-1.noarch", "lab-hello"}, {"odd", ""}} {
		if got := packageName(c[0]); got != c[1] {
			t.Errorf("packageName(%q) is %q, want %q", c[0], got, c[1])
		}
	}
	if got := withoutEpoch("lab-config-2:1.0-1.noarch"); got != "lab-config-1.0-1.noarch" {
		t.Errorf("withoutEpoch: %q", got)
	}
	if got := with([]string{"a-1-1.noarch", "b-1-1.noarch"}, "b-2-1.noarch"); !slices.Equal(got, []string{"a-1-1.noarch", "b-2-1.noarch"}) {
		t.Errorf("with: %q", got)
	}
	if sameSet([]string{"a", "b"}, []string{"a", "b"}) != nil || sameSet([]string{"a"}, []string{"b"}) == nil {
		t.Error("sameSet is wrong")
	}
}
