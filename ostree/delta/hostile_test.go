package delta

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"rpmostree/gvariant"
	"rpmostree/internal/compress/xz"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// A forger makes parts and superblocks that say what they should not.
type forger struct {
	part    draft
	blob    []byte
	objects []ostree.ObjectName
}

// payload returns the payload of the part.
func (f *forger) payload() []byte {
	part := f.part
	part.blob = &spill{mem: f.blob, size: int64(len(f.blob))}
	var b bytes.Buffer
	_, _ = part.payload().WriteTo(&b) // from memory to memory
	return b.Bytes()
}

// packed returns the file of a part with compression.
func packed(t testing.TB, payload []byte) []byte {
	t.Helper()
	b := bytes.NewBuffer([]byte{partXZ})
	if err := xz.Compress(b, payload, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (f *forger) op(code byte, args ...uint64) *forger {
	f.part.program = append(f.part.program, code)
	for _, x := range args {
		f.part.program = binary.AppendUvarint(f.part.program, x)
	}
	return f
}

func newForger(objects ...ostree.ObjectName) *forger {
	return &forger{
		part: draft{
			modes:  []mode{{0, 0, 0o100644}, {0, 0, 0o120777}, {0, 0, 0o040755}, {0, 0, 0o104755}},
			xattrs: [][]ostree.Xattr{nil},
		},
		blob:    []byte(strings.Repeat("0123456789abcdef", 16)),
		objects: objects,
	}
}

// signed returns a superblock with signatures.
func signed(superblock []byte, signatures gvariant.Value) []byte {
	var b bytes.Buffer
	_, _ = streamSigned(&spill{mem: superblock, size: int64(len(superblock))}, signatures).WriteTo(&b) // from memory to memory
	return b.Bytes()
}

// stored returns the file of a part without compression.
func stored(payload []byte) []byte { return append([]byte{partStored}, payload...) }

func fileOf(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

func TestHostilePrograms(t *testing.T) {
	file := ostree.ObjectName{Type: ostree.ObjectFile, Checksum: ostree.ChecksumOf([]byte("f"))}
	dir := ostree.ObjectName{Type: ostree.ObjectDirTree, Checksum: ostree.ChecksumOf([]byte("d"))}
	const huge = 1<<64 - 1
	for _, tt := range []struct {
		name string
		f    *forger
		want string
	}{
		{"unknown operation", newForger(file).op('?'), "Unknown opcode 63"},
		{"no arguments", newForger(file).op(opSplice), "Unexpected EOF"},
		{"half a number", &forger{part: draft{program: []byte{opOpen, 0x80}}, objects: []ostree.ObjectName{file}}, "Unexpected EOF"},
		{"a number that is too large", &forger{part: draft{program: append([]byte{opOpen}, bytes.Repeat([]byte{0xff}, 11)...)}, objects: []ostree.ObjectName{file}}, "Unexpected EOF"},
		{"mode", newForger(file).op(opSplice, 9, 0, 1, 0), "names a mode"},
		{"attributes", newForger(file).op(opSplice, 0, 9, 1, 0), "names a mode"},
		{"mode, overflowing", newForger(file).op(opSplice, huge, 0, 1, 0), "names a mode"},
		{"offset", newForger(file).op(opSplice, 0, 0, 1, 256), "of a blob of 256"},
		{"length", newForger(file).op(opSplice, 0, 0, 257, 0), "of a blob of 256"},
		{"offset and length, overflowing", newForger(file).op(opSplice, 0, 0, huge, 2), "of a blob of 256"},
		{"metadata beyond the blob", newForger(dir).op(opSplice, 250, 250), "of a blob of 256"},
		{"a directory opened", newForger(dir).op(opOpen, 0, 0, 1), "no file"},
		{"a link opened", newForger(file).op(opOpen, 1, 0, 1), "no regular file"},
		{"a directory as a file", newForger(file).op(opOpen, 2, 0, 1), "no regular file"},
		{"size, overflowing", newForger(file).op(opOpen, 0, 0, huge), "no regular file"},
		{"opened twice", newForger(file, file).op(opOpen, 0, 0, 1).op(opOpen, 0, 0, 1), "inside of another"},
		{"spliced inside", newForger(file, file).op(opOpen, 0, 0, 1).op(opSplice, 0, 0, 1, 0), "inside of another"},
		{"never closed", newForger(file).op(opOpen, 0, 0, 1), "ends inside"},
		{"closed before", newForger(file).op(opClose), "not open"},
		{"written before", newForger(file).op(opWrite, 1, 0), "outside of an object"},
		{"too much written", newForger(file).op(opOpen, 0, 0, 1).op(opWrite, 2, 0), "more than the size"},
		{"too little written", newForger(file).op(opOpen, 0, 0, 2).op(opWrite, 1, 0).op(opClose), "1 of 2 bytes"},
		{"written from beyond the blob", newForger(file).op(opOpen, 0, 0, 9).op(opWrite, 9, 250), "of a blob of 256"},
		{"source beyond the blob", newForger(file).op(opSetSource, 225), "of a blob of 256"},
		{"source, overflowing", newForger(file).op(opSetSource, huge-3), "of a blob of 256"},
		{"read far away", newForger(file).op(opOpen, 0, 0, 9).op(opSetSource, 0).op(opWrite, 9, huge-3), "Unexpected EOF"},
		{"patch without source", newForger(file).op(opOpen, 0, 0, 9).op(opBSPatch, 0, 9), "without a source"},
		{"patch outside", newForger(file).op(opSetSource, 0).op(opBSPatch, 0, 9), "outside of an object"},
		{"patch beyond the blob", newForger(file).op(opOpen, 0, 0, 9).op(opSetSource, 0).op(opBSPatch, 255, 9), "of a blob of 256"},
		{"more objects than listed", newForger(file).op(opSplice, 0, 0, 1, 0).op(opSplice, 0, 0, 1, 0), "more objects than it lists"},
		{"fewer objects than listed", newForger(file, file).op(opSplice, 0, 0, 1, 0), "does not make 1"},
	} {
		meta := &PartMeta{Objects: tt.f.objects, USize: 1000}
		_, err := Describe(meta, fileOf(stored(tt.f.payload())))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestHostileObjects runs programs that are well formed but make what they should not. No
// object comes to be.
func TestHostileObjects(t *testing.T) {
	file := ostree.ObjectName{Type: ostree.ObjectFile, Checksum: ostree.ChecksumOf([]byte("f"))}
	dir := ostree.ObjectName{Type: ostree.ObjectDirTree, Checksum: ostree.ChecksumOf([]byte("d"))}
	loop := newForger(file).op(opOpen, 0, 0, 5).op(opSetSource, 0).op(opWrite, 5, 0).op(opClose)
	copy(loop.blob, file.Checksum[:])
	for _, tt := range []struct {
		name string
		f    *forger
		want string
	}{
		{"another file", newForger(file).op(opSplice, 0, 0, 5, 0), "orrupted"},
		{"a directory as a file", newForger(file).op(opSplice, 2, 0, 5, 0), "mode"},
		{"a link to nowhere", newForger(file).op(opSplice, 1, 0, 0, 0), ""},
		{"a link with a zero byte", func() *forger {
			f := newForger(file).op(opSplice, 1, 0, 5, 0)
			f.blob[2] = 0
			return f
		}(), ""},
		{"another directory", newForger(dir).op(opSplice, 5, 0), "orrupted"},
		{"a source that is not there", newForger(file).op(opOpen, 0, 0, 5).op(opSetSource, 0).op(opWrite, 5, 0).op(opClose), ""},
		{"itself as the source", loop, ""},
	} {
		r := newRepo(t, repo.BareUserOnly)
		tx, err := r.Begin(t.Context(), repo.TransactionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = new(Unpacker).ApplyPart(t.Context(), tx, PartMeta{Objects: tt.f.objects, USize: 1000}, fileOf(stored(tt.f.payload())))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if ok, _ := tx.Has(tt.f.objects[0].Type, tt.f.objects[0].Checksum); ok {
			t.Errorf("%s: the object is there", tt.name)
		}
		if err := tx.Abort(); err != nil {
			t.Error(err)
		}
	}
}

func TestHostileParts(t *testing.T) {
	good := newForger(ostree.ObjectName{Type: ostree.ObjectFile}).op(opSplice, 0, 0, 1, 0).payload()
	text, zeros := packed(t, bytes.Repeat([]byte("part "), 100_000)), packed(t, make([]byte, 2<<20))
	zeros = append(zeros, bytes.Repeat(zeros[1:], maxTables/(2<<20))...) // streams of the format may follow each other
	// tables is a payload with nothing but modes and sets of extended attributes, as they are in the file.
	tables := func(modes, sets []byte) []byte {
		b := slices.Concat(modes, sets)
		for _, end := range []int{len(b), len(b), len(modes)} { // of the blob, the sets, the modes
			b = binary.LittleEndian.AppendUint32(b, uint32(end))
		}
		return b
	}
	// attributes is one set: an attribute is an empty name, an empty value, and where the name ends.
	attributes := func(n int) []byte {
		b := bytes.Repeat([]byte{0, 1}, n)
		for i := range n {
			b = binary.LittleEndian.AppendUint32(b, uint32(2*(i+1)))
		}
		return binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	}
	for _, tt := range []struct {
		name  string
		file  []byte
		usize uint64
		want  string
	}{
		{"empty", nil, 0, "Corrupted 0 length delta part"},
		{"unknown compression", append([]byte{'g'}, good...), 0, "Invalid compression type '103'"},
		{"cut off", stored(good[:len(good)-1]), 0, "not in normal form"},
		{"no payload", stored(nil), 0, "not in normal form"},
		{"no xz", append([]byte{partXZ}, good...), 0, "xz"},
		{"xz cut off", text[:len(text)/2], 500_000, ""},
		{"xz of no payload", text, 500_000, "not in normal form"},
		{"xz bomb", zeros, 1 << 20, "too large"},
		{"a program that is too long", zeros, 1 << 30, "of what is at most"},
		{"modes", stored(tables(make([]byte, 12*(maxEntries+1)), nil)), 0, "has 1048577 modes, more than 1048576"},
		{"sets", stored(tables(nil, make([]byte, 4*(maxEntries+1)))), 0, "has 1048577 sets of extended attributes, more than"},
		{"attributes", stored(tables(nil, attributes(maxEntries+1))), 0, "has 1048577 extended attributes, more than"},
		{"huge", text, 1 << 62, "larger than"},
	} {
		if _, err := new(Unpacker).Unpack(fileOf(tt.file), tt.usize); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestManyPieces makes a file of very many pieces, some of no bytes.
func TestManyPieces(t *testing.T) {
	const n = 1 << 18
	r := newRepo(t, repo.BareUserOnly)
	tx, err := r.Begin(t.Context(), repo.TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	sum, err := ostree.FileChecksum(ostree.FileHeader{Mode: 0o100644}, strings.NewReader(strings.Repeat("0", n)))
	if err != nil {
		t.Fatal(err)
	}
	file := ostree.ObjectName{Type: ostree.ObjectFile, Checksum: sum}
	f := newForger(file).op(opOpen, 0, 0, n)
	for range n {
		f.op(opWrite, 0, 5).op(opWrite, 1, 0)
	}
	f.op(opClose)
	if _, err := new(Unpacker).ApplyPart(t.Context(), tx, PartMeta{Objects: f.objects, USize: n}, fileOf(stored(f.payload()))); err != nil {
		t.Fatal(err)
	}
	if ok, _ := tx.Has(file.Type, file.Checksum); !ok {
		t.Error("the file is not there")
	}
}

// TestManySources makes a file of a byte of one file, a byte of another, and so on: each
// time the whole file is read.
func TestManySources(t *testing.T) {
	r := newRepo(t, repo.BareUserOnly)
	tx, err := r.Begin(t.Context(), repo.TransactionOptions{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	const size = 1 << 20
	var sums [2]ostree.Checksum
	header := ostree.FileHeader{Mode: 0o100644}
	for i := range sums {
		if sums[i], err = tx.WriteFile(header, size, bytes.NewReader(bytes.Repeat([]byte{byte(i)}, size))); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range map[int]string{10: "", 2 * maxSourced / size: "bytes of files to make"} {
		sum, err := ostree.FileChecksum(header, bytes.NewReader(bytes.Repeat([]byte{0, 1}, n/2)))
		if err != nil {
			t.Fatal(err)
		}
		f := newForger(ostree.ObjectName{Type: ostree.ObjectFile, Checksum: sum}).op(opOpen, 0, 0, uint64(n))
		f.blob = slices.Concat(sums[0][:], sums[1][:])
		for i := range n {
			f.op(opSetSource, uint64(i%2*len(sum))).op(opWrite, 1, 0)
		}
		f.op(opClose)
		_, err = new(Unpacker).ApplyPart(t.Context(), tx, PartMeta{Objects: f.objects, USize: uint64(n)}, fileOf(stored(f.payload())))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d sources: error %v, want %q", n, err, want)
		}
	}
}

// TestCommitInPart: a commit that a part has is partial, because its tree may not be there.
func TestCommitInPart(t *testing.T) {
	r := newRepo(t, repo.BareUserOnly)
	tx, err := r.Begin(t.Context(), repo.TransactionOptions{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	commit := goodBlock().Commit
	name := ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: ostree.ChecksumOf(commit)}
	f := newForger(name).op(opSplice, uint64(len(commit)), 0)
	f.blob = commit
	if _, err := new(Unpacker).ApplyPart(t.Context(), tx, PartMeta{Objects: f.objects, USize: uint64(len(commit))}, fileOf(stored(f.payload()))); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if partial, err := r.IsPartial(name.Checksum); !partial || err != nil {
		t.Errorf("the commit is not partial: %v", err)
	}
}

// goodBlock returns a superblock in which every field is used.
func goodBlock() *Superblock {
	var d gvariant.Dict
	d.Add(keyEndianness, gvariant.Byte('l'))
	commit := &ostree.Commit{Subject: "s", Tree: ostree.ChecksumOf([]byte("t")), Meta: ostree.ChecksumOf([]byte("m"))}
	file := ostree.ObjectName{Type: ostree.ObjectFile, Checksum: ostree.ChecksumOf([]byte("o"))}
	return &Superblock{
		Metadata: d.Value(), Timestamp: 1_600_000_000, Name: Name{ostree.ChecksumOf([]byte("a")), ostree.ChecksumOf([]byte("b"))}, Commit: commit.Marshal(),
		Parts:     []PartMeta{{Checksum: ostree.ChecksumOf([]byte("p")), Size: 10, USize: 20, Objects: []ostree.ObjectName{file}}},
		Fallbacks: []Fallback{{file, 30, 40}}, Order: binary.LittleEndian,
	}
}

func TestSuperblockRoundTrip(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, keep := range []bool{true, false} {
			s := goodBlock()
			s.Order = order
			var d gvariant.Dict
			if keep {
				d.Add(keyEndianness, gvariant.Byte(map[binary.ByteOrder]byte{binary.LittleEndian: 'l', binary.BigEndian: 'B'}[order]))
			}
			s.Metadata = d.Value()
			got, err := Parse(s.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			if got.OrderGuessed == keep || got.Order != order || got.Name != s.Name || got.Timestamp != s.Timestamp || !bytes.Equal(got.Commit, s.Commit) {
				t.Errorf("%v, %v: %+v", order, keep, got)
			}
			if len(got.Parts) != 1 || fmt.Sprint(got.Parts) != fmt.Sprint(s.Parts) || !slices.Equal(got.Fallbacks, s.Fallbacks) {
				t.Errorf("%v, %v: %+v, %+v", order, keep, got.Parts, got.Fallbacks)
			}
		}
	}
}

func TestHostileSuperblocks(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(s *Superblock) []byte
		want string
	}{
		{"empty", func(s *Superblock) []byte { return nil }, "normal form"},
		{"cut off", func(s *Superblock) []byte { b := s.Marshal(); return b[:len(b)-1] }, "normal form"},
		{"endianness", func(s *Superblock) []byte {
			var d gvariant.Dict
			d.Add(keyEndianness, gvariant.Byte('x'))
			s.Metadata = d.Value()
			return s.Marshal()
		}, "Invalid endianness byte 120"},
		{"endianness of another type", func(s *Superblock) []byte {
			var d gvariant.Dict
			d.Add(keyEndianness, gvariant.String("l"))
			s.Metadata = d.Value()
			return s.Marshal()
		}, "Invalid endianness"},
		{"object type 0", func(s *Superblock) []byte { s.Parts[0].Objects[0].Type = 0; return s.Marshal() }, "Invalid object type 0"},
		{"object type 5", func(s *Superblock) []byte { s.Parts[0].Objects[0].Type = 5; return s.Marshal() }, "Invalid object type 5"},
		{"fallback of a type 9", func(s *Superblock) []byte { s.Fallbacks[0].Type = 9; return s.Marshal() }, "Invalid object type 9"},
		{"too many parts", func(s *Superblock) []byte {
			s.Parts = slices.Repeat([]PartMeta{{}}, MaxParts+1)
			return s.Marshal()
		}, "more than 65536 parts"},
		{"too many objects", func(s *Superblock) []byte {
			s.Parts[0].Objects = slices.Repeat(s.Parts[0].Objects, 3)
			b := s.Marshal()
			list := marshalObjects(s.Parts[0].Objects)
			return bytes.Replace(b, list, append([]byte{2}, list[:len(list)-1]...), 1)
		}, "Invalid object type"},
	} {
		if _, err := Parse(tt.make(goodBlock())); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestHostileCommit applies superblocks whose commit is not the one that they name, or none.
func TestHostileCommit(t *testing.T) {
	for _, commit := range [][]byte{goodBlock().Commit, []byte("no commit at all")} {
		s := goodBlock()
		s.From, s.Commit, s.Parts, s.Fallbacks = ostree.Checksum{}, commit, nil, nil
		r := newRepo(t, repo.BareUserOnly)
		if err := (&File{Superblock: s}).Apply(t.Context(), r); err == nil {
			t.Errorf("%q is accepted", commit)
		}
		if ok, _ := r.Has(ostree.ObjectCommit, s.To); ok {
			t.Error("the commit is there")
		}
	}
}

func TestSignedRoundTrip(t *testing.T) {
	var d gvariant.Dict
	d.Add("ostree.sign.dummy", gvariant.Array("ay", gvariant.Bytes([]byte("sig"))))
	b := signed([]byte("superblock"), d.Value())
	s, ok := ParseSigned(b)
	if !ok || string(s.Superblock) != "superblock" || !bytes.Equal(s.Signatures.Bytes(), d.Value().Bytes()) {
		t.Errorf("%v, %+v", ok, s)
	}
	for i := range b {
		ParseSigned(b[:i])
	}
	if _, ok := ParseSigned(goodBlock().Marshal()); ok {
		t.Error("a plain superblock is taken for a signed one")
	}
}

// FuzzSuperblock reads hostile superblocks, plain and signed: what is accepted can be
// written, and read again.
func FuzzSuperblock(f *testing.F) {
	s := goodBlock()
	f.Add(s.Marshal())
	s.Order = binary.BigEndian
	f.Add(s.Marshal())
	f.Add(signed(s.Marshal(), (&gvariant.Dict{}).Value()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := ParseSigned(b); ok {
			b = s.Superblock
		}
		s, err := Parse(b)
		if err != nil {
			return
		}
		for i := range s.Parts {
			s.InlinePart(i)
		}
		s.DetachedMetadata()
		again, err := Parse(s.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		if again.Name != s.Name || again.Order != s.Order || fmt.Sprint(again.Parts) != fmt.Sprint(s.Parts) || !slices.Equal(again.Fallbacks, s.Fallbacks) {
			t.Errorf("%+v, then %+v", s, again)
		}
	})
}

// FuzzPart runs hostile parts without making objects: no object is larger than what is
// there to make it of.
func FuzzPart(f *testing.F) {
	file := ostree.ObjectName{Type: ostree.ObjectFile}
	g := newForger().op(opSplice, 0, 0, 5, 0).op(opOpen, 0, 0, 7).op(opWrite, 2, 3).op(opSetSource, 9).op(opWrite, 1, 0).op(opBSPatch, 4, 30).op(opClose).
		op(opSplice, 1, 0, 5, 0).op(opUnsetSource)
	f.Add(stored(g.payload()), byte(3))
	f.Add(packed(f, g.payload()), byte(3))
	f.Fuzz(func(t *testing.T, b []byte, n byte) {
		p, err := new(Unpacker).Unpack(fileOf(b), 1<<20)
		if err != nil {
			return
		}
		p.objects(slices.Repeat([]ostree.ObjectName{file}, int(n)), func(o *object) error {
			size := uint64(0)
			for d := p.piecesOf(o); !o.whole; {
				x, err := d.next()
				if err != nil {
					t.Fatal(err) // it was decoded before
				}
				if x == nil {
					break
				}
				size += x.len
			}
			if size != o.size && !o.whole {
				t.Errorf("%d bytes of %d", size, o.size)
			}
			return nil
		})
	})
}
