package ostree

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"time"

	"rpmostree/gvariant"
)

// CommitType is the type of a serialised Commit.
const CommitType = gvariant.Type("(a{sv}aya(say)sstayay)")

// Keys of commit metadata.
const (
	KeyVersion           = "version"                    // s
	KeyRefBinding        = "ostree.ref-binding"         // as, sorted
	KeyCollectionBinding = "ostree.collection-binding"  // s
	KeySizes             = "ostree.sizes"               // aay, see SizeEntry
	KeyArchitecture      = "ostree.architecture"        // s
	KeyEndOfLife         = "ostree.endoflife"           // s
	KeyEndOfLifeRebase   = "ostree.endoflife-rebase"    // s
	KeySourceTitle       = "ostree.source-title"        // s
	KeyBootable          = "ostree.bootable"            // b
	KeyLinux             = "ostree.linux"               // s
	KeyGPGSigs           = "ostree.gpgsigs"             // aay, detached
	KeyComposefsDigest   = "ostree.composefs.digest.v0" // ay
)

// Commit is a commit object.
type Commit struct {
	Metadata  gvariant.Value // a{sv} as on the wire; the zero Value is empty
	Parent    Checksum       // zero if there is none
	Related   []Related
	Subject   string
	Body      string
	Timestamp uint64   // seconds since 1970 UTC
	Tree      Checksum // dirtree of the root
	Meta      Checksum // dirmeta of the root
}

// Related is a reference to another commit; no known program makes them.
type Related struct {
	Name     string
	Checksum Checksum
}

// ParseCommit reads a commit object. The result refers to b.
func ParseCommit(b []byte) (Commit, error) {
	v := gvariant.New(CommitType, b, binary.LittleEndian)
	if !v.IsNormal() {
		return Commit{}, errNotNormal
	}
	c := Commit{
		Metadata: gvariant.New("a{sv}", v.Index(0).Bytes(), binary.LittleEndian),
		Subject:  v.Index(3).Str(), Body: v.Index(4).Str(),
		Timestamp: bits.ReverseBytes64(v.Index(5).Uint64()),
	}
	var err error
	if parent := v.Index(1).ByteArray(); len(parent) > 0 {
		if c.Parent, err = ChecksumFromBytes(parent); err != nil {
			return Commit{}, err
		}
		if c.Parent.IsZero() {
			return Commit{}, fmt.Errorf("Invalid commit: zero parent")
		}
	}
	for _, e := range v.Index(2).All() {
		sum, err := ChecksumFromBytes(e.Index(1).ByteArray())
		if err != nil {
			return Commit{}, err
		}
		c.Related = append(c.Related, Related{e.Index(0).Str(), sum})
	}
	if c.Tree, err = ChecksumFromBytes(v.Index(6).ByteArray()); err != nil {
		return Commit{}, err
	}
	if c.Meta, err = ChecksumFromBytes(v.Index(7).ByteArray()); err != nil {
		return Commit{}, err
	}
	return c, nil
}

// Marshal returns the bytes of the commit object.
func (c *Commit) Marshal() []byte {
	metadata := c.Metadata
	if metadata.Type() != "a{sv}" {
		metadata = gvariant.Array("{sv}")
	}
	var parent []byte
	if !c.Parent.IsZero() {
		parent = c.Parent[:]
	}
	related := make([]gvariant.Value, len(c.Related))
	for i, r := range c.Related {
		related[i] = gvariant.Tuple(gvariant.String(r.Name), gvariant.Bytes(r.Checksum[:]))
	}
	return gvariant.Tuple(metadata, gvariant.Bytes(parent), gvariant.Array("(say)", related...),
		gvariant.String(c.Subject), gvariant.String(c.Body), gvariant.Uint64(bits.ReverseBytes64(c.Timestamp)),
		gvariant.Bytes(c.Tree[:]), gvariant.Bytes(c.Meta[:])).Bytes()
}

// Checksum returns the name of the commit object.
func (c *Commit) Checksum() Checksum { return ChecksumOf(c.Marshal()) }

// Time returns the timestamp.
func (c *Commit) Time() time.Time { return time.Unix(int64(c.Timestamp), 0) }

// MetadataString returns the string that the metadata has for key, "" if there is none.
func (c *Commit) MetadataString(key string) string {
	v, _ := c.Metadata.Lookup(key)
	return v.Str()
}

// Version returns the commit's version, "" if it has none.
func (c *Commit) Version() string { return c.MetadataString(KeyVersion) }

// PrintableTime tells whether a time in seconds since 1970 is in the years 1 to 9999. Upstream
// prints no other, and has none in summaries.
func PrintableTime(secs uint64) bool {
	const first, last = -62135596800, 253402300799
	t := int64(secs)
	return t >= first && t <= last
}

// FormatTime returns a time as libostree has it in messages: "%c" of GLib in the C locale,
// which pads the day of the month with a figure space (U+2007), and the year with nothing.
func FormatTime(t time.Time) string {
	pad := ""
	if t.Day() < 10 {
		pad = "\u2007"
	}
	return t.Format("Mon Jan "+pad+"2 15:04:05 ") + strconv.Itoa(t.Year())
}

// ContentChecksum names the commit's tree.
func (c *Commit) ContentChecksum() Checksum { return ContentChecksum(c.Tree, c.Meta) }

// ParseCommitMeta reads a detached metadata object, which is an "a{sv}" of unhashed bytes.
func ParseCommitMeta(b []byte) (gvariant.Value, error) {
	v := gvariant.New("a{sv}", b, binary.LittleEndian)
	if !v.IsNormal() {
		return gvariant.Value{}, errNotNormal
	}
	return v, nil
}

// Tombstone returns the bytes of the tombstone-commit object of a deleted commit.
func Tombstone(c Checksum) []byte {
	var d gvariant.Dict
	d.Add("commit", gvariant.Bytestring(c.String()))
	return d.Value().Bytes()
}
