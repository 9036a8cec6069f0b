package rpmostree

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"rpmostree/internal/query"
)

func (a *app) repoqueryCommand() *cobra.Command {
	var f queryFlags
	var filter query.Filter
	show := map[string]*bool{}
	var files bool
	c := a.queryFlags(&cobra.Command{
		Use: "repoquery [PATTERN...]", Short: "Ask about the dependencies and files of packages",
		RunE: func(cmd *cobra.Command, args []string) error {
			x, _, err := a.inventory(cmd.Context(), f)
			if err != nil {
				return err
			}
			filter.Patterns, filter.Installed, filter.Available = args, f.installed, f.available
			list, err := x.List(cmd.Context(), filter)
			if err != nil {
				return err
			}
			kinds := slices.DeleteFunc(slices.Clone(depKinds), func(k depKind) bool { return !*show[k.name] })
			if len(kinds) == 0 && !files {
				return a.printPackages(list, f.json)
			}
			var lines []string
			for _, k := range kinds {
				lines = append(lines, x.Deps(list, k.kind)...)
			}
			if files {
				paths, err := x.Files(cmd.Context(), list)
				if err != nil {
					return err
				}
				lines = append(lines, paths...)
			}
			if f.json {
				return a.printList(slices.Concat([]string{}, lines))
			}
			for _, l := range lines {
				fmt.Fprintln(a.out, l)
			}
			return nil
		},
	}, &f, true)
	flags := c.Flags()
	flags.StringVar(&filter.WhatProvides, "whatprovides", "", "Only packages that have this capability or file")
	flags.StringVar(&filter.WhatRequires, "whatrequires", "", "Only packages that require this capability, or what the package of this name provides")
	flags.StringVar(&filter.File, "file", "", "Only packages that own this file")
	flags.BoolVar(&filter.Upgrades, "upgrades", false, "Only packages of repositories that are newer than the installed ones")
	flags.BoolVar(&filter.Latest, "latest", false, "Only the newest package of each name and architecture")
	flags.BoolVarP(&files, "list", "l", false, "Show the files of the packages")
	flags.BoolVar(&files, "files", false, "Show the files of the packages")
	for _, k := range depKinds {
		show[k.name] = flags.Bool(k.name, false, "Show what the packages have as "+k.name)
	}
	return c
}

type depKind struct {
	name string
	kind query.DepKind
}

// depKinds are the options that show dependencies.
var depKinds = []depKind{
	{"requires", query.Requires}, {"provides", query.Provides}, {"conflicts", query.Conflicts}, {"obsoletes", query.Obsoletes},
	{"recommends", query.Recommends}, {"suggests", query.Suggests}, {"supplements", query.Supplements}, {"enhances", query.Enhances},
}

func (a *app) printPackages(list []query.Package, asJSON bool) error {
	if asJSON {
		return a.printList(list)
	}
	last := ""
	for _, p := range list {
		if p.NEVRA != last { // installed, and in a repository too
			fmt.Fprintln(a.out, p.NEVRA)
		}
		last = p.NEVRA
	}
	return nil
}

func (a *app) whyCommand() *cobra.Command {
	f := queryFlags{installed: true}
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
			reasons := x.Why(args, query.Installation{Requests: in.Requests, Base: in.Base})
			if len(reasons) == 0 {
				return fmt.Errorf("Not installed: %s; rpm-ostree why-not tells whether it can be", args[0])
			}
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
