package ostree

import (
	"bytes"
	"crypto/sha1"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"rpmostree/internal/openpgp"
	"rpmostree/ostree/sign"
)

// maxKeyring is the size of the largest file of keys that is imported, in bytes.
const maxKeyring = openpgp.MaxKeyring

func remoteGPGImportCommand() *command {
	c := &command{name: "gpg-import", args: "NAME [KEY-ID...]", about: "Import GPG keys", scope: remoteScope}
	var files []string
	stdin := false
	c.files(&files, "keyring", 'k', "FILE", "Import keys from a keyring file (repeatable)")
	c.flag(&stdin, "stdin", 0, "Import keys from standard input")
	c.run = func(e *env) error {
		switch {
		case len(e.args) == 0:
			return usagef("NAME must be specified")
		case len(files) > 0 && stdin:
			return usagef("--keyring and --stdin are mutually exclusive")
		}
		source := new(openpgp.Keyring)
		if err := addKeyFiles(source, files); err != nil {
			return err
		}
		var data []byte
		var err error
		switch {
		case stdin:
			data, err = io.ReadAll(io.LimitReader(e.in, maxKeyring+1))
		case len(files) == 0:
			data, err = sign.ExportGPG(e.ctx)
		}
		if err == nil {
			err = addKeys(source, data)
		}
		if err != nil {
			return err
		}
		return e.importKeys(e.args[0], source, e.args[1:])
	}
	return c
}

// addKeyFiles adds the keys of files, binary or armored.
func addKeyFiles(ring *openpgp.Keyring, files []string) error {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(f, maxKeyring+1))
		f.Close()
		if err == nil {
			err = addKeys(ring, data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// addKeys adds keys; data without any are passed over.
func addKeys(ring *openpgp.Keyring, data []byte) error {
	err := ring.Add(data)
	if errors.Is(err, openpgp.ErrNoKeys) {
		return nil
	}
	return err
}

// hasKeys returns an error if no file had a key.
func hasKeys(source *openpgp.Keyring) error {
	if source.Empty() {
		return errors.New("GPG: Unable to export keys: GPGME: No data")
	}
	return nil
}

// importKeys adds keys to the keyring of a remote, and says how many are new.
func (e *env) importKeys(remote string, source *openpgp.Keyring, ids []string) error {
	if _, err := e.remote(remote); err != nil {
		return err
	}
	if len(ids) == 0 { // else it is about them
		if err := hasKeys(source); err != nil {
			return err
		}
	}
	ring := &openpgp.Keyring{Legacy: true}
	old, err := e.repo.Dir().ReadFile(sign.KeyringName(remote), maxKeyring)
	switch {
	case err == nil:
		err = addKeys(ring, old)
	case os.IsNotExist(err):
		err = nil
	}
	if err != nil {
		return err
	}
	n, err := ring.Import(source, ids)
	if err != nil {
		return fmt.Errorf("GPG: %w", err)
	}
	if data := ring.Bytes(); !bytes.Equal(data, old) {
		if err := e.repo.Dir().WriteFileAtomic(sign.KeyringName(remote), data, 0o644, true); err != nil {
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

func remoteGPGListKeysCommand() *command {
	c := &command{name: "gpg-list-keys", args: "NAME", about: "Show remote GPG keys", scope: remoteScope}
	c.run = func(e *env) error {
		var ring *openpgp.Keyring
		var err error
		if len(e.args) == 0 {
			ring, err = sign.Keyring(e.repo, nil)
		} else {
			m, err2 := e.remote(e.args[0])
			if err2 != nil {
				return err2
			}
			ring, err = sign.RemoteKeyring(e.repo, m)
		}
		if err != nil {
			return err
		}
		for _, l := range ring.List(time.Now()) {
			e.printKey(l)
		}
		return nil
	}
	return c
}

func (e *env) printKey(l openpgp.Listing) {
	e.printKeyPart("", "Key", l.Keys[0])
	for _, u := range l.UserIDs {
		e.printf("  UID: %s%s%s\n", u.Text, mark(u.Revoked, "revoked"), mark(u.Invalid, "invalid"))
		advanced, direct := directoryURLs(u.Address())
		e.printf("  Advanced update URL: %s\n  Direct update URL: %s\n", advanced, direct)
	}
	for _, k := range l.Keys[1:] {
		e.printKeyPart("  ", "Subkey", k)
	}
}

func (e *env) printKeyPart(indent, title string, k openpgp.KeyListing) {
	e.printf("%s%s: %s%s%s\n", indent, title, k.Fingerprint, mark(k.Revoked, "revoked"), mark(k.Invalid, "invalid"))
	e.printf("%s  Created: %s\n", indent, sign.FormatTime(k.Created))
	if k.Expires.IsZero() {
		return
	}
	verb := "Expires"
	if k.Expired {
		verb = "Expired"
	}
	e.printf("%s  %s: %s\n", indent, verb, sign.FormatTime(k.Expires))
}

func mark(on bool, word string) string {
	if !on {
		return ""
	}
	return " (" + word + ")"
}

// zbase32 is the alphabet of RFC 6189, 5.1.6.
var zbase32 = base32.NewEncoding("ybndrfg8ejkmcpqxot1uwisza345h769").WithPadding(base32.NoPadding)

// directoryURLs returns where a new state of a key is found by its mail address, in
// the two forms of the OpenPGP Web Key Directory (draft-koch-openpgp-webkey-service,
// 3.1); empty for no address.
func directoryURLs(address string) (advanced, direct string) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok {
		return "", ""
	}
	hash := sha1.Sum([]byte(strings.ToLower(local)))
	page := fmt.Sprintf("hu/%s?l=%s", zbase32.EncodeToString(hash[:]), strings.ReplaceAll(url.QueryEscape(local), "+", "%20"))
	const place = "/.well-known/openpgpkey/"
	advanced = "https://openpgpkey." + domain + place + strings.ToLower(domain) + "/" + page
	return advanced, "https://" + domain + place + page
}
