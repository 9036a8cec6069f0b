package bootloader

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
)

// ziplStamp, in boot, says that zipl must run before the machine boots.
const ziplStamp = "ostree-bootloader-update.stamp"

// zipl is the boot loader of s390x. It writes the place of the kernel on the
// disk into the boot record, so it runs when everything else is done.
type zipl struct{}

func (*zipl) Name() string { return "zipl" }
func (*zipl) Atomic() bool { return false }

// Active is never true: the configuration has to ask for it.
func (*zipl) Active(Target) (bool, error) { return false, nil }

func (*zipl) Write(_ context.Context, t Target) error {
	return t.Boot.WriteFileAtomic(ziplStamp, nil, 0o644, false)
}

func (*zipl) Finish(ctx context.Context, t Target) error {
	if ok, err := t.Boot.Exists(ziplStamp); !ok || err != nil {
		return err
	}
	if t.Root != "/" {
		return nil // for an image, whoever makes it runs zipl; the stamp stays
	}
	if out, err := exec.CommandContext(ctx, "zipl").CombinedOutput(); err != nil {
		return fmt.Errorf("zipl: %w: %s", err, out)
	}
	if err := t.Boot.Unlink(ziplStamp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
