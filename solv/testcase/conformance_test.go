package testcase

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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

func casesDir(t *testing.T) fs.FS {
	t.Helper()
	dir := os.Getenv("RPMOSTREE_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "data", "solv-testcases")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no shared test cases: %v", err)
	}
	return os.DirFS(dir)
}

func TestConformance(t *testing.T) {
	fsys := casesDir(t)
	names, err := fs.Glob(fsys, "*/*.t")
	if err != nil || len(names) == 0 {
		t.Fatal(err, len(names))
	}
	pass, skip := 0, 0
	for _, name := range names {
		ok := t.Run(strings.TrimSuffix(name, ".t"), func(t *testing.T) {
			n := 0
			err := Run(fsys, name, func(st *Step) error {
				n++
				got := st.Solve()
				if st.Want == nil {
					return nil
				}
				if d := Diff(st.Want, got); d != "" {
					if outOfScope[name] != "" {
						return ErrSkip
					}
					t.Errorf("run %d:\n%s", n, d)
				}
				return nil
			})
			if errors.Is(err, ErrSkip) || err != nil && outOfScope[name] != "" {
				skip++
				t.Skip(err, outOfScope[name])
			}
			if err != nil {
				t.Error(err)
			}
		})
		if ok {
			pass++
		}
	}
	t.Logf("%d of %d cases pass, %d of these skipped", pass, len(names), skip)
}
