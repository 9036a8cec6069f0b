package ostree

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"

	"golang.org/x/sys/unix"

	"rpmostree/internal/progress"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sysroot"
)

func adminCommands() *command {
	c := group("admin", "--print-current-dir|COMMAND", "Commands for managing a host system booted with ostree",
		adminCleanupCommand(), adminConfigDiffCommand(), adminDeployCommand(), adminFinalizeCommand(), adminBootCompleteCommand(),
		adminInitFSCommand(), adminStaterootCommand("os-init"), adminStaterootCommand("stateroot-init"), adminPinCommand(),
		adminPostCopyCommand(), adminSetDefaultCommand(), adminStatusCommand(), adminUndeployCommand(), adminKargsCommands(),
		adminInstutilCommands(), adminUpgradeCommand(), adminSwitchCommand(), adminSetOriginCommand(), adminUnlockCommand(),
		adminLockFinalizationCommand(), adminSoftRebootCommand(), adminImplSoftRebootCommand(), adminStateOverlayCommand())
	c.scope = sysrootScope
	printDir := false
	c.flag(&printDir, "print-current-dir", 0, "If specified, return current deployment directory")
	c.run = func(e *env) error {
		if !printDir {
			return usagef("No \"admin\" subcommand specified")
		}
		if err := e.printCurrentDir(); err != nil {
			return usageOf(err)
		}
		return nil
	}
	return c
}

// openSysroot opens the sysroot of --sysroot, of the environment, or of the system.
func (e *env) openSysroot() (*sysroot.Sysroot, error) {
	path := e.sysrootPath
	if path == "" {
		path = os.Getenv("OSTREE_SYSROOT")
	}
	if path == "" {
		path = "/"
	}
	o := sysroot.OptionsFromEnv()
	o.Progress = lines{e}
	return sysroot.Open(path, o)
}

// stateroot is an option with the name of a stateroot.
func (c *command) stateroot(p *string, name, value string) {
	c.fn(func(s string) error {
		if *p = s; s == "" {
			return errors.New("Invalid empty osname")
		}
		return nil
	}, name, 0, value, "Use a different operating system root than the current one")
}

// openAsRoot is openSysroot for those who may change the running system.
func (e *env) openAsRoot() (*sysroot.Sysroot, error) {
	s, err := e.openSysroot()
	if err == nil && s.IsBooted() && !repo.Privileged() {
		s.Close()
		return nil, errors.New("You must be root to perform this command")
	}
	return s, err
}

// lines prints the messages of an operation.
type lines struct{ *env }

func (l lines) Message(text string)             { l.printf("%s\n", text) }
func (l lines) Begin(text string) progress.Task { return progress.Discard.Begin(text) }

// withState runs f on a sysroot that is locked for writing, and its state.
func (e *env) withState(f func(*sysroot.Sysroot, *sysroot.State) error) error {
	if err := sysroot.EnsureWritable(); err != nil {
		return err
	}
	return e.withLock(f)
}

// withLock is withState with the mounts as they are.
func (e *env) withLock(f func(*sysroot.Sysroot, *sysroot.State) error) error {
	s, err := e.openAsRoot()
	if err != nil {
		return err
	}
	defer s.Close()
	unlock, err := s.Lock(e.ctx)
	if err != nil {
		return err
	}
	defer unlock()
	st, err := s.Load()
	if err != nil {
		return err
	}
	return f(s, st)
}

// readState runs f on a sysroot and its state without a lock.
func (e *env) readState(open func() (*sysroot.Sysroot, error), f func(*sysroot.Sysroot, *sysroot.State) error) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.Close()
	st, err := s.Load()
	if err != nil {
		return err
	}
	return f(s, st)
}

// adminCommand is a command that changes a sysroot.
func adminCommand(name, args, about string, run func(*env, *sysroot.Sysroot, *sysroot.State) error) *command {
	c := &command{name: name, args: args, about: about, scope: sysrootScope}
	c.run = func(e *env) error {
		return e.withState(func(s *sysroot.Sysroot, st *sysroot.State) error { return run(e, s, st) })
	}
	return c
}

func (e *env) printCurrentDir() error {
	return e.readState(e.openSysroot, func(s *sysroot.Sysroot, st *sysroot.State) error {
		if len(st.Deployments) == 0 {
			return errNoDeployment
		}
		e.printf("%s\n", s.DeploymentPath(st.Deployments[0]))
		return nil
	})
}

var errNoDeployment = errors.New("Unable to find a deployment in sysroot")

// deployment reads an index among the deployments.
func deployment(st *sysroot.State, index string) (sysroot.Deployment, error) {
	n, err := strconv.Atoi(index)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return sysroot.Deployment{}, fmt.Errorf("Index too large: %s", index)
	case err != nil:
		return sysroot.Deployment{}, fmt.Errorf("Invalid index: %s", index)
	case n < 0:
		return sysroot.Deployment{}, fmt.Errorf("Invalid index %d", n)
	case n >= len(st.Deployments):
		return sysroot.Deployment{}, fmt.Errorf("Out of range deployment index %d, expected < %d", n, len(st.Deployments))
	}
	return st.Deployments[n], nil
}

func adminCleanupCommand() *command {
	return adminCommand("cleanup", "", "Delete untagged deployments and repository objects",
		func(e *env, s *sysroot.Sysroot, st *sysroot.State) error { return s.Cleanup(e.ctx, st) })
}

func adminConfigDiffCommand() *command {
	c := &command{name: "config-diff", about: "Diff current /etc configuration versus default", scope: sysrootScope}
	osname := ""
	c.stateroot(&osname, "os", "OSNAME")
	c.run = func(e *env) error {
		return e.readState(e.openAsRoot, func(s *sysroot.Sysroot, st *sysroot.State) error {
			return e.configDiff(s, st, osname)
		})
	}
	return c
}

func (e *env) configDiff(s *sysroot.Sysroot, st *sysroot.State, osname string) error {
	if _, booted := st.Booted(); !booted && osname == "" {
		return errors.New("Not currently booted into an OSTree system and no --os= argument given")
	}
	d, ok := st.MergeDeployment(osname)
	if !ok {
		return fmt.Errorf("No deployment for OS '%s'", osname)
	}
	diff, err := s.ConfigDiff(d)
	if err != nil {
		return err
	}
	printPaths(e, "M", diff.Modified)
	printPaths(e, "D", diff.Removed)
	printPaths(e, "A", diff.Added)
	return nil
}

func printPaths(e *env, letter string, paths []string) {
	for _, p := range paths {
		e.printf("%s    %s\n", letter, p)
	}
}

// booted reports whether OSTree has booted the running system. Commands that are
// part of its boot or shutdown do nothing elsewhere.
func booted() bool { return exists("/run/ostree-booted") }

func adminFinalizeCommand() *command {
	c := &command{name: "finalize-staged", about: "Internal command to run at shutdown time", scope: sysrootScope, hidden: true}
	hold := false
	c.flag(&hold, "hold", 0, "Hold /boot open during finalization")
	c.run = func(e *env) error {
		switch {
		case !booted():
			return nil
		case hold:
			return e.holdBoot()
		}
		return e.withState(func(s *sysroot.Sysroot, _ *sysroot.State) error { return s.FinalizeStaged(e.ctx) })
	}
	return c
}

// holdBoot keeps /boot, which is open with the sysroot, from being unmounted until
// we are told to end.
func (e *env) holdBoot() error {
	ctx, stop := signal.NotifyContext(e.ctx, unix.SIGTERM, unix.SIGINT)
	defer stop()
	return e.readState(e.openAsRoot, func(*sysroot.Sysroot, *sysroot.State) error {
		<-ctx.Done()
		return nil
	})
}

func adminBootCompleteCommand() *command {
	c := &command{name: "boot-complete", about: "Internal command to run at boot after an update was applied", scope: sysrootScope, hidden: true}
	c.run = func(e *env) error {
		if !booted() {
			return nil
		}
		return e.withState(func(s *sysroot.Sysroot, _ *sysroot.State) error { return s.BootComplete() })
	}
	return c
}

func adminPostCopyCommand() *command {
	return adminCommand("post-copy", "", "Update the repo and deployments as needed after a copy",
		func(_ *env, s *sysroot.Sysroot, _ *sysroot.State) error { return s.UpdatePostCopy() })
}

func adminInitFSCommand() *command {
	c := &command{name: "init-fs", args: "PATH", about: "Initialize a root filesystem", scope: sysrootScope}
	modern, epoch := false, 0
	c.flag(&modern, "modern", 0, "Equivalent to --epoch=1")
	c.fn(func(s string) (err error) {
		if epoch, err = strconv.Atoi(s); err != nil {
			err = fmt.Errorf("Cannot parse integer value “%s” for --epoch", s)
		}
		return err
	}, "epoch", 'E', "N", "0: legacy; 1: only boot; 2: only boot, and ostree closed to users")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("PATH must be specified")
		}
		if modern && epoch == 0 {
			epoch = 1
		}
		return sysroot.InitFS(e.args[0], epoch)
	}
	return c
}

func adminStaterootCommand(name string) *command {
	c := adminCommand(name, "STATEROOT", "Initialize empty state for given operating system", nil)
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("STATEROOT must be specified")
		}
		return e.withState(func(s *sysroot.Sysroot, _ *sysroot.State) error {
			if err := s.InitStateroot(e.args[0]); err != nil {
				return err
			}
			e.printf("ostree/deploy/%s initialized as OSTree stateroot\n", e.args[0])
			return nil
		})
	}
	return c
}

func adminPinCommand() *command {
	c := &command{name: "pin", args: "INDEX", about: "Change the \"pinning\" state of a deployment, INDEX can be >= 0 or one of booted, pending or rollback strings", scope: sysrootScope}
	unpin := false
	c.flag(&unpin, "unpin", 'u', "Unset pin")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("INDEX must be specified")
		}
		return e.withState(func(s *sysroot.Sysroot, st *sysroot.State) error {
			for _, arg := range e.args {
				d, err := namedDeployment(st, arg)
				if err == nil {
					err = e.pin(s, d, !unpin)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}

func (e *env) pin(s *sysroot.Sysroot, d sysroot.Deployment, pinned bool) error {
	word := map[bool]string{false: "unpinned", true: "pinned"}[pinned]
	if d.Pinned() == pinned {
		e.printf("Deployment %d is already %s\n", d.Index, word)
		return nil
	}
	if err := s.Pin(d, pinned); err != nil {
		return err
	}
	e.printf("Deployment %d is now %s\n", d.Index, word)
	return nil
}

// namedDeployment reads an index or what a deployment is to the running system.
func namedDeployment(st *sysroot.State, name string) (sysroot.Deployment, error) {
	booted, ok := st.Booted()
	find := func(string) (sysroot.Deployment, bool) { return booted, true }
	switch name {
	case "booted":
	case "pending":
		find = st.Pending
	case "rollback":
		find = st.Rollback
	default:
		return deployment(st, name)
	}
	if ok {
		if d, ok := find(""); ok {
			return d, nil
		}
	}
	return sysroot.Deployment{}, fmt.Errorf("Deployment type not found: %s", name)
}

func adminSetDefaultCommand() *command {
	return adminCommand("set-default", "INDEX", "Make deployment INDEX the default",
		func(e *env, s *sysroot.Sysroot, st *sysroot.State) error {
			if len(e.args) == 0 {
				return usagef("INDEX must be specified")
			}
			d, err := deployment(st, e.args[0])
			if err != nil {
				return err
			}
			next, err := s.Write(e.ctx, st, st.WithDefault(d.Index), sysroot.WriteOptions{NoClean: true})
			if err != nil {
				return err
			}
			return s.Cleanup(e.ctx, next)
		})
}

func adminUndeployCommand() *command {
	return adminCommand("undeploy", "INDEX", "Delete deployment INDEX",
		func(e *env, s *sysroot.Sysroot, st *sysroot.State) error {
			if len(e.args) == 0 {
				return usagef("INDEX must be specified")
			}
			d, err := deployment(st, e.args[0])
			if err != nil {
				return err
			}
			if d.Booted {
				return fmt.Errorf("Cannot undeploy currently booted deployment %d", d.Index)
			}
			next, err := s.Write(e.ctx, st, st.Without(d.Index), sysroot.WriteOptions{NoClean: true})
			if err != nil {
				return err
			}
			e.printf("Deleted deployment %s\n", d.Name())
			if err := s.Cleanup(e.ctx, next); err != nil {
				return fmt.Errorf("Performing final cleanup: %w", err)
			}
			return nil
		})
}
