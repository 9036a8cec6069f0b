package ostree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// ChecksumSize is the length of a checksum in bytes.
const ChecksumSize = sha256.Size

// Checksum is the sha256 that names an object.
type Checksum [ChecksumSize]byte

// ParseChecksum reads 64 lower-case hexadecimal digits.
func ParseChecksum(s string) (Checksum, error) {
	var c Checksum
	if len(s) != 2*ChecksumSize {
		shown := strings.ToValidUTF8(s[:min(len(s), 2*ChecksumSize)], "\uFFFD") // it may be a page of a server
		return c, fmt.Errorf("Invalid rev %s", strings.ReplaceAll(shown, "\n", " "))
	}
	for _, b := range []byte(s) {
		if (b < '0' || b > '9') && (b < 'a' || b > 'f') {
			return c, fmt.Errorf("Invalid character '%d' in rev '%s'", b, s)
		}
	}
	var digits [2 * ChecksumSize]byte // not on the heap
	copy(digits[:], s)
	hex.Decode(c[:], digits[:])
	return c, nil
}

// IsChecksum reports whether s looks like a checksum.
func IsChecksum(s string) bool {
	_, err := ParseChecksum(s)
	return err == nil
}

// ChecksumFromBytes copies 32 bytes.
func ChecksumFromBytes(b []byte) (Checksum, error) {
	var c Checksum
	if len(b) != ChecksumSize {
		return c, fmt.Errorf("Invalid checksum of length %d expected %d", len(b), ChecksumSize)
	}
	copy(c[:], b)
	return c, nil
}

// ChecksumOf returns the sha256 of b, which names a metadata object with these bytes.
func ChecksumOf(b []byte) Checksum { return sha256.Sum256(b) }

// String returns 64 hexadecimal digits.
func (c Checksum) String() string { return hex.EncodeToString(c[:]) }

// IsZero reports whether c is the zero checksum, which stands for none.
func (c Checksum) IsZero() bool { return c == Checksum{} }

// Compare orders checksums by their bytes.
func (c Checksum) Compare(other Checksum) int { return bytes.Compare(c[:], other[:]) }

// ContentChecksum names the content of a commit whatever its metadata.
func ContentChecksum(tree, meta Checksum) Checksum {
	return sha256.Sum256(append(tree[:len(tree):len(tree)], meta[:]...))
}
