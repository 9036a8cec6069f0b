package openpgp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// maxParts and maxPartSignatures bound the packets of one certificate.
const (
	maxParts          = 1000
	maxPartSignatures = 1000
)

// A certificate is a public key with its user IDs and subkeys, and the signatures
// that hold them together.
type certificate struct {
	parts  []part // the first is the primary key
	entity *pgp.Entity
}

// A part of a certificate is a key, a user ID or a user attribute.
type part struct {
	rawPacket
	signatures []rawPacket
}

// readCertificates splits binary data into certificates. Those that the library
// cannot use, and the trust packets of GnuPG's own files, are left out.
func readCertificates(data []byte) ([]certificate, error) {
	var out []certificate
	var cause error
	var parts []part
	flush := func() {
		if len(parts) == 0 || parts[0].tag != tagPublicKey {
			return
		}
		c, err := newCertificate(parts)
		if err == nil {
			out = append(out, c)
		} else if cause == nil {
			cause = err
		}
	}
	for len(data) > 0 {
		p, n, ok := nextPacket(data)
		if !ok {
			cause = errors.New("malformed packet")
			break
		}
		data = data[n:]
		switch p.tag {
		case tagSecretKey:
			return nil, errors.New("reading keyring: secret key instead of a public key")
		case tagPublicKey:
			flush()
			parts = []part{{rawPacket: p}}
		case tagTrust, tagMarker, tagPadding:
		case tagSignature:
			if i := len(parts) - 1; i >= 0 && len(parts[i].signatures) < maxPartSignatures {
				parts[i].signatures = append(parts[i].signatures, p)
			}
		default:
			if len(parts) > 0 && len(parts) < maxParts {
				parts = append(parts, part{rawPacket: p})
			}
		}
	}
	flush()
	switch {
	case len(out) > 0:
		return out, nil
	case cause != nil:
		return nil, fmt.Errorf("reading keyring: %w: %v", ErrNoKeys, cause)
	}
	return nil, fmt.Errorf("reading keyring: %w", ErrNoKeys)
}

func newCertificate(parts []part) (certificate, error) {
	c := certificate{parts: parts}
	e, err := pgp.ReadEntity(packet.NewReader(bytes.NewReader(c.bytes())))
	c.entity = e
	return c, err
}

// bytes returns the certificate in binary form.
func (c certificate) bytes() []byte {
	var out []byte
	for _, p := range c.parts {
		out = append(out, p.bytes...)
		for _, s := range p.signatures {
			out = append(out, s.bytes...)
		}
	}
	return out
}

// userIDs returns the names in the order of the certificate.
func (c certificate) userIDs() []string {
	var out []string
	for _, p := range c.parts {
		name := string(p.body)
		if p.tag == tagUserID && c.entity.Identities[name] != nil && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// fingerprint returns that of the primary key in capital hex digits.
func (c certificate) fingerprint() string { return fingerprintOf(c.entity.PrimaryKey) }

func fingerprintOf(pk *packet.PublicKey) string { return fmt.Sprintf("%X", pk.Fingerprint) }

// merged returns the union of the parts and signatures of two states of one
// certificate.
func (c certificate) merged(d certificate) (certificate, error) {
	parts := make([]part, len(c.parts))
	for i, p := range c.parts {
		parts[i] = part{p.rawPacket, slices.Clone(p.signatures)}
	}
	for _, p := range d.parts {
		i := slices.IndexFunc(parts, func(q part) bool { return q.tag == p.tag && bytes.Equal(q.body, p.body) })
		if i < 0 {
			if len(parts) < maxParts {
				parts = append(parts, p)
			}
			continue
		}
		for _, s := range p.signatures {
			known := slices.ContainsFunc(parts[i].signatures, func(t rawPacket) bool { return bytes.Equal(s.body, t.body) })
			if !known && len(parts[i].signatures) < maxPartSignatures {
				parts[i].signatures = append(parts[i].signatures, s)
			}
		}
	}
	return newCertificate(parts)
}

// merge adds a certificate to the keyring and reports whether its key is new.
func (k *Keyring) merge(c certificate) (bool, error) {
	i := slices.IndexFunc(k.certs, func(d certificate) bool { return d.fingerprint() == c.fingerprint() })
	if i < 0 {
		k.certs = append(k.certs, c)
		return true, nil
	}
	m, err := k.certs[i].merged(c)
	if err == nil {
		k.certs[i] = m
	}
	return false, err
}

// Import merges the certificates of another keyring into k, those that one of the
// names selects or, without names, all. A name is a fingerprint, a key ID, or a
// part of a user ID as gpg has it. Import returns how many keys are new; a name
// that selects nothing, or more than one key, is an error. Certificates without a
// user ID that their key has signed are left out.
func (k *Keyring) Import(from *Keyring, names []string) (int, error) {
	selected := from.certs
	if len(names) > 0 {
		selected = nil
		for _, name := range names {
			c, err := from.find(name)
			if err != nil {
				return 0, err
			}
			selected = append(selected, c)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	added := 0
	for _, c := range selected {
		if !c.signed(k.Legacy) {
			continue
		}
		isNew, err := k.merge(c)
		if err != nil {
			return added, err
		}
		if isNew {
			added++
		}
	}
	return added, nil
}

// Empty reports whether there is no certificate.
func (k *Keyring) Empty() bool { return len(k.certs) == 0 }

// find returns the one certificate that a name selects.
func (k *Keyring) find(name string) (certificate, error) {
	var found []certificate
	if k != nil {
		for _, c := range k.certs {
			if c.matches(name) {
				found = append(found, c)
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return certificate{}, fmt.Errorf("Unable to find key \"%s\": GPGME: End of file", name)
	}
	return certificate{}, fmt.Errorf("Unable to find key \"%s\": GPGME: Ambiguous name", name)
}

// Lookup returns the fingerprint of the certificate that a name selects, as for
// Import, in capital hex digits; "" if there is none, or more than one.
func (k *Keyring) Lookup(name string) string {
	c, err := k.find(name)
	if err != nil {
		return ""
	}
	return c.fingerprint()
}

// matches tells whether a name in one of GnuPG's forms (doc/gpg "How to specify a
// user ID") is that of the certificate: a fingerprint or the end of one, "=" and
// a whole user ID, an address in brackets, or any part of a user ID.
func (c certificate) matches(name string) bool {
	if hex := strings.ToUpper(strings.TrimSuffix(strings.TrimPrefix(name, "0x"), "!")); isKeyID(hex) {
		if strings.HasSuffix(c.fingerprint(), hex) {
			return true
		}
		for _, s := range c.entity.Subkeys {
			if strings.HasSuffix(fingerprintOf(s.PublicKey), hex) {
				return true
			}
		}
		return false
	}
	lower := strings.ToLower(name)
	return slices.ContainsFunc(c.userIDs(), func(id string) bool {
		if exact, ok := strings.CutPrefix(name, "="); ok {
			return id == exact
		}
		return name != "" && strings.Contains(strings.ToLower(id), lower)
	})
}

// isKeyID tells whether s has one of the lengths of key IDs and fingerprints.
func isKeyID(s string) bool {
	switch len(s) {
	case 8, 16, 40, 64:
		return strings.Trim(s, "0123456789ABCDEF") == ""
	}
	return false
}

// Bytes returns all certificates in binary form.
func (k *Keyring) Bytes() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []byte
	for _, c := range k.certs {
		out = append(out, c.bytes()...)
	}
	return out
}
