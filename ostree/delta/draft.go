package delta

import (
	"math/bits"

	"rpmostree/gvariant"
	"rpmostree/internal/compress/xz"
	"rpmostree/ostree"
)

// A draft is a part that is being made.
type draft struct {
	modes   []mode
	xattrs  [][]ostree.Xattr
	blob    []byte
	program []byte
}

// payload returns the payload of the part.
func (d *draft) payload() []byte {
	modes := make([]gvariant.Value, len(d.modes))
	for i, m := range d.modes {
		modes[i] = gvariant.Tuple(gvariant.Uint32(bits.ReverseBytes32(m.uid)), gvariant.Uint32(bits.ReverseBytes32(m.gid)),
			gvariant.Uint32(bits.ReverseBytes32(m.mode)))
	}
	sets := make([]gvariant.Value, len(d.xattrs))
	for i, set := range d.xattrs {
		list := make([]gvariant.Value, len(set))
		for j, x := range set {
			list[j] = gvariant.Tuple(gvariant.Bytestring(x.Name), gvariant.Bytes(x.Value))
		}
		sets[i] = gvariant.Array("(ayay)", list...)
	}
	return gvariant.Tuple(gvariant.Array("(uuu)", modes...), gvariant.Array("a(ayay)", sets...),
		gvariant.Bytes(d.blob), gvariant.Bytes(d.program)).Bytes()
}

// compressPart returns the file of a payload.
func compressPart(payload []byte) []byte {
	kind, data := byte(partXZ), xz.Compress(payload)
	if len(data) >= len(payload) {
		kind, data = partStored, payload
	}
	return append([]byte{kind}, data...) // the framing of a tuple that ends with bytes adds nothing
}
