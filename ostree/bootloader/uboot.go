package bootloader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// uboot is U-Boot with scripts that read boot/loader/uEnv.txt.
type uboot struct{}

func (*uboot) Name() string                         { return "U-Boot" }
func (*uboot) Atomic() bool                         { return true }
func (*uboot) Finish(context.Context, Target) error { return nil }

func (*uboot) Active(t Target) (bool, error) { return existsBeneath(t.Boot, "loader", "uEnv.txt") }

// Write writes the variables of the first deployment with plain names, those of
// the others with numbers from 2 on.
func (*uboot) Write(_ context.Context, t Target) error {
	var lines []string
	for i, e := range t.Entries {
		if _, err := required(e, "linux"); err != nil {
			return err
		}
		suffix := ""
		if i > 0 {
			suffix = fmt.Sprint(i + 1)
		}
		for _, f := range []struct{ key, variable string }{
			{"linux", "kernel_image"}, {"initrd", "ramdisk_image"}, {"devicetree", "fdt_file"}, {"fdtdir", "fdtdir"},
		} {
			if v, ok := e.Get(f.key); ok {
				lines = append(lines, f.variable+suffix+"=/boot"+v)
			}
		}
		options, ok := e.Get("options")
		if !ok {
			continue
		}
		lines = append(lines, "bootargs"+suffix+"="+options)
		if i == 0 {
			more, err := systemUEnv(t, e)
			if err != nil {
				return err
			}
			lines = append(lines, more...)
		}
	}
	return t.write("uEnv.txt", joinLines(lines))
}

// systemUEnv returns what the deployment itself wants to have set.
func systemUEnv(t Target, e *Entry) ([]string, error) {
	link, ok := e.Options().Last("ostree")
	if !ok {
		return nil, errors.New("No ostree= kernel argument found in boot loader configuration file")
	}
	text, err := readBeneath(t.Ostree, strings.TrimPrefix(link, "/ostree/")+"/usr/lib/ostree-boot/uEnv.txt")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []string{string(text)}, nil
}
