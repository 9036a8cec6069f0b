package rpmostree

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rpmostree/internal/core"
	"rpmostree/internal/upgrade"
)

// A verdict is the answer of why-not.
type verdict struct {
	Package     string   `json:"package"` // as it was asked for
	Installable bool     `json:"installable"`
	Installed   []string `json:"installed,omitempty"` // NEVRAs of it that are there
	Install     []string `json:"install,omitempty"`   // what would come, in order
	Remove      []string `json:"remove,omitempty"`    // what would go
	Hidden      []string `json:"hidden,omitempty"`    // NEVRAs that the configuration of a repository hides
	Problems    []string `json:"problems,omitempty"`
	// Explanation says more of the problems, and what would help.
	Explanation *core.DepsolveError `json:"explanation,omitempty"`
}

func (a *app) whyNotCommand() *cobra.Command {
	var f queryFlags
	return a.queryFlags(&cobra.Command{
		Use: "why-not PACKAGE[=EVR]...", Short: "Tell whether packages can be installed, and if not, why",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("At least one PACKAGE must be specified")
			}
			var list []verdict
			for _, arg := range args {
				v, err := a.whyNot(cmd, arg, f)
				if err != nil {
					return err
				}
				list = append(list, v)
			}
			if f.json {
				return a.printList(list)
			}
			for _, v := range list {
				a.printVerdict(v)
			}
			return nil
		},
	}, &f, false)
}

func (a *app) whyNot(cmd *cobra.Command, arg string, f queryFlags) (verdict, error) {
	v := verdict{Package: arg}
	request := strings.Replace(arg, "=", "-", 1)
	if strings.ContainsAny(arg, " (/") {
		request = arg // a capability, a path or a rich dependency
	}
	x, _, err := a.inventory(cmd.Context(), f)
	if err != nil {
		return v, err
	}
	_, ids := x.Sack.Select(request)
	for _, id := range ids {
		n := x.Sack.NEVRA(id).String()
		switch {
		case x.Installed(id):
			v.Installed = append(v.Installed, n)
		case x.Hidden(id):
			v.Hidden = append(v.Hidden, n)
		}
	}
	if len(v.Installed) > 0 {
		v.Installable = true
		return v, nil
	}
	h, err := a.open()
	if err != nil {
		return v, err
	}
	defer h.Sysroot.Close()
	h.Progress = nil
	plan, err := h.Try(cmd.Context(), request, f.cacheOnly)
	var unsolvable *core.DepsolveError
	switch {
	case errors.As(err, &unsolvable):
		for _, p := range unsolvable.Problems {
			v.Problems = append(v.Problems, strings.Join(p.Lines, "\n  - "))
		}
		v.Explanation = unsolvable
		return v, nil
	case upgrade.IsUnsatisfiable(err):
		v.Problems = []string{err.Error()}
		return v, nil
	case err != nil:
		return v, err
	}
	v.Installable = true
	for _, s := range plan.Install {
		v.Install = append(v.Install, s.NEVRA().String())
	}
	for _, p := range plan.Remove {
		v.Remove = append(v.Remove, p.Header.NEVRA().String())
	}
	return v, nil
}

func (a *app) printVerdict(v verdict) {
	switch {
	case len(v.Installed) > 0:
		fmt.Fprintf(a.out, "%s is installed: %s\n", v.Package, strings.Join(v.Installed, ", "))
	case v.Installable:
		fmt.Fprintf(a.out, "%s can be installed. With what is layered already that brings:\n", v.Package)
		for _, n := range v.Install {
			fmt.Fprintf(a.out, "  %s\n", n)
		}
		for _, n := range v.Remove {
			fmt.Fprintf(a.out, "  and replaces %s\n", n)
		}
	default:
		fmt.Fprintf(a.out, "%s cannot be installed:\n", v.Package)
		for _, p := range v.Problems {
			fmt.Fprintf(a.out, "  %s\n", strings.ReplaceAll(p, "\n", "\n  "))
		}
		if v.Explanation != nil {
			fmt.Fprint(a.out, v.Explanation.Advice())
		}
	}
	for _, n := range v.Hidden {
		fmt.Fprintf(a.out, "  %s is hidden by the configuration of its repository, or by modularity\n", n)
	}
}
