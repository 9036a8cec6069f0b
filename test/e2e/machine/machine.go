// Package machine says what a machine that runs a deployment can do for a test or
// the demo, whichever way it is made: nspawn boots the user space in seconds on
// the host's kernel, qemu boots the deployment's own kernel through its boot entry.
package machine

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Machine is a booted deployment. It is not safe for concurrent use, but Run.
type Machine interface {
	// Run runs a shell command inside as root. A command that ends with a status
	// other than zero is a Result, not an error.
	Run(ctx context.Context, command string) (Result, error)
	// Reboot shuts the system down in order and boots what the boot entries then say.
	Reboot(ctx context.Context) error
	// Shutdown powers the system off in order. The boot entries stay to be read.
	Shutdown(ctx context.Context) error
	// Crash ends the machine at once, as a power cut does.
	Crash() error
	// Start boots a machine that is down.
	Start(ctx context.Context) error
	// Serve answers HTTP requests of the machine, and of it alone; the URL that it
	// returns is valid inside. The server ends with Close.
	Serve(h http.Handler) (url string, err error)
	// Console returns what the machine has written to its console, over all boots.
	Console() string
	// Close ends the machine and frees all that it holds. It may be called twice.
	Close() error
}

// Result is what a command inside a machine left.
type Result struct {
	Output string // standard output and standard error, as they came
	Status int    // exit status; 128 and the signal's number if a signal ended it
}

// Must runs a command that has to succeed and returns its output.
func Must(ctx context.Context, m Machine, command string) (string, error) {
	r, err := m.Run(ctx, command)
	if err == nil && r.Status != 0 {
		err = fmt.Errorf("exit status %d", r.Status)
	}
	if err != nil {
		return r.Output, fmt.Errorf("%s: %w\n%s", command, err, r.Output)
	}
	return r.Output, nil
}

// MustRun is Must for a test: it ends the test if the command fails.
func MustRun(t testing.TB, m Machine, command string) string {
	t.Helper()
	out, err := Must(t.Context(), m, command)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Cleanup closes the machine at the test's end and logs its console if the test failed.
func Cleanup(t testing.TB, m Machine) {
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close the machine: %v", err)
		}
		if t.Failed() {
			t.Logf("console:\n%s", Tail(m.Console(), 100))
		}
	})
}

// Check returns an error unless systemd says that the system runs with no failed unit.
func Check(ctx context.Context, m Machine) error {
	r, err := m.Run(ctx, "systemctl is-system-running --wait")
	if err != nil {
		return err
	}
	state := strings.TrimSpace(r.Output)
	if state == "running" {
		return nil
	}
	failed, err := m.Run(ctx, "systemctl --failed --no-legend --plain; systemctl --failed --no-legend --plain | "+
		"while read -r unit rest; do journalctl -b -u $unit --no-pager -n 20; done")
	if err != nil {
		return fmt.Errorf("the system is %q: %w", state, err)
	}
	return fmt.Errorf("the system is %q, failed units:\n%s", state, failed.Output)
}

// Tail returns the last lines of a text.
func Tail(text string, lines int) string {
	l := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(l[max(0, len(l)-lines):], "\n")
}
