package sign

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/openpgp"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// ErrNoSignatures means that an object has no OpenPGP signatures at all.
var ErrNoSignatures = errors.New("GPG verification enabled, but no signatures found (use gpg-verify=false in remote config to disable)")

// A GPGResult is what is known about each OpenPGP signature of an object.
type GPGResult struct {
	Signatures []openpgp.Status
	ring       *openpgp.Keyring
}

// GPGOptions say which keys are looked at.
type GPGOptions struct {
	// Remote names the remote whose keys are meant; nil means those of all
	// remotes of the repository, and the global ones.
	Remote *repo.Remote
	// Homedir is a directory of keyrings that are looked at too, if not "" and
	// Remote is nil.
	Homedir string
	// Now is when the signatures have to be valid; zero is the present.
	Now time.Time
}

// CheckGPG reports on the OpenPGP signatures of data in meta, an a{sv}. That
// there are none is ErrNoSignatures; that none is good is not an error: see
// GPGResult.Err.
func CheckGPG(r *repo.Repo, data []byte, meta gvariant.Value, o GPGOptions) (*GPGResult, error) {
	sigs := Signatures(meta, GPG)
	if sigs == nil {
		return nil, ErrNoSignatures
	}
	var ring *openpgp.Keyring
	var err error
	if o.Remote != nil {
		ring, err = Keyring(r, o.Remote)
	} else {
		ring, err = anyKeyring(r, o.Homedir)
	}
	if err != nil {
		return nil, err
	}
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	res := &GPGResult{ring: ring}
	for _, sig := range sigs {
		if len(res.Signatures) >= maxSignatures { // there may be several in each
			break
		}
		res.Signatures = append(res.Signatures, ring.Check(data, sig, now)...)
	}
	return res, nil
}

// Err returns an error that describes the signatures, the last one first, if none
// of them is good.
func (g *GPGResult) Err() error {
	var b strings.Builder
	for i := len(g.Signatures) - 1; i >= 0; i-- {
		if g.Signatures[i].State == openpgp.Good {
			return nil
		}
		b.WriteString(describe(g.Signatures[i], ""))
	}
	if b.Len() == 0 {
		return errors.New("No GPG signatures found")
	}
	return errors.New(strings.TrimRight(b.String(), "\n"))
}

// Describe returns the lines about all signatures, each with a prefix, and an
// empty line before each signature.
func (g *GPGResult) Describe(prefix string) string {
	var b strings.Builder
	for _, s := range g.Signatures {
		b.WriteByte('\n')
		b.WriteString(describe(s, prefix))
	}
	return b.String()
}

// signedBy tells whether a key has made one of the signatures, good or not. The
// key's name is one that gpg takes.
func (g *GPGResult) signedBy(name string) (index int, ok bool) {
	fp := g.ring.Lookup(name)
	for i, s := range g.Signatures {
		if fp != "" && s.Primary == fp {
			return i, true
		}
	}
	return 0, false
}

// FormatTime returns a time as libostree prints those of signatures and keys.
func FormatTime(t time.Time) string { return ostree.FormatTime(t.Local()) }

// describe returns libostree's lines about one signature.
func describe(s openpgp.Status, prefix string) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		fmt.Fprintf(&b, prefix+format+"\n", args...)
	}
	line("Signature made %s using %s key ID %s", FormatTime(s.Created), s.Algorithm, keyID(s.Fingerprint))
	who := fmt.Sprintf("\"%s <%s>\"", s.Name, s.Email)
	switch s.State {
	case openpgp.NoKey:
		line("Can't check signature: public key not found")
	case openpgp.Good:
		line("Good signature from %s", who)
	case openpgp.KeyRevoked:
		line("Key revoked")
	case openpgp.SigExpired:
		line("Expired signature from %s", who)
	default:
		line("BAD signature from %s", who)
	}
	sub := s.State != openpgp.NoKey && s.Fingerprint != s.Primary
	if sub {
		line("Primary key ID %s", keyID(s.Primary))
	}
	expiry := func(what string, t time.Time, expired bool) {
		if t.IsZero() {
			return
		}
		verb := "expires"
		if expired {
			verb = "expired"
		}
		line("%s %s %s", what, verb, FormatTime(t))
	}
	expiry("Signature", s.Expires, s.State == openpgp.SigExpired)
	expiry("Key", s.KeyExpires, s.State == openpgp.KeyExpired)
	if sub {
		expiry("Primary key", s.PrimaryExpires, s.State == openpgp.KeyExpired)
	}
	return b.String()
}

// keyID returns the last 16 digits of a fingerprint.
func keyID(fingerprint string) string { return fingerprint[max(0, len(fingerprint)-16):] }
