package world

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/rpm"
)

// TestDeterministic writes the same packages twice.
func TestDeterministic(t *testing.T) {
	var content [2]map[string][]byte
	for i := range content {
		dir := t.TempDir()
		if err := writeRepository(t.Context(), dir, cases()); err != nil {
			t.Fatal(err)
		}
		content[i] = map[string][]byte{}
		files, err := filepath.Glob(filepath.Join(dir, "*/*"))
		if err != nil {
			t.Fatal(err)
		}
		packages, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(files, packages...) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			content[i][filepath.Base(name)] = text
		}
	}
	if len(content[0]) != len(content[1]) {
		t.Errorf("%d files, then %d", len(content[0]), len(content[1]))
	}
	for name, text := range content[0] {
		if !bytes.Equal(text, content[1][name]) {
			t.Errorf("%s differs", name)
		}
	}
}

// TestQuery asks rpm what it reads in the packages.
func TestQuery(t *testing.T) {
	treetest.Oracle(t, "rpm")
	dir := t.TempDir()
	list := func(deps []rpm.Dep) (out []string) {
		for _, d := range deps {
			out = append(out, d.String())
		}
		return out
	}
	for _, b := range cases() {
		if err := writePackage(dir, b); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, b.Name+"-"+b.Version+"-"+b.Release+"."+b.Arch+".rpm")
		query := func(option string) []string {
			out, err := exec.Command("rpm", "-qp", option, file).Output()
			if err != nil {
				t.Fatalf("rpm -qp %s %s: %v", option, file, err)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			slices.Sort(lines)
			return slices.Compact(slices.DeleteFunc(lines, func(l string) bool { return l == "" || strings.HasPrefix(l, "rpmlib(") }))
		}
		check := func(option string, want []string) {
			t.Helper()
			slices.Sort(want)
			if got := query(option); !slices.Equal(got, slices.Compact(want)) {
				t.Errorf("rpm -qp %s %s:\n%q, want\n%q", option, b.Name, got, want)
			}
		}
		check("--requires", list(b.Requires))
		check("--provides", append(list(b.Provides), b.Name+" = "+builderEVR(b)))
		check("--conflicts", list(b.Conflicts))
		check("--obsoletes", list(b.Obsoletes))
		check("--recommends", list(b.Recommends))
		var paths []string
		for _, f := range b.Files {
			paths = append(paths, f.Path)
		}
		if len(paths) > 0 {
			check("-l", paths)
		}
	}
}
