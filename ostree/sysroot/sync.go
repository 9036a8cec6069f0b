package sysroot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// sync flushes the file systems of the sysroot and of /boot.
func (s *Sysroot) sync() error {
	if s.opts.SkipSync {
		return nil
	}
	if err := s.ostree.SyncFS(); err != nil {
		return err
	}
	return s.syncBoot()
}

// syncBoot flushes /boot. Boot loaders do not replay journals, so on the
// running system the file system is also frozen for a moment, which empties
// its journal. If we die meanwhile, a child process ends the freeze.
func (s *Sysroot) syncBoot() error {
	if s.opts.SkipSync {
		return nil
	}
	if err := s.boot.SyncFS(); err != nil {
		return err
	}
	if s.opts.TestFreeze {
		return s.testFreeze()
	}
	if !s.booted {
		return nil
	}
	guard, err := startThawGuard(s.boot.FD())
	if err != nil {
		return nil // the flush has to do
	}
	defer guard.Close()
	if unix.IoctlSetInt(s.boot.FD(), fifreeze(), 0) != nil {
		return nil // not supported here, not permitted, or frozen by others
	}
	if err := unix.IoctlSetInt(s.boot.FD(), fithaw(), 0); err != nil && err != unix.EINVAL { // EINVAL: others did it
		return fmt.Errorf("ioctl(FITHAW): %w", err)
	}
	return nil
}

// testFreeze stands for a death between freeze and thaw.
func (s *Sysroot) testFreeze() error {
	guard, err := startThawGuard(s.boot.FD())
	if err == nil {
		guard.stdin.Close()
		err = guard.cmd.Wait()
	}
	if err == nil {
		err = errors.New("aborting due to test-fifreeze")
	}
	return fmt.Errorf("During fsfreeze-thaw: %w", err)
}

// thawScript waits for a word that all is well.
const thawScript = `trap "" INT TERM HUP
read ok && exit
"$0" --unfreeze /proc/self/fd/3 2>/dev/null
echo "fifreeze watchdog was run" >&2`

// thawGuard is a child process that thaws a file system when it loses touch
// with us.
type thawGuard struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

func startThawGuard(fd int) (*thawGuard, error) {
	fsfreeze, err := exec.LookPath("fsfreeze")
	if err != nil {
		return nil, err
	}
	dup, err := dupFile(fd)
	if err != nil {
		return nil, err
	}
	defer dup.Close()
	cmd := exec.Command("/bin/sh", "-c", thawScript, fsfreeze)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = append(cmd.ExtraFiles, dup)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &thawGuard{cmd, stdin}, cmd.Start()
}

// Close sends the child away.
func (g *thawGuard) Close() {
	_, _ = io.WriteString(g.stdin, "ok\n")
	g.stdin.Close()
	_ = g.cmd.Wait()
}

func dupFile(fd int) (*os.File, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(n), "boot"), nil
}

// fifreeze and fithaw are _IOWR('X', 119, int) and _IOWR('X', 120, int) of
// linux/fs.h; some architectures encode the direction differently.
func fifreeze() uint { return ioctlReadWrite() | 119 }

func fithaw() uint { return ioctlReadWrite() | 120 }

func ioctlReadWrite() uint {
	const size, kind = 4 << 16, 'X' << 8
	switch runtime.GOARCH {
	case "ppc64", "ppc64le", "mips", "mipsle", "mips64", "mips64le":
		return 6<<29 | size | kind
	}
	return 3<<30 | size | kind
}
