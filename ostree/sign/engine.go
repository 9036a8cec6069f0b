package sign

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
)

// engine is a type of signature other than OpenPGP. Keys are in its binary form.
type engine interface {
	// text decodes a key as configurations and command lines have it.
	text(s string) []byte
	// file decodes the keys in a file.
	file(data []byte, secret bool) ([][]byte, error)
	// checkPublic and checkSecret refuse what cannot be a key.
	checkPublic(key []byte) error
	checkSecret(key []byte) error
	sign(secret, data []byte) ([]byte, error)
	verify(public, data, sig []byte) (bool, error)
}

func engineOf(typ string) (engine, error) {
	switch typ {
	case Ed25519:
		return ed25519Engine{}, nil
	case SPKI:
		return spkiEngine{}, nil
	case Dummy:
		return dummyEngine{}, nil
	}
	return nil, errUnknownType
}

// Known tells whether typ is a type of signature that NewSigner and NewKeySet
// know: any but gpg. The error is that of libostree otherwise.
func Known(typ string) error {
	_, err := engineOf(typ)
	return err
}

// engineSigner signs with one key of an engine.
type engineSigner struct {
	engine
	typ string
	key []byte
}

func (s engineSigner) Type() string { return s.typ }

func (s engineSigner) Sign(_ context.Context, data []byte) ([]byte, error) {
	return s.sign(s.key, data)
}

// NewSigner returns a Signer of any type but gpg. The key is in text form:
// base64 of a seed and its public key (64 bytes) for ed25519, base64 of PKCS #8
// for spki.
func NewSigner(typ, key string) (Signer, error) {
	e, err := engineOf(typ)
	if err != nil {
		return nil, err
	}
	return newSigner(e, typ, e.text(key))
}

func newSigner(e engine, typ string, key []byte) (Signer, error) {
	if err := e.checkSecret(key); err != nil {
		return nil, err
	}
	return engineSigner{e, typ, key}, nil
}

// ReadSigners returns a Signer for each secret key in a file: one a line for
// ed25519, PEM blocks for spki. A file without keys is an error.
func ReadSigners(typ, path string) ([]Signer, error) {
	e, err := engineOf(typ)
	if err != nil {
		return nil, err
	}
	data, err := readRegular(path)
	if err != nil {
		return nil, err
	}
	keys, err := e.file(data, true)
	if err != nil {
		return nil, fmt.Errorf("Reading %s: %w", path, err)
	}
	var out []Signer
	for _, k := range keys {
		s, err := newSigner(e, typ, k)
		if err != nil {
			return nil, fmt.Errorf("Reading %s: %w", path, err)
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("Reading %s: no keys", path)
	}
	return out, nil
}

// readRegular reads a file of keys.
func readRegular(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("File object '%s' is not a regular file", path)
	}
	if err != nil {
		return nil, err
	}
	if st.Size() > maxKeyFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxKeyFile)
	}
	return os.ReadFile(path)
}

// lines splits a file of keys, leaving out blank lines.
func lines(data []byte) ([]string, error) {
	var out []string
	sc := bufio.NewScanner(bytes.NewReader(data))
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		if line == "" {
			continue
		}
		if len(out) == maxKeys {
			return nil, errTooManyKeys
		}
		out = append(out, line)
	}
	return out, sc.Err()
}

var errTooManyKeys = fmt.Errorf("more than %d keys", maxKeys)

// decodeBase64 reads base64 as GLib does, which skips what is not of the
// alphabet and does not ask for padding.
func decodeBase64(s string) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && strings.IndexByte(alphabet, byte(r)) >= 0 {
			return r
		}
		return -1
	}, s)
	if len(s)%4 == 1 {
		s = s[:len(s)-1]
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// checkLength has the text of libostree.
func checkLength(what string, got, want int) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s: Ill-formed input: expected %d bytes, got %d bytes", what, want, got)
}

// dummyEngine is for tests: the signature is the key. It is off unless the
// environment says that this is a test.
type dummyEngine struct{}

func (dummyEngine) enabled() error {
	if os.Getenv("OSTREE_DUMMY_SIGN_ENABLED") != "1" {
		return errors.New("dummy signature type is only for ostree testing")
	}
	return nil
}

func (dummyEngine) text(s string) []byte { return []byte(s) }

func (dummyEngine) file(data []byte, _ bool) ([][]byte, error) {
	list, err := lines(data)
	var keys [][]byte
	for _, s := range list {
		keys = append(keys, []byte(s))
	}
	return keys, err
}

func (dummyEngine) checkPublic([]byte) error   { return nil }
func (e dummyEngine) checkSecret([]byte) error { return e.enabled() }

func (e dummyEngine) sign(secret, _ []byte) ([]byte, error) { return secret, e.enabled() }

func (e dummyEngine) verify(public, _, sig []byte) (bool, error) {
	return bytes.Equal(public, sig), e.enabled()
}
