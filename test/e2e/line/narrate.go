package line

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Terminal sequences of the styles.
const (
	bold  = "\x1b[1m"
	green = "\x1b[32m"
	faint = "\x1b[2m"
	plain = "\x1b[0m"
)

func (l *Line) styled(style, text string) string {
	if !l.Color {
		return text
	}
	return style + text + plain
}

func (l *Line) heading(text string) { fmt.Fprintf(l.Out, "\n%s\n", l.styled(bold, "== "+text)) }

// note says something that is neither a command nor a check.
func (l *Line) note(format string, args ...any) {
	fmt.Fprintln(l.Out, l.styled(faint, "   "+fmt.Sprintf(format, args...)))
}

// checked says that something was looked at and found right.
func (l *Line) checked(format string, args ...any) {
	fmt.Fprintln(l.Out, l.styled(green, "   ok")+"  "+fmt.Sprintf(format, args...))
}

// stopLimit is the time that a program has to end in order when it is interrupted.
const stopLimit = 20 * time.Second

// command prepares a program that is asked to end in order if the context ends: one that is
// killed leaves its mounts behind.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = stopLimit
	return c
}

// program returns the path of a program under test.
func (l *Line) program(name string) string { return filepath.Join(l.Bin, name) }

// run shows and runs a program under test, and lets what it prints be seen.
func (l *Line) run(ctx context.Context, name string, args ...string) error {
	fmt.Fprintln(l.Out, l.styled(bold, "$ "+l.shown(name, args)))
	c := command(ctx, l.program(name), args...)
	c.Stdout, c.Stderr = l.Out, l.Out
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w", l.shown(name, args), err)
	}
	return nil
}

// shown is a command line that the user could type here.
func (l *Line) shown(name string, args []string) string {
	words := []string{l.short(l.program(name))}
	for _, a := range args {
		if key, value, ok := strings.Cut(a, "="); ok && filepath.IsAbs(value) {
			a = key + "=" + l.short(value)
		} else if filepath.IsAbs(a) {
			a = l.short(a)
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// short returns a path relative to the working directory, if that is shorter.
func (l *Line) short(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(here, path)
	if err != nil || len(rel) >= len(path) {
		return path
	}
	return rel
}

// output runs a program in silence and returns what it prints; an error has all of that.
func output(ctx context.Context, name string, args ...string) (string, error) {
	c := command(ctx, name, args...)
	var out, all bytes.Buffer
	c.Stdout, c.Stderr = io.MultiWriter(&out, &all), &all
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, all.String())
	}
	return out.String(), nil
}
