package createrepo

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rpmostree/internal/compress"
	"rpmostree/rpmmd"
)

func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("RPMOSTREE_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(root, "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no test data: %v", err)
	}
	return path
}

// oracle returns the path of a program that says what is right.
func oracle(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// readRecord returns the decompressed content of the record of a type.
func readRecord(t testing.TB, dir string, md *rpmmd.Repomd, typ string) []byte {
	t.Helper()
	rec, ok := md.Record(typ)
	if !ok {
		t.Fatalf("no %s in repomd.xml", typ)
	}
	raw, err := os.ReadFile(filepath.Join(dir, rec.Location))
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

func readRepomd(t testing.TB, dir string) *rpmmd.Repomd {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "repodata", "repomd.xml"))
	if err != nil {
		t.Fatal(err)
	}
	md, err := rpmmd.ParseRepomd(b)
	if err != nil {
		t.Fatal(err)
	}
	return md
}

// elements splits a document into its packages and what is around them.
func elements(b []byte) []string {
	return strings.SplitAfter(string(b), "</package>\n")
}

func copyPackages(t testing.TB, dst string) {
	t.Helper()
	src := shared(t, "rpms")
	err := filepath.WalkDir(src, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".rpm" || strings.Contains(path, "malformed") {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dst, rel)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dst, rel), b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRealPackages compares the metadata of real packages with createrepo_c's,
// byte for byte.
func TestRealPackages(t *testing.T) {
	program := oracle(t, "createrepo_c")
	dir := t.TempDir()
	copyPackages(t, dir)
	compare(t, program, dir)
}

func compare(t *testing.T, program, dir string) {
	t.Helper()
	theirs := t.TempDir()
	out, err := exec.Command(program, "--no-database", "-q", "-o", theirs, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("createrepo_c: %v\n%s", err, out)
	}
	ours, err := Write(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := readRepomd(t, theirs)
	for _, typ := range []string{"primary", "filelists", "other"} {
		a, b := elements(readRecord(t, theirs, want, typ)), elements(readRecord(t, dir, ours, typ))
		if len(a) != len(b) {
			t.Errorf("%s: %d elements, want %d", typ, len(b), len(a))
		}
		for i := range min(len(a), len(b)) {
			if d := cmp.Diff(a[i], b[i]); d != "" {
				t.Errorf("%s (-createrepo_c +ours):\n%s", typ, d)
			}
		}
	}
}
