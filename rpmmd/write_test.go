package rpmmd

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// writePrimary writes packages as a whole document.
func writePrimary(t testing.TB, pkgs []*Package) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(PrimaryHeader(len(pkgs)))
	for _, p := range pkgs {
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString(PrimaryFooter)
	return b.Bytes()
}

// FuzzWritePrimary: what was read, written and read again is the same.
func FuzzWritePrimary(f *testing.F) {
	f.Add([]byte(samplePrimary))
	f.Fuzz(func(t *testing.T, data []byte) {
		pkgs, err := parseAll(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, p := range pkgs {
			expressible(p)
		}
		again, err := parseAll(bytes.NewReader(writePrimary(t, pkgs)))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if d := gocmp.Diff(pkgs, again); d != "" {
			t.Errorf("(-first +second):\n%s", d)
		}
	})
}

// expressible drops what the written form cannot say: a version without a
// comparison, and versions that do not come from their three parts.
func expressible(p *Package) {
	for k := range DepKinds {
		list := p.Deps(k)
		for i := range *list {
			d := &(*list)[i]
			if flagsText(d.Op) == "" {
				d.Op, d.EVR = 0, ""
			}
			if strings.ContainsAny(d.EVR, ":-") {
				d.EVR = "1"
			}
		}
	}
}

// What createrepo_c wrote is written again in the same bytes.
func TestWritePrimaryReal(t *testing.T) {
	for _, repo := range []string{"cs9-appstream", "cs9-baseos"} {
		want := sharedFile(t, "rpmmd/"+repo+"/repodata/*-primary.xml.gz")
		pkgs, err := parseAll(bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		got := writePrimary(t, pkgs)
		a, b := bytes.SplitAfter(want, []byte("</package>\n")), bytes.SplitAfter(got, []byte("</package>\n"))
		if len(a) != len(b) {
			t.Fatalf("%d elements, want %d", len(b), len(a))
		}
		for i := range a {
			if !bytes.Equal(bytes.TrimSpace(a[i]), bytes.TrimSpace(b[i])) {
				t.Fatalf("%s (-want +got):\n%s", repo, gocmp.Diff(string(a[i]), string(b[i])))
			}
		}
	}
}

func TestWriteFilelistsReal(t *testing.T) {
	want := sharedFile(t, "rpmmd/cs9-baseos/repodata/*-filelists.xml.gz")
	lists, err := allFilelists(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(FilelistsHeader(len(lists)))
	for i := range lists {
		if err := lists[i].Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString(FilelistsFooter)
	again, err := allFilelists(&b)
	if err != nil || !reflect.DeepEqual(lists, again) {
		t.Errorf("differs, error %v", err)
	}
}

func TestOther(t *testing.T) {
	want := Changelogs{PkgID: "ab", Name: "n", Arch: "a", Entries: []Changelog{
		{"A <a@x> é \"q\"", 5, "- one\n- two & <three>"}, {"", 0, ""},
	}}
	var b bytes.Buffer
	b.WriteString(OtherHeader(1))
	if err := want.Write(&b); err != nil {
		t.Fatal(err)
	}
	b.WriteString(OtherFooter)
	var got Changelogs
	err := ParseOther(&b, func(l *Changelogs) error { got = *l; return nil })
	if d := gocmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
}
