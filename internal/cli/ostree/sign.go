package ostree

import (
	"errors"
	"fmt"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
)

// signOptions are the keys that a command signs with.
type signOptions struct {
	gpg, keys, files []string
	homedir, typ     string
}

// signing adds the options of a command that signs what it makes. Without "files"
// keys come from the command line only.
func (c *command) signing(o *signOptions, what string, files bool) {
	c.list(&o.gpg, "gpg-sign", 0, "KEY-ID", "GPG Key ID to sign the "+what+" with")
	c.file(&o.homedir, "gpg-homedir", 0, "HOMEDIR", "GPG Homedir to use when looking for keyrings")
	c.list(&o.keys, "sign", 0, "KEY-ID", "Sign the "+what+" with")
	if files {
		c.list(&o.files, "sign-from-file", 0, "PATH", "Sign the "+what+" with key from the provided file")
	}
	c.str(&o.typ, "sign-type", 0, "NAME", "Signature type to use (defaults to 'ed25519')")
}

// signers returns what signs, in the order in which signatures are added: keys of
// the command line, of files (the first in each), and of GPG.
func (o *signOptions) signers() ([]sign.Signer, error) {
	typ := signType(o.typ)
	var out []sign.Signer
	for _, key := range o.keys {
		s, err := sign.NewSigner(typ, key)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	for _, path := range o.files {
		list, err := sign.ReadSigners(typ, path)
		if err != nil {
			return nil, err
		}
		out = append(out, list[0])
	}
	for _, key := range o.gpg {
		out = append(out, sign.NewGPGSigner(key, o.homedir))
	}
	return out, nil
}

// signType is the type of signature that an option names, or the default.
func signType(name string) string {
	if name == "" {
		return sign.Ed25519
	}
	return name
}

// verifyOptions are the public keys that a command verifies with.
type verifyOptions struct{ typ, file, dir string }

func (c *command) verifying(o *verifyOptions) {
	c.str(&o.typ, "sign-type", 's', "NAME", "Signature type to use (defaults to 'ed25519')")
	c.str(&o.file, "keys-file", 0, "NAME", "Read keys from file")
	c.str(&o.dir, "keys-dir", 0, "NAME", "Redefine system-wide directories with public and revoked keys for verification")
}

// verify looks for a key that check accepts and returns its message: first one by
// one those given as arguments, then those of the file or, without arguments, of
// the system.
func (o *verifyOptions) verify(keys []string, check func(*sign.KeySet) (string, error)) (string, error) {
	typ := signType(o.typ)
	if err := sign.Known(typ); err != nil {
		return "", err
	}
	for _, key := range keys {
		set, err := sign.NewKeySet(typ)
		if err != nil || set.Add(key) != nil {
			continue
		}
		if message, err := check(set); err == nil {
			return message, nil
		}
	}
	if len(keys) > 0 && o.file == "" {
		return "", errors.New("No valid signatures found")
	}
	set, err := sign.NewKeySet(typ)
	if err == nil {
		if o.file != "" {
			err = set.AddFile(o.file)
		} else {
			err = set.AddSystem(o.dir)
		}
	}
	if err != nil {
		return "", err
	}
	return check(set)
}

func signCommand() *command {
	c := &command{name: "sign", args: "COMMIT KEY-ID...", about: "Sign a commit", scope: repoScope}
	del, verify := false, false
	var o verifyOptions
	c.flag(&del, "delete", 'd', "Delete signatures having any of the KEY-IDs")
	c.flag(&verify, "verify", 0, "Verify signatures")
	c.verifying(&o)
	c.run = func(e *env) error {
		switch {
		case len(e.args) == 0:
			return usagef("Need a COMMIT to sign or verify")
		case !verify && o.file == "" && len(e.args) < 2:
			return usagef("Need at least one KEY-ID to sign with")
		}
		sum, err := e.repo.ResolveRev(e.args[0])
		if err != nil {
			return err
		}
		keys := e.args[1:]
		switch {
		case verify:
			message, err := o.verify(keys, func(set *sign.KeySet) (string, error) { return sign.VerifyCommit(e.repo, sum, set) })
			if err == nil {
				e.printf("%s\n", message)
			}
			return err
		case del:
			return e.deleteSignatures(sum, &o, keys)
		}
		return e.signCommit(sum, &o, keys)
	}
	return c
}

// signCommit signs with secret keys from the command line and from a file.
func (e *env) signCommit(sum ostree.Checksum, o *verifyOptions, keys []string) error {
	if err := e.writable(); err != nil {
		return err
	}
	signers, err := (&signOptions{keys: keys, typ: o.typ}).signers()
	if err != nil {
		return err
	}
	if o.file != "" {
		list, err := sign.ReadSigners(signType(o.typ), o.file)
		if err != nil {
			return err
		}
		signers = append(signers, list...)
	}
	return sign.SignCommit(e.ctx, e.repo, sum, signers...)
}

// deleteSignatures removes the signatures that public keys have made.
func (e *env) deleteSignatures(sum ostree.Checksum, o *verifyOptions, keys []string) error {
	if err := e.writable(); err != nil {
		return err
	}
	set, err := sign.NewKeySet(signType(o.typ))
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := set.Add(key); err != nil {
			return err
		}
	}
	if o.file != "" {
		if err := set.AddFile(o.file); err != nil {
			return err
		}
	}
	n, err := sign.Delete(e.ctx, e.repo, sum, set)
	if err == nil {
		e.printf("Signatures deleted: %d\n", n)
	}
	return err
}

func gpgSignCommand() *command {
	c := &command{name: "gpg-sign", args: "COMMIT KEY-ID...", about: "Sign a commit", scope: repoScope}
	del, homedir := false, ""
	c.flag(&del, "delete", 'd', "Delete signatures having any of the GPG KEY-IDs")
	c.file(&homedir, "gpg-homedir", 0, "HOMEDIR", "GPG Homedir to use when looking for keyrings")
	c.run = func(e *env) error {
		switch len(e.args) {
		case 0:
			return usagef("Need a COMMIT to sign")
		case 1:
			return usagef("Need at least one GPG KEY-ID to sign with")
		}
		sum, err := e.repo.ResolveRev(e.args[0])
		if err == nil {
			err = e.writable()
		}
		if err != nil {
			return err
		}
		if del {
			n, err := sign.DeleteGPG(e.ctx, e.repo, sum, e.args[1:])
			if err == nil {
				e.printf("Signatures deleted: %d\n", n)
			}
			return err
		}
		signers, err := (&signOptions{gpg: e.args[1:], homedir: homedir}).signers()
		if err != nil {
			return err
		}
		return sign.SignCommit(e.ctx, e.repo, sum, signers...)
	}
	return c
}

// printSignatures prints what is known about OpenPGP signatures under a title.
// That there are none is no error.
func (e *env) printSignatures(res *sign.GPGResult, err error, title func(n int, plural string) string) error {
	if errors.Is(err, sign.ErrNoSignatures) {
		return nil
	}
	if err != nil {
		return err
	}
	n, plural := len(res.Signatures), "s"
	if n == 1 {
		plural = ""
	}
	e.printf("%s%s", title(n, plural), res.Describe("  "))
	return nil
}

// printCommitSignatures prints those of a commit, checked with the keys of a
// remote or, without one, of all and of a directory of GnuPG.
func (e *env) printCommitSignatures(sum ostree.Checksum, remote, homedir string) error {
	o := sign.GPGOptions{Homedir: homedir}
	if remote != "" {
		var m *repo.Remote
		var err error
		if m, err = e.remote(remote); err != nil {
			return err
		}
		o = sign.GPGOptions{Remote: m}
	}
	res, err := sign.CheckCommit(e.repo, sum, o)
	return e.printSignatures(res, err, func(n int, plural string) string {
		return fmt.Sprintf("Found %d signature%s:\n", n, plural)
	})
}
