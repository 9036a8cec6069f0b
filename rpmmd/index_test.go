package rpmmd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"rpmostree/rpm/evr"
)

func indexOf(t testing.TB, pkgs []*Package, key string) []byte {
	t.Helper()
	var xml, out bytes.Buffer
	xml.WriteString(PrimaryHeader(len(pkgs)))
	for _, p := range pkgs {
		if err := p.Write(&xml); err != nil {
			t.Fatal(err)
		}
	}
	xml.WriteString(PrimaryFooter)
	if err := IndexPrimary(&xml, &out, key); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func indexXML(t testing.TB, xml string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := IndexPrimary(strings.NewReader(xml), &out, "key"); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func packagesOf(x *Index) []*Package {
	var out []*Package
	for i := range x.Len() {
		out = append(out, x.Package(i))
	}
	return out
}

func TestIndex(t *testing.T) {
	want, err := parseAll(strings.NewReader(samplePrimary))
	if err != nil {
		t.Fatal(err)
	}
	b := indexXML(t, samplePrimary)
	x, err := OpenIndex(b, "key")
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(want, packagesOf(x)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for i, p := range want {
		checkViews(t, x, i, p)
	}
	checkTables(t, x, want)
	if _, err := OpenIndex(b, "other"); !errors.Is(err, ErrIndex) {
		t.Errorf("other key: error %v", err)
	}
	for i := range b {
		if _, err := OpenIndex(b[:i:i], "key"); !errors.Is(err, ErrIndex) {
			t.Fatalf("first %d bytes: error %v", i, err)
		}
		c := bytes.Clone(b)
		c[i] ^= 0x10
		if _, err := OpenIndex(c, "key"); !errors.Is(err, ErrIndex) {
			t.Fatalf("byte %d changed: error %v", i, err)
		}
	}
	if x, err := OpenIndex(indexOf(t, nil, ""), ""); err != nil || x.Len() != 0 {
		t.Errorf("empty index: %v, %v", x, err)
	}
}

// checkTables compares what can be looked up with the packages.
func checkTables(t *testing.T, x *Index, pkgs []*Package) {
	t.Helper()
	providers := map[string][]int{}
	for i, p := range pkgs {
		add := func(name string) {
			if list := providers[name]; len(list) == 0 || list[len(list)-1] != i {
				providers[name] = append(list, i)
			}
		}
		for _, d := range p.Provides {
			add(d.Name)
		}
		for _, f := range p.Files {
			add(f.Path)
		}
	}
	for n := range x.Strings() {
		s := x.String(n)
		if got := x.Find(s); got != n {
			t.Fatalf("string %d, %q, is found as %d", n, s, got)
		}
		if n > 0 && x.Find(s+"\x00") != 0 {
			t.Fatalf("%q is found with more after it", s)
		}
		if got := slices.Collect(x.Providers(n)); !slices.Equal(got, providers[s]) {
			t.Fatalf("%q is provided by %v, want %v", s, got, providers[s])
		}
		delete(providers, s)
	}
	if len(providers) > 0 {
		t.Errorf("%d names are not there", len(providers))
	}
}

// checkViews compares what a solver sees of a package with the package itself.
func checkViews(t *testing.T, x *Index, i int, p *Package) {
	t.Helper()
	e := x.Entry(i)
	got := []any{x.String(e.Name), x.String(e.Arch), x.String(e.EVR), x.String(e.Vendor), e.BuildTime}
	if d := gocmp.Diff([]any{p.Name, p.Arch, p.EVR.String(), p.Vendor, p.BuildTime}, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", p, d)
	}
	if x.NEVRA(i) != p.NEVRA() || x.PkgID(i) != p.Checksum.Hex {
		t.Errorf("%v %s, want %v %s", x.NEVRA(i), x.PkgID(i), p.NEVRA(), p.Checksum.Hex)
	}
	for k := range DepKinds {
		var got []Dep
		if x.Has(i, k) != (len(*p.Deps(k)) > 0) || x.HasFiles(i) != (len(p.Files) > 0) {
			t.Errorf("%s: wrong about what it has", p)
		}
		for id, pre := range x.List(i, k) {
			d := x.Dep(id)
			if name, version, op := x.DepEntry(id); x.String(name) != d.Name || x.String(version) != d.EVR || op != d.Op {
				t.Errorf("%s: dependency %d is %v, but by numbers %s %s %s", p, id, d, x.String(name), op, x.String(version))
			}
			d.Pre = pre
			got = append(got, d)
		}
		if d := gocmp.Diff(*p.Deps(k), got); d != "" {
			t.Errorf("%s, kind %d (-want +got):\n%s", p, k, d)
		}
	}
	var files []File
	for path, typ := range x.Files(i) {
		files = append(files, File{x.String(path), typ})
	}
	if d := gocmp.Diff(p.Files, files); d != "" {
		t.Errorf("%s (-want +got):\n%s", p, d)
	}
}

func TestIndexReal(t *testing.T) {
	data := sharedFile(t, "rpmmd/cs9-appstream/repodata/*-primary.xml.gz")
	want, err := parseAll(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	b := indexXML(t, string(data))
	x, err := OpenIndex(b, "key")
	if err != nil || x.Len() != len(want) {
		t.Fatalf("error %v", err)
	}
	for i, p := range want {
		if got := x.Package(i); !reflect.DeepEqual(p, got) {
			t.Fatalf("%s (-want +got):\n%s", p, gocmp.Diff(p, got))
		}
	}
	checkTables(t, x, want)
	t.Logf("%d packages in %d bytes", x.Len(), len(b))
}

type fullDisk struct{ left int }

func (f *fullDisk) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestIndexWriteError(t *testing.T) {
	var xml strings.Builder
	xml.WriteString(PrimaryHeader(0))
	for i := range 5000 {
		p := Package{Name: fmt.Sprint("p", i), Arch: "a", Checksum: Checksum{"sha256", "00"}, Description: strings.Repeat("x", 100)}
		if err := p.Write(&xml); err != nil {
			t.Fatal(err)
		}
	}
	xml.WriteString(PrimaryFooter)
	for _, left := range []int{0, 8, 1 << 10, 300 << 10} {
		if err := IndexPrimary(strings.NewReader(xml.String()), &fullDisk{left}, "k"); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%d bytes: error %v", left, err)
		}
	}
}

// FuzzIndex gives the reader what a checksum does not keep out.
func FuzzIndex(f *testing.F) {
	pkgs, err := parseAll(strings.NewReader(samplePrimary))
	if err != nil {
		f.Fatal(err)
	}
	b := indexOf(f, pkgs, "k")
	f.Add(b[:len(b)-4])
	b = indexOf(f, nil, "k")
	f.Add(b[:len(b)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		b = binary.LittleEndian.AppendUint32(bytes.Clone(b), crc32.Checksum(b, castagnoli))
		x, err := OpenIndex(b, "k")
		if err != nil {
			if !errors.Is(err, ErrIndex) {
				t.Fatal(err)
			}
			return
		}
		for id := range x.Deps() {
			x.Dep(id)
		}
		got := packagesOf(x)
		for i := range got {
			x.Entry(i)
			x.NEVRA(i)
			x.PkgID(i)
		}
		for n := range x.Strings() {
			x.Find(x.String(n))
			for i := range x.Providers(n) {
				x.Entry(i)
			}
		}
	})
}

func BenchmarkIndex(b *testing.B) {
	data := indexXML(b, string(sharedFile(b, "rpmmd/cs9-appstream/repodata/*-primary.xml.gz")))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenIndex(data, "key"); err != nil {
			b.Fatal(err)
		}
	}
}

// What is too large for an index is an error that names the package and what there is too much of.
func TestIndexLimit(t *testing.T) {
	deps := make([]Dep, 5000)
	for i := range deps {
		deps[i] = Dep{Name: fmt.Sprint("d", i)}
	}
	var xml bytes.Buffer
	xml.WriteString(PrimaryHeader(2))
	for _, p := range []*Package{{Name: "small", Arch: "noarch"}, {Name: "large", Arch: "x86_64", Requires: deps}} {
		p.EVR, p.Location, p.Checksum = evr.Parse("1-1"), "p.rpm", Checksum{Type: "sha256", Hex: strings.Repeat("0", 64)}
		if err := p.Write(&xml); err != nil {
			t.Fatal(err)
		}
	}
	xml.WriteString(PrimaryFooter)
	for limit, want := range map[int64]string{
		1 << 14: "reading primary metadata: document exceeds a limit: up to package large-1-1.x86_64 the index has more than 16384 bytes, of which 80012 are for dependencies",
		1 << 10: "up to package small-1-1.noarch",
		1 << 24: "",
	} {
		x := newIndexWriter(io.Discard, "key")
		x.limit = limit
		if err := x.read(bytes.NewReader(xml.Bytes()), "key"); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("limit of %d bytes: %v, want %q", limit, err, want)
		}
	}
}
