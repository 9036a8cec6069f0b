package core_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/core"
	"rpmostree/internal/core/pkgcache"
	"rpmostree/internal/openpgp"
	"rpmostree/ostree/repo"
	"rpmostree/rpm"
	"rpmostree/rpmmd"
)

// fetch resolves and fetches packages, and keeps those that were imported, also when
// others failed.
func (l *lab) fetch(config rpmmd.RepoConfig, packages ...string) error {
	l.t.Helper()
	return l.fetchAndKeep(true, config, packages...)
}

// verify is fetch that keeps nothing.
func (l *lab) verify(config rpmmd.RepoConfig, packages ...string) error {
	l.t.Helper()
	return l.fetchAndKeep(false, config, packages...)
}

func (l *lab) fetchAndKeep(keep bool, config rpmmd.RepoConfig, packages ...string) error {
	l.t.Helper()
	plan, err := l.core.Prepare(l.t.Context(), core.Spec{Install: packages, Repos: []rpmmd.RepoConfig{config}})
	if err != nil {
		return err
	}
	tx, err := l.repo.Begin(l.t.Context(), repo.TransactionOptions{NoFsync: true})
	if err != nil {
		l.t.Fatal(err)
	}
	defer tx.Abort()
	_, err = l.core.Fetch(l.t.Context(), tx, plan)
	if keep {
		_, commitErr := tx.Commit()
		err = errors.Join(err, commitErr)
	}
	return err
}

// imported returns the packages that were imported.
func (l *lab) imported() (names []string) {
	l.t.Helper()
	refs, err := l.repo.LocalRefs()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, r := range refs {
		if n, ok := strings.CutPrefix(r.Name, pkgcache.RefPrefix); ok {
			names = append(names, n)
		}
	}
	return names
}

// newSigner returns a function that signs packages, and its key.
func newSigner(t *testing.T) (sign func([]byte) ([]byte, error), key string) {
	t.Helper()
	s, err := openpgp.NewSigner("test", openpgp.SignerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return func(header []byte) ([]byte, error) { return s.Sign(bytes.NewReader(header)) }, string(b)
}

// write makes a file, and its directories.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// symlink makes a symbolic link, and its directories.
func symlink(t *testing.T, name, target string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// wantError complains unless err has the text want, or is none if that is empty.
func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: error %v, want %q", what, err, want)
	}
}

// Packages of a repository with gpgcheck=1 must be signed by one of its keys, or, if it names none,
// by one of the system's.
func TestSignedPackages(t *testing.T) {
	l := newLab(t)
	first, firstKey := newSigner(t)
	second, secondKey := newSigner(t)
	foreign, _ := newSigner(t)
	l.build(rpm.Builder{Name: "signed", Sign: first})
	l.build(rpm.Builder{Name: "other", Sign: second})
	l.build(rpm.Builder{Name: "foreign", Sign: foreign})
	l.build(rpm.Builder{Name: "unsigned"})
	l.index()
	l.core.Root = filepath.Join(l.dir, "root")
	write(t, filepath.Join(l.core.Root, "etc/first.asc"), firstKey)
	for _, tt := range []struct{ name, gpgkey, want string }{
		{"signed", "", "no gpgkey= is configured, and there are no keys in /etc/pki/rpm-gpg"},
		{"unsigned", "file:///etc/first.asc", "no verified signature"},
		{"other", "file:///etc/first.asc", "NOKEY"},
		{"signed", "file:///etc/missing.asc", "missing.asc"},
		{"signed", "file:///etc/first.asc", ""},
		// What was imported needs no key: it is not read again.
		{"signed", "file:///etc/missing.asc", ""},
	} {
		config := l.repos()[0]
		config.GPGCheck = true
		if tt.gpgkey != "" {
			config.GPGKey = []string{tt.gpgkey}
		}
		wantError(t, tt.name+" with "+tt.gpgkey, l.fetch(config, tt.name), tt.want)
	}
	write(t, filepath.Join(l.core.Root, "etc/pki/rpm-gpg/RPM-GPG-KEY-second"), secondKey)
	write(t, filepath.Join(l.core.Root, "etc/pki/rpm-gpg/README"), "no key")
	before := l.imported()
	config := l.repos()[0]
	config.GPGCheck = true
	wantError(t, "foreign with the system's keys", l.fetch(config, "foreign"), "NOKEY")
	wantError(t, "unsigned with the system's keys", l.fetch(config, "unsigned"), "no verified signature")
	if got := l.imported(); !slices.Equal(got, before) {
		t.Errorf("imported %q, before the keys were found wrong %q", got, before)
	}
	wantError(t, "other with the system's keys", l.fetch(config, "other"), "")
	config.GPGCheck = false
	wantError(t, "unsigned, unchecked", l.fetch(config, "unsigned"), "")
	// As upstream: signatures are verified at the import, and it was one without gpgcheck.
	config.GPGCheck = true
	wantError(t, "unsigned, imported before", l.fetch(config, "unsigned"), "")
}

// Keys are files of the system that is changed, however they are named, and never those
// of the one that runs.
func TestKeysOfRoot(t *testing.T) {
	l := newLab(t)
	sign, key := newSigner(t)
	l.build(rpm.Builder{Name: "signed", Sign: sign})
	l.index()
	l.core.Root = filepath.Join(l.dir, "root")
	outside := filepath.Join(l.dir, "outside")
	write(t, filepath.Join(outside, "key.asc"), key)
	write(t, filepath.Join(l.core.Root, "etc/key.asc"), key)
	symlink(t, filepath.Join(l.core.Root, "etc/absolute.asc"), "/etc/key.asc")
	symlink(t, filepath.Join(l.core.Root, "etc/relative.asc"), "../../../../../etc/key.asc")
	symlink(t, filepath.Join(l.core.Root, "etc/outside.asc"), filepath.Join(outside, "key.asc"))
	config := l.repos()[0]
	config.GPGCheck = true
	const missing = "no such file or directory"
	for gpgkey, want := range map[string]string{
		"/etc/key.asc":                         "",
		"file:/etc/key.asc":                    "",
		"file:///etc/key.asc":                  "",
		"FILE:///etc/key.asc":                  "",
		"file://localhost/etc/key.asc":         "",
		"file:///etc/%6bey.asc":                "",
		"file:///%2e%2e/%2E%2e/etc/key.asc":    "",
		"file:///etc/absolute.asc":             "",
		"file:///etc/relative.asc":             "",
		"file:///etc/outside.asc":              missing,
		outside + "/key.asc":                   missing,
		"file:" + outside + "/key.asc":         missing,
		"FILE://" + outside + "/key.asc":       missing,
		l.core.Root + "/../outside/key.asc":    missing,
		"file:///%2e%2e/outside/key.asc":       missing,
		"file://elsewhere/etc/key.asc":         "of another host",
		"file://" + l.core.Root + "/etc/k.asc": missing,
	} {
		config.GPGKey = []string{gpgkey}
		wantError(t, gpgkey, l.verify(config, "signed"), want)
	}
	l.core.Var = filepath.Join(l.dir, "state")
	write(t, filepath.Join(l.core.Var, "lib/key.asc"), key)
	write(t, filepath.Join(l.core.Root, "var/key.asc"), key)
	config.GPGKey = []string{"file:///var/lib/key.asc"}
	wantError(t, "a key in /var", l.verify(config, "signed"), "")
	config.GPGKey = []string{"file:///var/key.asc"}
	wantError(t, "a key below the mount point of /var", l.verify(config, "signed"), missing)
	l.core.Root, l.core.Var, config.GPGKey = "/", "", []string{outside + "/key.asc"}
	wantError(t, "a key of the running system", l.verify(config, "signed"), "")
	l.core.Root = filepath.Join(l.dir, "root")
	config.GPGKey = nil
	const none = "there are no keys in /etc/pki/rpm-gpg"
	keyDir := filepath.Join(l.core.Root, "etc/pki/rpm-gpg")
	symlink(t, keyDir, outside)
	wantError(t, "a directory of the host", l.verify(config, "signed"), none)
	os.Remove(keyDir)
	symlink(t, filepath.Join(keyDir, "key"), filepath.Join(outside, "key.asc"))
	wantError(t, "a key of the host", l.verify(config, "signed"), none)
	symlink(t, filepath.Join(keyDir, "RPM-GPG-KEY"), "RPM-GPG-KEY-primary")
	symlink(t, filepath.Join(keyDir, "RPM-GPG-KEY-primary"), "/etc/key.asc")
	wantError(t, "keys that are links", l.verify(config, "signed"), "")
	os.RemoveAll(keyDir)
	write(t, filepath.Join(l.core.Root, "usr/share/keys/key"), key)
	symlink(t, keyDir, "/usr/share/keys")
	wantError(t, "a directory that is a link", l.verify(config, "signed"), "")

	// A certificate is looked for at the same place.
	config.SSL.CACert = filepath.Join(outside, "key.asc")
	wantError(t, "a certificate of the host", l.verify(config, "signed"), missing)
	config.SSL.CACert = "/etc/absolute.asc"
	wantError(t, "a certificate that is a key", l.verify(config, "signed"), filepath.Join(l.core.Root, "etc/key.asc")+": no certificates found")
}
