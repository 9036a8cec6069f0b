package openpgp

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Signer is a secret key.
type Signer struct {
	entity *pgp.Entity
	now    func() time.Time
}

// SignerOptions says what key NewSigner makes.
type SignerOptions struct {
	RSA      bool          // RSA with 2048 bits instead of Ed25519
	V6       bool          // version 6 instead of 4
	Now      time.Time     // of the key and its signatures; zero is the present
	Lifetime time.Duration // of the key, in whole seconds; 0 is for ever
}

// NewSigner makes a new secret key.
func NewSigner(name string, o SignerOptions) (*Signer, error) {
	s := &Signer{now: time.Now}
	if !o.Now.IsZero() {
		s.now = func() time.Time { return o.Now }
	}
	config := s.config()
	config.KeyLifetimeSecs = uint32(o.Lifetime / time.Second)
	config.V6Keys = o.V6
	config.Algorithm = packet.PubKeyAlgoEdDSA
	switch {
	case o.RSA:
		config.Algorithm, config.RSABits = packet.PubKeyAlgoRSA, 2048
	case o.V6:
		config.Algorithm = packet.PubKeyAlgoEd25519
	}
	e, err := pgp.NewEntity(name, "", "", config)
	if err != nil {
		return nil, fmt.Errorf("making a key: %v", err)
	}
	s.entity = e
	return s, nil
}

func (s *Signer) config() *packet.Config {
	return &packet.Config{Time: s.now, DefaultHash: crypto.SHA256}
}

// PublicKey returns the certificate in ASCII armor.
func (s *Signer) PublicKey() ([]byte, error) {
	var b bytes.Buffer
	w, err := armor.Encode(&b, publicKeyBlock, nil)
	if err != nil {
		return nil, err
	}
	if err := s.entity.Serialize(w); err != nil {
		return nil, err
	}
	err = w.Close()
	b.WriteByte('\n')
	return b.Bytes(), err
}

// Sign returns a binary detached signature of data.
func (s *Signer) Sign(data io.Reader) ([]byte, error) {
	var b bytes.Buffer
	if err := pgp.DetachSign(&b, []*pgp.Entity{s.entity}, data, s.config()); err != nil {
		return nil, fmt.Errorf("signing: %v", err)
	}
	return b.Bytes(), nil
}
