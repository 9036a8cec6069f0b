package bootloader

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// syslinux is the Syslinux family. boot/syslinux/syslinux.cfg is a link to
// ../loader/syslinux.cfg.
type syslinux struct{}

func (*syslinux) Name() string                         { return "syslinux" }
func (*syslinux) Atomic() bool                         { return true }
func (*syslinux) Finish(context.Context, Target) error { return nil }

func (*syslinux) Active(t Target) (bool, error) {
	return existsBeneath(t.Boot, "syslinux", "syslinux.cfg")
}

// Write keeps what the present configuration has beside our labels.
func (*syslinux) Write(_ context.Context, t Target) error {
	old, err := readBeneath(t.Boot, "syslinux/syslinux.cfg")
	if err != nil {
		return err
	}
	lines, isDefault, err := keepSyslinux(string(old))
	if err != nil {
		return fmt.Errorf("boot/syslinux/syslinux.cfg: %w", err)
	}
	for i, e := range t.Entries {
		linux, err := required(e, "linux")
		if err != nil {
			return err
		}
		if isDefault && i == 0 {
			lines = append(lines, "DEFAULT "+title(e))
		}
		lines = append(lines, "LABEL "+title(e), "\tKERNEL "+t.path(linux))
		for _, f := range []struct{ key, word string }{{"initrd", "INITRD"}, {"devicetree", "DEVICETREE"}} {
			if v, ok := e.Get(f.key); ok {
				lines = append(lines, "\t"+f.word+" "+t.path(v))
			}
		}
		if v, ok := e.Get("options"); ok {
			lines = append(lines, "\tAPPEND "+v)
		}
	}
	return t.write("syslinux.cfg", joinLines(lines))
}

// keepSyslinux returns the lines of a configuration without the labels of
// deployments and without the default, and whether the default is to be a
// deployment. A label without KERNEL, such as one for the local disk, is kept if
// it is not the first; libostree takes it for what the label before it is.
func keepSyslinux(text string) (keep []string, isDefault bool, err error) {
	var label []string         // lines of the label that is being read
	kernel, known := "", false // of the label; whether one before it had one
	endLabel := func() error {
		switch {
		case label == nil:
			return nil
		case kernel == "" && !known:
			return errors.New("No KERNEL argument found after LABEL")
		case !strings.HasPrefix(kernel, "/ostree/") && !strings.HasPrefix(kernel, "/boot/ostree/"):
			keep = append(keep, label...)
		}
		label, kernel, known = nil, "", true
		return nil
	}
	sawDefault := false
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "\t") {
			if err := endLabel(); err != nil {
				return nil, false, err
			}
		}
		switch {
		case strings.HasPrefix(line, "LABEL "):
			label = []string{line}
		case label != nil:
			if k, ok := strings.CutPrefix(line, "\tKERNEL "); ok {
				kernel = k
			}
			label = append(label, line)
		case strings.HasPrefix(line, "DEFAULT "):
			sawDefault = true
			if strings.HasPrefix(line, "DEFAULT ostree:") || strings.Contains(line, "(ostree") {
				isDefault = true
			}
		default:
			keep = append(keep, line)
		}
	}
	return keep, isDefault || !sawDefault, endLabel()
}
