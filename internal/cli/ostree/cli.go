package ostree

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/term"

	"rpmostree/internal/goption"
)

// IO is the standard streams of a command.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the command with the arguments after the program's name, and returns its exit
// status.
func Main(ctx context.Context, args []string, streams IO) int {
	out := bufio.NewWriter(streams.Out)
	env := &env{ctx: ctx, in: streams.In, out: out, err: streams.Err, terminal: isTerminal(streams.Out), columns: columns(streams.Out)}
	err := env.dispatch(commands(), args)
	env.close()
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = flushErr
	}
	if err == nil || errors.Is(err, errDone) {
		return 0
	}
	var silent exitError
	if errors.As(err, &silent) {
		return int(silent)
	}
	prefix := "error: "
	if isTerminal(streams.Err) {
		prefix = "\x1b[31m\x1b[1merror: \x1b[22m\x1b[0m"
	}
	fmt.Fprintf(streams.Err, "%s%s\n", prefix, errorText(err))
	return 1
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns is how wide a terminal is.
func columns(w io.Writer) int {
	const usual, most = 80, 256
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return min(n, most)
		}
	}
	return usual
}

// errorText gives a system error at the end of a message the spelling of C, which
// starts with a capital letter.
func errorText(err error) string {
	text := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if rest, ok := strings.CutSuffix(text, errno.Error()); ok {
			e := errno.Error()
			return rest + strings.ToUpper(e[:1]) + e[1:]
		}
	}
	return text
}

// errDone ends a command with success before its end: help and version were printed.
var errDone = errors.New("done")

// exitError is an exit status without a message.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a wrong use of a command: its help goes before the message.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// command is a command word: a group of others, or one that runs.
type command struct {
	name, about string
	args        string // the arguments, for the usage line
	hidden      bool
	parent      *command
	sub         []*command
	options     goption.Set
	scope       scope
	run         func(*env) error
}

// scope says what a command works on, which decides its common options.
type scope uint8

const (
	noScope      scope = iota
	repoScope          // --repo, which is opened
	initScope          // --repo, which need not exist
	remoteScope        // --repo or --sysroot
	sysrootScope       // --sysroot
)

// path returns the words that name the command.
func (c *command) path() string {
	if c.parent == nil {
		return c.name
	}
	return c.parent.path() + " " + c.name
}

func (c *command) lookup(name string) *command {
	for _, s := range c.sub {
		if s.name == name {
			return s
		}
	}
	return nil
}

// group makes a command that only has subcommands.
func group(name, args, about string, sub ...*command) *command {
	c := &command{name: name, args: args, about: about, sub: sub}
	for _, s := range sub {
		s.parent = c
	}
	return c
}

// commands returns the whole tree of commands, with options that nothing was read into.
func commands() *command {
	return group("ostree", "COMMAND", "",
		adminCommands(), catCommand(), checkoutCommand(), checksumCommand(), commitCommand(), configCommand(),
		diffCommand(), exportCommand(), findRemotesCommand(), createUSBCommand(), fsckCommand(), gpgSignCommand(), initCommand(), logCommand(), lsCommand(), pruneCommand(),
		pullLocalCommand(), pullCommand(), refsCommand(), remoteCommands(), resetCommand(), revParseCommand(),
		showCommand(), signCommand(), staticDeltaCommands(), summaryCommand())
}

// dispatch finds the command word among args, the first that is no option, and gives all
// others to the command.
func (e *env) dispatch(c *command, args []string) error {
	if c.sub == nil {
		e.cmd = c
		return e.runCommand(args)
	}
	word := -1
	for i, a := range args {
		if !strings.HasPrefix(a, "-") {
			word = i
			break
		}
	}
	e.cmd = c
	if word < 0 {
		if err := e.parse(args); err != nil {
			return e.report(usageOf(err))
		}
		if c.run != nil {
			return e.report(c.run(e))
		}
		if c.parent == nil {
			return e.report(usagef("No command specified"))
		}
		return e.report(usagef("No \"%s\" subcommand specified", c.words()))
	}
	rest := append(append([]string(nil), args[:word]...), args[word+1:]...)
	sub := c.lookup(args[word])
	if sub != nil {
		return e.dispatch(sub, rest)
	}
	if c.parent == nil {
		if path := extension(args[word]); path != "" {
			// With the word, too: a program may have several.
			return syscall.Exec(path, append([]string{path}, args...), os.Environ())
		}
	}
	if err := e.parse(rest); err != nil { // which may be "--help"
		return e.report(usageOf(err))
	}
	if c.parent == nil {
		return e.report(usagef("Unknown command '%s'", args[word]))
	}
	return e.report(usagef("Unknown \"%s\" subcommand '%s'", c.words(), args[word]))
}

// usageOf makes an error in the options of a group one that its help goes before.
func usageOf(err error) error {
	if errors.Is(err, errDone) {
		return err
	}
	return usageError{err.Error()}
}

// extension returns the program of a command that is not built in, or "": from the
// directory of extensions that belongs to this program, else from PATH.
func extension(word string) string {
	if word == "" || strings.Contains(word, "/") {
		return ""
	}
	name := "ostree-" + word
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), "../libexec/libostree/ext", name)
		if exists(path) {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return ""
	}
	return path
}

// words is the path without the program's name.
func (c *command) words() string { return strings.TrimPrefix(c.path(), "ostree ") }

func (e *env) runCommand(args []string) error {
	if err := e.parse(args); err != nil {
		return e.report(err)
	}
	if e.printDir {
		return e.printCurrentDir()
	}
	if err := e.open(); err != nil {
		return e.report(err)
	}
	return e.report(e.cmd.run(e))
}

// report prints the help that goes with a usage error.
func (e *env) report(err error) error {
	var usage usageError
	if errors.As(err, &usage) {
		e.cmd.help(e.err)
	}
	return err
}
