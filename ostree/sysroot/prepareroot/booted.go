package prepareroot

import (
	"encoding/binary"
	"os"

	"rpmostree/gvariant"
)

// booted is what later programs need to know; libostree's otcore.h names the
// keys.
type booted struct {
	dev, ino        uint64 // of the deployment directory
	sysrootReadonly bool
	composefs       bool   // the root is an image; only read, for other initramfs programs
	transientEtc    string // directory of the overlay, or empty
}

// value is an a{sv}.
func (b booted) value() gvariant.Value {
	d := gvariant.NewDict(gvariant.Array("{sv}"))
	d.Set("backing-root-device-inode", gvariant.Tuple(gvariant.Uint64(b.dev), gvariant.Uint64(b.ino)))
	d.Set("root.transient", gvariant.Bool(false))
	d.Set("root.transient-ro", gvariant.Bool(false))
	d.Set("sysroot-ro", gvariant.Bool(b.sysrootReadonly))
	if b.transientEtc != "" {
		d.Set("transient-etc", gvariant.String(b.transientEtc))
	}
	return d.Value().WithByteOrder(hostOrder())
}

// parseBooted reads what value writes, as far as remounting depends on it.
func parseBooted(v gvariant.Value) booted {
	var b booted
	if x, ok := v.Lookup("sysroot-ro"); ok && x.Type() == "b" {
		b.sysrootReadonly = x.Bool()
	}
	if x, ok := v.Lookup("composefs"); ok && x.Type() == "b" {
		b.composefs = x.Bool()
	}
	if x, ok := v.Lookup("transient-etc"); ok && x.Type() == "s" {
		b.transientEtc = x.Str()
	}
	return b
}

// hostOrder is the byte order of files that no other machine reads.
func hostOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (b booted) write(path string) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b.value().Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
