package world

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/internal/treetest"
)

func packages(t *testing.T, dirs ...string) []string {
	t.Helper()
	var all []string
	for _, d := range dirs {
		files, err := filepath.Glob(filepath.Join(d, "*.rpm"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	if len(all) < 10 {
		t.Fatalf("%d packages in %q", len(all), dirs)
	}
	return all
}

// TestDigests lets rpm check every package.
func TestDigests(t *testing.T) {
	treetest.Oracle(t, "rpm")
	w := Get(t)
	out, err := exec.Command("rpm", append([]string{"-K"}, packages(t, w.Base, w.Updates)...)...).CombinedOutput()
	if err != nil {
		t.Errorf("rpm -K: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasSuffix(line, ": digests OK\n") {
			t.Error(strings.TrimSpace(line))
		}
	}
}

// TestInstall lets rpm install the release in an empty root, and verify it.
func TestInstall(t *testing.T) {
	treetest.Oracle(t, "rpm")
	treetest.NeedRoot(t)
	w := Get(t)
	var wanted []string
	for _, p := range packages(t, w.Base) {
		switch name := filepath.Base(p); {
		case !strings.HasPrefix(name, "lab-"), strings.HasPrefix(name, "lab-config-"), strings.HasPrefix(name, "lab-scripts-"),
			strings.HasPrefix(name, "lab-triggers-"), strings.HasPrefix(name, "lab-hello-"), strings.HasPrefix(name, "lab-plain-"),
			strings.HasPrefix(name, "lab-sysusers-"), strings.HasPrefix(name, "lab-optvar-"), strings.HasPrefix(name, "lab-release-"):
			wanted = append(wanted, p)
		}
	}
	root := t.TempDir()
	rpm := func(args ...string) string {
		out, err := exec.Command("rpm", append([]string{"--root", root, "--dbpath", "/usr/share/rpm"}, args...)...).CombinedOutput()
		if err != nil && args[0] != "-Va" {
			t.Fatalf("rpm %s: %v: %s", args[0], err, out)
		}
		return string(out)
	}
	out := rpm(append([]string{"-i"}, wanted...)...)
	for line := range strings.Lines(out) {
		if strings.Contains(line, "error:") || strings.Contains(line, "does not exist - using root") {
			t.Errorf("rpm -i: %s", line)
		}
	}
	if got := strings.Count(rpm("-qa"), "\n"); got != len(wanted) {
		t.Errorf("%d packages are installed, not %d", got, len(wanted))
	}
	for line := range strings.Lines(rpm("-Va", "--nomtime")) {
		// accounts are changed by scripts
		if fields := strings.Fields(line); len(fields) < 3 || fields[1] != "c" || !strings.HasPrefix(fields[2], "/etc/") {
			t.Errorf("rpm -Va: %s", line)
		}
	}
	log, err := os.ReadFile(filepath.Join(root, "usr/lib/lab-scripts/log"))
	if err != nil || string(log) != "pre 1\npost 1\nposttrans 1\n" {
		t.Errorf("scripts ran as %q, %v", log, err)
	}
}

// TestResolve lets dnf find the system's packages, with and without updates.
func TestResolve(t *testing.T) {
	treetest.Oracle(t, "dnf")
	treetest.NeedRoot(t)
	w := Get(t)
	resolve := func(repos []string, request ...string) (string, error) {
		args := []string{"--assumeno", "--installroot=" + t.TempDir(), "--releasever=" + version, "--forcearch=x86_64",
			"--setopt=reposdir=/dev/null", "--setopt=install_weak_deps=0", "--setopt=cachedir=" + t.TempDir(), "--setopt=gpgcheck=0"}
		for i, r := range repos {
			args = append(args, fmt.Sprintf("--repofrompath=r%d,file://%s", i, r), fmt.Sprintf("--repo=r%d", i))
		}
		out, err := exec.Command("dnf", append(append(args, "install"), request...)...).CombinedOutput()
		if strings.Contains(string(out), "Operation aborted") {
			err = nil // as asked
		}
		return string(out), err
	}
	for _, repos := range [][]string{{w.Base}, {w.Base, w.Updates}} {
		if out, err := resolve(repos, w.Packages...); err != nil {
			t.Errorf("%q: %v\n%s", repos, err, out)
		}
	}
	if out, err := resolve([]string{w.Base, w.Updates}, append(w.Packages, "lab-hello", "lab-old-name")...); err != nil ||
		!strings.Contains(out, "lab-update-dep") || !strings.Contains(out, "lab-new-name") {
		t.Errorf("updates: %v\n%s", err, out)
	}
	if out, err := resolve([]string{w.Base}, append(w.Packages, "lab-unsatisfiable")...); err == nil || !strings.Contains(out, "lab-no-such-package") {
		t.Errorf("lab-unsatisfiable: %v\n%s", err, out)
	}
}

// TestMetadata compares with what createrepo_c makes of the same packages.
func TestMetadata(t *testing.T) {
	treetest.Oracle(t, "createrepo_c")
	w := Get(t)
	for _, dir := range []string{w.Base, w.Updates} {
		peer := t.TempDir()
		out, err := exec.Command("createrepo_c", "-q", "--no-database", "--general-compress-type=gz", "-o", peer, dir).CombinedOutput()
		if err != nil {
			t.Fatalf("createrepo_c: %v: %s", err, out)
		}
		for _, kind := range []string{"primary", "filelists", "other"} {
			if ours, theirs := metadata(t, dir, kind), metadata(t, peer, kind); !bytes.Equal(ours, theirs) {
				t.Errorf("%s: %s.xml has %d bytes, createrepo_c's %d, and they differ", dir, kind, len(ours), len(theirs))
			}
		}
	}
}

func metadata(t *testing.T, dir, kind string) []byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "repodata/*-"+kind+".xml.gz"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%s: %q, %v", kind, names, err)
	}
	f, err := os.Open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestCopy makes a second copy and finds the cached one unchanged.
func TestCopy(t *testing.T) {
	w := Get(t)
	c, err := Make(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := packages(t, w.Base, w.Updates), packages(t, c.Base, c.Updates); len(a) != len(b) {
		t.Errorf("%d packages, and %d in the copy", len(a), len(b))
	}
	text, err := os.ReadFile(c.RepoFile)
	if err != nil || !strings.Contains(string(text), "baseurl=file://"+c.Base+"\n") {
		t.Errorf("%s: %v", text, err)
	}
}

func TestRemoveStale(t *testing.T) {
	cache := t.TempDir()
	for name, age := range map[string]time.Duration{"a": 3 * time.Hour, "b": 4 * time.Hour, "c": 5 * time.Hour, "d": time.Hour, "e": time.Minute} {
		dir := filepath.Join(cache, "world-"+name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		done := filepath.Join(dir, "done")
		if err := os.WriteFile(done, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(done, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeStale(cache); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(left) != 2 || filepath.Base(left[0]) != "world-d" || filepath.Base(left[1]) != "world-e" {
		t.Errorf("left are %q, %v", left, err)
	}
}
