package ostree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

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

// ParseDirTree reads a dirtree object, which must be in normal form.
//
// It does so by itself, in much less time than by way of [gvariant.Value]: an OS has
// thousands of these, and whatever is done with it reads them all.
func ParseDirTree(b []byte) (DirTree, error) {
	v := serialized(b)
	start, width, ok := v.framing(1)
	if !ok {
		return DirTree{}, errNotNormal
	}
	end := v.offset(start, width)
	if end > start {
		return DirTree{}, errNotNormal
	}
	files, err := parseTreeEntries(v[:end], func(e serialized) (f TreeFile, err error) {
		f.Name, err = e.treeEntry(&f.Checksum)
		return f, err
	})
	if err != nil {
		return DirTree{}, err
	}
	dirs, err := parseTreeEntries(v[end:start], func(e serialized) (d TreeDir, err error) {
		d.Name, err = e.treeEntry(&d.Tree, &d.Meta)
		return d, err
	})
	if err != nil {
		return DirTree{}, err
	}
	t := DirTree{files, dirs}
	return t, t.Validate()
}

// serialized is a part of a serialised value.
type serialized []byte

// framing returns where the framing offsets of a container begin that has n of them, and
// how many bytes each takes. ok is false if it is not in normal form.
func (v serialized) framing(n int) (start, width int, ok bool) {
	width = offsetWidth(len(v), 0)
	start = len(v) - n*width
	return start, width, start >= 0 && offsetWidth(start, n) == width
}

// offset reads a framing offset. One that is larger than all the data is as large.
func (v serialized) offset(at, width int) int {
	var b [8]byte
	copy(b[:], v[at:at+width])
	return int(min(binary.LittleEndian.Uint64(b[:]), uint64(len(v))))
}

// parseTreeEntries reads an array of variable-sized elements.
func parseTreeEntries[T any](v serialized, parse func(serialized) (T, error)) ([]T, error) {
	if len(v) == 0 {
		return nil, nil
	}
	width := offsetWidth(len(v), 0)
	// The last offset is the end of the last element, where the offsets begin.
	table := v.offset(len(v)-width, width)
	n := (len(v) - table) / width
	if start, _, ok := v.framing(n); !ok || start != table || n == 0 {
		return nil, errNotNormal
	}
	list := make([]T, 0, min(n, table/ChecksumSize)) // each has one
	at := 0
	for i := range n {
		end := v.offset(table+i*width, width)
		if end < at || end > table {
			return nil, errNotNormal
		}
		e, err := parse(v[at:end])
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		at = end
	}
	return list, nil
}

// treeEntry reads a tuple of a name and one or two checksums.
func (v serialized) treeEntry(sums ...*Checksum) (string, error) {
	start, width, ok := v.framing(len(sums))
	if !ok {
		return "", errNotNormal
	}
	// Tuples keep offsets in reverse: that of the name is the last.
	at := v.offset(len(v)-width, width)
	if at < 1 || at > start {
		return "", errNotNormal
	}
	name := v[:at-1]
	if v[at-1] != 0 || bytes.IndexByte(name, 0) >= 0 || !utf8.Valid(name) {
		return "", errNotNormal
	}
	for i, sum := range sums {
		end := start
		if i < len(sums)-1 {
			end = v.offset(start+(len(sums)-2-i)*width, width)
		}
		if end < at || end > start {
			return "", errNotNormal
		}
		var err error
		if *sum, err = ChecksumFromBytes(v[at:end]); err != nil {
			return "", err
		}
		at = end
	}
	return string(name), nil
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

// offsetWidth returns how many bytes each of n framing offsets takes behind a body.
func offsetWidth(body, n int) int {
	width := 1
	for width < 8 && uint64(body+width*n) >= 1<<(8*width) {
		width *= 2
	}
	return width
}

// appendOffsets appends the GVariant framing offsets of the container out[start:].
func appendOffsets(out []byte, start int, ends []int) []byte {
	width := offsetWidth(len(out)-start, len(ends))
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
