package openpgp

import (
	"strings"
	"time"
)

// A Listing describes a certificate as it is at some time.
type Listing struct {
	Keys    []KeyListing // the first is the primary key
	UserIDs []UserID     // the primary one first
}

// A KeyListing describes a key of a certificate.
type KeyListing struct {
	Fingerprint string // capital hex digits
	Created     time.Time
	Expires     time.Time // zero: never
	Expired     bool
	Revoked     bool // then Expired is not set
	Invalid     bool // it lacks a self-signature; then neither of the two is set
}

// A UserID is the name that a key claims, and its parts.
type UserID struct {
	Text    string
	Name    string
	Comment string
	Email   string
	Revoked bool
	Invalid bool
}

// List describes the certificates in their order.
func (k *Keyring) List(now time.Time) []Listing {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Listing
	for _, c := range k.certs {
		var l Listing
		keys := c.validity(now, k.Legacy)
		for _, v := range keys {
			l.Keys = append(l.Keys, KeyListing{
				Fingerprint: fingerprintOf(v.key), Created: v.key.CreationTime, Expires: v.expires,
				Invalid: !v.bound, Revoked: v.bound && v.revoked, Expired: v.bound && v.expired && !v.revoked,
			})
		}
		for _, v := range c.userIDValidity() {
			u := ParseUserID(v.name)
			u.Revoked = v.revoked || keys[0].revoked
			u.Invalid = !v.bound && !u.Revoked
			l.UserIDs = append(l.UserIDs, u)
		}
		out = append(out, l)
	}
	return out
}

// ParseUserID splits "Name (comment) <address>", each of which may be missing.
func ParseUserID(s string) UserID {
	u := UserID{Text: s}
	rest := s
	if i := strings.IndexByte(rest, '<'); i >= 0 {
		mail, after, _ := strings.Cut(rest[i+1:], ">")
		u.Email, rest = mail, rest[:i]+after
	}
	if i := strings.IndexByte(rest, '('); i >= 0 {
		comment, after, _ := strings.Cut(rest[i+1:], ")")
		u.Comment, rest = comment, rest[:i]+after
	}
	u.Name = strings.TrimSpace(rest)
	return u
}

// Address returns the mail address of the user ID in lower case, "" if it has
// none: that in brackets, or else the whole text.
func (u UserID) Address() string {
	a := u.Email
	if a == "" && !strings.ContainsAny(u.Text, "<>") {
		a = u.Text
	}
	local, domain, ok := strings.Cut(a, "@")
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") || strings.ContainsAny(a, " \t\r\n<>()") {
		return ""
	}
	return strings.ToLower(a)
}
