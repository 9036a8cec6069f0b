// Package sign makes and checks the signatures of commits, summaries and static
// deltas.
//
// A signature has a type: "gpg" (OpenPGP), "ed25519", "spki" (any public key
// that X.509 can name: Ed25519, Ed448, RSA, ECDSA) or "dummy" (for tests). It
// covers the serialised bytes of the object, and is kept beside it in an a{sv}:
// the detached metadata of a commit, the file summary.sig, or the envelope of a
// delta. The key there is that of MetadataKey, the value an aay.
//
// Signing: NewSigner, ReadSigners or NewGPGSigner make a Signer; SignCommit and
// Summary put its signatures where they belong, and Append adds one to any a{sv}:
//
//	s, err := sign.NewSigner(sign.Ed25519, secret)
//	raw, err := s.Sign(ctx, superblock)
//	meta = sign.Append(meta, s.Type(), raw)
//
// Verifying: a KeySet holds the trusted and revoked keys of one type other than
// gpg and says which of them made one of the signatures:
//
//	keys, err := sign.NewKeySet(sign.Ed25519)
//	err = keys.AddFile("/etc/keys")
//	message, err := keys.Verify(superblock, sign.Signatures(meta, keys.Type()))
//
// OpenPGP signatures are checked with a keyring, and the answer is a GPGResult
// that describes each of them. A Verifier puts both together: it checks what the
// configuration of a remote asks for. It implements pull.Verifier.
package sign

import (
	"context"
	"errors"

	"rpmostree/gvariant"
	"rpmostree/ostree"
)

// The types of signatures.
const (
	GPG     = "gpg"
	Ed25519 = "ed25519"
	SPKI    = "spki"
	Dummy   = "dummy"
)

// maxSignatures bounds the signatures of one type and object that are looked at.
const maxSignatures = 64

// errUnknownType answers a type that is none of the above.
var errUnknownType = errors.New("Requested signature type is not implemented")

// A Signer makes signatures with one secret key.
type Signer interface {
	// Type is one of the types above.
	Type() string
	// Sign returns a signature of data.
	Sign(ctx context.Context, data []byte) ([]byte, error)
}

// MetadataKey returns the key under which signatures of a type are kept.
func MetadataKey(typ string) string {
	if typ == GPG {
		return ostree.KeyGPGSigs
	}
	return "ostree.sign." + typ
}

// Append returns the a{sv} with one more signature. The zero Value is an empty
// dictionary. Other entries stay as they are.
func Append(meta gvariant.Value, typ string, sig []byte) gvariant.Value {
	sigs := append(all(meta, typ), sig)
	return replace(meta, typ, sigs)
}

// replace sets the signatures of one type. None removes the entry.
func replace(meta gvariant.Value, typ string, sigs [][]byte) gvariant.Value {
	d := &gvariant.Dict{}
	if meta.Type() == "a{sv}" {
		d = gvariant.NewDict(meta)
	}
	key := MetadataKey(typ)
	if len(sigs) == 0 {
		d.Delete(key)
		return d.Value()
	}
	values := make([]gvariant.Value, len(sigs))
	for i, s := range sigs {
		values[i] = gvariant.Bytes(s)
	}
	d.Set(key, gvariant.Array("ay", values...))
	return d.Value()
}

// Signatures returns the signatures of one type, at most 64; nil if there is no
// such entry.
func Signatures(meta gvariant.Value, typ string) [][]byte {
	sigs := all(meta, typ)
	return sigs[:min(len(sigs), maxSignatures)]
}

func all(meta gvariant.Value, typ string) [][]byte {
	if meta.Type() != "a{sv}" {
		return nil
	}
	v, ok := meta.Lookup(MetadataKey(typ))
	if !ok || v.Type() != "aay" {
		return nil
	}
	out := make([][]byte, 0, 1)
	for _, e := range v.All() {
		out = append(out, e.ByteArray())
	}
	return out
}

// parseDict reads an a{sv}. What is none has no signatures.
func parseDict(b []byte) gvariant.Value {
	v, err := ostree.ParseCommitMeta(b)
	if b == nil || err != nil {
		return new(gvariant.Dict).Value()
	}
	return v
}
