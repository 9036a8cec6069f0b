package bootloader

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// zipl is the boot loader of s390x. It writes the place of the kernel on the
// disk into the boot record, so it runs when everything else is done. A guest
// under IBM Secure Execution boots an encrypted image instead.
type zipl struct {
	root string // "" but for tests: where /sys, /dev, /etc and /sysroot are
}

func (*zipl) Name() string { return "zipl" }
func (*zipl) Atomic() bool { return true }

// Active is never true: the configuration has to ask for it.
func (*zipl) Active(Target) (bool, error) { return false, nil }

func (*zipl) Write(_ context.Context, t Target) error { return t.stamp() }

func (z *zipl) Finish(ctx context.Context, t Target) error {
	if os.Geteuid() != 0 {
		return nil // whoever tests as a user has no boot record
	}
	if ok, err := t.stamped(); !ok || err != nil {
		return err
	}
	secure, err := z.flag("/sys/firmware/uv/prot_virt_guest")
	if err != nil {
		return err
	}
	if secure {
		err = z.secureExecution(ctx, t)
	} else {
		err = z.install(ctx, t)
	}
	if err != nil {
		return err
	}
	return t.unstamp()
}

// install runs zipl for the entries in boot/loader.
func (z *zipl) install(ctx context.Context, t Target) error {
	mode := "auto"
	switch signed, err := z.secureBoot(); {
	case err != nil:
		return err
	case signed:
		mode = "1"
	}
	argv := []string{"zipl", "--secure", mode, "-V"}
	if t.Chroot != "" {
		return run(t.chroot(ctx, filepath.Join(t.Root, "boot"), argv...))
	}
	return run(exec.CommandContext(ctx, argv[0], argv[1:]...))
}

// flag reads a file of the firmware, which says 1 for yes.
func (z *zipl) flag(name string) (bool, error) {
	b, err := os.ReadFile(z.root + name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return strings.Contains(string(b), "1"), err
}

// secureBoot reports whether the firmware checked signatures. Kernels that do
// not tell it in sysfs do among their first messages.
func (z *zipl) secureBoot() (bool, error) {
	const name = "/sys/firmware/ipl/secure"
	if _, err := os.Lstat(z.root + name); err == nil {
		return z.flag(name)
	}
	fd, err := unix.Open(z.root+"/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, &fs.PathError{Op: "open", Path: "/dev/kmsg", Err: err}
	}
	// Not an os.File: its poller would wait for more messages.
	defer unix.Close(fd)
	lines := bufio.NewScanner(rawReader(fd))
	for range 5 {
		if !lines.Scan() {
			break
		}
		if strings.Contains(lines.Text(), "Secure-IPL enabled") {
			return true, nil
		}
	}
	return false, nil
}

// rawReader reads a descriptor; that there is nothing now ends it.
type rawReader int

func (r rawReader) Read(b []byte) (int, error) {
	n, err := unix.Read(int(r), b)
	if n < 0 {
		n = 0
	}
	if err == nil && n == 0 {
		err = fs.ErrClosed
	}
	return n, err
}
