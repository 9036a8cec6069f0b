package openpgp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A State is the outcome of checking one signature.
type State int

const (
	Bad        State = iota // it is not of these data, or cannot be relied on
	Good                    // it is valid now
	NoKey                   // its key is not in the keyring
	SigExpired              // it matches, but its time is over
	KeyExpired              // it matches, but the time of its key, or of the primary key, is over
	KeyRevoked              // it matches, but its key was revoked
)

// Status is what is known about one signature, as GnuPG reports it. Times that do
// not apply are zero.
type Status struct {
	State State
	// Fingerprint is that of the key which signed, in capital hex digits, or its
	// key ID if the key is missing or the signature is bad.
	Fingerprint string
	Primary     string    // the primary key's fingerprint, "" if the key is missing
	Algorithm   string    // "RSA", as libgcrypt calls it
	Hash        string    // "SHA256"
	Created     time.Time // 1970 if it does not match
	Expires     time.Time
	// KeyExpires and PrimaryExpires are those of the key that signed and of its
	// primary key.
	KeyExpires, PrimaryExpires time.Time
	Name, Email                string // of the primary user ID
}

// Check reports on every signature of data in sig, binary or armored, with
// GnuPG's notion of validity: a key must be valid now, not when it signed.
// Packets that cannot be read are reported as one bad signature.
func (k *Keyring) Check(data, sig []byte, now time.Time) []Status {
	sigs, err := ParseSignatures(sig)
	if err != nil {
		return []Status{{State: Bad, Algorithm: unknownName, Hash: unknownName}}
	}
	out := make([]Status, len(sigs))
	for i, s := range sigs {
		out[i] = k.check(s, data, now)
	}
	return out
}

const unknownName = "[unknown name]"

func (k *Keyring) check(s *Signature, data []byte, now time.Time) Status {
	st := Status{
		State: NoKey, Fingerprint: strings.ToUpper(s.KeyID()), Created: s.sig.CreationTime,
		Algorithm: gcryptName(s.sig.PubKeyAlgo), Hash: strings.ReplaceAll(s.sig.Hash.String(), "SHA-", "SHA"),
	}
	if fp := s.sig.IssuerFingerprint; len(fp) > 0 {
		st.Fingerprint = fmt.Sprintf("%X", fp)
	}
	if n := s.sig.SigLifetimeSecs; n != nil && *n > 0 {
		st.Expires = st.Created.Add(time.Duration(*n) * time.Second)
	}
	if k == nil {
		return st
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.certs {
		if !signedBy(c.entity, s) {
			continue
		}
		found := st
		k.checkWith(c, s, data, now, &found)
		if st.State == NoKey || found.State == Good {
			st = found
		}
		if st.State == Good {
			break
		}
	}
	return st
}

// checkWith reports on a signature with a certificate that has its key.
func (k *Keyring) checkWith(c certificate, s *Signature, data []byte, now time.Time, st *Status) {
	keys := c.validity(now, k.Legacy)
	i := 0
	for i < len(keys)-1 && !s.matches(keys[i].key) {
		i++
	}
	key := keys[i]
	st.Primary, st.PrimaryExpires = c.fingerprint(), keys[0].expires
	st.KeyExpires = key.expires
	if ids := c.userIDValidity(); len(ids) > 0 {
		u := ParseUserID(ids[0].name)
		st.Name, st.Email = u.Name, u.Email
	}
	st.Fingerprint = fingerprintOf(key.key)
	err := k.weak(s)
	if err == nil && !(key.bound && key.signs) {
		err = errors.New("not a signing key")
	}
	switch made := key.key.CreationTime; {
	case err != nil:
	case s.sig.CreationTime.Unix() < made.Unix():
		err = errors.New("older than its key")
	case made.After(now):
		err = errors.New("its key will be made in the future")
	}
	if err == nil {
		err = s.verify(key.key, data)
	}
	var mismatch pgperrors.SignatureError
	switch {
	case errors.As(err, &mismatch): // of which GnuPG tells no more than the key ID
		*st = Status{
			State: Bad, Fingerprint: strings.ToUpper(s.KeyID()), Algorithm: unknownName, Hash: unknownName, Created: time.Unix(0, 0),
			Primary: st.Primary, PrimaryExpires: st.PrimaryExpires, Name: st.Name, Email: st.Email,
		}
	case err != nil:
		st.State = Bad
	case !st.Expires.IsZero() && !now.Before(st.Expires):
		st.State = SigExpired
	case key.expired:
		st.State = KeyExpired
	case key.revoked:
		st.State = KeyRevoked
	default:
		st.State = Good
	}
}

// weak refuses signatures that prove nothing, whoever made them.
func (k *Keyring) weak(s *Signature) error {
	if s.sig.Version < 4 && !k.Legacy {
		return errors.New("version 3")
	}
	if k.config(time.Time{}).RejectMessageHashAlgorithm(s.sig.Hash) {
		return errors.New("weak hash")
	}
	for _, n := range s.sig.Notations {
		if n.IsCritical {
			return errors.New("critical notation")
		}
	}
	return nil
}

func (s *Signature) verify(key *packet.PublicKey, data []byte) error {
	h, err := s.Hash()
	if err != nil {
		return err
	}
	h.Write(data)
	return key.VerifySignature(h, s.sig)
}

// gcryptName is the name of an algorithm as libgcrypt has it.
func gcryptName(a packet.PublicKeyAlgorithm) string {
	switch a {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly, packet.PubKeyAlgoRSAEncryptOnly:
		return "RSA"
	case packet.PubKeyAlgoDSA:
		return "DSA"
	case packet.PubKeyAlgoECDSA:
		return "ECDSA"
	case packet.PubKeyAlgoEdDSA, packet.PubKeyAlgoEd25519, packet.PubKeyAlgoEd448:
		return "EdDSA"
	}
	return unknownName
}
