package rpmmd

import (
	"bytes"
	"io"
	"testing"
)

func BenchmarkPrimary(b *testing.B) {
	data := sharedFile(b, "rpmmd/cs9-appstream/repodata/*-primary.xml.gz")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := ParsePrimary(bytes.NewReader(data), func(*Package) error { n++; return nil }); err != nil || n != 17649 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkIndexPrimary(b *testing.B) {
	data := sharedFile(b, "rpmmd/cs9-appstream/repodata/*-primary.xml.gz")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := IndexPrimary(bytes.NewReader(data), io.Discard, "k"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFilelists(b *testing.B) {
	data := sharedFile(b, "rpmmd/cs9-baseos/repodata/*-filelists.xml.gz")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := ParseFilelists(bytes.NewReader(data), func(l *Filelist) error { n += len(l.Files); return nil }); err != nil || n != 93617 {
			b.Fatal(n, err)
		}
	}
}
