package universe

import (
	"testing"

	"rpmostree/rpm/evr"
	"rpmostree/test/distro/deb"
)

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1", "1", 0}, {"1", "2", -1}, {"1.10", "1.9", 1}, {"1:1", "2", 1}, {"0:1", "1", 0}, {"1~rc1", "1", -1},
		{"1-1", "1-2", -1}, {"1", "1-0", 0}, {"1-0", "1-0.1", -1}, {"1+b1", "1", 1}, {"1a", "1+", -1}, {"1.01", "1.1", 0},
		{"1~~", "1~", -1}, {"2-1-1", "2-1", 1},
	} {
		if got := compareVersions(c.a, c.b); got != c.want {
			t.Errorf("compareVersions(%q, %q) = %d", c.a, c.b, got)
		}
		if got := compareVersions(c.b, c.a); got != -c.want {
			t.Errorf("compareVersions(%q, %q) = %d", c.b, c.a, got)
		}
	}
}

// TestDep has relations that rpm would answer otherwise than dpkg.
func TestDep(t *testing.T) {
	w := newWriter([]*entry{{name: "a", version: "1.0", evr: convertVersion("1.0-0")}, {name: "b", version: "1+a", evr: convertVersion("1+a-0")}})
	for _, c := range []struct {
		r    deb.Relation
		want string
	}{
		{deb.Relation{Name: "a"}, "a"},
		{deb.Relation{Name: "a", Op: ">=", Version: "1.0"}, "a >= 1.0"},
		{deb.Relation{Name: "a", Op: "<<", Version: "1.0-0"}, "a < 1.0-0"},
		{deb.Relation{Name: "b", Op: ">>", Version: "1b"}, "b >= 1+a-0"}, // dpkg: letters sort before "+"
		{deb.Relation{Name: "none", Op: "=", Version: "2:1-1"}, "none = 2:1-1"},
	} {
		if got := w.dep(c.r).String(); got != c.want {
			t.Errorf("%v: %s, want %s", c.r, got, c.want)
		}
	}
	if v := convertVersion("1:2-3-4"); v.String() != "1:2_3-4" || v.Epoch != 1 {
		t.Error(v)
	}
	if !meets(0, evr.EQ) || meets(1, evr.LT) {
		t.Error("meets")
	}
}
