package sign

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

func newRepo(t *testing.T) *repo.Repo {
	t.Helper()
	r, err := repo.Init(filepath.Join(t.TempDir(), "repo"), repo.InitOptions{Mode: repo.Archive})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// gpgHome makes a key without a passphrase and returns its home directory and
// public key.
func gpgHome(t *testing.T, expire string) (home string, key []byte) {
	t.Helper()
	gpg := treetest.Oracle(t, "gpg")
	home, err := os.MkdirTemp("", "gpg") // the agent's socket needs a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	out, err := exec.Command(gpg, "--homedir", home, "--batch", "--passphrase", "", "--quick-generate-key", "tester@example.com", "ed25519", "sign", expire).CombinedOutput()
	if err != nil {
		t.Fatalf("gpg: %v\n%s", err, out)
	}
	key, err = exec.Command(gpg, "--homedir", home, "--export").Output()
	if err != nil {
		t.Fatal(err)
	}
	return home, key
}

func TestGPG(t *testing.T) {
	treetest.Oracle(t, "ostree")
	home, key := gpgHome(t, "1y")
	_, other := gpgHome(t, "1y")
	r := newRepo(t)
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644)
	sum := treetest.Run(t, "ostree", "--repo="+r.Path(), "commit", "-b", "x", "--gpg-sign=tester@example.com", "--gpg-homedir="+home, dir)
	treetest.Run(t, "ostree", "--repo="+r.Path(), "summary", "-u", "--gpg-sign=tester@example.com", "--gpg-homedir="+home)
	c, err := ostree.ParseChecksum(sum)
	if err != nil {
		t.Fatal(err)
	}
	commit, err := r.ReadMetadata(ostree.ObjectCommit, c)
	if err != nil {
		t.Fatal(err)
	}
	detached, err := r.DetachedMetadata(c)
	if err != nil {
		t.Fatal(err)
	}
	summary, sig, err := r.ReadSummary()
	if err != nil {
		t.Fatal(err)
	}
	r.AddRemote("good", [][2]string{{"url", "http://x"}, {"gpg-verify-summary", "true"}})
	r.AddRemote("other", [][2]string{{"url", "http://x"}, {"gpg-verify-summary", "true"}})
	path := filepath.Join(t.TempDir(), "key.gpg")
	os.WriteFile(path, key, 0o644)
	r.AddRemote("path", [][2]string{{"url", "http://x"}, {"gpg-verify-summary", "true"}, {"gpgkeypath", path}})
	os.WriteFile(filepath.Join(r.Path(), "good.trustedkeys.gpg"), key, 0o644)
	os.WriteFile(filepath.Join(r.Path(), "other.trustedkeys.gpg"), other, 0o644)
	v := NewVerifier(r)
	changed := append([]byte(nil), commit...)
	changed[10] ^= 1
	for _, tt := range []struct {
		remote           string
		commit, detached []byte
		want             string
	}{
		{"good", commit, detached, ""},
		{"path", commit, detached, ""},
		{"good", changed, detached, "BAD signature from"},
		{"good", commit, nil, "no signatures found"},
		{"other", commit, detached, "public key not found"},
	} {
		m, err := r.Remote(tt.remote)
		if err != nil {
			t.Fatal(err)
		}
		check(t, tt.remote, v.VerifyCommit(m, tt.commit, tt.detached), tt.want)
	}
	good, _ := r.Remote("good")
	bad, _ := r.Remote("other")
	check(t, "summary", v.VerifySummary(good, summary, sig), "")
	check(t, "summary, other key", v.VerifySummary(bad, summary, sig), "public key not found")
	check(t, "summary without signature", v.VerifySummary(good, summary, nil), "no signatures found")
	check(t, "no summary", v.VerifySummary(good, nil, sig), "BAD signature from")
	v.now = func() time.Time { return time.Now().AddDate(2, 0, 0) }
	check(t, "expired key", v.VerifyCommit(good, commit, detached), "Key expired")
	if report, err := r.Fsck(context.Background(), repo.FsckOptions{}); err != nil || report.Err() != nil {
		t.Errorf("fsck: %v, %v", report, err)
	}
}

// TestExportGPG: a keyring without keys is none, and no other failure of gpg passes for it.
func TestExportGPG(t *testing.T) {
	treetest.Oracle(t, "gpg")
	dir, fake, none := t.TempDir(), t.TempDir(), t.TempDir()
	broken := filepath.Join(dir, "broken")
	for name, content := range map[string]string{filepath.Join(dir, "file"): "", filepath.Join(broken, "pubring.kbx"): "neither keybox nor keys", filepath.Join(fake, "gpg"): "#!/bin/sh\nkill -9 $$\n"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(content), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	path := os.Getenv("PATH")
	for _, tt := range []struct{ what, home, path, want string }{
		{"an empty keyring", none, path, ""},
		{"no directory", filepath.Join(dir, "nowhere"), path, "No such file or directory"},
		{"a file for a directory", filepath.Join(dir, "file"), path, "Not a directory"},
		{"a broken keyring", broken, path, "gpg: exit status 2: gpg: key export failed: "},
		{"gpg is killed", none, fake, "gpg: signal: killed"},
		{"there is no gpg", none, none, "the program gpg, which is not installed"},
	} {
		t.Setenv("GNUPGHOME", tt.home)
		t.Setenv("PATH", tt.path)
		keys, err := ExportGPG(t.Context())
		if check(t, tt.what, err, tt.want); len(keys) > 0 {
			t.Errorf("%s: %d bytes of keys", tt.what, len(keys))
		}
		if tt.path == path {
			continue
		}
		_, err = NewGPGSigner("somebody", "").Sign(t.Context(), nil)
		check(t, tt.what+", to sign", err, tt.want)
	}
}

func check(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: error %v, want %q", what, err, want)
	}
}

func TestEd25519(t *testing.T) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, _ := ed25519.GenerateKey(nil)
	commit := []byte("any bytes")
	var d gvariant.Dict
	d.Set(MetadataKey(Ed25519), gvariant.Array("ay", gvariant.Bytes(make([]byte, 64)), gvariant.Bytes(ed25519.Sign(priv, commit))))
	detached := d.Value().Bytes()
	var unsigned gvariant.Dict
	unsigned.Set("other.key", gvariant.Bool(true))
	file := filepath.Join(t.TempDir(), "keys")
	os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(other)+"\n"+base64.StdEncoding.EncodeToString(pub)+"\n"), 0o644)
	for _, tt := range []struct {
		name, want string
		detached   []byte
		keys       [][2]string
	}{
		{"inline", "", detached, [][2]string{{"sign-verify", "true"}, {"verification-ed25519-key", base64.StdEncoding.EncodeToString(pub)}}},
		{"file", "", detached, [][2]string{{"sign-verify", "ed25519"}, {"verification-ed25519-file", file}}},
		{"wrong", "couldn't be verified with: key '", detached, [][2]string{{"sign-verify", "true"}, {"verification-ed25519-key", base64.StdEncoding.EncodeToString(other)}}},
		{"short", "expected 32 bytes, got 2 bytes", detached, [][2]string{{"sign-verify", "true"}, {"verification-ed25519-key", "AAA="}}},
		{"none", "No keys found for required signapi type ed25519", detached, [][2]string{{"sign-verify", "ed25519"}}},
		{"spki", "No keys found for required signapi type spki", detached, [][2]string{{"sign-verify", "spki"}}},
		{"unknown", "Requested signature type is not implemented", detached, [][2]string{{"sign-verify", "nosuch"}}},
		{"unsigned", "No signatures found", unsigned.Value().Bytes(), [][2]string{{"sign-verify", "true"}, {"verification-ed25519-file", file}}},
		{"no metadata", "without detached metadata", nil, [][2]string{{"sign-verify", "true"}, {"verification-ed25519-file", file}}},
	} {
		r := newRepo(t)
		if err := r.AddRemote("o", append(tt.keys, [2]string{"gpg-verify", "false"}, [2]string{"url", "http://x"})); err != nil {
			t.Fatal(err)
		}
		m, err := r.Remote("o")
		if err != nil {
			t.Fatal(err)
		}
		check(t, tt.name, NewVerifier(r).VerifyCommit(m, commit, tt.detached), tt.want)
	}
}

func FuzzDetached(f *testing.F) {
	f.Add([]byte{})
	var d gvariant.Dict
	d.Set(ostree.KeyGPGSigs, gvariant.Array("ay", gvariant.Bytes([]byte{0x88, 2, 4, 0})))
	f.Add(d.Value().Bytes())
	r, err := repo.Init(filepath.Join(f.TempDir(), "repo"), repo.InitOptions{Mode: repo.Archive})
	if err != nil {
		f.Fatal(err)
	}
	if err := r.AddRemote("o", [][2]string{{"url", "http://x"}}); err != nil {
		f.Fatal(err)
	}
	m, err := r.Remote("o")
	if err != nil {
		f.Fatal(err)
	}
	v := NewVerifier(r)
	f.Fuzz(func(t *testing.T, detached []byte) {
		if err := v.VerifyCommit(m, []byte("commit"), detached); err == nil {
			t.Error("accepted")
		}
	})
}
