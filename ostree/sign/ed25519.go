package sign

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/ostree/repo"
)

const ed25519Key = "ostree.sign.ed25519"

// engines checks data with the engines that a remote's configuration lists:
// "true" stands for any that has keys, else each one listed must agree.
func (v *Verifier) engines(m *repo.Remote, types []string, data []byte, d gvariant.Value) error {
	for _, t := range types {
		switch t {
		case "true", "ed25519":
			keys, err := ed25519Keys(m)
			if err != nil {
				return err
			}
			if len(keys) == 0 {
				return errors.New("No keys found for required signapi type ed25519")
			}
			if err := verifyEd25519(keys, data, signatures(d, ed25519Key)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("signatures of type %s cannot be verified here", t)
		}
	}
	return nil
}

// ed25519Keys reads the public keys of a remote, base64 of 32 bytes each, from
// its configuration and from a file with one a line.
func ed25519Keys(m *repo.Remote) ([]ed25519.PublicKey, error) {
	var lines []string
	if inline := m.Get("verification-ed25519-key"); inline != "" {
		lines = append(lines, inline)
	}
	if path := m.Get("verification-ed25519-file"); path != "" {
		data, err := readKeyFile(path)
		if err != nil {
			return nil, err
		}
		lines = append(lines, strings.Split(string(data), "\n")...)
	}
	var keys []ed25519.PublicKey
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("Ill-formed input: %v", err)
		}
		if len(b) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("Ill-formed input: expected %d bytes, got %d bytes", ed25519.PublicKeySize, len(b))
		}
		keys = append(keys, b)
	}
	return keys, nil
}

// verifyEd25519 accepts data if one of the signatures is of one of the keys.
func verifyEd25519(keys []ed25519.PublicKey, data []byte, sigs [][]byte) error {
	if len(sigs) == 0 {
		return errors.New("ed25519: commit have no signatures of my type")
	}
	for _, sig := range sigs {
		for _, key := range keys {
			if len(sig) == ed25519.SignatureSize && ed25519.Verify(key, data, sig) {
				return nil
			}
		}
	}
	if len(keys) == 1 {
		return fmt.Errorf("ed25519: Signature couldn't be verified with: key '%s'", hex.EncodeToString(keys[0]))
	}
	return fmt.Errorf("ed25519: Signature couldn't be verified; tried %d keys", len(keys))
}
