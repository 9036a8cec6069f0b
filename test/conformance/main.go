// Conformance runs the shell tests of the C ostree, as Debian's package ostree-tests installs
// them, with the project's programs in place of the C ones.
//
//	make conformance
//	go run ./test/conformance [-run REGEXP] [-j N] [-logs DIR] [-suite DIR] [-build DIR]
//
// One line a script, then the totals "N passed, N failed, N skipped". The scripts are run
// from a copy; each has an empty directory of its own and a time limit. A script that fails
// or skips for a reason that known.txt does not give makes the exit status 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"sync"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.suite, "suite", "/usr/libexec/installed-tests/libostree", "directory of the scripts")
	flag.StringVar(&o.build, "build", "build", "directory of the project's programs")
	flag.StringVar(&o.run, "run", "", "only scripts whose names match this regular expression")
	flag.StringVar(&o.logs, "logs", "", "keep what each script prints in this directory")
	flag.IntVar(&o.jobs, "j", 2, "scripts at a time")
	flag.DurationVar(&o.limit, "timeout", 4*time.Minute, "time that one script may take")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := conform(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type options struct {
	suite, build, run, logs string
	jobs                    int
	limit                   time.Duration
}

func conform(ctx context.Context, o options) (err error) {
	only, err := regexp.Compile(o.run)
	if err != nil {
		return err
	}
	known, err := parseKnown(knownText)
	if err != nil {
		return err
	}
	s, err := newSuite(o.suite, o.build)
	if err != nil {
		return err
	}
	defer func() {
		if err2 := s.close(); err == nil {
			err = err2
		}
	}()
	names, err := s.scripts(only)
	if err != nil {
		return err
	}
	if o.logs != "" {
		if err := os.MkdirAll(o.logs, 0o755); err != nil {
			return err
		}
	}
	results := runAll(ctx, s, names, o)
	count := map[verdict]int{}
	unexplained := 0
	for i, name := range names {
		r := <-results[i]
		count[r.verdict]++
		line := fmt.Sprintf("%-46s %-4s %3d of %3d %6.1f s", name, r.verdict, r.ok, r.plan, r.took.Seconds())
		if r.verdict != pass {
			reason, ok := known[name]
			if !ok {
				reason = "unexplained: " + r.why
				unexplained++
			}
			line += "  " + reason
		}
		fmt.Println(line)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", count[pass], count[fail], count[skip])
	if unexplained > 0 {
		return fmt.Errorf("%d scripts without a reason in test/conformance/known.txt", unexplained)
	}
	if len(names) == 0 {
		return errors.New("no script matches")
	}
	return ctx.Err()
}

// runAll starts the scripts, some at a time, and returns where the result of each will be.
func runAll(ctx context.Context, s *suite, names []string, o options) []chan result {
	results := make([]chan result, len(names))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	var next sync.Mutex
	i := 0
	for range max(o.jobs, 1) {
		go func() {
			for {
				next.Lock()
				n := i
				i++
				next.Unlock()
				if n >= len(names) {
					return
				}
				results[n] <- s.runScript(ctx, names[n], o)
			}
		}()
	}
	return results
}
