package rpmostree

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rpmostree/internal/query"
)

// repoquery is what "repoquery" shows of the packages that it finds.
type repoquery struct {
	queryFlags
	kinds   []query.DepKind // dependencies
	files   bool
	resolve bool   // the packages that have what the dependencies ask for
	format  string // of each package; "" is its NEVRA with the epoch, as dnf has it
	info    bool   // as the command "info"
}

func (a *app) repoqueryCommand() *cobra.Command {
	var q repoquery
	show, what := map[query.DepKind]*bool{}, map[query.DepKind]*string{}
	c := a.queryFlags(&cobra.Command{
		Use: "repoquery [PATTERN...]", Short: "Ask about the dependencies and files of packages",
		RunE: func(cmd *cobra.Command, args []string) error {
			q.filter.What = map[query.DepKind]string{}
			for _, k := range depKinds {
				q.filter.What[k.kind] = *what[k.kind]
				if *show[k.kind] {
					q.kinds = append(q.kinds, k.kind)
				}
			}
			if q.resolve && len(q.kinds) == 0 {
				return errors.New("--resolve needs one of the options that show dependencies, such as --requires")
			}
			if (q.info || q.format != "") && (q.files || len(q.kinds) > 0 && !q.resolve) {
				return errors.New("--info and --queryformat show packages, not their dependencies or files")
			}
			if err := checkFormat(q.format); err != nil {
				return err
			}
			x, _, err := a.inventory(cmd.Context(), q.queryFlags)
			if err != nil {
				return err
			}
			list, err := x.List(cmd.Context(), q.matching(args))
			if err != nil {
				return err
			}
			return a.repoquery(cmd.Context(), x, q, list)
		},
	}, &q.queryFlags, true)
	flags := c.Flags()
	for _, k := range depKinds {
		show[k.kind] = flags.Bool(k.name, false, "Show what the packages have as "+k.name)
		what[k.kind] = flags.String("what"+k.name, "", k.what)
	}
	flags.StringVar(&q.filter.File, "file", "", "Only packages that own this file")
	flags.StringSliceVar(&q.filter.Arches, "arch", nil, "Only packages of these architectures, separated by commas; may be repeated")
	flags.BoolVar(&q.filter.Latest, "latest", false, "Only the newest package of each name and architecture")
	q.upgradesFlag(c)
	flags.BoolVarP(&q.files, "list", "l", false, "Show the files of the packages")
	flags.BoolVar(&q.files, "files", false, "Show the files of the packages")
	flags.BoolVar(&q.resolve, "resolve", false, "Show the packages that have what the dependencies ask for, in place of the dependencies")
	flags.BoolVarP(&q.info, "info", "i", false, "Show what the packages are, as the command info")
	flags.StringVar(&q.format, "queryformat", "", "Show each package by this FORMAT with tags as %{name}: "+strings.Join(formatTags(), ", "))
	flags.StringVar(&q.format, "qf", "", "The same")
	c.MarkFlagsMutuallyExclusive("info", "queryformat", "qf", "json")
	return c
}

type depKind struct {
	name string
	kind query.DepKind
	what string // help for the option that looks for packages
}

// depKinds are the kinds of dependencies for which there are options.
var depKinds = []depKind{
	{"requires", query.Requires, "Only packages that require this capability, or what the package of this name provides"},
	{"provides", query.Provides, "Only packages that have this capability or file"},
	{"conflicts", query.Conflicts, "Only packages that conflict with this capability, or with what the package of this name provides"},
	{"obsoletes", query.Obsoletes, "Only packages that obsolete this name"},
	{"recommends", query.Recommends, "Only packages that recommend this capability, or what the package of this name provides"},
	{"suggests", query.Suggests, "Only packages that suggest this capability, or what the package of this name provides"},
	{"supplements", query.Supplements, "Only packages that supplement this capability, or what the package of this name provides"},
	{"enhances", query.Enhances, "Only packages that enhance this capability, or what the package of this name provides"},
}

// repoquery prints what is asked about the packages.
func (a *app) repoquery(ctx context.Context, x query.Index, q repoquery, list []query.Package) error {
	if q.resolve {
		var have []query.Package
		for _, k := range q.kinds {
			have = append(have, x.Providers(list, k)...)
		}
		x.Sort(have)
		list, q.kinds = slices.CompactFunc(have, query.Package.Same), nil
	}
	var lines []string
	switch {
	case len(q.kinds) > 0 || q.files:
		for _, k := range q.kinds {
			lines = append(lines, x.Deps(list, k)...)
		}
		if q.files {
			paths, err := x.Files(ctx, list)
			if err != nil {
				return err
			}
			lines = append(lines, paths...)
		}
		if q.json {
			return a.printList(slices.Concat([]string{}, lines))
		}
	case q.info:
		a.printInfos(list)
	case q.format != "":
		for _, p := range list {
			lines = append(lines, expandFormat(q.format, x, p))
		}
		slices.Sort(lines)
		lines = slices.Compact(lines) // as dnf, each answer once
	case q.json:
		return a.printList(list)
	default:
		for _, p := range list {
			lines = append(lines, fullNEVRA(p))
		}
		lines = slices.Compact(lines) // installed, and in a repository too
	}
	for _, l := range lines {
		fmt.Fprintln(a.out, l)
	}
	return nil
}

func (a *app) whyCommand() *cobra.Command {
	f := queryFlags{filter: query.Filter{Installed: true}}
	c := a.hostFlags(&cobra.Command{
		Use: "why PACKAGE...", Short: "Tell why packages are installed",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one PACKAGE must be specified")
			}
			x, in, err := a.inventory(cmd.Context(), f)
			if err != nil {
				return err
			}
			var missing []string
			for _, arg := range args {
				list, err := x.List(cmd.Context(), query.Filter{Patterns: []string{arg}, Installed: true})
				if err != nil {
					return err
				}
				if len(list) == 0 {
					missing = append(missing, arg)
				}
			}
			if len(missing) > 0 {
				return fmt.Errorf("Not installed: %s; rpm-ostree why-not tells whether it can be", strings.Join(missing, ", "))
			}
			reasons := x.Why(args, query.Installation{Requests: in.Requests, Base: in.Base})
			if f.json {
				return a.printList(reasons)
			}
			for _, r := range reasons {
				a.printReason(r)
			}
			return nil
		},
	})
	c.Flags().BoolVar(&f.json, "json", false, "Output JSON")
	return c
}

func (a *app) printReason(r query.Reason) {
	switch {
	case r.Requested != "":
		fmt.Fprintf(a.out, "%s: requested as %s\n", r.Package, r.Requested)
	case r.Base:
		fmt.Fprintf(a.out, "%s: part of the base image\n", r.Package)
	default:
		fmt.Fprintf(a.out, "%s: a dependency\n", r.Package)
	}
	for i, l := range r.Chain {
		if i+1 == len(r.Chain) {
			break
		}
		verb := "requires"
		if l.Weak {
			verb = "recommends"
		}
		if l.Supplements {
			fmt.Fprintf(a.out, "  %s supplements %s\n    which %s has a part in\n", r.Chain[i+1].Package, l.Dep, l.Package)
			continue
		}
		fmt.Fprintf(a.out, "  %s %s %s\n", l.Package, verb, l.Dep)
		if next := r.Chain[i+1].Package; i+2 < len(r.Chain) || l.Dep != next {
			fmt.Fprintf(a.out, "    which %s provides\n", next)
		}
	}
	if n := len(r.NeededBy); n > 0 {
		fmt.Fprintf(a.out, "  needed by %d: %s\n", n, joinSome(r.NeededBy, 8))
	}
}

// joinSome joins at most n words, and says how many more there are.
func joinSome(words []string, n int) string {
	out := ""
	for i, w := range words {
		if i == n {
			return fmt.Sprintf("%s and %d more", out, len(words)-n)
		}
		if i > 0 {
			out += ", "
		}
		out += w
	}
	return out
}
