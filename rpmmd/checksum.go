package rpmmd

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
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

// NewHash returns the hash of a type of checksum.
func NewHash(typ string) (hash.Hash, error) {
	switch strings.ToLower(typ) {
	case "md5":
		return md5.New(), nil
	case "sha", "sha1":
		return sha1.New(), nil
	case "sha224":
		return sha256.New224(), nil
	case "sha256":
		return sha256.New(), nil
	case "sha384":
		return sha512.New384(), nil
	case "sha512":
		return sha512.New(), nil
	}
	return nil, fmt.Errorf("unknown checksum type %q", typ)
}
