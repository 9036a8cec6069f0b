// Package sandbox runs programs of an OS tree inside that tree: package
// scriptlets, dracut, depmod, postprocess scripts. It executes bubblewrap
// (bwrap), which every host of this kind has.
//
// The program sees /usr and /etc of the tree, kernel file systems of its own,
// an empty /run but for the marker /run/ostree-booted, no network, no other
// process, and few capabilities. The package database is hidden, as it is
// being rewritten; /var cannot be written except /var/tmp and
// /var/lib/rpm-state, because the content of /var belongs to the machine and
// not to the tree.
package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Root says which tree a program runs in, and how much of it the program
// may change.
type Root struct {
	// Dir is the directory that holds the tree; its usr and etc become /usr
	// and /etc.
	Dir string
	// ReadOnly makes /usr and /etc immutable.
	ReadOnly bool
	// State is a directory that becomes /var/lib/rpm-state, which scripts of one
	// transaction share. Empty means that there is none.
	State string
	// ShowDatabase leaves /usr/share/rpm visible.
	ShowDatabase bool
	// Binds are further host paths to show inside.
	Binds []Bind
	// Epoch is SOURCE_DATE_EPOCH for the program, in seconds; 0 leaves it unset.
	Epoch uint64
}

// A Bind shows the host's Source at Target inside.
type Bind struct {
	Source, Target string
	Writable       bool
}

// A Command is what to run. Args[0] is looked up inside the tree.
type Command struct {
	Args   []string
	Env    []string  // added to the fixed environment, KEY=VALUE
	Stdin  io.Reader // nil means an empty input
	Output io.Writer // stdout and stderr together; nil discards them
	// Script, if not nil, is the text of a script; its path inside is put in
	// place of the argument ScriptPath.
	Script []byte
}

// ScriptPath is the argument that stands for the path of Command.Script: the
// first descriptor after stderr.
const ScriptPath = "/proc/self/fd/3"

// An ExitError tells that the program ran and failed.
type ExitError struct {
	Program string
	Code    int            // exit code, if Signal is 0
	Signal  syscall.Signal // the signal that ended it, or 0
	// NotStarted tells that there was no sandbox, or no such program in it: bwrap has
	// said why, as the only output.
	NotStarted bool
}

func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("bwrap(%s): Child process killed by signal %d", e.Program, e.Signal)
	}
	return fmt.Sprintf("bwrap(%s): Child process exited with code %d", e.Program, e.Code)
}

// capabilities are what package scripts get: enough to own and label files,
// and nothing that reaches the host.
var capabilities = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_SYS_CHROOT", "CAP_SETFCAP",
}

// Run runs c in r and waits for it. A program that fails is an *ExitError.
func Run(ctx context.Context, r Root, c Command) error {
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		return errors.New("bwrap not found: install bubblewrap to run package scripts")
	}
	args, err := r.arguments()
	if err != nil {
		return err
	}
	for _, kv := range c.Env {
		for i := range kv {
			if kv[i] == '=' {
				args = append(args, "--setenv", kv[:i], kv[i+1:])
				break
			}
		}
	}
	args = append(args, "--json-status-fd", "4", "--")
	cmd := exec.CommandContext(ctx, bwrap, append(args, c.Args...)...)
	cmd.Env = []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Output, c.Output
	// The sandbox is a process group of its own: a Ctrl-C on the terminal must
	// reach us, who then cancel, and not half of a script.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	status, err := memfile(nil)
	if err != nil {
		return err
	}
	defer status.Close()
	// The first of these is what ScriptPath says; bwrap keeps the second from the program.
	cmd.ExtraFiles = []*os.File{nil, status}
	if c.Script != nil {
		script, err := memfile(c.Script)
		if err != nil {
			return err
		}
		defer script.Close()
		if err := seal(script); err != nil {
			return err
		}
		cmd.ExtraFiles[0] = script
	}
	err = cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	e := &ExitError{Program: c.Args[0], Code: exit.ExitCode()}
	told := make([]byte, maxStatus)
	n, _ := status.ReadAt(told, 0)
	e.NotStarted = exit.Exited() && !bytes.Contains(told[:n], []byte(`"exit-code"`))
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal()
	} else if e.Code > 128 && e.Code <= 128+64 {
		// bwrap is the parent of the program and reports its signal in this way.
		e.Signal = syscall.Signal(e.Code - 128)
	}
	return e
}

// arguments returns the bwrap options that build r.
func (r Root) arguments() ([]string, error) {
	args := []string{
		"--unshare-pid", "--unshare-uts", "--unshare-ipc", "--unshare-cgroup-try", "--unshare-net",
		"--die-with-parent", "--cap-drop", "ALL",
	}
	for _, c := range capabilities {
		args = append(args, "--cap-add", c)
	}
	bind := "--bind"
	if r.ReadOnly {
		bind = "--ro-bind"
	}
	for _, d := range []string{"usr", "etc"} {
		args = append(args, bind, filepath.Join(r.Dir, d), "/"+d)
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib32", "libx32", "lib64"} {
		target, err := os.Readlink(filepath.Join(r.Dir, link))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		args = append(args, "--symlink", target, "/"+link)
	}
	args = append(args, "--dev", "/dev", "--proc", "/proc", "--dir", "/tmp", "--chmod", "1777", "/tmp",
		"--tmpfs", "/run", "--dir", "/boot", "--dir", "/sysroot", "--dir", "/home", "--dir", "/root", "--dir", "/opt")
	for _, d := range []string{"block", "bus", "class", "dev", "devices"} {
		args = append(args, "--ro-bind-try", "/sys/"+d, "/sys/"+d)
	}
	args = append(args, "--ro-bind", "/dev/null", "/run/ostree-booted", "--dir", "/run/lock",
		"--tmpfs", "/var", "--symlink", "../run", "/var/run", "--symlink", "../run/lock", "/var/lock",
		"--tmpfs", "/var/tmp", "--chmod", "1777", "/var/tmp", "--dir", "/var/lib")
	if r.State != "" {
		args = append(args, "--bind", r.State, "/var/lib/rpm-state")
	}
	args = append(args, "--remount-ro", "/var")
	if exists(filepath.Join(r.Dir, "usr/lib/opt")) {
		args = append(args, bind, filepath.Join(r.Dir, "usr/lib/opt"), "/opt")
	}
	if db := filepath.Join(r.Dir, "usr/share/rpm"); !r.ShowDatabase && exists(db) {
		args = append(args, "--tmpfs", "/usr/share/rpm", "--remount-ro", "/usr/share/rpm")
	}
	for _, b := range r.Binds {
		how := "--ro-bind"
		if b.Writable {
			how = "--bind"
		}
		args = append(args, how, b.Source, b.Target)
	}
	lang := os.Getenv("LANG")
	if lang == "" {
		lang = "C"
	}
	args = append(args, "--chdir", "/", "--setenv", "LANG", lang,
		"--setenv", "PATH", "/usr/sbin:/usr/bin", "--setenv", "SYSTEMD_OFFLINE", "1", "--setenv", "HOME", "/root")
	if r.Epoch != 0 {
		args = append(args, "--setenv", "SOURCE_DATE_EPOCH", fmt.Sprint(r.Epoch))
	}
	return args, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// maxStatus bounds what is read of bwrap's account of what it did, in bytes.
const maxStatus = 4096

// memfile returns an anonymous file with the content b, positioned at its start.
func memfile(b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("script", unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "script")
	if _, err := f.WriteAt(b, 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// seal keeps a memfile from being changed.
func seal(f *os.File) error {
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("sealing a script: %w", err)
	}
	return nil
}
