package openpgp

import (
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// mpi is an integer of a signature: big-endian, without its length.
type mpi []byte

func (m mpi) Bytes() []byte { return m }
func (m mpi) BitLength() uint16 {
	if len(m) == 0 {
		return 0
	}
	return uint16(8*(len(m)-1) + bits.Len8(m[0]))
}
func (m mpi) EncodedBytes() []byte {
	return append(binary.BigEndian.AppendUint16(nil, m.BitLength()), m...)
}
func (m mpi) EncodedLength() uint16 { return uint16(2 + len(m)) }

func (m mpi) ReadFrom(io.Reader) (int64, error) { return 0, errors.New("read-only") }

// parseV3 reads the body of a version 3 signature packet (RFC 4880, 5.2.2): its
// hash covers the type and the creation time after the data.
func parseV3(b []byte) (*Signature, error) {
	if len(b) < 19 || b[1] != 5 {
		return nil, errors.New("version 3 signature is too short")
	}
	if b[2] != byte(packet.SigTypeBinary) {
		return nil, fmt.Errorf("signature type 0x%02x is not that of a binary document", b[2])
	}
	sig := &packet.Signature{
		Version:      3,
		SigType:      packet.SigTypeBinary,
		CreationTime: time.Unix(int64(binary.BigEndian.Uint32(b[3:])), 0),
		PubKeyAlgo:   packet.PublicKeyAlgorithm(b[15]),
		HashSuffix:   append([]byte(nil), b[2:7]...),
		HashTag:      [2]byte(b[17:19]),
	}
	ok := true
	switch b[16] { // the library's table lacks the weak ones
	case 1:
		sig.Hash = crypto.MD5
	case 2:
		sig.Hash = crypto.SHA1
	default:
		if sig.Hash, ok = pgp.HashIdToHash(b[16]); !ok {
			return nil, fmt.Errorf("unknown hash algorithm %d", b[16])
		}
	}
	rest := b[19:]
	next := func() (v mpi) {
		if len(rest) < 2 {
			ok = false
			return nil
		}
		n := (int(binary.BigEndian.Uint16(rest)) + 7) / 8
		if n == 0 || len(rest) < 2+n {
			ok = false
			return nil
		}
		v, rest = mpi(rest[2:2+n]), rest[2+n:]
		return v
	}
	switch sig.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		sig.RSASignature = next()
	case packet.PubKeyAlgoDSA:
		sig.DSASigR, sig.DSASigS = next(), next()
	default:
		return nil, fmt.Errorf("version 3 signature with algorithm %d", b[15])
	}
	if !ok || len(rest) > 0 {
		return nil, errors.New("version 3 signature has a wrong length")
	}
	return &Signature{sig: sig, issuer: binary.BigEndian.Uint64(b[7:])}, nil
}
