package core_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/core"
	"rpmostree/internal/openpgp"
	"rpmostree/ostree/repo"
	"rpmostree/rpm"
	"rpmostree/rpmmd"
)

// fetch resolves and fetches packages, and keeps those that were imported.
func (l *lab) fetch(config rpmmd.RepoConfig, packages ...string) error {
	l.t.Helper()
	plan, err := l.core.Prepare(l.t.Context(), core.Spec{Install: packages, Repos: []rpmmd.RepoConfig{config}})
	if err != nil {
		l.t.Fatal(err)
	}
	tx, err := l.repo.Begin(l.t.Context(), repo.TransactionOptions{NoFsync: true})
	if err != nil {
		l.t.Fatal(err)
	}
	defer tx.Abort()
	if _, err := l.core.Fetch(l.t.Context(), tx, plan); err != nil {
		return err
	}
	_, err = tx.Commit()
	return err
}

// Packages of a repository with gpgcheck=1 must be signed by one of its keys, or, if it names none,
// by one of the system's.
func TestSignedPackages(t *testing.T) {
	l := newLab(t)
	var keys []string
	signer := func() func([]byte) ([]byte, error) {
		s, err := openpgp.NewSigner("test", openpgp.SignerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		key, err := s.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(key))
		return func(header []byte) ([]byte, error) { return s.Sign(bytes.NewReader(header)) }
	}
	first, second := signer(), signer()
	l.build(rpm.Builder{Name: "signed", Sign: first})
	l.build(rpm.Builder{Name: "other", Sign: second})
	l.build(rpm.Builder{Name: "unsigned"})
	l.index()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l.core.Root = filepath.Join(l.dir, "root")
	write(filepath.Join(l.core.Root, "etc/first.asc"), keys[0])
	for _, tt := range []struct{ name, gpgkey, want string }{
		{"signed", "", "no gpgkey= is configured, and there are no keys in /etc/pki/rpm-gpg"},
		{"unsigned", "file:///etc/first.asc", "no verified signature"},
		{"other", "file:///etc/first.asc", "NOKEY"},
		{"signed", "file:///etc/missing.asc", "missing.asc"},
		{"signed", "file:///etc/first.asc", ""},
		// What was imported was verified, and needs no key.
		{"signed", "file:///etc/missing.asc", ""},
	} {
		config := l.repos()[0]
		config.GPGCheck = true
		if tt.gpgkey != "" {
			config.GPGKey = []string{tt.gpgkey}
		}
		err := l.fetch(config, tt.name)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s with %q: %v, want %q", tt.name, tt.gpgkey, err, tt.want)
		}
	}
	write(filepath.Join(l.core.Root, "etc/pki/rpm-gpg/RPM-GPG-KEY-second"), keys[1])
	write(filepath.Join(l.core.Root, "etc/pki/rpm-gpg/README"), "no key")
	if err := os.Symlink("RPM-GPG-KEY-second", filepath.Join(l.core.Root, "etc/pki/rpm-gpg/RPM-GPG-KEY-link")); err != nil {
		t.Fatal(err)
	}
	config := l.repos()[0]
	config.GPGCheck = true
	if err := l.fetch(config, "other"); err != nil {
		t.Error(err)
	}
	if err := l.fetch(config, "unsigned"); err == nil {
		t.Error("an unsigned package was taken")
	}
	config.GPGCheck = false
	if err := l.fetch(config, "unsigned"); err != nil {
		t.Error(err)
	}
}
