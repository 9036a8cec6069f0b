package rpmostree

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rpmostree/internal/query"
	"rpmostree/internal/upgrade"
	"rpmostree/rpmmd"
)

// queryFlags are the options of commands that ask about packages.
type queryFlags struct {
	json, cacheOnly      bool
	installed, available bool
}

func (a *app) queryFlags(c *cobra.Command, f *queryFlags, scope bool) *cobra.Command {
	a.hostFlags(c)
	c.Flags().BoolVar(&f.json, "json", false, "Output JSON")
	c.Flags().BoolVarP(&f.cacheOnly, "cache-only", "C", false, "Do not download metadata, use what was downloaded before")
	if scope {
		c.Flags().BoolVar(&f.installed, "installed", false, "Only installed packages")
		c.Flags().BoolVar(&f.available, "available", false, "Only packages of repositories")
		c.MarkFlagsMutuallyExclusive("installed", "available")
	}
	return c
}

// filter is what the options leave of the packages.
func (f queryFlags) filter(patterns []string) query.Filter {
	return query.Filter{Patterns: patterns, Installed: f.installed, Available: f.available}
}

// newest is filter that lets through, of the packages in repositories, only the newest: those that are
// not installed yet, unless only repositories are asked about.
func (f queryFlags) newest(patterns []string, duplicates bool) query.Filter {
	filter := f.filter(patterns)
	filter.Newer, filter.Latest = !duplicates && !f.available, !duplicates && f.available
	return filter
}

func duplicatesFlag(c *cobra.Command, duplicates *bool) {
	c.Flags().BoolVar(duplicates, "showduplicates", false, "All versions that repositories have, not only the newest")
}

// inventory opens the host and indexes its packages. Whatever is told on the way
// goes to stderr: stdout is for the answer.
func (a *app) inventory(ctx context.Context, f queryFlags) (query.Index, *upgrade.Inventory, error) {
	h, err := a.open()
	if err != nil {
		return query.Index{}, nil, err
	}
	defer h.Sysroot.Close()
	h.Progress = nil
	in, err := h.Inventory(ctx, !f.installed, f.cacheOnly)
	if err != nil {
		return query.Index{}, nil, err
	}
	return query.Index{Index: in.Index}, in, nil
}

func (a *app) searchCommand() *cobra.Command {
	var f queryFlags
	return a.queryFlags(&cobra.Command{
		Use: "search PACKAGE [PACKAGE...]", Short: "Search for packages",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one PACKAGE must be specified")
			}
			x, _, err := a.inventory(cmd.Context(), f)
			if err != nil {
				return err
			}
			found := x.Search(args)
			if f.json {
				return a.printList(found)
			}
			a.printFound(found)
			return nil
		},
	}, &f, false)
}

func (a *app) printFound(found []query.Found) {
	titles := map[query.Group]string{query.NameAndSummary: "Summary & Name", query.NameOnly: "Name", query.SummaryOnly: "Summary"}
	var group query.Group
	for _, p := range found {
		if p.Group != group {
			group = p.Group
			fmt.Fprintf(a.out, "\n===== %s Matched =====\n", titles[group])
		}
		fmt.Fprintf(a.out, "%s : %s\n", p.Name, p.Summary)
	}
	if len(found) == 0 {
		fmt.Fprintln(a.out, "No matches found.")
	}
}

// printList prints a list as JSON; an empty one is "[]".
func (a *app) printList(list any) error { return a.printJSON(list) }

// none is the error for patterns that nothing matches.
func none(args []string) error {
	return fmt.Errorf("No matching packages: %s", strings.Join(args, ", "))
}

func (a *app) infoCommand() *cobra.Command {
	var f queryFlags
	var duplicates bool
	c := a.queryFlags(&cobra.Command{
		Use: "info PACKAGE...", Short: "Show what packages are",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one PACKAGE must be specified")
			}
			x, _, err := a.inventory(cmd.Context(), f)
			if err != nil {
				return err
			}
			list, err := x.List(cmd.Context(), f.newest(args, duplicates))
			if err != nil {
				return err
			}
			if f.json {
				return a.printList(list)
			}
			if len(list) == 0 {
				return none(args)
			}
			for i, p := range list {
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				a.printInfo(p)
			}
			return nil
		},
	}, &f, true)
	duplicatesFlag(c, &duplicates)
	return c
}

func (a *app) printInfo(p query.Package) {
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(a.out, "%-12s : %s\n", key, strings.ReplaceAll(value, "\n", "\n             : "))
		}
	}
	line("Name", p.Name)
	if p.Epoch > 0 {
		line("Epoch", strconv.FormatUint(uint64(p.Epoch), 10))
	}
	line("Version", p.Version)
	line("Release", p.Release)
	line("Architecture", p.Arch)
	line("Size", strconv.FormatUint(p.Size, 10))
	line("Source", p.SourceRPM)
	line("Repository", p.Repo)
	line("Summary", p.Summary)
	line("URL", p.URL)
	line("License", p.License)
	line("Description", p.Description)
}

func (a *app) listCommand() *cobra.Command {
	var f queryFlags
	var upgrades, duplicates bool
	c := a.queryFlags(&cobra.Command{
		Use: "list [PATTERN...]", Short: "List installed and available packages",
		RunE: func(cmd *cobra.Command, args []string) error {
			x, _, err := a.inventory(cmd.Context(), f)
			if err != nil {
				return err
			}
			filter := f.newest(args, duplicates)
			filter.Upgrades = upgrades
			list, err := x.List(cmd.Context(), filter)
			if err != nil {
				return err
			}
			if f.json {
				return a.printList(list)
			}
			if len(list) == 0 && len(args) > 0 {
				return none(args)
			}
			return a.printTable(list, upgrades)
		},
	}, &f, true)
	c.Flags().BoolVar(&upgrades, "upgrades", false, "Only packages of repositories that are newer than the installed ones")
	duplicatesFlag(c, &duplicates)
	c.MarkFlagsMutuallyExclusive("installed", "upgrades")
	return c
}

func (a *app) printTable(list []query.Package, upgrades bool) error {
	available := "Available Packages"
	if upgrades {
		available = "Available Upgrades"
	}
	for _, part := range []struct {
		title     string
		installed bool
	}{{"Installed Packages", true}, {available, false}} {
		w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
		titled := false
		for _, p := range list {
			if p.Installed() != part.installed {
				continue
			}
			if !titled {
				fmt.Fprintln(a.out, part.title)
				titled = true
			}
			fmt.Fprintf(w, "%s.%s\t%s\t%s\n", p.Name, p.Arch, p.EVR, p.Repo)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) providesCommand() *cobra.Command {
	var f queryFlags
	return a.queryFlags(&cobra.Command{
		Use: "provides CAPABILITY...", Aliases: []string{"whatprovides"}, Short: "Find the packages that have a capability or a file",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one CAPABILITY must be specified")
			}
			x, _, err := a.inventory(cmd.Context(), f)
			if err != nil {
				return err
			}
			all := []query.Providing{}
			for _, arg := range args {
				list, err := x.Providing(cmd.Context(), arg, f.filter(nil))
				if err != nil {
					return err
				}
				if len(list) == 0 && !f.json {
					return fmt.Errorf("Nothing provides %s", arg)
				}
				all = append(all, list...)
			}
			if f.json {
				return a.printList(all)
			}
			for _, p := range all { // as dnf prints it
				fmt.Fprintf(a.out, "%s : %s\nRepo        : %s\nMatched from:\n", p.NEVRA, p.Summary, p.Repo)
				for _, c := range p.Provides {
					fmt.Fprintf(a.out, "Provide    : %s\n", c)
				}
				for _, path := range p.Files {
					fmt.Fprintf(a.out, "Filename    : %s\n", path)
				}
				fmt.Fprintln(a.out)
			}
			return nil
		},
	}, &f, true)
}

func (a *app) repoCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "repo", Short: "Commands about rpm-md repositories",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("Unknown \"repo\" subcommand \"%s\"", args[0])
			}
			cmd.SetOut(a.err)
			_ = cmd.Help()
			return errors.New("No \"repo\" subcommand specified")
		},
	}
	c.AddCommand(a.repoListCommand(), a.repoCreateCommand())
	return c
}

// A repoEntry is what "repo list" tells of a repository.
type repoEntry struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Enabled    bool     `json:"is-enabled"`
	BaseURL    []string `json:"baseurl,omitempty"`
	MirrorList string   `json:"mirrorlist,omitempty"`
	Metalink   string   `json:"metalink,omitempty"`
	Priority   int      `json:"priority"`
	Cost       int      `json:"cost"`
	GPGCheck   bool     `json:"gpgcheck"`
}

func (a *app) repoListCommand() *cobra.Command {
	var asJSON, all, disabled bool
	c := a.hostFlags(&cobra.Command{
		Use: "list", Short: "List the configured repositories", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			h, err := a.open()
			if err != nil {
				return err
			}
			defer h.Sysroot.Close()
			repos, err := h.Repos()
			if err != nil {
				return err
			}
			list := []repoEntry{}
			for _, r := range repos {
				if all || r.Enabled != disabled {
					list = append(list, entryOf(r))
				}
			}
			if asJSON {
				return a.printList(list)
			}
			w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
			for i, e := range list {
				if i == 0 {
					fmt.Fprintln(w, "ID\tSTATE\tNAME")
				}
				state := "enabled"
				if !e.Enabled {
					state = "disabled"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", e.ID, state, e.Name)
			}
			return w.Flush()
		},
	})
	c.Flags().BoolVar(&asJSON, "json", false, "Output JSON")
	c.Flags().BoolVar(&all, "all", false, "Disabled repositories too")
	c.Flags().BoolVar(&disabled, "disabled", false, "Only disabled repositories")
	c.MarkFlagsMutuallyExclusive("all", "disabled")
	return c
}

func entryOf(r rpmmd.RepoConfig) repoEntry {
	return repoEntry{r.ID, r.Name, r.Enabled, r.BaseURL, r.MirrorList, r.Metalink, r.Priority, r.Cost, r.GPGCheck}
}
