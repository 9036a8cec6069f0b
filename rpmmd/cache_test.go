package rpmmd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func cacheOf(t testing.TB, pkgs []*Package, key string) []byte {
	t.Helper()
	w := NewCacheWriter()
	for _, p := range pkgs {
		w.Add(p)
	}
	var buf bytes.Buffer
	if err := w.Write(&buf, key); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func readCache(b []byte, key string) ([]*Package, error) {
	var out []*Package
	err := ReadCache(bytes.NewReader(b), key, func(p *Package) error { out = append(out, p); return nil })
	return out, err
}

func TestCache(t *testing.T) {
	want, err := parseAll(strings.NewReader(samplePrimary))
	if err != nil {
		t.Fatal(err)
	}
	b := cacheOf(t, want, "key")
	got, err := readCache(b, "key")
	if d := gocmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
	if _, err := readCache(b, "other"); !errors.Is(err, ErrCache) {
		t.Errorf("other key: error %v", err)
	}
	for i := range b {
		if _, err := readCache(b[:i], "key"); !errors.Is(err, ErrCache) {
			t.Fatalf("first %d bytes: error %v", i, err)
		}
		c := bytes.Clone(b)
		c[i] ^= 0x10
		if _, err := readCache(c, "key"); !errors.Is(err, ErrCache) {
			t.Fatalf("byte %d changed: error %v", i, err)
		}
	}
	stop := errors.New("stop")
	if err := ReadCache(bytes.NewReader(b), "key", func(*Package) error { return stop }); err != stop {
		t.Errorf("error %v", err)
	}
	if got, err := readCache(cacheOf(t, nil, ""), ""); err != nil || len(got) != 0 {
		t.Errorf("empty cache: %v, %v", got, err)
	}
}

func TestCacheReal(t *testing.T) {
	want, err := parseAll(bytes.NewReader(sharedFile(t, "rpmmd/cs9-appstream/repodata/*-primary.xml.gz")))
	if err != nil {
		t.Fatal(err)
	}
	b := cacheOf(t, want, "k")
	got, err := readCache(b, "k")
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d packages, error %v", len(got), err)
	}
	for i := range got {
		if !reflect.DeepEqual(want[i], got[i]) {
			t.Fatalf("%s (-want +got):\n%s", want[i], gocmp.Diff(want[i], got[i]))
		}
	}
	t.Logf("%d packages in %d bytes", len(got), len(b))
}

// FuzzCache gives the reader what a CRC does not keep out.
func FuzzCache(f *testing.F) {
	pkgs, err := parseAll(strings.NewReader(samplePrimary))
	if err != nil {
		f.Fatal(err)
	}
	b := cacheOf(f, pkgs, "k")
	f.Add(b[:len(b)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		b = binary.LittleEndian.AppendUint32(bytes.Clone(b), crc32.Checksum(b, castagnoli))
		got, err := readCache(b, "k")
		if err != nil && !errors.Is(err, ErrCache) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		again, err := readCache(cacheOf(t, got, "k"), "k")
		if d := gocmp.Diff(got, again); d != "" || err != nil {
			t.Errorf("error %v (-first +second):\n%s", err, d)
		}
	})
}

func BenchmarkCache(b *testing.B) {
	pkgs, err := parseAll(bytes.NewReader(sharedFile(b, "rpmmd/cs9-appstream/repodata/*-primary.xml.gz")))
	if err != nil {
		b.Fatal(err)
	}
	data := cacheOf(b, pkgs, "k")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := ReadCache(bytes.NewReader(data), "k", func(*Package) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
