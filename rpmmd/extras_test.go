package rpmmd

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

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

func TestModules(t *testing.T) {
	m, err := ParseModules(strings.NewReader(sampleModules))
	if err != nil {
		t.Fatal(err)
	}
	want := &Modules{
		Modules: []Module{
			{"perl", "5.30", 820200101, "abc", "x86_64", []string{"perl-4:5.30-1.x86_64", "perl-4:5.30-1.src"}},
			{Name: "perl", Stream: "5.32", Version: 1, Artifacts: []string{"perl-4:5.32-1.x86_64", "perl-only32-0:1-1.noarch"}},
		},
		Defaults: []ModuleDefault{{"perl", "5.30"}},
	}
	if d := gocmp.Diff(want, m); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	pkg := func(nevra string) evr.NEVRA {
		n, err := evr.ParseNEVRA(nevra)
		if err != nil {
			t.Fatal(err)
		}
		n.HasEpoch = n.Epoch != 0
		return n
	}
	for _, tt := range []struct {
		enabled  map[string]string
		disabled map[string]bool
		hidden   string
	}{
		{nil, nil, "perl-4:5.32-1.x86_64 perl-only32-1-1.noarch perl-5:1-1.x86_64"},
		{map[string]string{"perl": "5.32"}, nil, "perl-4:5.30-1.x86_64 perl-5:1-1.x86_64"},
		{nil, map[string]bool{"perl": true}, "perl-4:5.30-1.x86_64 perl-4:5.32-1.x86_64 perl-only32-1-1.noarch"},
	} {
		f := NewModuleFilter([]*Modules{m}, tt.enabled, tt.disabled)
		var hidden []string
		for _, p := range []string{"perl-4:5.30-1.x86_64", "perl-4:5.32-1.x86_64", "perl-only32-1-1.noarch", "perl-5:1-1.x86_64", "other-1-1.noarch"} {
			if f.Hides(pkg(p)) {
				hidden = append(hidden, p)
			}
		}
		if got := strings.Join(hidden, " "); got != tt.hidden {
			t.Errorf("%+v: hidden %q", tt, got)
		}
	}
	if NewModuleFilter(nil, nil, nil).Hides(pkg("a-1-1.x")) {
		t.Error("no modules hide a package")
	}
}

func TestModulesReal(t *testing.T) {
	m, err := ParseModules(bytes.NewReader(sharedFile(t, "rpmmd/cs9-appstream/repodata/*-modules.yaml.xz")))
	if err != nil || len(m.Modules) != 31 || len(m.Defaults) != 8 || m.Modules[0].Stream != "10.11" {
		t.Fatalf("%d modules, %d defaults, error %v", len(m.Modules), len(m.Defaults), err)
	}
	f, hidden, total := NewModuleFilter([]*Modules{m}, nil, nil), 0, 0
	err = ParsePrimary(bytes.NewReader(sharedFile(t, "rpmmd/cs9-appstream/repodata/*-primary.xml.gz")), func(p *Package) error {
		total++
		if f.Hides(p.NEVRA()) {
			hidden++
		}
		return nil
	})
	if err != nil || hidden == 0 || hidden > total/2 {
		t.Errorf("%d of %d packages are hidden, error %v", hidden, total, err)
	}
}

func FuzzModules(f *testing.F) {
	f.Add([]byte(sampleModules))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseModules(bytes.NewReader(b)); (m == nil) == (err == nil) {
			t.Error("neither result nor error")
		}
	})
}
