package ostree

import (
	"fmt"
	"io"
	"unicode/utf8"
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
	shown := append(append(append([]option(nil), c.options...), e.common()...), e.global()...)
	width := len("-h, --help")
	for _, o := range shown {
		if !o.hidden {
			width = max(width, utf8.RuneCountInString(o.synopsis()))
		}
	}
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
	fmt.Fprintf(w, "Help Options:\n  %-*s     Show help options\n\nApplication Options:\n", width, "-h, --help")
	for _, o := range shown {
		if !o.hidden {
			fmt.Fprintf(w, "  %-*s     %s\n", width, o.synopsis(), o.about)
		}
	}
	fmt.Fprintln(w)
}

func (o option) synopsis() string {
	s := "--" + o.name
	if o.letter != 0 {
		s = fmt.Sprintf("-%c, %s", o.letter, s)
	}
	if o.value != "" {
		s += "=" + o.value
	}
	return s
}
