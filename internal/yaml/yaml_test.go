package yaml

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	some := Aliases{Anchors: 2, Expansion: 100}
	for _, tt := range []struct {
		text string
		want any
	}{
		{"", "old"},
		{"# nothing\n", "old"},
		{"---\n...\n", "old"},
		{"null", nil},
		{"a: [1, -2, 0x10, 1.5, true, ~, '1']", map[string]any{"a": []any{uint64(1), int64(-2), uint64(16), 1.5, true, nil, "1"}}},
		{"%YAML 1.1\n---\na: b\n...\n", map[string]any{"a": "b"}},
		{"--- # comment\na: b\n", map[string]any{"a": "b"}},
		{"a: &x {b: c}\nd: *x\ne:\n  <<: *x\n  f: g\n", map[string]any{"a": map[string]any{"b": "c"}, "d": map[string]any{"b": "c"},
			"e": map[string]any{"b": "c", "f": "g"}}},
		{"a: |\n  x\n\n  y\n", map[string]any{"a": "x\n\ny\n"}},
	} {
		var v any = "old"
		if err := Decode([]byte(tt.text), some, &v); err != nil || !reflect.DeepEqual(v, tt.want) {
			t.Errorf("%q: %#v, error %v, want %#v", tt.text, v, err, tt.want)
		}
	}
}

// lines writes n lines, each with its number.
func lines(n int, format string) string {
	var b strings.Builder
	b.WriteString("data:\n")
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// Documents that would overflow the stack, grow, or take long, are refused.
func TestLimits(t *testing.T) {
	const keys, depth, length = "too many keys", "nested too deeply", "a key of more than"
	for _, tt := range []struct{ name, text, want string }{
		{"as many keys as may be", lines(MaxKeys, "  k%d: v\n"), ""},
		{"one key more", lines(MaxKeys+1, "  k%d: v\n"), keys},
		{"explicit keys", lines(MaxKeys+1, "  ? k%d\n  : v\n"), keys},
		{"explicit keys alone", lines(MaxKeys+1, "  ? k%d\n"), keys},
		{"keys with nothing behind", lines(MaxKeys+1, "  k%d:\n"), keys},
		{"keys of mappings inside", lines(MaxKeys+1, "  k%d:\n    a: b\n"), keys},
		{"keys before tabs", lines(MaxKeys+1, "  k%d:\tv\n"), keys},
		{"lines that carriage returns end", lines(MaxKeys+1, "  k%d:\r"), keys},
		{"keys below a list", "- a: b\n" + strings.ReplaceAll(lines(MaxKeys+1, "  k%d: v\n"), "data:\n", ""), keys},
		{"mappings of a list", lines(10_000, "  - k%d: v\n"), ""},
		{"a list", "data:\n" + strings.Repeat("- a\n", 20_000), ""},
		{"a list in brackets", "data: [" + strings.Repeat("a, ", 20_000) + "]\n", ""},
		{"a text", "data: |\n" + strings.Repeat("  Note: a text\n", MaxKeys+1), ""},
		{"brackets", "data: " + strings.Repeat("[", 20_000), depth},
		{"brackets that close", "data: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), depth},
		{"brackets that close too often", strings.Repeat("]", 20_000) + strings.Repeat("[", 20_000), depth},
		{"brackets in a text", "data: '" + strings.Repeat("[", 20_000) + "'\n", ""},
		{"as deep as may be", strings.Repeat("[", MaxNesting) + strings.Repeat("]", MaxNesting), ""},
		{"braces", strings.Repeat("{a: ", 20_000) + "b" + strings.Repeat("}", 20_000), depth},
		{"dashes", strings.Repeat("- ", 20_000) + "a", depth},
		{"dashes of several lines", strings.Repeat("- ", 900) + "\n" + strings.Repeat(" ", 1800) + strings.Repeat("- ", 900) + "a", depth},
		{"question marks", strings.Repeat("? ", 20_000) + "a", depth},
		{"tags of tags", "x: " + strings.Repeat("!a\n   ", 20_000) + "b\n", depth},
		{"tags and anchors", "x: " + strings.Repeat("&a !b\n   ", 20_000) + "b\n", depth},
		{"a long key", strings.Repeat("k", MaxKeyLength) + ": a", ""},
		{"a longer key", strings.Repeat("k", MaxKeyLength+1) + ": a", length},
		{"a long explicit key", "? " + strings.Repeat("k", MaxKeyLength+1) + "\n: a", length},
		{"a long key in braces", "{" + strings.Repeat("k", MaxKeyLength+1) + ": a}", length},
		{"signs that begin a merge", "a: " + strings.Repeat("<", 20_000), length},
		{"much below long keys", nestedKeys(100) + strings.Repeat(" ", 100) + "- a\n" + strings.Repeat(strings.Repeat(" ", 100)+"- a\n", 1000), "too many values below long keys"},
		{"keys beside their dashes", strings.ReplaceAll(lines(MaxKeys+1, "k%d:\n- a\n"), "data:\n", ""), keys},
		{"lines of a list in brackets", "[\n" + lines(MaxKeys+1, "\"k%d\": v\n") + "]", keys},
		{"lines of a mapping in braces", "{x:\n" + lines(MaxKeys+1, " \"k%d\": v\n") + "}", keys},
		{"lines in braces at changing columns", "{? x\n" + lines(MaxKeys, "   \"k%d\": v\n \"l\": w\n") + "}", keys},
		{"keys that commas separate", "{" + strings.ReplaceAll(lines(MaxKeys+1, "k%d: v, "), "data:\n", "") + "}", ""},
		{"empty lines in succession", "data: |\n  a\n" + strings.Repeat("\n", 1<<14), "empty lines"},
		{"empty lines with blanks", "data: |\n  a\n" + strings.Repeat(" \r\n", 1<<14), "empty lines"},
		{"empty lines here and there", "data: |\n" + strings.Repeat("  a\n\n", 20_000), ""},
		{"some empty lines", "data: |\n  a\n" + strings.Repeat("\n", 500), ""},
		{"anchors without aliases", lines(50, "  k%d: &a b\n"), ""},
	} {
		var v any
		err := Decode([]byte(tt.text), Aliases{}, &v)
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// nestedKeys nests n mappings, each with a key as long as may be.
func nestedKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + strings.Repeat("k", MaxKeyLength) + ":\n")
	}
	return b.String()
}

func TestErrors(t *testing.T) {
	some := Aliases{Anchors: 2, Expansion: 100}
	for _, tt := range []struct {
		text    string
		aliases Aliases
		want    error
	}{
		{"a: 'x", some, ErrSyntax},
		{"a: 1\na: 2\n", some, ErrSyntax},
		{"a: b\n---\nc: d\n", some, ErrSyntax},
		{"[a]", some, ErrType},
		{"text", some, ErrType},
		{"a: &x b\nc: *x\n", Aliases{}, ErrType},
		{"a: *x\n", some, ErrType},
		{"{a: &a 1, b: &b 2, c: &c 3, d: *a}", some, ErrLimit},
		{"{a: &a [1], b: &b [*a]}", some, ErrLimit},
		{"a: &a [*a]", some, ErrLimit},
		{"{a: &a abcdefghi, b: [" + strings.Repeat("*a, ", 20) + "]}", some, ErrLimit},
	} {
		v := map[string]any{}
		if err := Decode([]byte(tt.text), tt.aliases, &v); !errors.Is(err, tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %v", tt.text, err, tt.want)
		}
	}
}

func TestScalar(t *testing.T) {
	for text, want := range map[string]Scalar{
		"5.30": "5.30", "010": "010", "0x10": "0x10", "1_0": "1_0", "1e3": "1e3", "-1": "-1", ".inf": ".inf", "true": "true", "on": "on",
		"a b": "a b", "'5.30' # c": "5.30", `"\x41"`: "A", "!!str 1.10": "1.10", "&a 1.10": "1.10", "|\n  a\n  b": "a\nb\n", "~": "", "": "",
	} {
		var v struct{ A, B Scalar }
		if err := Decode([]byte("a: "+text+"\nb: x\n"), Aliases{}, &v); err != nil || v.A != want || v.B != "x" {
			t.Errorf("%s: %q, error %v, want %q", text, v, err, want)
		}
		var list []Scalar
		if err := Decode([]byte("- "+text), Aliases{}, &list); err != nil || len(list) != 1 || strings.TrimSpace(string(list[0])) != strings.TrimSpace(string(want)) {
			t.Errorf("%s: %q, error %v, want %q", text, list, err, want)
		}
	}
	for _, text := range []string{"a: [b]", "a: {b: c}", "a:\n- b\n"} {
		var v struct{ A Scalar }
		if err := Decode([]byte(text), Aliases{}, &v); !errors.Is(err, ErrType) {
			t.Errorf("%q: %q, error %v", text, v.A, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("%YAML 1.1\n--- # c\na: &x {b: c}\nd: *x\n? e\n: - f\n  - |-\n    g\n\n  - >+2\n      h\n...\n"), true)
	f.Add([]byte("{a: [b, 'c', \"d\\x41\"], <<: {e: !!str f}}"), false)
	f.Fuzz(func(t *testing.T, text []byte, aliases bool) {
		var limits Aliases
		if aliases {
			limits = Aliases{Anchors: 10, Expansion: 1 << 16}
		}
		var v any
		err := Decode(text, limits, &v)
		if err != nil && !errors.Is(err, ErrLimit) && !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrType) {
			t.Errorf("unknown kind of error: %v", err)
		}
	})
}
