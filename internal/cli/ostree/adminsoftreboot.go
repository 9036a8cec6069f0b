package ostree

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"rpmostree/ostree/sysroot"
)

func adminSoftRebootCommand() *command {
	c := &command{name: "prepare-soft-reboot", args: "INDEX", about: "Prepare deployment for soft-reboot", scope: sysrootScope}
	var reboot, reset bool
	c.flag(&reboot, "reboot", 0, "Initiate a soft reboot on success")
	c.flag(&reset, "reset", 0, "Undo queued soft reboot state")
	c.run = func(e *env) error {
		if !reset && len(e.args) == 0 {
			return usagef("INDEX must be specified")
		}
		err := e.withState(func(s *sysroot.Sysroot, st *sysroot.State) error {
			if reset {
				return s.ClearSoftReboot(st)
			}
			d, err := deployment(st, e.args[0])
			if err != nil {
				return err
			}
			if d.Booted {
				return fmt.Errorf("Cannot prepare for soft-reboot currently booted deployment %d", d.Index)
			}
			_, err = s.PrepareSoftReboot(e.ctx, st, d)
			return err
		})
		if err != nil || !reboot || reset {
			return err
		}
		if out, err := exec.CommandContext(e.ctx, "systemctl", "soft-reboot").CombinedOutput(); err != nil {
			return fmt.Errorf("systemctl soft-reboot: %w: %s", err, out)
		}
		return nil
	}
	return c
}

// adminImplSoftRebootCommand works on the deployment in the current directory.
func adminImplSoftRebootCommand() *command {
	c := &command{name: "impl-prepare-soft-reboot", about: "Internal command to prepare soft reboot", scope: sysrootScope, hidden: true}
	c.run = func(*env) error {
		if !booted() {
			return errors.New("Not currently booted into an OSTree system")
		}
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		return sysroot.PrepareNextRoot(dir)
	}
	return c
}

func adminStateOverlayCommand() *command {
	c := &command{name: "state-overlay", args: "NAME MOUNTPATH", about: "Internal command to assemble a state overlay", scope: sysrootScope, hidden: true}
	c.run = func(e *env) error {
		if len(e.args) < 2 {
			return errors.New("Missing NAME or MOUNTPATH")
		}
		return e.readState(e.openAsRoot, func(s *sysroot.Sysroot, st *sysroot.State) error {
			return s.MountStateOverlay(st, e.args[0], e.args[1])
		})
	}
	return c
}
