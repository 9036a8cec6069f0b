// Package line goes the whole way through the project, with the programs that a user has:
// it makes the test distribution, composes it, deploys it, layers a package, upgrades and
// rolls back, and boots after each step. After every change programs that are not the
// project's own, the C ostree and rpm, judge the result.
//
// The demo and the tests both go this way. It needs root and systemd-nspawn.
package line

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rpmostree/test/distro/world"
	"rpmostree/test/e2e/machine"
	"rpmostree/test/e2e/nspawn"
)

// Stateroot is the name of the operating system in the sysroot, and of its remote.
const Stateroot = "lab"

// KernelArgs are the kernel arguments of the deployments. They let a disk that is made of
// the sysroot boot too.
var kernelArgs = []string{"root=LABEL=root", "rw", "console=ttyS0,115200", "selinux=0", "quiet"}

// Line is one way through. Its steps have to be gone in order.
type Line struct {
	// Dir holds all that is made: world, repo, cache and sysroot.
	Dir string
	// Bin is the directory of the programs under test.
	Bin string
	// Out takes what happens, in words: commands, what they print, and what was checked.
	Out io.Writer
	// Color makes headings and commands stand out, by terminal sequences.
	Color bool

	world    *world.World
	packages []string // NEVRAs without epoch that the default deployment must have, sorted
	before   []string // those of the deployment that a rollback brings back
}

// Step is a part of the way.
type Step struct {
	Name  string // one word
	Title string // a sentence
	Run   func(ctx context.Context) error
}

// Steps returns the whole way.
func (l *Line) Steps() []Step {
	return []Step{
		{"distribution", "Make a small RPM distribution", l.distribution},
		{"compose", "Compose its packages into an OSTree commit", l.compose},
		{"deploy", "Deploy the commit into a sysroot", l.deploy},
		{"boot", "Boot it, edit a file in /etc, put data in /var", l.bootFirst},
		{"install", "Layer a package that has a program, a service and scripts", l.install},
		{"boot-layered", "Boot, and run the layered program", l.bootLayered},
		{"update", "Compose newer packages to the same ref", l.composeUpdates},
		{"upgrade", "Upgrade the host; the layered package comes along", l.upgrade},
		{"boot-upgraded", "Boot: new content, and what was edited is kept", l.bootUpgraded},
		{"rollback", "Roll back", l.rollback},
		{"boot-rolled-back", "Boot: the old content, and what was edited is still kept", l.bootRolledBack},
	}
}

// Missing returns why the way cannot be gone here, or nil.
func Missing() error { return nspawn.Missing() }

// Sysroot returns the directory with the deployments.
func (l *Line) Sysroot() string { return filepath.Join(l.Dir, "sysroot") }

// Repo returns the repository that is composed to.
func (l *Line) Repo() string { return filepath.Join(l.Dir, "repo") }

func (l *Line) sysrootRepo() string { return filepath.Join(l.Sysroot(), "ostree/repo") }

// Reset removes what an earlier run has left in Dir, and nothing else.
func (l *Line) Reset() error {
	err := machine.RemoveSysroot(l.Sysroot())
	for _, name := range []string{"world", "repo", "cache"} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(l.Dir, name)))
	}
	return errors.Join(err, os.MkdirAll(l.Dir, 0o755))
}

// Leftovers returns an error if something is still mounted below Dir.
func (l *Line) Leftovers() error {
	dir, err := filepath.Abs(l.Dir)
	if err != nil {
		return err
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for row := range strings.Lines(string(table)) {
		// field 5 of proc_pid_mountinfo(5) is the mount point
		if f := strings.Fields(row); len(f) > 4 && strings.HasPrefix(f[4]+"/", dir+"/") {
			errs = append(errs, fmt.Errorf("still mounted: %s", f[4]))
		}
	}
	return errors.Join(errs...)
}

// Go goes a step and tells about it; number and total are for the heading.
func (l *Line) Go(ctx context.Context, s Step, number, total int) error {
	start := time.Now()
	l.heading(fmt.Sprintf("%d/%d  %s", number, total, s.Title))
	if err := s.Run(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	l.note("%.1f s", time.Since(start).Seconds())
	return nil
}
