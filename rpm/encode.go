package rpm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// EncodeHeader returns a header, with magic number, that is one region (TagHeaderImmutable
// or TagHeaderSignatures) with the entries sorted by tag. An entry with no
// element is left out. A doubled tag or data that do not fit the type are errors.
func EncodeHeader(region Tag, entries []Entry) ([]byte, error) {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Count == 0 })
	if err := sortEntries(entries); err != nil {
		return nil, err
	}
	var e encoder
	e.index = make([]byte, entrySize, entrySize*(len(entries)+1))
	for _, x := range entries {
		e.add(x)
	}
	trailer := appendEntry(nil, region, TypeBinary, uint32(-entrySize*(len(entries)+1)), trailerSize)
	copy(e.index, appendEntry(nil, region, TypeBinary, uint32(len(e.data)), trailerSize))
	e.data = append(e.data, trailer...)
	return e.bytes()
}

// AddEntries returns the header h, with magic number, with entries added behind
// its region, sorted by tag: the form in which a database keeps an installed
// package. Entries that h already has behind its region are kept and must not
// be given again. The region is copied byte for byte.
func (h *Header) AddEntries(entries []Entry) ([]byte, error) {
	all := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Count == 0 })
	for _, x := range h.index {
		if h.region != 0 && x.offset >= h.rdl {
			all = append(all, Entry{x.tag, x.typ, uint32(x.count), h.bytesOf(x)})
		}
	}
	if err := sortEntries(all); err != nil {
		return nil, err
	}
	ril := h.ril
	if h.region == 0 {
		ril = len(h.index)
	}
	e := encoder{
		index: slices.Clone(h.raw[8 : 8+ril*entrySize]),
		data:  slices.Clone(h.data[:h.rdl]),
	}
	for _, x := range all {
		e.add(x)
	}
	return e.bytes()
}

func sortEntries(entries []Entry) error {
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Tag, b.Tag) })
	for i, e := range entries {
		if i > 0 && entries[i-1].Tag == e.Tag {
			return fmt.Errorf("header tag %v given twice", e.Tag)
		}
		n, ok := dataLength(e.Data, e.Type, int(e.Count))
		if !ok || n != len(e.Data) || e.Type < TypeChar || e.Type > TypeI18NString {
			return fmt.Errorf("header tag %v: %d bytes are not %d elements of %v", e.Tag, len(e.Data), e.Count, e.Type)
		}
		if e.Type == TypeString && bytes.IndexByte(e.Data, 0) != len(e.Data)-1 {
			return fmt.Errorf("header tag %v: NUL in a string", e.Tag)
		}
	}
	return nil
}

type encoder struct{ index, data []byte }

func appendEntry(b []byte, tag Tag, typ Type, offset, count uint32) []byte {
	for _, v := range [...]uint32{uint32(tag), uint32(typ), offset, count} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func (e *encoder) add(x Entry) {
	for len(e.data)%x.Type.align() != 0 {
		e.data = append(e.data, 0)
	}
	e.index = appendEntry(e.index, x.Tag, x.Type, uint32(len(e.data)), x.Count)
	e.data = append(e.data, x.Data...)
}

func (e *encoder) bytes() ([]byte, error) {
	if n := len(e.index) / entrySize; n > MaxIndex {
		return nil, fmt.Errorf("%d header entries, at most %d are allowed", n, MaxIndex)
	}
	n := 16 + len(e.index) + len(e.data)
	if n > MaxHeader || len(e.data) > MaxData {
		return nil, fmt.Errorf("header of %d bytes is too large", n)
	}
	b := append(make([]byte, 0, n), headerMagic[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.index)/entrySize))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.data)))
	return append(append(b, e.index...), e.data...), nil
}
