package rpmostree

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	json, cacheOnly bool
	filter          query.Filter // as far as there are options for it
}

func (a *app) queryFlags(c *cobra.Command, f *queryFlags, scope bool) *cobra.Command {
	a.hostFlags(c)
	c.Flags().BoolVar(&f.json, "json", false, "Output JSON")
	c.Flags().BoolVarP(&f.cacheOnly, "cache-only", "C", false, "Do not download metadata, use what was downloaded before")
	if scope {
		c.Flags().BoolVar(&f.filter.Installed, "installed", false, "Only installed packages")
		c.Flags().BoolVar(&f.filter.Available, "available", false, "Only packages of repositories")
		c.Flags().StringSliceVar(&f.filter.Repos, "repo", nil, "Only packages of the repositories with these IDs, separated by commas; may be repeated")
		c.MarkFlagsMutuallyExclusive("installed", "available")
		c.MarkFlagsMutuallyExclusive("installed", "repo")
	}
	return c
}

// matching is the filter of the options with patterns.
func (f queryFlags) matching(patterns []string) query.Filter {
	f.filter.Patterns = patterns
	return f.filter
}

// newest is a filter that lets through, of the packages in repositories, only the newest: those that are
// not installed yet, unless only repositories are asked about.
func (f queryFlags) newest(patterns []string, duplicates bool) query.Filter {
	filter := f.matching(patterns)
	available := filter.Available || len(filter.Repos) > 0
	filter.Newer, filter.Latest = !duplicates && !available, !duplicates && available
	return filter
}

func (f *queryFlags) upgradesFlag(c *cobra.Command) {
	c.Flags().BoolVar(&f.filter.Upgrades, "upgrades", false, "Only packages of repositories that are newer than the installed ones")
	c.MarkFlagsMutuallyExclusive("installed", "upgrades")
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
	in, err := h.Inventory(ctx, !f.filter.Installed, f.cacheOnly)
	if err != nil {
		return query.Index{}, nil, err
	}
	for _, id := range f.filter.Repos {
		known := id == query.System || id == query.CommandLine || slices.ContainsFunc(in.Repos, func(r rpmmd.RepoConfig) bool { return r.ID == id })
		if !known {
			return query.Index{}, nil, fmt.Errorf("Unknown repo: '%s'", id)
		}
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
			a.printInfos(list)
			return nil
		},
	}, &f, true)
	duplicatesFlag(c, &duplicates)
	return c
}

// printInfos prints the packages with a title for the installed and one for the others.
func (a *app) printInfos(list []query.Package) {
	for _, part := range parts(list, false) {
		fmt.Fprintln(a.out, part.title)
		for _, p := range part.list {
			a.printInfo(p)
			fmt.Fprintln(a.out)
		}
	}
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
	line("Size", rounded(p.Size))
	line("Source", p.SourceRPM)
	line("Repository", p.Repo)
	line("Summary", p.Summary)
	line("URL", p.URL)
	line("License", p.License)
	line("Description", p.Description)
}

func (a *app) listCommand() *cobra.Command {
	var f queryFlags
	var duplicates bool
	c := a.queryFlags(&cobra.Command{
		Use: "list [PATTERN...]", Short: "List installed and available packages",
		RunE: func(cmd *cobra.Command, args []string) error {
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
			if len(list) == 0 && len(args) > 0 {
				return none(args)
			}
			return a.printTable(list, f.filter.Upgrades)
		},
	}, &f, true)
	f.upgradesFlag(c)
	duplicatesFlag(c, &duplicates)
	return c
}

// rounded writes a number of bytes with two or three digits and a unit, as dnf does: "7.4 M".
func rounded(n uint64) string {
	const units = " kMGTPE"
	v, unit := float64(n), 0
	for ; v > 999 && unit < len(units)-1; unit++ {
		v /= 1024
	}
	switch {
	case unit == 0:
		return strconv.FormatUint(n, 10)
	case v < 9.95:
		return fmt.Sprintf("%.1f %c", v, units[unit])
	}
	return fmt.Sprintf("%.0f %c", v, units[unit])
}

// A part is the packages below one title.
type part struct {
	title string
	list  []query.Package
}

// parts divides a list into what is installed and what is not, without empty parts.
func parts(list []query.Package, upgrades bool) []part {
	installed, others := part{title: "Installed Packages"}, part{title: "Available Packages"}
	if upgrades {
		others.title = "Available Upgrades"
	}
	for _, p := range list {
		if p.Installed() {
			installed.list = append(installed.list, p)
		} else {
			others.list = append(others.list, p)
		}
	}
	return slices.DeleteFunc([]part{installed, others}, func(p part) bool { return len(p.list) == 0 })
}

func (a *app) printTable(list []query.Package, upgrades bool) error {
	for _, part := range parts(list, upgrades) {
		fmt.Fprintln(a.out, part.title)
		w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
		for _, p := range part.list {
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
				list, err := x.Providing(cmd.Context(), arg, f.filter)
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
