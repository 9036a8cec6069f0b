package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A suite is a directory laid out as the scripts expect it:
//
//	bin/                              first in PATH: the project's programs, and wrappers
//	libexec/libostree/                where libtest.sh looks for the web server
//	libexec/installed-tests/libostree the scripts
//	run/NAME                          where one of them works
type suite struct {
	dir string
}

// programs of the project that the scripts call, and where scripts of different releases look
// for them.
var programs = [][2]string{
	{"rofiles-fuse", "bin"},
	{"ostree-trivial-httpd", "libexec/libostree"},
	{"ostree-trivial-httpd", "libexec/installed-tests"},
	{"ostree-prepare-root", "libexec/installed-tests"},
	{"repo-finder-mount", "libexec/installed-tests/libostree"},
}

func newSuite(scripts, build string) (*suite, error) {
	if _, err := os.Stat(filepath.Join(scripts, "libtest.sh")); err != nil {
		return nil, fmt.Errorf("the scripts of the package ostree-tests are not there: %w", err)
	}
	build, err := filepath.Abs(build)
	if err != nil {
		return nil, err
	}
	// The path is short: that of gpg-agent's socket lies below it.
	dir, err := os.MkdirTemp("/var/tmp", "oc-")
	if err != nil {
		return nil, err
	}
	s := &suite{dir}
	if err := s.fill(scripts, build); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// fill copies the scripts and lays the project's programs where they look for them, over
// those of the C ostree.
func (s *suite) fill(scripts, build string) error {
	if err := s.copy(scripts); err != nil {
		return err
	}
	for _, p := range programs {
		dir := filepath.Join(s.dir, p[1])
		path := filepath.Join(dir, p[0])
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(build, p[0])); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(filepath.Join(build, p[0]), path); err != nil {
			return err
		}
	}
	bin := filepath.Join(s.dir, "bin")
	if err := wrap(bin, build, wrappers); err != nil {
		return err
	}
	labels, err := canLabel(s.dir)
	if err == nil && labels {
		err = wrap(bin, build, labelWrappers)
	}
	return errors.Join(err, os.Mkdir(filepath.Join(s.dir, "run"), 0o755))
}

// copy copies the files of the scripts' directory, which may have links to itself, and gives it
// the other name that some scripts know it by.
func (s *suite) copy(scripts string) error {
	if err := os.MkdirAll(s.folder(), 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(scripts)
	if err != nil {
		return err
	}
	args := []string{"-aL", "-t", s.folder()}
	for _, e := range entries {
		path := filepath.Join(scripts, e.Name())
		if fi, err := os.Stat(path); err != nil || e.Type()&fs.ModeSymlink != 0 && fi.IsDir() {
			continue
		}
		args = append(args, path)
	}
	if out, err := exec.Command("cp", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return errors.Join(os.Symlink(".", filepath.Join(s.folder(), "tests")), os.Symlink("libostree", filepath.Join(s.folder(), "../tests")))
}

func (s *suite) folder() string { return filepath.Join(s.dir, "libexec/installed-tests/libostree") }

// scripts returns the names of the scripts that test the programs. The others, in C and
// JavaScript, test the C library.
func (s *suite) scripts(only *regexp.Regexp) ([]string, error) {
	entries, err := os.ReadDir(s.folder())
	var names []string
	for _, e := range entries {
		name := e.Name()
		script := strings.HasSuffix(name, ".sh") || strings.HasSuffix(name, ".py")
		if strings.HasPrefix(name, "test-") && script && only.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

// close removes the directory, with what a script left mounted or immutable in it.
func (s *suite) close() error { return sweep(s.dir) }

// sweep removes a directory in which a script has worked.
func sweep(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var below []string
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], dir+"/") {
			below = append(below, f[4])
		}
	}
	slices.Sort(below)
	for _, m := range slices.Backward(below) {
		if err := unix.Unmount(m, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", m, err)
		}
	}
	if os.RemoveAll(dir) == nil {
		return nil
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = mutable(path)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}

// mutable lets a directory be changed.
func mutable(dir string) error {
	if err := exec.Command("chattr", "-i", dir).Run(); err != nil {
		return fmt.Errorf("chattr -i %s: %w", dir, err)
	}
	return os.Chmod(dir, 0o755)
}
