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
		var err error
		if *f.to, err = required(t.Entries[0], f.key); err != nil {
			return fmt.Errorf("aboot: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, "aboot-deploy", "-r", ".", "-c", config, "-o", options, image)
	cmd.Dir = t.Root
	if err := run(cmd); err != nil {
		return err
	}
	return t.unstamp()
}
