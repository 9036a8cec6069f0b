package rpm

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/openpgp"
)

// Each array of the files that is shorter or longer than the list of names is named.
func TestLengthsOfFileArrays(t *testing.T) {
	b := small()
	b.Files[0].Caps, b.Files[0].IMA, b.Files[0].Color, b.Files[0].Lang = "cap_net_raw=ep", "0302", 1, "de"
	pkg := build(t, b)
	p := readBytes(t, pkg)
	n := p.Header.NumFiles()
	tested := 0
	for _, x := range fileTags {
		e, ok := p.Header.Entry(x.tag)
		if !ok {
			e, ok = p.Header.Entry(TagFileModes)
			if x.tag != TagFileStates || !ok {
				continue
			}
			e = Entry{x.tag, TypeChar, uint32(n), make([]byte, n)}
		}
		for _, size := range []int{1, n + 1} {
			bad := e
			bad.Count = uint32(size)
			if width := e.Type.size(); width > 0 {
				bad.Data = bytes.Repeat(e.Data[:width], size)
			} else {
				bad.Data = bytes.Repeat([]byte("x\x00"), size)
			}
			_, _, err := unpack(reforge(t, pkg, set(bad), nil), Options{})
			if err == nil || !strings.Contains(err.Error(), x.tag.String()+" has ") {
				t.Errorf("%v with %d elements: %v", x.tag, size, err)
			}
		}
		tested++
	}
	if tested < 15 {
		t.Errorf("only %d arrays", tested)
	}
}

// What is beside a signature, or in its place.
func TestHostileSignatures(t *testing.T) {
	sign, keys := signer(t, openpgp.SignerOptions{})
	b := small()
	b.Sign = sign
	signed := build(t, b)
	with := func(change func(sig []byte) []byte) []byte {
		return rebuild(t, signed, func(e map[Tag]Entry) {
			sig := change(bytes.Clone(e[TagDSAHeader].Data))
			e[TagDSAHeader] = BinaryEntry(TagDSAHeader, sig)
			if _, ok := e[TagOpenPGP]; ok {
				e[TagOpenPGP] = StringsEntry(TagOpenPGP, base64.StdEncoding.EncodeToString(sig))
			}
		})
	}
	body := 2 // bytes of the packet's header
	first, err := sign(readBytes(t, signed).Header.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if first[1] >= 192 {
		body = 3
	}
	patch := func(at int, v byte) func([]byte) []byte {
		return func(sig []byte) []byte { sig[body+at] = v; return sig }
	}
	for _, tt := range []struct {
		name   string
		change func([]byte) []byte
		want   string
	}{
		{"as it is", func(sig []byte) []byte { return sig }, ""},
		{"the same once more", func(sig []byte) []byte { return append(sig, sig...) }, "invalid OpenPGP signature"},
		{"a user ID behind it", func(sig []byte) []byte { return append(sig, 0xcd, 1, 'x') }, "invalid OpenPGP signature"},
		{"a user ID before it", func(sig []byte) []byte { return append([]byte{0xcd, 1, 'x'}, sig...) }, "invalid OpenPGP signature"},
		{"empty packet", func([]byte) []byte { return []byte{0xc2, 0} }, "invalid OpenPGP signature"},
		{"of a text", patch(1, 0x01), "invalid OpenPGP signature"},
		{"of a key", patch(1, 0x10), "invalid OpenPGP signature"},
		{"unknown version", patch(0, 9), "invalid OpenPGP signature"},
		{"unknown algorithm of the key", patch(2, 99), "signature"},
		{"unknown hash", patch(3, 99), "signature"},
		{"MD5 in place of the hash", patch(3, 1), "signature"},
		{"64 kB", func(sig []byte) []byte { return append(sig, make([]byte, 64<<10)...) }, "invalid OpenPGP signature"},
	} {
		_, _, err := unpack(with(tt.change), Options{Level: LevelSignature, Keyring: keys})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for n, want := range map[int]bool{MaxSignatures: true, MaxSignatures + 1: false} {
		pkg := rebuild(t, signed, func(e map[Tag]Entry) {
			list := make([]string, n)
			for i := range list {
				list[i] = base64.StdEncoding.EncodeToString(e[TagDSAHeader].Data)
			}
			e[TagOpenPGP] = StringsEntry(TagOpenPGP, list...)
		})
		_, _, err := unpack(pkg, Options{Level: LevelSignature, Keyring: keys})
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "65 of them, at most 64") {
			t.Errorf("%d signatures: %v", n, err)
		}
	}
	// A key that is no key for this: its subpackets pose as another's.
	ring, err := os.ReadFile(shared(t, "rpm-upstream/keys/type-confusion.asc"))
	if err != nil {
		t.Fatal(err)
	}
	if confused, err := NewKeyring(ring); err == nil {
		if _, _, err := unpack(signed, Options{Level: LevelSignature, Keyring: confused}); err == nil {
			t.Error("a confused key verifies")
		}
	}
}

// Streams that ask for much memory, or take long to say nothing.
func TestGreedyStreams(t *testing.T) {
	plain := archive("./usr/bin/a=aaaaaaaaaa", "./usr/bin/b=a", "./usr/share/d", cpioTrailer)
	pack := packer(t)
	xz := pack(plain, "xz", "-c")
	// The block's header follows the 12 bytes of the stream's: size, flags, filter 0x21, one property.
	size := (int(xz[12]) + 1) * 4
	at := bytes.Index(xz[12:12+size], []byte{0x21, 1})
	xz[12+at+2] = 40 // a dictionary of 4 GiB
	binary.LittleEndian.PutUint32(xz[12+size-4:], crc32.ChecksumIEEE(xz[12:12+size-4]))
	lzma := pack(plain, "xz", "--format=lzma", "-c")
	copy(lzma[1:], "\xff\xff\xff\xff")
	bz := pack(nil, "bzip2", "-c")
	for _, tt := range []struct {
		name, compressor string
		payload          []byte
		want             string // "" for none
	}{
		{"xz with a dictionary of 4 GiB", "xz", xz, "larger than the limit"},
		{"lzma with a dictionary of 4 GiB", "lzma", lzma, "is too large"},
		{"zstd with a window of 2 GiB", "zstd", append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3}, make([]byte, 64)...), "window"},
		{"zstd frames to be skipped", "zstd", bytes.Repeat([]byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}, 100_000), "the data are none"},
		{"zstd frames without content", "zstd", bytes.Repeat([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0}, 100_000), "EOF"},
		{"bzip2 streams without content", "bzip2", bytes.Repeat(bz, 100_000), "EOF"},
		{"gzip with a name that does not end", "gzip", append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3}, bytes.Repeat([]byte("x"), 1<<20)...), ""},
	} {
		pkg := forge(t, small(), set(StringEntry(TagPayloadCompressor, tt.compressor)), func([]byte) []byte { return tt.payload })
		_, _, err := unpack(pkg, Options{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// Zeros in the index of the header, which rpm's own tests have beside those of
// TestChecksAgainstRPM.
func TestZerosInIndex(t *testing.T) {
	oracle(t, "rpm")
	b, err := os.ReadFile(shared(t, "rpm-upstream/hello-2.0-1.x86_64-signed.rpm"))
	if err != nil {
		t.Fatal(err)
	}
	clear(b[4750:4756])
	if _, _, err := unpack(b, Options{Level: LevelNone}); err == nil {
		t.Error("accepted")
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "x.rpm")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if exec.Command("rpm", "-K", "--dbpath", dir, name).Run() == nil {
		t.Error("rpm accepts it")
	}
}
