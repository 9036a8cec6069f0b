package ostree

import (
	"encoding/binary"
	"fmt"

	"rpmostree/gvariant"
)

// SizeEntry is an element of the commit metadata "ostree.sizes".
type SizeEntry struct {
	Checksum           Checksum
	Archived, Unpacked uint64     // bytes
	Type               ObjectType // 0 in data of before 2020
}

// ParseSizes reads the value of "ostree.sizes".
func ParseSizes(v gvariant.Value) ([]SizeEntry, error) {
	if v.Type() != "aay" {
		return nil, fmt.Errorf("Invalid type of %s: %s", KeySizes, v.Type())
	}
	list := make([]SizeEntry, 0, v.Len())
	for _, e := range v.All() {
		s, err := parseSizeEntry(e.ByteArray())
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func parseSizeEntry(b []byte) (SizeEntry, error) {
	var s SizeEntry
	if len(b) < ChecksumSize+2 {
		return s, fmt.Errorf("Unexpected size metadata length %d", len(b))
	}
	b = b[copy(s.Checksum[:], b):]
	for _, x := range []*uint64{&s.Archived, &s.Unpacked} {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return s, fmt.Errorf("Unexpected EOF reading integer")
		}
		*x, b = v, b[n:]
	}
	if len(b) > 0 {
		s.Type = ObjectType(b[0])
		if s.Type < ObjectFile || s.Type > ObjectFileXattrsLink {
			return s, fmt.Errorf("Unexpected object type %d in size metadata", b[0])
		}
	}
	return s, nil
}

// SizesValue returns the value of "ostree.sizes"; entries are to be sorted by checksum.
func SizesValue(list []SizeEntry) gvariant.Value {
	elems := make([]gvariant.Value, len(list))
	for i, s := range list {
		b := append([]byte(nil), s.Checksum[:]...)
		b = binary.AppendUvarint(b, s.Archived)
		b = binary.AppendUvarint(b, s.Unpacked)
		if s.Type != 0 {
			b = append(b, byte(s.Type))
		}
		elems[i] = gvariant.Bytes(b)
	}
	return gvariant.Array("ay", elems...)
}
