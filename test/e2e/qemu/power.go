package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// crashLimit bounds the wait for a killed QEMU.
const crashLimit = time.Minute

// downLimit bounds an orderly shutdown, in which one unit may take five minutes.
const downLimit = 10 * time.Minute

// Reboot implements machine.Machine. QEMU ends when the guest reboots, and is started
// again with what the boot entries then say.
func (m *Machine) Reboot(ctx context.Context) error {
	if err := m.down(ctx, "reboot"); err != nil {
		return err
	}
	return m.Start(ctx)
}

// Shutdown implements machine.Machine.
func (m *Machine) Shutdown(ctx context.Context) error { return m.down(ctx, "poweroff") }

func (m *Machine) down(ctx context.Context, verb string) error {
	if !m.alive() {
		return errors.New("the machine is down")
	}
	ctx, cancel := context.WithTimeout(ctx, downLimit)
	defer cancel()
	// the agent may be gone before it has told that the command succeeded
	_, asked := m.Run(ctx, "systemctl --no-block "+verb)
	m.hangUp()
	select {
	case <-m.done:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", verb, errors.Join(ctx.Err(), asked))
	}
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s: qemu ended with status %d", verb, code)
	}
	return nil
}

func (m *Machine) hangUp() {
	if m.agent != nil {
		m.agent.conn.Close()
		m.agent = nil
	}
}

// Crash implements machine.Machine. The host's cache keeps what the guest has written, so
// the order of processes is tested, not that of a disk's writes.
func (m *Machine) Crash() error {
	m.hangUp()
	if !m.alive() {
		return nil
	}
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-m.done:
		return nil
	case <-time.After(crashLimit):
		return errors.New("qemu does not end")
	}
}

// Close implements machine.Machine: it cuts the power of a machine that still runs.
func (m *Machine) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	errs := []error{m.Crash()}
	for _, s := range m.servers {
		errs = append(errs, s.Close())
	}
	if m.ownDir {
		errs = append(errs, os.RemoveAll(m.config.Dir))
	}
	return errors.Join(errs...)
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
