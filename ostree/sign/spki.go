package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"

	"github.com/cloudflare/circl/sign/ed448"
)

// spkiEngine has keys of any algorithm: a public key is an X.509
// SubjectPublicKeyInfo (RFC 5280, 4.1.2.7), a secret one is of PKCS #8 (RFC
// 5958), both DER; base64 of it as text, PEM in files. Signatures are those that
// OpenSSL makes with the default digest of the algorithm: none for Ed25519 and
// Ed448 (RFC 8032), SHA-256 for RSA (PKCS #1 v1.5) and ECDSA (ASN.1).
type spkiEngine struct{}

// maxSPKI bounds a key, and a signature of this type (libostree's limit).
const maxSPKI = 1 << 20

// minRSABits is the size of the smallest RSA key that is relied on.
const minRSABits = 1024

var (
	errSPKI    = errors.New("openssl: Failed to initialize spki key")
	errSPKIRSA = errors.New("spki: RSA key is too short")
	oidEd448   = asn1.ObjectIdentifier{1, 3, 101, 113} // RFC 8410, 3
)

func (spkiEngine) text(s string) []byte { return decodeBase64(s) }

func (spkiEngine) file(data []byte, secret bool) ([][]byte, error) {
	label := "PUBLIC KEY"
	if secret {
		label = "PRIVATE KEY"
	}
	var keys [][]byte
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return keys, nil
		}
		if data = rest; block.Type != label {
			continue
		}
		if len(keys) == maxKeys {
			return nil, errTooManyKeys
		}
		keys = append(keys, block.Bytes)
	}
}

// checkPublic takes any bytes, as libostree does: a key that is none fails when it
// is used, whatever its place in the list.
func (spkiEngine) checkPublic([]byte) error { return nil }

func (spkiEngine) checkSecret(key []byte) error {
	_, err := parsePKCS8(key)
	return err
}

func (spkiEngine) sign(secret, data []byte) ([]byte, error) {
	key, err := parsePKCS8(secret)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case ed448.PrivateKey:
		return ed448.Sign(key, data, ""), nil
	case ed25519.PrivateKey:
		return ed25519.Sign(key, data), nil
	}
	digest := sha256.Sum256(data)
	return key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

func (spkiEngine) verify(public, data, sig []byte) (bool, error) {
	if len(public) > maxSPKI || len(sig) > maxSPKI {
		return false, errors.New("spki: key or signature is too large")
	}
	key, err := parseSPKI(public)
	if err != nil {
		return false, err
	}
	digest := sha256.Sum256(data)
	switch key := key.(type) {
	case ed448.PublicKey:
		return len(sig) == ed448.SignatureSize && ed448.Verify(key, data, sig, ""), nil
	case ed25519.PublicKey:
		return len(sig) == ed25519.SignatureSize && ed25519.Verify(key, data, sig), nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest[:], sig), nil
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return false, errSPKIRSA
		}
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig) == nil, nil
	}
	return false, errSPKI
}

// parseSPKI adds Ed448 to what the standard library knows.
func parseSPKI(der []byte) (crypto.PublicKey, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	rest, err := asn1.Unmarshal(der, &info)
	if err != nil || len(rest) > 0 {
		return nil, errSPKI
	}
	if info.Algorithm.Algorithm.Equal(oidEd448) {
		key := info.Key.RightAlign()
		if len(key) != ed448.PublicKeySize || info.Key.BitLength%8 != 0 || len(info.Algorithm.Parameters.FullBytes) > 0 {
			return nil, errSPKI
		}
		return ed448.PublicKey(key), nil
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errSPKI
	}
	return key, nil
}

// parsePKCS8 adds Ed448 to what the standard library knows.
func parsePKCS8(der []byte) (crypto.Signer, error) {
	var info struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
		Attributes asn1.RawValue `asn1:"optional,tag:0"`
		PublicKey  asn1.RawValue `asn1:"optional,tag:1"`
	}
	if len(der) > maxSPKI {
		return nil, errSPKI
	}
	if rest, err := asn1.Unmarshal(der, &info); err == nil && len(rest) == 0 && info.Algorithm.Algorithm.Equal(oidEd448) {
		var seed []byte
		rest, err := asn1.Unmarshal(info.PrivateKey, &seed)
		if err != nil || len(rest) > 0 || len(seed) != ed448.SeedSize {
			return nil, errSPKI
		}
		return ed448.NewKeyFromSeed(bytes.Clone(seed)), nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errSPKI
	}
	switch key := key.(type) {
	case ed25519.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		return key, nil
	}
	return nil, errSPKI
}
