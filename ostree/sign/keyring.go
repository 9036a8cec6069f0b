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

// globalKeys is where keys are that every remote without keys of its own
// trusts. The environment variable OSTREE_GPG_HOME replaces it.
const globalKeys = "/usr/share/ostree/trusted.gpg.d"

// KeyringName is the name of the file that has a remote's OpenPGP keys, in the
// repository or beside the remote's file in /etc/ostree/remotes.d.
func KeyringName(remote string) string { return remote + ".trustedkeys.gpg" }

func newKeyring() *openpgp.Keyring { return &openpgp.Keyring{ValidNow: true, Legacy: true} }

// Keyring returns the OpenPGP keys that a remote trusts: its own and those of its
// gpgkeypath. A remote without a keyring trusts the global ones too. For a nil
// remote it returns the global keys.
func Keyring(r *repo.Repo, m *repo.Remote) (*openpgp.Keyring, error) {
	ring := newKeyring()
	if m == nil {
		return ring, addGlobal(ring)
	}
	own, err := addRemote(ring, r, m)
	if err == nil && !own {
		err = addGlobal(ring)
	}
	return ring, err
}

// RemoteKeyring is Keyring without the global keys.
func RemoteKeyring(r *repo.Repo, m *repo.Remote) (*openpgp.Keyring, error) {
	ring := newKeyring()
	_, err := addRemote(ring, r, m)
	return ring, err
}

// anyKeyring returns the keys of all remotes of r, the global ones, and those in
// a directory of GnuPG, if it is not "".
func anyKeyring(r *repo.Repo, homedir string) (*openpgp.Keyring, error) {
	ring := newKeyring()
	if err := addDir(ring, r.Path()); err != nil {
		return nil, err
	}
	if err := addGlobal(ring); err != nil {
		return nil, err
	}
	if homedir == "" {
		return ring, nil
	}
	return ring, addDir(ring, homedir)
}

// addRemote adds the keys of one remote and reports whether it has a keyring. What
// is no key in the files is passed over: then a signature has no key.
func addRemote(ring *openpgp.Keyring, r *repo.Repo, m *repo.Remote) (own bool, err error) {
	data, err := r.RemoteFile(KeyringName(m.Name), maxKeyFile)
	switch {
	case err == nil:
		own = true
		ring.Add(data)
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("keys of remote \"%s\": %w", m.Name, err)
	}
	list, _, err := m.Lookup("gpgkeypath")
	if err != nil {
		return own, err
	}
	paths, err := keyPaths(list)
	if err != nil {
		return own, err
	}
	for _, path := range paths {
		if err := addPath(ring, path); err != nil {
			return own, fmt.Errorf("GPG: %w", err)
		}
	}
	return own, nil
}

// keyPaths splits a list at semicolons or at commas; the last item may be empty.
func keyPaths(list string) ([]string, error) {
	sep := ";"
	switch semicolon, comma := strings.Contains(list, ";"), strings.Contains(list, ","); {
	case list == "":
		return nil, nil
	case semicolon && comma:
		return nil, errors.New("key value list contains more than one separator")
	case comma:
		sep = ","
	}
	return strings.Split(strings.TrimSuffix(list, sep), sep), nil
}

// addPath adds the keys in a file, or in the files of a directory.
func addPath(ring *openpgp.Keyring, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("opendir(%s): %w", path, errors.Unwrap(err))
	}
	if !st.IsDir() {
		return addFile(ring, path)
	}
	return eachFile(path, func(name string) error { return addFile(ring, filepath.Join(path, name)) })
}

func addGlobal(ring *openpgp.Keyring) error {
	dir := os.Getenv("OSTREE_GPG_HOME")
	if dir == "" {
		dir = globalKeys
	}
	err := addDir(ring, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// addDir adds the keyrings in a directory, the files whose names end in ".gpg".
// Two such files of GnuPG have no public keys.
func addDir(ring *openpgp.Keyring, dir string) error {
	return eachFile(dir, func(name string) error {
		if !strings.HasSuffix(name, ".gpg") || name == "trustdb.gpg" || name == "secring.gpg" {
			return nil
		}
		return addFile(ring, filepath.Join(dir, name))
	})
}

// eachFile calls f with the names of the regular files in a directory.
func eachFile(dir string, f func(name string) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	n := 0
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if n++; n > maxKeyFiles {
			return fmt.Errorf("%s: more than %d files", dir, maxKeyFiles)
		}
		if err := f(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func addFile(ring *openpgp.Keyring, path string) error {
	data, err := readRegular(path)
	if err == nil {
		ring.Add(data)
	}
	return err
}
