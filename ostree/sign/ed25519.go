package sign

import (
	"crypto/ed25519"
)

// ed25519Engine has keys of libsodium: a public key is 32 bytes, a secret one its
// seed with the public key after it, both in base64, one a line.
type ed25519Engine struct{}

func (ed25519Engine) text(s string) []byte { return decodeBase64(s) }

func (ed25519Engine) file(data []byte, _ bool) ([][]byte, error) {
	list, err := lines(data)
	var keys [][]byte
	for _, s := range list {
		keys = append(keys, decodeBase64(s))
	}
	return keys, err
}

func (ed25519Engine) checkPublic(key []byte) error {
	return checkLength("Invalid ed25519 public key", len(key), ed25519.PublicKeySize)
}

func (ed25519Engine) checkSecret(key []byte) error {
	return checkLength("Invalid ed25519 secret key", len(key), ed25519.PrivateKeySize)
}

// sign uses the seed only: a public key that does not belong to it would give the
// secret away in the signature.
func (ed25519Engine) sign(secret, data []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.NewKeyFromSeed(secret[:ed25519.SeedSize]), data), nil
}

func (ed25519Engine) verify(public, data, sig []byte) (bool, error) {
	if err := checkLength("Invalid signature", len(sig), ed25519.SignatureSize); err != nil {
		return false, err
	}
	return ed25519.Verify(public, data, sig), nil
}
