package sign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/ostree/repo"
)

// gpgSigner signs by running gpg, which has the secret keys and asks for their
// passphrases.
type gpgSigner struct{ key, homedir string }

// NewGPGSigner returns a Signer that runs the program gpg. The key is named by
// fingerprint, key ID or user ID; homedir is the directory of its keyrings, "" for
// the user's.
func NewGPGSigner(key, homedir string) Signer { return gpgSigner{key, homedir} }

func (s gpgSigner) Type() string { return GPG }

// Sign makes a detached signature in binary form.
func (s gpgSigner) Sign(ctx context.Context, data []byte) ([]byte, error) {
	primary, err := s.secretKey(ctx)
	if err != nil {
		return nil, err
	}
	sig, err := s.run(ctx, data, "--detach-sign", "--no-armor", "--local-user", primary)
	if err != nil {
		return nil, fmt.Errorf("Failure signing commit file: %w", err)
	}
	if len(sig) == 0 {
		return nil, errors.New("Failure signing commit file: gpg made no signature")
	}
	return sig, nil
}

// secretKey returns the fingerprint of the one key that the name selects; gpg then
// takes its newest subkey that signs.
func (s gpgSigner) secretKey(ctx context.Context) (string, error) {
	home := s.homedir
	if home == "" {
		home = "<default>"
	}
	if s.key == "" || strings.HasPrefix(s.key, "-") {
		return "", fmt.Errorf("Unable to lookup key ID %s: GPGME: Invalid value", s.key)
	}
	out, err := s.run(ctx, nil, "--with-colons", "--list-secret-keys", "--", s.key)
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.Exited()) { // status 2: there is none
		return "", err
	}
	keys := secretFingerprints(out)
	switch len(keys) {
	case 1:
		return keys[0], nil
	case 0:
		return "", fmt.Errorf("No gpg key found with ID %s (homedir: %s)", s.key, home)
	}
	return "", fmt.Errorf("gpg key id %s ambiguous (homedir: %s). Try the fingerprint instead", s.key, home)
}

// secretFingerprints returns the fingerprints of the primary keys in a listing
// with colons (GnuPG, doc/DETAILS): the "fpr" record after each "sec" record.
func secretFingerprints(listing []byte) []string {
	var keys []string
	primary := false
	for line := range strings.Lines(string(listing)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		switch {
		case fields[0] == "sec":
			primary = true
		case fields[0] == "ssb":
			primary = false
		case fields[0] == "fpr" && primary && len(fields) > 9:
			keys, primary = append(keys, fields[9]), false
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (s gpgSigner) run(ctx context.Context, in []byte, args ...string) ([]byte, error) {
	options := []string{"--batch", "--no-tty", "--status-fd", "2"}
	if s.homedir != "" {
		options = append(options, "--homedir", s.homedir)
	}
	cmd := exec.CommandContext(ctx, "gpg", append(options, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("the keys of a user are used by the program gpg, which is not installed")
	}
	if err != nil {
		err = fmt.Errorf("gpg: %w%s", err, lastMessage(diag.String()))
	}
	return out.Bytes(), err
}

// ExportGPG runs gpg for all public keys of the user's own keyring. There may be none:
// gpg takes that for success.
func ExportGPG(ctx context.Context) ([]byte, error) {
	return gpgSigner{}.run(ctx, nil, "--export")
}

// lastMessage returns ": " and the last line that gpg meant for people. Warnings do not
// say why it failed.
func lastMessage(diag string) string {
	last := ""
	for line := range strings.Lines(diag) {
		if !strings.HasPrefix(line, "[GNUPG:]") && !strings.HasPrefix(line, "gpg: WARNING: ") && strings.TrimSpace(line) != "" {
			last = ": " + strings.TrimSpace(line)
		}
	}
	return last
}

// refuseSecond returns an error if a key that GPG is to sign with has signed
// already.
func refuseSecond(r *repo.Repo, data []byte, meta gvariant.Value, s gpgSigner) error {
	res, err := CheckGPG(r, data, meta, GPGOptions{Homedir: s.homedir})
	if errors.Is(err, ErrNoSignatures) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, ok := res.signedBy(s.key); ok {
		return fmt.Errorf("Commit is already signed with GPG key %s", s.key)
	}
	return nil
}
