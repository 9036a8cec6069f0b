package treetest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// FaultsEnv makes the tests of faults use more seeds and points, and those of concurrency go
// on for a minute, as make conformance has it.
const FaultsEnv = "REPO_TEST_FAULTS"

// Faults tells whether there is time for all faults.
func Faults() bool { return os.Getenv(FaultsEnv) != "" }

// Seeds is with how many seeds a test of faults runs.
func Seeds() uint64 {
	if Faults() {
		return 3
	}
	return 1
}

// FastDir returns a directory in memory if that has extended attributes: a sync there costs
// nothing.
func FastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ostree-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if unix.Setxattr(dir, "user.test", []byte("x"), 0) != nil {
		return t.TempDir()
	}
	return dir
}

var failpoint = regexp.MustCompile(`failpoint\.At\("([^"]+)"\)`)

// CheckFailpoints fails the test if a point of failure in the Go files of the current
// directory, and those that patterns match, is not among the tested ones: "NAME" or
// "NAME@COUNT", perhaps with "=error".
func CheckFailpoints(t testing.TB, tested []string, patterns ...string) {
	t.Helper()
	var files []string
	for _, pattern := range append(patterns, "*.go") {
		list, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	n := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range failpoint.FindAllSubmatch(text, -1) {
			n++
			if !slices.ContainsFunc(tested, func(s string) bool {
				return strings.FieldsFunc(s, func(r rune) bool { return r == '@' || r == '=' })[0] == string(m[1])
			}) {
				t.Errorf("%s: nothing is killed at %s", name, m[1])
			}
		}
	}
	if n == 0 {
		t.Error("no point of failure is here")
	}
}
