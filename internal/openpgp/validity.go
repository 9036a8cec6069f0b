package openpgp

import (
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// keyValidity is what self-signatures say about a key, in the way in which GnuPG
// reads them (g10/getkey.c, merge_selfsigs): the newest one counts, a revocation
// counts for ever, and what befalls the primary key befalls the subkeys.
type keyValidity struct {
	key     *packet.PublicKey
	expires time.Time // zero: never
	expired bool
	revoked bool
	bound   bool // there is a self-signature
	signs   bool // it may make signatures
}

// validity returns the state of the primary key and of each subkey at a time.
func (c certificate) validity(now time.Time, legacy bool) []keyValidity {
	primary := c.primaryValidity(now, legacy)
	out := []keyValidity{primary}
	for _, s := range c.entity.Subkeys {
		v := subkeyValidity(s, now, legacy)
		v.bound = v.bound && primary.bound
		v.revoked = v.revoked || primary.revoked
		v.expired = v.expired || primary.expired
		out = append(out, v)
	}
	return out
}

func (c certificate) primaryValidity(now time.Time, legacy bool) keyValidity {
	e := c.entity
	v := keyValidity{key: e.PrimaryKey}
	direct := newest(e.DirectSignatures, e.PrimaryKey.VerifyDirectKeySignature)
	self := direct
	for _, id := range e.Identities {
		if s := selfCertification(id); s != nil && (self == nil || self == direct || s.CreationTime.After(self.CreationTime)) {
			self = s
		}
	}
	if self == nil {
		// The library drops self-signatures of version 3, so old keys seem to have none.
		v.bound, v.signs = legacy && len(e.DirectSignatures) == 0 && !hasSelfSignatures(e), legacy
	} else {
		v.bound, v.signs = true, signs(self, legacy)
		if direct != nil && direct.KeyLifetimeSecs != nil {
			self = direct
		}
		v.expire(self, now)
	}
	for _, r := range e.Revocations {
		if e.PrimaryKey.VerifyRevocationSignature(r.Packet) == nil {
			v.revoked = true
		}
	}
	return v
}

func hasSelfSignatures(e *pgp.Entity) bool {
	for _, id := range e.Identities {
		if len(id.SelfCertifications) > 0 {
			return true
		}
	}
	return false
}

func subkeyValidity(s pgp.Subkey, now time.Time, legacy bool) keyValidity {
	v := keyValidity{key: s.PublicKey}
	primary := s.Primary.PrimaryKey
	// A subkey that signs must have signed the binding itself; the library checks that.
	binding := newest(s.Bindings, func(sig *packet.Signature) error {
		return primary.VerifyKeySignature(s.PublicKey, sig)
	})
	if binding != nil {
		v.bound, v.signs = true, signs(binding, legacy) && binding.EmbeddedSignature != nil
		v.expire(binding, now)
	}
	for _, r := range s.Revocations {
		if primary.VerifySubkeyRevocationSignature(r.Packet, s.PublicKey) == nil {
			v.revoked = true
		}
	}
	return v
}

// expire takes the life of the key from a self-signature.
func (v *keyValidity) expire(self *packet.Signature, now time.Time) {
	if self.KeyLifetimeSecs == nil || *self.KeyLifetimeSecs == 0 {
		return
	}
	v.expires = v.key.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second)
	v.expired = !now.Before(v.expires)
}

// signs tells whether a self-signature lets its key make signatures. Old ones
// have no flags.
func signs(self *packet.Signature, legacy bool) bool {
	if self.FlagsValid {
		return self.FlagSign
	}
	return legacy
}

// newest returns the newest signature that verifies, or nil.
func newest(list []*packet.VerifiableSignature, verify func(*packet.Signature) error) *packet.Signature {
	var best *packet.Signature
	for _, s := range list {
		if (best == nil || !s.Packet.CreationTime.Before(best.CreationTime)) && verify(s.Packet) == nil {
			best = s.Packet
		}
	}
	return best
}

// selfCertification returns the newest signature of the key over a user ID.
func selfCertification(id *pgp.Identity) *packet.Signature {
	pk := id.Primary.PrimaryKey
	return newest(id.SelfCertifications, func(s *packet.Signature) error {
		return pk.VerifyUserIdSignature(id.Name, pk, s)
	})
}

// signed tells whether the key has signed one of its user IDs.
func (c certificate) signed(legacy bool) bool {
	return c.primaryValidity(time.Time{}, legacy).bound
}

// uidValidity is what self-signatures say about a user ID.
type uidValidity struct {
	name    string
	revoked bool
	bound   bool
	primary bool
	made    time.Time
}

// userIDValidity returns the state of the user IDs, the primary one first, others
// in the order of the certificate. The primary one is marked so, or else the one
// that was signed last.
func (c certificate) userIDValidity() []uidValidity {
	var out []uidValidity
	for _, name := range c.userIDs() {
		id := c.entity.Identities[name]
		v := uidValidity{name: name}
		if self := selfCertification(id); self != nil {
			v.bound, v.made = true, self.CreationTime
			v.primary = self.IsPrimaryId != nil && *self.IsPrimaryId
		}
		pk := c.entity.PrimaryKey
		r := newest(id.Revocations, func(s *packet.Signature) error { return pk.VerifyUserIdSignature(name, pk, s) })
		if r != nil && !r.CreationTime.Before(v.made) {
			v.revoked, v.primary = true, false
		}
		out = append(out, v)
	}
	best := -1
	for i, v := range out {
		if v.revoked || !v.bound {
			continue
		}
		if best < 0 || v.primary && !out[best].primary || v.primary == out[best].primary && v.made.After(out[best].made) {
			best = i
		}
	}
	if best > 0 {
		first := out[best]
		out = slices.Insert(slices.Delete(out, best, best+1), 0, first)
	}
	return out
}
