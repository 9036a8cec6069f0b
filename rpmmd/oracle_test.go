package rpmmd

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rpmostree/rpm/evr"
)

// The types below are primary.xml as encoding/xml reads it.
type xmlPrimary struct {
	XMLName  xml.Name     `xml:"metadata"`
	Packages []xmlPackage `xml:"package"`
}

type xmlPackage struct {
	Name        string      `xml:"name"`
	Arch        string      `xml:"arch"`
	Version     xmlVersion  `xml:"version"`
	Checksum    xmlChecksum `xml:"checksum"`
	Summary     string      `xml:"summary"`
	Description string      `xml:"description"`
	Packager    string      `xml:"packager"`
	URL         string      `xml:"url"`
	Time        struct {
		File  int64 `xml:"file,attr"`
		Build int64 `xml:"build,attr"`
	} `xml:"time"`
	Size struct {
		Package   int64 `xml:"package,attr"`
		Installed int64 `xml:"installed,attr"`
		Archive   int64 `xml:"archive,attr"`
	} `xml:"size"`
	Location struct {
		Href string `xml:"href,attr"`
		Base string `xml:"base,attr"`
	} `xml:"location"`
	Format struct {
		License   string `xml:"license"`
		Vendor    string `xml:"vendor"`
		Group     string `xml:"group"`
		BuildHost string `xml:"buildhost"`
		SourceRPM string `xml:"sourcerpm"`
		Range     struct {
			Start int64 `xml:"start,attr"`
			End   int64 `xml:"end,attr"`
		} `xml:"header-range"`
		Provides    xmlDeps   `xml:"provides"`
		Requires    xmlDeps   `xml:"requires"`
		Conflicts   xmlDeps   `xml:"conflicts"`
		Obsoletes   xmlDeps   `xml:"obsoletes"`
		Suggests    xmlDeps   `xml:"suggests"`
		Enhances    xmlDeps   `xml:"enhances"`
		Recommends  xmlDeps   `xml:"recommends"`
		Supplements xmlDeps   `xml:"supplements"`
		Files       []xmlFile `xml:"file"`
	} `xml:"format"`
}

type xmlVersion struct {
	Epoch string `xml:"epoch,attr"`
	Ver   string `xml:"ver,attr"`
	Rel   string `xml:"rel,attr"`
}

type xmlChecksum struct {
	Type string `xml:"type,attr"`
	Hex  string `xml:",chardata"`
}

type xmlDeps struct {
	Entries []struct {
		Name  string `xml:"name,attr"`
		Flags string `xml:"flags,attr"`
		Pre   string `xml:"pre,attr"`
		xmlVersion
	} `xml:"entry"`
}

type xmlFile struct {
	Type string `xml:"type,attr"`
	Path string `xml:",chardata"`
}

func (d xmlDeps) deps() []Dep {
	var out []Dep
	for _, e := range d.Entries {
		if e.Name == "" {
			continue
		}
		var p evrParts
		p.set(0, []byte(e.Epoch))
		p.set(1, []byte(e.Ver))
		p.set(2, []byte(e.Rel))
		out = append(out, Dep{Name: e.Name, Op: parseFlags([]byte(e.Flags)), EVR: string(p.text()), Pre: e.Pre != "" && e.Pre != "0"})
	}
	return out
}

func xmlFiles(in []xmlFile) []File {
	var out []File
	for _, f := range in {
		t := map[string]FileType{"dir": FileDir, "ghost": FileGhost}[f.Type]
		out = append(out, File{f.Path, t})
	}
	return out
}

func (x *xmlPackage) convert() *Package {
	f := &x.Format
	p := &Package{
		Name: x.Name, Arch: x.Arch,
		EVR:      evr.EVR{Version: x.Version.Ver, Release: x.Version.Rel},
		Checksum: Checksum{x.Checksum.Type, strings.ToLower(strings.TrimSpace(x.Checksum.Hex))},
		Summary:  x.Summary, Description: x.Description, Packager: x.Packager, URL: x.URL,
		FileTime: x.Time.File, BuildTime: x.Time.Build,
		Size: x.Size.Package, InstalledSize: x.Size.Installed, ArchiveSize: x.Size.Archive,
		Location: x.Location.Href, Base: x.Location.Base,
		License: f.License, Vendor: f.Vendor, Group: f.Group, BuildHost: f.BuildHost, SourceRPM: f.SourceRPM,
		HeaderStart: f.Range.Start, HeaderEnd: f.Range.End,
		Provides: f.Provides.deps(), Requires: f.Requires.deps(), Conflicts: f.Conflicts.deps(), Obsoletes: f.Obsoletes.deps(),
		Suggests: f.Suggests.deps(), Enhances: f.Enhances.deps(), Recommends: f.Recommends.deps(), Supplements: f.Supplements.deps(),
		Files: xmlFiles(f.Files),
	}
	fmt.Sscan(x.Version.Epoch, &p.EVR.Epoch)
	p.EVR.HasEpoch = p.EVR.Epoch != 0
	return p
}

// oracle reads primary.xml with encoding/xml.
func oracle(data []byte) ([]*Package, error) {
	var doc xmlPrimary
	if err := xml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	var out []*Package
	for i := range doc.Packages {
		out = append(out, doc.Packages[i].convert())
	}
	return out, nil
}

func parseAll(r io.Reader) ([]*Package, error) {
	var out []*Package
	err := ParsePrimary(r, func(p *Package) error { out = append(out, p); return nil })
	return out, err
}

// TestPrimaryReal compares the parser with encoding/xml on real repositories.
func TestPrimaryReal(t *testing.T) {
	for _, repo := range []string{"cs9-appstream", "cs9-baseos"} {
		data := head(sharedFile(t, "rpmmd/"+repo+"/repodata/*-primary.xml.gz"), 2500)
		got, err := parseAll(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		want, err := oracle(data)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d packages, want %d", len(got), len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(want[i], got[i]) {
				t.Fatalf("%s (-want +got):\n%s", want[i], cmp.Diff(want[i], got[i]))
			}
		}
	}
}

// head cuts a document after some packages, because encoding/xml is slow.
func head(data []byte, packages int) []byte {
	const end = "</package>\n"
	n := 0
	for range packages {
		i := bytes.Index(data[n:], []byte(end))
		if i < 0 {
			return data
		}
		n += i + len(end)
	}
	return append(data[:n:n], "</metadata>"...)
}

// trickle returns what it has in reads of a few bytes.
type trickle struct {
	data []byte
	n    int
}

func (r *trickle) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	r.n = r.n%7 + 1
	n := copy(p[:min(len(p), r.n)], r.data)
	r.data = r.data[n:]
	return n, nil
}

const samplePrimary = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE metadata PUBLIC "x" "y">
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="2">
<package type="rpm"><name>a&amp;b</name><arch>x86_64</arch><version epoch="1" ver='1.0' rel="1&#x2e;fc"/>
  <checksum type="sha256" pkgid="YES">ABCD</checksum><summary>x <![CDATA[<&amp;]]> y</summary>
  <description>line` + "\r\n" + `two &lt;b> ä<!-- no --> end</description><packager/><url> u </url>
  <time file="1.5" build="2"/><size package="3" installed="4" archive="99999999999999999999"/>
  <location xml:base="http://h/?a>b" href="p/a.rpm"/>
  <format><rpm:license>MIT</rpm:license><rpm:header-range start="1" end="2"/>
  <rpm:provides><rpm:entry name="a" flags="EQ" epoch="0" ver="1" rel="2"/><rpm:entry name="b" flags="GE" ver="1:3"/></rpm:provides>
  <rpm:requires><rpm:entry name="(a or b)"/><rpm:entry name="c" pre="1" flags="LT" epoch="2" ver="3"></rpm:entry></rpm:requires>
  <file type="dir">/etc/x</file><file>/usr/bin/a</file><file type="ghost">/etc/g</file></format></package>
<other><name>n</name></other>
<package><name>c</name><arch>noarch</arch><checksum type="md5">00</checksum></package>
</metadata>
`

func TestPrimarySample(t *testing.T) {
	want := []*Package{{
		Name: "a&b", Arch: "x86_64", EVR: evr.EVR{Epoch: 1, HasEpoch: true, Version: "1.0", Release: "1.fc"},
		Checksum: Checksum{"sha256", "abcd"}, Summary: "x <&amp; y", Description: "line\ntwo <b> ä end", URL: " u ",
		FileTime: 1, BuildTime: 2, Size: 3, InstalledSize: 4,
		Location: "p/a.rpm", Base: "http://h/?a>b", License: "MIT", HeaderStart: 1, HeaderEnd: 2,
		Provides: []Dep{{Name: "a", Op: evr.EQ, EVR: "1-2"}, {Name: "b", Op: evr.GT | evr.EQ, EVR: "0:1:3"}},
		Requires: []Dep{{Name: "(a or b)"}, {Name: "c", Op: evr.LT, EVR: "2:3", Pre: true}},
		Files:    []File{{"/etc/x", FileDir}, {"/usr/bin/a", FileRegular}, {"/etc/g", FileGhost}},
	}, {Name: "c", Arch: "noarch", Checksum: Checksum{"md5", "00"}}}
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(samplePrimary), "trickle": &trickle{data: []byte(samplePrimary)},
	} {
		got, err := parseAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// Every prefix of a document is an error, never a panic and never accepted.
func TestPrimaryTruncated(t *testing.T) {
	end := strings.LastIndex(samplePrimary, "</metadata>") + len("</metadata>")
	for i := range end {
		if _, err := parseAll(strings.NewReader(samplePrimary[:i])); err == nil {
			t.Fatalf("the first %d bytes were accepted", i)
		}
	}
}

func TestPrimaryRejects(t *testing.T) {
	pkg := func(s string) string {
		return "<metadata><package><name>n</name><arch>a</arch><checksum type='md5'>0</checksum>" + s + "</package></metadata>"
	}
	if _, err := parseAll(strings.NewReader(pkg(""))); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]string{
		"empty":               "",
		"other root":          "<html></html>",
		"entity":              pkg("<summary>&nbsp;</summary>"),
		"bare ampersand":      pkg("<summary>a & b</summary>"),
		"entity declaration":  `<!DOCTYPE metadata [<!ENTITY a "b">]>` + pkg(""),
		"NUL entity":          pkg("<summary>&#0;</summary>"),
		"surrogate":           pkg("<summary>&#xd800;</summary>"),
		"huge entity":         pkg("<summary>&#x100000041;</summary>"),
		"invalid UTF-8":       pkg("<summary>\xff</summary>"),
		"control character":   pkg("<summary>\x01</summary>"),
		"wrong end":           pkg("<summary></name>"),
		"attribute no quotes": pkg("<time file=1/>"),
		"attribute no value":  pkg("<time file/>"),
		"< in attribute":      pkg(`<time file="<"/>`),
		"latin1":              `<?xml version="1.0" encoding="ISO-8859-1"?>` + pkg(""),
		"no name":             "<metadata><package><arch>a</arch><checksum type='md5'>0</checksum></package></metadata>",
		"bad epoch":           pkg(`<version epoch="-1" ver="1"/>`),
		"too deep":            "<metadata>" + strings.Repeat("<a>", MaxDepth) + strings.Repeat("</a>", MaxDepth) + "</metadata>",
		"too many attributes": pkg("<time" + strings.Repeat(` a="1"`, MaxAttrs+1) + "/>"),
	} {
		if _, err := parseAll(strings.NewReader(doc)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// One package that says nothing sensible does not spoil a repository.
func TestEntriesWithoutName(t *testing.T) {
	doc := `<metadata><package><name>n</name><arch>a</arch><checksum type='md5'>0</checksum><version ver="1"/><location href="x"/>` +
		`<format><requires><entry flags="EQ"/><entry name="" ver="1"/><entry name="b"/></requires></format></package></metadata>`
	pkgs, err := parseAll(strings.NewReader(doc))
	if err != nil || len(pkgs) != 1 || len(pkgs[0].Requires) != 1 || pkgs[0].Requires[0].Name != "b" {
		t.Errorf("%+v, %v", pkgs, err)
	}
}

type endless struct{ head string }

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	return copy(p, bytes.Repeat([]byte("a"), len(p))), nil
}

func TestTokenLimit(t *testing.T) {
	for _, head := range []string{"<", "<!--", "<metadata>", `<metadata a="`, "<metadata><package><name>", "<?", "<![CDATA["} {
		if _, err := parseAll(&endless{head}); !errors.Is(err, errLimit) && err == nil {
			t.Errorf("%q: error %v", head, err)
		}
	}
}

func TestCallbackError(t *testing.T) {
	stop := errors.New("stop")
	if err := ParsePrimary(strings.NewReader(samplePrimary), func(*Package) error { return stop }); err != stop {
		t.Errorf("error %v", err)
	}
}

func FuzzPrimary(f *testing.F) {
	f.Add([]byte(samplePrimary))
	f.Add([]byte("<metadata><package><name>a&#65;</name><arch>b</arch><checksum>c</checksum></package></metadata>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseAll(bytes.NewReader(data))
		slow, slowErr := parseAll(&trickle{data: data})
		if (err == nil) != (slowErr == nil) || err == nil && !cmp.Equal(got, slow) {
			t.Fatalf("reading in pieces changes the result: %v, %v", err, slowErr)
		}
		if err != nil {
			return
		}
		want, oracleErr := oracle(data)
		if oracleErr != nil {
			return // encoding/xml checks names and numbers that we do not look at
		}
		if d := diffPackages(want, got); d != "" {
			t.Errorf("(-encoding/xml +ours):\n%s", d)
		}
	})
}

// diffPackages compares what both parsers must agree on: encoding/xml takes the
// last of repeated elements in the same way, but appends lists.
func diffPackages(want, got []*Package) string {
	for _, list := range [][]*Package{want, got} {
		for _, p := range list {
			p.FileTime, p.BuildTime, p.Size, p.InstalledSize, p.ArchiveSize = 0, 0, 0, 0, 0
			p.HeaderStart, p.HeaderEnd = 0, 0
		}
	}
	return cmp.Diff(want, got)
}
