package rpmdb

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"rpmostree/rpm"
)

// buildPackages writes packages that own, want and trigger on each other.
func buildPackages(t *testing.T, dir string) (paths []string) {
	t.Helper()
	file := func(path string, mode uint32, data string) rpm.BuildFile {
		return rpm.BuildFile{File: rpm.File{Path: path, Mode: mode, User: "root", Group: "root", Mtime: 1700000000}, Data: []byte(data)}
	}
	var many []rpm.BuildFile
	for i := range 3000 {
		many = append(many, file(fmt.Sprintf("/usr/share/many/%d/%d", i/100, i), 0o100644, ""))
	}
	ghost := file("/var/log/a.log", 0o100600, "")
	ghost.Flags = rpm.FileGhost
	link := file("/usr/bin/a-link", 0o120777, "")
	link.LinkTo = "a"
	noarch := func(b rpm.Builder) rpm.Builder {
		b.Version, b.Release, b.Arch, b.BuildTime = "1", "1", "noarch", 1700000000
		return b
	}
	for _, b := range []rpm.Builder{
		{Name: "a", Files: []rpm.BuildFile{
			file("/usr/bin/a", 0o100755, "program"), file("/usr/share/common", 0o040755, ""),
			file("/etc/a.conf", 0o100644, "x=1"), ghost, link},
			Provides: []rpm.Dep{{Name: "virtual", Flags: rpm.DepEqual, EVR: "3"}}},
		{Name: "b", Files: []rpm.BuildFile{file("/usr/bin/b", 0o100755, "other"), file("/usr/share/common", 0o040755, "")},
			Requires: []rpm.Dep{{Name: "a"}, {Name: "/usr/bin/a"}, {Name: "(virtual if a)"}},
			FileTriggers: []rpm.Trigger{{Interp: []string{"/bin/sh"}, Body: "true\n",
				Conditions: []rpm.Dep{{Name: "/usr/share/never", Flags: rpm.DepTriggerIn}}}},
			Triggers: []rpm.Trigger{{Interp: []string{"/bin/sh"}, Body: "true\n",
				Conditions: []rpm.Dep{{Name: "never", Flags: rpm.DepTriggerIn}}}}},
		{Name: "many", Files: many},
		{Name: "relocatable", Prefixes: []string{"/opt/r"}, Files: []rpm.BuildFile{file("/opt/r/f", 0o100644, "r")}},
		{Name: "nofiles"},
	} {
		b = noarch(b)
		path := filepath.Join(dir, b.Name+".rpm")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Write(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// TestRPMUsesOurs installs packages with rpm into a root, writes a database of
// the same installation, and has rpm answer from both.
func TestRPMUsesOurs(t *testing.T) {
	oracle(t, "rpm")
	if os.Getuid() != 0 {
		t.Skip("rpm --root needs root")
	}
	root := t.TempDir()
	packages := buildPackages(t, t.TempDir())
	run(t, "rpm", append([]string{"--root", root, "--dbpath", "/theirs", "-i", "--nodeps"}, packages...)...)
	theirs, err := Open(filepath.Join(root, "theirs"))
	if err != nil {
		t.Fatal(err)
	}
	infos := map[string]InstallInfo{}
	nums := map[string]uint32{}
	for _, p := range theirs.Packages() {
		infos[p.Header.Name()] = InstallInfo{Time: p.Header.Uint32s(rpm.TagInstallTime)[0],
			TID: p.Header.Uint32s(rpm.TagInstallTID)[0], Color: ArchColor("x86_64")}
		nums[p.Header.Name()] = p.HeaderNum
	}
	var entries []Entry
	for _, path := range packages {
		sig, hdr, err := readPackage(path)
		if err != nil {
			t.Fatal(err)
		}
		e, err := NewEntry(withoutNewSignatures(t, sig), hdr, infos[hdr.Name()])
		if err != nil {
			t.Fatal(err)
		}
		e.HeaderNum = nums[hdr.Name()]
		entries = append(entries, e)
	}
	if err := os.Mkdir(filepath.Join(root, "ours"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(root, "ours", SQLiteName), entries, Options{}); err != nil {
		t.Fatal(err)
	}
	compareTables(t, filepath.Join(root, "theirs"), filepath.Join(root, "ours"))
	damage(t, root)
	for _, args := range []string{
		"-qa --qf %{DBINSTANCE}|%{NEVRA}|%{INSTALLTIME}|%{INSTALLTID}|%{INSTPREFIXES}|%{SHA256HEADER}\\n",
		"-Va", "-Va --nodeps", "-V many", "-qf /usr/bin/a", "-qf /usr/share/common", "-qf /usr/share/many/29/2999",
		"-qf /var/log/a.log", "-qf /usr/bin/a-link", "-qf /nothing", "-q --whatprovides virtual", "-q --whatprovides /etc/a.conf",
		"-q --whatrequires a", "-q --whatrequires virtual", "-q --whatrequires /usr/bin/a", "-q --triggeredby never",
		"-q --filetriggers b", "-q --filesbypkg b", "-ql many", "-qi a", "-q a-1", "-q a-1-1.noarch", "-q nothing",
		"-qg Unspecified", "-e --test a", "-e --test nofiles", "-qs a", "-q --dump a", "-q --whatconflicts a",
	} {
		query := func(db string) string {
			out, _ := tryRun("rpm", append([]string{"--root", root, "--dbpath", db}, strings.Fields(args)...)...)
			return out
		}
		want, got := query("/theirs"), query("/ours")
		if d := gocmp.Diff(want, got); d != "" {
			t.Errorf("rpm %s:\n%s", args, d)
		}
		if strings.HasPrefix(args, "-Va") && !strings.Contains(got, "5") {
			t.Errorf("rpm %s does not see the damage: %q", args, got)
		}
	}
	ours := []string{"--root", root, "--dbpath", "/ours"}
	list := run(t, "rpmdb", append(ours, "--exportdb")...)
	if theirs := run(t, "rpmdb", "--root", root, "--dbpath", "/theirs", "--exportdb"); list != theirs {
		t.Errorf("rpmdb --exportdb: %d bytes, %d of the other database", len(list), len(theirs))
	}
	imported := exec.Command("rpmdb", "--root", root, "--dbpath", "/imported", "--importdb")
	imported.Stdin = strings.NewReader(list)
	if out, err := imported.CombinedOutput(); err != nil {
		t.Fatalf("rpmdb --importdb: %v\n%s", err, out)
	}
	if again := run(t, "rpmdb", "--root", root, "--dbpath", "/imported", "--exportdb"); again != list {
		t.Error("what rpmdb --importdb made of ours is something else")
	}
	run(t, "rpm", append(ours, "-e", "--justdb", "b")...)
	run(t, "rpm", append(ours, "-i", "--justdb", packages[1])...)
	run(t, "rpmdb", append(ours, "--verifydb")...)
	changed, err := Open(filepath.Join(root, "ours"))
	if err != nil {
		t.Fatal(err)
	}
	if got := changed.ByName("b"); len(got) != 1 || int(got[0].HeaderNum) != len(packages)+1 {
		t.Errorf("after rpm -e and -i: %v", got)
	}
}

// damage changes files of the packages, for rpm -V to find.
func damage(t *testing.T, root string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, "usr/bin/a"), []byte("PROGRAM"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "etc/a.conf"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "usr/share/many/0/1")); err != nil {
		t.Fatal(err)
	}
}
