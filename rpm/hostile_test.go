package rpm

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// forge builds b without compression, changes header and payload, and makes
// all digests right again: what a hostile packager can do.
func forge(t testing.TB, b *Builder, header func(map[Tag]Entry), payload func([]byte) []byte) []byte {
	t.Helper()
	return reforge(t, build(t, b), header, payload)
}

func reforge(t testing.TB, pkg []byte, header func(map[Tag]Entry), payload func([]byte) []byte) []byte {
	t.Helper()
	p, err := Open(bytes.NewReader(pkg), Options{Level: LevelNone})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(p.r)
	if err != nil {
		t.Fatal(err)
	}
	if payload != nil {
		data = payload(data)
	}
	entries := map[Tag]Entry{}
	for _, tag := range p.Header.Tags() {
		entries[tag], _ = p.Header.Entry(tag)
	}
	for _, tag := range []Tag{TagPayloadSHA512, TagPayloadSHA512Alt, TagPayloadSHA3, TagPayloadSHA3Alt} {
		delete(entries, tag)
	}
	sum := sha256.Sum256(data)
	entries[TagPayloadSHA256] = StringsEntry(TagPayloadSHA256, hex.EncodeToString(sum[:]))
	if header != nil {
		header(entries)
	}
	var list []Entry
	for _, e := range entries {
		list = append(list, e)
	}
	h, err := EncodeHeader(TagHeaderImmutable, list)
	if err != nil {
		t.Fatal(err)
	}
	return join(t, p.lead[:], h, data)
}

// join makes a package with a new signature header.
func join(t testing.TB, lead, header, payload []byte) []byte {
	t.Helper()
	sum, all := sha256.Sum256(header), md5.Sum(slices.Concat(header, payload))
	sig, err := EncodeHeader(TagHeaderSignatures, []Entry{StringEntry(TagSHA256Header, hex.EncodeToString(sum[:])), BinaryEntry(SigMD5, all[:])})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(lead, sig, make([]byte, -len(sig)&7), header, payload)
}

func set(e Entry) func(map[Tag]Entry) { return func(m map[Tag]Entry) { m[e.Tag] = e } }

func TestHostileFileLists(t *testing.T) {
	// small has the files /usr/bin/{a,b} and /usr/share/d, directories /usr/bin/ and /usr/share/.
	tests := []struct {
		name   string
		change func(map[Tag]Entry)
		want   string
	}{
		{"fewer modes", set(Uint16Entry(TagFileModes, 1, 2)), "FILEMODES has 2 elements for 3 files"},
		{"more names than indexes", set(StringsEntry(TagBaseNames, "a", "b", "c", "d")), "elements for 4 files"},
		{"no users", func(m map[Tag]Entry) { delete(m, TagFileUserName) }, "FILEUSERNAME is missing"},
		{"both sizes", set(Uint64Entry(TagLongFileSizes, 1, 2, 3)), "exactly one of"},
		{"no sizes", func(m map[Tag]Entry) { delete(m, TagFileSizes) }, "exactly one of"},
		{"directory out of range", set(Uint32Entry(TagDirIndexes, 0, 0, 2)), "out of range"},
		{"huge directory index", set(Uint32Entry(TagDirIndexes, 0, 0, 0xffffffff)), "out of range"},
		{"relative directory", set(StringsEntry(TagDirNames, "usr/bin/", "/usr/share/")), "not absolute"},
		{"directory without end", set(StringsEntry(TagDirNames, "/usr/bin", "/usr/share/")), ""}, // names /usr/bina
		{"dots in a directory", set(StringsEntry(TagDirNames, "/usr/../bin/", "/usr/share/")), "not clean"},
		{"dot in a directory", set(StringsEntry(TagDirNames, "/usr/./bin/", "/usr/share/")), "not clean"},
		{"empty component", set(StringsEntry(TagDirNames, "/usr//bin/", "/usr/share/")), "not clean"},
		{"name is dots", set(StringsEntry(TagBaseNames, "..", "b", "d")), "not clean"},
		{"name climbs", set(StringsEntry(TagBaseNames, "../../etc/passwd", "b", "d")), "not clean"},
		{"name is empty", set(StringsEntry(TagBaseNames, "", "b", "d")), "not clean"},
		{"twice", set(StringsEntry(TagBaseNames, "a", "a", "d")), "listed twice"},
		{"too long", set(StringsEntry(TagBaseNames, strings.Repeat("a", 4090), "b", "d")), "too long"},
		{"below a link", set(StringsEntry(TagDirNames, "/usr/bin/", "/usr/bin/b/")), "no directory"},
		{"digest algorithm unknown", set(Uint32Entry(TagFileDigestAlgo, 99)), "unknown digest algorithm"},
		{"digest of a file wrong", set(StringsEntry(TagFileDigests, strings.Repeat("00", 32), "", "")), "digest mismatch"},
		{"digest of a file short", set(StringsEntry(TagFileDigests, "00", "", "")), "digest mismatch"},
		{"size larger", set(Uint32Entry(TagFileSizes, 11, 1, 4096)), "size is 10 in the archive, 11 in the header"},
		{"size smaller", set(Uint32Entry(TagFileSizes, 9, 1, 4096)), "size is 10 in the archive, 9 in the header"},
		{"payload format", set(StringEntry(TagPayloadFormat, "drpm")), `payload format "drpm" is not supported`},
		{"compressor unknown", set(StringEntry(TagPayloadCompressor, "rar")), "unknown compression"},
		{"compressor wrong", set(StringEntry(TagPayloadCompressor, "xz")), "compressor is xz, but the data are none"},
		{"feature unknown", func(m map[Tag]Entry) {
			m[TagRequireName] = StringsEntry(TagRequireName, "rpmlib(Future)")
			m[TagRequireVersion] = StringsEntry(TagRequireVersion, "9-1")
			m[TagRequireFlags] = Uint32Entry(TagRequireFlags, uint32(DepRpmlib|DepLess|DepEqual))
		}, "rpmlib(Future) <= 9-1 is needed by small-1-1.noarch"},
		{"escape in the name", set(StringEntry(TagName, "a\x1b[2J")), "bad NAME"},
		{"line break in the version", set(StringEntry(TagVersion, "1\n2")), "bad VERSION"},
		{"slash in the architecture", set(StringEntry(TagArch, "../x")), "bad ARCH"},
		{"invalid UTF-8 in the release", set(StringEntry(TagRelease, "1\xff")), "bad RELEASE"},
		{"line break in a user", set(StringsEntry(TagFileUserName, "root\n", "root", "root")), "FILEUSERNAME"},
		{"digest of the signature header in the header", set(StringEntry(TagSHA256Header, "00")), "does not belong"},
		{"signature in the header", set(BinaryEntry(TagRSAHeader, []byte("x"))), "does not belong"},
		{"no name", func(m map[Tag]Entry) { delete(m, TagName) }, "NAME is missing"},
		{"dependencies differ in number", set(Uint32Entry(TagProvideFlags, 1, 2, 3)), "PROVIDEFLAGS has 3"},
		{"trigger out of range", func(m map[Tag]Entry) {
			for _, e := range fileTriggerTags.entries([]Trigger{{Body: "x", Conditions: []Dep{{Name: "/usr"}}}}) {
				m[e.Tag] = e
			}
			m[TagFileTriggerIndex] = Uint32Entry(TagFileTriggerIndex, 1)
		}, "FILETRIGGERINDEX is out of range"},
		{"hard links without content", set(Uint32Entry(TagFileSizes, 0, 1, 4096)), "size is 10"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := unpack(forge(t, small(), tt.change, nil), Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// archive joins members; a value is name=content.
func archive(members ...string) []byte {
	var b bytes.Buffer
	w := &cpioWriter{&b}
	for i, m := range members {
		name, content, _ := strings.Cut(m, "=")
		w.record(name, uint32(i+1), 0o100644, 1, 0, uint32(len(content)), 0)
		b.WriteString(content)
		w.pad(int64(len(content)))
	}
	return b.Bytes()
}

func TestHostilePayloads(t *testing.T) {
	good := archive("./usr/bin/a=aaaaaaaaaa", "./usr/bin/b=a", "./usr/share/d", cpioTrailer)
	patch := func(at int, s string) func([]byte) []byte {
		return func(b []byte) []byte {
			b = bytes.Clone(b)
			copy(b[at:], s)
			return b
		}
	}
	whole := func(b []byte) func([]byte) []byte { return func([]byte) []byte { return b } }
	stripped := func(indexes ...int) []byte {
		var b bytes.Buffer
		w := &cpioWriter{&b}
		for _, i := range indexes {
			w.strippedHeader(i)
			switch i {
			case 0:
				b.WriteString("aaaaaaaaaa\x00\x00")
			case 1:
				b.WriteString("a\x00\x00\x00")
			}
		}
		w.trailer()
		return b.Bytes()
	}
	tests := []struct {
		name    string
		payload func([]byte) []byte
		want    string // "" for none
	}{
		{"good", whole(good), ""},
		{"names without prefix", whole(archive("/usr/bin/a=aaaaaaaaaa", "usr/bin/b=a", "./usr/share/d", cpioTrailer)), ""},
		{"another order", whole(archive("./usr/share/d", "./usr/bin/b=a", "./usr/bin/a=aaaaaaaaaa", cpioTrailer)), ""},
		{"padded to a block", whole(append(bytes.Clone(good), make([]byte, 512)...)), ""},
		{"stripped", whole(stripped(0, 1, 2)), ""},
		{"target differs from the header", whole(archive("./usr/bin/a=aaaaaaaaaa", "./usr/bin/b=../../etc", "./usr/share/d", cpioTrailer)), ""},
		{"empty", whole(nil), "unexpected EOF"},
		{"no trailer", whole(good[:len(good)-124]), "unexpected EOF"},
		{"data after the trailer", whole(append(bytes.Clone(good), 1)), "after the end of the archive"},
		{"member after the trailer", whole(append(bytes.Clone(good), good...)), "after the end of the archive"},
		{"endless padding", whole(append(bytes.Clone(good), make([]byte, 1<<20)...)), "too large"},
		{"unknown name", whole(archive("./usr/bin/x=aaaaaaaaaa", cpioTrailer)), `archive file not in header: "./usr/bin/x"`},
		{"climbing name", whole(archive("../usr/bin/a=aaaaaaaaaa", cpioTrailer)), "archive file not in header"},
		{"climbing inside", whole(archive("./usr/bin/../bin/a=aaaaaaaaaa", cpioTrailer)), "archive file not in header"},
		{"climbing after the prefix", whole(archive("./../usr/bin/a=aaaaaaaaaa", cpioTrailer)), "archive file not in header"},
		{"file twice", whole(archive("./usr/bin/a=aaaaaaaaaa", "./usr/bin/a=aaaaaaaaaa", cpioTrailer)), "twice in the archive"},
		{"file missing", whole(archive("./usr/bin/a=aaaaaaaaaa", "./usr/share/d", cpioTrailer)), "missing file /usr/bin/b"},
		{"content differs", whole(archive("./usr/bin/a=aaaaabaaaa", "./usr/bin/b=a", "./usr/share/d", cpioTrailer)), "digest mismatch"},
		{"directory with content", whole(archive("./usr/bin/a=aaaaaaaaaa", "./usr/bin/b=a", "./usr/share/d=x", cpioTrailer)), "size is 1 in the archive, 0 in the header"},
		{"link with long content", whole(archive("./usr/bin/b="+strings.Repeat("x", 5000), cpioTrailer)), "size is 5000"},
		{"bad magic", patch(0, "070707"), "bad magic"},
		{"sign in a number", patch(6, "+0000001"), "bad number"},
		{"space in a number", patch(6, " 0000001"), "bad number"},
		{"prefix in a number", patch(6, "0x000001"), "bad number"},
		{"name of no length", patch(94, "00000000"), "bad length of a name: 0"},
		{"name too long", patch(94, "00001001"), "bad length of a name: 4097"},
		{"name of 4 GiB", patch(94, "ffffffff"), "bad length of a name"},
		{"name without end", patch(94, "0000000b"), "not ended by its only NUL"},
		{"size of 4 GiB", patch(54, "ffffffff"), "size is 4294967295 in the archive"},
		{"stripped, out of range", whole(stripped(0, 1, 3)), "archive file 3 not in header"},
		{"stripped, negative", whole([]byte("07070Xffffffff\x00\x00")), "not in header"},
		{"stripped, missing", whole(stripped(0, 2)), "missing file"},
		{"two formats", whole(append(stripped(0)[:16+12], good[136:]...)), "two formats"},
		{"trailer with content", whole(archive(cpioTrailer + "=x")), "trailer has content"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := unpack(forge(t, small(), nil, tt.payload), Options{})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestHostileHardLinks(t *testing.T) {
	linked := func(data string) *Builder {
		b := small()
		b.Files = nil
		for i := range 3 {
			b.Files = append(b.Files, BuildFile{File: File{Path: fmt.Sprintf("/f%d", i), Mode: 0o100644}, LinkGroup: "x", Data: []byte(data)})
		}
		return b
	}
	tests := []struct {
		name, data string
		members    []string
		want       string
	}{
		{"content in the last", "abc", []string{"./f0", "./f1", "./f2=abc"}, ""},
		{"content in the first", "abc", []string{"./f0=abc", "./f1", "./f2"}, ""},
		{"no content", "abc", []string{"./f0", "./f1", "./f2"}, "no content for hard link"},
		{"content twice", "abc", []string{"./f0=abc", "./f1", "./f2=abc"}, "comes twice"},
		{"a name is missing", "abc", []string{"./f0", "./f2=abc"}, "missing file /f1"},
		{"empty", "", []string{"./f0", "./f1", "./f2"}, ""},
		{"empty, one is missing", "", []string{"./f0", "./f1"}, "missing file /f2"},
		{"wrong size", "abc", []string{"./f0", "./f1", "./f2=ab"}, "size is 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pkg := forge(t, linked(tt.data), nil, func([]byte) []byte { return archive(append(tt.members, cpioTrailer)...) })
			_, _, err := unpack(pkg, Options{})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	pl, err := readBytes(t, build(t, linked("abc"))).Payload()
	if err != nil {
		t.Fatal(err)
	}
	m, err := pl.Next()
	if err != nil || m.Index != 2 || !slices.Equal(m.Links, []int{0, 1, 2}) {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := pl.Next(); err != io.EOF {
		t.Errorf("%v, want one member", err)
	}
}

// A payload that unpacks to more than the header can account for.
func TestBombs(t *testing.T) {
	for _, c := range []string{"gzip", "xz", "lzma", "zstd"} {
		b := small()
		b.Compressor = c
		pkg := forge(t, b, nil, func([]byte) []byte {
			big := small()
			big.Compressor = c
			big.Files[0].Data = make([]byte, 8<<20)
			p := readBytes(t, build(t, big))
			data, err := io.ReadAll(p.r)
			if err != nil {
				t.Fatal(err)
			}
			return data
		})
		if _, _, err := unpack(pkg, Options{}); err == nil || !strings.Contains(err.Error(), "size is") {
			t.Errorf("%s: %v", c, err)
		}
		pkg = forge(t, b, set(Uint32Entry(TagFileSizes, 8<<20, 1, 4096)), func([]byte) []byte { return []byte{0x1f, 0x8b} })
		if _, _, err := unpack(pkg, Options{}); err == nil {
			t.Errorf("%s: rubbish is accepted", c)
		}
	}
}

// headerOf returns a valid header of a package without files.
func headerOf(t testing.TB) []byte {
	t.Helper()
	b := small()
	b.Files = nil
	return bytes.Clone(readBytes(t, build(t, b)).Header.Bytes())
}

func TestHostileHeaders(t *testing.T) {
	good := headerOf(t)
	il := int(binary.BigEndian.Uint32(good[8:]))
	store := 16 + il*entrySize
	put := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[at:], v)
			return b
		}
	}
	// field returns where a number of the i-th entry is: 0 tag, 1 type, 2 offset, 3 count.
	field := func(i, n int) int { return 16 + i*entrySize + 4*n }
	at := func(tag Tag, n int) int {
		for i := range il {
			if binary.BigEndian.Uint32(good[field(i, 0):]) == uint32(tag) {
				return field(i, n)
			}
		}
		t.Fatalf("no %v", tag)
		return 0
	}
	trailer := store + int(binary.BigEndian.Uint32(good[field(0, 2):]))
	offset := func(tag Tag) uint32 { return binary.BigEndian.Uint32(good[at(tag, 2):]) }
	tests := []struct {
		name   string
		change func([]byte) []byte
		want   string
	}{
		{"no entries", put(8, 0), "no. of tags(0) out of range"},
		{"too many entries", put(8, 65536), "no. of tags(65536) out of range"},
		{"2^32-1 entries", put(8, 0xffffffff), "out of range"},
		{"too many data", put(12, 0x10000000), "out of range"},
		{"size beyond 32 bits", func(b []byte) []byte { return put(8, 65535)(put(12, 0x0fffffff)(b)) }, "out of range"},
		{"one entry more", put(8, uint32(il+1)), "size is"},
		{"region of another type", put(field(0, 1), 4), "region tag: BAD"},
		{"region of another count", put(field(0, 3), 15), "region tag: BAD"},
		{"region outside", put(field(0, 2), 0x7fffffff), "region offset: BAD"},
		{"region negative", put(field(0, 2), 0xfffffff0), "region offset: BAD"},
		{"region just outside", put(field(0, 2), uint32(len(good)-store-15)), "region offset: BAD"},
		{"trailer of another tag", put(trailer, 64), "region trailer: BAD"},
		{"trailer of another type", put(trailer+4, 6), "region trailer: BAD"},
		{"trailer of another count", put(trailer+12, 17), "region trailer: BAD"},
		{"trailer no multiple", put(trailer+8, 0xfffffff1), "size: BAD"},
		{"trailer positive", put(trailer+8, 16), "size: BAD"},
		{"trailer zero", put(trailer+8, 0), "size: BAD"},
		{"trailer of minimum", put(trailer+8, 0x80000000), "size: BAD"},
		{"region of more entries", put(trailer+8, uint32(-16*(il+1))), "size: BAD"},
		{"region of fewer entries", put(trailer+8, uint32(-16*(il-1))), "tag number mismatch"},
		{"type 0", put(at(TagName, 1), 0), "unknown type"},
		{"type 10", put(at(TagName, 1), 10), "unknown type"},
		{"wrong type", put(at(TagName, 1), 4), "wrong type"},
		{"count 0", put(at(TagName, 3), 0), "count out of range"},
		{"count of 2^32-1", put(at(TagName, 3), 0xffffffff), "count out of range"},
		{"two strings", put(at(TagName, 3), 2), "count of a string is not 1"},
		{"offset at the end", put(at(TagName, 2), uint32(len(good)-store)), "data out of range"},
		{"offset behind", put(at(TagName, 2), uint32(len(good)-store+1)), "offset out of range"},
		{"offset negative", put(at(TagName, 2), 0xffffffff), "offset out of range"},
		{"misaligned", put(at(TagBuildTime, 2), offset(TagBuildTime)+1), "misaligned"},
		{"overlap", put(at(TagVersion, 2), offset(TagName)), "overlaps the entry before"},
		{"into the trailer", put(at(TagPayloadSHA256Alt, 3), 2), "BAD"},
		{"reserved tag", put(at(TagHeaderI18NTable, 0), 99), "reserved tag"},
		{"unterminated", func(b []byte) []byte {
			// The last string runs into the trailer and beyond.
			for i := store + int(offset(TagPayloadSHA256Alt)); i < trailer; i++ {
				b[i] = 'x'
			}
			return b
		}, "BAD"},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }, "size is"},
		{"longer", func(b []byte) []byte { return append(b, 0) }, "size is"},
		{"empty", func(b []byte) []byte { return nil }, "unexpected EOF"},
		{"only magic", func(b []byte) []byte { return b[:8] }, "unexpected EOF"},
	}
	for _, tt := range tests {
		_, err := ParseHeader(tt.change(bytes.Clone(good)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// Format 6 does not tolerate what rpm used to.
func TestFormat6IsStrict(t *testing.T) {
	for _, format := range []int{4, 6} {
		b := small()
		b.Format = format
		h := bytes.Clone(readBytes(t, build(t, b)).Header.Bytes())
		// URL and VENDOR are not there; the description gets the tag of the group.
		h2, err := ParseHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < h2.ril; i++ {
			if tag, _, _, _ := rawEntry(h[16+i*entrySize:]); tag == TagDescription {
				binary.BigEndian.PutUint32(h[16+i*entrySize:], uint32(TagGroup))
			}
		}
		if _, err := ParseHeader(h); (err != nil) != (format == 6) {
			t.Errorf("format %d, doubled tag: %v", format, err)
		}
	}
}

func TestSignatureHeaderLimits(t *testing.T) {
	entries := func(n int) []byte {
		var list []Entry
		for i := range n - 1 {
			list = append(list, Uint32Entry(Tag(2000+i), 1))
		}
		b, err := EncodeHeader(TagHeaderSignatures, list)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if _, err := ParseSignatureHeader(entries(32)); err != nil {
		t.Error(err)
	}
	if _, err := ParseSignatureHeader(entries(33)); err == nil {
		t.Error("33 entries are accepted")
	}
	big := entries(2)
	binary.BigEndian.PutUint32(big[12:], MaxSignatureData+1)
	if _, err := ReadSignatureHeader(bytes.NewReader(big)); err == nil || !strings.Contains(err.Error(), "out of range") {
		t.Errorf("%v", err)
	}
	// The claim of a size costs nothing until the bytes come.
	binary.BigEndian.PutUint32(big[12:], MaxSignatureData)
	if n := testing.AllocsPerRun(1, func() { ReadSignatureHeader(bytes.NewReader(big)) }); n > 100 {
		t.Errorf("%v allocations", n)
	}
}

// A package cut at any byte before the payload, and at any byte of the payload.
func TestTruncated(t *testing.T) {
	pkg := build(t, small())
	for n := range pkg {
		if _, _, err := unpack(pkg[:n], Options{}); err == nil {
			t.Fatalf("%d of %d bytes are accepted", n, len(pkg))
		}
		if _, _, err := unpack(pkg[:n], Options{Level: LevelNone}); err == nil && n < len(pkg)-16 {
			t.Fatalf("%d of %d bytes are accepted unverified", n, len(pkg))
		}
	}
}

// A bit flipped anywhere is found, but in what nothing covers: the lead, the
// padding, and numbers of the signature header that only inform.
func TestFlippedBits(t *testing.T) {
	b := small()
	b.Format = 6
	pkg := build(t, b)
	start, _ := readBytes(t, pkg).HeaderRange()
	for n := int(start); n < len(pkg); n++ {
		bad := bytes.Clone(pkg)
		bad[n] ^= 0x10
		if _, _, err := unpack(bad, Options{}); err == nil {
			t.Fatalf("byte %d changed: accepted", n)
		}
	}
}

func TestLead(t *testing.T) {
	pkg := build(t, small())
	for name, change := range map[string]func([]byte){
		"magic":     func(b []byte) { b[0]++ },
		"delta":     func(b []byte) { copy(b, "drpm") },
		"version 2": func(b []byte) { b[4] = 2 },
		"version 5": func(b []byte) { b[4] = 5 },
		"signature": func(b []byte) { b[79] = 1 },
	} {
		b := bytes.Clone(pkg)
		change(b)
		if _, err := Open(bytes.NewReader(b), Options{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	l, err := ReadLead(bytes.NewReader(pkg))
	if err != nil || l.Name != "small-1-1" || l.Source || l.Major != 3 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestBuilderRefuses(t *testing.T) {
	file := func(f BuildFile) func(*Builder) { return func(b *Builder) { b.Files = append(b.Files, f) } }
	for name, change := range map[string]func(*Builder){
		"no name":             func(b *Builder) { b.Name = "" },
		"format 5":            func(b *Builder) { b.Format = 5 },
		"unknown compressor":  func(b *Builder) { b.Compressor = "rar" },
		"path twice":          file(BuildFile{File: File{Path: "/usr/bin/a", Mode: 0o100644}}),
		"relative path":       file(BuildFile{File: File{Path: "x", Mode: 0o100644}}),
		"climbing path":       file(BuildFile{File: File{Path: "/x/../y", Mode: 0o100644}}),
		"below a file":        file(BuildFile{File: File{Path: "/usr/bin/a/b", Mode: 0o100644}}),
		"link without target": file(BuildFile{File: File{Path: "/l", Mode: 0o120777}}),
		"directory with data": file(BuildFile{File: File{Path: "/l", Mode: 0o040755}, Data: []byte("x")}),
		"wrong size": file(BuildFile{File: File{Path: "/l", Mode: 0o100644, Size: 5}, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("four")), nil
		}}),
		"mode of 17 bits": file(BuildFile{File: File{Path: "/l", Mode: 0o300644}}),
		"links that differ": func(b *Builder) {
			b.Files = append(b.Files, BuildFile{File: File{Path: "/x", Mode: 0o100644}, LinkGroup: "g"},
				BuildFile{File: File{Path: "/y", Mode: 0o100755}, LinkGroup: "g"})
		},
		"NUL in a name":         func(b *Builder) { b.Name = "a\x00b" },
		"two scripts of a kind": func(b *Builder) { b.Scripts = []Script{{Kind: PreIn, Body: "a"}, {Kind: PreIn, Body: "b"}} },
	} {
		b := small()
		change(b)
		if err := b.Write(io.Discard); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
