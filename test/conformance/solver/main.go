// Solver compares the project's solver with libsolv's, by its program testsolv.
//
//	make conformance
//	go run ./test/conformance/solver [-n REQUESTS] [-seed SEED] [-real DIR] [-keep DIR]
//
// SOLV_N and SOLV_SEED in the environment set the same. Random requests are answered about a
// universe of 76,000 packages made from Debian's index, on empty and on installed systems: where
// both find a solution the transactions have to be equal, and where one finds none the other must
// not either. With real metadata in DIR (two directories with repodata of CentOS Stream 9) each
// package is tried by itself: the verdict about each has to be testsolv's, and every proof of a
// problem has to follow from the packages and to be a contradiction.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
)

type options struct {
	n    int
	seed int64
	real string
	keep string
}

func main() {
	o := options{n: int(number("SOLV_N", 500)), seed: number("SOLV_SEED", 1)}
	flag.IntVar(&o.n, "n", o.n, "number of random requests")
	flag.Int64Var(&o.seed, "seed", o.seed, "what the requests follow from")
	flag.StringVar(&o.real, "real", realDir(), "directory of real metadata; empty: none")
	flag.StringVar(&o.keep, "keep", "", "keep the cases in this directory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// number reads a number from the environment.
func number(name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// realDir is where real metadata is kept beside the checkout, if it is.
func realDir() string {
	dir := os.Getenv("RPMOSTREE_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "shared")
	}
	dir = filepath.Join(dir, "data", "rpmmd")
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

func run(ctx context.Context, o options) error {
	if o.keep == "" {
		dir, err := os.MkdirTemp("", "rpm-ostree-solver-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.keep = dir
	} else if err := os.MkdirAll(o.keep, 0o755); err != nil {
		return err
	}
	if _, err := exec.LookPath("testsolv"); err != nil {
		return err
	}
	if err := random(ctx, o); err != nil {
		return err
	}
	if o.real == "" {
		fmt.Println("real metadata: none, skipped")
		return nil
	}
	return real(ctx, o)
}
