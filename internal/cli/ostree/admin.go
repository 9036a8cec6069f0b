package ostree

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"rpmostree/internal/progress"
	"rpmostree/ostree/sysroot"
)

func adminCommands() *command {
	c := group("admin", "--print-current-dir|COMMAND", "Commands for managing a host system booted with ostree",
		adminCleanupCommand(), adminConfigDiffCommand(), adminDeployCommand(), adminFinalizeCommand(), adminBootCompleteCommand(),
		adminInitFSCommand(), adminStaterootCommand(), adminPinCommand(), adminSetDefaultCommand(), adminStatusCommand(),
		adminUndeployCommand(), adminKargsCommands(), adminInstutilCommands(), adminUpgradeCommand(), adminSwitchCommand(),
		adminSetOriginCommand(), adminUnlockCommand(), adminLockFinalizationCommand())
	c.scope = sysrootScope
	printDir := false
	c.flag(&printDir, "print-current-dir", 0, "If specified, return current deployment directory")
	c.run = func(e *env) error {
		if !printDir {
			return usagef("No \"admin\" subcommand specified")
		}
		return e.printCurrentDir()
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
	if path == "/" && os.Geteuid() != 0 {
		return nil, errors.New("You must be root to perform this command")
	}
	o := sysroot.OptionsFromEnv()
	o.Progress = lines{e}
	return sysroot.Open(path, o)
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
	return e.withMounts(f)
}

// withMounts is withState with the mounts as they are.
func (e *env) withMounts(f func(*sysroot.Sysroot, *sysroot.State) error) error {
	s, err := e.openSysroot()
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

// adminCommand is a command that changes a sysroot.
func adminCommand(name, args, about string, run func(*env, *sysroot.Sysroot, *sysroot.State) error) *command {
	c := &command{name: name, args: args, about: about, scope: sysrootScope}
	c.run = func(e *env) error {
		return e.withState(func(s *sysroot.Sysroot, st *sysroot.State) error { return run(e, s, st) })
	}
	return c
}

func (e *env) printCurrentDir() error {
	s, err := e.openSysroot()
	if err != nil {
		return err
	}
	defer s.Close()
	st, err := s.Load()
	if err != nil {
		return err
	}
	if len(st.Deployments) == 0 {
		return errors.New("Unable to find a deployment in sysroot")
	}
	e.printf("%s\n", s.DeploymentPath(st.Deployments[0]))
	return nil
}

// deployment reads an index among the deployments.
func deployment(st *sysroot.State, index string) (sysroot.Deployment, error) {
	n, err := strconv.Atoi(index)
	if err != nil {
		return sysroot.Deployment{}, fmt.Errorf("Invalid index: %s", index)
	}
	if n < 0 || n >= len(st.Deployments) {
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
	c.str(&osname, "os", 0, "OSNAME", "Use a different operating system root than the current one")
	c.run = func(e *env) error {
		s, err := e.openSysroot()
		if err != nil {
			return err
		}
		defer s.Close()
		st, err := s.Load()
		if err != nil {
			return err
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
	return c
}

func printPaths(e *env, letter string, paths []string) {
	for _, p := range paths {
		e.printf("%s    %s\n", letter, p)
	}
}

func adminFinalizeCommand() *command {
	c := adminCommand("finalize-staged", "", "Internal command to run at shutdown time",
		func(e *env, s *sysroot.Sysroot, _ *sysroot.State) error { return s.FinalizeStaged(e.ctx) })
	c.hidden = true
	return c
}

func adminBootCompleteCommand() *command {
	c := adminCommand("boot-complete", "", "Internal command to run at boot after an update was applied",
		func(_ *env, s *sysroot.Sysroot, _ *sysroot.State) error { return s.BootComplete() })
	c.hidden = true
	return c
}

func adminInitFSCommand() *command {
	c := &command{name: "init-fs", args: "PATH", about: "Initialize a root filesystem", scope: sysrootScope}
	modern, epoch := false, 0
	c.flag(&modern, "modern", 0, "Equivalent to --epoch=1")
	c.fn(func(s string) (err error) {
		if epoch, err = strconv.Atoi(s); err != nil || epoch < 0 {
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

func adminStaterootCommand() *command {
	c := adminCommand("stateroot-init", "STATEROOT", "Initialize empty state for given operating system", nil)
	c.aliases = []string{"os-init"}
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
	c := &command{name: "pin", args: "INDEX...", about: "Change the \"pinning\" state of a deployment", scope: sysrootScope}
	unpin := false
	c.flag(&unpin, "unpin", 'u', "Unset pin")
	c.run = func(e *env) error {
		if len(e.args) == 0 {
			return usagef("INDEX must be specified")
		}
		return e.withState(func(s *sysroot.Sysroot, st *sysroot.State) error {
			for _, arg := range e.args {
				d, err := deployment(st, arg)
				if err != nil {
					return err
				}
				word := map[bool]string{true: "unpinned", false: "pinned"}[unpin]
				if d.Pinned() != unpin {
					e.printf("Deployment %s is already %s\n", arg, word)
					continue
				}
				if err := s.Pin(d, !unpin); err != nil {
					return err
				}
				e.printf("Deployment %s is now %s\n", arg, word)
			}
			return nil
		})
	}
	return c
}

func adminSetDefaultCommand() *command {
	return adminCommand("set-default", "INDEX", "Make deployment INDEX the default for the next boot",
		func(e *env, s *sysroot.Sysroot, st *sysroot.State) error {
			if len(e.args) == 0 {
				return usagef("INDEX must be specified")
			}
			d, err := deployment(st, e.args[0])
			if err != nil {
				return err
			}
			if d.Index == 0 {
				e.printf("Deployment %d is already the default\n", d.Index)
				return nil
			}
			_, err = s.Write(e.ctx, st, st.WithDefault(d.Index), sysroot.WriteOptions{})
			return err
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
			if _, err := s.Write(e.ctx, st, st.Without(d.Index), sysroot.WriteOptions{}); err != nil {
				return err
			}
			e.printf("Deleted deployment %s.%d\n", d.Checksum, d.Serial)
			return nil
		})
}
