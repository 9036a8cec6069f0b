package sysroot

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
	"rpmostree/ostree/bootloader"
)

// MaxSerial bounds deployment and boot serial numbers.
const MaxSerial = 1 << 30

// Unlocked says how the /usr of a deployment was made writable.
type Unlocked string

// The states of Deployment.Unlocked, as status output names them.
const (
	UnlockedNone        Unlocked = "none"
	UnlockedDevelopment Unlocked = "development" // until the next boot
	UnlockedHotfix      Unlocked = "hotfix"      // for good
	UnlockedTransient   Unlocked = "transient"   // read-only overlay, until the next boot
)

// Deployment is a deployed commit. It is a value; Entry and Origin must not be
// changed by its users.
type Deployment struct {
	OSName   string          // name of the stateroot
	Checksum ostree.Checksum // of the commit
	Serial   int             // number among the deployments of this commit
	// BootChecksum is the digest of kernel and initramfs, hexadecimal.
	BootChecksum string
	BootSerial   int // number among the deployments with this BootChecksum
	Index        int // place in State.Deployments
	// Entry is the boot entry. That of a staged deployment has only options,
	// and none at all if the merge deployment's will be used.
	Entry  *bootloader.Entry
	Origin *keyfile.File // nil if there is no origin file
	// Overlays are the checksums of additional initramfs images, in order.
	Overlays []string
	Unlocked Unlocked
	// Staged deployments have no boot entry yet. A locked one will not get it
	// when the machine shuts down.
	Staged, FinalizationLocked bool
	// Booted is set for the deployment that is running.
	Booted bool
	// SoftReboot is set for the deployment that the next soft reboot leads to.
	SoftReboot bool
}

// Name returns CHECKSUM.SERIAL.
func (d Deployment) Name() string { return d.Checksum.String() + "." + strconv.Itoa(d.Serial) }

// Path returns the deployment directory relative to the sysroot.
func (d Deployment) Path() string { return path.Join("ostree", d.path()) }

// path is relative to the ostree directory.
func (d Deployment) path() string { return path.Join("deploy", d.OSName, "deploy", d.Name()) }

func (d Deployment) originPath() string { return d.path() + ".origin" }

// backingPath is the directory of the deployment's overlay file systems.
func (d Deployment) backingPath() string { return path.Join("deploy", d.OSName, "backing", d.Name()) }

// Same reports whether both are the same deployment, whatever their place.
func (d Deployment) Same(o Deployment) bool {
	return d.OSName == o.OSName && d.Checksum == o.Checksum && d.Serial == o.Serial
}

// Kargs returns the kernel arguments of the boot entry, with ostree= among them.
// Before the boot entry of a staged deployment is written they may be missing; see
// State.Kargs.
func (d Deployment) Kargs() bootloader.Kargs {
	if d.Entry == nil {
		return bootloader.Kargs{}
	}
	return d.Entry.Options()
}

// hasKargs reports whether the boot entry says what the kernel arguments are.
func (d Deployment) hasKargs() bool {
	if d.Entry == nil {
		return false
	}
	_, ok := d.Entry.Get("options")
	return ok
}

// Refspec returns the refspec of the origin, or "".
func (d Deployment) Refspec() string {
	if d.Origin == nil {
		return ""
	}
	return d.Origin.Get("origin", "refspec")
}

const transientGroup = "libostree-transient"

// Pinned reports whether the deployment is kept until it is unpinned.
func (d Deployment) Pinned() bool {
	if d.Origin == nil {
		return false
	}
	pinned, err := d.Origin.Bool(transientGroup, "pinned", false)
	return err == nil && pinned
}

// parseName reads CHECKSUM.SERIAL.
func parseName(name string) (ostree.Checksum, int, error) {
	hex, serial, ok := strings.Cut(name, ".")
	n, err := parseSerial(serial)
	csum, err2 := ostree.ParseChecksum(hex)
	if !ok || err != nil || err2 != nil {
		return ostree.Checksum{}, 0, fmt.Errorf("Invalid deploy name '%s', expected CHECKSUM.TREESERIAL", name)
	}
	return csum, n, nil
}

func parseSerial(s string) (int, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("invalid serial number %q", s)
	}
	n, err := strconv.Atoi(s)
	if err != nil || n > MaxSerial {
		return 0, fmt.Errorf("invalid serial number %q", s)
	}
	return n, nil
}

// bootlink is what the kernel argument ostree= says.
type bootlink struct {
	version  int // bootversion, 0 or 1
	osname   string
	checksum string
	serial   int
}

func (l bootlink) String() string {
	return fmt.Sprintf("/ostree/boot.%d/%s/%s/%d", l.version, l.osname, l.checksum, l.serial)
}

func parseBootlink(s string) (bootlink, error) {
	bad := fmt.Errorf("Invalid ostree= argument '%s', expected ostree=/ostree/boot.BOOTVERSION/OSNAME/BOOTCSUM/TREESERIAL", s)
	p := strings.Split(s, "/")
	if len(p) != 6 || p[0] != "" || p[1] != "ostree" || p[2] != "boot.0" && p[2] != "boot.1" {
		return bootlink{}, bad
	}
	serial, err := parseSerial(p[5])
	if err != nil || !validStateroot(p[3]) || !validElement(p[4]) {
		return bootlink{}, bad
	}
	return bootlink{int(p[2][5] - '0'), p[3], p[4], serial}, nil
}

// validStateroot reports whether s can be the name of a stateroot, which is part of a
// kernel argument: it must not end there, nor begin a quotation.
func validStateroot(s string) bool {
	notInArgument := func(r rune) bool { return r == '"' || r <= ' ' || r == 0x7f }
	return validElement(s) && !strings.ContainsFunc(s, notInArgument)
}

// validElement reports whether s can be one element of a path.
func validElement(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\n\x00")
}
