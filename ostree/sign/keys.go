package sign

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rpmostree/internal/openpgp"
	"rpmostree/ostree/repo"
)

// Limits on key files: their size, and how many of them a directory may have.
const (
	maxKeyFile  = 16 << 20
	maxKeyFiles = 1000
)

// globalKeys is where keys are that every remote without keys of its own
// trusts. The environment variable OSTREE_GPG_HOME replaces it.
const globalKeys = "/usr/share/ostree/trusted.gpg.d"

// keyring reads the OpenPGP keys that a remote trusts: its own, from
// "<remote>.trustedkeys.gpg" and gpgkeypath, or else the global ones.
func (v *Verifier) keyring(m *repo.Remote) (*openpgp.Keyring, error) {
	ring := &openpgp.Keyring{ValidNow: true, Legacy: true}
	own := 0
	data, err := v.repo.Dir().ReadFile(m.Name+".trustedkeys.gpg", maxKeyFile)
	if err == nil {
		own++
		err = ring.Add(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keys of remote \"%s\": %w", m.Name, err)
	}
	for _, path := range strings.FieldsFunc(m.Get("gpgkeypath"), func(r rune) bool { return r == ';' || r == ',' }) {
		own++
		if err := addPath(ring, path); err != nil {
			return nil, err
		}
	}
	if own > 0 {
		return ring, nil
	}
	dir := os.Getenv("OSTREE_GPG_HOME")
	if dir == "" {
		dir = globalKeys
	}
	err = addPath(ring, dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return ring, err
}

// addPath adds the keys of a file, or of the key files in a directory.
func addPath(ring *openpgp.Keyring, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return addFile(ring, path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if i == maxKeyFiles {
			return fmt.Errorf("%s: more than %d files", path, maxKeyFiles)
		}
		ext := filepath.Ext(e.Name())
		if e.IsDir() || ext != ".gpg" && ext != ".asc" {
			continue
		}
		if err := addFile(ring, filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func addFile(ring *openpgp.Keyring, path string) error {
	data, err := readKeyFile(path)
	if err == nil {
		err = ring.Add(data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readKeyFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxKeyFile {
		return nil, fmt.Errorf("larger than %d bytes", maxKeyFile)
	}
	return os.ReadFile(path)
}
