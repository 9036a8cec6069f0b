// Demo shows what the project does, on a real system: it makes a small RPM distribution,
// composes it, deploys it into a sysroot directory, layers a package, upgrades, rolls back,
// and boots after each step. Everything is checked on the way, by programs that are not the
// project's own too; the first thing that is wrong ends it with status 1.
//
//	make demo
//
// It needs root and systemd-nspawn, changes nothing outside its directory, and leaves the
// sysroot there to be played with. "-remove" removes it: plain rm cannot, as deployments
// are immutable.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"rpmostree/test/e2e/line"
)

func main() {
	dir := flag.String("dir", "build/demo", "directory to work in; what an earlier run left there is removed")
	bin := flag.String("bin", "build", "directory of the programs, as make build makes them")
	remove := flag.Bool("remove", false, "remove what an earlier run left, and do nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, *bin, *remove); err != nil {
		fmt.Fprintln(os.Stderr, "\nerror:", err)
		os.Exit(1)
	}
}

// lock keeps another demo out of the directory, which it makes.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is in use by another demo (%w); name another directory with -dir", dir, err)
	}
	return func() { f.Close() }, nil
}

func run(ctx context.Context, dir, bin string, remove bool) error {
	start := time.Now()
	l := &line.Line{Out: os.Stdout, Color: term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""}
	var err error
	if l.Dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if l.Bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	unlock, err := lock(l.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if remove {
		return errors.Join(l.Reset(), os.Remove(filepath.Join(l.Dir, "lock")))
	}
	if err := line.Missing(); err != nil {
		return err
	}
	if err := l.Reset(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(bin, "rpm-ostree")); err != nil {
		return fmt.Errorf("%w: run make build first", err)
	}
	fmt.Println("rpm-ostree, from packages to a running system and back. What is typed is shown;\n" +
		"\"ok\" marks what was checked, \"lab#\" what runs inside the booted system.")
	steps := l.Steps()
	for i, s := range steps {
		if err := l.Go(ctx, s, i+1, len(steps)); err != nil {
			return errors.Join(err, l.Leftovers())
		}
	}
	if err := l.Leftovers(); err != nil {
		return err
	}
	fmt.Printf("\nAll of it works, in %.0f s. %s  # remove it all; rm alone cannot, as deployments are immutable\n  go run ./test/demo -dir %s -remove\n",
		time.Since(start).Seconds(), l.Summary(), dir)
	return nil
}
