package sysroot

import (
	"strings"
	"testing"

	"rpmostree/internal/keyfile"
)

// list reads deployments written as letters, each with marks: "*" booted, "!"
// pinned, "+" staged, "'" of another stateroot.
func list(text string) *State {
	st := &State{}
	for i, f := range strings.Fields(text) {
		d := Deployment{OSName: "os", Index: i, BootChecksum: f[:1]}
		d.Checksum[0] = f[0]
		for _, mark := range f[1:] {
			switch mark {
			case '*':
				d.Booted = true
			case '+':
				d.Staged = true
			case '\'':
				d.OSName = "other"
			case '!':
				d.Origin = new(keyfile.File)
				_ = d.Origin.Set(transientGroup, "pinned", "true")
			}
		}
		st.Deployments = append(st.Deployments, d)
	}
	return st
}

func letters(list []Deployment) string {
	var names []string
	for _, d := range list {
		names = append(names, d.BootChecksum)
	}
	return strings.Join(names, " ")
}

func TestWith(t *testing.T) {
	all := Retain{All: true}
	for _, tt := range []struct {
		before, merge string
		retain        Retain
		want          string
	}{
		{"", "", Retain{}, "N"},
		{"a", "a", Retain{}, "N a"},
		{"a b", "a", Retain{}, "N a"},
		{"a b", "a", all, "N a b"},
		{"a b", "", Retain{Pending: true}, "N a b"},
		{"a b", "", Retain{}, "N"},
		{"p a* r", "a", Retain{}, "N a"},
		{"p a* r", "a", Retain{Pending: true}, "N p a"},
		{"p a* r", "a", Retain{Rollback: true}, "N a r"},
		{"p a* r", "a", all, "N p a r"},
		{"p a* r", "a", Retain{NotDefault: true}, "a N"},
		{"p a* r", "a", Retain{NotDefault: true, All: true}, "p a N r"},
		{"a b", "a", Retain{NotDefault: true, All: true}, "a N b"},
		{"", "", Retain{NotDefault: true}, "N"},
		{"a b", "", Retain{NotDefault: true, All: true}, "a b N"},
		{"p! a* r! s", "a", Retain{}, "N p a r"},
		{"x' a* y'", "a", Retain{}, "N x a y"},
		{"s+ a* r", "a", Retain{}, "N a"},
		{"s+ a* r", "a", Retain{Pending: true}, "N s a"},
		{"p a* r", "p", Retain{}, "N p a"},
	} {
		st := list(tt.before)
		n := list("N").Deployments[0]
		var merge *Deployment
		for i, d := range st.Deployments {
			if d.BootChecksum == tt.merge {
				merge = &st.Deployments[i]
			}
		}
		if got := letters(st.With(n, merge, tt.retain)); got != tt.want {
			t.Errorf("%q, merge %q, %+v: %q, want %q", tt.before, tt.merge, tt.retain, got, tt.want)
		}
	}
}

func TestRoles(t *testing.T) {
	for _, tt := range []struct{ list, pending, rollback, merge string }{
		{"", "", "", ""},
		{"a b", "a", "", "a"},
		{"a* b", "", "b", "a"},
		{"p q a* b c", "p", "b", "a"},
		{"p' a* b' c", "", "c", "a"},
		{"p a'* b", "p", "", "p"},
	} {
		st := list(tt.list)
		for _, r := range []struct {
			name string
			get  func(string) (Deployment, bool)
			want string
		}{{"pending", st.Pending, tt.pending}, {"rollback", st.Rollback, tt.rollback}, {"merge", st.MergeDeployment, tt.merge}} {
			d, ok := r.get("os")
			if ok != (r.want != "") || d.BootChecksum != r.want {
				t.Errorf("%q: %s is %q, want %q", tt.list, r.name, d.BootChecksum, r.want)
			}
		}
	}
}

func TestReorder(t *testing.T) {
	st := list("a b c")
	if got := letters(st.WithDefault(2)); got != "c a b" {
		t.Errorf("WithDefault(2) = %s", got)
	}
	if got := letters(st.Without(1)); got != "a c" {
		t.Errorf("Without(1) = %s", got)
	}
	if got := letters(st.Deployments); got != "a b c" {
		t.Errorf("the state changed: %s", got)
	}
}
