package rpmmd

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"rpmostree/rpm/evr"
)

const sampleUpdateinfo = `<?xml version="1.0" encoding="UTF-8"?>
<updates><update from="r@x" status="stable" type="security" version="2.0">
 <id>FEDORA-1</id><title>x &amp; y</title><issued date="2024-01-02 03:04:05"/><updated date="1700000000"/>
 <rights>R</rights><release>F39</release><severity>Important</severity><summary>s</summary><description>d
e</description><solution>do</solution>
 <references><reference href="http://cve" id="CVE-2024-1" type="cve" title="t"/><other/></references>
 <pkglist><collection short="F39"><name>Fedora 39</name><module name="m" stream="s" version="1" context="c" arch="a"/>
  <package name="n" version="1" release="2" epoch="3" arch="x86_64" src="n.src.rpm"><filename>n.rpm</filename>
   <reboot_suggested/><restart_suggested>True</restart_suggested><relogin_suggested>False</relogin_suggested><sum type="sha256">x</sum></package>
 </collection></pkglist></update><update/></updates>`

func TestUpdateinfo(t *testing.T) {
	want := []*Advisory{{
		ID: "FEDORA-1", Type: "security", Status: "stable", From: "r@x", Version: "2.0", Title: "x & y", Severity: "Important",
		Summary: "s", Description: "d\ne", Solution: "do", Rights: "R", Release: "F39", Issued: 1704164645, Updated: 1700000000,
		References: []Reference{{"cve", "CVE-2024-1", "t", "http://cve"}},
		Packages: []AdvisoryPackage{{Name: "n", Arch: "x86_64", Epoch: "3", Version: "1", Release: "2", SourceRPM: "n.src.rpm",
			Filename: "n.rpm", Collection: "Fedora 39", Module: &AdvisoryModule{"m", "s", "1", "c", "a"}, RebootSuggested: true, RestartSuggested: true}},
	}, {}}
	var got []*Advisory
	err := ParseUpdateinfo(strings.NewReader(sampleUpdateinfo), func(a *Advisory) error { got = append(got, a); return nil })
	if d := gocmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
	for s, want := range map[string]int64{"2024-01-02": 1704153600, "2024-01-02 03:04:05 UTC": 1704164645, "soon": 0, "-5": 0, "2024-01-02 03:04": 1704164640} {
		if got := parseDate(s); got != want {
			t.Errorf("parseDate(%q) = %d, want %d", s, got, want)
		}
	}
}

func FuzzUpdateinfo(f *testing.F) {
	f.Add([]byte(sampleUpdateinfo))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := ParseUpdateinfo(bytes.NewReader(b), func(*Advisory) error { return nil }); err != nil && err.Error() == "" {
			t.Error("empty error")
		}
	})
}

// TestCompsReal compares with encoding/xml on real comps.
func TestCompsReal(t *testing.T) {
	type named struct {
		ID   string `xml:"id"`
		Desc []struct {
			Lang string `xml:"lang,attr"`
			Text string `xml:",chardata"`
		} `xml:"description"`
		Default  string   `xml:"default"`
		Visible  string   `xml:"uservisible"`
		GroupIDs []string `xml:"grouplist>groupid"`
		Options  []string `xml:"optionlist>groupid"`
		Packages []struct {
			Type string `xml:"type,attr"`
			Req  string `xml:"requires,attr"`
			Name string `xml:",chardata"`
		} `xml:"packagelist>packagereq"`
	}
	for _, pattern := range []string{"rpmmd/cs9-baseos/repodata/*comps*", "rpmmd/cs9-appstream/repodata/*comps*"} {
		data := sharedFile(t, pattern)
		var want struct {
			Groups       []named `xml:"group"`
			Environments []named `xml:"environment"`
			Categories   []named `xml:"category"`
		}
		if err := xml.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		got, err := ParseComps(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Groups) != len(want.Groups) || len(got.Environments) != len(want.Environments) || len(got.Categories) != len(want.Categories) || len(got.Groups) == 0 {
			t.Fatalf("%s: %d groups, want %d", pattern, len(got.Groups), len(want.Groups))
		}
		for i, g := range got.Groups {
			w := want.Groups[i]
			if g.ID != w.ID || g.Default != (w.Default == "true") || g.UserVisible != (w.Visible != "false") || len(g.Packages) != len(w.Packages) || g.Description != w.Desc[0].Text {
				t.Errorf("%+v, want %+v", g, w)
			}
			for j, p := range g.Packages {
				if p.Name != w.Packages[j].Name || p.Type != w.Packages[j].Type || p.Requires != w.Packages[j].Req {
					t.Errorf("%+v, want %+v", p, w.Packages[j])
				}
			}
		}
		for i, e := range got.Environments {
			if w := want.Environments[i]; e.ID != w.ID || gocmp.Diff(w.GroupIDs, e.Groups) != "" || len(e.Options) != len(w.Options) {
				t.Errorf("%+v, want %+v", e, w)
			}
		}
		for i, c := range got.Categories {
			if w := want.Categories[i]; c.ID != w.ID || gocmp.Diff(w.GroupIDs, c.Groups) != "" {
				t.Errorf("%+v, want %+v", c, w)
			}
		}
	}
}

func TestComps(t *testing.T) {
	got, err := ParseComps(strings.NewReader(`<!DOCTYPE comps PUBLIC 'a' 'b'><comps>
<group><id>g</id><name>N</name><name xml:lang="de">M</name><description/><default>false</default><langonly>de</langonly>
 <packagelist><packagereq>a</packagereq><packagereq type="conditional" requires="b">c</packagereq></packagelist></group>
<environment><id>e</id><display_order>5</display_order><optionlist><groupid default="true">g</groupid></optionlist></environment>
<langpacks><match name="x" install="x-%s"/></langpacks><unknown/></comps>`))
	want := &Comps{
		Groups: []Group{{ID: "g", Name: "N", UserVisible: true, LangOnly: "de", Packages: []GroupPackage{
			{Name: "a", Type: "mandatory"}, {Name: "c", Type: "conditional", Requires: "b"}}}},
		Environments: []Environment{{ID: "e", DisplayOrder: 5, Options: []GroupOption{{"g", true}}}},
		LangPacks:    []LangPack{{"x", "x-%s"}},
	}
	if d := gocmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
}

func FuzzComps(f *testing.F) {
	f.Add([]byte("<comps><group><id>g</id><packagelist><packagereq>a</packagereq></packagelist></group></comps>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseComps(bytes.NewReader(b)); (c == nil) == (err == nil) {
			t.Error("neither result nor error")
		}
	})
}

const sampleModules = `---
document: modulemd-defaults
version: 1
data:
  module: perl
  stream: 5.30
  profiles: {5.30: [common]}
...
---
document: modulemd
version: 2
data:
  name: perl
  stream: 5.30
  version: 820200101
  context: abc
  arch: x86_64
  artifacts:
    rpms:
    - perl-4:5.30-1.x86_64
    - perl-4:5.30-1.src
---
document: modulemd
version: 2
data:
  name: perl
  stream: "5.32"
  version: 1
  artifacts:
    rpms: [perl-4:5.32-1.x86_64, perl-only32-0:1-1.noarch]
---
document: modulemd-translations
version: 1
data: {module: perl, stream: x}
`

func hidden(t *testing.T, f *ModuleFilter, packages ...string) string {
	t.Helper()
	var out []string
	for _, p := range packages {
		nevra, provides, _ := strings.Cut(p, "+")
		n, err := evr.ParseNEVRA(nevra)
		if err != nil {
			t.Fatal(err)
		}
		n.HasEpoch = n.Epoch != 0
		if f.Hides(n, slices.Values(strings.Fields(provides))) {
			out = append(out, p)
		}
	}
	return strings.Join(out, " ")
}

func TestModules(t *testing.T) {
	m, err := ParseModules(strings.NewReader(sampleModules))
	if err != nil {
		t.Fatal(err)
	}
	want := &Modules{
		Modules: []Module{
			{Name: "perl", Stream: "5.30", Version: 820200101, Context: "abc", Arch: "x86_64", Artifacts: []string{"perl-4:5.30-1.x86_64", "perl-4:5.30-1.src"}},
			{Name: "perl", Stream: "5.32", Version: 1, Artifacts: []string{"perl-4:5.32-1.x86_64", "perl-only32-0:1-1.noarch"}},
		},
		Defaults: []ModuleDefault{{Module: "perl", Stream: "5.30"}},
	}
	if d := gocmp.Diff(want, m); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, tt := range []struct {
		state  ModuleState
		hidden string
	}{
		{ModuleState{}, "perl-4:5.32-1.x86_64 perl-only32-1-1.noarch perl-5:1-1.x86_64 fork-1-1.x86_64+perl"},
		{ModuleState{Enabled: map[string]string{"perl": "5.32"}}, "perl-4:5.30-1.x86_64 perl-5:1-1.x86_64 fork-1-1.x86_64+perl"},
		{ModuleState{Disabled: map[string]bool{"perl": true}}, "perl-4:5.30-1.x86_64 perl-4:5.32-1.x86_64 perl-only32-1-1.noarch"},
	} {
		f := NewModuleFilter([]*Modules{m}, tt.state)
		got := hidden(t, f, "perl-4:5.30-1.x86_64", "perl-4:5.32-1.x86_64", "perl-only32-1-1.noarch", "perl-5:1-1.x86_64", "other-1-1.noarch", "fork-1-1.x86_64+perl")
		if got != tt.hidden {
			t.Errorf("%+v: hidden %q", tt, got)
		}
	}
	if got := hidden(t, NewModuleFilter(nil, ModuleState{}), "a-1-1.x"); got != "" {
		t.Error("no modules hide a package")
	}
}

const moreModules = `---
document: modulemd
version: 2
data:
  name: app
  stream: "1"
  dependencies:
  - requires:
      platform: [el9]
      lib: ["2"]
  artifacts:
    rpms: [app-0:1-1.x86_64]
---
document: modulemd
version: 2
data:
  name: lib
  stream: "2"
  dependencies:
  - requires: {platform: []}
  artifacts:
    rpms: [lib-0:2-1.x86_64]
---
document: modulemd
version: 2
data:
  name: lib
  stream: "3"
  dependencies:
  - requires: {platform: [-el8]}
  artifacts:
    rpms: [lib-0:3-1.x86_64]
---
{document: modulemd-defaults, version: 1, data: {module: app, stream: "1", modified: 202001010000}}
---
{document: modulemd-defaults, version: 1, data: {module: lib, stream: "2", modified: 202001010000}}
---
document: modulemd-obsoletes
version: 1
data:
  modified: 2020-05-09T06:07Z
  module: lib
  stream: "2"
  eol_date: 2030-01-01T00:00Z
  message: lib 2 has ended
  obsoleted_by: {module: lib, stream: "3"}
`

func TestModuleDependencies(t *testing.T) {
	m, err := ParseModules(strings.NewReader(moreModules))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Obsoletes) != 1 || m.Obsoletes[0].EOL.Year() != 2030 || m.Obsoletes[0].ByStream != "3" || m.Obsoletes[0].Message != "lib 2 has ended" {
		t.Fatalf("%+v", m.Obsoletes)
	}
	newer := &Modules{Defaults: []ModuleDefault{{"lib", "3", 202101010000}}}
	other := &Modules{Defaults: []ModuleDefault{{"lib", "3", 202001010000}}}
	enabled := map[string]string{"lib": "2"}
	at := func(year int) time.Time { return time.Date(year, 1, 2, 0, 0, 0, 0, time.UTC) }
	for name, tt := range map[string]struct {
		repos  []*Modules
		state  ModuleState
		hidden string
	}{
		"all met":                          {[]*Modules{m}, ModuleState{Platform: "el9"}, "lib-3-1.x86_64"},
		"platform unknown":                 {[]*Modules{m}, ModuleState{}, "lib-3-1.x86_64"},
		"other platform":                   {[]*Modules{m}, ModuleState{Platform: "el8"}, "app-1-1.x86_64 lib-3-1.x86_64"},
		"other stream of what is required": {[]*Modules{m}, ModuleState{Platform: "el9", Enabled: map[string]string{"lib": "3"}}, "app-1-1.x86_64 lib-2-1.x86_64"},
		"excluded platform":                {[]*Modules{m}, ModuleState{Platform: "el8", Enabled: map[string]string{"lib": "3"}}, "app-1-1.x86_64 lib-2-1.x86_64 lib-3-1.x86_64"},
		"newer default":                    {[]*Modules{m, newer}, ModuleState{Platform: "el9"}, "app-1-1.x86_64 lib-2-1.x86_64"},
		"contradicting defaults":           {[]*Modules{m, other}, ModuleState{Platform: "el9"}, "app-1-1.x86_64 lib-2-1.x86_64 lib-3-1.x86_64"},
		"not ended yet":                    {[]*Modules{m}, ModuleState{Enabled: enabled, Now: at(2029)}, "lib-3-1.x86_64"},
		"ended":                            {[]*Modules{m}, ModuleState{Enabled: enabled, Now: at(2030)}, "app-1-1.x86_64 lib-2-1.x86_64"},
	} {
		f := NewModuleFilter(tt.repos, tt.state)
		if got := hidden(t, f, "app-1-1.x86_64", "lib-2-1.x86_64", "lib-3-1.x86_64"); got != tt.hidden {
			t.Errorf("%s: hidden %q, want %q", name, got, tt.hidden)
		}
	}
}

func TestLoadModuleState(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	st, err := LoadModuleState(fstest.MapFS{
		"usr/lib/os-release":            file("NAME=x\nPLATFORM_ID=\"platform:f39\"\n"),
		"etc/dnf/modules.d/perl.module": file("[perl]\nname=perl\nstream=5.30\nstate=enabled\nprofiles=\n"),
		"etc/dnf/modules.d/php.module":  file("[php]\nname=php\nstream=\nstate=disabled\n"),
		"etc/dnf/modules.d/x.module":    file("[x]\nname=x\nstream=\nstate=\n"),
		"etc/dnf/modules.d/README":      file("nonsense"),
	})
	want := ModuleState{Platform: "f39", Enabled: map[string]string{"perl": "5.30"}, Disabled: map[string]bool{"php": true}}
	if d := gocmp.Diff(want, st); d != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
	if _, err := LoadModuleState(fstest.MapFS{}); err != nil {
		t.Error(err)
	}
}

func TestModulesReal(t *testing.T) {
	m, err := ParseModules(bytes.NewReader(sharedFile(t, "rpmmd/cs9-appstream/repodata/*-modules.yaml.xz")))
	if err != nil || len(m.Modules) != 31 || len(m.Defaults) != 8 || m.Modules[0].Stream != "10.11" {
		t.Fatalf("%d modules, %d defaults, error %v", len(m.Modules), len(m.Defaults), err)
	}
	f, hidden, total := NewModuleFilter([]*Modules{m}, ModuleState{Platform: "el9"}), 0, 0
	err = ParsePrimary(bytes.NewReader(sharedFile(t, "rpmmd/cs9-appstream/repodata/*-primary.xml.gz")), func(p *Package) error {
		total++
		if f.Hides(p.NEVRA(), slices.Values([]string(nil))) {
			hidden++
		}
		return nil
	})
	if err != nil || hidden == 0 || hidden > total/2 {
		t.Errorf("%d of %d packages are hidden, error %v", hidden, total, err)
	}
}

// What libmodulemd leaves out is left out, with a warning; the other documents count.
func TestModuleWarnings(t *testing.T) {
	const good = "document: modulemd\nversion: 2\ndata: {name: %s, stream: '1'}\n"
	first, last := fmt.Sprintf(good, "first"), fmt.Sprintf(good, "last")
	for _, tt := range []struct{ name, text, warning, err string }{
		{"comments at the marks", "--- # c\nFIRST ... # end\n---\t# d\r\nLAST", "", ""},
		{"directives", "%YAML 1.2\n---\nFIRST ...\n# c\n%YAML 1.1\n%TAG ! tag:x\n---\nLAST", "", ""},
		{"content at the mark", "--- {document: modulemd, version: 2, data: {name: first, stream: '1'}}\n---\nLAST", "", ""},
		{"no mark", "FIRST ---\nLAST...\n", "", ""},
		{"wrong type", "---\nFIRST ---\ndocument: modulemd\nversion: 2\ndata: []\n---\nLAST", "modules: document 2 is ignored: unexpected value: ", ""},
		{"list", "---\nFIRST ---\n- a\n---\nLAST", "modules: document 2 is ignored: unexpected value: ", ""},
		{"unknown kind", "---\nFIRST ---\ndocument: x\nversion: 2\ndata: {}\n---\nLAST", `document: "x"`, ""},
		{"no kind", "---\nFIRST ---\nversion: 2\ndata: {}\n---\nLAST", `document: ""`, ""},
		{"no version", "---\nFIRST ---\ndocument: modulemd-defaults\ndata: {module: x}\n---\nLAST", "version is missing", ""},
		{"no name", "---\nFIRST ---\ndocument: modulemd\nversion: 2\ndata: {stream: 1}\n---\nLAST", "data.name is missing", ""},
		{"no stream", "---\nFIRST ---\ndocument: modulemd\nversion: 2\ndata: {name: x}\n---\nLAST", "data.stream is missing", ""},
		{"no module", "---\nFIRST ---\ndocument: modulemd-defaults\nversion: 1\ndata: {stream: x}\n---\nLAST", "data.module is missing", ""},
		{"other version", "---\nFIRST ---\ndocument: modulemd\nversion: 1\ndata: {name: x, stream: 1}\n---\nLAST", "version 1 of a module", ""},
		{"aliases", "---\nFIRST ---\na: &a [x, x]\nb: &b [*a, *a]\n---\nLAST", "document 2 is ignored: unexpected value: line 3: aliases are not supported", ""},
		{"no YAML", "---\nFIRST ---\na: 'x\n---\nLAST", "", "modules metadata: document 2: invalid YAML: "},
		{"too deep", "---\nFIRST ---\na: " + strings.Repeat("[", 20_000) + "\n", "", "modules metadata: document 2: limit exceeded: line 2: values are nested too deeply"},
	} {
		m, err := ParseModules(strings.NewReader(strings.NewReplacer("FIRST ", first, "LAST", last).Replace(tt.text)))
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil || len(m.Modules) != 2 || m.Modules[0].Name != "first" || m.Modules[1].Name != "last" {
			t.Errorf("%s: %+v, error %v", tt.name, m, err)
			continue
		}
		if w := strings.Join(m.Warnings, "\n"); len(m.Warnings) > 1 || tt.warning == "" && w != "" || !strings.Contains(w, tt.warning) {
			t.Errorf("%s: warnings %q, want %q", tt.name, w, tt.warning)
		}
	}
}

// Warnings have few words, however many documents make no sense and however long they are.
func TestModuleWarningsLimit(t *testing.T) {
	long := "---\ndocument: " + strings.Repeat("x", 10_000) + "\nversion: 2\n"
	number := "---\ndocument: modulemd\nversion: " + strings.Repeat("9", 10_000) + "\n"
	m, err := ParseModules(strings.NewReader(long + number + strings.Repeat("---\na: b\n", 100)))
	if err != nil || len(m.Warnings) != MaxModuleWarnings+1 || m.Warnings[MaxModuleWarnings] != "modules: 82 more documents are ignored" {
		t.Fatalf("warnings %q, error %v", m.Warnings, err)
	}
	for _, w := range m.Warnings {
		if len(w) > 400 {
			t.Errorf("a warning of %d bytes", len(w))
		}
	}
}

// Streams and contexts are what is written, not numbers.
func TestModuleNumbers(t *testing.T) {
	m, err := ParseModules(strings.NewReader(`
document: modulemd
version: 2
data: {name: app, stream: 1.10, context: 0010, dependencies: [{requires: {perl: [5.30, -5.20], platform: []}}]}
---
document: modulemd-obsoletes
version: 1
data:
    module: app
    stream: 1.10
    context: 0010
    obsoleted_by: {module: app, stream: 1.20}
`))
	want := &Modules{
		Modules:   []Module{{Name: "app", Stream: "1.10", Context: "0010", Requires: []map[string][]string{{"perl": {"5.30", "-5.20"}, "platform": nil}}}},
		Obsoletes: []ModuleObsoletes{{Module: "app", Stream: "1.10", Context: "0010", ByModule: "app", ByStream: "1.20"}},
	}
	if d := gocmp.Diff(want, m); d != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
}

// A long chain of modules, the last of which requires what is not there.
func TestModuleChain(t *testing.T) {
	const n = 10_000
	m := &Modules{}
	for i := range n {
		name := fmt.Sprintf("m%d", i)
		m.Modules = append(m.Modules, Module{Name: name, Stream: "1", Artifacts: []string{name + "-0:1-1.noarch"},
			Requires: []map[string][]string{{fmt.Sprintf("m%d", i+1): {"1"}, "platform": {"el9"}}}})
		m.Defaults = append(m.Defaults, ModuleDefault{Module: name, Stream: "1"})
	}
	if f := NewModuleFilter([]*Modules{m}, ModuleState{Platform: "el9"}); len(f.active) != 0 || len(f.inactive) != n {
		t.Errorf("%d active, %d inactive", len(f.active), len(f.inactive))
	}
	m.Modules[n-1].Requires = nil
	if f := NewModuleFilter([]*Modules{m}, ModuleState{Platform: "el9"}); len(f.active) != n {
		t.Errorf("%d active", len(f.active))
	}
	if f := NewModuleFilter([]*Modules{m}, ModuleState{Platform: "el8"}); len(f.active) != 1 {
		t.Errorf("%d active on another platform", len(f.active))
	}
}

func FuzzModules(f *testing.F) {
	f.Add([]byte(sampleModules))
	f.Add([]byte(moreModules))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseModules(bytes.NewReader(b))
		if (m == nil) == (err == nil) {
			t.Error("neither result nor error")
		}
		if err == nil {
			f := NewModuleFilter([]*Modules{m, m}, ModuleState{Platform: "el9", Enabled: map[string]string{"perl": "5.30", "lib": "2"}, Now: time.Unix(2e9, 0)})
			f.Hides(evr.NEVRA{Name: "perl"}, slices.Values([]string{"lib"}))
		}
	})
}

// What was read is the same after it was written and read again.
func FuzzOther(f *testing.F) {
	f.Add([]byte(`<otherdata packages="1"><package pkgid="ab" name="a" arch="x"><version epoch="1" ver="2" rel="3"/><changelog author="A &lt;a@b&gt; 1-1" date="1">- x
- y</changelog><changelog author="B" date="2"><![CDATA[<&>]]></changelog></package></otherdata>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(b []byte) (out []Changelogs, err error) {
			err = ParseOther(bytes.NewReader(b), func(l *Changelogs) error {
				c := *l
				c.Entries = slices.Clone(l.Entries)
				out = append(out, c)
				return nil
			})
			return out, err
		}
		first, err := read(b)
		if err != nil {
			return
		}
		var buf bytes.Buffer
		buf.WriteString(OtherHeader(len(first)))
		for i := range first {
			if err := first[i].Write(&buf); err != nil {
				t.Fatal(err)
			}
		}
		buf.WriteString(OtherFooter)
		second, err := read(buf.Bytes())
		if d := gocmp.Diff(first, second); d != "" || err != nil {
			t.Errorf("error %v (-first +second):\n%s", err, d)
		}
	})
}
