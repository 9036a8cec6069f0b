// Package openpgp verifies OpenPGP signatures (RFC 9580) with keyrings of
// certificates, and makes signatures for tests and small tools.
//
// Signatures are verified over a hash that the caller feeds while data stream
// by, so nothing has to be read twice or kept. Keys and signatures of versions
// 4 and 6 are supported; version 3 signatures, which packages of about 2000 to
// 2014 carry, only with Keyring.Legacy.
package openpgp

import (
	"bufio"
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
)

// MaxKeyring is the greatest size of a keyring's file in bytes.
const MaxKeyring = 16 << 20

const publicKeyBlock = "PGP PUBLIC KEY BLOCK"

// Errors of Keyring.Add and Keyring.Verify.
var (
	// ErrNoKeys means that there is no certificate in some data.
	ErrNoKeys = errors.New("no usable key")
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

	mu    sync.Mutex // the library caches results in the certificates
	certs []certificate
}

// Key describes a certificate.
type Key struct {
	Fingerprint string   // hex
	ID          string   // 16 hex digits
	UserIDs     []string // in the order of the certificate
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
// blocks. One that is there already is merged with the new one. Secret keys are
// refused, keys of unknown kinds are left out; that no key is left is an error,
// which wraps ErrNoKeys.
func (k *Keyring) Add(data []byte) error {
	if len(data) > MaxKeyring {
		return fmt.Errorf("keyring of %d bytes is too large", len(data))
	}
	data, err := dearmor(data)
	if err != nil {
		return err
	}
	certs, err := readCertificates(data)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range certs {
		if _, err := k.merge(c); err != nil {
			return err
		}
	}
	return nil
}

func isArmored(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN PGP")) }

// dearmor returns the binary form of all blocks of public keys in data, and data
// itself if it is binary.
func dearmor(data []byte) ([]byte, error) {
	if !isArmored(data) {
		return data, nil
	}
	var out []byte
	// The armor's reader must not buffer what follows a block.
	for rest := bufio.NewReader(bytes.NewReader(data)); ; {
		block, err := armor.Decode(rest)
		if err == io.EOF && out != nil {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading keyring: %v", err)
		}
		if block.Type != publicKeyBlock {
			return nil, fmt.Errorf("reading keyring: %q instead of a public key", block.Type)
		}
		body, err := io.ReadAll(block.Body)
		if err != nil {
			return nil, fmt.Errorf("reading keyring: %v", err)
		}
		out = append(out, body...)
	}
}

// Keys describes the certificates in the order in which they were added.
func (k *Keyring) Keys() []Key {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]Key, len(k.certs))
	for i, c := range k.certs {
		out[i] = describe(c.entity.PrimaryKey)
		out[i].UserIDs = c.userIDs()
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
