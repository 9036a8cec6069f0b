package treetest

import (
	"os"
	"path/filepath"
	"testing"
)

// SandboxDir makes the directory of a sandbox that is to show the host's /usr:
// it has an empty usr, an /etc of its own in which a test can write, and the host's
// links into /usr. Without bwrap or root the test is skipped.
func SandboxDir(t testing.TB) string {
	t.Helper()
	Oracle(t, "bwrap")
	NeedRoot(t)
	dir := t.TempDir()
	for _, d := range []string{"usr", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
		if target, err := os.Readlink("/" + l); err == nil {
			if err := os.Symlink(target, filepath.Join(dir, l)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}
