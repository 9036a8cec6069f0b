package sign

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// edKeys are secret keys that are the same in each run.
func edKeys(n int) (public []string, secret []ed25519.PrivateKey) {
	for i := range n {
		seed := make([]byte, ed25519.SeedSize)
		seed[0] = byte(i + 1)
		key := ed25519.NewKeyFromSeed(seed)
		secret = append(secret, key)
		public = append(public, base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
	}
	return public, secret
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSystemKeys trusts the keys of directories, but for those that are revoked.
func TestSystemKeys(t *testing.T) {
	public, secret := edKeys(6)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"trusted.ed25519":           "\n" + public[0] + "\n  " + public[1] + "  \n",
		"trusted.ed25519.d/garbage": "garbage\n\x00\xff\n",
		"trusted.ed25519.d/two":     "AAAA\n" + public[2] + "\n" + public[3] + "\n",
		"trusted.ed25519.d/sub/key": public[5] + "\n", // not looked at
		"revoked.ed25519":           public[1] + "\n",
		"revoked.ed25519.d/one":     public[3] + "\n",
	})
	keys, err := NewKeySet(Ed25519)
	if err == nil {
		err = keys.AddSystem(dir)
	}
	if err != nil || keys.Len() != 4 {
		t.Fatal(keys.Len(), err)
	}
	data := []byte("any bytes")
	for i, ok := range []bool{true, false, true, false, false, false} {
		sig := ed25519.Sign(secret[i], data)
		said, err := keys.Verify(data, [][]byte{sig})
		want := "ed25519: Signature verified successfully with key '" + hex.EncodeToString(secret[i][32:]) + "'"
		if ok && (err != nil || said != want) || !ok && err == nil {
			t.Errorf("key %d: %q, %v", i, said, err)
		}
		if _, err := keys.Verify([]byte("other bytes"), [][]byte{sig}); err == nil {
			t.Errorf("key %d: good for other bytes", i)
		}
	}
	for name, tt := range map[string]struct {
		sigs [][]byte
		want string
	}{
		"none":     {nil, "ed25519: commit have no signatures of my type"},
		"empty":    {[][]byte{}, "ed25519: no signatures found"},
		"short":    {[][]byte{{1, 2}}, "Invalid signature: Ill-formed input: expected 64 bytes, got 2 bytes"},
		"one":      {[][]byte{make([]byte, 64)}, "ed25519: Signature couldn't be verified with: key '" + hex.EncodeToString(secret[2][32:]) + "'; key '" + hex.EncodeToString(secret[0][32:]) + "'"},
		"too many": {[][]byte{make([]byte, 64), make([]byte, 64)}, "ed25519: Signature couldn't be verified; tried 4 keys"},
	} {
		if _, err := keys.Verify(data, tt.sigs); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	for name, files := range map[string]map[string]string{"nothing": nil, "revoked only": {"revoked.ed25519": public[0]}, "garbage": {"trusted.ed25519": "garbage"}} {
		dir := t.TempDir()
		writeFiles(t, dir, files)
		none, err := NewKeySet(Ed25519)
		if err == nil {
			err = none.AddSystem(dir)
		}
		if err == nil || err.Error() != "signature: ed25519: no keys loaded" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// openssl makes keys, and the signatures of SPKI.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// TestSPKI lets OpenSSL verify what we sign, and the other way round, with keys of all kinds.
func TestSPKI(t *testing.T) {
	treetest.Oracle(t, "openssl")
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"data": "any bytes", "other": "other bytes"})
	data := []byte("any bytes")
	kinds := []string{"ed25519", "ed448", "rsa", "ec"}
	for _, kind := range kinds {
		how := map[string][]string{"ed25519": {"-algorithm", "ed25519"}, "ed448": {"-algorithm", "ed448"}, "rsa": {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, "ec": {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}}
		openssl(t, dir, append([]string{"genpkey", "-out", kind + ".pem"}, how[kind]...)...)
		openssl(t, dir, "pkey", "-in", kind+".pem", "-pubout", "-out", kind+".pub")
		// raw tells that there is no digest.
		raw := strings.HasPrefix(kind, "ed")
		if raw {
			openssl(t, dir, "pkeyutl", "-sign", "-inkey", kind+".pem", "-rawin", "-in", "data", "-out", kind+".sig")
		} else {
			openssl(t, dir, "dgst", "-sha256", "-sign", kind+".pem", "-out", kind+".sig", "data")
		}
		sig, err := os.ReadFile(filepath.Join(dir, kind+".sig"))
		if err != nil {
			t.Fatal(err)
		}
		keys, err := NewKeySet(SPKI)
		if err == nil {
			err = keys.AddFile(filepath.Join(dir, kind+".pub"))
		}
		if err != nil || keys.Len() != 1 {
			t.Fatal(kind, keys.Len(), err)
		}
		said, err := keys.Verify(data, [][]byte{sig})
		if err != nil || !strings.HasPrefix(said, "spki: Signature verified successfully with key '30") {
			t.Errorf("%s: %q, %v", kind, said, err)
		}
		if _, err := keys.Verify([]byte("other bytes"), [][]byte{sig}); err == nil || !strings.HasPrefix(err.Error(), "spki: Signature couldn't be verified with: key '30") {
			t.Errorf("%s, other bytes: %v", kind, err)
		}
		for i := range sig {
			bad := append([]byte(nil), sig...)
			bad[i] ^= 1
			if _, err := keys.Verify(data, [][]byte{bad, sig[:i], append(sig[:len(sig):len(sig)], byte(i))}); err == nil {
				t.Errorf("%s: byte %d does not matter", kind, i)
			}
		}
		signers, err := ReadSigners(SPKI, filepath.Join(dir, kind+".pem"))
		if err != nil || len(signers) != 1 {
			t.Fatal(kind, signers, err)
		}
		ours, err := signers[0].Sign(context.Background(), data)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "ours"), ours, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if raw {
			openssl(t, dir, "pkeyutl", "-verify", "-pubin", "-inkey", kind+".pub", "-rawin", "-in", "data", "-sigfile", "ours")
		} else {
			openssl(t, dir, "dgst", "-sha256", "-verify", kind+".pub", "-signature", "ours", "data")
		}
	}
	// One key does not verify for another one, of whatever kind.
	for _, kind := range kinds {
		sig, err := os.ReadFile(filepath.Join(dir, kind+".sig"))
		if err != nil {
			t.Fatal(err)
		}
		keys, err := NewKeySet(SPKI)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range kinds {
			if other != kind {
				if err := keys.AddFile(filepath.Join(dir, other+".pub")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := keys.Verify(data, [][]byte{sig}); err == nil {
			t.Errorf("%s: good for another key", kind)
		}
	}
	openssl(t, dir, "genpkey", "-out", "short.pem", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:768")
	openssl(t, dir, "pkey", "-in", "short.pem", "-pubout", "-out", "short.pub")
	openssl(t, dir, "dgst", "-sha256", "-sign", "short.pem", "-out", "short.sig", "data")
	keys, err := NewKeySet(SPKI)
	if err == nil {
		err = keys.AddFile(filepath.Join(dir, "short.pub"))
	}
	sig, err2 := os.ReadFile(filepath.Join(dir, "short.sig"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if _, err := keys.Verify(data, [][]byte{sig}); err == nil {
		t.Error("a short key was relied on")
	}
}

// TestGlobalKeys trusts the keys of all remotes where the remote has none of its own.
func TestGlobalKeys(t *testing.T) {
	r := newRepo(t)
	dir := t.TempDir()
	t.Setenv("OSTREE_GPG_HOME", dir)
	_, key := gpgHome(t, "1y")
	writeFiles(t, dir, map[string]string{"a.gpg": string(key), "b.asc": "not looked at", "trustdb.gpg": "no keys", "c.gpg": "garbage"})
	for name, keys := range map[string][][2]string{"own": {{"url", "http://x"}}, "none": {{"url", "http://x"}}} {
		if err := r.AddRemote(name, keys); err != nil {
			t.Fatal(err)
		}
	}
	writeFiles(t, r.Path(), map[string]string{"own.trustedkeys.gpg": ""})
	for name, want := range map[string]int{"own": 0, "none": 1} {
		m, err := r.Remote(name)
		if err != nil {
			t.Fatal(err)
		}
		ring, err := Keyring(r, m)
		if err != nil || len(ring.Keys()) != want {
			t.Errorf("%s: %d keys, want %d, %v", name, len(ring.Keys()), want, err)
		}
	}
	t.Setenv("OSTREE_GPG_HOME", filepath.Join(dir, "nope"))
	m, err := r.Remote("none")
	if err != nil {
		t.Fatal(err)
	}
	if ring, err := Keyring(r, m); err != nil || len(ring.Keys()) != 0 {
		t.Errorf("no directory: %v, %v", ring.Keys(), err)
	}
	// Keys of files and directories, in both forms.
	writeFiles(t, dir, map[string]string{"keys/binary": string(key), "keys/sub/x": "not looked at"})
	for paths, want := range map[string]string{
		dir + "/keys": "", dir + "/a.gpg;" + dir + "/keys": "", dir + "/a.gpg," + dir + "/keys/": "",
		dir + "/nope":                  "GPG: opendir(" + dir + "/nope): ",
		dir + "/a.gpg;b," + dir + "/c": "key value list contains more than one separator",
	} {
		if err := r.ReplaceRemote("none", [][2]string{{"url", "http://x"}, {"gpgkeypath", paths}}); err != nil {
			t.Fatal(err)
		}
		m, err := r.Remote("none")
		if err != nil {
			t.Fatal(err)
		}
		ring, err := Keyring(r, m)
		if got := fmt.Sprint(err); want == "" && (err != nil || len(ring.Keys()) != 1) || want != "" && !strings.HasPrefix(got, want) {
			t.Errorf("%s: %v", paths, err)
		}
	}
}
