package bootloader

import (
	"context"
	"fmt"
	"os/exec"
)

// aboot is Android's boot loader, which boots an image in a partition. The
// program aboot-deploy puts it there.
type aboot struct{}

func (*aboot) Name() string { return "aboot" }
func (*aboot) Atomic() bool { return true }

// Active is never true: the configuration has to ask for it.
func (*aboot) Active(Target) (bool, error) { return false, nil }

func (*aboot) Write(_ context.Context, t Target) error { return t.stamp() }

func (*aboot) Finish(ctx context.Context, t Target) error {
	if ok, err := t.stamped(); !ok || err != nil {
		return err
	}
	if len(t.Entries) == 0 {
		return fmt.Errorf("aboot: no bls config")
	}
	var image, config, options string
	for _, f := range []struct {
		key string
		to  *string
	}{{"aboot", &image}, {"abootcfg", &config}, {"version", new(string)}, {"linux", new(string)}, {"initrd", new(string)}, {"options", &options}} {
		var ok bool
		if *f.to, ok = t.Entries[0].Get(f.key); !ok {
			return fmt.Errorf("aboot: no \"%s\" key in bootloader config", f.key)
		}
	}
	cmd := exec.CommandContext(ctx, "aboot-deploy", "-r", ".", "-c", config, "-o", options, image)
	cmd.Dir = t.Root
	if err := run(cmd); err != nil {
		return err
	}
	return t.unstamp()
}
