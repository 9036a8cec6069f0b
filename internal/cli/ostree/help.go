package ostree

import (
	"fmt"
	"io"
)

// help prints the usage, the subcommands and the options in GLib's layout.
func (c *command) help(w io.Writer) {
	e := &env{cmd: c}
	fmt.Fprintf(w, "Usage:\n  %s [OPTION…]", c.path())
	if c.args != "" {
		fmt.Fprintf(w, " %s", c.args)
	}
	fmt.Fprint(w, "\n\n")
	if c.about != "" {
		fmt.Fprintf(w, "%s\n\n", c.about)
	}
	shown := e.shown()
	width := shown.Width()
	for _, s := range c.sub {
		if !s.hidden {
			width = max(width, len(s.name))
		}
	}
	if c.sub != nil {
		if c.parent == nil {
			fmt.Fprint(w, "Builtin Commands:\n")
		} else {
			fmt.Fprintf(w, "Builtin \"%s\" Commands:\n", c.words())
		}
		for _, s := range c.sub {
			if !s.hidden {
				fmt.Fprintf(w, "  %-*s     %s\n", width, s.name, s.about)
			}
		}
		fmt.Fprintln(w)
	}
	shown.PrintHelp(w, width)
}
