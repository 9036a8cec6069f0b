// Package qemu boots a disk image with a deployment in an emulated machine, without KVM,
// and runs commands in it through the QEMU guest agent.
//
// The package is the machine's boot loader: it reads the boot entries from the image and
// starts the kernel, the initramfs and the arguments that the default one names. So
// kernels, boot entries, the initramfs and ostree-prepare-root are exercised, which
// package nspawn leaves out. It needs neither root nor loop devices.
package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"rpmostree/test/e2e/machine"
)

// Config says what to boot.
type Config struct {
	// Disk is a raw image of one ext4 file system, as MakeDisk writes it. One machine at
	// a time may use it.
	Disk string
	// Entry is the boot entry to take: 0 is the default, 1 the one below it in the menu.
	Entry int
	// Initrd replaces the boot entry's initramfs; empty takes the entry's.
	Initrd string
	// InitrdOverlay is an archive that the kernel unpacks over the initramfs, as
	// initramfs.Pack writes it; empty is none.
	InitrdOverlay string
	// Append are more kernel arguments.
	Append string
	// Dir takes sockets, kernels and the console log; empty is a new temporary
	// directory, which Close removes. Its path must be short: it is a socket's.
	Dir string
	// Memory is in MiB; zero is 1024.
	Memory int
	// BootLimit bounds the time to "running"; zero is fifteen minutes.
	BootLimit time.Duration
	// AllowDegraded accepts failed units.
	AllowDegraded bool
}

// Machine is a deployment that QEMU runs. It implements machine.Machine.
type Machine struct {
	config  Config
	ownDir  bool
	cmd     *exec.Cmd
	done    chan struct{} // closed when QEMU has ended
	started time.Time
	agent   *agent
	servers []*http.Server
	console console
	closed  bool
}

var _ machine.Machine = (*Machine)(nil)

// console collects what the guest writes.
type console struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// tools are the programs that must be installed.
var tools = []string{"qemu-system-x86_64", "debugfs", "e2fsck", "mke2fs"}

// noLogin keeps the login off the console, which nobody uses: on a busy host it takes longer
// than login(1) waits, and the failed session would count as a failed unit.
const noLogin = "systemd.mask=serial-getty@ttyS0.service"

// Missing returns why machines cannot be had here, or nil.
func Missing() error {
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed", tool)
		}
	}
	return nil
}

// Boot boots the disk and returns when systemd says that the system runs and no unit has
// failed. The context bounds the boot only, not the machine's life.
func Boot(ctx context.Context, c Config) (*Machine, error) {
	if err := Missing(); err != nil {
		return nil, err
	}
	if c.Memory == 0 {
		c.Memory = 1024
	}
	if c.BootLimit == 0 {
		c.BootLimit = 15 * time.Minute
	}
	m := &Machine{config: c}
	if c.Dir == "" {
		m.ownDir = true
		dir, err := os.MkdirTemp("", "qemu-")
		if err != nil {
			return nil, err
		}
		m.config.Dir = dir
	}
	if err := m.Start(ctx); err != nil {
		err = fmt.Errorf("%w\nconsole:\n%s", err, machine.Tail(m.Console(), 60))
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Choose takes another boot entry than Config's from the next start on, as its user does in
// the menu of a boot loader.
func (m *Machine) Choose(entry int) { m.config.Entry = entry }

// Console implements machine.Machine.
func (m *Machine) Console() string { return m.console.String() }

// Start implements machine.Machine: it boots the entry that Config or Choose names, as it is
// now.
func (m *Machine) Start(ctx context.Context) error {
	if m.alive() {
		return errors.New("the machine is up")
	}
	ctx, cancel := context.WithTimeout(ctx, m.config.BootLimit)
	defer cancel()
	args, err := m.arguments(ctx)
	if err != nil {
		return err
	}
	m.cmd = exec.Command("qemu-system-x86_64", args...)
	m.cmd.Stdout, m.cmd.Stderr = &m.console, &m.console
	if err := m.cmd.Start(); err != nil {
		return err
	}
	m.started, m.done = time.Now(), make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		cmd.Wait() // the state is read from cmd
		close(done)
	}(m.cmd, m.done)
	if err := m.waitUp(ctx); err != nil {
		return errors.Join(err, m.Crash())
	}
	return nil
}

func (m *Machine) socket() string { return filepath.Join(m.config.Dir, "agent") }

// arguments reads the boot entry and gives QEMU's command line for it.
func (m *Machine) arguments(ctx context.Context) ([]string, error) {
	d := disk{m.config.Disk, m.config.Dir}
	entries, err := d.entries(ctx)
	if err != nil {
		return nil, err
	}
	if m.config.Entry >= len(entries) {
		return nil, fmt.Errorf("%s has %d boot entries, no entry %d", d.image, len(entries), m.config.Entry)
	}
	entry := entries[m.config.Entry]
	kernel, err := d.extract(ctx, entry.Linux)
	if err != nil {
		return nil, err
	}
	initrd := m.config.Initrd
	if initrd == "" {
		if initrd, err = d.extract(ctx, entry.Initrd); err != nil {
			return nil, err
		}
	}
	if m.config.InitrdOverlay != "" {
		if initrd, err = m.overlaid(initrd); err != nil {
			return nil, err
		}
	}
	if err := os.RemoveAll(m.socket()); err != nil {
		return nil, err
	}
	return []string{
		"-M", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2",
		"-m", strconv.Itoa(m.config.Memory), "-nodefaults", "-no-user-config", "-display", "none",
		"-no-reboot", "-monitor", "none", "-serial", "stdio",
		"-drive", "file=" + escape(d.image) + ",format=raw,if=none,id=disk,cache=unsafe,discard=unmap",
		"-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci",
		"-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
		"-chardev", "socket,path=" + escape(m.socket()) + ",server=on,wait=off,id=agent",
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
		"-kernel", kernel, "-initrd", initrd, "-append", strings.TrimSpace(entry.Options + " " + noLogin + " " + m.config.Append),
	}, nil
}

// overlaid writes the initramfs with the overlay after it. The kernel looks for the next
// archive at a multiple of four bytes.
func (m *Machine) overlaid(initrd string) (string, error) {
	image, err := os.ReadFile(initrd)
	if err != nil {
		return "", err
	}
	overlay, err := os.ReadFile(m.config.InitrdOverlay)
	if err != nil {
		return "", err
	}
	image = append(image, make([]byte, -len(image)&3)...)
	out := filepath.Join(m.config.Dir, "initrd")
	return out, os.WriteFile(out, append(image, overlay...), 0o600)
}

// escape protects a path in a QEMU option from its splitting at commas.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }

// waitUp waits for the guest agent, then for the end of the boot, and judges the state.
func (m *Machine) waitUp(ctx context.Context) error {
	for n := 1; ; n++ {
		a, err := dial(m.socket(), n)
		if err == nil {
			m.agent = a
			break
		}
		for _, sign := range []string{"Kernel panic", "Entering emergency mode", "fastinit: "} {
			if strings.Contains(m.Console(), sign) {
				return fmt.Errorf("the boot failed: %q on the console", sign)
			}
		}
		select {
		case <-m.done:
			return fmt.Errorf("qemu ended: %v", m.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("the guest agent does not answer: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	if m.config.AllowDegraded {
		_, err := m.Run(ctx, "systemctl is-system-running --wait")
		return err
	}
	return machine.Check(ctx, m)
}

// Run implements machine.Machine.
func (m *Machine) Run(ctx context.Context, command string) (machine.Result, error) {
	if m.agent == nil || !m.alive() {
		return machine.Result{Status: -1}, errors.New("the machine is down")
	}
	return m.agent.run(ctx, command)
}

// Serve implements machine.Machine: QEMU gives the host's loopback address to the guest as
// 10.0.2.2.
func (m *Machine) Serve(h http.Handler) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h}
	m.servers = append(m.servers, s)
	go s.Serve(l) // ends with Close
	_, port, err := net.SplitHostPort(l.Addr().String())
	return "http://10.0.2.2:" + port, err
}

// CPU returns the processor time that QEMU has used in this boot: unlike wall time it
// can be compared between busy and idle hosts.
func (m *Machine) CPU() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms; field 2 ends with ")"
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11]) // the kernel writes numbers
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
