package rpm

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/openpgp"
)

// The cases of hostile input that the other tests of this package do not have.
// want is a part of the error, "" for none.
func TestChecklist(t *testing.T) {
	good := build(t, small())
	p := readBytes(t, good)
	start, end := p.HeaderRange()
	_, payloadStart := p.HeaderRange()
	payload := good[payloadStart:]
	patched := func(at int, b ...byte) []byte {
		out := bytes.Clone(good)
		copy(out[at:], b)
		return out
	}
	// headers returns the package with other bytes in place of a header.
	withSignature := func(sig []byte) []byte {
		return slices.Concat(good[:LeadSize], sig, make([]byte, -len(sig)&7), good[start:])
	}
	withHeader := func(h []byte) []byte { return join(t, good[:LeadSize], h, payload) }
	image := bytes.Clone(p.Header.Bytes())
	trailer := 16 + len(p.Header.Tags())*entrySize + entrySize + int(binary.BigEndian.Uint32(image[16+8:]))
	binary.BigEndian.PutUint32(image[16:], uint32(TagHeaderImage))
	binary.BigEndian.PutUint32(image[trailer:], uint32(TagHeaderImage))
	var loose []Entry
	for _, tag := range p.Header.Tags() {
		e, _ := p.Header.Entry(tag)
		loose = append(loose, e)
	}
	file := func(change func(*BuildFile)) []byte {
		b := small()
		f := BuildFile{File: File{Path: "/usr/share/x", Mode: 0o100644, Mtime: 1}}
		change(&f)
		b.Files = append(b.Files, f)
		return build(t, b)
	}
	zero := []byte{0, 0, 0, 0}
	tests := []struct {
		name string
		pkg  []byte
		o    Options
		want string
	}{
		{"nothing", nil, Options{}, "lead: unexpected EOF"},
		{"the lead says source", patched(7, 1), Options{}, ""},
		{"the lead has another name", patched(10, []byte("../../etc/passwd\x00")...), Options{}, ""},
		{"signature header without entries", patched(LeadSize+8, zero...), Options{}, "signature header tags: BAD, no. of tags(0) out of range"},
		{"signature header with the region of a header", withSignature(p.Header.Bytes()), Options{}, "signature"},
		{"region is an image", withHeader(image), Options{}, ""},
		{"no region", withHeader(headerWithoutRegion(loose)), Options{}, "package format 3 is not supported"},
		{"name is a dot", forge(t, small(), set(StringsEntry(TagBaseNames, ".", "b", "d")), nil), Options{}, "not clean"},
		{"path of a file with a NUL more", forge(t, small(), func(m map[Tag]Entry) {
			e := StringsEntry(TagBaseNames, "a", "x", "b", "d")
			m[TagBaseNames] = e
		}, nil), Options{}, "for 4 files"},
		{"both sums of the header, one wrong", rebuild(t, good, func(m map[Tag]Entry) {
			m[TagSHA1Header] = StringEntry(TagSHA1Header, strings.Repeat("00", 20))
		}), Options{}, "Header SHA1 digest: BAD"},
		// As in rpm, one of the two is enough.
		{"sum of the packed payload wrong, of the unpacked right", forge(t, small(), set(StringsEntry(TagPayloadSHA256, strings.Repeat("00", 32))), nil),
			Options{}, ""},
		{"only the sum of the unpacked payload", withoutPackedSum(t), Options{}, ""},
		{"only the sum of the unpacked payload, wrong", withoutPackedSum(t, strings.Repeat("00", 32)), Options{}, "Payload SHA256 ALT digest: BAD"},
		{"unknown algorithm of the payload's sum", forge(t, small(), set(Uint32Entry(TagPayloadSHA256Algo, 99)), nil), Options{}, ""},
		{"unknown algorithm, and no other sum", rebuild(t, forge(t, small(), set(Uint32Entry(TagPayloadSHA256Algo, 99)), nil), func(m map[Tag]Entry) {
			delete(m, SigMD5)
		}), Options{}, "no verified digest of the payload"},
		{"device", file(func(f *BuildFile) { f.Mode, f.Rdev = 0o020600, 0x103 }), Options{}, ""},
		{"FIFO", file(func(f *BuildFile) { f.Mode = 0o010600 }), Options{}, ""},
		{"socket", file(func(f *BuildFile) { f.Mode = 0o140600 }), Options{}, ""},
		{"unknown type of file", file(func(f *BuildFile) { f.Mode = 0o150600 }), Options{}, ""}, // and is left out of trees
		{"setuid", file(func(f *BuildFile) { f.Mode = 0o106755 }), Options{}, ""},
		{"time after 2038", file(func(f *BuildFile) { f.Mtime = 1<<32 - 1 }), Options{}, ""},
		{"capabilities that cannot be read", file(func(f *BuildFile) { f.Caps = "cap_everything=ep" }), Options{}, ""}, // the importer's error
		{"numeric user", file(func(f *BuildFile) { f.User = "0" }), Options{}, ""},
		{"a ghost is in the payload", forge(t, small(), set(Uint32Entry(TagFileFlags, uint32(FileGhost), 0, 0)), nil), Options{}, ""},
		{"links of different modes", forge(t, linkedPackage(), set(Uint16Entry(TagFileModes, 0o100644, 0o104755)), nil), Options{}, ""},
		{"links of different sizes", forge(t, linkedPackage(), set(Uint32Entry(TagFileSizes, 3, 4)), nil), Options{}, "size is 3 in the archive, 4 in the header"},
		{"a link of a set is a ghost", forge(t, linkedPackage(), set(Uint32Entry(TagFileFlags, uint32(FileGhost), 0)), nil), Options{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := unpack(tt.pkg, tt.o); tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if end != payloadStart {
		t.Error("the payload does not follow the header")
	}
}

// headerWithoutRegion encodes entries as before version 4.
func headerWithoutRegion(entries []Entry) []byte {
	var e encoder
	for _, x := range entries {
		e.add(x)
	}
	b, _ := e.bytes()
	return b
}

// withoutPackedSum returns a package whose payload may be packed again.
func withoutPackedSum(t *testing.T, sum ...string) []byte {
	return forge(t, small(), func(m map[Tag]Entry) {
		delete(m, TagPayloadSHA256)
		if len(sum) > 0 {
			m[TagPayloadSHA256Alt] = StringsEntry(TagPayloadSHA256Alt, sum...)
		}
	}, nil)
}

// linkedPackage has two hard links and nothing else.
func linkedPackage() *Builder {
	b := small()
	b.Files = nil
	for _, name := range []string{"/a", "/b"} {
		b.Files = append(b.Files, BuildFile{File: File{Path: name, Mode: 0o100644}, LinkGroup: "x", Data: []byte("abc")})
	}
	return b
}

// A million of files are taken, and checked in no time worth a limit.
func TestMillionFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	const n = 1_000_000
	names := bytes.Buffer{}
	for i := range n {
		names.Write([]byte{'a' + byte(i%26), 'a' + byte(i/26%26), 'a' + byte(i/676%26), 'a' + byte(i/17576%26), 'a' + byte(i/456976), 0})
	}
	words := make([]byte, 4*n)
	empty := make([]byte, n)
	root := bytes.Repeat([]byte("root\x00"), n)
	entries := []Entry{
		StringEntry(TagName, "n"), StringEntry(TagVersion, "1"), StringEntry(TagRelease, "1"), StringEntry(TagSourceRPM, "n.src.rpm"),
		{TagFileSizes, TypeInt32, n, words}, {TagFileModes, TypeInt16, n, bytes.Repeat([]byte{0x81, 0xa4}, n)}, {TagFileRdevs, TypeInt16, n, words[:2*n]},
		{TagFileMtimes, TypeInt32, n, words}, {TagFileDigests, TypeStringArray, n, empty}, {TagFileLinkTos, TypeStringArray, n, empty},
		{TagFileFlags, TypeInt32, n, words}, {TagFileUserName, TypeStringArray, n, root}, {TagFileGroupName, TypeStringArray, n, root},
		{TagDirIndexes, TypeInt32, n, words}, {TagBaseNames, TypeStringArray, n, names.Bytes()}, StringsEntry(TagDirNames, "/usr/"),
	}
	b, err := EncodeHeader(TagHeaderImmutable, entries)
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Check(); err != nil {
		t.Error(err)
	}
}

// Keys that must not verify a signature that one like them has made.
func TestHostileKeys(t *testing.T) {
	const signed, subkey = "rpm-upstream/hello-2.0-1.x86_64-signed.rpm", "rpm-upstream/hello-2.0-1.x86_64-signed-with-subkey.rpm"
	for _, c := range []struct {
		pkg  string
		keys []string
		want string
	}{
		{subkey, []string{"CVE-2021-3521-nosubsig.asc"}, "NOKEY"},
		{subkey, []string{"CVE-2021-3521-nosubsig-last.asc"}, "NOKEY"},
		{subkey, []string{"CVE-2021-3521-badbind.asc"}, "NOKEY"},
		{subkey, []string{"alice-expired-subkey.asc"}, "NOTTRUSTED"},
		{subkey, []string{"alice-revoked-subkey.asc"}, "NOTTRUSTED"},
		{subkey, []string{"CVE-2021-3521-badbind.asc", "alice.asc"}, "OK"},
		{signed, []string{"keyidcollision1.pub", "keyidcollision2.pub"}, "NOKEY NOKEY"},
		{signed, []string{"rpm.org-rsa-2048-test.pub", "rpm.org-rsa-2048-add-subkey.asc"}, "OK OK"}, // one key twice
		{signed, []string{"rpm.org-ed25519-test.pub", "rpm.org-nistp256-test.pub"}, "NOKEY NOKEY"},
	} {
		var paths []string
		for _, k := range c.keys {
			paths = append(paths, "rpm-upstream/keys/"+k)
		}
		b, err := os.ReadFile(shared(t, c.pkg))
		if err != nil {
			t.Fatal(err)
		}
		p, err := Open(bytes.NewReader(b), Options{Keyring: corpusKeyring(t, false, paths...)})
		if err != nil {
			t.Errorf("%v: %v", c.keys, err)
			continue
		}
		if err := p.Verify(); err != nil {
			t.Errorf("%v: %v", c.keys, err)
		}
		var got []string
		for _, check := range p.Checks() {
			if check.Signature {
				got = append(got, check.Status.String())
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s with %v: %s, want %s", c.pkg, c.keys, s, c.want)
		}
	}
	secret, err := openpgp.NewKeyring([]byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n-----END PGP PRIVATE KEY BLOCK-----\n"))
	if err == nil {
		t.Errorf("a secret key is taken: %v", secret.Keys())
	}
}

// packer returns what gives data to a program and takes its output.
func packer(t *testing.T) func(data []byte, program ...string) []byte {
	return func(data []byte, program ...string) []byte {
		t.Helper()
		oracle(t, program[0])
		cmd := exec.Command(program[0], program[1:]...)
		cmd.Stdin = bytes.NewReader(data)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", program, err)
		}
		return out
	}
}

// Payloads that programs have packed, with something wrong about them.
func TestHostileStreams(t *testing.T) {
	plain := archive("./usr/bin/a=aaaaaaaaaa", "./usr/bin/b=a", "./usr/share/d", cpioTrailer)
	pack := packer(t)
	zeros := make([]byte, 4<<20)
	dotdot, err := os.ReadFile(shared(t, "go-rpmutils/cpio/dotdot.cpio"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, compressor string
		payload          []byte
		want             string
	}{
		{"bzip2", "bzip2", pack(plain, "bzip2", "-c"), ""},
		{"bzip2 of much", "bzip2", pack(slices.Concat(plain[:110], zeros), "bzip2", "-c"), ""},
		{"xz of much", "xz", pack(slices.Concat(plain, zeros), "xz", "-c"), "too large"},
		{"zstd of much", "zstd", pack(slices.Concat(plain, zeros), "zstd", "-q", "-c"), "too large"},
		{"gzip of much", "gzip", pack(slices.Concat(plain, zeros), "gzip", "-c"), "too large"},
		{"bzip2 of zeros behind the archive", "bzip2", pack(slices.Concat(plain, zeros), "bzip2", "-c"), "too large"},
		{"two members of gzip", "gzip", slices.Concat(pack(plain[:100], "gzip", "-c"), pack(plain[100:], "gzip", "-c")), ""},
		{"thousands of members of gzip", "gzip", slices.Concat(pack(plain, "gzip", "-c"), bytes.Repeat(pack(nil, "gzip", "-c"), 100000)), ""},
		{"rubbish behind gzip", "gzip", append(pack(plain, "gzip", "-c"), "rubbish"...), "after the end of the archive"},
		{"rubbish behind xz", "xz", append(pack(plain, "xz", "-c"), "rubbish"...), "after the end of the archive"},
		{"rubbish behind zstd", "zstd", append(pack(plain, "zstd", "-q", "-c"), "rubbish"...), "magic"},
		{"half of it", "xz", pack(plain, "xz", "-c")[:60], "unexpected EOF"},
		{"other compressor than said", "gzip", pack(plain, "xz", "-c"), "compressor is gzip, but the data are xz"},
		{"names that climb", "", dotdot, "archive file not in header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pkg := forge(t, small(), func(m map[Tag]Entry) {
				if c.compressor != "" {
					m[TagPayloadCompressor] = StringEntry(TagPayloadCompressor, c.compressor)
				}
			}, func([]byte) []byte { return c.payload })
			_, _, err := unpack(pkg, Options{})
			switch {
			case c.name == "bzip2 of much":
				if err == nil {
					t.Error("accepted")
				}
			case c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	// What never ends is left when it is too much.
	pkg := forge(t, small(), nil, nil)
	_, start := readBytes(t, pkg).HeaderRange()
	endless := io.MultiReader(bytes.NewReader(pkg[:start]), bytes.NewReader(plain), zeroReader{})
	p, err := Open(endless, Options{Level: LevelNone})
	if err != nil {
		t.Fatal(err)
	}
	pl, err := p.Payload()
	for err == nil {
		_, err = pl.Next()
	}
	if !strings.Contains(err.Error(), "too large") {
		t.Errorf("endless: %v", err)
	}
}

// zeroReader never ends.
type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
