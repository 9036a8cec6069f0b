package rpm

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"fmt"
	"hash"
)

// DigestAlgo is a hash algorithm by its OpenPGP number (RFC 9580, 9.5).
type DigestAlgo uint32

// Digest algorithms.
const (
	MD5      DigestAlgo = 1
	SHA1     DigestAlgo = 2
	SHA256   DigestAlgo = 8
	SHA384   DigestAlgo = 9
	SHA512   DigestAlgo = 10
	SHA224   DigestAlgo = 11
	SHA3_256 DigestAlgo = 12
	SHA3_512 DigestAlgo = 14
)

// New returns a new hash, or an error if the algorithm is unknown.
func (a DigestAlgo) New() (hash.Hash, error) {
	switch a {
	case MD5:
		return md5.New(), nil
	case SHA1:
		return sha1.New(), nil
	case SHA256:
		return sha256.New(), nil
	case SHA384:
		return sha512.New384(), nil
	case SHA512:
		return sha512.New(), nil
	case SHA224:
		return sha256.New224(), nil
	case SHA3_256:
		return sha3.New256(), nil
	case SHA3_512:
		return sha3.New512(), nil
	}
	return nil, fmt.Errorf("unknown digest algorithm %d", uint32(a))
}

// String returns the usual name, such as "SHA256".
func (a DigestAlgo) String() string {
	names := map[DigestAlgo]string{
		MD5: "MD5", SHA1: "SHA1", SHA256: "SHA256", SHA384: "SHA384", SHA512: "SHA512",
		SHA224: "SHA224", SHA3_256: "SHA3-256", SHA3_512: "SHA3-512",
	}
	if s, ok := names[a]; ok {
		return s
	}
	return fmt.Sprintf("digest algorithm %d", uint32(a))
}
