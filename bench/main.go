// Bench compares the project's programs with the established ones: C ostree, dnf and rpm.
//
//	go run ./bench [-run REGEXP] [-rounds N] [-dir DIR] [-build DIR]
//
// Both sides get the same input and do the same work, in turns within one run, so that
// whatever else the machine does hits both. Before each measured run the file systems are
// synced; caches are warm for both sides, since the input was just written or read. For
// every case there is one line with medians:
//
//	CASE ratio=R ours=S peer=S ours_peak=MB peer_peak=MB
//
// The ratio is that of the wall times, which are in seconds; for the cases rpm-, rpmdb-, metadata- and plan- it is
// that of CPU times. The peak is the largest
// resident set of any one process of the side, in units of 10^6 bytes. Lines that begin with
// "#" say what the input is, how the runs differ, and how much CPU time they took. All of it
// takes 40 GB of disk; a case by itself at most 5 GB, one whose name begins with "big-" at most 30 GB.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rpmostree/test/distro/peer"
)

func main() {
	var o options
	flag.StringVar(&o.run, "run", "", "only cases that match this regular expression")
	flag.StringVar(&o.build, "build", "build", "directory with the project's programs")
	flag.StringVar(&o.dir, "dir", "/var/tmp", "make a temporary directory to work in here. If that is in memory, "+
		"the big cases take 12 GB of it, and no disk sets the pace")
	flag.IntVar(&o.rounds, "rounds", 0, "runs of each side; 0: as many as the case says")
	compose := flag.String("peer-compose", "", "only do the peer's part of the case compose in this directory; arguments: "+
		"repository, ref, packages. Runs as a process of its own, to be measured")
	step := flag.String("metadata", "", "only do our part of a metadata case; runs as a process of its own, to be measured")
	flag.StringVar(&o.universe, "universe", "", "directory of an rpm-md repository for the metadata cases; by default one is made of Debian's index")
	unpack := flag.String("unpack", "", "only read the payload of this package. Runs as a process of its own, to be measured")
	rewrite := flag.String("rewrite-rpmdb", "", "only read this database and write it to the file that is the argument. As before")
	solve := flag.String("solve", "", "only answer the runs of this case for the solver, as testsolv -r does")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *solve != "" {
		err = solveCase(*solve, os.Stdout)
	} else if *compose != "" && flag.NArg() > 2 {
		err = peerCompose(ctx, *compose, flag.Arg(0), flag.Arg(1), flag.Args()[2:])
	} else if *step != "" {
		err = metadataStep(ctx, *step, flag.Args())
	} else if *unpack != "" {
		err = unpackPayload(*unpack)
	} else if *rewrite != "" && flag.NArg() == 1 {
		err = rewriteDB(*rewrite, flag.Arg(0))
	} else {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type options struct {
	run, build, dir, universe string
	rounds                    int
}

func run(ctx context.Context, o options) (err error) {
	only, err := regexp.Compile(o.run)
	if err != nil {
		return err
	}
	if err := peer.Missing(); err != nil {
		return err
	}
	build, err := filepath.Abs(o.build)
	if err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp(o.dir, "rpm-ostree-bench-"); err != nil {
		return err
	}
	// But for the big cases nothing is removed from a disk before the end: ext4 does not use the inodes of files again
	// that were removed in the last minutes, and to pass over them takes it longer than all
	// else that there is to do for a new file.
	defer func() {
		if err2 := os.RemoveAll(o.dir); err == nil {
			err = err2
		}
	}()
	in := &input{dir: filepath.Join(o.dir, "input"), build: build}
	in.big.dir = filepath.Join(o.dir, "big")
	defer in.close()
	if err := in.measureSolver(ctx, filepath.Join(o.dir, "solver"), only.MatchString, o.rounds); err != nil {
		return err
	}
	for _, c := range slices.Concat(cases, metadataCases(o.universe), rpmCases, bigCases) {
		if !only.MatchString(c.name) {
			continue
		}
		if o.rounds > 0 {
			c.rounds = o.rounds
		}
		if err := c.measure(ctx, in, filepath.Join(o.dir, c.name)); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if strings.HasPrefix(c.name, "big-") { // the disk would not hold them all
			if err := os.RemoveAll(filepath.Join(o.dir, c.name)); err != nil {
				return err
			}
		}
	}
	return nil
}
