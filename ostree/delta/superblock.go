package delta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"rpmostree/gvariant"
	"rpmostree/ostree"
)

// SuperblockType is the type of a superblock: metadata, timestamp, from, to, the
// target commit, recursion, parts, fallbacks.
const SuperblockType = gvariant.Type("(a{sv}tayay" + commitType + "aya(uayttay)a(yaytt))")

const commitType = string(ostree.CommitType)

// signedType is that of a superblock with signatures.
const signedType = gvariant.Type("(taya{sv})")

// signedMagic is "OSTSGNDT", as a big endian number.
const signedMagic = 0x4F535453474E4454

// Limits of what is read.
const (
	MaxParts    = 1 << 16
	MaxPartSize = 16 << 30 // bytes of the objects of a part
)

// Keys of the metadata of a superblock.
const keyEndianness = "ostree.endianness" // y: 'l' or 'B'

// A Superblock says what a delta is for and what it consists of.
type Superblock struct {
	Metadata  gvariant.Value // a{sv}
	Timestamp uint64         // seconds since 1970
	Name
	Commit    []byte // the target commit, as an object
	Parts     []PartMeta
	Fallbacks []Fallback
	// Order is the byte order of sizes in the delta. OrderGuessed tells that the
	// delta does not say.
	Order        binary.ByteOrder
	OrderGuessed bool
}

// PartMeta describes a part.
type PartMeta struct {
	Version  uint32
	Checksum ostree.Checksum // sha256 of the file
	Size     uint64          // of the file, in bytes
	USize    uint64          // of its content without compression, in bytes
	Objects  []ostree.ObjectName
}

// A Fallback is an object to be fetched by itself.
type Fallback struct {
	ostree.ObjectName
	Size, USize uint64 // bytes, compressed and not
}

// Parse reads a superblock. It refers to b.
func Parse(b []byte) (*Superblock, error) {
	v := gvariant.New(SuperblockType, b, binary.LittleEndian)
	if !v.IsNormal() {
		return nil, errors.New("Invalid static delta superblock: not in normal form")
	}
	s := &Superblock{
		Metadata: gvariant.New("a{sv}", v.Index(0).Bytes(), binary.LittleEndian), Timestamp: bits.ReverseBytes64(v.Index(1).Uint64()),
		Commit: v.Index(4).Bytes(),
	}
	var err error
	if from := v.Index(2).ByteArray(); len(from) > 0 {
		if s.From, err = ostree.ChecksumFromBytes(from); err != nil {
			return nil, err
		}
	}
	if s.To, err = ostree.ChecksumFromBytes(v.Index(3).ByteArray()); err != nil {
		return nil, err
	}
	if v.Index(6).Len() > MaxParts {
		return nil, fmt.Errorf("static delta has more than %d parts", MaxParts)
	}
	for _, p := range v.Index(6).All() {
		part, err := parsePartMeta(p)
		if err != nil {
			return nil, err
		}
		s.Parts = append(s.Parts, part)
	}
	for _, f := range v.Index(7).All() {
		fallback := Fallback{Size: f.Index(2).Uint64(), USize: f.Index(3).Uint64()}
		if fallback.Type = ostree.ObjectType(f.Index(0).Byte()); !validType(fallback.Type) {
			return nil, errType(fallback.Type)
		}
		if fallback.Checksum, err = ostree.ChecksumFromBytes(f.Index(1).ByteArray()); err != nil {
			return nil, err
		}
		s.Fallbacks = append(s.Fallbacks, fallback)
	}
	return s, s.settleOrder()
}

func parsePartMeta(v gvariant.Value) (p PartMeta, err error) {
	p = PartMeta{Version: v.Index(0).Uint32(), Size: v.Index(2).Uint64(), USize: v.Index(3).Uint64()}
	if p.Checksum, err = ostree.ChecksumFromBytes(v.Index(1).ByteArray()); err != nil {
		return p, err
	}
	p.Objects, err = parseObjects(v.Index(4).ByteArray())
	return p, err
}

// objectSize is that of a record of a part's object list: type and checksum.
const objectSize = 1 + 32

func parseObjects(b []byte) ([]ostree.ObjectName, error) {
	if len(b)%objectSize != 0 {
		return nil, errors.New("Invalid checksum array length in static delta")
	}
	list := make([]ostree.ObjectName, len(b)/objectSize)
	for i := range list {
		rec := b[i*objectSize:]
		list[i].Type = ostree.ObjectType(rec[0])
		copy(list[i].Checksum[:], rec[1:objectSize])
		if !validType(list[i].Type) {
			return nil, errType(list[i].Type)
		}
	}
	return list, nil
}

// validType tells whether a delta can have objects of a type.
func validType(t ostree.ObjectType) bool { return t >= ostree.ObjectFile && t <= ostree.ObjectCommit }

func errType(t ostree.ObjectType) error {
	return fmt.Errorf("Invalid object type %d in static delta", t)
}

// settleOrder finds out the byte order and turns the sizes, which were read as
// little endian.
func (s *Superblock) settleOrder() error {
	s.Order = binary.LittleEndian
	if e, ok := s.Metadata.Lookup(keyEndianness); ok {
		switch e.Byte() {
		case 'l':
		case 'B':
			s.Order = binary.BigEndian
		default:
			return fmt.Errorf("Invalid endianness byte %d in static delta", e.Byte())
		}
	} else {
		s.OrderGuessed = true
		if s.looksSwapped() {
			s.Order = binary.BigEndian
		}
	}
	if s.Order == binary.BigEndian {
		for i := range s.Parts {
			p := &s.Parts[i]
			p.Version = bits.ReverseBytes32(p.Version)
			p.Size, p.USize = bits.ReverseBytes64(p.Size), bits.ReverseBytes64(p.USize)
		}
		for i := range s.Fallbacks {
			f := &s.Fallbacks[i]
			f.Size, f.USize = bits.ReverseBytes64(f.Size), bits.ReverseBytes64(f.USize)
		}
	}
	return nil
}

// looksSwapped guesses whether sizes are of the other byte order: compression
// never makes a part larger by a fifth, and objects do not have 4 GiB on average.
func (s *Superblock) looksSwapped() bool {
	const maxAverage = 4 << 30
	var size, objects uint64
	for _, p := range s.Parts {
		size += p.Size
		objects += uint64(len(p.Objects))
		if float64(p.Size) > 1.2*float64(p.USize) {
			return true
		}
	}
	return objects > 0 && size/objects >= maxAverage
}

// Marshal returns the bytes of the superblock.
func (s *Superblock) Marshal() []byte {
	metadata := s.Metadata
	if metadata.IsZero() {
		metadata = gvariant.Array("{sv}")
	}
	var b bytes.Buffer
	_, _ = s.stream(metadata.Stream()).WriteTo(&b) // from memory to memory
	return b.Bytes()
}

// stream returns the superblock with metadata that may be large.
func (s *Superblock) stream(metadata gvariant.Stream) gvariant.Stream {
	big := s.Order == binary.BigEndian
	u64 := func(x uint64) gvariant.Value {
		if big {
			x = bits.ReverseBytes64(x)
		}
		return gvariant.Uint64(x)
	}
	parts := make([]gvariant.Value, len(s.Parts))
	for i, p := range s.Parts {
		version := p.Version
		if big {
			version = bits.ReverseBytes32(version)
		}
		parts[i] = gvariant.Tuple(gvariant.Uint32(version), gvariant.Bytes(p.Checksum[:]), u64(p.Size), u64(p.USize),
			gvariant.Bytes(marshalObjects(p.Objects)))
	}
	fallbacks := make([]gvariant.Value, len(s.Fallbacks))
	for i, f := range s.Fallbacks {
		fallbacks[i] = gvariant.Tuple(gvariant.Byte(byte(f.Type)), gvariant.Bytes(f.Checksum[:]), u64(f.Size), u64(f.USize))
	}
	var from []byte
	if !s.From.IsZero() {
		from = s.From[:]
	}
	members := []gvariant.Stream{metadata}
	for _, v := range []gvariant.Value{
		gvariant.Uint64(bits.ReverseBytes64(s.Timestamp)), gvariant.Bytes(from), gvariant.Bytes(s.To[:]),
		gvariant.New(ostree.CommitType, s.Commit, binary.LittleEndian), gvariant.Bytes(nil),
		gvariant.Array("(uayttay)", parts...), gvariant.Array("(yaytt)", fallbacks...),
	} {
		members = append(members, v.Stream())
	}
	return gvariant.StreamTuple(members...)
}

func marshalObjects(list []ostree.ObjectName) []byte {
	b := make([]byte, 0, len(list)*objectSize)
	for _, n := range list {
		b = append(append(b, byte(n.Type)), n.Checksum[:]...)
	}
	return b
}

// Signed is a superblock with signatures.
type Signed struct {
	Superblock []byte         // what is signed
	Signatures gvariant.Value // a{sv}
}

// ParseSigned reads a superblock with signatures. ok is false if b is none, but
// may be a superblock by itself.
func ParseSigned(b []byte) (s Signed, ok bool) {
	if len(b) < 8 || binary.BigEndian.Uint64(b) != signedMagic {
		return Signed{}, false
	}
	v := gvariant.New(signedType, b, binary.LittleEndian)
	if !v.IsNormal() {
		return Signed{}, false
	}
	return Signed{v.Index(1).ByteArray(), gvariant.New("a{sv}", v.Index(2).Bytes(), binary.LittleEndian)}, true
}

// streamSigned returns a superblock with its signatures.
func streamSigned(superblock *spill, signatures gvariant.Value) gvariant.Stream {
	return gvariant.StreamTuple(gvariant.Uint64(bits.ReverseBytes64(signedMagic)).Stream(),
		gvariant.StreamOf("ay", superblock, int(superblock.size)), signatures.Stream())
}

// PartPath returns the path of a part, relative to the repository. It is its key
// too if it is in the superblock.
func (s *Superblock) PartPath(i int) string { return fmt.Sprintf("%s/%d", s.Dir(), i) }

// InlinePart returns the file of a part that is in the superblock.
func (s *Superblock) InlinePart(i int) ([]byte, bool) {
	v, ok := s.Metadata.Lookup(s.PartPath(i))
	if !ok || v.Type() != partType {
		return nil, false
	}
	return v.Bytes(), true
}

// DetachedMetadata returns the detached metadata of the target commit, if the
// superblock has it.
func (s *Superblock) DetachedMetadata() ([]byte, bool) {
	v, ok := s.Metadata.Lookup(s.Dir() + "/commitmeta")
	if !ok || v.Type() != "a{sv}" {
		return nil, false
	}
	return v.Bytes(), true
}
