package prepareroot

import (
	"os"

	"rpmostree/gvariant"
)

// booted is what later programs need to know; libostree's otcore.h names the
// keys.
type booted struct {
	dev, ino        uint64 // of the deployment directory
	sysrootReadonly bool
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
	return d.Value()
}

func (b booted) write(path string) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b.value().Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
