package delta

import (
	"crypto/sha256"
	"io"
	"math/bits"

	"rpmostree/gvariant"
	"rpmostree/internal/compress/xz"
	"rpmostree/ostree"
)

// A draft is a part that is being made.
type draft struct {
	modes   []mode
	xattrs  [][]ostree.Xattr
	blob    *spill
	program []byte
}

// payload returns the payload of the part.
func (d *draft) payload() gvariant.Stream {
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
	return gvariant.StreamTuple(gvariant.Array("(uuu)", modes...).Stream(), gvariant.Array("a(ayay)", sets...).Stream(),
		gvariant.StreamOf("ay", d.blob, int(d.blob.size)), gvariant.Bytes(d.program).Stream())
}

// maxStored is the size of the largest payload that is written without compression, in bytes.
// libostree maps larger ones at an offset at which nothing can be mapped, and fails.
const maxStored = 16 << 10

// pack writes the file of the part to out, which is empty, and returns its checksum.
func (d *draft) pack(out *spill) (sum ostree.Checksum, err error) {
	whole := &spill{dir: out.dir}
	defer whole.Close()
	if _, err := d.payload().WriteTo(whole); err != nil {
		return sum, err
	}
	payload, err := whole.content()
	if err != nil {
		return sum, err
	}
	defer payload.close()
	h := sha256.New()
	w := io.MultiWriter(out, h)
	// The framing of a tuple that ends with bytes adds nothing.
	if _, err := w.Write([]byte{partXZ}); err != nil {
		return sum, err
	}
	if err := xz.Compress(w, payload.data, payload.forgetFirst); err != nil {
		return sum, err
	}
	if out.size > whole.size && whole.size <= maxStored {
		if err := out.reset(); err != nil {
			return sum, err
		}
		h.Reset()
		if _, err := w.Write([]byte{partStored}); err != nil {
			return sum, err
		}
		if _, err := io.Copy(w, whole.section()); err != nil {
			return sum, err
		}
	}
	return ostree.Checksum(h.Sum(nil)), nil
}
