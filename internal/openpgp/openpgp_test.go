package openpgp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

var (
	made  = time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	later = made.Add(90 * 24 * time.Hour)
)

func newSigner(t testing.TB, o SignerOptions) (*Signer, []byte) {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = made
	}
	s, err := NewSigner("test", o)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := s.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return s, pub
}

func sign(t testing.TB, s *Signer, data string) []byte {
	t.Helper()
	sig, err := s.Sign(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func keyring(t testing.TB, pub ...[]byte) *Keyring {
	t.Helper()
	k, err := NewKeyring(pub...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func verify(k *Keyring, sig []byte, data string, now time.Time) error {
	s, err := ParseSignature(sig)
	if err != nil {
		return err
	}
	h, err := s.Hash()
	if err != nil {
		return err
	}
	h.Write([]byte(data))
	_, err = k.Verify(s, h, now)
	return err
}

func TestVerify(t *testing.T) {
	for _, o := range []SignerOptions{{}, {RSA: true}, {V6: true}} {
		s, pub := newSigner(t, o)
		_, other := newSigner(t, o)
		sig := sign(t, s, "data")
		tests := []struct {
			name string
			k    *Keyring
			data string
			now  time.Time
			want error
		}{
			{"good", keyring(t, pub), "data", later, nil},
			{"among others", keyring(t, other, pub), "data", later, nil},
			{"the key twice", keyring(t, pub, pub), "data", later, nil},
			{"no keyring", nil, "data", later, ErrNoKey},
			{"empty keyring", &Keyring{}, "data", later, ErrNoKey},
			{"another key", keyring(t, other), "data", later, ErrNoKey},
			{"other data", keyring(t, pub), "date", later, ErrBad},
			{"from the future", keyring(t, pub), "data", made.Add(-time.Hour), ErrNotTrusted},
		}
		for _, tt := range tests {
			if err := verify(tt.k, sig, tt.data, tt.now); !errors.Is(err, tt.want) {
				t.Errorf("%+v, %s: %v, want %v", o, tt.name, err, tt.want)
			}
		}
	}
}

func TestExpiry(t *testing.T) {
	s, pub := newSigner(t, SignerOptions{Lifetime: 24 * time.Hour})
	if err := verify(keyring(t, pub), sign(t, s, "x"), "x", later); err != nil {
		t.Errorf("signed while the key was good: %v", err)
	}
	s.now = func() time.Time { return made.Add(48 * time.Hour) }
	// The library does not sign with an expired key: the signature is made by hand.
	sig := &packet.Signature{
		Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: s.entity.PrimaryKey.PubKeyAlgo,
		Hash: 5, CreationTime: s.now(), IssuerKeyId: &s.entity.PrimaryKey.KeyId,
	}
	config := s.config()
	sig.Hash = config.Hash()
	h, err := sig.PrepareSign(config)
	if err != nil {
		t.Fatal(err)
	}
	h.Write([]byte("x"))
	if err := sig.Sign(h, s.entity.PrivateKey, config); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sig.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	if err := verify(keyring(t, pub), b.Bytes(), "x", later); !errors.Is(err, ErrNotTrusted) {
		t.Errorf("signed after the key was good: %v", err)
	}
}

func TestRevokedKey(t *testing.T) {
	s, _ := newSigner(t, SignerOptions{})
	sig := sign(t, s, "x")
	if err := s.entity.Revoke(packet.KeyCompromised, "lost", s.config()); err != nil {
		t.Fatal(err)
	}
	pub, err := s.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(keyring(t, pub), sig, "x", later); !errors.Is(err, ErrNotTrusted) {
		t.Errorf("%v", err)
	}
}

// TestCheck is about signatures that match, of keys that must not be relied on.
func TestCheck(t *testing.T) {
	now := time.Unix(1.6e9, 0)
	for name, tt := range map[string]struct {
		key  SignerOptions
		want State
	}{
		"good":                    {SignerOptions{Now: now.Add(-time.Hour)}, Good},
		"the key has expired":     {SignerOptions{Now: now.Add(-time.Hour), Lifetime: time.Minute}, KeyExpired},
		"made just now":           {SignerOptions{Now: now}, Good},
		"the key is not made yet": {SignerOptions{Now: now.Add(time.Hour)}, Bad},
	} {
		s, pub := newSigner(t, tt.key)
		k := keyring(t, pub)
		k.ValidNow, k.Legacy = true, true
		sig := sign(t, s, "x")
		if got := k.Check([]byte("x"), sig, now); len(got) != 1 || got[0].State != tt.want {
			t.Errorf("%s: %+v, want %v", name, got, tt.want)
		}
		if got := k.Check([]byte("y"), sig, now); len(got) != 1 || got[0].State != Bad {
			t.Errorf("%s, of other data: %+v", name, got)
		}
		if got := k.Check([]byte("x"), bytes.Repeat(sig, maxPackets), now); len(got) != maxPackets || got[maxPackets-1].State != tt.want {
			t.Errorf("%s, many times: %d", name, len(got))
		}
		if got := k.Check([]byte("x"), bytes.Repeat(sig, maxPackets+1), now); len(got) != 1 || got[0].State != Bad {
			t.Errorf("%s, too many times: %d", name, len(got))
		}
	}
	s, pub := newSigner(t, SignerOptions{Now: now.Add(-time.Hour)})
	sig := sign(t, s, "x")
	if got := keyring(t, pub).Check([]byte("x"), sig, now); got[0].State != Good {
		t.Errorf("before it is revoked: %+v", got)
	}
	if err := s.entity.Revoke(packet.KeyCompromised, "lost", s.config()); err != nil {
		t.Fatal(err)
	}
	pub, err := s.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if got := keyring(t, pub).Check([]byte("x"), sig, now); got[0].State != KeyRevoked {
		t.Errorf("revoked: %+v", got)
	}
}

func TestParseSignature(t *testing.T) {
	s, _ := newSigner(t, SignerOptions{})
	good := sign(t, s, "x")
	text := bytes.Clone(good)
	text[3] = byte(packet.SigTypeText) // after the packet's tag, length and version
	for name, b := range map[string][]byte{
		"empty":         nil,
		"rubbish":       []byte("rubbish"),
		"cut":           good[:len(good)-1],
		"one byte more": append(bytes.Clone(good), 0),
		"two":           append(bytes.Clone(good), good...),
		"text":          text,
		"too large":     make([]byte, MaxSignature+1),
		"v3, short":     {0x88, 3, 3, 5, 0},
		"v3, no length": {0x8a, 3},
	} {
		if _, err := ParseSignature(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if all, err := ParseSignatures(append(bytes.Clone(good), good...)); err != nil || len(all) != 2 {
		t.Errorf("two: %d, %v", len(all), err)
	}
	sig, err := ParseSignature(good)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("V4 EdDSA/SHA256 Signature, key ID %s", s.entity.PrimaryKey.KeyIdString()[8:])
	if got := sig.String(); !strings.EqualFold(got, want) || !sig.Created().Equal(made) {
		t.Errorf("%s at %v, want %s", got, sig.Created(), want)
	}
}

func TestVerifyDetached(t *testing.T) {
	a, pub := newSigner(t, SignerOptions{})
	b, _ := newSigner(t, SignerOptions{RSA: true})
	both := append(sign(t, b, "data"), sign(t, a, "data")...)
	var text bytes.Buffer
	w, err := armor.Encode(&text, "PGP SIGNATURE", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(both)
	w.Close()
	k := keyring(t, pub)
	for _, sig := range [][]byte{both, text.Bytes()} {
		key, err := k.VerifyDetached(strings.NewReader("data"), sig, later)
		if err != nil || key.Fingerprint != k.Keys()[0].Fingerprint {
			t.Errorf("%v, %v", key, err)
		}
		if _, err := k.VerifyDetached(strings.NewReader("date"), sig, later); !errors.Is(err, ErrBad) {
			t.Errorf("%v", err)
		}
	}
}

func TestKeyring(t *testing.T) {
	s, pub := newSigner(t, SignerOptions{})
	_, pub2 := newSigner(t, SignerOptions{V6: true})
	if n := len(keyring(t, append(bytes.Clone(pub), pub2...)).Keys()); n != 2 {
		t.Errorf("%d keys in two blocks of armor", n)
	}
	var binary, secret bytes.Buffer
	if err := s.entity.Serialize(&binary); err != nil {
		t.Fatal(err)
	}
	if n := len(keyring(t, binary.Bytes()).Keys()); n != 1 {
		t.Errorf("%d keys in binary form", n)
	}
	if err := s.entity.SerializePrivate(&secret, s.config()); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty":      nil,
		"rubbish":    []byte("rubbish"),
		"secret key": secret.Bytes(),
		"no key":     sign(t, s, "x"),
		"cut":        pub[:len(pub)/2],
	} {
		if k, err := NewKeyring(b); err == nil {
			t.Errorf("%s: %v", name, k.Keys())
		}
	}
}

func FuzzParseSignatures(f *testing.F) {
	s, _ := newSigner(f, SignerOptions{})
	f.Add(sign(f, s, "x"))
	v3, _ := base64.StdEncoding.DecodeString("iD8DBQBAR0YfTnCzQAJeUTsRAgABAJ9AAJ9A")
	f.Add(v3)
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := ParseSignatures(b)
		if err != nil {
			return
		}
		for _, s := range all {
			_ = s.String()
			if h, err := s.Hash(); err == nil {
				(&Keyring{Legacy: true}).Verify(s, h, later)
			}
		}
	})
}

func FuzzKeyring(f *testing.F) {
	_, pub := newSigner(f, SignerOptions{})
	f.Add(pub)
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := NewKeyring(b); err == nil && len(k.Keys()) == 0 {
			t.Error("no keys and no error")
		}
	})
}
