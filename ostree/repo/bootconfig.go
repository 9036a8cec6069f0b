package repo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rpmostree/internal/keyfile"
)

// BootConfig is what the configuration of a system's repository says of boot
// entries, in its group "sysroot".
type BootConfig struct {
	// Loader is the boot loader that is told of new entries: "auto" for the
	// one in use, "none", or the name of one.
	Loader string
	// Prefix is set if paths in entries begin with /boot.
	Prefix bool
	// Tries is how often a new entry is tried before the boot loader falls back to
	// another one: 0, not counted, to 5.
	Tries int
	// Append are keys and values for all entries but the default one.
	Append [][2]string
}

// bootLoaders are the values of sysroot.bootloader.
var bootLoaders = []string{"auto", "none", "grub2", "syslinux", "uboot", "zipl", "aboot"}

// maxBootTries is the largest sysroot.boot-counting-tries.
const maxBootTries = 5

// BootConfig returns the configuration of boot entries.
func (r *Repo) BootConfig() BootConfig {
	b := r.settings().boot
	b.Append = slices.Clone(b.Append)
	return b
}

func parseBootConfig(k *keyfile.File) (BootConfig, error) {
	const group = "sysroot"
	b := BootConfig{Loader: "auto"}
	if k.Has(group, "boot-counting-tries") {
		text := k.Get(group, "boot-counting-tries")
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return b, fmt.Errorf("Parsing sysroot.boot-counting-tries: “%s” is not an unsigned number", text)
		}
		if n > maxBootTries {
			return b, fmt.Errorf("Parsing sysroot.boot-counting-tries: Number “%s” is out of bounds [0, %d]", text, maxBootTries)
		}
		b.Tries = int(n)
	}
	if k.Has(group, "bootloader") {
		b.Loader = k.Get(group, "bootloader")
	}
	if !slices.Contains(bootLoaders, b.Loader) {
		return b, fmt.Errorf("Invalid bootloader configuration: '%s'", b.Loader)
	}
	for _, kv := range k.List(group, "bls-append-except-default") {
		key, value, ok := strings.Cut(kv, "=")
		if !ok {
			return b, fmt.Errorf("bls-append-except-default key must be of the form \"key1=value1;key2=value2...\", not %q", kv)
		}
		b.Append = append(b.Append, [2]string{key, value})
	}
	var err error
	b.Prefix, err = k.Bool(group, "bootprefix", false)
	return b, err
}
