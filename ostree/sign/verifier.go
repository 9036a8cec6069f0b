package sign

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"rpmostree/gvariant"
	"rpmostree/ostree/repo"
)

// A Verifier checks what remotes of a repository send, as their configuration
// demands:
//
//   - gpg-verify, gpg-verify-summary: one OpenPGP signature must be good;
//   - sign-verify, sign-verify-summary: one signature of a type that is listed must
//     be of a key of the remote; each type must have keys. "true" stands for all
//     types, whose keys are those of the system where the remote has none.
//
// The keys of a remote are verification-<type>-key, inline, and
// verification-<type>-file. If both kinds are demanded, both must be there.
type Verifier struct {
	// OnGPG, if not nil, is told about the OpenPGP signatures of each commit that
	// has some, good or not. It may be called by several goroutines at once.
	OnGPG func(*GPGResult)

	repo *repo.Repo
	now  func() time.Time
}

// NewVerifier returns a Verifier that finds the keys of remotes in r and in the
// directories that the system has for them.
func NewVerifier(r *repo.Repo) *Verifier { return &Verifier{repo: r, now: time.Now} }

// Check tells whether a remote has keys of the types that its configuration demands.
func (v *Verifier) Check(m *repo.Remote) error {
	for _, types := range [][]string{m.SignVerify, m.SignSummary} {
		if _, err := keySets(m, types); err != nil {
			return err
		}
	}
	return nil
}

// VerifyCommit checks a commit object with its detached metadata, an a{sv} or
// nil, against each engine that the remote's configuration turns on.
func (v *Verifier) VerifyCommit(m *repo.Remote, commit, detached []byte) error {
	meta := parseDict(detached)
	if m.GPGVerify {
		res, err := CheckGPG(v.repo, commit, meta, GPGOptions{Remote: m, Now: v.now()})
		if err != nil {
			return err
		}
		if v.OnGPG != nil {
			v.OnGPG(res)
		}
		if err := res.Err(); err != nil {
			return err
		}
	}
	if len(m.SignVerify) == 0 {
		return nil
	}
	keys, err := keySets(m, m.SignVerify)
	if err != nil {
		return err
	}
	if detached == nil {
		return errors.New("Can't verify commit without detached metadata")
	}
	if _, err := verifyAny(keys, commit, meta); err != nil {
		return fmt.Errorf("Can't verify commit: %w", err)
	}
	return nil
}

// DescribeCommit checks a commit as VerifyCommit does and returns what there is to
// say about its signatures. That nothing is demanded is an error.
func (v *Verifier) DescribeCommit(m *repo.Remote, commit, detached []byte) (string, error) {
	if detached == nil {
		return "", errors.New("Can't verify commit without detached metadata")
	}
	keys, err := keySets(m, m.SignVerify)
	if err != nil {
		return "", err
	}
	if !m.GPGVerify && len(keys) == 0 {
		return "", fmt.Errorf("Cannot verify commit for remote %s; GPG verification disabled, and no signapi verifiers configured", m.Name)
	}
	meta := parseDict(detached)
	var text []string
	if m.GPGVerify {
		res, err := CheckGPG(v.repo, commit, meta, GPGOptions{Remote: m, Now: v.now()})
		if err == nil {
			err = res.Err()
		}
		if err != nil {
			return "", err
		}
		text = append(text, res.Describe("GPG: "))
	}
	if len(keys) > 0 {
		said, err := verifyAny(keys, commit, meta)
		if err != nil {
			return "", fmt.Errorf("Can't verify commit: %w", err)
		}
		text = append(text, said)
	}
	return strings.Join(text, "\n"), nil
}

// VerifySummary checks a summary with the content of summary.sig.
func (v *Verifier) VerifySummary(m *repo.Remote, summary, sig []byte) error {
	meta := parseDict(sig)
	if m.GPGVerifySummary {
		res, err := CheckGPG(v.repo, summary, meta, GPGOptions{Remote: m, Now: v.now()})
		if err == nil {
			err = res.Err()
		}
		if err != nil {
			return err
		}
	}
	if len(m.SignSummary) == 0 {
		return nil
	}
	keys, err := keySets(m, m.SignSummary)
	if err == nil {
		_, err = verifyAny(keys, summary, meta)
	}
	return err
}

// keySets returns the keys of a remote for each type of signature that may verify
// it.
func keySets(m *repo.Remote, types []string) ([]*KeySet, error) {
	required := true
	if len(types) == 1 && types[0] == "true" {
		types, required = []string{Ed25519, SPKI, Dummy}, false
	}
	var out []*KeySet
	for _, t := range types {
		k, err := NewKeySet(t)
		if err == nil {
			err = k.addRemote(m, required)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// addRemote trusts the keys that a remote's configuration names.
func (k *KeySet) addRemote(m *repo.Remote, required bool) error {
	file, hasFile, err := m.Lookup("verification-" + k.typ + "-file")
	if err != nil {
		return err
	}
	inline, hasInline, err := m.Lookup("verification-" + k.typ + "-key")
	if err != nil {
		return err
	}
	if !hasFile && !hasInline && required {
		return fmt.Errorf("No keys found for required signapi type %s", k.typ)
	}
	if hasFile {
		if err := k.AddFile(file); err != nil {
			return fmt.Errorf("Failed loading '%s' keys from '%s': %w", k.typ, file, err)
		}
	}
	if hasInline {
		if err := k.Add(inline); err != nil {
			return fmt.Errorf("Failed loading '%s' keys from inline `verification-key`: %w", k.typ, err)
		}
	}
	return nil
}

// verifyAny accepts data if it has a signature of one of the types. A type for
// which the remote has no keys falls back to those of the system. It returns
// libostree's message about the signature.
func verifyAny(sets []*KeySet, data []byte, meta gvariant.Value) (string, error) {
	var first error
	bad := 0
	for _, k := range sets {
		sigs := Signatures(meta, k.typ)
		if sigs == nil {
			continue
		}
		var said string
		var err error
		if k.Len() == 0 && k.typ != Dummy {
			err = k.AddSystem("")
		}
		if err == nil {
			said, err = k.Verify(data, sigs)
		}
		if err == nil {
			return said, nil
		}
		if first == nil {
			first = err
		}
		bad++
	}
	switch {
	case first == nil:
		return "", errors.New("No signatures found")
	case bad > 1:
		return "", fmt.Errorf("(%d other invalid signatures): %w", bad-1, first)
	}
	return "", first
}
