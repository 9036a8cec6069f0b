package fetch

import (
	"encoding/hex"
	"hash"
	"io"
	"strings"

	"rpmostree/internal/digest"
)

// A Checksum is a digest of content in the notation of rpm-md and metalink.
type Checksum struct {
	Type string // "sha256", "sha512", "sha384", "sha224", "sha1", "sha" or "md5"
	Hex  string // lower-case hexadecimal digits
}

// String returns "TYPE:HEX".
func (c Checksum) String() string { return c.Type + ":" + c.Hex }

// Valid reports whether the type is known and the digits fit it.
func (c Checksum) Valid() bool {
	h, err := digest.New(c.Type)
	if err != nil {
		return false
	}
	b, err := hex.DecodeString(c.Hex)
	return err == nil && len(b) == h.Size() && strings.ToLower(c.Hex) == c.Hex
}

// Strength orders checksum types; larger is stronger, zero is unknown.
func (c Checksum) Strength() int {
	switch strings.ToLower(c.Type) {
	case "md5":
		return 1
	case "sha", "sha1":
		return 2
	case "sha224":
		return 3
	case "sha256":
		return 4
	case "sha384":
		return 5
	case "sha512":
		return 6
	}
	return 0
}

// Sum reads r to its end and returns its checksum of the given type.
func Sum(typ string, r io.Reader) (Checksum, error) {
	h, err := digest.New(typ)
	if err != nil {
		return Checksum{}, err
	}
	if _, err := io.Copy(h, r); err != nil {
		return Checksum{}, err
	}
	return Checksum{typ, hex.EncodeToString(h.Sum(nil))}, nil
}

// A verifier hashes content once for each type of checksum that is asked for.
type verifier struct {
	want   []Checksum
	types  []string
	hashes []hash.Hash
}

func newVerifier(want []Checksum) (*verifier, error) {
	v := &verifier{want: want}
	for _, c := range want {
		if v.hash(c.Type) != nil {
			continue
		}
		h, err := digest.New(c.Type)
		if err != nil {
			return nil, err
		}
		v.types = append(v.types, c.Type)
		v.hashes = append(v.hashes, h)
	}
	return v, nil
}

func (v *verifier) hash(typ string) hash.Hash {
	for i, t := range v.types {
		if t == typ {
			return v.hashes[i]
		}
	}
	return nil
}

func (v *verifier) write(p []byte) {
	for _, h := range v.hashes {
		h.Write(p)
	}
}

func (v *verifier) reset() {
	for _, h := range v.hashes {
		h.Reset()
	}
}

// check returns nil if one of the wanted checksums is that of what was written.
func (v *verifier) check(url string) error {
	if len(v.want) == 0 {
		return nil
	}
	for _, c := range v.want {
		if strings.EqualFold(hex.EncodeToString(v.hash(c.Type).Sum(nil)), c.Hex) {
			return nil
		}
	}
	first := v.want[0]
	got := Checksum{first.Type, hex.EncodeToString(v.hash(first.Type).Sum(nil))}
	return &ChecksumError{URL: url, Want: first, Got: got}
}
