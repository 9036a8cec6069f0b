package rpmmd

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rpmostree/rpm/evr"
)

const sampleFilelists = `<?xml version="1.0" encoding="UTF-8"?>
<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="2">
<package pkgid="ab" name="a" arch="x86_64">
  <version epoch="0" ver="1" rel="2"/>
  <file>/usr/bin/a</file><file type="dir">/usr/a&amp;b</file>
  <file type="ghost">/var/<!-- x -->log</file><file/>
</package>
<package pkgid="cd" name="c" arch="noarch"><version epoch="3" ver="1" rel="2"/><file>/usr/<![CDATA[bin]]>/a</file></package>
</filelists>
`

func TestFilelists(t *testing.T) {
	want := []Filelist{
		{PkgID: "ab", Name: "a", Arch: "x86_64", EVR: evr.EVR{Version: "1", Release: "2"}, Files: []File{
			{"/usr/bin/a", FileRegular}, {"/usr/a&b", FileDir}, {"/var/log", FileGhost}, {"", FileRegular},
		}},
		{PkgID: "cd", Name: "c", Arch: "noarch", EVR: evr.EVR{Epoch: 3, HasEpoch: true, Version: "1", Release: "2"},
			Files: []File{{"/usr/bin/a", FileRegular}}},
	}
	got, err := allFilelists(strings.NewReader(sampleFilelists))
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
}

func allFilelists(r io.Reader) ([]Filelist, error) {
	var out []Filelist
	err := ParseFilelists(r, func(l *Filelist) error {
		c := *l
		c.Files = slices.Clone(l.Files)
		out = append(out, c)
		return nil
	})
	return out, err
}

// owners finds paths in the slow way.
func owners(lists []Filelist, paths []string) []string {
	var out []string
	for _, l := range lists {
		for _, f := range l.Files {
			if slices.Contains(paths, f.Path) {
				out = append(out, fmt.Sprint(Owner{l.PkgID, l.Name, l.Arch, l.EVR, f}))
			}
		}
	}
	return out
}

func found(r io.Reader, paths []string) ([]string, error) {
	var out []string
	err := FindPaths(r, paths, func(o Owner) error { out = append(out, fmt.Sprint(o)); return nil })
	return out, err
}

func TestFindPaths(t *testing.T) {
	lists, err := allFilelists(strings.NewReader(sampleFilelists))
	if err != nil {
		t.Fatal(err)
	}
	for _, paths := range [][]string{{}, {"/usr/bin/a"}, {"/usr/a&b", "/var/log"}, {"", "/nothing"}, {"/usr/a&amp;b"}} {
		got, err := found(strings.NewReader(sampleFilelists), paths)
		want := owners(lists, paths)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, error %v, want %v", paths, got, err, want)
		}
	}
}

func TestFindPathsReal(t *testing.T) {
	data := sharedFile(t, "rpmmd/cs9-baseos/repodata/*-filelists.xml.gz")
	lists, err := allFilelists(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/usr/bin/bash", "/etc/passwd", "/usr/share/doc", "/does/not/exist"}
	got, err := found(bytes.NewReader(data), paths)
	if want := owners(lists, paths); err != nil || !slices.Equal(got, want) || len(got) != 3 {
		t.Errorf("got %v, error %v, want %v", got, err, want)
	}
}

func FuzzFilelists(f *testing.F) {
	f.Add([]byte(sampleFilelists), "/usr/bin/a")
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		lists, err := allFilelists(bytes.NewReader(data))
		if err != nil || path == "" {
			return
		}
		got, err := found(bytes.NewReader(data), []string{path})
		if err != nil {
			t.Fatalf("search failed, parse did not: %v", err)
		}
		if want := owners(lists, []string{path}); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func BenchmarkFindPaths(b *testing.B) {
	data := sharedFile(b, "rpmmd/cs9-baseos/repodata/*-filelists.xml.gz")
	b.SetBytes(int64(len(data)))
	paths := []string{"/usr/bin/bash", "/etc/passwd", "/usr/share/doc", "/does/not/exist"}
	for b.Loop() {
		if _, err := found(bytes.NewReader(data), paths); err != nil {
			b.Fatal(err)
		}
	}
}
