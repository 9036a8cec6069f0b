package openpgp

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	_ "crypto/sha3" // registers the hash

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// MaxSignature is the greatest size of a signature in bytes. Those of ML-DSA
// have about 5 kB.
const MaxSignature = 64 << 10

// maxPackets bounds the signatures that are read from one file, each of which may want all of
// the data to be hashed.
const maxPackets = 64

// Signature is a signature of a binary document.
type Signature struct {
	sig    *packet.Signature
	issuer uint64
}

// ParseSignature reads one binary signature packet, with nothing after it.
func ParseSignature(b []byte) (*Signature, error) {
	all, err := ParseSignatures(b)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("%d signatures instead of one", len(all))
	}
	return all[0], nil
}

// ParseSignatures reads signature packets one after the other, in binary form or
// in one block of ASCII armor. There is at least one.
func ParseSignatures(b []byte) ([]*Signature, error) {
	if len(b) > MaxSignature {
		return nil, fmt.Errorf("signature of %d bytes is too large", len(b))
	}
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("-----BEGIN PGP SIGNATURE")) {
		block, err := armor.Decode(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("reading signature: %v", err)
		}
		if b, err = io.ReadAll(block.Body); err != nil {
			return nil, fmt.Errorf("reading signature: %v", err)
		}
	}
	var out []*Signature
	for len(b) > 0 || len(out) == 0 {
		if len(out) == maxPackets {
			return nil, fmt.Errorf("reading signature: more than %d signatures", maxPackets)
		}
		s, n, err := parsePacket(b)
		if err != nil {
			return nil, fmt.Errorf("reading signature: %v", err)
		}
		out, b = append(out, s), b[n:]
	}
	return out, nil
}

// parsePacket reads the packet at the start of b and returns its length.
func parsePacket(b []byte) (*Signature, int, error) {
	if p, n, ok := nextPacket(b); ok && p.tag == tagSignature && len(p.body) > 0 && p.body[0] == 3 {
		s, err := parseV3(p.body)
		return s, n, err
	}
	r := bytes.NewReader(b)
	p, err := packet.Read(r)
	if err != nil {
		return nil, 0, err
	}
	sig, ok := p.(*packet.Signature)
	if !ok {
		return nil, 0, errors.New("not a signature packet")
	}
	if sig.SigType != packet.SigTypeBinary {
		return nil, 0, fmt.Errorf("signature type 0x%02x is not that of a binary document", uint8(sig.SigType))
	}
	s := &Signature{sig: sig}
	if sig.IssuerKeyId != nil {
		s.issuer = *sig.IssuerKeyId
	} else if fp := sig.IssuerFingerprint; len(fp) >= 20 {
		// The key ID is at the end of a version 4 fingerprint and at the start of later ones.
		s.issuer = binary.BigEndian.Uint64(fp[len(fp)-8:])
		if len(fp) == 32 {
			s.issuer = binary.BigEndian.Uint64(fp)
		}
	}
	return s, len(b) - r.Len(), nil
}

// Version returns the version of the signature packet: 3, 4 or 6.
func (s *Signature) Version() int { return s.sig.Version }

// Algorithm returns the number of the public-key algorithm (RFC 9580, 9.1); 1 is RSA.
func (s *Signature) Algorithm() uint8 { return uint8(s.sig.PubKeyAlgo) }

// KeyID returns the ID of the key that is said to have signed, 16 hex digits.
func (s *Signature) KeyID() string { return fmt.Sprintf("%016x", s.issuer) }

// Created returns when the signature says it was made.
func (s *Signature) Created() time.Time { return s.sig.CreationTime }

// String describes the signature as rpm does: "V4 RSA/SHA256 Signature, key ID 1964c5fc".
func (s *Signature) String() string {
	return fmt.Sprintf("V%d %s/%s Signature, key ID %s", s.sig.Version, algorithmName(s.sig.PubKeyAlgo),
		strings.ReplaceAll(s.sig.Hash.String(), "SHA-", "SHA"), s.KeyID()[8:])
}

func algorithmName(a packet.PublicKeyAlgorithm) string {
	switch a {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		return "RSA"
	case packet.PubKeyAlgoDSA:
		return "DSA"
	case packet.PubKeyAlgoECDSA:
		return "ECDSA"
	case packet.PubKeyAlgoEdDSA:
		return "EdDSA"
	case packet.PubKeyAlgoEd25519:
		return "Ed25519"
	case packet.PubKeyAlgoEd448:
		return "Ed448"
	case packet.PubKeyAlgoMldsa65Ed25519:
		return "ML-DSA-65+Ed25519"
	case packet.PubKeyAlgoMldsa87Ed448:
		return "ML-DSA-87+Ed448"
	}
	return fmt.Sprintf("algorithm %d", a)
}

// Hash returns the hash to feed with the signed data.
func (s *Signature) Hash() (hash.Hash, error) {
	h, err := s.sig.PrepareVerify()
	if err != nil {
		return nil, fmt.Errorf("%v: %v", s, err)
	}
	return h, nil
}

// Verify checks s over the data that were written to h, a hash from s.Hash, as
// of now. It returns the key that signed. The error wraps ErrNoKey,
// ErrNotTrusted or ErrBad.
func (k *Keyring) Verify(s *Signature, h hash.Hash, now time.Time) (Key, error) {
	fail := func(kind error, why string) (Key, error) {
		return Key{}, fmt.Errorf("%v: %w%s", s, kind, why)
	}
	if k == nil {
		return fail(ErrNoKey, "")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var signers pgp.EntityList
	for _, c := range k.certs {
		if signedBy(c.entity, s) {
			signers = append(signers, c.entity)
		}
	}
	if len(signers) == 0 {
		return fail(ErrNoKey, "")
	}
	if why := k.refuse(s, now); why != "" {
		return fail(ErrNotTrusted, " ("+why+")")
	}
	kind, why := ErrNotTrusted, ""
	for _, e := range signers {
		key, reason := k.signingKey(e, s, now)
		if reason != "" {
			if kind == ErrNotTrusted {
				why = " (" + reason + ")"
			}
			continue
		}
		if err := verifyWith(key, s, h); err != nil {
			kind, why = ErrBad, ""
			continue
		}
		return describe(key), nil
	}
	return fail(kind, why)
}

// refuse says why a signature is not relied on, whoever made it.
func (k *Keyring) refuse(s *Signature, now time.Time) string {
	switch {
	case s.sig.Version < 4 && !k.Legacy:
		return "version 3"
	case k.config(now).RejectMessageHashAlgorithm(s.sig.Hash):
		return "weak hash " + s.sig.Hash.String()
	case s.sig.SigExpired(now):
		return "expired, or made in the future"
	}
	for _, n := range s.sig.Notations {
		if n.IsCritical {
			return "unknown critical notation " + n.Name
		}
	}
	return ""
}

func (k *Keyring) config(now time.Time) *packet.Config {
	c := &packet.Config{Time: func() time.Time { return now }}
	if k.Legacy {
		c.MinRSABits = 1024
		c.InsecureAllowAllKeyFlagsWhenMissing = true
		c.RejectPublicKeyAlgorithms = map[packet.PublicKeyAlgorithm]bool{}
		c.RejectMessageHashAlgorithms = map[crypto.Hash]bool{crypto.MD5: true}
	}
	return c
}

func signedBy(e *pgp.Entity, s *Signature) bool {
	if s.matches(e.PrimaryKey) {
		return true
	}
	for _, sub := range e.Subkeys {
		if s.matches(sub.PublicKey) {
			return true
		}
	}
	return false
}

func (s *Signature) matches(pk *packet.PublicKey) bool {
	if s.sig.Version == 3 {
		return pk.KeyId == s.issuer
	}
	return s.sig.CheckKeyIdOrFingerprint(pk)
}

// signingKey returns the key of e that may have made s, or why it may not. It
// has to be valid when the signature was made. A certificate that was renewed
// later may have lost its old self-signature: then it has to be valid now.
func (k *Keyring) signingKey(e *pgp.Entity, s *Signature, now time.Time) (*packet.PublicKey, string) {
	if e.Revoked(now) {
		return nil, "key is revoked"
	}
	config := k.config(now)
	times := []time.Time{s.sig.CreationTime, now}
	if k.ValidNow {
		times = times[1:]
	}
	for _, at := range times {
		key, ok := e.SigningKeyById(at, s.issuer, config)
		if !ok {
			continue
		}
		if s.sig.CreationTime.Unix() < key.PublicKey.CreationTime.Unix() {
			return nil, "signature is older than the key"
		}
		return key.PublicKey, ""
	}
	// The library drops self-signatures of version 3, so old keys seem to have none.
	if _, err := e.PrimarySelfSignature(time.Time{}, config); err != nil && k.Legacy && s.matches(e.PrimaryKey) {
		return e.PrimaryKey, ""
	}
	return nil, "key is expired, revoked or not for signing"
}

// verifyWith finishes a copy of h, so that another key can be tried.
func verifyWith(key *packet.PublicKey, s *Signature, h hash.Hash) error {
	cloner, ok := h.(hash.Cloner)
	if !ok {
		return errors.New("hash cannot be copied")
	}
	c, err := cloner.Clone()
	if err != nil {
		return err
	}
	return key.VerifySignature(c, s.sig)
}

// VerifyDetached checks that at least one of the signatures in sig, binary or
// armored, is a good one of data. It returns the key that signed.
func (k *Keyring) VerifyDetached(data io.Reader, sig []byte, now time.Time) (Key, error) {
	sigs, err := ParseSignatures(sig)
	if err != nil {
		return Key{}, err
	}
	var hashes []hash.Hash
	var writers []io.Writer
	for _, s := range sigs {
		h, err := s.Hash()
		if err != nil {
			return Key{}, err
		}
		hashes, writers = append(hashes, h), append(writers, h)
	}
	if _, err := io.Copy(io.MultiWriter(writers...), data); err != nil {
		return Key{}, err
	}
	var errs []error
	for i, s := range sigs {
		key, err := k.Verify(s, hashes[i], now)
		if err == nil {
			return key, nil
		}
		errs = append(errs, err)
	}
	return Key{}, errors.Join(errs...)
}
