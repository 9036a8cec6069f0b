package rpmmd

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"rpmostree/internal/compress"
)

// shared returns the path of real test data, which is not part of the project.
func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("RPMOSTREE_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	path := filepath.Join(root, "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no test data: %v", err)
	}
	return path
}

// sharedFile returns the decompressed content of the one file that pattern names.
func sharedFile(t testing.TB, pattern string) []byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(shared(t, filepath.Dir(pattern)), filepath.Base(pattern)))
	if err != nil || len(names) != 1 {
		t.Fatalf("%s: %d files, error %v", pattern, len(names), err)
	}
	raw, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := compress.NewDetectingReader(bytes.NewReader(raw), 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
