package tmpfiles

import (
	"slices"
	"testing"
)

func TestText(t *testing.T) {
	got := string(Text([]Line{
		{Type: 'd', Path: "/var/lib/b c", Mode: 0o700, User: "svc", Group: "svc"},
		{Type: 'L', Path: "/opt/x", Target: "../../usr/lib/opt/x"},
		{Type: 'd', Path: "/run/100%", Mode: 0o2755, User: "root", Group: "root"},
		{Type: 'd', Path: "/run/100%", Mode: 0o755, User: "root", Group: "root"},
	}))
	want := `L /opt/x - - - - ../../usr/lib/opt/x
d /run/100%% 2755 root root - -
d /var/lib/b\x20c 0700 svc svc - -
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestPaths(t *testing.T) {
	got := Paths([]byte("# c\nd /var/lib/x 0755 - - -\nL+ \"/var/y\" - - - - t\nd /run/%u 0755\n\n"))
	if want := []string{"/var/lib/x", "/var/y"}; !slices.Equal(got, want) {
		t.Errorf("Paths = %q, want %q", got, want)
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{"/var/run/x": "/run/x", "/var/runx": "/var/runx", "var/../../etc": "/etc"} {
		if got := Canonical(in); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", in, got, want)
		}
	}
	if !Skipped("/var/lib/rpm/x") || Skipped("/var/lib/foo") || !Covers("/var") || Covers("/variable") {
		t.Error("Skipped or Covers is wrong")
	}
}
