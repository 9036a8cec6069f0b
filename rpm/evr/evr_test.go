package evr

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func sharedFile(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("RPMOSTREE_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	b, err := os.ReadFile(filepath.Join(dir, "data", name))
	if err != nil {
		t.Skipf("no shared test data: %v", err)
	}
	return b
}

func TestVercmpPairs(t *testing.T) {
	var pairs []struct {
		A, B   string
		Expect int
	}
	if err := json.Unmarshal(sharedFile(t, "rpms/cavaliergopher/vercmp.json"), &pairs); err != nil {
		t.Fatal(err)
	}
	for _, p := range pairs {
		if got := Vercmp(p.A, p.B); got != p.Expect {
			t.Errorf("Vercmp(%q, %q) = %d, want %d", p.A, p.B, got, p.Expect)
		}
	}
	t.Logf("%d pairs", len(pairs))
}

func TestVercmp(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "2.0", -1}, {"2.0.1", "2.0.1a", -1}, {"5.5p1", "5.5p10", -1},
		{"10xyz", "10.1xyz", -1}, {"xyz10", "xyz10.1", -1}, {"xyz.4", "8", -1}, {"1.0010", "1.9", 1},
		{"1.05", "1.5", 0}, {"2_0", "2.0", 0}, {"a+", "a_", 0}, {"+_", "_+", 0}, {"1.0.", "1.0", 0},
		{"1.0~rc1", "1.0", -1}, {"1.0~rc1", "1.0~rc1~git123", 1}, {"1.0~~", "1.0~", -1},
		{"1.0^", "1.0", 1}, {"1.0^git1", "1.0.1", -1}, {"1.0^git1~pre", "1.0^git1", -1},
		{"1.0~rc1^git1", "1.0~rc1", 1}, {"1.0^20160101", "1.0^20160101^git1", -1}, {"1a", "1.a", 0},
		{"~", "", -1}, {"^", "", 1}, {"a", "1", -1}, {"00", "0", 0}, {"ab", "abc", -1}, {"b", "abc", 1},
	} {
		if got := Vercmp(tt.a, tt.b); got != tt.want {
			t.Errorf("Vercmp(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := Vercmp(tt.b, tt.a); got != -tt.want {
			t.Errorf("Vercmp(%q, %q) = %d, want %d", tt.b, tt.a, got, -tt.want)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"1-1", "0:1-1", 0}, {"1:1-1", "2-1", 1}, {"1-2", "1-10", -1}, {"1", "1-1", -1}, {"1", "0:1", 0},
		{"00:1", "1", 0}, {"1-1-2", "1-1-1", 1}, {"", "", 0},
	} {
		if got := CompareStrings(tt.a, tt.b); got != tt.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, tt := range []struct {
		provided, wanted string
		want             bool
	}{
		{"= 1", "= 1", true}, {"= 1", "= 1-5", true}, {"= 1-5", "= 1", true}, {"= 1-5", "= 1-6", false},
		{"= 1", "< 1-5", true}, {"< 1", "= 1-5", false}, {"< 2", "< 1", true}, {"< 2", "> 2", false},
		{"<= 2", ">= 2", true}, {"<= 2", "> 2", false}, {"= 1:1", "= 1", false}, {"= 0:1", "= 1", true},
		{"", "= 1", true}, {"= 1", "", true}, {"= 2-1", "> 2", false}, {"= 2-1", ">= 2", true},
	} {
		p, ok1 := ParseRange(tt.provided)
		w, ok2 := ParseRange(tt.wanted)
		if !ok1 || !ok2 {
			t.Fatalf("%v: parse", tt)
		}
		if got := Overlap(p, w); got != tt.want {
			t.Errorf("Overlap(%q, %q) = %v", tt.provided, tt.wanted, got)
		}
	}
}

func TestParseNEVRA(t *testing.T) {
	for _, s := range []string{"bash-5.2-1.fc40.x86_64", "a-b-c-1:2-3.noarch", "x-0:1~rc1-1^g.i686"} {
		n, err := ParseNEVRA(s)
		if err != nil || n.String() != s {
			t.Errorf("ParseNEVRA(%q) = %v, %v", s, n, err)
		}
	}
	for _, s := range []string{"", "bash", "bash-5.2", "bash-5.2-1", "-1-1.x", "a--1.x", "a-1-.x", "a-1-1.", "a-1:-1.x"} {
		if n, err := ParseNEVRA(s); err == nil && s != "bash-5.2-1" {
			t.Errorf("ParseNEVRA(%q) = %+v", s, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1:2-3", "2~rc-3")
	f.Add("^~", "~^")
	f.Add("99999999999:1", "0:")
	f.Fuzz(func(t *testing.T, a, b string) {
		ea, eb := Parse(a), Parse(b)
		if again := Parse(ea.String()); ea.Release != "" && !ea.HasEpoch && again.Version != ea.Version {
			t.Errorf("%q: %+v, then %+v", a, ea, again)
		}
		if Compare(ea, eb) != -Compare(eb, ea) {
			t.Errorf("Compare(%q, %q) is not antisymmetric", a, b)
		}
		if Vercmp(a, a+"~") != 1 && a != "" {
			t.Errorf("%q~ does not sort first", a)
		}
		if n, err := ParseNEVRA(a); err == nil && n.HasEpoch && n.Epoch > 0 && n.String() == "" {
			t.Errorf("%q", a)
		}
	})
}
