package ostree

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"strings"
	"unicode/utf8"

	"rpmostree/gvariant"
)

// Types of serialised file headers.
const (
	FileHeaderType  = gvariant.Type("(uuuusa(ayay))")
	ZFileHeaderType = gvariant.Type("(tuuuusa(ayay))")
)

// MaxFileHeader is the size of the largest file header, in bytes.
const MaxFileHeader = MaxMetadataSize

// FileHeader is what a file object holds besides content.
type FileHeader struct {
	UID, GID uint32
	Mode     uint32 // with the type bits of a regular file or a symbolic link
	Target   string // of a symbolic link
	Xattrs   []Xattr
}

// ParseFileHeader reads a file header.
func ParseFileHeader(b []byte) (FileHeader, error) {
	v := gvariant.New(FileHeaderType, b, binary.BigEndian)
	if !v.IsNormal() {
		return FileHeader{}, errNotNormal
	}
	return parseFileHeader(v, 0)
}

// parseFileHeader reads the five fields of a header from member i on.
func parseFileHeader(v gvariant.Value, i int) (FileHeader, error) {
	h := FileHeader{
		UID: v.Index(i).Uint32(), GID: v.Index(i + 1).Uint32(), Mode: v.Index(i + 2).Uint32(),
		Target: v.Index(i + 4).Str(),
	}
	if rdev := v.Index(i + 3).Uint32(); rdev != 0 {
		return FileHeader{}, fmt.Errorf("Invalid file header: rdev %d is not 0", rdev)
	}
	var err error
	if h.Xattrs, err = parseXattrs(v.Index(i + 5)); err != nil {
		return FileHeader{}, err
	}
	return h, h.Validate()
}

// Validate checks the mode and the link target.
func (h FileHeader) Validate() error {
	switch {
	case !IsRegular(h.Mode) && !IsSymlink(h.Mode):
		return fmt.Errorf("Invalid file metadata mode %d; not a valid file type", h.Mode)
	case h.Mode&^(ModeType|ModePerm) != 0:
		return fmt.Errorf("Invalid file metadata mode %d; invalid bits set", h.Mode)
	case IsRegular(h.Mode) && h.Target != "":
		return fmt.Errorf("Invalid file header: regular file with a symlink target")
	case !utf8.ValidString(h.Target) || strings.IndexByte(h.Target, 0) >= 0:
		return fmt.Errorf("Invalid UTF-8 in symlink target")
	}
	return nil
}

// Marshal returns the serialised header.
func (h FileHeader) Marshal() []byte { return h.appendFields(make([]byte, 0, 64)) }

// appendFields appends the header's fields and the framing offset of the tuple,
// which starts where b does.
func (h FileHeader) appendFields(b []byte) []byte {
	for _, x := range []uint32{h.UID, h.GID, h.Mode, 0} {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	b = append(append(b, h.Target...), 0)
	end := len(b)
	if len(h.Xattrs) > 0 {
		b = append(b, MarshalXattrs(h.Xattrs)...)
	}
	return appendOffsets(b, 0, []int{end})
}

// Checksum returns the name of a file object without content: a symbolic link or an empty file.
func (h FileHeader) Checksum() Checksum {
	var c Checksum
	NewFileHash(h).Sum(c[:0])
	return c
}

// Equal reports whether all fields are the same.
func (h FileHeader) Equal(o FileHeader) bool {
	return h.UID == o.UID && h.GID == o.GID && h.Mode == o.Mode && h.Target == o.Target && equalXattrs(h.Xattrs, o.Xattrs)
}

// Framed returns a header as it is hashed and as it starts a stored archive file:
// its length as u32 big endian, four zero bytes, the header.
func Framed(header []byte) []byte {
	b := make([]byte, 8, 8+len(header))
	binary.BigEndian.PutUint32(b, uint32(len(header)))
	return append(b, header...)
}

// NewFileHash returns a sha256 that has seen the header h. Written the content of a
// regular file, it gives the checksum of the file object.
func NewFileHash(h FileHeader) hash.Hash {
	sum := sha256.New()
	sum.Write(Framed(h.Marshal()))
	return sum
}

// FileChecksum returns the name of the file object with header h and content, which
// is not read (and may be nil) for a symbolic link.
func FileChecksum(h FileHeader, content io.Reader) (Checksum, error) {
	sum := NewFileHash(h)
	var c Checksum
	if IsRegular(h.Mode) && content != nil {
		if _, err := io.Copy(sum, content); err != nil {
			return c, err
		}
	}
	sum.Sum(c[:0])
	return c, nil
}

// ZFileHeader starts a file object of an archive repository.
type ZFileHeader struct {
	Size uint64 // of the content before compression, in bytes
	FileHeader
}

// ParseZFileHeader reads the header of an archived file.
func ParseZFileHeader(b []byte) (ZFileHeader, error) {
	v := gvariant.New(ZFileHeaderType, b, binary.BigEndian)
	if !v.IsNormal() {
		return ZFileHeader{}, errNotNormal
	}
	h, err := parseFileHeader(v, 1)
	return ZFileHeader{v.Index(0).Uint64(), h}, err
}

// Marshal returns the serialised header.
func (h ZFileHeader) Marshal() []byte {
	return h.appendFields(binary.BigEndian.AppendUint64(make([]byte, 0, 64), h.Size))
}

// ReadFramed reads a header that Framed wrote: the length, four zero bytes, the header.
func ReadFramed(r io.Reader) ([]byte, error) {
	var prefix [8]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(prefix[:])
	if n > MaxFileHeader {
		return nil, fmt.Errorf("File header size %d exceeds size limit %d", n, MaxFileHeader)
	}
	if binary.BigEndian.Uint32(prefix[4:]) != 0 {
		return nil, fmt.Errorf("Invalid padding of file header")
	}
	// Grow with what is really there: the length is not to be trusted.
	b, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(b) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}
