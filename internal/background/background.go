// Package background lets a program leave its caller once it is ready for work, as C programs
// do by fork. A Go program cannot fork: it starts itself again with the same arguments, and
// the first process ends when the second one is ready.
package background

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// readyVar tells the second process the descriptor on which it says that it is ready.
const readyVar = "_BACKGROUND_READY_FD"

// ErrFailed is returned when the second process ended before it was ready. It has said why.
var ErrFailed = errors.New("the process in the background failed")

// Start starts the program again and waits until it is ready. Until then the new process
// has the standard streams of this one.
func Start() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(os.Environ(), readyVar+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n == 1 && err == nil {
		return cmd.Process.Release()
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %v", ErrFailed, err)
	}
	return ErrFailed
}

// A Child is this process, if it is the second one.
type Child struct{ ready *os.File }

// Started returns this process as a child of Start, or nil if it is the first one.
func Started() *Child {
	n, err := strconv.Atoi(os.Getenv(readyVar))
	if err != nil {
		return nil
	}
	os.Unsetenv(readyVar) // not for the programs that this one starts
	syscall.CloseOnExec(n)
	return &Child{os.NewFile(uintptr(n), "ready")}
}

// Ready gives up the standard streams and lets Start return.
func (c *Child) Ready() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	if _, err := c.ready.Write([]byte{0}); err != nil {
		return err
	}
	return c.ready.Close()
}
