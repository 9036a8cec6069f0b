// Package openpgp verifies OpenPGP signatures (RFC 9580) with keyrings of
// certificates, and makes signatures for tests and small tools.
//
// Signatures are verified over a hash that the caller feeds while data stream
// by, so nothing has to be read twice or kept. Keys and signatures of versions
// 4 and 6 are supported; version 3 signatures, which packages of about 2000 to
// 2014 carry, only with Keyring.Legacy.
package openpgp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// MaxKeyring is the greatest size of a keyring's file in bytes.
const MaxKeyring = 16 << 20

const publicKeyBlock = "PGP PUBLIC KEY BLOCK"

// Errors of Keyring.Verify.
var (
	// ErrNoKey means that no key of the keyring made the signature.
	ErrNoKey = errors.New("public key is not available")
	// ErrNotTrusted means that the key or the signature must not be relied
	// on: expired, revoked, not for signing, or too weak.
	ErrNotTrusted = errors.New("signature is not trusted")
	// ErrBad means that the signature does not match the data.
	ErrBad = errors.New("signature is bad")
)

// Keyring is a set of certificates. The zero value is empty. Its methods may be
// used concurrently once all keys are added.
type Keyring struct {
	// Legacy admits version 3 signatures, DSA keys, short RSA keys and SHA-1.
	Legacy bool
	// ValidNow asks that a key is valid when it is used to verify, as GnuPG does,
	// and not only when it signed, as RPM does.
	ValidNow bool

	mu       sync.Mutex // the library caches results in the certificates
	entities pgp.EntityList
}

// Key describes a certificate.
type Key struct {
	Fingerprint string   // hex
	ID          string   // 16 hex digits
	UserIDs     []string // sorted by nothing in particular
	Created     time.Time
	Version     int // 4 or 6
}

// NewKeyring returns a keyring of the certificates in data.
func NewKeyring(data ...[]byte) (*Keyring, error) {
	var k Keyring
	for _, d := range data {
		if err := k.Add(d); err != nil {
			return nil, err
		}
	}
	return &k, nil
}

// Add adds certificates in binary form, or in ASCII armor of one or several
// blocks. Secret keys are refused, keys of unknown kinds are left out; that no
// key is left is an error.
func (k *Keyring) Add(data []byte) error {
	if len(data) > MaxKeyring {
		return fmt.Errorf("keyring of %d bytes is too large", len(data))
	}
	var list pgp.EntityList
	if !isArmored(data) {
		l, err := readBlock(bytes.NewReader(data))
		if err != nil {
			return err
		}
		list = l
	}
	for rest := bytes.NewReader(data); len(list) == 0 || isArmored(data); {
		block, err := armor.Decode(rest)
		if err == io.EOF && len(list) > 0 {
			break
		}
		if err != nil {
			return fmt.Errorf("reading keyring: %v", err)
		}
		if block.Type != publicKeyBlock {
			return fmt.Errorf("reading keyring: %q instead of a public key", block.Type)
		}
		l, err := readBlock(block.Body)
		if err != nil {
			return err
		}
		list = append(list, l...)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.entities = append(k.entities, list...)
	return nil
}

func isArmored(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN PGP")) }

func readBlock(r io.Reader) (pgp.EntityList, error) {
	list, err := pgp.ReadKeyRing(r)
	if err != nil {
		return nil, fmt.Errorf("reading keyring: %v", err)
	}
	if len(list) == 0 {
		return nil, errors.New("reading keyring: no usable key")
	}
	for _, e := range list {
		if e.PrivateKey != nil {
			return nil, errors.New("reading keyring: secret key instead of a public key")
		}
	}
	return list, nil
}

// Keys describes the certificates in the order in which they were added.
func (k *Keyring) Keys() []Key {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]Key, len(k.entities))
	for i, e := range k.entities {
		out[i] = describe(e.PrimaryKey)
		for name := range e.Identities {
			out[i].UserIDs = append(out[i].UserIDs, name)
		}
	}
	return out
}

func describe(pk *packet.PublicKey) Key {
	return Key{
		Fingerprint: hex.EncodeToString(pk.Fingerprint),
		ID:          fmt.Sprintf("%016x", pk.KeyId),
		Created:     pk.CreationTime,
		Version:     pk.Version,
	}
}

// ShortID returns the last 8 digits of the key ID, as rpm prints it.
func (k Key) ShortID() string { return strings.ToLower(k.ID[max(0, len(k.ID)-8):]) }
