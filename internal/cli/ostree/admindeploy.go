package ostree

import (
	"errors"
	"os"

	"rpmostree/internal/keyfile"
	"rpmostree/ostree/bootloader"
	"rpmostree/ostree/sysroot"
)

// deployer is the admin deploy command with its options.
type deployer struct {
	*env
	originFile                              string
	noMerge                                 bool
	kargNone, kargProc                      bool
	kargs, kargsAppend, kargsDelete, initrd []string
	options                                 sysroot.DeployOptions
}

func adminDeployCommand() *command {
	c := &command{name: "deploy", args: "REFSPEC", about: "Checkout revision REFSPEC as the new default deployment", scope: sysrootScope}
	var d deployer
	o := &d.options
	c.stateroot(&o.Stateroot, "os", "OSNAME")
	c.stateroot(&o.Stateroot, "stateroot", "STATEROOT")
	c.file(&d.originFile, "origin-file", 0, "FILENAME", "Specify origin file")
	c.flag(&o.NoPrune, "no-prune", 0, "Don't prune the repo when done")
	c.flag(&d.noMerge, "no-merge", 0, "Do not apply configuration (/etc and kernel arguments) from booted deployment")
	c.flag(&o.Retain.All, "retain", 0, "Do not delete previous deployments")
	c.flag(&o.Stage, "stage", 0, "Complete deployment at OS shutdown")
	c.flag(&o.LockFinalization, "lock-finalization", 0, "Prevent automatic deployment finalization on shutdown")
	c.flag(&o.Retain.Pending, "retain-pending", 0, "Do not delete pending deployments")
	c.flag(&o.Retain.Rollback, "retain-rollback", 0, "Do not delete rollback deployments")
	c.flag(&o.Retain.NotDefault, "not-as-default", 0, "Append rather than prepend new deployment")
	c.flag(&d.kargProc, "karg-proc-cmdline", 0, "Import current /proc/cmdline")
	c.list(&d.kargs, "karg", 0, "NAME=VALUE", "Set kernel argument, like root=/dev/sda1; this overrides any earlier argument with the same name")
	c.list(&d.kargsAppend, "karg-append", 0, "NAME=VALUE", "Append kernel argument; useful with e.g. console= that can be used multiple times")
	c.flag(&d.kargNone, "karg-none", 0, "Do not import kernel arguments")
	c.list(&d.kargsDelete, "karg-delete", 0, "NAME=VALUE", "Delete kernel argument if exists")
	c.list(&d.initrd, "overlay-initrd", 0, "FILE", "Overlay initramfs file")
	c.run = func(e *env) error {
		d.env = e
		switch {
		case len(e.args) == 0:
			return usagef("REF/REV must be specified")
		case d.kargProc && d.kargNone:
			return usagef("Can't specify both --karg-proc-cmdline and --karg-none")
		case d.kargNone && len(d.kargsDelete) > 0:
			return usagef("Can't specify both --karg-none and --karg-delete")
		case d.noMerge && len(d.kargsDelete) > 0:
			return usagef("Can't specify both --no-merge and --karg-delete")
		}
		o.Stage = o.Stage || o.LockFinalization // which is of no use otherwise
		switch {
		case o.Stage && (o.Retain.Pending || o.Retain.Rollback):
			return errors.New("--stage cannot currently be combined with --retain arguments")
		case o.Stage && o.Retain.NotDefault:
			return errors.New("--stage cannot currently be combined with --not-as-default")
		}
		return e.withState(d.deploy)
	}
	return c
}

func (d *deployer) deploy(s *sysroot.Sysroot, st *sysroot.State) error {
	refspec := d.args[0]
	o := d.options
	if o.Stateroot == "" {
		booted, ok := st.Booted()
		if !ok {
			return errors.New("Looking for booted deployment: Not currently booted into an OSTree system and no --os= argument given")
		}
		o.Stateroot = booted.OSName
	}
	var err error
	if o.Origin, err = d.origin(refspec); err != nil {
		return err
	}
	if o.Commit, err = s.Repo().ResolveRev(refspec); err != nil {
		return err
	}
	merge, hasMerge := st.MergeDeployment(o.Stateroot)
	if hasMerge && !d.noMerge {
		o.Merge = &merge
	}
	if o.Kargs, err = d.kernelArguments(o.Merge); err != nil {
		return err
	}
	for _, name := range d.initrd {
		sum, err := stageInitrd(s, name)
		if err != nil {
			return err
		}
		o.Overlays = append(o.Overlays, sum)
	}
	_, _, err = s.Deploy(d.ctx, o)
	return err
}

func (d *deployer) origin(refspec string) (*keyfile.File, error) {
	if d.originFile == "" {
		return sysroot.NewOrigin(refspec), nil
	}
	b, err := os.ReadFile(d.originFile)
	if err != nil {
		return nil, err
	}
	return keyfile.Parse(b)
}

func stageInitrd(s *sysroot.Sysroot, name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return s.StageInitrd(f)
}

// kernelArguments returns nil if the arguments of the merge deployment are right as they are.
func (d *deployer) kernelArguments(merge *sysroot.Deployment) (*bootloader.Kargs, error) {
	if !d.kargProc && !d.kargNone && len(d.kargs)+len(d.kargsAppend)+len(d.kargsDelete) == 0 {
		return nil, nil
	}
	var k bootloader.Kargs
	switch {
	case d.kargNone:
	case d.kargProc:
		text, err := os.ReadFile("/proc/cmdline")
		if err != nil {
			return nil, err
		}
		k.AppendProcCmdline(string(text))
	case merge != nil:
		k = merge.Kargs().Clone()
	}
	for _, arg := range d.kargs {
		k.Replace(arg)
	}
	for _, arg := range d.kargsAppend {
		k.Append(arg)
	}
	for _, arg := range d.kargsDelete {
		if err := k.DeleteIfPresent(arg); err != nil {
			return nil, err
		}
	}
	return &k, nil
}

func adminKargsCommands() *command {
	c := &command{name: "edit-in-place", about: "Set new kernel command line arguments in place (applies to all deployments by default)", scope: sysrootScope, hidden: true}
	var missing []string
	c.list(&missing, "append-if-missing", 0, "NAME=VALUE", "Append kernel argument if missing")
	c.run = func(e *env) error {
		return e.withState(func(s *sysroot.Sysroot, st *sysroot.State) error {
			if len(st.Deployments) == 0 {
				return errNoDeployment
			}
			for _, d := range st.Deployments {
				k := st.Kargs(d).Clone()
				for _, arg := range missing {
					k.AppendIfMissing(arg)
				}
				if err := s.EditKargsInPlace(st, d, k); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g := group("kargs", "COMMAND", "Change kernel arguments", c)
	g.scope = sysrootScope
	return g
}

func adminInstutilCommands() *command {
	c := &command{name: "set-kargs", args: "ARGS", about: "Set new kernel command line arguments", scope: sysrootScope}
	var proc, merge bool
	var replaceArgs, appendArgs []string
	c.flag(&proc, "import-proc-cmdline", 0, "Import current /proc/cmdline")
	c.flag(&merge, "merge", 0, "Merge with previous command line")
	c.list(&replaceArgs, "replace", 0, "NAME=VALUE", "Set kernel argument, like root=/dev/sda1; this overrides any earlier argument with the same name")
	c.list(&appendArgs, "append", 0, "NAME=VALUE", "Append kernel argument; useful with e.g. console= that can be used multiple times")
	c.run = func(e *env) error {
		return e.withState(func(s *sysroot.Sysroot, st *sysroot.State) error {
			if len(st.Deployments) == 0 {
				return errNoDeployment
			}
			first := st.Deployments[0]
			var k bootloader.Kargs
			switch {
			case proc:
				text, err := os.ReadFile("/proc/cmdline")
				if err != nil {
					return err
				}
				k.AppendProcCmdline(string(text))
			case merge:
				k = st.Kargs(first).Clone()
			}
			for _, arg := range replaceArgs {
				k.Replace(arg)
			}
			for _, arg := range append(appendArgs, e.args...) {
				k.Append(arg)
			}
			_, err := s.SetKargs(e.ctx, st, first, k)
			return err
		})
	}
	g := group("instutil", "COMMAND", "Deprecated commands intended for installer programs",
		c, grub2GenerateCommand(), ensureLabelledCommand())
	g.scope, g.hidden = sysrootScope, true
	return g
}

func ensureLabelledCommand() *command {
	c := &command{name: "selinux-ensure-labeled", args: "[SUBPATH PREFIX]", about: "Relabel all or part of a deployment", scope: sysrootScope, hidden: true}
	c.run = func(e *env) error {
		dir, prefix := "", ""
		switch len(e.args) {
		case 0:
		case 1:
			return usagef("SUBPATH needs a PREFIX")
		default:
			dir, prefix = e.args[0], e.args[1]
		}
		return e.readState(e.openAsRoot, func(s *sysroot.Sysroot, st *sysroot.State) error {
			if len(st.Deployments) == 0 {
				return errNoDeployment
			}
			first := st.Deployments[0]
			named := func(policy string) { e.printf("Relabeling using policy '%s'\n", policy) }
			name, err := s.EnsureLabelled(first, dir, prefix, named, func(file, at, label string) {
				e.printf("Set label of '%s' (as '%s') to '%s'\n", file, at, label)
			})
			if err == nil && name == "" {
				e.printf("No SELinux policy found in deployment '%s'\n", s.DeploymentPath(first))
			}
			return err
		})
	}
	return c
}
