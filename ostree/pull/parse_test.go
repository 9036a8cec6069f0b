package pull

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
)

const (
	someSHA256 = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"
	someURLs   = `<url protocol="ftp" preference="100">ftp://a/summary</url>
<url protocol="http" type="http" location="US" preference="1">http://a/repo/summary</url>
<url protocol="https" preference="9">https://b/summary</url>
<url protocol="http" preference="100">file:///etc/passwd</url>`
)

func metalinkText(size, hashes, urls string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/"><deep><file name="summary"/></deep>
<files><file name="other"><size>1</size></file><unknown/>
<file name="summary">%s<verification>%s</verification><resources maxconnections="1">%s</resources></file>
<file name="summary"><size>77</size></file></files></metalink>`, size, hashes, urls)
}

func TestParseMetalink(t *testing.T) {
	hash := `<hash type="md5">x</hash><hash type="sha256">` + someSHA256 + `</hash>`
	m, err := parseMetalink([]byte(metalinkText("<size>7</size>", hash, someURLs)), "summary")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"https://b/summary", "http://a/repo/summary"}; m.size != 7 || m.sha256 != someSHA256 || !slices.Equal(m.urls, want) {
		t.Errorf("%+v", m)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"text", "bacon\n", "Document must begin with an element"},
		{"nothing", "", "Document must begin with an element"},
		{"broken", "<metalink><files>", "metalink: "},
		{"other root", "<html><files><file name='summary'/></files></html>", "No <file> element found"},
		{"other file", "<metalink><files><file name='x'/></files></metalink>", "No <file name='summary'> found"},
		{"no size", metalinkText("", hash, someURLs), "No <size> element found or it is zero"},
		{"bad size", metalinkText("<size>-1</size>", hash, someURLs), "No <size> element found or it is zero"},
		{"no hash", metalinkText("<size>7</size>", `<hash type="md5">x</hash>`, someURLs), "No <verification> element with known <hash type=> found"},
		{"bad sha512", metalinkText("<size>7</size>", hash+`<hash type="sha512">bacon</hash>`, someURLs), "Invalid hash digest for sha512"},
		{"bad sha256", metalinkText("<size>7</size>", `<hash type="sha256">`+strings.ToUpper(someSHA256)+`</hash>`, someURLs), "Invalid hash digest for sha256"},
		{"no url", metalinkText("<size>7</size>", hash, `<url protocol="http">file:///x</url>`), "No <url method='http'> elements found"},
		{"deep", "<metalink>" + strings.Repeat("<a>", 100), "nested too deep"},
	} {
		if _, err := parseMetalink([]byte(tt.text), "summary"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestMetalinkVerifies(t *testing.T) {
	m := &metalink{size: 4, sha256: someSHA256} // of "foo\n"
	for content, want := range map[string]string{
		"foo\n": "", "foo": "Expected size is 4 bytes but content is 3 bytes", "bar\n": "Expected checksum is " + someSHA256 + " but actual is",
	} {
		if err := m.verify([]byte(content)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestParseMirrorList(t *testing.T) {
	got := parseMirrorList([]byte("# comment\n\nhttp://a/repo\r\n  https://b:8/x \nfile:///etc\nftp://c/\nhttp:\nhttp://%zz\nnonsense"))
	if want := []string{"http://a/repo", "https://b:8/x"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := parseMirrorList([]byte(strings.Repeat("http://a/\n", 1000))); len(got) != maxMirrors {
		t.Errorf("%d mirrors", len(got))
	}
}

func deltaList(name string, sum gvariant.Value) []byte {
	var deltas, d gvariant.Dict
	deltas.Set(name, sum)
	d.Set(ostree.KeySummaryStaticDeltas, deltas.Value())
	return d.Value().Bytes()
}

func TestParseIndex(t *testing.T) {
	sum := ostree.ChecksumOf([]byte("x"))
	list, err := parseIndex(deltaList(someSHA256+"-"+sum.String(), gvariant.Bytes(sum[:])))
	from, _ := ostree.ParseChecksum(someSHA256)
	if err != nil || len(list) != 1 || list[delta.Name{From: from, To: sum}] != sum {
		t.Errorf("%v, %v", list, err)
	}
	for _, bad := range [][]byte{
		deltaList("x", gvariant.Bytes(sum[:])), deltaList(someSHA256, gvariant.Bytes(sum[:5])), deltaList(someSHA256, gvariant.String("x")),
		[]byte("garbage that is no dictionary"),
	} {
		if list, err := parseIndex(bad); err == nil {
			t.Errorf("%v", list)
		}
	}
}

func FuzzParseMetalink(f *testing.F) {
	f.Add([]byte(metalinkText("<size>7</size>", `<hash type="sha256">`+someSHA256+`</hash>`, someURLs)))
	f.Add([]byte("bacon"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMetalink(data, "summary")
		if err != nil {
			return
		}
		if m.size == 0 || m.sha256 == "" && m.sha512 == "" || len(m.urls) == 0 || len(m.urls) > maxMirrors {
			t.Errorf("%+v", m)
		}
		for _, u := range m.urls {
			if !isHTTP(u) || !isHTTP(dirURL(u)) {
				t.Errorf("URL %q", u)
			}
		}
	})
}

func FuzzParseMirrorList(f *testing.F) {
	f.Add([]byte("#\nhttp://a/repo\nfile:///etc\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list := parseMirrorList(data)
		if len(list) > maxMirrors {
			t.Errorf("%d mirrors", len(list))
		}
		for _, u := range list {
			if !isHTTP(u) {
				t.Errorf("URL %q", u)
			}
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	sum := ostree.ChecksumOf([]byte("x"))
	f.Add(deltaList(someSHA256+"-"+sum.String(), gvariant.Bytes(sum[:])))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseIndex(data)
		for n := range list {
			if back, err2 := delta.ParseName(n.String()); err == nil && (err2 != nil || back != n) {
				t.Errorf("%s: %v", n, err2)
			}
		}
	})
}

// TestVerifyCollection is about commits of collections that were asked for.
func TestVerifyCollection(t *testing.T) {
	for text, want := range map[string]string{
		"{'ostree.collection-binding': <'a.b'>}": "",
		"{'x': <'y'>}":                           "", // bound to none
		"{'ostree.collection-binding': <'a.c'>}": "has collection ID ‘a.c’",
		"{'ostree.collection-binding': <true>}":  "found none",
		"{'ostree.collection-binding': <['']>}":  "found none",
	} {
		v, err := gvariant.Parse("a{sv}", text)
		if err != nil {
			t.Fatal(err)
		}
		err = verifyCollection("a.b", &ostree.Commit{Metadata: v})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
