package rpmdb

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"rpmostree/rpm"
)

// rpm queries what we wrote on a file system that it cannot write to, where a
// database in WAL mode would not open, and leaves no files.
func TestReadOnlyMount(t *testing.T) {
	oracle(t, "rpm")
	dir := writeDB(t, openSample(t, "rpm-upstream-misc/rpmdb.sqlite").Entries())
	if out, err := exec.Command("unshare", "-m", "mount", "--bind", dir, dir).CombinedOutput(); err != nil {
		t.Skipf("mounting: %v: %s", err, out)
	}
	query := `mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec rpm --dbpath "$1" -qa --qf '%{NAME}\n'`
	got := strings.Fields(run(t, "unshare", "-m", "sh", "-c", query, "sh", dir))
	want := strings.Fields(run(t, "rpm", "--dbpath", dir, "-qa", "--qf", "%{NAME}\n"))
	if len(got) != 3 || !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// It reads the same for us, with what a writer left behind.
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("files: %v, %v", names, err)
	}
}

// What is tampered with is told and left out, by rpm and by us alike.
func TestTamperedEqualsRPM(t *testing.T) {
	oracle(t, "rpm")
	for _, s := range sampleDBs {
		if s.format != SQLite {
			continue
		}
		dir := writeDB(t, openSample(t, s.file).Entries())
		path := filepath.Join(dir, SQLiteName)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// A byte of the description becomes another.
		text := openSample(t, s.file).Entries()[0].Header().Strings(rpm.TagDescription)[0]
		at := bytes.Index(data, []byte(text[:min(len(text), 20)]))
		if at < 0 {
			t.Fatalf("%s: no %q", s.name, text)
		}
		data[at] ^= 1
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(db.Bad()) != 1 {
			t.Errorf("%s: bad %v", s.name, db.Bad())
			continue
		}
		cmd := exec.Command("rpm", "--dbpath", dir, "-qa", "--qf", "%{DBINSTANCE}\n")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, _ := cmd.Output() // rpm may or may not fail for it
		want := strings.Fields(string(out))
		var got []string
		for _, list := range [][]Installed{db.Packages(), db.Keys()} {
			for _, p := range list {
				got = append(got, fmt.Sprint(p.HeaderNum))
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if d := gocmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", s.name, d)
		}
		bad := db.Bad()[0]
		told := fmt.Sprintf("h#%8d", bad.HeaderNum)
		if !strings.Contains(stderr.String(), told) || !strings.Contains(stderr.String(), "BAD") {
			t.Errorf("%s: rpm says %q, we %v", s.name, stderr.String(), bad.Err)
		}
	}
}
