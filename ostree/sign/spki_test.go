package sign

import (
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// TestSPKIAgainstOpenSSL verifies signatures of OpenSSL, and has it verify ours, with keys of
// every algorithm.
func TestSPKIAgainstOpenSSL(t *testing.T) {
	treetest.Oracle(t, "openssl")
	for _, tt := range []struct {
		name            string
		generate, usual []string // options of genpkey, and of pkeyutl
	}{
		{"ed448", []string{"-algorithm", "ed448"}, nil},
		{"ed25519", []string{"-algorithm", "ed25519"}, nil},
		{"rsa", []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, []string{"-digest", "sha256"}},
		{"ecdsa", []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, []string{"-digest", "sha256"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			openssl := func(args ...string) { treetest.Run(t, "openssl", args...) }
			openssl(append([]string{"genpkey", "-out", at("secret")}, tt.generate...)...)
			openssl("pkey", "-in", at("secret"), "-pubout", "-out", at("public"))
			data := []byte("what is signed")
			if err := os.WriteFile(at("data"), data, 0o644); err != nil {
				t.Fatal(err)
			}
			use := append([]string{"pkeyutl", "-rawin", "-in", at("data")}, tt.usual...)

			signers, err := ReadSigners(SPKI, at("secret"))
			if err != nil || len(signers) != 1 {
				t.Fatal(signers, err)
			}
			sig, err := signers[0].Sign(t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at("ours"), sig, 0o644); err != nil {
				t.Fatal(err)
			}
			openssl(append(use, "-verify", "-pubin", "-inkey", at("public"), "-sigfile", at("ours"))...)

			openssl(append(use, "-sign", "-inkey", at("secret"), "-out", at("theirs"))...)
			theirs, err := os.ReadFile(at("theirs"))
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(at("public"))
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(text)
			file, inline := &KeySet{}, &KeySet{}
			for _, set := range []**KeySet{&file, &inline} {
				if *set, err = NewKeySet(SPKI); err != nil {
					t.Fatal(err)
				}
			}
			check(t, "file", file.AddFile(at("public")), "")
			check(t, "inline", inline.Add(base64.StdEncoding.EncodeToString(block.Bytes)), "")
			for _, set := range []*KeySet{file, inline} {
				message, err := set.Verify(data, [][]byte{theirs})
				if err != nil || !strings.HasPrefix(message, "spki: Signature verified successfully with key '") {
					t.Errorf("%q, %v", message, err)
				}
				_, err = set.Verify(append(data, '!'), [][]byte{theirs})
				check(t, "other data", err, "spki: Signature couldn't be verified with: key '")
				theirs[len(theirs)/2] ^= 1
				_, err = set.Verify(data, [][]byte{theirs})
				check(t, "another signature", err, "spki: Signature couldn't be verified with: key '")
				theirs[len(theirs)/2] ^= 1
			}
		})
	}
}

// FuzzKeys reads keys of all kinds, which sign nothing that was not signed.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMEMwBQYDK2VxAzoAX9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2\nm0bHBhvWeD3x5Q9s0foavq/oJWGA\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMEcCAQAwBQYDK2VxBDsEOWyCpWLLgI0Q1jK+ichRPr9skp803fqMn2PJlg7240ij\nUoyKP8wvBE45o/xblEkvjwMudUmiAJj5Ww==\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n# no key\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, typ := range []string{Ed25519, SPKI} {
			e, err := engineOf(typ)
			if err != nil {
				t.Fatal(err)
			}
			keys := [][]byte{data, e.text(string(data))}
			for _, secret := range []bool{false, true} {
				if more, err := e.file(data, secret); err == nil {
					keys = append(keys, more...)
				}
			}
			for _, key := range keys {
				if e.checkPublic(key) == nil {
					if ok, _ := e.verify(key, []byte("nothing of the kind"), data); ok {
						t.Errorf("%s: %x verifies", typ, key)
					}
				}
				if e.checkSecret(key) == nil {
					if _, err := e.sign(key, []byte("data")); err != nil {
						t.Errorf("%s: %x: %v", typ, key, err)
					}
				}
			}
		}
	})
}
