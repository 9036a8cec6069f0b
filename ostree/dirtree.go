package ostree

import (
	"encoding/binary"
	"fmt"
	"strings"

	"rpmostree/gvariant"
)

// DirTreeType is the type of a serialised DirTree.
const DirTreeType = gvariant.Type("(a(say)a(sayay))")

// DirTree is the names of a directory. Both lists are sorted by name (as bytes),
// and no name is used twice.
type DirTree struct {
	Files []TreeFile
	Dirs  []TreeDir
}

// TreeFile is a regular file or symbolic link in a directory.
type TreeFile struct {
	Name     string
	Checksum Checksum // of the file object
}

// TreeDir is a directory in a directory.
type TreeDir struct {
	Name string
	Tree Checksum // of the dirtree object
	Meta Checksum // of the dirmeta object
}

// ParseDirTree reads a dirtree object.
func ParseDirTree(b []byte) (DirTree, error) {
	v := gvariant.New(DirTreeType, b, binary.BigEndian)
	if !v.IsNormal() {
		return DirTree{}, errNotNormal
	}
	var t DirTree
	files, dirs := v.Index(0), v.Index(1)
	if n := files.Len(); n > 0 {
		t.Files = make([]TreeFile, 0, n)
	}
	for _, e := range files.All() {
		c, err := ChecksumFromBytes(e.Index(1).ByteArray())
		if err != nil {
			return DirTree{}, err
		}
		t.Files = append(t.Files, TreeFile{e.Index(0).Str(), c})
	}
	if n := dirs.Len(); n > 0 {
		t.Dirs = make([]TreeDir, 0, n)
	}
	for _, e := range dirs.All() {
		tree, err := ChecksumFromBytes(e.Index(1).ByteArray())
		if err != nil {
			return DirTree{}, err
		}
		meta, err := ChecksumFromBytes(e.Index(2).ByteArray())
		if err != nil {
			return DirTree{}, err
		}
		t.Dirs = append(t.Dirs, TreeDir{e.Index(0).Str(), tree, meta})
	}
	return t, t.Validate()
}

// Validate checks the names and their order.
func (t DirTree) Validate() error {
	for i, f := range t.Files {
		if err := ValidateName(f.Name); err != nil {
			return err
		}
		if i > 0 && t.Files[i-1].Name >= f.Name {
			return fmt.Errorf("Invalid dirtree: name '%s' is not sorted or not unique", f.Name)
		}
	}
	files := t.Files
	for i, d := range t.Dirs {
		if err := ValidateName(d.Name); err != nil {
			return err
		}
		if i > 0 && t.Dirs[i-1].Name >= d.Name {
			return fmt.Errorf("Invalid dirtree: name '%s' is not sorted or not unique", d.Name)
		}
		for len(files) > 0 && files[0].Name < d.Name {
			files = files[1:]
		}
		if len(files) > 0 && files[0].Name == d.Name {
			return fmt.Errorf("Invalid dirtree: '%s' is both a file and a directory", d.Name)
		}
	}
	return nil
}

// Marshal returns the bytes of the dirtree object. The lists must be sorted.
func (t DirTree) Marshal() []byte {
	n := 0
	for _, f := range t.Files {
		n += len(f.Name) + ChecksumSize + 8
	}
	for _, d := range t.Dirs {
		n += len(d.Name) + 2*ChecksumSize + 8
	}
	out := make([]byte, 0, n+8)
	ends := make([]int, len(t.Files))
	for i, f := range t.Files {
		out = appendTreeEntry(out, f.Name, f.Checksum[:])
		ends[i] = len(out)
	}
	out = appendOffsets(out, 0, ends)
	files := len(out)
	ends = make([]int, len(t.Dirs))
	for i, d := range t.Dirs {
		out = appendTreeEntry(out, d.Name, d.Tree[:], d.Meta[:])
		ends[i] = len(out) - files
	}
	out = appendOffsets(out, files, ends)
	return appendOffsets(out, 0, []int{files})
}

// appendTreeEntry appends a tuple of a string and one or two byte arrays.
func appendTreeEntry(out []byte, name string, sums ...[]byte) []byte {
	start := len(out)
	out = append(append(out, name...), 0)
	ends := []int{len(out) - start}
	for i, s := range sums {
		out = append(out, s...)
		if i < len(sums)-1 {
			ends = []int{len(out) - start, ends[0]} // tuples keep offsets in reverse
		}
	}
	return appendOffsets(out, start, ends)
}

// appendOffsets appends the GVariant framing offsets of the container out[start:].
func appendOffsets(out []byte, start int, ends []int) []byte {
	body := len(out) - start
	width := 1
	for width < 8 && uint64(body+width*len(ends)) >= 1<<(8*width) {
		width *= 2
	}
	for _, e := range ends {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(e))
		out = append(out, b[:width]...)
	}
	return out
}

// Checksum returns the name of the dirtree object.
func (t DirTree) Checksum() Checksum { return ChecksumOf(t.Marshal()) }

// CompareTreeFiles orders files by name.
func CompareTreeFiles(a, b TreeFile) int { return strings.Compare(a.Name, b.Name) }

// CompareTreeDirs orders directories by name.
func CompareTreeDirs(a, b TreeDir) int { return strings.Compare(a.Name, b.Name) }
