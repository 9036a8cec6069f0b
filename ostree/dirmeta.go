package ostree

import (
	"encoding/binary"
	"errors"
	"fmt"

	"rpmostree/gvariant"
)

// MaxMetadataSize is the size of the largest metadata object, in bytes.
const MaxMetadataSize = 128 << 20

var errNotNormal = errors.New("not in normal form")

// DirMetaType is the type of a serialised DirMeta, and of the attribute
// user.ostreemeta that bare-user repositories put on file objects.
const DirMetaType = gvariant.Type("(uuua(ayay))")

// DirMeta is the owner, mode and attributes of a directory.
type DirMeta struct {
	UID, GID uint32
	Mode     uint32 // with the type bits of a directory
	Xattrs   []Xattr
}

// ParseDirMeta reads a dirmeta object.
func ParseDirMeta(b []byte) (DirMeta, error) {
	d, err := ParseFileMeta(b)
	if err != nil {
		return DirMeta{}, err
	}
	if !IsDir(d.Mode) {
		return DirMeta{}, fmt.Errorf("Invalid directory metadata mode %d; not a directory", d.Mode)
	}
	if d.Mode&^(ModeType|ModePerm) != 0 {
		return DirMeta{}, fmt.Errorf("Invalid directory metadata mode %d; invalid bits set", d.Mode)
	}
	return d, nil
}

// ParseFileMeta reads a value of the dirmeta type whose mode may be that of any
// file: what user.ostreemeta holds.
func ParseFileMeta(b []byte) (DirMeta, error) {
	v := gvariant.New(DirMetaType, b, binary.BigEndian)
	if !v.IsNormal() {
		return DirMeta{}, errNotNormal
	}
	xattrs, err := parseXattrs(v.Index(3))
	if err != nil {
		return DirMeta{}, err
	}
	return DirMeta{v.Index(0).Uint32(), v.Index(1).Uint32(), v.Index(2).Uint32(), xattrs}, nil
}

// Marshal returns the bytes of the dirmeta object.
func (d DirMeta) Marshal() []byte {
	b := make([]byte, 0, 64)
	b = binary.BigEndian.AppendUint32(b, d.UID)
	b = binary.BigEndian.AppendUint32(b, d.GID)
	b = binary.BigEndian.AppendUint32(b, d.Mode)
	if len(d.Xattrs) == 0 {
		return b
	}
	return append(b, MarshalXattrs(d.Xattrs)...) // the last member needs no framing offset
}

// Checksum returns the name of the dirmeta object.
func (d DirMeta) Checksum() Checksum { return ChecksumOf(d.Marshal()) }

// Equal reports whether both are the same object.
func (d DirMeta) Equal(o DirMeta) bool {
	return d.UID == o.UID && d.GID == o.GID && d.Mode == o.Mode && equalXattrs(d.Xattrs, o.Xattrs)
}
