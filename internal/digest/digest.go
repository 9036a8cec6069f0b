// Package digest has the kinds of checksum that rpm-md and metalinks know.
package digest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
)

// New returns the hash of a type of checksum: "md5", "sha1", "sha224", "sha256", "sha384",
// "sha512" in either case, or "sha", which is an old name of sha1 in rpm-md.
func New(typ string) (hash.Hash, error) {
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
