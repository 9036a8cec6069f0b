package ostree

import (
	"fmt"
	"strconv"
	"strings"
)

// option is an option of a command. Parsing follows GLib's GOptionContext: options and
// arguments mix, "--opt=V" and "--opt V" are the same, one-letter flags may be bundled,
// "--" ends the options, names are not abbreviated.
type option struct {
	name   string
	letter byte
	value  string // placeholder of the value, "" for a flag
	about  string
	hidden bool
	set    func(value string) error
}

func (c *command) flag(p *bool, name string, letter byte, about string) {
	c.options = append(c.options, option{name: name, letter: letter, about: about,
		set: func(string) error { *p = true; return nil }})
}

func (c *command) str(p *string, name string, letter byte, value, about string) {
	c.options = append(c.options, option{name: name, letter: letter, value: value, about: about,
		set: func(v string) error { *p = v; return nil }})
}

// list is an option that may be given more than once.
func (c *command) list(p *[]string, name string, letter byte, value, about string) {
	c.options = append(c.options, option{name: name, letter: letter, value: value, about: about,
		set: func(v string) error { *p = append(*p, v); return nil }})
}

func (c *command) int(p *int, name string, value, about string) {
	c.options = append(c.options, option{name: name, value: value, about: about, set: func(v string) error {
		n, err := strconv.ParseInt(v, 0, 32)
		if err != nil {
			return fmt.Errorf("Cannot parse integer value “%s” for --%s", v, name)
		}
		*p = int(n)
		return nil
	}})
}

// fn is an option whose value is handled by set.
func (c *command) fn(set func(string) error, name string, letter byte, value, about string) {
	c.options = append(c.options, option{name: name, letter: letter, value: value, about: about, set: set})
}

// hide leaves the option that was added last out of the help.
func (c *command) hide() { c.options[len(c.options)-1].hidden = true }

// common returns the options which depend on what a command works on.
func (e *env) common() []option {
	var c command
	switch e.cmd.scope {
	case repoScope, initScope, remoteScope:
		c.str(&e.repoPath, "repo", 0, "PATH", "Path of the repository (by default the current directory or /sysroot/ostree/repo)")
	}
	switch e.cmd.scope {
	case remoteScope, sysrootScope:
		c.str(&e.sysrootPath, "sysroot", 0, "PATH", "Path of the sysroot")
	}
	return c.options
}

// global returns the options that every command has.
func (e *env) global() []option {
	var c command
	letter := byte('v')
	for _, o := range e.cmd.options {
		if o.letter == 'v' {
			letter = 0
		}
	}
	c.flag(&e.verbose, "verbose", letter, "Print debug information during command processing")
	c.fn(func(string) error { printVersion(e.out); return errDone }, "version", 0, "", "Print version information and exit")
	return c.options
}

func (e *env) allOptions() []option {
	var all []option
	all = append(append(append(all, e.cmd.options...), e.common()...), e.global()...)
	return append(all, option{name: "help", letter: 'h', set: func(string) error {
		e.cmd.help(e.out)
		return errDone
	}})
}

// parse reads the options among args and leaves the rest in e.args.
func (e *env) parse(args []string) error {
	options := e.allOptions()
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == "--":
			e.args = append(e.args, args...)
			return nil
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			e.args = append(e.args, arg)
		case strings.HasPrefix(arg, "--"):
			args, err = parseLong(options, arg, args)
		default:
			args, err = parseShort(options, arg, args)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parseLong(options []option, arg string, rest []string) ([]string, error) {
	name, value, hasValue := strings.Cut(arg[2:], "=")
	for _, o := range options {
		if o.name != name || o.value == "" && hasValue {
			continue
		}
		if o.value != "" && !hasValue {
			if len(rest) == 0 {
				return nil, fmt.Errorf("Missing argument for --%s", name)
			}
			value, rest = rest[0], rest[1:]
		}
		return rest, o.set(value)
	}
	return nil, fmt.Errorf("Unknown option %s", arg)
}

// parseShort reads a bundle of letters. Only one of them may take a value, which is
// the next argument.
func parseShort(options []option, arg string, rest []string) ([]string, error) {
	taken := false
	for i := 1; i < len(arg); i++ {
		o, ok := findLetter(options, arg[i])
		if !ok {
			return nil, fmt.Errorf("Unknown option %s", arg)
		}
		value := ""
		if o.value != "" {
			switch {
			case taken:
				return nil, fmt.Errorf("Error parsing option -%c", arg[i])
			case len(rest) == 0:
				return nil, fmt.Errorf("Missing argument for -%c", arg[i])
			}
			value, rest, taken = rest[0], rest[1:], true
		}
		if err := o.set(value); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

func findLetter(options []option, letter byte) (option, bool) {
	for _, o := range options {
		if o.letter == letter {
			return o, true
		}
	}
	return option{}, false
}

// parseBool reads the value of an option such as --fsync.
func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "true", "on":
		return true, nil
	case "0", "no", "false", "off", "none":
		return false, nil
	}
	return false, fmt.Errorf("Invalid boolean argument '%s'", s)
}

// keyValue splits an option value of the form KEY=VALUE.
func keyValue(s string) (key, value string, err error) {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		return "", "", fmt.Errorf("Missing '=' in KEY=VALUE metadata '%s'", s)
	}
	return key, value, nil
}
