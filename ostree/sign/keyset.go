package sign

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Limits on key files: their size in bytes, how many of them a directory may
// have, and how many keys there may be in all.
const (
	maxKeyFile  = 16 << 20
	maxKeyFiles = 1000
	maxKeys     = 10000
)

// systemDirs hold the keys that are trusted when nothing else is said.
var systemDirs = [...]string{"/etc/ostree", "/usr/share/ostree"}

// A KeySet is the public keys of one type that may sign, and those that are
// revoked.
type KeySet struct {
	typ              string
	engine           engine
	trusted, revoked [][]byte
}

// NewKeySet returns an empty set of keys of any type but gpg.
func NewKeySet(typ string) (*KeySet, error) {
	e, err := engineOf(typ)
	if err != nil {
		return nil, err
	}
	return &KeySet{typ: typ, engine: e}, nil
}

// Type is the type of the signatures that the keys make.
func (k *KeySet) Type() string { return k.typ }

// Len is the number of trusted keys, revoked or not.
func (k *KeySet) Len() int { return len(k.trusted) }

// Add trusts a key in text form: base64 for ed25519 and spki.
func (k *KeySet) Add(key string) error {
	if k.typ == Dummy { // it has one key only
		k.trusted = nil
	}
	return k.add(&k.trusted, k.engine.text(key))
}

func (k *KeySet) add(list *[][]byte, key []byte) error {
	if err := k.engine.checkPublic(key); err != nil {
		return err
	}
	if slices.ContainsFunc(*list, func(b []byte) bool { return bytes.Equal(b, key) }) {
		return nil
	}
	if len(*list) >= maxKeys {
		return errTooManyKeys
	}
	*list = append(*list, key)
	return nil
}

// AddFile trusts the keys of a file: base64, one a line, for ed25519; PEM for
// spki. Lines that are no keys are skipped, unless there is nothing else.
func (k *KeySet) AddFile(path string) error { return k.addFile(&k.trusted, path) }

func (k *KeySet) addFile(list *[][]byte, path string) error {
	if k.typ == Dummy {
		return errors.New("not implemented")
	}
	data, err := readRegular(path)
	if err != nil {
		return err
	}
	keys, err := k.engine.file(data, false)
	if err != nil {
		return err
	}
	var first error
	added := false
	for _, key := range keys {
		if err := k.add(list, key); err == nil {
			added = true
		} else if first == nil {
			first = err
		}
	}
	switch {
	case added:
		return nil
	case first != nil:
		return fmt.Errorf("%s: %w", path, first)
	}
	return fmt.Errorf("signature: %s: no valid keys in file '%s'", k.typ, path)
}

// AddSystem trusts the keys of the system: those in the files "trusted.<type>"
// and "trusted.<type>.d/*" in /etc/ostree and /usr/share/ostree, but not those in
// "revoked.<type>" and "revoked.<type>.d/*". A base directory, if not "",
// replaces these two. That there is no key is an error.
func (k *KeySet) AddSystem(base string) error {
	if k.typ == Dummy {
		return errors.New("not implemented")
	}
	dirs := systemDirs[:]
	if base != "" {
		dirs = []string{base}
	}
	if err := k.addDirs(&k.trusted, dirs, "trusted."+k.typ); err != nil {
		return err
	}
	if len(k.trusted) == 0 {
		return fmt.Errorf("signature: %s: no keys loaded", k.typ)
	}
	return k.addDirs(&k.revoked, dirs, "revoked."+k.typ)
}

// addDirs adds the keys of files of one name, and of directories with ".d" after
// it. Files that have no keys are skipped.
func (k *KeySet) addDirs(list *[][]byte, dirs []string, name string) error {
	for _, dir := range dirs {
		file := filepath.Join(dir, name)
		files := []string{file}
		entries, err := os.ReadDir(file + ".d")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if len(entries) > maxKeyFiles {
			return fmt.Errorf("%s.d: more than %d files", file, maxKeyFiles)
		}
		for _, e := range entries {
			files = append(files, filepath.Join(file+".d", e.Name()))
		}
		for _, f := range files {
			if err := k.addFile(list, f); errors.Is(err, errTooManyKeys) {
				return err
			}
		}
	}
	return nil
}

// maxNamedKeys is how many keys an error names (libostree).
const maxNamedKeys = 3

// Verify checks that one of the signatures of data is of a trusted key that is
// not revoked. It returns libostree's message about it. No signatures at all are
// an error.
func (k *KeySet) Verify(data []byte, sigs [][]byte) (string, error) {
	if k.typ == Dummy {
		return k.verifyDummy(data, sigs)
	}
	if sigs == nil {
		return "", fmt.Errorf("%s: commit have no signatures of my type", k.typ)
	}
	var tried []string
	for _, sig := range sigs {
		for _, key := range slices.Backward(k.trusted) { // as upstream, whose errors name them
			if slices.ContainsFunc(k.revoked, func(b []byte) bool { return bytes.Equal(b, key) }) {
				continue
			}
			ok, err := k.engine.verify(key, data, sig)
			if err != nil {
				return "", err
			}
			if ok {
				return fmt.Sprintf("%s: Signature verified successfully with key '%s'", k.typ, hex.EncodeToString(key)), nil
			}
			tried = append(tried, "key '"+hex.EncodeToString(key)+"'")
		}
	}
	switch n := len(tried); {
	case n == 0:
		return "", fmt.Errorf("%s: no signatures found", k.typ)
	case n > maxNamedKeys:
		return "", fmt.Errorf("%s: Signature couldn't be verified; tried %d keys", k.typ, n)
	}
	return "", fmt.Errorf("%s: Signature couldn't be verified with: %s", k.typ, strings.Join(tried, "; "))
}

func (k *KeySet) verifyDummy(data []byte, sigs [][]byte) (string, error) {
	if err := (dummyEngine{}).enabled(); err != nil {
		return "", err
	}
	if sigs == nil {
		return "", errors.New("signature: dummy: commit have no signatures of my type")
	}
	for _, sig := range sigs {
		for _, key := range k.trusted {
			if ok, err := k.engine.verify(key, data, sig); ok && err == nil {
				return "dummy: Signature verified", nil
			}
		}
	}
	if len(sigs) > 0 {
		return "", fmt.Errorf("signature: dummy: incorrect signatures found: %d", len(sigs))
	}
	return "", errors.New("signature: dummy: no signatures")
}
