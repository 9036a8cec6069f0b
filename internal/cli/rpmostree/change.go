package rpmostree

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rpmostree/internal/core"
	"rpmostree/internal/pkgdiff"
	"rpmostree/internal/upgrade"
)

// changeFlags are the options that commands share which make a new deployment.
type changeFlags struct {
	reboot, unchanged77, cacheOnly, downloadOnly, dryRun, lock bool
	assumeYes, idempotent, allowInactive, forceReplace         bool
	install, uninstall                                         []string
}

func (f *changeFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVarP(&f.reboot, "reboot", "r", false, "Initiate a reboot after operation is complete")
	flags.BoolVar(&f.unchanged77, "unchanged-exit-77", false, "If no new deployment made, exit 77")
	flags.BoolVarP(&f.cacheOnly, "cache-only", "C", false, "Do not download latest ostree and RPM data")
	flags.BoolVar(&f.downloadOnly, "download-only", false, "Just download latest ostree and RPM data, don't deploy")
	flags.BoolVar(&f.lock, "lock-finalization", false, "Prevent automatic deployment finalization on shutdown")
}

// addPackages adds the options by which any change can also install.
func (f *changeFlags) addPackages(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.install, "install", nil, "Overlay additional package")
	c.Flags().StringArrayVar(&f.uninstall, "uninstall", nil, "Remove overlayed additional package")
}

// request starts a request with what the flags say.
func (f *changeFlags) request() upgrade.Request {
	r := upgrade.Request{
		Idempotent: f.idempotent, AllowInactive: f.allowInactive,
		CacheOnly: f.cacheOnly, DownloadOnly: f.downloadOnly, DryRun: f.dryRun, LockFinalize: f.lock,
		Uninstall: f.uninstall,
	}
	r.Install, r.InstallFiles = splitFiles(f.install)
	return r
}

// splitFiles tells requests by name from package files.
func splitFiles(args []string) (names, files []string) {
	for _, arg := range args {
		if strings.HasPrefix(arg, "file://") || strings.HasSuffix(arg, ".rpm") {
			files = append(files, strings.TrimPrefix(arg, "file://"))
		} else {
			names = append(names, arg)
		}
	}
	return names, files
}

// change carries out a request and shows the result. What is said when nothing
// changes is up to the command.
func (a *app) change(cmd *cobra.Command, f changeFlags, r upgrade.Request, nothing, closing string) error {
	for _, arg := range append(append([]string{}, r.Install...), r.InstallFiles...) {
		if strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") {
			return fmt.Errorf("%s: package files must be local; download it first", arg)
		}
	}
	h, err := a.openRoot()
	if err != nil {
		return err
	}
	defer h.Sysroot.Close()
	result, err := h.Update(cmd.Context(), r)
	switch {
	case err != nil:
		return err
	case r.DryRun:
		if result.Plan != nil {
			a.printPlan(result.Plan)
		}
		fmt.Fprintln(a.out, "Exiting because of '--dry-run' option")
		return nil
	case result.Downloaded:
		fmt.Fprintln(a.out, "Update downloaded.")
		return nil
	case !result.Changed:
		if nothing != "" {
			fmt.Fprintln(a.out, nothing)
		}
		if f.unchanged77 {
			return exitError(exitUnchanged)
		}
		return nil
	}
	return a.finish(h, f, result, closing)
}

// finish shows what a new deployment changes, and reboots if asked to.
func (a *app) finish(h *upgrade.Host, f changeFlags, result upgrade.Result, closing string) error {
	if !a.quiet && result.From != result.To {
		d, err := h.Diff(result.From, result.To, false)
		if err != nil {
			return err
		}
		if err := d.WriteBlock(a.out, ""); err != nil {
			return err
		}
	}
	if f.reboot {
		return upgrade.Reboot()
	}
	if closing != "" {
		fmt.Fprintln(a.out, closing)
	}
	return nil
}

const (
	runReboot    = `Run "systemctl reboot" to start a reboot`
	queuedReboot = `Changes queued for next boot. Run "systemctl reboot" to start a reboot`
	undoOverride = `Use "rpm-ostree override reset" to undo overrides`
)

func (a *app) printPlan(p *core.Plan) {
	if len(p.Install) > 0 {
		fmt.Fprintf(a.out, "Installing %d packages:\n", len(p.Install))
		for _, s := range p.Install {
			from := "local"
			if s.Source.Repo != "" {
				from = s.Source.Repo
			}
			fmt.Fprintf(a.out, "  %s (%s)\n", s.NEVRA(), from)
		}
	}
	if len(p.Remove) > 0 {
		fmt.Fprintf(a.out, "Removing %d packages:\n", len(p.Remove))
		for _, r := range p.Remove {
			fmt.Fprintf(a.out, "  %s\n", pkgdiff.FromHeader(r.Header, false).NEVRA())
		}
	}
}

func (a *app) installCommand() *cobra.Command {
	var f changeFlags
	c := a.hostFlags(&cobra.Command{
		Use: "install PACKAGE...", Aliases: []string{"pkg-add"}, Short: "Overlay additional packages",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one PACKAGE must be specified")
			}
			r := f.request()
			names, files := splitFiles(args)
			if r.Install = append(names, r.Install...); f.forceReplace {
				r.OverwriteFiles = files
			} else {
				r.InstallFiles = append(files, r.InstallFiles...)
			}
			return a.change(cmd, f, r, "No change.", queuedReboot)
		},
	})
	f.add(c)
	f.addInstall(c)
	c.Flags().StringArrayVar(&f.uninstall, "uninstall", nil, "Remove overlayed additional package")
	c.Flags().BoolVar(&f.forceReplace, "force-replacefiles", false, "Allow package to replace files from other packages")
	return c
}

// addInstall adds the options of install and its relatives.
func (f *changeFlags) addInstall(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "Exit after printing the transaction")
	flags.BoolVarP(&f.assumeYes, "assumeyes", "y", false, "Auto-confirm interactive prompts for non-security questions")
	flags.BoolVar(&f.allowInactive, "allow-inactive", false, "Allow inactive package requests")
	flags.BoolVar(&f.idempotent, "idempotent", false, "Do nothing if package already (un)installed")
}

func (a *app) uninstallCommand() *cobra.Command {
	var f changeFlags
	var all bool
	c := a.hostFlags(&cobra.Command{
		Use: "uninstall PACKAGE...", Aliases: []string{"remove", "pkg-remove"}, Short: "Remove overlayed additional packages",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !all {
				return errors.New("At least one PACKAGE must be specified")
			}
			r := f.request()
			r.Uninstall, r.UninstallAll = append(args, r.Uninstall...), all
			// What stays is in the cache: only new packages need metadata.
			r.CacheOnly = r.CacheOnly || len(f.install) == 0 && !f.downloadOnly
			return a.change(cmd, f, r, "No change.", queuedReboot)
		},
	})
	f.add(c)
	f.addInstall(c)
	c.Flags().StringArrayVar(&f.install, "install", nil, "Overlay additional package")
	c.Flags().BoolVar(&all, "all", false, "Remove all overlayed additional packages")
	return c
}

func (a *app) overrideCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "override", Short: "Manage base package overrides",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("Unknown \"override\" subcommand \"%s\"", args[0])
			}
			cmd.SetOut(a.err)
			_ = cmd.Help()
			return errors.New("No \"override\" subcommand specified")
		},
	}
	c.AddCommand(a.overrideReplaceCommand(), a.overrideRemoveCommand(), a.overrideResetCommand())
	return c
}

func (a *app) overrideReplaceCommand() *cobra.Command {
	var f changeFlags
	var from string
	var remove []string
	var experimental bool
	c := a.hostFlags(&cobra.Command{
		Use: "replace PACKAGE...", Short: "Replace packages in the base layer",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one PACKAGE must be specified")
			}
			r := f.request()
			r.OverrideRemove = remove
			names, files := splitFiles(args)
			r.OverrideReplaceFiles = files
			switch repo, ok := strings.CutPrefix(from, "repo="); {
			case len(names) == 0 && from == "":
			case from == "":
				return fmt.Errorf("Package '%s' is not a file; use --from repo=NAME to replace it from a repository", names[0])
			case !ok:
				return fmt.Errorf("Parsing override source '%s': only repo=NAME is known", from)
			default:
				r.OverrideReplaceFrom = []core.FromRepo{{Repo: repo, Packages: names}}
			}
			return a.change(cmd, f, r, "No change.", undoOverride+"\n"+runReboot)
		},
	})
	f.add(c)
	f.addPackages(c)
	f.addInstall(c)
	c.Flags().StringVar(&from, "from", "", "Source of override")
	c.Flags().StringArrayVar(&remove, "remove", nil, "Remove a package")
	c.Flags().BoolVar(&experimental, "experimental", false, "")
	_ = c.Flags().MarkHidden("experimental")
	return c
}

func (a *app) overrideRemoveCommand() *cobra.Command {
	var f changeFlags
	var replace []string
	c := a.hostFlags(&cobra.Command{
		Use: "remove PACKAGE...", Short: "Remove packages from the base layer",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one PACKAGE must be specified")
			}
			r := f.request()
			r.OverrideRemove, r.OverrideReplaceFiles = args, replace
			return a.change(cmd, f, r, "No change.", undoOverride+"\n"+runReboot)
		},
	})
	f.add(c)
	f.addPackages(c)
	f.addInstall(c)
	c.Flags().StringArrayVar(&replace, "replace", nil, "Replace a package")
	return c
}

func (a *app) overrideResetCommand() *cobra.Command {
	var f changeFlags
	var all bool
	c := a.hostFlags(&cobra.Command{
		Use: "reset [PACKAGE...]", Short: "Reset currently active package overrides",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !all {
				return errors.New("At least one PACKAGE must be specified (use --all to reset all)")
			}
			if len(args) > 0 && all {
				return errors.New("Cannot specify PACKAGE and --all")
			}
			r := f.request()
			r.OverrideReset, r.OverrideResetAll = args, all
			return a.change(cmd, f, r, "No change.", runReboot)
		},
	})
	f.add(c)
	f.addPackages(c)
	f.addInstall(c)
	c.Flags().BoolVarP(&all, "all", "a", false, "Reset all active overrides")
	return c
}

func (a *app) resetCommand() *cobra.Command {
	var f changeFlags
	var overlays, overrides, initramfs bool
	c := a.hostFlags(&cobra.Command{
		Use: "reset", Short: "Remove all mutations", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := !overlays && !overrides && !initramfs
			r := f.request()
			r.ResetLayers, r.OverrideResetAll, r.ResetInitramfs = overlays || all, overrides || all, initramfs || all
			return a.change(cmd, f, r, "No change.", runReboot)
		},
	})
	f.add(c)
	f.addPackages(c)
	c.Flags().BoolVarP(&overlays, "overlays", "l", false, "Remove all overlayed packages")
	c.Flags().BoolVarP(&overrides, "overrides", "o", false, "Remove all package overrides")
	c.Flags().BoolVarP(&initramfs, "initramfs", "i", false, "Stop regenerating initramfs or tracking files")
	return c
}

func (a *app) upgradeCommand() *cobra.Command {
	var f changeFlags
	var downgrade, check, preview bool
	c := a.hostFlags(&cobra.Command{
		Use: "upgrade", Aliases: []string{"update"}, Short: "Perform a system upgrade", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (check || preview) && f.reboot {
				return errors.New("Cannot specify both --reboot and --check/--preview")
			}
			r := f.request()
			r.Pull, r.AllowDowngrade = true, downgrade
			if check || preview {
				return a.check(cmd, r)
			}
			return a.change(cmd, f, r, "No upgrade available.", runReboot)
		},
	})
	f.add(c)
	f.addPackages(c)
	c.Flags().BoolVar(&downgrade, "allow-downgrade", false, "Permit deployment of chronologically older trees")
	c.Flags().BoolVar(&check, "check", false, "Just check if an upgrade is available")
	c.Flags().BoolVar(&preview, "preview", false, "Just preview package differences (implies --unchanged-exit-77)")
	c.Flags().BoolVar(&f.unchanged77, "upgrade-unchanged-exit-77", false, "")
	_ = c.Flags().MarkHidden("upgrade-unchanged-exit-77")
	return c
}

// check tells whether there is an update, and leaves everything as it is.
func (a *app) check(cmd *cobra.Command, r upgrade.Request) error {
	h, err := a.openRoot()
	if err != nil {
		return err
	}
	defer h.Sysroot.Close()
	u, err := h.Check(cmd.Context(), r)
	if err != nil {
		return err
	}
	if u == nil {
		fmt.Fprintln(a.out, "No updates available.")
		return exitError(exitUnchanged)
	}
	fmt.Fprintln(a.out, "AvailableUpdate:")
	version := u.Time.UTC().Format("2006-01-02T15:04:05Z")
	if u.Version != "" {
		version = u.Version + " (" + version + ")"
	}
	fmt.Fprintf(a.out, "  %*s: %s\n  %*s: %s\n", keyWidth, "Version", version, keyWidth, "Commit", u.Commit)
	if s := u.Diff.Summary(); s != "" {
		fmt.Fprintf(a.out, "  %*s: %s\n", keyWidth, "Diff", s)
	}
	return nil
}

func (a *app) deployCommand() *cobra.Command {
	var f changeFlags
	var noDowngrade, skipBranch bool
	c := a.hostFlags(&cobra.Command{
		Use: "deploy REVISION", Short: "Deploy a specific commit", Args: exactly("REVISION", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := f.request()
			r.Revision, r.AllowDowngrade, r.AnyBranch = args[0], !noDowngrade, skipBranch
			return a.change(cmd, f, r, "No change.", runReboot)
		},
	})
	f.add(c)
	f.addPackages(c)
	c.Flags().BoolVar(&noDowngrade, "disallow-downgrade", false, "Forbid deployment of chronologically older trees")
	c.Flags().BoolVar(&skipBranch, "skip-branch-check", false, "Do not check if commit belongs on the same branch")
	return c
}

func (a *app) rebaseCommand() *cobra.Command {
	var f changeFlags
	var branch, remote, url, description string
	var skipPurge, noDowngrade, experimental bool
	c := a.hostFlags(&cobra.Command{
		Use: "rebase REFSPEC [REVISION]", Short: "Switch to a different tree",
		RunE: func(cmd *cobra.Command, args []string) error {
			r := f.request()
			switch {
			case len(args) > 2:
				return fmt.Errorf("Unexpected argument '%s'", args[2])
			case len(args) > 0 && (branch != "" || remote != ""):
				return errors.New("Cannot specify both refspec and --branch/--remote")
			case len(args) > 0:
				r.Refspec = args[0]
			case branch == "" && remote == "":
				return errors.New("REFSPEC must be specified")
			default:
				r.Branch, r.Remote = branch, remote
			}
			if len(args) == 2 {
				r.Revision = args[1]
			}
			if url != "" && description == "" {
				return errors.New("--custom-origin-url requires --custom-origin-description")
			}
			r.CustomURL, r.CustomText, r.AllowDowngrade = url, description, !noDowngrade
			r.KeepRef = skipPurge
			return a.change(cmd, f, r, "No change.", runReboot)
		},
	})
	f.add(c)
	f.addPackages(c)
	flags := c.Flags()
	flags.StringVarP(&branch, "branch", "b", "", "Rebase to branch BRANCH; use --remote to change remote as well")
	flags.StringVarP(&remote, "remote", "m", "", "Rebase to current branch name using REMOTE; may also be combined with --branch")
	flags.BoolVar(&skipPurge, "skip-purge", false, "Keep previous refspec after rebase")
	flags.StringVar(&description, "custom-origin-description", "", "Human-readable description of custom origin")
	flags.StringVar(&url, "custom-origin-url", "", "Machine-readable description of custom origin")
	flags.BoolVar(&noDowngrade, "disallow-downgrade", false, "Forbid deployment of chronologically older trees")
	flags.BoolVar(&experimental, "experimental", false, "")
	_ = flags.MarkHidden("experimental")
	return c
}

func (a *app) rollbackCommand() *cobra.Command {
	var reboot bool
	c := a.hostFlags(&cobra.Command{
		Use: "rollback", Short: "Revert to the previously booted tree", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := a.openRoot()
			if err != nil {
				return err
			}
			defer h.Sysroot.Close()
			result, err := h.Rollback(cmd.Context())
			if err != nil {
				return err
			}
			return a.finish(h, changeFlags{reboot: reboot}, result, runReboot)
		},
	})
	c.Flags().BoolVarP(&reboot, "reboot", "r", false, "Initiate a reboot after operation is complete")
	return c
}

func (a *app) cleanupCommand() *cobra.Command {
	var o upgrade.CleanupOptions
	c := a.hostFlags(&cobra.Command{
		Use: "cleanup", Short: "Clear cached/pending data", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o == (upgrade.CleanupOptions{}) {
				return errors.New("At least one cleanup option must be specified")
			}
			h, err := a.openRoot()
			if err != nil {
				return err
			}
			defer h.Sysroot.Close()
			return h.Cleanup(cmd.Context(), o)
		},
	})
	flags := c.Flags()
	flags.BoolVarP(&o.Base, "base", "b", false, "Clear temporary files; will leave deployments unchanged")
	flags.BoolVarP(&o.Pending, "pending", "p", false, "Remove pending deployment")
	flags.BoolVarP(&o.Rollback, "rollback", "r", false, "Remove rollback deployment")
	flags.BoolVarP(&o.Metadata, "repomd", "m", false, "Delete cached rpm repo metadata")
	return c
}

func (a *app) initramfsCommand() *cobra.Command {
	var f changeFlags
	var enable, disable bool
	var args []string
	c := a.hostFlags(&cobra.Command{
		Use: "initramfs", Short: "Enable or disable local initramfs regeneration", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case enable && disable:
				return errors.New("Cannot simultaneously specify --enable and --disable")
			case len(args) > 0 && !enable:
				return errors.New("--arg requires --enable")
			case !enable && !disable:
				return a.printInitramfs()
			}
			r := f.request()
			r.Initramfs = &upgrade.Initramfs{Enable: enable, Args: args}
			return a.change(cmd, f, r, "No change.", runReboot)
		},
	})
	f.add(c)
	c.Flags().BoolVar(&enable, "enable", false, "Enable regenerating initramfs locally")
	c.Flags().BoolVar(&disable, "disable", false, "Disable regenerating initramfs locally")
	c.Flags().StringArrayVar(&args, "arg", nil, "Append ARG to the dracut arguments")
	return c
}

func (a *app) printInitramfs() error {
	h, err := a.open()
	if err != nil {
		return err
	}
	defer h.Sysroot.Close()
	o, err := h.Origin()
	if err != nil {
		return err
	}
	state := "disabled"
	if o.RegenerateInitramfs {
		state = "enabled"
	}
	fmt.Fprintf(a.out, "Initramfs regeneration: %s\n", state)
	if len(o.InitramfsArgs) > 0 {
		fmt.Fprintf(a.out, "Initramfs args: %s\n", strings.Join(o.InitramfsArgs, " "))
	}
	return nil
}

// repoPath returns the repository that the db commands look into.
func (a *app) repoPath(repo string) string {
	if repo != "" {
		return repo
	}
	root := a.sysroot
	if root == "" {
		root = os.Getenv("OSTREE_SYSROOT")
	}
	return filepath.Join(cmp.Or(root, "/"), "ostree/repo")
}
