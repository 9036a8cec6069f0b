package ostree

import (
	"fmt"
	"slices"
	"strings"

	"rpmostree/internal/goption"
)

func (c *command) flag(p *bool, name string, letter byte, about string) {
	c.options.Flag(p, name, letter, about)
}

func (c *command) str(p *string, name string, letter byte, value, about string) {
	c.options.String(p, name, letter, value, about)
}

// optional is an option that may be given with an empty value.
func (c *command) optional(p **string, name string, letter byte, value, about string) {
	c.options.Optional(p, name, letter, value, about)
}

// file is an option with the name of a file.
func (c *command) file(p *string, name string, letter byte, value, about string) {
	c.options.File(p, name, letter, value, about)
}

// files is file for an option that may be given more than once.
func (c *command) files(p *[]string, name string, letter byte, value, about string) {
	c.options.Files(p, name, letter, value, about)
}

// list is an option that may be given more than once.
func (c *command) list(p *[]string, name string, letter byte, value, about string) {
	c.options.List(p, name, letter, value, about)
}

func (c *command) int(p *int, name string, value, about string) {
	c.options.Int(p, name, 0, value, about)
}

// fn is an option whose value is handled by set.
func (c *command) fn(set func(string) error, name string, letter byte, value, about string) {
	c.options.Func(set, name, letter, value, about)
}

// hide leaves the option that was added last out of the help.
func (c *command) hide() { c.options[len(c.options)-1].Hidden = true }

// common returns the options which depend on what a command works on.
func (e *env) common() goption.Set {
	var c command
	switch e.cmd.scope {
	case repoScope, initScope, remoteScope:
		c.file(&e.repoPath, "repo", 0, "PATH", "Path of the repository (by default the current directory or /sysroot/ostree/repo)")
	}
	switch e.cmd.scope {
	case remoteScope, sysrootScope:
		c.file(&e.sysrootPath, "sysroot", 0, "PATH", "Path of the sysroot")
	}
	if e.cmd.scope == sysrootScope {
		c.flag(&e.printDir, "print-current-dir", 0, "Print the directory of the first deployment and do nothing else")
		c.hide()
	}
	return c.options
}

// global returns the options that every command has.
func (e *env) global() goption.Set {
	var c command
	letter := byte('v')
	for _, o := range e.cmd.options {
		if o.Letter == 'v' {
			letter = 0
		}
	}
	c.flag(&e.verbose, "verbose", letter, "Print debug information during command processing")
	c.fn(func(string) error { printVersion(e.out); return errDone }, "version", 0, "", "Print version information and exit")
	return c.options
}

// shown returns the options of the command in the order of its help.
func (e *env) shown() goption.Set {
	return slices.Concat(e.cmd.options, e.common(), e.global())
}

// parse reads the options among args and leaves the rest in e.args.
func (e *env) parse(args []string) (err error) {
	options := e.shown()
	help := func(string) error { e.cmd.help(e.out); return errDone }
	options.Func(help, "help", 'h', "", "")
	options.Func(help, "help-all", '?', "", "") // GLib has these, too, and does not show them
	e.args, err = options.Parse(args)
	return err
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
