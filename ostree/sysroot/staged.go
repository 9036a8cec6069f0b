package sysroot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rpmostree/gvariant"
	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
	"rpmostree/ostree/bootloader"
)

// hostOrder is the byte order of the files in /run, which no other machine
// reads.
func hostOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// staged is the content of /run/ostree/staged-deployment, an a{sv}:
//
//	target            a{sv} with name (CHECKSUM.SERIAL), osname, bootcsum
//	merge-deployment  the same
//	kargs             as; the merge deployment's, if missing
//	overlay-initrds   as, checksums
//	bootconfig-extra  a{ss}, further keys of the boot entry
//	locked            b
type staged struct {
	deployment Deployment
	merge      *Deployment // only OSName, Checksum, Serial and BootChecksum
	raw        gvariant.Value
}

func (s *Sysroot) stagedPath() string { return filepath.Join(s.host.run, "ostree/staged-deployment") }

// stagedLockPath is the older way to lock a staged deployment.
func (s *Sysroot) stagedLockPath() string {
	return filepath.Join(s.host.run, "ostree/staged-deployment-locked")
}

func (s *Sysroot) stagedInitrds() string { return filepath.Join(s.host.run, "ostree/staged-initrds") }

// readStaged returns the staged deployment, if the running system has one.
func (s *Sysroot) readStaged() (staged, bool, error) {
	if !s.booted {
		return staged{}, false, nil
	}
	v, err := readVariantFile(s.stagedPath())
	if errors.Is(err, fs.ErrNotExist) {
		return staged{}, false, nil
	}
	if err != nil {
		return staged{}, false, err
	}
	st, ok, err := parseStaged(v)
	if !ok || err != nil {
		return staged{}, false, err
	}
	dir, err := s.ostree.OpenDirBeneath(st.deployment.path(), dirfd.NoSymlinks)
	if err != nil {
		return staged{}, false, err
	}
	dir.Close()
	return st, true, s.loadDetails(&st.deployment)
}

// parseStaged reads the state file. One without target is none.
func parseStaged(v gvariant.Value) (staged, bool, error) {
	target, ok := v.Lookup("target")
	if !ok {
		return staged{}, false, nil
	}
	st := staged{raw: v}
	var err error
	if st.deployment, err = deserializeDeployment(target); err != nil {
		return staged{}, false, err
	}
	if m, ok := v.Lookup("merge-deployment"); ok {
		merge, err := deserializeDeployment(m)
		if err != nil {
			return staged{}, false, err
		}
		st.merge = &merge
	}
	d := &st.deployment
	d.Staged = true
	d.Entry = &bootloader.Entry{}
	if kargs, ok := v.Lookup("kargs"); ok && kargs.Type() == "as" {
		d.Entry.Set("options", bootloader.KargsFromList(kargs.StrArray()).String())
	}
	if extra, ok := v.Lookup("bootconfig-extra"); ok && extra.Type() == "a{ss}" {
		for _, e := range extra.All() {
			d.Entry.Set(e.Index(0).Str(), e.Index(1).Str())
		}
	}
	if o, ok := v.Lookup("overlay-initrds"); ok && o.Type() == "as" {
		d.Overlays = o.StrArray()
	}
	for _, csum := range d.Overlays { // the names of files
		if _, err := ostree.ParseChecksum(csum); err != nil {
			return staged{}, false, err
		}
	}
	if l, ok := v.Lookup("locked"); ok && l.Type() == "b" {
		d.FinalizationLocked = l.Bool()
	}
	return st, true, nil
}

func serializeDeployment(d Deployment) gvariant.Value {
	var v gvariant.Dict
	v.Set("name", gvariant.String(d.Name()))
	v.Set("osname", gvariant.String(d.OSName))
	v.Set("bootcsum", gvariant.String(d.BootChecksum))
	return v.Value()
}

func deserializeDeployment(v gvariant.Value) (Deployment, error) {
	text := make(map[string]string)
	if v.Type() != "a{sv}" {
		return Deployment{}, fmt.Errorf("a deployment is not a %s", v.Type())
	}
	for _, key := range []string{"name", "bootcsum", "osname"} {
		t, ok := v.Lookup(key)
		if !ok || t.Type() != "s" {
			return Deployment{}, fmt.Errorf("Missing key: %s", key)
		}
		text[key] = t.Str()
	}
	csum, serial, err := parseName(text["name"])
	if err != nil {
		return Deployment{}, err
	}
	if !validStateroot(text["osname"]) || !validElement(text["bootcsum"]) {
		return Deployment{}, errors.New("invalid name in staged deployment")
	}
	return Deployment{OSName: text["osname"], Checksum: csum, Serial: serial, BootChecksum: text["bootcsum"]}, nil
}

// writeRunFile replaces a file below /run, where nothing has to be flushed.
func writeRunFile(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	dir, err := dirfd.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.WriteFileAtomic(filepath.Base(path), data, uint32(mode), false)
}
