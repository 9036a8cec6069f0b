package createrepo

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rpmostree/rpm"
	"rpmostree/rpmmd"
)

// locations returns the locations of the packages in metadata, in order.
func locations(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := rpmmd.ParsePrimary(strings.NewReader(string(readRecord(t, dir, readRepomd(t, dir), "primary"))), func(p *rpmmd.Package) error {
		out = append(out, p.Location)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Which packages of a tree are found, and where they are said to be.
func TestPackagesOfTree(t *testing.T) {
	program := oracle(t, "createrepo_c")
	dir, elsewhere := t.TempDir(), t.TempDir()
	for _, d := range []string{"", "ab", "ab/cd", "abx", ".hidden", "dir.rpm", "sub/repodata", "ab [1]"} {
		build(t, filepath.Join(dir, d), rpm.Builder{Name: "p" + strings.NewReplacer("/", "", ".", "", " ", "").Replace(d)})
	}
	build(t, elsewhere, rpm.Builder{Name: "linked"})
	for name, to := range map[string]string{
		"link.rpm": "p-1-1.noarch.rpm", "linkdir": elsewhere, "nothing.rpm": "missing",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args []string
		o    Options
	}{
		{nil, Options{}},
		{[]string{"-S"}, Options{SkipSymlinks: true}},
		{[]string{"--location-prefix=http://a/b"}, Options{LocationPrefix: "http://a/b"}},
		{[]string{"--location-prefix=../x/"}, Options{LocationPrefix: "../x/"}},
		{[]string{"--cut-dirs=1"}, Options{CutDirs: 1}},
		{[]string{"--cut-dirs=2", "--location-prefix=q"}, Options{CutDirs: 2, LocationPrefix: "q"}},
		{[]string{"-n", "ab/pab-1-1.noarch.rpm", "-x", "ab"}, Options{Paths: []string{"ab/pab-1-1.noarch.rpm"}, Exclude: []string{"ab"}}},
	} {
		compareLocations(t, program, dir, tt.args, tt.o)
	}
	for _, pattern := range []string{
		"ab", "ab/cd", "ab/", "ab/*", "pab-1-1.noarch.rpm", "ab/pab-1-1.noarch.rpm", "*cd*", "*/cd/*", "?b", "p*-1*", "[a]b", "ab [1]", "", "*", "?*?d", "link*",
	} {
		compareLocations(t, program, dir, []string{"-x", pattern}, Options{Exclude: []string{pattern}})
	}
	// A directory that is in itself.
	if err := os.Symlink("..", filepath.Join(dir, "ab", "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.Context(), dir, Options{}); err != nil || len(locations(t, dir)) != 10 {
		t.Errorf("%q, %v", locations(t, dir), err)
	}
}

func compareLocations(t *testing.T, program, dir string, args []string, o Options) {
	t.Helper()
	theirs := t.TempDir()
	cmd := exec.Command(program, append(args, "--no-database", "-q", "-o", theirs, dir)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	o.OutputDir = t.TempDir()
	if _, err := Write(t.Context(), dir, o); err != nil {
		t.Errorf("%q: %v", args, err)
		return
	}
	if d := cmp.Diff(locations(t, theirs), locations(t, o.OutputDir)); d != "" {
		t.Errorf("%q (-createrepo_c +ours):\n%s", args, d)
	}
}

// What is in repodata besides metadata stays there.
func TestOtherFilesStay(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, rpm.Builder{Name: "a"})
	names := func() (out []string) {
		list, err := os.ReadDir(filepath.Join(dir, "repodata"))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			out = append(out, d.Name())
		}
		return out
	}
	write := func(o Options) {
		t.Helper()
		if _, err := Write(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
	}
	write(Options{})
	if err := os.MkdirAll(filepath.Join(dir, "repodata", "d", "e"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"repomd.xml.asc", "d/e/f"} {
		if err := os.WriteFile(filepath.Join(dir, "repodata", name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "repodata", "link")); err != nil {
		t.Fatal(err)
	}
	build(t, dir, rpm.Builder{Name: "b"})
	before := names()
	write(Options{RetainOld: true})
	if got := names(); len(got) != len(before)+3 {
		t.Errorf("%q after %q", got, before)
	}
	build(t, dir, rpm.Builder{Name: "c"})
	write(Options{SimpleNames: true})
	build(t, dir, rpm.Builder{Name: "d"})
	write(Options{SimpleNames: true})
	got := slices.DeleteFunc(names(), func(name string) bool { return slices.Contains(before, name) && strings.Contains(name, ".xml.gz") })
	if len(got) != 7 { // three files of metadata and repomd.xml, and what was put there
		t.Errorf("%q", got)
	}
	for _, name := range []string{"repomd.xml.asc", "d/e/f"} {
		if b, err := os.ReadFile(filepath.Join(dir, "repodata", name)); err != nil || string(b) != name {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if to, err := os.Readlink(filepath.Join(dir, "repodata", "link")); err != nil || to != "nowhere" {
		t.Errorf("link to %q, %v", to, err)
	}
	if len(locations(t, dir)) != 4 {
		t.Errorf("%q", locations(t, dir))
	}
}

// Links between directories, by which there are more ways than anyone can go.
func TestManyWays(t *testing.T) {
	dir := t.TempDir()
	for i := range 6 {
		if err := os.Mkdir(filepath.Join(dir, strconv.Itoa(i)), 0o755); err != nil {
			t.Fatal(err)
		}
		for j := range 6 {
			if err := os.Symlink("../"+strconv.Itoa(j), filepath.Join(dir, strconv.Itoa(i), strconv.Itoa(j))); err != nil {
				t.Fatal(err)
			}
		}
	}
	none := func(string) bool { return false }
	// Each way visits a directory at most once, and there are 6!/(6-k)! of k directories.
	const entries = 6 + 6*(6+30+120+360+720+720)
	if _, err := (&search{dir: dir, excluded: none, left: entries}).walk("", nil); err != nil {
		t.Error(err)
	}
	if _, err := (&search{dir: dir, excluded: none, left: entries - 1}).walk("", nil); err == nil || !strings.HasPrefix(err.Error(), dir+": more than") {
		t.Errorf("error %v", err)
	}
}

func TestCopyFile(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	if err := os.WriteFile(from, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(from, 0o464); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(from, to); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(to); err != nil || st.Mode() != 0o464 {
		t.Errorf("%v, %v", st, err)
	}
	if b, err := os.ReadFile(to); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
}
