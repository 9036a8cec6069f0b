package nspawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// rebootStatus is how systemd-nspawn ends for a reboot under --keep-unit; without
// that option it would restart the old root itself.
const rebootStatus = 133

// crashLimit bounds the wait for a killed systemd-nspawn.
const crashLimit = time.Minute

// downLimit bounds an orderly shutdown.
const downLimit = 2 * time.Minute

// Reboot implements machine.Machine.
func (m *Machine) Reboot(ctx context.Context) error {
	if err := m.down(ctx, "reboot", rebootStatus); err != nil {
		return err
	}
	return m.Start(ctx)
}

// Shutdown implements machine.Machine.
func (m *Machine) Shutdown(ctx context.Context) error {
	return m.down(ctx, "poweroff", 0)
}

func (m *Machine) down(ctx context.Context, verb string, want int) error {
	if !m.alive() {
		return errors.New("the machine is down")
	}
	ctx, cancel := context.WithTimeout(ctx, downLimit)
	defer cancel()
	// the command may be cut off by the shutdown that it asks for
	if _, err := m.Run(ctx, "systemctl --no-block "+verb); err != nil {
		return err
	}
	select {
	case <-m.done:
		m.leader = 0
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", verb, ctx.Err())
	}
	if got := m.cmd.ProcessState.ExitCode(); got != want {
		return fmt.Errorf("%s: systemd-nspawn ended with status %d, not %d", verb, got, want)
	}
	return nil
}

// Crash implements machine.Machine.
func (m *Machine) Crash() error {
	if !m.alive() {
		return nil
	}
	if m.leader != 0 {
		// the end of process 1 is the end of all in its namespace
		if p, err := os.FindProcess(m.leader); err == nil {
			p.Kill()
		}
	}
	m.cmd.Process.Kill()
	m.leader = 0
	select {
	case <-m.done:
		return nil
	case <-time.After(crashLimit):
		return errors.New("systemd-nspawn does not end")
	}
}

// Close implements machine.Machine: it cuts the power of a machine that still runs.
func (m *Machine) Close() error {
	if m.closed {
		return nil
	}
	err := errors.Join(m.Crash(), m.network.close())
	m.console, m.closed = m.Console(), true
	if m.ownDir {
		err = errors.Join(err, os.RemoveAll(m.config.Dir))
	}
	return err
}

func (m *Machine) alive() bool {
	if m.cmd == nil {
		return false
	}
	select {
	case <-m.done:
		return false
	default:
		return true
	}
}

func (m *Machine) file(name string) string { return filepath.Join(m.config.Dir, name) }
