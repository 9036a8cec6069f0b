// Package nspawn boots a deployment of a sysroot directory with systemd-nspawn: the
// deployment's own systemd, D-Bus, polkit and programs run on the host's kernel in
// one to two seconds.
//
// The package plays boot loader and initramfs: it takes a boot entry, follows its
// ostree= link and makes the mounts that ostree-prepare-root makes. The kernel, the
// initramfs and the kernel arguments are not exercised; package qemu does that.
// It needs root and systemd-nspawn.
package nspawn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"rpmostree/test/e2e/machine"
)

// Config says what to boot.
type Config struct {
	// Sysroot is the physical root: the directory that holds ostree/ and boot/.
	Sysroot string
	// Entry is the boot entry to take: 0 is the default, 1 the one below it in the menu.
	Entry int
	// Dir takes the console log and other files of the machine; empty is a new
	// temporary directory, which Close removes.
	Dir string
	// BootLimit bounds the time to "running"; zero is two minutes.
	BootLimit time.Duration
	// AllowDegraded accepts failed units.
	AllowDegraded bool
	// Args are more arguments for systemd-nspawn.
	Args []string
}

// Machine is a deployment that systemd-nspawn runs. It implements machine.Machine.
type Machine struct {
	config     Config
	name       string
	ownDir     bool
	deployment string
	network    network
	cmd        *exec.Cmd
	done       chan struct{} // closed when systemd-nspawn has ended
	leader     int           // the system's process 1, as the host numbers it
	closed     bool
	console    string // what Console says once closed
}

var _ machine.Machine = (*Machine)(nil)

// serial makes machine names unique within this process.
var serial atomic.Int32

// Missing returns why machines cannot be had here, or nil.
func Missing() error {
	if os.Getuid() != 0 {
		return errors.New("systemd-nspawn needs root")
	}
	for _, tool := range []string{"systemd-nspawn", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed", tool)
		}
	}
	return nil
}

// Boot boots a deployment and returns when systemd says that the system runs and no
// unit has failed. The context bounds the boot only, not the machine's life.
func Boot(ctx context.Context, c Config) (*Machine, error) {
	if err := Missing(); err != nil {
		return nil, err
	}
	root, err := filepath.EvalSymlinks(c.Sysroot)
	if err != nil {
		return nil, err
	}
	if c.Sysroot, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	if c.BootLimit == 0 {
		c.BootLimit = 2 * time.Minute
	}
	m := &Machine{config: c, name: fmt.Sprintf("lab-%d-%d", os.Getpid(), serial.Add(1))}
	if c.Dir == "" {
		m.ownDir = true
		if m.config.Dir, err = os.MkdirTemp("", m.name+"-"); err != nil {
			return nil, err
		}
	}
	m.network.file = filepath.Join(m.config.Dir, "net")
	err = m.network.inside(func() error { return nil })
	if err == nil {
		err = m.Start(ctx)
	}
	if err != nil {
		err = fmt.Errorf("%w\nconsole:\n%s", err, machine.Tail(m.Console(), 60))
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Deployment returns the directory of the deployment that runs.
func (m *Machine) Deployment() string { return m.deployment }

// Console implements machine.Machine.
func (m *Machine) Console() string {
	if m.closed {
		return m.console
	}
	log, err := os.ReadFile(m.file("console.log"))
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// Start implements machine.Machine: it boots the entry that Config names, as it is now.
func (m *Machine) Start(ctx context.Context) error {
	if m.alive() {
		return errors.New("the machine is up")
	}
	args, err := m.arguments()
	if err != nil {
		return err
	}
	console, err := os.OpenFile(m.file("console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer console.Close()
	m.cmd = exec.Command("systemd-nspawn", args...)
	m.cmd.Stdout, m.cmd.Stderr = console, console
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	m.leader, m.done = 0, make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		cmd.Wait() // the state is read from cmd
		close(done)
	}(m.cmd, m.done)

	ctx, cancel := context.WithTimeout(ctx, m.config.BootLimit)
	defer cancel()
	if err := m.waitUp(ctx); err != nil {
		return fmt.Errorf("boot %s: %w", m.deployment, err)
	}
	return nil
}

// arguments reads the boot entry and gives systemd-nspawn's command line for it.
func (m *Machine) arguments() ([]string, error) {
	root := m.config.Sysroot
	entries, err := machine.Entries(os.DirFS(filepath.Join(root, "boot/loader/entries")))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	if m.config.Entry >= len(entries) {
		return nil, fmt.Errorf("%s has %d boot entries, no entry %d", root, len(entries), m.config.Entry)
	}
	entry := entries[m.config.Entry]
	link, ok := entry.Arg("ostree")
	if !ok {
		return nil, fmt.Errorf("%s has no ostree= argument", entry.File)
	}
	if m.deployment, err = filepath.EvalSymlinks(filepath.Join(root, link)); err != nil {
		return nil, err
	}
	if err := errors.Join(
		os.WriteFile(m.file("cmdline"), []byte(entry.Options+"\n"), 0o644),
		os.WriteFile(m.file("booted"), nil, 0o644),
	); err != nil {
		return nil, err
	}
	d := m.deployment
	// ostree/deploy/STATEROOT/deploy/CHECKSUM.N: /var is the stateroot's. Without norbind
	// /sysroot would carry the machine's own mounts, which shutdown cannot unmount.
	stateVar := filepath.Join(filepath.Dir(filepath.Dir(d)), "var")
	args := []string{
		"--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off",
		"--timezone=off", "-M", m.name, "-D", d,
		"--bind=" + escape(root) + ":/sysroot:norbind",
		"--bind=" + escape(stateVar) + ":/var:norbind",
		"--bind=" + escape(root) + "/boot:/boot:norbind",
		"--bind-ro=" + escape(d) + "/usr:/usr:norbind",
		"--bind-ro=" + escape(m.file("booted")) + ":/run/ostree-booted",
		"--bind-ro=" + escape(m.file("cmdline")) + ":/run/cmdline",
		"--network-namespace-path=" + m.network.file,
	}
	return append(args, m.config.Args...), nil
}

// escape protects a path from systemd-nspawn's splitting at colons.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace(path)
}

// waitUp waits for process 1, then for the end of the boot, and judges the state.
func (m *Machine) waitUp(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		// asked each time: the first child is a helper that makes the namespaces
		if m.leader = m.findLeader(); m.leader != 0 {
			r, err := m.Run(ctx, "systemctl is-system-running --wait")
			state := strings.TrimSpace(r.Output)
			if err == nil && (state == "running" || state == "degraded") {
				break
			}
		}
		select {
		case <-m.done:
			return fmt.Errorf("systemd-nspawn ended: %v", m.cmd.ProcessState)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), m.Crash())
		case <-tick.C:
		}
	}
	// only now: systemd-nspawn cannot put a file of the host on /proc
	if _, err := machine.Must(ctx, m, "mount --bind /run/cmdline /proc/cmdline"); err != nil {
		return err
	}
	if m.config.AllowDegraded {
		return nil
	}
	return machine.Check(ctx, m)
}

// findLeader returns the child of systemd-nspawn, which is the system's process 1, or 0.
func (m *Machine) findLeader() int {
	var pid int
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", m.cmd.Process.Pid))
	if err != nil {
		return 0 // it has ended, and done tells
	}
	fmt.Sscan(string(children), &pid)
	return pid
}

// Run implements machine.Machine.
func (m *Machine) Run(ctx context.Context, command string) (machine.Result, error) {
	if m.leader == 0 {
		return machine.Result{Status: -1}, errors.New("the machine is down")
	}
	c := exec.CommandContext(ctx, "nsenter", "-t", fmt.Sprint(m.leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w",
		"/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin", "HOME=/root", "LANG=C.UTF-8", "/bin/bash", "-c", command)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	r := machine.Result{Output: out.String(), Status: -1}
	if c.ProcessState != nil {
		r.Status = c.ProcessState.ExitCode()
		if ws, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			r.Status = 128 + int(ws.Signal())
		}
	}
	if _, exited := errors.AsType[*exec.ExitError](err); exited && ctx.Err() == nil {
		err = nil
	}
	return r, err
}
