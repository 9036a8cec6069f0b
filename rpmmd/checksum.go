package rpmmd

import (
	"hash"

	"rpmostree/internal/digest"
)

// A Checksum is a digest in hexadecimal digits.
type Checksum struct {
	Type string // "sha256", "sha512", "sha1" or its old name "sha", ...
	Hex  string // lower-case
}

// String returns "TYPE:HEX".
func (c Checksum) String() string { return c.Type + ":" + c.Hex }

// IsZero reports whether there is no checksum.
func (c Checksum) IsZero() bool { return c == Checksum{} }

// NewHash returns the hash of a type of checksum, whose name may be in either case.
func NewHash(typ string) (hash.Hash, error) { return digest.New(typ) }
