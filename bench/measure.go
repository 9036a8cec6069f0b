package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A side is one of the two that are compared.
type side int

const (
	ours side = iota
	theirs
)

func (s side) String() string { return [...]string{"ours", "peer"}[s] }

// A command is what is measured: a program with its arguments.
type command []string

// A benchCase is one thing that both sides do.
type benchCase struct {
	name, what string
	rounds     int
	cpu        bool // the times of the line are of the CPU, not of the clock
	// prepare makes what one run of a side needs in the new directory dir, and returns what
	// to run there. It is not measured.
	prepare func(ctx context.Context, in *input, s side, dir string) (command, error)
	// note says more of what a run has left in its directory. It may be nil.
	note func(dir string) (string, error)
}

// A result is one measured run.
type result struct {
	wall, cpu time.Duration
	peak      int64 // bytes
	note      string
}

// measure runs a case below the new directory dir and prints its line.
func (c benchCase) measure(ctx context.Context, in *input, dir string) error {
	var results [2][]result
	for round := range c.rounds {
		for i := range 2 {
			s := side((round + i) % 2) // who goes first changes
			r, err := c.once(ctx, in, s, fmt.Sprintf("%s/%d-%s", dir, round, s))
			if err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
			results[s] = append(results[s], r)
		}
	}
	size := in.size
	if strings.HasPrefix(c.name, "big-") {
		size = in.big.size
	}
	fmt.Printf("# %s: %s; %s; %d rounds\n", c.name, c.what, size, c.rounds)
	for s, list := range results {
		fmt.Printf("#   %s:", side(s))
		for _, r := range list {
			fmt.Printf(" %.2f", r.wall.Seconds())
		}
		cpu := median(list, func(r result) float64 { return r.cpu.Seconds() })
		fmt.Printf(" s, cpu %.2f s\n", cpu)
		if c.note != nil {
			fmt.Printf("#   %s: %s\n", side(s), list[0].note)
		}
	}
	spent := func(r result) float64 { return r.wall.Seconds() }
	if c.cpu {
		spent = func(r result) float64 { return r.cpu.Seconds() }
	}
	peak := func(r result) float64 { return float64(r.peak) / 1e6 }
	a, b := median(results[ours], spent), median(results[theirs], spent)
	fmt.Printf("%s ratio=%.2f ours=%.3f peer=%.3f ours_peak=%.0f peer_peak=%.0f\n", c.name, a/b, a, b,
		median(results[ours], peak), median(results[theirs], peak))
	return nil
}

func median[T any](list []T, of func(T) float64) float64 {
	values := make([]float64, len(list))
	for i, r := range list {
		values[i] = of(r)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// once runs one side in a new directory.
func (c benchCase) once(ctx context.Context, in *input, s side, dir string) (result, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return result{}, err
	}
	args, err := c.prepare(ctx, in, s, dir)
	if err != nil {
		return result{}, err
	}
	unix.Sync()
	r, err := timed(ctx, dir, args)
	if err == nil && c.note != nil {
		r.note, err = c.note(dir)
	}
	if err == nil && inMemory(dir) {
		err = os.RemoveAll(dir)
	}
	return r, err
}

// inMemory tells whether what is in a directory takes memory.
func inMemory(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Type == unix.TMPFS_MAGIC
}

// timed runs a program under time(1), for its peak: the system's count of this process's
// children would not do, since what was resident here before exec counts there as the child's.
// The CPU time is the system's count all the same, to a microsecond: that of time(1) has
// hundredths of a second, and some runs take only a few.
func timed(ctx context.Context, dir string, args command) (result, error) {
	var r result
	report := filepath.Join(dir, "time")
	cmd := exec.CommandContext(ctx, "/usr/bin/time", append([]string{"-o", report, "-f", "%M"}, args...)...)
	cmd.Dir, cmd.Env = dir, environ()
	start := time.Now()
	out, err := cmd.CombinedOutput()
	r.wall = time.Since(start)
	if err != nil {
		return r, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	text, err := os.ReadFile(report)
	if err != nil {
		return r, err
	}
	if _, err := fmt.Sscan(string(text), &r.peak); err != nil {
		return r, fmt.Errorf("time reported %q: %w", text, err)
	}
	r.peak <<= 10
	return r, nil
}

// environ is the environment of both sides. Deployments are not made immutable, so that
// they can be removed without ado.
func environ() []string {
	return append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
		"OSTREE_SYSROOT_DEBUG=mutable-deployments", "GOMAXPROCS=")
}

// sizeOf describes the files below a directory.
func sizeOf(dir string) (string, error) {
	var files, dirs, bytes int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			dirs++
			return nil
		}
		st, err := d.Info()
		if err == nil {
			files++
			bytes += st.Size()
		}
		return err
	})
	return fmt.Sprintf("tree of %d files and %d directories, %d MB", files, dirs, bytes/1e6), err
}
