// Package rpmostree is the rpm-ostree command line.
package rpmostree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rpmostree/internal/core"
	"rpmostree/internal/upgrade"
	"rpmostree/ostree/sysroot"
)

// Version is that of rpm-ostree whose interfaces this program has.
const Version = "2026.2"

// Exit codes that scripts rely on.
const (
	exitFailure   = 1
	exitUnchanged = 77 // nothing to do, or no update
)

// An exitError ends the program with a code and no message.
type exitError int

func (e exitError) Error() string { return "exit " + strconv.Itoa(int(e)) }

// Main runs the command line args (without the program's name) and returns the
// exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{out: stdout, err: stderr}
	root := a.root()
	root.SetArgs(commandFirst(root, args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	prefix := "error: "
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" {
		prefix = "\x1b[31m\x1b[1merror: \x1b[22m\x1b[0m"
	}
	fmt.Fprintln(stderr, prefix+err.Error())
	if unsolvable := (*core.DepsolveError)(nil); errors.As(err, &unsolvable) {
		fmt.Fprint(stderr, unsolvable.Advice())
	}
	return exitFailure
}

// An app is one run of the program.
type app struct {
	out, err io.Writer
	quiet    bool
	sysroot  string
	os       string
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "rpm-ostree",
		Short:             "Hybrid image/package system for Linux hosts",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if v, _ := cmd.Flags().GetBool("version"); v {
				fmt.Fprintf(a.out, "rpm-ostree:\n Version: '%s'\n Git: \n Features:\n  - compose\n", Version)
				return nil
			}
			cmd.SetOut(a.err)
			_ = cmd.Help()
			if len(args) == 0 {
				return errors.New("No command specified")
			}
			return fmt.Errorf("Unknown command '%s'", args[0])
		},
	}
	root.Flags().Bool("version", false, "Print version information and exit")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "Avoid printing most informational messages")
	root.AddCommand(
		a.statusCommand(), a.upgradeCommand(), a.deployCommand(), a.rebaseCommand(), a.rollbackCommand(),
		a.installCommand(), a.uninstallCommand(), a.overrideCommand(), a.resetCommand(),
		a.kargsCommand(), a.initramfsCommand(), a.cleanupCommand(), a.dbCommand(), a.composeCommand(),
		a.searchCommand(), a.infoCommand(), a.listCommand(), a.providesCommand(), a.repoqueryCommand(), a.repoCommand(),
		a.whyCommand(), a.whyNotCommand(), luaCommand(),
	)
	return root
}

// commandFirst moves the command's words in front of the options before them:
// options may precede the command word, as in "rpm-ostree --sysroot=/x status".
func commandFirst(root *cobra.Command, args []string) []string {
	cmd := root
	var words, rest []string
	for i, arg := range args {
		if arg == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		next := find(cmd, arg)
		if strings.HasPrefix(arg, "-") || next == nil {
			rest = append(rest, arg)
			continue
		}
		words = append(words, arg)
		if cmd = next; !cmd.HasSubCommands() {
			rest = append(rest, args[i+1:]...)
			break
		}
	}
	return append(words, rest...)
}

func find(parent *cobra.Command, name string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

// hostFlags adds the options of commands that work on deployments.
func (a *app) hostFlags(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&a.sysroot, "sysroot", "", "Use system root SYSROOT (default: /)")
	c.Flags().StringVar(&a.os, "os", "", "Operate on provided OSNAME")
	c.Flags().StringVar(&a.os, "stateroot", "", "Operate on provided STATEROOT")
	_ = c.Flags().MarkHidden("os")
	_ = c.Flags().MarkHidden("stateroot")
	return c
}

// open opens the sysroot.
func (a *app) open() (*upgrade.Host, error) {
	path := a.sysroot
	if path == "" {
		path = "/"
		if _, err := os.Stat("/run/ostree-booted"); err != nil {
			return nil, errors.New("This system was not booted via libostree; use --sysroot=PATH to work on another system root")
		}
	}
	opt := sysroot.OptionsFromEnv()
	opt.Progress = a.progress()
	s, err := sysroot.Open(path, opt)
	if err != nil {
		return nil, err
	}
	return &upgrade.Host{Sysroot: s, Stateroot: a.os, Progress: a.progress(), Arch: hostArch(), Epoch: epoch(), Lua: self()}, nil
}

// openRoot is open for commands that change something.
func (a *app) openRoot() (*upgrade.Host, error) {
	if os.Geteuid() != 0 && os.Getenv("RPMOSTREE_SUPPRESS_REQUIRES_ROOT_CHECK") == "" {
		return nil, errors.New("This command requires root privileges")
	}
	if a.sysroot == "" {
		if err := sysroot.EnsureWritable(); err != nil {
			return nil, err
		}
	}
	return a.open()
}

func (a *app) progress() *console {
	if a.quiet {
		return &console{out: io.Discard}
	}
	f, ok := a.out.(*os.File)
	return &console{out: a.out, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// hostArch is the architecture of this machine, by rpm's name.
func hostArch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	case "386":
		return "i686"
	}
	return runtime.GOARCH
}

// epoch is the time that is recorded: SOURCE_DATE_EPOCH, or now.
func epoch() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("SOURCE_DATE_EPOCH"), 10, 63); err == nil {
		return n
	}
	return uint64(time.Now().Unix())
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("Unexpected argument '%s'", args[0])
	}
	return nil
}
