package testcase

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// outOfScope are cases that this package does not answer, with the reason.
var outOfScope = map[string]string{
	"cleandeps/mistake.t":           "Debian's packaging semantics",
	"selection/debian.t":            "Debian's packaging semantics",
	"suse/susedep.t":                "SUSE's dependency rewriting",
	"namespace/namespaceprovides.t": "SUSE's namespace callback in provides",
}

// corpus is where the cases are: SOLV_TESTCASES, or what is kept beside the checkout.
func corpus(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("SOLV_TESTCASES"); dir != "" {
		return dir
	}
	dir := os.Getenv("RPMOSTREE_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "data", "solv-testcases")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no test cases: %v", err)
	}
	return dir
}

// TestCorpus runs every case of a directory: what libsolv's testsolv expects has to come out,
// up to the ids of problems.
func TestCorpus(t *testing.T) {
	root := os.DirFS(corpus(t))
	n := 0
	err := fs.WalkDir(root, ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".t") {
			n++
			t.Run(name, func(t *testing.T) { runCase(t, root, name) })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatal("no cases")
	}
}

func runCase(t *testing.T, root fs.FS, name string) {
	if reason := reasonToSkip(name); reason != "" {
		t.Skip(reason)
	}
	n := 0
	err := Run(root, name, func(st *Step) error {
		n++
		if st.Want == nil {
			return nil
		}
		if slices.Contains(st.Kinds, "order") {
			return fmt.Errorf("%w: packages are put in rpm's order, not in libsolv's", ErrSkip)
		}
		if d := Diff(Canonical(st.Want), Canonical(st.Solve())); d != "" {
			t.Errorf("run %d:\n%s", n, d)
		}
		return nil
	})
	if errors.Is(err, ErrSkip) {
		t.Skip(err)
	}
	if err != nil {
		t.Error(err)
	}
}

// reasonToSkip says why a case, wherever its directory is, is out of scope.
func reasonToSkip(name string) string {
	for known, reason := range outOfScope {
		if name == known || strings.HasSuffix(name, "/"+known) {
			return reason
		}
	}
	return ""
}

// TestCases runs the project's own cases, one for each policy. Their results are libsolv's.
func TestCases(t *testing.T) {
	root := os.DirFS("testdata/cases")
	names, err := fs.Glob(root, "*.t")
	if err != nil || len(names) == 0 {
		t.Fatal(err, len(names))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			err := Run(root, name, func(st *Step) error {
				if len(st.Ignored) > 0 {
					t.Error(st.Ignored)
				}
				if d := Diff(st.Want, st.Solve()); d != "" {
					t.Error(d)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
