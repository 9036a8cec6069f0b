package line

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rpmostree/test/e2e/machine"
	"rpmostree/test/e2e/nspawn"
)

// boot boots the default deployment, calls part, and shuts down. That the boot succeeds
// means that systemd runs and no unit has failed.
func (l *Line) boot(ctx context.Context, part func(ctx context.Context, in *inside) error) (err error) {
	start := time.Now()
	l.note("booting with systemd-nspawn: the deployment's own systemd, D-Bus and services")
	m, err := nspawn.Boot(ctx, nspawn.Config{Sysroot: l.Sysroot()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	l.checked("the system is running, no unit has failed (%.1f s)", time.Since(start).Seconds())
	in := &inside{l, m}
	if err := part(ctx, in); err != nil {
		return err
	}
	if err := in.verify(ctx); err != nil {
		return err
	}
	return m.Shutdown(ctx)
}

// inside is a running system.
type inside struct {
	line    *Line
	machine machine.Machine
}

// run shows and runs a command in the system, and what it prints.
func (in *inside) run(ctx context.Context, command string) (string, error) {
	fmt.Fprintln(in.line.Out, in.line.styled(bold, "lab# "+command))
	out, err := machine.Must(ctx, in.machine, command)
	if err == nil {
		fmt.Fprint(in.line.Out, out)
	}
	return out, err
}

// want runs a command that must print exactly a text.
func (in *inside) want(ctx context.Context, command, text string) error {
	out, err := in.run(ctx, command)
	if err == nil && out != text {
		err = fmt.Errorf("%s: printed %q, must be %q", command, out, text)
	}
	return err
}

// verify looks at what can be seen from inside only: /var is filled, and ostree knows what
// it has booted.
func (in *inside) verify(ctx context.Context) error {
	status, err := machine.Must(ctx, in.machine, "ostree admin status")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(status, "* "+Stateroot+" ") {
		return fmt.Errorf("the booted deployment is not the first:\n%s", status)
	}
	r, err := in.machine.Run(ctx, "rpm -Va")
	if err != nil {
		return err
	}
	if odd := Unexplained(r.Output); len(odd) > 0 {
		return fmt.Errorf("rpm -Va in the running system: what nothing explains:\n%s", strings.Join(odd, "\n"))
	}
	in.line.checked("in the running system: ostree knows the booted deployment, rpm -Va finds /var as packaged")
	return nil
}
