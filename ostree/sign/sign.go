// Package sign checks the signatures of commits and summaries with the keys
// that the configuration of a remote trusts.
//
// Signatures of a commit are in its detached metadata, those of a summary in
// summary.sig; both are an a{sv}. The engines are "gpg" (OpenPGP, key
// ostree.gpgsigs) and "ed25519" (key ostree.sign.ed25519). A remote that asks
// for another engine is refused.
package sign

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/openpgp"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// maxSignatures bounds the signatures of one object that are looked at.
const maxSignatures = 64

// A Verifier checks what remotes of a repository send. It implements
// pull.Verifier.
type Verifier struct {
	repo *repo.Repo
	now  func() time.Time
}

// NewVerifier returns a Verifier that finds the keys of remotes in r and in the
// directories that the system has for them.
func NewVerifier(r *repo.Repo) *Verifier { return &Verifier{r, time.Now} }

// VerifyCommit checks a commit object with its detached metadata, an a{sv} or
// nil, against each engine that the remote's configuration turns on.
func (v *Verifier) VerifyCommit(m *repo.Remote, commit, detached []byte) error {
	d, err := dict(detached)
	if err != nil {
		return err
	}
	if m.GPGVerify {
		sigs := signatures(d, ostree.KeyGPGSigs)
		if len(sigs) == 0 {
			return errors.New("GPG verification enabled, but no signatures found (use gpg-verify=false in remote config to disable)")
		}
		if err := v.gpg(m, commit, sigs); err != nil {
			return err
		}
	}
	if len(m.SignVerify) == 0 {
		return nil
	}
	if detached == nil {
		return errors.New("Can't verify commit without detached metadata")
	}
	if err := v.engines(m, m.SignVerify, commit, d); err != nil {
		return fmt.Errorf("Can't verify commit: %w", err)
	}
	return nil
}

// VerifySummary checks a summary with the content of summary.sig, which may be
// nil.
func (v *Verifier) VerifySummary(m *repo.Remote, summary, sig []byte) error {
	if summary == nil {
		return errors.New("GPG verification enabled, but no summary found (check that the configured URL in remote config is correct)")
	}
	d, err := dict(sig)
	if err != nil {
		return err
	}
	if m.GPGVerifySummary {
		if sig == nil {
			return errors.New("GPG verification enabled, but no summary.sig found (use gpg-verify-summary=false in remote config to disable)")
		}
		sigs := signatures(d, ostree.KeyGPGSigs)
		if len(sigs) == 0 {
			return errors.New("GPG verification enabled, but no signatures found (use gpg-verify-summary=false in remote config to disable)")
		}
		if err := v.gpg(m, summary, sigs); err != nil {
			return err
		}
	}
	if len(m.SignSummary) == 0 {
		return nil
	}
	if sig == nil {
		return errors.New("Signatures verification enabled, but no summary.sig found (use sign-verify-summary=false in remote config to disable)")
	}
	if err := v.engines(m, m.SignSummary, summary, d); err != nil {
		return fmt.Errorf("Can't verify summary: %w", err)
	}
	return nil
}

func dict(b []byte) (gvariant.Value, error) {
	if b == nil {
		return new(gvariant.Dict).Value(), nil
	}
	return ostree.ParseCommitMeta(b)
}

// signatures returns the byte strings of an aay.
func signatures(d gvariant.Value, key string) [][]byte {
	v, ok := d.Lookup(key)
	if !ok || v.Type() != "aay" {
		return nil
	}
	var out [][]byte
	for i, e := range v.All() {
		if i == maxSignatures {
			break
		}
		out = append(out, e.ByteArray())
	}
	return out
}

// gpg accepts data if one of the signatures is good.
func (v *Verifier) gpg(m *repo.Remote, data []byte, sigs [][]byte) error {
	ring, err := v.keyring(m)
	if err != nil {
		return err
	}
	var errs []error
	for _, sig := range sigs {
		_, err := ring.VerifyDetached(bytes.NewReader(data), sig, v.now())
		if err == nil {
			return nil
		}
		if errors.Is(err, openpgp.ErrNoKey) {
			err = fmt.Errorf("Can't check signature: public key not found (%w)", err)
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("GPG signatures found, but none are in trusted keyring: %w", errors.Join(errs...))
}
