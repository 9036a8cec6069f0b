package ostree

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"rpmostree/gvariant"
)

// SummaryType is the type of a serialised Summary.
const SummaryType = gvariant.Type("(a(s(taya{sv}))a{sv})")

// collectionMapType is the type of the metadata that holds the refs of other collections.
const collectionMapType = gvariant.Type("a{sa(s(taya{sv}))}")

// Keys of summary metadata and of the metadata of its refs.
const (
	KeySummaryStaticDeltas    = "ostree.static-deltas"             // a{sv} of delta name to ay
	KeySummaryLastModified    = "ostree.summary.last-modified"     // t big endian
	KeySummaryExpires         = "ostree.summary.expires"           // t big endian
	KeySummaryMode            = "ostree.summary.mode"              // s
	KeySummaryTombstones      = "ostree.summary.tombstone-commits" // b
	KeySummaryIndexedDeltas   = "ostree.summary.indexed-deltas"    // b
	KeySummaryCollectionID    = "ostree.summary.collection-id"     // s
	KeySummaryCollectionMap   = "ostree.summary.collection-map"    // a{sa(s(taya{sv}))}
	KeySummaryCommitTimestamp = "ostree.commit.timestamp"          // t big endian, of a ref
	KeySummaryCommitVersion   = "ostree.commit.version"            // s, of a ref
)

// Summary is the index of a repository. It is not a hashed object.
type Summary struct {
	Refs     []SummaryRef   // sorted by name
	Metadata gvariant.Value // a{sv}
}

// SummaryRef is what a summary knows about a ref.
type SummaryRef struct {
	Name     string
	Size     uint64 // of the commit object in bytes; the format has it in the writer's byte order
	Checksum Checksum
	Metadata gvariant.Value // a{sv}
}

// Timestamp returns the commit's time in seconds since 1970, if the ref has it.
func (r SummaryRef) Timestamp() (uint64, bool) {
	v, ok := r.Metadata.Lookup(KeySummaryCommitTimestamp)
	return bits.ReverseBytes64(v.Uint64()), ok && v.Type() == "t"
}

// CollectionRefs is the refs of a collection.
type CollectionRefs struct {
	Collection string
	Refs       []SummaryRef
}

// ParseSummary reads a summary file. The result refers to b.
func ParseSummary(b []byte) (*Summary, error) {
	v := gvariant.New(SummaryType, b, binary.LittleEndian)
	if !v.IsNormal() {
		return nil, fmt.Errorf("Invalid summary: %w", errNotNormal)
	}
	refs, err := parseSummaryRefs(v.Index(0))
	if err != nil {
		return nil, err
	}
	return &Summary{refs, gvariant.New("a{sv}", v.Index(1).Bytes(), binary.LittleEndian)}, nil
}

func parseSummaryRefs(v gvariant.Value) ([]SummaryRef, error) {
	refs := make([]SummaryRef, 0, v.Len())
	for _, e := range v.All() {
		name, info := e.Index(0).Str(), e.Index(1)
		if err := ValidateRef(name); err != nil {
			return nil, err
		}
		sum, err := ChecksumFromBytes(info.Index(1).ByteArray())
		if err != nil {
			return nil, err
		}
		refs = append(refs, SummaryRef{name, info.Index(0).Uint64(), sum,
			gvariant.New("a{sv}", info.Index(2).Bytes(), binary.LittleEndian)})
	}
	return refs, nil
}

// Lookup finds a ref by name.
func (s *Summary) Lookup(name string) (SummaryRef, bool) {
	// Upstream searches by bisection, but a list out of order is no reason to miss a ref.
	for _, r := range s.Refs {
		if r.Name == name {
			return r, true
		}
	}
	return SummaryRef{}, false
}

// LastModified returns the time of the summary in seconds since 1970, if it has one.
func (s *Summary) LastModified() (uint64, bool) {
	v, ok := s.Metadata.Lookup(KeySummaryLastModified)
	return bits.ReverseBytes64(v.Uint64()), ok && v.Type() == "t"
}

// CollectionID returns the collection of the main list of refs, "" if there is none.
func (s *Summary) CollectionID() string {
	v, _ := s.Metadata.Lookup(KeySummaryCollectionID)
	return v.Str()
}

// CollectionMap returns the refs of other collections.
func (s *Summary) CollectionMap() ([]CollectionRefs, error) {
	v, ok := s.Metadata.Lookup(KeySummaryCollectionMap)
	if !ok || v.Type() != collectionMapType {
		return nil, nil
	}
	var list []CollectionRefs
	for _, e := range v.All() {
		id := e.Index(0).Str()
		if err := ValidateCollectionID(id); err != nil {
			return nil, err
		}
		refs, err := parseSummaryRefs(e.Index(1))
		if err != nil {
			return nil, err
		}
		list = append(list, CollectionRefs{id, refs})
	}
	return list, nil
}

// CollectionMapValue returns the metadata value of the refs of other collections.
func CollectionMapValue(list []CollectionRefs) gvariant.Value {
	elems := make([]gvariant.Value, len(list))
	for i, c := range list {
		elems[i] = gvariant.DictEntry(gvariant.String(c.Collection), summaryRefsValue(c.Refs))
	}
	return gvariant.Array(gvariant.Type(strings.TrimPrefix(string(collectionMapType), "a")), elems...)
}

func summaryRefsValue(refs []SummaryRef) gvariant.Value {
	elems := make([]gvariant.Value, len(refs))
	for i, r := range refs {
		elems[i] = gvariant.Tuple(gvariant.String(r.Name), gvariant.Tuple(gvariant.Uint64(r.Size),
			gvariant.Bytes(r.Checksum[:]), dictOrEmpty(r.Metadata)))
	}
	return gvariant.Array("(s(taya{sv}))", elems...)
}

func dictOrEmpty(v gvariant.Value) gvariant.Value {
	if v.Type() != "a{sv}" {
		return gvariant.Array("{sv}")
	}
	return v
}

// Marshal returns the bytes of the summary file.
func (s *Summary) Marshal() []byte {
	return gvariant.Tuple(summaryRefsValue(s.Refs), dictOrEmpty(s.Metadata)).Bytes()
}

// SortSummaryRefs orders refs by name, as a summary has them.
func SortSummaryRefs(refs []SummaryRef) {
	slices.SortFunc(refs, func(a, b SummaryRef) int { return strings.Compare(a.Name, b.Name) })
}
