package delta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"rpmostree/gvariant"
	"rpmostree/internal/compress"
	"rpmostree/internal/compress/xz"
	"rpmostree/internal/unxz"
	"rpmostree/ostree"
)

const (
	partType    = gvariant.Type("(yay)")                // compression, payload
	payloadType = gvariant.Type("(a(uuu)aa(ayay)ayay)") // modes, xattr sets, blob, program
)

// How the payload of a part is compressed.
const (
	partStored = 0
	partXZ     = 'x'
)

// A mode is the owner and mode of files.
type mode struct{ uid, gid, mode uint32 }

// A Part is what a part says.
type Part struct {
	modes   []mode
	xattrs  [][]ostree.Xattr
	blob    []byte
	program []byte
}

// MaxXZMemory bounds the dictionary of a compressed part. Those of libostree have
// the preset 8, which is 32 MiB.
const MaxXZMemory = 64 << 20

// ParsePart reads a part. usize is how large it is without compression, as the
// superblock says; more than that is not read.
func ParsePart(file []byte, usize uint64) (*Part, error) {
	if len(file) < 1 {
		return nil, errors.New("Corrupted 0 length delta part")
	}
	var payload []byte
	v := gvariant.New(partType, file, binary.LittleEndian)
	switch kind := v.Index(0).Byte(); kind {
	case partStored:
		payload = v.Index(1).ByteArray()
	case partXZ:
		if usize > MaxPartSize {
			return nil, fmt.Errorf("static delta part of %d bytes is larger than %d", usize, MaxPartSize)
		}
		var err error
		if payload, err = readPayload(v.Index(1).ByteArray(), int64(usize)); err != nil {
			return nil, fmt.Errorf("static delta part: %w", err)
		}
	default:
		return nil, fmt.Errorf("Invalid compression type '%d'", kind)
	}
	return parsePayload(payload)
}

// payloadSlack is what a payload may have besides the bytes that are counted:
// those of blob and program, not of modes and of framing.
const payloadSlack = 64 << 20

// readPayload decompresses a payload of about size bytes.
func readPayload(packed []byte, size int64) ([]byte, error) {
	if unxz.Supported(packed[:min(len(packed), unxz.PeekSize)]) {
		return unxz.Decompress(packed, size+size/16, size+payloadSlack)
	}
	r, err := compress.NewReader(bytes.NewReader(packed), compress.XZ, MaxXZMemory)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(compress.Limit(r, size+payloadSlack))
}

func parsePayload(b []byte) (*Part, error) {
	v := gvariant.New(payloadType, b, binary.LittleEndian)
	if !v.IsNormal() {
		return nil, errors.New("static delta part is not in normal form")
	}
	p := &Part{blob: v.Index(2).ByteArray(), program: v.Index(3).ByteArray()}
	for _, m := range v.Index(0).All() {
		p.modes = append(p.modes, mode{
			bits.ReverseBytes32(m.Index(0).Uint32()), bits.ReverseBytes32(m.Index(1).Uint32()), bits.ReverseBytes32(m.Index(2).Uint32()),
		})
	}
	for _, set := range v.Index(1).All() {
		var list []ostree.Xattr
		for _, x := range set.All() {
			list = append(list, ostree.Xattr{Name: x.Index(0).Bytestring(), Value: x.Index(1).ByteArray()})
		}
		p.xattrs = append(p.xattrs, list)
	}
	return p, nil
}

// payload returns the payload of the part.
func (p *Part) payload() []byte {
	modes := make([]gvariant.Value, len(p.modes))
	for i, m := range p.modes {
		modes[i] = gvariant.Tuple(gvariant.Uint32(bits.ReverseBytes32(m.uid)), gvariant.Uint32(bits.ReverseBytes32(m.gid)),
			gvariant.Uint32(bits.ReverseBytes32(m.mode)))
	}
	sets := make([]gvariant.Value, len(p.xattrs))
	for i, set := range p.xattrs {
		list := make([]gvariant.Value, len(set))
		for j, x := range set {
			list[j] = gvariant.Tuple(gvariant.Bytestring(x.Name), gvariant.Bytes(x.Value))
		}
		sets[i] = gvariant.Array("(ayay)", list...)
	}
	return gvariant.Tuple(gvariant.Array("(uuu)", modes...), gvariant.Array("a(ayay)", sets...),
		gvariant.Bytes(p.blob), gvariant.Bytes(p.program)).Bytes()
}

// compressPart returns the file of a payload.
func compressPart(payload []byte) []byte {
	kind, data := byte(partXZ), xz.Compress(payload)
	if len(data) >= len(payload) {
		kind, data = partStored, payload
	}
	return append([]byte{kind}, data...) // the framing of a tuple that ends with bytes adds nothing
}
