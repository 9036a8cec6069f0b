package rpm

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/internal/openpgp"
)

// Which keys accept which signatures of real packages. The status is that of
// every signature of the package but those that are named "other".
func TestSignaturesOfCorpus(t *testing.T) {
	const legacy = true
	tests := []struct {
		pkg, keys string
		legacy    bool
		want      string // statuses of the signatures, in order
	}{
		{"rpm-upstream/hello-2.0-1.x86_64-signed.rpm", "rpm-upstream/keys/rpm.org-rsa-2048-test.pub", false, "OK OK"},
		{"rpm-upstream/hello-2.0-1.x86_64-signed.rpm", "rpm-upstream/keys/rpm.org-rsa-2048-test.pgp", false, "OK OK"},
		{"rpm-upstream/hello-2.0-1.x86_64-signed.rpm", "rpm-upstream/keys/alice.asc", false, "NOKEY NOKEY"},
		{"rpm-upstream/hello-2.0-1.x86_64-signed.rpm", "rpm-upstream/keys/type-confusion.asc", false, "OK OK"},
		{"rpm-upstream/hello-2.0-1.x86_64-v3-signed.rpm", "rpm-upstream/keys/rpm.org-rsa-2048-test.pub", false, "NOTTRUSTED NOTTRUSTED"},
		{"rpm-upstream/hello-2.0-1.x86_64-v3-signed.rpm", "rpm-upstream/keys/rpm.org-rsa-2048-test.pub", legacy, "OK OK"},
		{"rpm-upstream/hello-2.0-1.x86_64-signed-mldsa87.rpm", "rpm-upstream/keys/rpm.org-rsa-2048-test.pub", false, "NOKEY OK"},
		{"rpm-upstream/hello-2.0-1.x86_64-signed-with-subkey.rpm", "rpm-upstream/keys/alice.asc", false, "OK"},
		{"rpm-upstream/hello-2.0-1.x86_64-signed-with-subkey.rpm", "rpm-upstream/keys/alice-revoked-subkey.asc", false, "NOTTRUSTED"},
		{"rpm-upstream/hello-2.0-1.x86_64-signed-with-subkey.rpm", "rpm-upstream/keys/CVE-2021-3521-badbind.asc", false, "NOKEY"},
		{"rpm-upstream/hello-2.0-1.x86_64-signed-with-new-subkey.rpm", "rpm-upstream/keys/rpm.org-rsa-2048-test.pub", false, "NOKEY"},
		{"rpm-upstream/hello-2.0-1.x86_64-signed-with-new-subkey.rpm", "rpm-upstream/keys/rpm.org-rsa-2048-add-subkey.asc", false, "OK"},
		{"rpm-upstream/hlinktest-1.0-1.noarch-v3sig.rpm", "rpm-upstream/keys/rpm.org-rsa-2048-test.pub", false, "OK"},
		{"rpm-rs/v4/signed/rpm-basic-with-rsa4096-2.3.4-5.el9.noarch.rpm", "rpm-rs/keys/v4/*", false, "OK"},
		{"rpm-rs/v4/signed/rpm-basic-with-ed25519-2.3.4-5.el9.noarch.rpm", "rpm-rs/keys/v4/*", false, "OK"},
		{"rpm-rs/v4/signed/rpm-basic-with-ecdsa-2.3.4-5.el9.noarch.rpm", "rpm-rs/keys/v4/*", false, "OK"},
		{"rpm-rs/v4/signed/rpm-basic-with-ima-2.3.4-5.el9.noarch.rpm", "rpm-rs/keys/v4/*", false, "OK OK OK"},
		{"rpm-rs/v6/signed/rpm-basic-with-rsa4k-2.3.4-5.el9.noarch.rpm", "rpm-rs/keys/v6/*", false, "OK"},
		{"rpm-rs/v6/signed/rpm-basic-with-ed25519-2.3.4-5.el9.noarch.rpm", "rpm-rs/keys/v6/*", false, "OK"},
		{"rpm-rs/v6/signed/rpm-basic-with-mldsa65-ed25519-2.3.4-5.el9.noarch.rpm", "rpm-rs/keys/v6/*", false, "OK"},
		{"rpm-rs/v6/signed/rpm-basic-multiple-signatures-2.3.4-5.el9.noarch.rpm", "rpm-rs/keys/v6/*", false, "OK OK"},
		{"createrepo_c/empty-signed-rsa-0-0.x86_64.rpm", "rpm-rs/keys/v4/*", false, "NOKEY NOKEY"},
		{"cavaliergopher/centos-release-as-2.1AS-4.noarch.rpm", "cavaliergopher/keys/*", legacy, "OK"},
		{"cavaliergopher/centos-release-3.1-1.i386.rpm", "cavaliergopher/keys/*", legacy, "OK OK"},
		{"cavaliergopher/centos-release-4-0.1.i386.rpm", "cavaliergopher/keys/*", legacy, "OK OK"},
		{"cavaliergopher/centos-release-5-0.0.el5.centos.2.i386.rpm", "cavaliergopher/keys/*", legacy, "OK OK"},
		{"cavaliergopher/centos-release-6-0.el6.centos.5.i686.rpm", "cavaliergopher/keys/*", legacy, "OK OK"},
		{"cavaliergopher/centos-release-7-2.1511.el7.centos.2.10.x86_64.rpm", "cavaliergopher/keys/*", legacy, "OK OK"},
		{"cavaliergopher/centos-release-7-2.1511.el7.centos.2.10.x86_64.rpm", "cavaliergopher/keys/*", false, "NOTTRUSTED NOTTRUSTED"},
		{"cavaliergopher/epel-release-7-5.noarch.rpm", "cavaliergopher/keys/*", legacy, "OK OK"},
	}
	for _, tt := range tests {
		b, err := os.ReadFile(shared(t, tt.pkg))
		if err != nil {
			t.Fatal(err)
		}
		p, err := Open(bytes.NewReader(b), Options{Keyring: corpusKeyring(t, tt.legacy, tt.keys)})
		if err != nil {
			t.Errorf("%s: %v", tt.pkg, err)
			continue
		}
		if err := p.Verify(); err != nil {
			t.Errorf("%s: %v", tt.pkg, err)
		}
		var got []string
		for _, c := range p.Checks() {
			if c.Signature {
				got = append(got, c.Status.String())
			} else if c.Status != OK {
				t.Errorf("%s: %v", tt.pkg, c)
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s with %s: %s, want %s", tt.pkg, filepath.Base(tt.keys), s, tt.want)
		}
	}
}

func small() *Builder {
	return &Builder{
		Name: "small", Version: "1", Release: "1", Arch: "noarch", Compressor: "none",
		Files: []BuildFile{
			{File: File{Path: "/usr/bin/a", Mode: 0o100755}, Data: []byte("aaaaaaaaaa")},
			{File: File{Path: "/usr/bin/b", Mode: 0o120777, LinkTo: "a"}},
			{File: File{Path: "/usr/share/d", Mode: 0o040755}},
		},
	}
}

func signer(t testing.TB, o openpgp.SignerOptions) (sign func([]byte) ([]byte, error), keys *Keyring) {
	t.Helper()
	s, err := openpgp.NewSigner("test", o)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := s.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if keys, err = NewKeyring(pub); err != nil {
		t.Fatal(err)
	}
	return func(header []byte) ([]byte, error) { return s.Sign(bytes.NewReader(header)) }, keys
}

// rebuild replaces the signature header of a package.
func rebuild(t testing.TB, b []byte, change func(entries map[Tag]Entry)) []byte {
	t.Helper()
	p, err := Open(bytes.NewReader(b), Options{Level: LevelNone})
	if err != nil {
		t.Fatal(err)
	}
	entries := map[Tag]Entry{}
	for _, tag := range p.Signature.Tags() {
		entries[tag], _ = p.Signature.Entry(tag)
	}
	change(entries)
	var list []Entry
	for _, e := range entries {
		list = append(list, e)
	}
	sig, err := EncodeHeader(TagHeaderSignatures, list)
	if err != nil {
		t.Fatal(err)
	}
	start, _ := p.HeaderRange()
	out := append([]byte(nil), b[:LeadSize]...)
	out = append(append(out, sig...), make([]byte, -len(sig)&7)...)
	return append(out, b[start:]...)
}

func TestVerifyPolicy(t *testing.T) {
	sign, keys := signer(t, openpgp.SignerOptions{})
	_, stranger := signer(t, openpgp.SignerOptions{})
	b := small()
	plain := build(t, b)
	b.Sign = sign
	signed := build(t, b)
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[(at+len(b))%len(b)] ^= 1
		return b
	}
	without := func(b []byte, tags ...Tag) []byte {
		return rebuild(t, b, func(e map[Tag]Entry) {
			for _, tag := range tags {
				delete(e, tag)
			}
		})
	}
	tests := []struct {
		name string
		pkg  []byte
		o    Options
		want string // part of the error, "" for none
	}{
		{"plain", plain, Options{}, ""},
		{"plain, signature demanded", plain, Options{Level: LevelSignature, Keyring: keys}, "no verified signature"},
		{"signed, no key, digests demanded", signed, Options{}, ""},
		{"signed, no key, signature demanded", signed, Options{Level: LevelSignature, Keyring: stranger}, "NOKEY"},
		{"signed", signed, Options{Level: LevelAll, Keyring: keys}, ""},
		{"signed, no digests, signature suffices", without(signed, TagSHA1Header, TagSHA256Header, SigMD5), Options{Level: LevelSignature, Keyring: keys}, ""},
		{"signed, no digests, all demanded", without(signed, TagSHA1Header, TagSHA256Header, SigMD5), Options{Level: LevelAll, Keyring: keys}, "no verified digest of the header"},
		{"payload changed", flip(plain, -8), Options{}, "digest: BAD"},
		{"payload appended", append(bytes.Clone(plain), 0), Options{}, "BAD"},
		{"payload cut", plain[:len(plain)-1], Options{}, "BAD"},
		{"digest of the header wrong", rebuild(t, plain, func(e map[Tag]Entry) {
			e[TagSHA256Header] = StringEntry(TagSHA256Header, strings.Repeat("00", 32))
		}), Options{}, "Header SHA256 digest: BAD"},
		{"digest of the header short", rebuild(t, plain, func(e map[Tag]Entry) {
			e[TagSHA256Header] = StringEntry(TagSHA256Header, "00")
		}), Options{}, "invalid digest"},
		{"digest in capitals", rebuild(t, plain, func(e map[Tag]Entry) {
			s := e[TagSHA256Header]
			e[TagSHA256Header] = StringEntry(TagSHA256Header, strings.ToUpper(string(s.Data[:len(s.Data)-1])))
		}), Options{}, ""},
		{"MD5 wrong", rebuild(t, plain, func(e map[Tag]Entry) {
			e[SigMD5] = BinaryEntry(SigMD5, make([]byte, 16))
		}), Options{}, "MD5 digest: BAD"},
		{"MD5 wrong, nothing demanded", rebuild(t, plain, func(e map[Tag]Entry) {
			e[SigMD5] = BinaryEntry(SigMD5, make([]byte, 16))
		}), Options{Level: LevelNone}, ""},
		{"signature is rubbish", rebuild(t, signed, func(e map[Tag]Entry) {
			e[TagDSAHeader] = BinaryEntry(TagDSAHeader, []byte("rubbish"))
		}), Options{}, "invalid OpenPGP signature"},
		{"rubbish after the signature", rebuild(t, signed, func(e map[Tag]Entry) {
			e[TagDSAHeader] = BinaryEntry(TagDSAHeader, append(bytes.Clone(e[TagDSAHeader].Data), 0))
		}), Options{Keyring: keys}, "invalid OpenPGP signature"},
		{"signature of another header", rebuild(t, signed, func(e map[Tag]Entry) {
			sig, _ := sign([]byte("another"))
			e[TagDSAHeader] = BinaryEntry(TagDSAHeader, sig)
		}), Options{Keyring: keys}, "BAD"},
		{"signature in the new place", rebuild(t, signed, func(e map[Tag]Entry) {
			e[TagOpenPGP] = StringsEntry(TagOpenPGP, base64.StdEncoding.EncodeToString(e[TagDSAHeader].Data))
			e[TagDSAHeader] = BinaryEntry(TagDSAHeader, []byte("not looked at"))
		}), Options{Level: LevelAll, Keyring: keys}, ""},
		{"signature made in the future", signed, Options{Level: LevelSignature, Keyring: keys, Now: time.Now().Add(-48 * time.Hour)}, "NOTTRUSTED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Open(bytes.NewReader(tt.pkg), tt.o)
			if err == nil {
				err = p.Verify()
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			_, _, unpacked := unpack(tt.pkg, tt.o)
			if (unpacked == nil) != (err == nil) {
				t.Errorf("unpacking: %v, verifying: %v", unpacked, err)
			}
		})
	}
}

// reassemble makes a package with the lead of p, a header and payload with their
// digests, and more entries of the signature header.
func reassemble(t testing.TB, p *Package, header, payload []byte, more ...Entry) []byte {
	t.Helper()
	md5, _ := MD5.New()
	md5.Write(header)
	md5.Write(payload)
	sum := sha256.Sum256(header)
	signature, err := EncodeHeader(TagHeaderSignatures, append(more,
		StringEntry(TagSHA256Header, hex.EncodeToString(sum[:])), BinaryEntry(SigMD5, md5.Sum(nil))))
	if err != nil {
		t.Fatal(err)
	}
	pkg := append(p.lead[:], signature...)
	pkg = append(pkg, make([]byte, -len(signature)&7)...)
	return append(append(pkg, header...), payload...)
}

// Of the two digests of the payload, one of the packed and one of the unpacked
// form, one is enough. rpm has the last word on each.
func TestPayloadTwins(t *testing.T) {
	oracle(t, "rpm")
	b := small()
	b.Compressor = "gzip"
	p, err := Open(bytes.NewReader(build(t, b)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	packed, err := io.ReadAll(p.r)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	zeros := strings.Repeat("0", 64)
	dir := t.TempDir()
	for _, tt := range []struct {
		name    string
		payload []byte
		change  map[Tag]string // digests; "" takes one away
		ok      bool
		checks  string
	}{
		{"as built", packed, nil, true, "SHA256 OK"},
		{"unpacked", unpacked, nil, true, "SHA256 ALT OK"},
		{"unpacked, wrong digest of the packed", unpacked, map[Tag]string{TagPayloadSHA256: zeros}, true, "SHA256 ALT OK"},
		{"packed, wrong digest of the unpacked", packed, map[Tag]string{TagPayloadSHA256Alt: zeros}, true, "SHA256 OK"},
		{"packed, digest of the unpacked alone", packed, map[Tag]string{TagPayloadSHA256: ""}, false, "SHA256 ALT BAD"},
		{"unpacked, digest of the unpacked alone", unpacked, map[Tag]string{TagPayloadSHA256: ""}, true, "SHA256 ALT OK"},
		{"unpacked, digest of the packed alone", unpacked, map[Tag]string{TagPayloadSHA256Alt: ""}, false, "SHA256 BAD"},
		{"both wrong", packed, map[Tag]string{TagPayloadSHA256: zeros, TagPayloadSHA256Alt: zeros}, false, "SHA256 BAD, SHA256 ALT BAD"},
		{"no hex", packed, map[Tag]string{TagPayloadSHA256: "x" + zeros[1:]}, false, "SHA256 BAD, SHA256 ALT BAD"},
		{"unpacked, no hex", unpacked, map[Tag]string{TagPayloadSHA256: "x" + zeros[1:]}, true, "SHA256 ALT OK"},
	} {
		var entries []Entry
		for _, tag := range p.Header.Tags() {
			e, _ := p.Header.Entry(tag)
			switch v, changed := tt.change[tag]; {
			case !changed:
				entries = append(entries, e)
			case v != "":
				entries = append(entries, StringsEntry(tag, v))
			}
		}
		header, err := EncodeHeader(TagHeaderImmutable, entries)
		if err != nil {
			t.Fatal(err)
		}
		pkg := reassemble(t, p, header, tt.payload)
		if _, _, err := unpack(pkg, Options{}); (err == nil) != tt.ok {
			t.Errorf("%s: unpacking: %v", tt.name, err)
		}
		got := readBytes(t, pkg)
		if err := got.Verify(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		var checks []string
		for _, c := range got.Checks() {
			if what, ok := strings.CutPrefix(c.Name, "Payload "); ok {
				checks = append(checks, strings.TrimSuffix(what, "digest")+c.Status.String())
			}
		}
		if s := strings.Join(checks, ", "); s != tt.checks {
			t.Errorf("%s: %s, want %s", tt.name, s, tt.checks)
		}
		name := filepath.Join(dir, "twins.rpm")
		if err := os.WriteFile(name, pkg, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := exec.Command("rpm", "-K", "--dbpath", dir, name).Run(); (err == nil) != tt.ok {
			t.Errorf("%s: rpm -K: %v", tt.name, err)
		}
		root := filepath.Join(t.TempDir(), "root")
		out, err := exec.Command("rpm", "-i", "--root", root, "--nodeps", "--noplugins", name).CombinedOutput()
		if (err == nil) != tt.ok {
			t.Errorf("%s: rpm -i: %v: %s", tt.name, err, out)
		}
	}
}

// A signed header without a digest of the payload leaves the payload to anyone.
func TestPartiallySigned(t *testing.T) {
	sign, keys := signer(t, openpgp.SignerOptions{})
	b := small()
	b.Sign = sign
	p, err := Open(bytes.NewReader(build(t, b)), Options{Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	var entries []Entry
	for _, tag := range p.Header.Tags() {
		if tag != TagPayloadSHA256 && tag != TagPayloadSHA256Alt {
			e, _ := p.Header.Entry(tag)
			entries = append(entries, e)
		}
	}
	header, err := EncodeHeader(TagHeaderImmutable, entries)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := io.ReadAll(p.r)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := sign(header)
	if err != nil {
		t.Fatal(err)
	}
	pkg := reassemble(t, p, header, payload, BinaryEntry(TagDSAHeader, sig))
	_, _, err = unpack(pkg, Options{Keyring: keys})
	var v *VerifyError
	if !errors.As(err, &v) || v.Missing != "no verified signature of the payload" {
		t.Errorf("%v", err)
	}
	if _, _, err := unpack(pkg, Options{}); err != nil {
		t.Errorf("without the key: %v", err)
	}
}

// Keys that are no longer good.
func TestExpiredKey(t *testing.T) {
	then := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	sign, keys := signer(t, openpgp.SignerOptions{Now: then, Lifetime: 24 * time.Hour})
	b := small()
	b.Sign = sign
	// The signature was made while the key was good, and stays good.
	if _, _, err := unpack(build(t, b), Options{Level: LevelAll, Keyring: keys}); err != nil {
		t.Error(err)
	}
}

func TestSignatureKinds(t *testing.T) {
	for _, o := range []openpgp.SignerOptions{{}, {RSA: true}, {V6: true}} {
		for _, format := range []int{4, 6} {
			sign, keys := signer(t, o)
			b := small()
			b.Sign, b.Format = sign, format
			p, _, err := unpack(build(t, b), Options{Level: LevelAll, Keyring: keys})
			if err != nil {
				t.Errorf("%+v, format %d: %v", o, format, err)
				continue
			}
			for _, c := range p.Checks() {
				if c.Status != OK {
					t.Errorf("%+v, format %d: %v", o, format, c)
				}
			}
		}
	}
}

func readBytes(t testing.TB, b []byte) *Package {
	t.Helper()
	p, err := Open(bytes.NewReader(b), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Each digest and signature has the status that "rpm -Kv" finds, for the corpus and
// for packages damaged at some places.
func TestChecksAgainstRPM(t *testing.T) {
	oracle(t, "rpm")
	dir := t.TempDir()
	files := corpus(t)
	signed, err := os.ReadFile(shared(t, "rpm-upstream/hello-2.0-1.x86_64-signed.rpm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{264, 333, 5555, 7711, 7777} {
		b := bytes.Clone(signed)
		clear(b[at : at+6])
		name := filepath.Join(dir, fmt.Sprintf("damaged-at-%d.rpm", at))
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		p := &Package{r: f}
		if p.Lead, p.lead, err = readLead(f); err == nil {
			p.Signature, p.pad, err = readSignatureHeader(f)
		}
		if err == nil {
			p.Header, err = ReadHeader(f)
		}
		if err != nil {
			t.Fatal(err)
		}
		p.verifier = newVerifier(p.Signature, p.Header, Options{})
		p.Verify()
		f.Close()
		theirs := map[string]string{}
		out := run(t, "sh", "-c", `rpm -Kv --dbpath "$1" "$2" || true`, "sh", dir, name)
		for line := range strings.Lines(out) {
			if check, status, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
				theirs[check] = strings.Fields(status)[0]
			}
		}
		for _, c := range p.Checks() {
			status, ok := theirs[c.Name]
			switch {
			case !ok && (strings.Contains(c.Name, "SHA3") || strings.Contains(c.Name, "SHA512") || c.Signature):
				// Debian's rpm does not know these, and names a broken signature by its tag.
			case c.Status == NoKey && status == "BAD":
				// It looks at two bytes of the hash even without a key.
			case status != c.Status.String():
				t.Errorf("%s: %v, rpm says %q", filepath.Base(name), c, status)
			}
		}
	}
}
