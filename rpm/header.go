package rpm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
)

// Limits of a header, as rpm's own (lib/header.cc).
const (
	MaxIndex          = 0xffff     // entries of a main header
	MaxData           = 0x0fffffff // bytes of data of a main header
	MaxHeader         = 256 << 20  // bytes of a whole header
	MaxSignatureIndex = 32         // entries of a signature header
	MaxSignatureData  = 64 << 20   // bytes of data of a signature header
	MaxCount          = 0xfffff    // elements of an entry that is not binary
)

const (
	entrySize   = 16 // one entry of the index
	trailerSize = 16 // the index entry that ends a region
)

var headerMagic = [8]byte{0x8e, 0xad, 0xe8, 1}

// Header is a checked, read-only list of tagged values. It is safe for
// concurrent use.
type Header struct {
	whole  []byte // magic and raw; nil if the header came without its magic
	raw    []byte // number of entries, bytes of data, index, data
	data   []byte // the last part of raw
	region Tag    // 0: none (version 3)
	ril    int    // entries in the region, its own included; the others are dribbles
	rdl    int    // bytes of data in the region, the trailer included
	index  []entry
}

// entry is an index entry with its offset and length in the data checked.
type entry struct {
	tag    Tag
	typ    Type
	offset int
	count  int
	length int
}

// headerKind selects the rules of the three places where headers live.
type headerKind uint8

const (
	mainHeader headerKind = iota
	signatureHeader
	installedHeader
)

func (k headerKind) limits() (index, data int) {
	if k == signatureHeader {
		return MaxSignatureIndex, MaxSignatureData
	}
	return MaxIndex, MaxData
}

// ParseHeader checks and opens the main header of a package, with or without
// the magic number before it. The header keeps b.
func ParseHeader(b []byte) (*Header, error) { return parseHeader(b, mainHeader) }

// ParseSignatureHeader is ParseHeader for the signature header of a package,
// without the padding after it.
func ParseSignatureHeader(b []byte) (*Header, error) { return parseHeader(b, signatureHeader) }

// ParseInstalledHeader is ParseHeader for a header from an RPM database: after
// the region of the package there may be entries that the installation added
// ("dribbles"), which override those of the same tag in the region.
func ParseInstalledHeader(b []byte) (*Header, error) { return parseHeader(b, installedHeader) }

// ReadHeader reads the main header of a package from r and nothing after it.
func ReadHeader(r io.Reader) (*Header, error) { return readHeader(r, mainHeader) }

// ReadSignatureHeader reads the signature header of a package from r, which
// must stand after the lead, and the padding after it.
func ReadSignatureHeader(r io.Reader) (*Header, error) {
	h, _, err := readSignatureHeader(r)
	return h, err
}

// readSignatureHeader also returns the padding, for those who keep every byte.
func readSignatureHeader(r io.Reader) (h *Header, pad []byte, err error) {
	h, err = readHeader(r, signatureHeader)
	if err != nil {
		return nil, nil, fmt.Errorf("signature %w", err)
	}
	pad = make([]byte, -len(h.whole)&7)
	if _, err := io.ReadFull(r, pad); err != nil {
		return nil, nil, fmt.Errorf("signature header: %w", noEOF(err))
	}
	return h, pad, nil
}

func readHeader(r io.Reader, kind headerKind) (*Header, error) {
	var intro [16]byte
	if _, err := io.ReadFull(r, intro[:]); err != nil {
		return nil, fmt.Errorf("header: %w", noEOF(err))
	}
	if [8]byte(intro[:8]) != headerMagic {
		return nil, errors.New("bad header magic")
	}
	il, dl, err := headerSize(intro[8:], kind)
	if err != nil {
		return nil, err
	}
	// The buffer grows with what really arrives, not with what the header claims.
	buf := bytes.NewBuffer(make([]byte, 0, min(16+il*entrySize+dl, 64<<10)))
	buf.Write(intro[:])
	if _, err := io.CopyN(buf, r, int64(il*entrySize+dl)); err != nil {
		return nil, fmt.Errorf("header: %w", noEOF(err))
	}
	return parseHeader(slices.Clip(buf.Bytes()), kind)
}

// noEOF makes the end of input inside a structure an error that says so.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// headerSize checks the two numbers at the start of b against the limits.
func headerSize(b []byte, kind headerKind) (il, dl int, err error) {
	maxIndex, maxData := kind.limits()
	n, d := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if n == 0 || n > uint32(maxIndex) {
		return 0, 0, fmt.Errorf("header tags: BAD, no. of tags(%d) out of range", n)
	}
	if d > uint32(maxData) || int64(n)*entrySize+int64(d)+16 > MaxHeader {
		return 0, 0, fmt.Errorf("header data: BAD, no. of bytes(%d) out of range", d)
	}
	return int(n), int(d), nil
}

func parseHeader(b []byte, kind headerKind) (*Header, error) {
	h := &Header{raw: b}
	if len(b) >= len(headerMagic) && [8]byte(b[:8]) == headerMagic {
		h.whole, h.raw = b, b[8:]
	}
	if len(h.raw) < 8 {
		return nil, fmt.Errorf("header: %w", io.ErrUnexpectedEOF)
	}
	il, dl, err := headerSize(h.raw, kind)
	if err != nil {
		return nil, err
	}
	if want := 8 + il*entrySize + dl; len(h.raw) != want {
		return nil, fmt.Errorf("header blob: BAD, size is %d, want %d", len(h.raw)+8, want+8)
	}
	h.data, h.index = h.raw[8+il*entrySize:], make([]entry, 0, il)
	if err := h.parseRegion(il, kind); err != nil {
		return nil, err
	}
	if err := h.parseIndex(il, kind); err != nil {
		return nil, err
	}
	return h, h.sortIndex()
}

// rawEntry returns the unchecked index entry at b.
func rawEntry(b []byte) (tag Tag, typ Type, offset int32, count uint32) {
	be := binary.BigEndian
	return Tag(be.Uint32(b)), Type(be.Uint32(b[4:])), int32(be.Uint32(b[8:])), be.Uint32(b[12:])
}

// parseRegion checks the first entry, which describes the immutable part, and
// the trailer it points at: {tag, binary, -16*ril, 16}.
func (h *Header) parseRegion(il int, kind headerKind) error {
	tag, typ, offset, count := rawEntry(h.raw[8:])
	want := tag == TagHeaderImmutable || tag == TagHeaderImage
	if kind == signatureHeader {
		want = tag == TagHeaderSignatures || tag == TagHeaderImage
	}
	if !want {
		h.rdl = len(h.data)
		return nil
	}
	if typ != TypeBinary || count != trailerSize {
		return fmt.Errorf("region tag: BAD, tag %d type %d offset %d count %d", tag, typ, offset, count)
	}
	if offset < 0 || int(offset)+trailerSize > len(h.data) {
		return fmt.Errorf("region offset: BAD, tag %d type %d offset %d count %d", tag, typ, offset, count)
	}
	ttag, ttyp, tsize, tcount := rawEntry(h.data[offset:])
	// Packages of about the year 2000 call the signature trailer an image.
	if ttag != tag && (kind != signatureHeader || ttag != TagHeaderImage) || ttyp != TypeBinary || tcount != trailerSize {
		return fmt.Errorf("region trailer: BAD, tag %d type %d offset %d count %d", ttag, ttyp, tsize, tcount)
	}
	size := -int64(tsize)
	if size%entrySize != 0 || size < entrySize || size > int64(il)*entrySize {
		return fmt.Errorf("region %d size: BAD, ril %d il %d rdl %d dl %d", tag, size/entrySize, il, int(offset)+trailerSize, len(h.data))
	}
	h.region, h.ril, h.rdl = tag, int(size/entrySize), int(offset)+trailerSize
	if kind == mainHeader && (h.ril != il || h.rdl != len(h.data)) {
		return fmt.Errorf("region %d: tag number mismatch il %d ril %d dl %d rdl %d", tag, il, h.ril, len(h.data), h.rdl)
	}
	return nil
}

// parseIndex checks every entry but the region's own.
func (h *Header) parseIndex(il int, kind headerKind) error {
	first := 0
	if h.region != 0 {
		first = 1
	}
	end := 0
	for i := first; i < il; i++ {
		tag, typ, offset, count := rawEntry(h.raw[8+i*entrySize:])
		e, err := h.checkEntry(tag, typ, offset, count, kind)
		if err == nil && e.offset < end {
			err = errors.New("overlaps the entry before")
		}
		end = e.offset + e.length
		if err == nil && h.region != 0 && end > h.rdl-trailerSize && e.offset < h.rdl {
			err = errors.New("overlaps the region trailer")
		}
		if err == nil && h.region != 0 && (i < h.ril) != (e.offset < h.rdl) {
			err = errors.New("on the wrong side of the region's end")
		}
		if err != nil {
			return fmt.Errorf("tag[%d]: BAD, tag %d type %d offset %d count %d: %v: %w", i, tag, typ, offset, count, tag, err)
		}
		h.index = append(h.index, e)
	}
	return nil
}

func (h *Header) checkEntry(tag Tag, typ Type, offset int32, count uint32, kind headerKind) (entry, error) {
	e := entry{tag: tag, typ: typ, offset: int(offset), count: int(count)}
	switch {
	case tag < TagHeaderI18NTable:
		return e, errors.New("reserved tag")
	case typ < TypeChar || typ > TypeI18NString:
		return e, errors.New("unknown type")
	case kind != signatureHeader && !typeFits(tag, typ):
		return e, errors.New("wrong type for the tag")
	case offset < 0 || int(offset) > len(h.data):
		return e, errors.New("offset out of range")
	case int(offset)%typ.align() != 0:
		return e, errors.New("misaligned")
	case count == 0 || int64(count) > int64(len(h.data)) || typ != TypeBinary && count > MaxCount:
		return e, errors.New("count out of range")
	case typ == TypeString && count != 1:
		return e, errors.New("count of a string is not 1")
	}
	var ok bool
	if e.length, ok = dataLength(h.data[e.offset:], typ, e.count); !ok {
		return e, errors.New("data out of range")
	}
	return e, nil
}

// typeFits says whether a known tag may have the type; rpm lets the kinds of
// strings stand for one another.
func typeFits(tag Tag, typ Type) bool {
	known, ok := findTag(tag)
	return !ok || known.typ == typ || known.typ.isString() && typ.isString()
}

// dataLength returns the bytes that count elements take at the start of b.
func dataLength(b []byte, typ Type, count int) (int, bool) {
	if size := typ.size(); size > 0 {
		return count * size, count*size <= len(b)
	}
	n := 0
	for range count {
		i := bytes.IndexByte(b[n:], 0)
		if i < 0 {
			return 0, false
		}
		n += i + 1
	}
	return n, true
}

// sortIndex orders the entries for find: by tag, a dribble before the region's
// entry that it overrides. Version 6 forbids doubles and disorder.
func (h *Header) sortIndex() error {
	strict := false
	for _, e := range h.index {
		if e.tag == TagRPMFormat && e.typ == TypeInt32 {
			strict = binary.BigEndian.Uint32(h.data[e.offset:]) >= 6
		}
	}
	region := len(h.index)
	if h.region != 0 {
		region = h.ril - 1
	}
	for i := 1; i < region && strict; i++ {
		if a, b := h.index[i-1].tag, h.index[i].tag; a >= b {
			return fmt.Errorf("tag[%d]: BAD, tag %d after %d", i+1, b, a)
		}
	}
	ordered := slices.Concat(h.index[region:], h.index[:region])
	sort.SliceStable(ordered, func(i, j int) bool { return ordered[i].tag < ordered[j].tag })
	h.index = ordered
	return nil
}

func (h *Header) find(t Tag) (entry, bool) {
	i, ok := slices.BinarySearchFunc(h.index, t, func(e entry, t Tag) int { return int(e.tag) - int(t) })
	if !ok {
		return entry{}, false
	}
	return h.index[i], true
}

func (h *Header) bytesOf(e entry) []byte {
	return h.data[e.offset : e.offset+e.length : e.offset+e.length]
}

// Bytes returns the header as a package stores it, with its magic number. It
// must not be changed.
func (h *Header) Bytes() []byte {
	if h.whole == nil {
		return slices.Concat(headerMagic[:], h.raw)
	}
	return h.whole
}

// Blob returns the header as a database stores it, without the magic number. It
// must not be changed.
func (h *Header) Blob() []byte { return h.raw }

// Region returns the tag of the immutable region, 0 if the header has none.
func (h *Header) Region() Tag { return h.region }

// Immutable returns the bytes that the package's digests and signatures cover,
// with the magic number: the region without the dribbles of a database. For a
// header without region it is the whole.
func (h *Header) Immutable() []byte {
	if h.isImmutable() {
		return h.Bytes()
	}
	var b bytes.Buffer
	b.Grow(16 + h.ril*entrySize + h.rdl)
	h.WriteImmutable(&b)
	return b.Bytes()
}

// WriteImmutable writes what Immutable returns, without a copy in memory.
func (h *Header) WriteImmutable(w io.Writer) error {
	ril, rdl := h.ril, h.rdl
	if h.isImmutable() {
		ril, rdl = h.entries(), len(h.data)
	}
	intro := binary.BigEndian.AppendUint32(headerMagic[:], uint32(ril))
	intro = binary.BigEndian.AppendUint32(intro, uint32(rdl))
	for _, part := range [...][]byte{intro, h.raw[8 : 8+ril*entrySize], h.data[:rdl]} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// entries returns the number of entries, dribbles included.
func (h *Header) entries() int { return int(binary.BigEndian.Uint32(h.raw)) }

// isImmutable reports whether all of the header is covered by digests.
func (h *Header) isImmutable() bool {
	return h.region == 0 || h.ril == h.entries() && h.rdl == len(h.data)
}

// Has reports whether the header has the tag.
func (h *Header) Has(t Tag) bool {
	_, ok := h.find(t)
	return ok
}

// Entry returns the encoded value of a tag. Its Data must not be changed.
func (h *Header) Entry(t Tag) (Entry, bool) {
	e, ok := h.find(t)
	if !ok {
		return Entry{}, false
	}
	return Entry{e.tag, e.typ, uint32(e.count), h.bytesOf(e)}, true
}

// Tags returns the tags of the header in ascending order, without the region's.
func (h *Header) Tags() []Tag {
	var out []Tag
	for _, e := range h.index {
		if len(out) == 0 || out[len(out)-1] != e.tag {
			out = append(out, e.tag)
		}
	}
	return out
}

// String returns a string, or the first of an array (which is the one for the
// C locale of an internationalized string). It is "" if the tag is missing or
// of another type.
func (h *Header) String(t Tag) string {
	e, ok := h.find(t)
	if !ok || !e.typ.isString() {
		return ""
	}
	b := h.bytesOf(e)
	return string(b[:bytes.IndexByte(b, 0)])
}

// Strings returns the strings of an array, or one string as an array. It is nil
// if the tag is missing or of another type.
func (h *Header) Strings(t Tag) []string {
	e, ok := h.find(t)
	if !ok || !e.typ.isString() {
		return nil
	}
	out := make([]string, 0, e.count)
	// One allocation holds all the text.
	for text := string(h.bytesOf(e)); text != ""; {
		var s string
		s, text, _ = strings.Cut(text, "\x00")
		out = append(out, s)
	}
	return out
}

// Binary returns the bytes of a binary or character entry, nil if the tag is
// missing or of another type. They must not be changed.
func (h *Header) Binary(t Tag) []byte {
	e, ok := h.find(t)
	if !ok || e.typ != TypeBinary && e.typ != TypeChar && e.typ != TypeInt8 {
		return nil
	}
	return h.bytesOf(e)
}

// Uint16s returns the numbers of an entry of TypeInt16, nil if the tag is
// missing or of another type.
func (h *Header) Uint16s(t Tag) []uint16 {
	e, ok := h.find(t)
	if !ok || e.typ != TypeInt16 {
		return nil
	}
	b, out := h.bytesOf(e), make([]uint16, e.count)
	for i := range out {
		out[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return out
}

// Uint32s returns the numbers of an entry of TypeInt32, nil if the tag is
// missing or of another type.
func (h *Header) Uint32s(t Tag) []uint32 {
	e, ok := h.find(t)
	if !ok || e.typ != TypeInt32 {
		return nil
	}
	b, out := h.bytesOf(e), make([]uint32, e.count)
	for i := range out {
		out[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	return out
}

// Uint64s returns the numbers of an integer entry of any size, nil if the tag
// is missing or no integer.
func (h *Header) Uint64s(t Tag) []uint64 {
	e, ok := h.find(t)
	if !ok || e.typ < TypeInt8 || e.typ > TypeInt64 {
		return nil
	}
	b, out := h.bytesOf(e), make([]uint64, e.count)
	for i := range out {
		out[i] = bigEndian(b[i*e.typ.size():], e.typ.size())
	}
	return out
}

func bigEndian(b []byte, size int) (v uint64) {
	for _, x := range b[:size] {
		v = v<<8 | uint64(x)
	}
	return v
}

// Uint returns the first number of an integer entry of any size; ok is false
// if the tag is missing or no integer.
func (h *Header) Uint(t Tag) (v uint64, ok bool) {
	e, ok := h.find(t)
	if !ok || e.typ < TypeInt8 || e.typ > TypeInt64 {
		return 0, false
	}
	return bigEndian(h.bytesOf(e), e.typ.size()), true
}
