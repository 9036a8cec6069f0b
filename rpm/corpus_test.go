package rpm

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/openpgp"
)

// shared returns the path of a file of the shared test data.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("RPMOSTREE_SHARED")
	if dir == "" {
		dir = "../../shared"
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(dir, "data/rpms", name)
	if _, err := os.Stat(p); err != nil {
		t.Skip("no shared test data")
	}
	return p
}

// corpus returns the paths of all real packages below the shared test data.
func corpus(t testing.TB) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(shared(t, ""), func(p string, d fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(p, ".rpm") || strings.HasSuffix(p, ".rpm-v3")) && !strings.Contains(p, "malformed") {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// keyrings returns the keys of the corpus.
func corpusKeyring(t testing.TB, legacy bool, names ...string) *Keyring {
	t.Helper()
	k := &Keyring{Legacy: legacy}
	for _, name := range names {
		files, err := filepath.Glob(filepath.Join(shared(t, ""), name))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", name, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.Add(b); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
		}
	}
	return k
}

// unpack reads a package to its end and returns the bytes of content.
func unpack(b []byte, o Options) (p *Package, n int64, err error) {
	if p, err = Open(bytes.NewReader(b), o); err != nil {
		return nil, 0, err
	}
	pl, err := p.Payload()
	if err != nil {
		return p, 0, err
	}
	for {
		_, err := pl.Next()
		if err == io.EOF {
			return p, n, nil
		}
		if err != nil {
			return p, n, err
		}
		k, err := io.Copy(io.Discard, pl)
		if n += k; err != nil {
			return p, n, err
		}
	}
}

// A fixture is a line of the list of real packages.
type fixture struct {
	name, format, compressor, signatures, license string
}

// fixtures reads the list that comes with the test data.
func fixtures(t *testing.T) (out []fixture) {
	t.Helper()
	text, err := os.ReadFile(shared(t, "SOURCES.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(text), "| file | bytes |")
	if !ok {
		t.Fatal("no list of files")
	}
	for line := range strings.Lines(list) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) < 7 || !strings.Contains(f[1], "rpm") {
			continue
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		out = append(out, fixture{f[1], f[3], f[4], f[5], f[6]})
	}
	return out
}

// signatureKinds lists a package's signatures as the list of fixtures does.
func signatureKinds(t *testing.T, p *Package) string {
	t.Helper()
	var out []string
	add := func(tag string, b []byte) {
		s, err := openpgp.ParseSignature(b)
		if err != nil {
			t.Errorf("%s: %v", tag, err)
			return
		}
		algo := strings.Fields(s.String())[1]
		algo = strings.ReplaceAll(algo[:strings.LastIndexByte(algo, '/')], "ML-DSA-", "MLDSA")
		out = append(out, fmt.Sprintf("%s:v%d/%s", tag, s.Version(), algo))
	}
	for _, x := range []struct {
		tag  Tag
		name string
	}{{TagDSAHeader, "DSAHDR"}, {TagRSAHeader, "RSAHDR"}, {SigPGP, "PGP"}, {SigGPG, "GPG"}} {
		if b := p.Signature.Binary(x.tag); b != nil {
			add(x.name, b)
		}
	}
	for _, s := range p.Signature.Strings(TagOpenPGP) {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Error(err)
		}
		add("OPENPGP", b)
	}
	if p.Signature.Has(SigFileSignatures) || p.Header.Has(TagFileSignatures) {
		out = append(out, "IMA")
	}
	if len(out) == 0 {
		return "unsigned"
	}
	return strings.Join(out, ", ")
}

// Each package of the list is what the list says, and is good but for two.
func TestCorpus(t *testing.T) {
	want := map[string]string{ // errors
		"rpm-upstream/hello-2.0-1.x86_64-corrupted.rpm": "unpacking of archive failed",
		"rpm-upstream/hello-1.0-1.x86_64.rpm-v3":        "package format 3 is not supported",
		"libdnf/tour-4-5_4-6.noarch.drpm":               `payload format "drpm" is not supported`,
	}
	list := fixtures(t)
	if len(list) != 97 {
		t.Errorf("%d packages in the list", len(list))
	}
	for _, f := range list {
		t.Run(f.name, func(t *testing.T) {
			b, err := os.ReadFile(shared(t, f.name))
			if err != nil {
				t.Fatal(err)
			}
			p, _, err := unpack(b, Options{})
			if text := want[f.name]; (err != nil) != (text != "") || err != nil && !strings.Contains(err.Error(), text) {
				t.Fatalf("%v, want %q", err, text)
			}
			if p == nil {
				return
			}
			// What is refused can be looked at all the same.
			if start, end := p.HeaderRange(); !bytes.HasPrefix(b, p.Metadata()) || int(end) != len(p.Metadata()) || !bytes.Equal(b[start:end], p.Header.Bytes()) {
				t.Error("metadata differ from the file")
			}
			if got := fmt.Sprintf("v%d", p.Header.Format()); got != f.format {
				t.Errorf("format %s, want %s", got, f.format)
			}
			if got := cmp.Or(p.Header.String(TagPayloadCompressor), "none"); f.compressor != "" && got != f.compressor {
				t.Errorf("compressor %s, want %s", got, f.compressor)
			}
			if got := signatureKinds(t, p); got != f.signatures {
				t.Errorf("signatures %s, want %s", got, f.signatures)
			}
			if got := p.Header.String(TagLicense); !strings.HasPrefix(got, f.license) {
				t.Errorf("license %s, want %s", got, f.license)
			}
			if got := strings.HasSuffix(f.name, ".src.rpm"); got != p.Header.IsSource() {
				t.Errorf("is a source package: %v", !got)
			}
		})
	}
}

// Each malformed package is refused by what is wrong with it, and the error names the field.
func TestMalformed(t *testing.T) {
	for name, want := range map[string]string{
		"cnt":     "tag[9]: BAD, tag 1009 type 4 offset 84 count 2147483647: SIZE: count out of range",
		"cnt2":    "tag[14]: BAD, tag 1028 type 4 offset 116 count 2147483647: FILESIZES: count out of range",
		"dl":      "header data: BAD, no. of bytes(2147483647) out of range",
		"il":      "header tags: BAD, no. of tags(268435455) out of range",
		"neg2":    "tag[14]: BAD, tag 1028 type 4 offset -5 count 5: FILESIZES: offset out of range",
		"negoff":  "tag[14]: BAD, tag 1028 type 4 offset -5 count 5: FILESIZES: offset out of range",
		"off":     "tag[14]: BAD, tag 1028 type 4 offset 2147483392 count 5: FILESIZES: offset out of range",
		"off2":    "tag[14]: BAD, tag 1028 type 4 offset 2147483392 count 5: FILESIZES: offset out of range",
		"trailer": "region 63: tag number mismatch il 57 ril 5 dl 1728 rdl 1728",
		"trav":    `header of "hello-2.0-1.x86_64": bad file list: "/../../../../etc/cron.d/.COPYING": path is not clean`,
		"trav2":   `header of "hello-2.0-1.x86_64": bad file list: "/usr/bin/../xx": path is not clean`,
		"trunc":   "header: unexpected EOF",
		"type":    "tag[2]: BAD, tag 1000 type 4 offset 2 count 1: NAME: wrong type for the tag",
	} {
		b, err := os.ReadFile(shared(t, "malformed/"+name+".rpm"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err = unpack(b, Options{}); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", name, err, want)
		}
	}
}
