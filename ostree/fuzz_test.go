package ostree

import (
	"bytes"
	"testing"

	"rpmostree/gvariant"
)

// seeds returns one object of each kind.
func seeds() [][]byte {
	x := []Xattr{{"security.a", []byte("x")}, {"user.b", nil}}
	c := Checksum{1, 2}
	commit := Commit{Metadata: gvariant.Array("{sv}", gvariant.DictEntry(gvariant.String("version"), gvariant.Variant(gvariant.String("1")))),
		Parent: c, Subject: "s", Body: "b", Timestamp: 5, Tree: c, Meta: c, Related: []Related{{"r", c}}}
	tree := DirTree{[]TreeFile{{"a", c}, {"c", c}}, []TreeDir{{"b", c, c}}}
	summary := Summary{Refs: []SummaryRef{{"main", 3, c, gvariant.Value{}}}}
	return [][]byte{
		DirMeta{1, 2, ModeDir | 0o755, x}.Marshal(), DirMeta{Mode: ModeDir}.Marshal(),
		FileHeader{1, 2, ModeRegular | 0o644, "", x}.Marshal(), FileHeader{Mode: ModeSymlink | 0o777, Target: "t"}.Marshal(),
		ZFileHeader{9, FileHeader{Mode: ModeRegular}}.Marshal(), commit.Marshal(), (&Commit{}).Marshal(), tree.Marshal(), DirTree{}.Marshal(), summary.Marshal(),
	}
}

// FuzzObjects checks that what a parser accepts is written back as it was.
func FuzzObjects(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(what string, err error, again []byte) {
			if err == nil && !bytes.Equal(again, b) {
				t.Errorf("%s: % x written back as % x", what, b, again)
			}
		}
		d, err := ParseDirMeta(b)
		check("dirmeta", err, d.Marshal())
		h, err := ParseFileHeader(b)
		check("file header", err, h.Marshal())
		z, err := ParseZFileHeader(b)
		check("zfile header", err, z.Marshal())
		tr, err := ParseDirTree(b)
		check("dirtree", err, tr.Marshal())
		c, err := ParseCommit(b)
		check("commit", err, c.Marshal())
		x, err := ParseXattrs(b)
		check("xattrs", err, MarshalXattrs(x))
		if s, err := ParseSummary(b); err == nil {
			check("summary", err, s.Marshal())
			s.CollectionMap()
		}
		if sizes, err := ParseSizes(gvariant.New("aay", b, nil)); err == nil {
			SizesValue(sizes)
		}
		ReadFramed(bytes.NewReader(b))
	})
}

func TestSeedsParse(t *testing.T) {
	s := seeds()
	for i, parse := range []func([]byte) error{
		func(b []byte) error { _, err := ParseDirMeta(b); return err },
		func(b []byte) error { _, err := ParseDirMeta(b); return err },
		func(b []byte) error { _, err := ParseFileHeader(b); return err },
		func(b []byte) error { _, err := ParseFileHeader(b); return err },
		func(b []byte) error { _, err := ParseZFileHeader(b); return err },
		func(b []byte) error { _, err := ParseCommit(b); return err },
		func(b []byte) error { _, err := ParseCommit(b); return err },
		func(b []byte) error { _, err := ParseDirTree(b); return err },
		func(b []byte) error { _, err := ParseDirTree(b); return err },
		func(b []byte) error { _, err := ParseSummary(b); return err },
	} {
		if err := parse(s[i]); err != nil {
			t.Errorf("seed %d: %v", i, err)
		}
		if len(s[i]) > 0 && parse(append(s[i], 0)) == nil {
			t.Errorf("seed %d: accepted with a byte added", i)
		}
	}
}
