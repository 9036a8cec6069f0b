package rpmostree

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rpmostree/internal/core"
	"rpmostree/internal/pkgdiff"
	"rpmostree/internal/upgrade"
	"rpmostree/ostree"
	"rpmostree/ostree/bootloader"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sysroot"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON, pretty, pending77 bool
	var path string
	opt := statusOptions{}
	c := a.hostFlags(&cobra.Command{
		Use: "status", Short: "Get the version of the booted system", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON && path != "" {
				return errors.New("Cannot specify both --json and --jsonpath")
			}
			h, err := a.open()
			if err != nil {
				return err
			}
			defer h.Sysroot.Close()
			s, err := h.Status()
			if err != nil {
				return err
			}
			all := s.Deployments
			if opt.booted {
				s.Deployments = slices.DeleteFunc(slices.Clone(all), func(d upgrade.DeploymentStatus) bool { return !d.Booted })
				if len(s.Deployments) == 0 {
					return errors.New("--booted: This system is not booted into an OSTree deployment")
				}
			}
			switch {
			case path != "":
				err = a.printPath(s, path)
			case asJSON:
				err = a.printJSON(s)
			default:
				opt.width = terminalWidth()
				printStatus(a.out, s, opt)
			}
			if err == nil && pending77 && len(all) > 1 && !all[0].Booted {
				return exitError(exitUnchanged)
			}
			return err
		},
	})
	flags := c.Flags()
	flags.BoolVarP(&pretty, "pretty", "p", false, "This option is deprecated and no longer has any effect")
	_ = flags.MarkHidden("pretty")
	flags.BoolVarP(&opt.verbose, "verbose", "v", false, "Print additional fields (e.g. StateRoot); implies -a")
	flags.BoolVar(&asJSON, "json", false, "Output JSON")
	flags.StringVarP(&path, "jsonpath", "J", "", "Filter JSONPath expression")
	flags.BoolVarP(&opt.booted, "booted", "b", false, "Only print the booted deployment")
	flags.BoolVar(&pending77, "pending-exit-77", false, "If pending deployment available, exit 77")
	return c
}

func terminalWidth() int {
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		return w
	}
	return 80
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printPath prints what a JSONPath selects: "$", members ".NAME" or "['NAME']",
// elements "[N]" and the wildcards ".*" and "[*]". The result is an array.
func (a *app) printPath(s upgrade.Status, path string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	var root any
	if err := json.Unmarshal(text, &root); err != nil {
		return err
	}
	found, err := jsonPath(root, path)
	if err != nil {
		return err
	}
	return a.printJSON(found)
}

func (a *app) kargsCommand() *cobra.Command {
	var f changeFlags
	var index int
	var add, addMissing, remove, removePresent, replace []string
	var importProc bool
	c := a.hostFlags(&cobra.Command{
		Use: "kargs", Short: "Query or modify kernel arguments", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(remove) > 0 && len(replace) > 0 {
				return errors.New("Cannot specify both --delete and --replace")
			}
			if len(add)+len(addMissing)+len(remove)+len(removePresent)+len(replace) == 0 && !importProc {
				h, err := a.open()
				if err != nil {
					return err
				}
				defer h.Sysroot.Close()
				k, err := h.Kargs(index)
				if err == nil {
					fmt.Fprintln(a.out, withoutOSTree(k))
				}
				return err
			}
			h, err := a.openRoot()
			if err != nil {
				return err
			}
			defer h.Sysroot.Close()
			result, err := h.KernelArgs(cmd.Context(), index, f.lock, func(k *bootloader.Kargs) error {
				if importProc {
					text, err := os.ReadFile("/proc/cmdline")
					if err != nil {
						return err
					}
					*k = bootloader.Kargs{}
					k.AppendProcCmdline(string(text))
				}
				return editKargs(k, add, addMissing, remove, removePresent, replace)
			})
			if err != nil {
				return err
			}
			if !result.Changed {
				fmt.Fprintln(a.out, "No changes.")
				if f.unchanged77 {
					return exitError(exitUnchanged)
				}
				return nil
			}
			closing := "Kernel arguments updated.\n" + runReboot
			return a.finish(h, f, result, closing)
		},
	})
	flags := c.Flags()
	flags.IntVar(&index, "deploy-index", -1, "Modify the kernel args from a specific deployment based on index")
	flags.BoolVar(&f.reboot, "reboot", false, "Initiate a reboot after operation is complete")
	flags.StringArrayVar(&add, "append", nil, "Append kernel argument; useful with e.g. console= that can be used multiple times")
	flags.StringArrayVar(&addMissing, "append-if-missing", nil, "Like --append, but does nothing if the key is already present")
	flags.StringArrayVar(&remove, "delete", nil, "Delete a specific kernel argument key/val pair or an entire argument with a single key/value pair")
	flags.StringArrayVar(&removePresent, "delete-if-present", nil, "Like --delete, but does nothing if the key is already missing")
	flags.StringArrayVar(&replace, "replace", nil, "Replace existing kernel argument, the user is also able to replace an argument with KEY=VALUE if only one value exist for that argument")
	flags.BoolVar(&importProc, "import-proc-cmdline", false, "Instead of modifying old kernel arguments, we modify args from current /proc/cmdline (the booted deployment)")
	flags.BoolVar(&f.unchanged77, "unchanged-exit-77", false, "If no kernel args changed, exit 77")
	flags.BoolVar(&f.lock, "lock-finalization", false, "Prevent automatic deployment finalization on shutdown")
	return c
}

// withoutOSTree is the line that people see: ostree= names the deployment and
// is none of their business.
func withoutOSTree(k bootloader.Kargs) string {
	k = k.Clone()
	for _, arg := range k.Strings() {
		if strings.HasPrefix(arg, "ostree=") {
			_ = k.DeleteIfPresent(arg)
		}
	}
	return k.String()
}

func editKargs(k *bootloader.Kargs, add, addMissing, remove, removePresent, replace []string) error {
	for _, arg := range remove {
		if err := k.Delete(arg); err != nil {
			return err
		}
	}
	for _, arg := range removePresent {
		if err := k.DeleteIfPresent(arg); err != nil {
			return err
		}
	}
	for _, arg := range replace {
		if err := k.ReplaceValue(arg); err != nil {
			return err
		}
	}
	for _, arg := range add {
		k.Append(arg)
	}
	for _, arg := range addMissing {
		k.AppendIfMissing(arg)
	}
	return k.Validate()
}

func (a *app) dbCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "db", Aliases: []string{"rpm"}, Short: "Commands to query the RPM database",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("Unknown \"db\" subcommand \"%s\"", args[0])
			}
			cmd.SetOut(a.err)
			_ = cmd.Help()
			return errors.New("No \"db\" subcommand specified")
		},
	}
	c.AddCommand(a.dbListCommand(), a.dbDiffCommand(), a.dbVerifyCommand(), a.dbVersionCommand())
	return c
}

// A revision is a commit and what the user called it.
type revision struct {
	name   string
	commit ostree.Checksum
}

func (a *app) revision(r *repo.Repo, name string) (revision, error) {
	sum, err := r.ResolveRev(name)
	return revision{name, sum}, err
}

func (r revision) String() string {
	if r.name == r.commit.String() {
		return r.name
	}
	return r.name + " (" + r.commit.String() + ")"
}

func packagesOf(r *repo.Repo, sum ostree.Checksum, changelogs bool) ([]pkgdiff.Package, error) {
	t, err := r.Tree(sum)
	if err != nil {
		return nil, err
	}
	db, err := core.Database(r.Objects, t)
	if err != nil {
		return nil, err
	}
	return pkgdiff.FromDB(db, changelogs), nil
}

// packagesIn returns the revision of that name and its packages.
func (a *app) packagesIn(r *repo.Repo, name string) (revision, []pkgdiff.Package, error) {
	rev, err := a.revision(r, name)
	if err != nil {
		return rev, nil, err
	}
	pkgs, err := packagesOf(r, rev.commit, false)
	return rev, pkgs, err
}

// repoFlags adds the options by which the db commands find their repository.
func (a *app) repoFlags(c *cobra.Command, path *string) *cobra.Command {
	c.Flags().StringVarP(path, "repo", "r", "", "Path to OSTree repository (defaults to /sysroot/ostree/repo)")
	c.Flags().StringVar(&a.sysroot, "sysroot", "", "Use system root SYSROOT (default: /)")
	return c
}

func (a *app) dbListCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use: "list REV... [PREFIX-PKGNAME...]", Short: "List packages within commits",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one REV must be specified")
			}
			r, err := repo.Open(a.repoPath(path))
			if err != nil {
				return err
			}
			defer r.Close()
			revs, patterns := args[:1], []string(nil)
			for i, arg := range args[1:] {
				if _, err := r.ResolveRev(arg); err != nil {
					patterns = args[i+1:]
					break
				}
				revs = append(revs, arg)
			}
			for _, name := range revs {
				rev, pkgs, err := a.packagesIn(r, name)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.out, "ostree commit: %s\n", rev)
				for _, p := range pkgs {
					if pkgdiff.Match(p, patterns) {
						fmt.Fprintf(a.out, " %s\n", p.NEVRA())
					}
				}
			}
			return nil
		},
	}
	return a.repoFlags(c, &path)
}

func (a *app) dbVersionCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use: "version COMMIT...", Short: "Show rpmdb version of packages within the commits",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one COMMIT must be specified")
			}
			r, err := repo.Open(a.repoPath(path))
			if err != nil {
				return err
			}
			defer r.Close()
			for _, name := range args {
				rev, pkgs, err := a.packagesIn(r, name)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.out, "ostree commit: %s\n%66s\n", rev, "rpmdbv is: "+pkgdiff.Version(pkgs))
			}
			return nil
		},
	}
	return a.repoFlags(c, &path)
}

func (a *app) dbDiffCommand() *cobra.Command {
	var path, format string
	var changelogs, base bool
	c := &cobra.Command{
		Use: "diff [FROM_REV] [TO_REV]", Short: "Show package changes between two commits",
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 2:
				return fmt.Errorf("Unexpected argument '%s'", args[2])
			case !slices.Contains([]string{"block", "diff", "json"}, format):
				return fmt.Errorf("Format argument is invalid, pick one of: diff, block, json")
			case changelogs && format != "block":
				return errors.New("--changelogs not supported with --format=" + format)
			}
			r, err := repo.Open(a.repoPath(path))
			if err != nil {
				return err
			}
			defer r.Close()
			from, to, err := a.diffRange(r, args, base)
			if err != nil {
				return err
			}
			return a.dbDiff(r, from, to, format, changelogs)
		},
	}
	flags := c.Flags()
	flags.StringVarP(&format, "format", "F", "block", "Output format: \"diff\", \"json\" or (default) \"block\"")
	flags.BoolVarP(&changelogs, "changelogs", "c", false, "Also output RPM changelogs")
	flags.BoolVar(&base, "base", false, "Diff against deployments' base, not layered commits")
	return a.repoFlags(c, &path)
}

// diffRange returns what to compare: the named revisions, or what is deployed.
func (a *app) diffRange(r *repo.Repo, args []string, base bool) (from, to revision, err error) {
	if len(args) == 2 {
		if from, err = a.revision(r, args[0]); err == nil {
			to, err = a.revision(r, args[1])
		}
		return from, to, err
	}
	root := a.sysroot
	if root == "" {
		root = "/"
	}
	st, err := sysroot.Load(root)
	if err != nil {
		return from, to, err
	}
	current := func(d sysroot.Deployment, name string) (revision, error) {
		sum := d.Checksum
		if base {
			c, err := r.Commit(sum)
			if err != nil {
				return revision{}, err
			}
			if v, ok := c.Metadata.Lookup("rpmostree.clientlayer"); ok && v.Bool() {
				sum = c.Parent
			}
		}
		return revision{name, sum}, nil
	}
	booted, ok := st.Booted()
	name := "booted deployment"
	if !ok {
		if len(st.Deployments) == 0 {
			return from, to, errors.New("No deployments found")
		}
		booted, name = st.Deployments[0], "default deployment"
	}
	if len(args) == 1 {
		if from, err = current(booted, name); err == nil {
			to, err = a.revision(r, args[0])
		}
		return from, to, err
	}
	if p, isPending := st.Pending(booted.OSName); ok && isPending {
		if from, err = current(booted, name); err == nil {
			to, err = current(p, "pending deployment")
		}
		return from, to, err
	}
	for _, d := range st.Deployments {
		if d.OSName == booted.OSName && d.Index > booted.Index {
			if from, err = current(d, "rollback deployment"); err == nil {
				to, err = current(booted, name)
			}
			return from, to, err
		}
	}
	return from, to, errors.New("No pending or rollback deployment to diff against")
}

func (a *app) dbDiff(r *repo.Repo, from, to revision, format string, changelogs bool) error {
	old, err := packagesOf(r, from.commit, changelogs)
	if err != nil {
		return err
	}
	now, err := packagesOf(r, to.commit, changelogs)
	if err != nil {
		return err
	}
	d := pkgdiff.New(old, now)
	if format == "json" {
		return a.printJSON(struct {
			From string       `json:"ostree-commit-from"`
			To   string       `json:"ostree-commit-to"`
			Diff pkgdiff.Diff `json:"pkgdiff"`
		}{from.commit.String(), to.commit.String(), d})
	}
	fmt.Fprintf(a.out, "ostree diff commit from: %s\nostree diff commit to:   %s\n", from, to)
	switch {
	case format == "diff":
		return d.WriteDiff(a.out)
	case changelogs:
		return d.WriteChangelogs(a.out)
	}
	return d.WriteBlock(a.out, "")
}
