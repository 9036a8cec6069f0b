package rpmmd

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

const sampleRepomd = `<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>123</revision>
  <tags>
    <content>c1</content>
    <repo>r1</repo>
    <distro>d0</distro>
    <distro cpeid="cpe:/o:x:y">d&amp;1</distro>
  </tags>
  <data type="primary">
    <checksum type="sha256">aa</checksum>
    <open-checksum type="sha256">bb</open-checksum>
    <header-checksum type="sha256">cc</header-checksum>
    <location xml:base="http://h/" href="repodata/p.xml.zck"/>
    <timestamp>1644263915</timestamp>
    <size>10</size>
    <open-size>20</open-size>
    <header-size>5</header-size>
    <database_version>10</database_version>
  </data>
  <data type="group">
    <checksum type="sha">dd</checksum>
    <location href="repodata/c.xml"/>
    <timestamp>1644263907</timestamp>
    <size>1</size>
  </data>
</repomd>
`

func TestRepomd(t *testing.T) {
	want := &Repomd{
		Revision: "123", RepoTags: []string{"r1"}, ContentTags: []string{"c1"}, DistroTags: []DistroTag{{"", "d0"}, {"cpe:/o:x:y", "d&1"}},
		Records: []Record{
			{Type: "primary", Checksum: Checksum{"sha256", "aa"}, OpenChecksum: Checksum{"sha256", "bb"}, HeaderChecksum: Checksum{"sha256", "cc"},
				Location: "repodata/p.xml.zck", Base: "http://h/", Timestamp: 1644263915, Size: 10, OpenSize: 20, HeaderSize: 5, Version: 10},
			{Type: "group", Checksum: Checksum{"sha", "dd"}, Location: "repodata/c.xml", Timestamp: 1644263907, Size: 1},
		},
	}
	got, err := ParseRepomd([]byte(sampleRepomd))
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var buf bytes.Buffer
	if err := got.Write(&buf); err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(sampleRepomd, buf.String()); d != "" {
		t.Errorf("written (-want +got):\n%s", d)
	}
	if got.Timestamp() != 1644263915 {
		t.Errorf("Timestamp = %d", got.Timestamp())
	}
	if _, ok := got.Record("filelists"); ok {
		t.Error("a record that is not there was found")
	}
}

// What createrepo_c wrote is written again in the same bytes.
func TestRepomdReal(t *testing.T) {
	for _, repo := range []string{"cs9-appstream", "cs9-baseos"} {
		b, err := os.ReadFile(shared(t, "rpmmd/"+repo+"/repodata/repomd.xml"))
		if err != nil {
			t.Fatal(err)
		}
		md, err := ParseRepomd(b)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := md.Write(&buf); err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(strings.TrimSpace(string(b)), strings.TrimSpace(buf.String())); d != "" {
			t.Errorf("%s (-want +got):\n%s", repo, d)
		}
	}
}

func TestRepomdRejects(t *testing.T) {
	for _, s := range []string{
		"", "<html/>", sampleRepomd[:300], "<repomd><data><location href='x'/></data></repomd>", "<repomd><data type='x'/></repomd>",
		"<repomd>" + strings.Repeat("<data type='a'><location href='b'/></data>", MaxRecords+1) + "</repomd>",
	} {
		if _, err := ParseRepomd([]byte(s)); err == nil {
			t.Errorf("%.40q was accepted", s)
		}
	}
}

func FuzzRepomd(f *testing.F) {
	f.Add([]byte(sampleRepomd))
	f.Fuzz(func(t *testing.T, b []byte) {
		md, err := ParseRepomd(b)
		if err != nil {
			return
		}
		var buf bytes.Buffer
		if err := md.Write(&buf); err != nil {
			t.Fatal(err)
		}
		again, err := ParseRepomd(buf.Bytes())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, buf.Bytes())
		}
		if !reflect.DeepEqual(normal(md), normal(again)) {
			t.Errorf("read, written and read again:\n%s", gocmp.Diff(normal(md), normal(again)))
		}
	})
}

// normal drops what the written form cannot express.
func normal(md *Repomd) *Repomd {
	for i := range md.Records {
		r := &md.Records[i]
		for _, c := range []*Checksum{&r.Checksum, &r.OpenChecksum, &r.HeaderChecksum} {
			c.Hex = strings.TrimSpace(c.Hex)
		}
	}
	return md
}

const sampleMetalink = `<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="other.xml"><resources><url>http://wrong/</url></resources></file>
  <file name="repomd.xml">
   <mm0:timestamp>100</mm0:timestamp><size>5</size>
   <verification><hash type="md5">aa</hash><hash type="sha256">BB</hash></verification>
   <mm0:alternates><mm0:alternate><mm0:timestamp>99</mm0:timestamp><size>4</size>
    <verification><hash type="sha256">cc</hash></verification></mm0:alternate></mm0:alternates>
   <resources maxconnections="1">
    <url protocol="rsync" type="rsync" location="DE" preference="100">rsync://r/repodata/repomd.xml</url>
    <url protocol="http" type="http" location="DE" preference="90">http://b/x/repodata/repomd.xml</url>
    <url protocol="https" location="DE" preference="100"> https://a/repodata/repomd.xml
    </url><url preference="95">https://elsewhere/other</url>
   </resources>
  </file>
 </files>
</metalink>`

func TestMetalink(t *testing.T) {
	l, err := ParseMetalink([]byte(sampleMetalink), "repomd.xml")
	if err != nil {
		t.Fatal(err)
	}
	want := &Metalink{
		Name: "repomd.xml", Timestamp: 100, Size: 5, Checksums: []Checksum{{"md5", "aa"}, {"sha256", "bb"}},
		Alternates: []Alternate{{99, 4, []Checksum{{"sha256", "cc"}}}},
		URLs: []MetalinkURL{
			{"rsync://r/repodata/repomd.xml", "rsync", "DE", 100}, {"https://a/repodata/repomd.xml", "https", "DE", 100},
			{"https://elsewhere/other", "", "", 95}, {"http://b/x/repodata/repomd.xml", "http", "DE", 90},
		},
	}
	if d := gocmp.Diff(want, l); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := strings.Join(l.Bases("repodata/repomd.xml"), " "); got != "https://a/ http://b/x/" {
		t.Errorf("Bases = %s", got)
	}
	for _, s := range []string{"", "<metalink/>", "<metalink><files><file name='x'/></files></metalink>", sampleMetalink[:400]} {
		if _, err := ParseMetalink([]byte(s), "repomd.xml"); err == nil {
			t.Errorf("%.40q was accepted", s)
		}
	}
}

func TestMirrorList(t *testing.T) {
	got := ParseMirrorList([]byte("# repo = x\nhttp://a/\n\n  https://b/x/ \nftp://c/\nrsync://d/\nfile:///srv/\nhttp://\n<html>\nhttp://a b/\n"))
	if s := strings.Join(got, " "); s != "http://a/ https://b/x/ file:///srv/" {
		t.Errorf("%q", s)
	}
}

func FuzzMetalink(f *testing.F) {
	f.Add([]byte(sampleMetalink))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseMetalink(b, "repomd.xml"); err == nil {
			l.Bases("repodata/repomd.xml")
		}
		ParseMirrorList(b)
	})
}
