package keyfile

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

const sample = `# top comment

[core]
repo_version=1
mode=archive-z2

[remote "origin"]
url = https://example.com/repo
# which branches
branches=a;b\;c;d
gpg-verify=false
name=\sx\ty\\z
`

func TestReadAndChange(t *testing.T) {
	f, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	const r = `remote "origin"`
	if got := f.Get(r, "url"); got != "https://example.com/repo" {
		t.Errorf("url = %q", got)
	}
	if got := f.Get(r, "name"); got != " x\ty\\z" {
		t.Errorf("name = %q", got)
	}
	if got := f.List(r, "branches"); !slices.Equal(got, []string{"a", "b;c", "d"}) {
		t.Errorf("branches = %q", got)
	}
	if v, err := f.Bool(r, "gpg-verify", true); v || err != nil {
		t.Errorf("gpg-verify = %v, %v", v, err)
	}
	if v, _ := f.Int("core", "repo_version", 0); v != 1 {
		t.Errorf("repo_version = %d", v)
	}
	if _, err := f.String("core", "nope"); !errors.Is(err, ErrNotFound) ||
		err.Error() != "Key file does not have key “nope” in group “core”" {
		t.Errorf("missing key: %v", err)
	}
	if got := f.Groups(); !slices.Equal(got, []string{"core", r}) {
		t.Errorf("groups = %q", got)
	}
	if err := f.Set("core", "mode", "bare"); err != nil {
		t.Fatal(err)
	}
	f.SetList("new", "l", []string{"x", "y;z"})
	f.Remove(r, "name")
	want := `# top comment

[core]
repo_version=1
mode=bare

[remote "origin"]
url=https://example.com/repo
# which branches
branches=a;b\;c;d
gpg-verify=false

[new]
l=x;y\;z;
`
	if got := string(f.Bytes()); got != want {
		t.Errorf("rewritten:\n%s\nwant:\n%s", got, want)
	}
}

func TestInvalid(t *testing.T) {
	for _, s := range []string{"a=b\n", "[a\n", "[]\n", "[a]\nb\n", "[a]\n=x\n", "[a]\nk=\x00\n"} {
		if _, err := Parse([]byte(s)); err == nil {
			t.Errorf("Parse(%q) accepted", s)
		}
	}
	var f File
	for _, kv := range [][2]string{{"g]", "k"}, {"", "k"}, {"g", ""}, {"g", "a=b"}, {"g", "a\nb"}} {
		if err := f.Set(kv[0], kv[1], "v"); err == nil {
			t.Errorf("Set(%q) accepted", kv)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("[a]\nb=c\n[a]\nd=e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := Parse(b)
		if err != nil {
			return
		}
		once := k.Bytes()
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("own output refused: %v\n%q", err, once)
		}
		if !bytes.Equal(again.Bytes(), once) {
			t.Fatalf("not stable:\n%q\n%q", once, again.Bytes())
		}
		for _, g := range k.Groups() {
			for _, key := range k.Keys(g) {
				k.List(g, key)
				s, err := k.String(g, key)
				if err != nil {
					continue
				}
				if err := k.Set(g, key, s); err == nil && k.Get(g, key) != s {
					t.Fatalf("Set then Get of %q = %q", s, k.Get(g, key))
				}
			}
		}
	})
}

func TestWrongValues(t *testing.T) {
	f, err := Parse([]byte("[g]\nb=perhaps\nn=1x\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Bool("g", "b", false); err == nil || err.Error() != "Key file contains key “b” which has a value that cannot be interpreted." {
		t.Error(err)
	}
	if _, err := f.Int("g", "n", 0); err == nil || err.Error() != "Key file contains key “n” in group “g” which has a value that cannot be interpreted." {
		t.Error(err)
	}
}

func TestRemoveGroup(t *testing.T) {
	const text = "[a]\nx=1\n\n# of a\n\n[b]\ny=2\n\n[c]\nz=3\n"
	for _, tt := range []struct{ name, want string }{
		{"c", "[a]\nx=1\n\n# of a\n\n[b]\ny=2\n"},
		{"b", "[a]\nx=1\n\n# of a\n\n[c]\nz=3\n"},
		{"a", "[b]\ny=2\n\n[c]\nz=3\n"},
		{"b c", "[a]\nx=1\n\n# of a\n"},
		{"c b", "[a]\nx=1\n\n# of a\n"},
		{"a b c", ""},
	} {
		f, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range strings.Fields(tt.name) {
			if !f.RemoveGroup(name) || f.RemoveGroup(name) {
				t.Errorf("%s: %s was there once", tt.name, name)
			}
		}
		if got := string(f.Bytes()); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if err := f.SetRaw("d", "k", "v"); err != nil {
			t.Fatal(err)
		}
		if again, err := Parse(f.Bytes()); err != nil || string(again.Bytes()) != string(f.Bytes()) {
			t.Errorf("%s: %q is not read as it was written (%v)", tt.name, f.Bytes(), err)
		}
	}
}
