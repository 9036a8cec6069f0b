package treetest

import (
	"os"
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
