package ostree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"rpmostree/internal/openpgp"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// maxKeyring is the size of the largest file of keys that is imported, in bytes.
const maxKeyring = 16 << 20

func remoteGPGImportCommand() *command {
	c := &command{name: "gpg-import", args: "NAME", about: "Import GPG keys", scope: remoteScope}
	var files []string
	stdin := false
	c.list(&files, "keyring", 'k', "FILE", "Import keys from a keyring file (repeatable)")
	c.flag(&stdin, "stdin", 0, "Import keys from standard input")
	c.run = func(e *env) error {
		switch {
		case len(e.args) == 0:
			return usagef("NAME must be specified")
		case len(e.args) > 1:
			return errors.New("Only whole keyrings can be imported, not single keys")
		case len(files) > 0 && stdin:
			return errors.New("--keyring and --stdin are mutually exclusive")
		case len(files) == 0 && !stdin:
			return errors.New("One of --keyring and --stdin must be specified")
		}
		if _, err := e.repo.Remote(e.args[0]); err != nil {
			return err
		}
		if stdin {
			data, err := io.ReadAll(io.LimitReader(e.in, maxKeyring))
			if err != nil {
				return err
			}
			return e.importKeys(e.args[0], data)
		}
		return e.importKeyFiles(e.args[0], files)
	}
	return c
}

func (e *env) importKeyFiles(remote string, files []string) error {
	var all []byte
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if data, err = dearmor(data); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, data...)
	}
	return e.importKeys(remote, all)
}

// importKeys adds keys to the keyring of a remote, and says how many are new.
func (e *env) importKeys(remote string, data []byte) error {
	data, err := dearmor(data)
	if err != nil {
		return err
	}
	path := filepath.Join(e.repo.Path(), remote+".trustedkeys.gpg")
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	added, err := openpgp.NewKeyring(data)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	if len(old) > 0 {
		ring, err := openpgp.NewKeyring(old)
		if err != nil {
			return err
		}
		for _, k := range ring.Keys() {
			known[k.Fingerprint] = true
		}
	}
	n := 0
	for _, k := range added.Keys() {
		if !known[k.Fingerprint] {
			n++
		}
	}
	if n > 0 {
		if err := e.repo.Dir().WriteFileAtomic(remote+".trustedkeys.gpg", append(old, data...), 0o644, true); err != nil {
			return err
		}
	}
	plural := "s"
	if n == 1 {
		plural = ""
	}
	e.printf("Imported %d GPG key%s to remote \"%s\"\n", n, plural, remote)
	return nil
}

// dearmor returns the binary form of keys in text form; others are returned as they are.
func dearmor(data []byte) ([]byte, error) {
	const begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	if !bytes.Contains(data, []byte(begin)) {
		return data, nil
	}
	var out []byte
	for {
		i := bytes.Index(data, []byte(begin))
		if i < 0 {
			return out, nil
		}
		block, err := armor.Decode(bytes.NewReader(data[i:]))
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(block.Body)
		if err != nil {
			return nil, err
		}
		out = append(out, body...)
		data = data[i+len(begin):]
	}
}
