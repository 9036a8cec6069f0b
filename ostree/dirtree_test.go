package ostree

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"rpmostree/gvariant"
)

// byVariant reads a dirtree by the general reader of the format.
func byVariant(b []byte) (t DirTree, ok bool) {
	v := gvariant.New(DirTreeType, b, binary.BigEndian)
	if !v.IsNormal() {
		return t, false
	}
	sum := func(v gvariant.Value) (c Checksum) {
		var err error
		c, err = ChecksumFromBytes(v.ByteArray())
		ok = ok && err == nil
		return c
	}
	ok = true
	for _, e := range v.Index(0).All() {
		t.Files = append(t.Files, TreeFile{e.Index(0).Str(), sum(e.Index(1))})
	}
	for _, e := range v.Index(1).All() {
		t.Dirs = append(t.Dirs, TreeDir{e.Index(0).Str(), sum(e.Index(1)), sum(e.Index(2))})
	}
	return t, ok && t.Validate() == nil
}

func compareDirTree(t *testing.T, b []byte) {
	t.Helper()
	want, ok := byVariant(b)
	got, err := ParseDirTree(b)
	if ok != (err == nil) || ok && !reflect.DeepEqual(got, want) {
		t.Errorf("%q: %v, %v; by its type %v, %v", b, got, err, want, ok)
	}
}

// sampleTrees have sizes around those where framing offsets become wider.
func sampleTrees() (list []DirTree) {
	c := ChecksumOf([]byte("x"))
	names := func(n, size int) (files []TreeFile, dirs []TreeDir) {
		for i := range n {
			name := fmt.Sprintf("%04d%s", i, strings.Repeat("n", size))
			files = append(files, TreeFile{"f" + name, c})
			dirs = append(dirs, TreeDir{"d" + name, c, c})
		}
		return files, dirs
	}
	for n := range 5 {
		for _, size := range []int{0, 2, 8, 20, 180, 181, 182, 183, 184, 185, 212, 213, 214, 215, 216, 217, 218, 219, 220, 250} {
			files, dirs := names(n, size)
			list = append(list, DirTree{Files: files}, DirTree{Dirs: dirs}, DirTree{files, dirs})
		}
	}
	for n := 1630; n < 1660; n++ { // of 40 bytes each: 64 KiB
		files, dirs := names(n, 1)
		list = append(list, DirTree{files, dirs[:1]})
	}
	return list
}

func TestDirTreeSizes(t *testing.T) {
	for _, tree := range sampleTrees() {
		b := tree.Marshal()
		got, err := ParseDirTree(b)
		if err != nil || len(got.Files) != len(tree.Files) || len(got.Dirs) != len(tree.Dirs) {
			t.Errorf("%d files, %d directories: %v", len(tree.Files), len(tree.Dirs), err)
		}
		compareDirTree(t, b)
	}
}

// Damage is found as by the general reader.
func TestDirTreeDamaged(t *testing.T) {
	for _, tree := range sampleTrees() {
		b := tree.Marshal()
		if len(b) > 1200 {
			continue
		}
		for i := range b {
			for _, d := range []byte{1, 0xff, b[i]} { // the last makes it a NUL
				x := append([]byte(nil), b...)
				x[i] -= d
				compareDirTree(t, x)
			}
			compareDirTree(t, b[:i])
			compareDirTree(t, append(append(append([]byte(nil), b[:i]...), 0), b[i:]...))
		}
	}
}

func FuzzDirTree(f *testing.F) {
	for _, tree := range sampleTrees() {
		if b := tree.Marshal(); len(b) < 600 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { compareDirTree(t, b) })
}

func BenchmarkParseDirTree(b *testing.B) {
	tree := sampleTrees()[len(sampleTrees())-1].Marshal()
	b.SetBytes(int64(len(tree)))
	for b.Loop() {
		ParseDirTree(tree)
	}
}
