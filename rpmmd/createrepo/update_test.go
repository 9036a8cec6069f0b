package createrepo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rpmostree/rpm"
)

// metadata returns the content of all files of repodata by name.
func metadata(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, err := filepath.Glob(filepath.Join(dir, "repodata", "*"))
	if err != nil || len(list) == 0 {
		t.Fatal("no metadata", err)
	}
	for _, name := range list {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = string(b)
	}
	return out
}

// An update gives the same bytes as a run from nothing, and reads only what is new.
func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	for _, b := range peculiar() {
		build(t, dir, b)
	}
	build(t, dir, rpm.Builder{Name: "changed"})
	copyOld := func() string {
		old := t.TempDir()
		if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		return old
	}
	var mu sync.Mutex
	var read []string
	o := Options{Read: func(path string) {
		mu.Lock()
		defer mu.Unlock()
		read = append(read, path)
	}}
	run := func(dir string, o Options) string {
		t.Helper()
		read = nil
		if _, err := Write(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
		slices.Sort(read)
		return strings.Join(read, " ")
	}
	all := run(dir, o)
	if n := len(strings.Fields(all)); n != len(peculiar())+1 {
		t.Fatalf("%d packages read", n)
	}
	o.Update = true
	before := metadata(t, dir)
	if got := run(dir, o); got != "" {
		t.Errorf("nothing has changed, but %q was read", got)
	}
	if d := cmp.Diff(before, metadata(t, dir)); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
	old := copyOld()
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "changed-1-1.noarch.rpm"), later, later); err != nil {
		t.Fatal(err)
	}
	build(t, dir, rpm.Builder{Name: "new"})
	if got := run(dir, o); got != "changed-1-1.noarch.rpm new-1-1.noarch.rpm" {
		t.Errorf("%q was read", got)
	}
	updated := metadata(t, dir)
	if run(dir, Options{}); cmp.Diff(updated, metadata(t, dir)) != "" {
		t.Errorf("(-updated +from nothing):\n%s", cmp.Diff(updated, metadata(t, dir)))
	}
	// Metadata of another place is used as well, and what is damaged is not.
	if err := os.RemoveAll(filepath.Join(dir, "repodata")); err != nil {
		t.Fatal(err)
	}
	o.UpdatePaths, o.SkipStat = []string{old}, true
	if got := run(dir, o); got != "new-1-1.noarch.rpm" {
		t.Errorf("%q was read", got)
	}
	for _, typ := range []string{"primary", "filelists", "other"} {
		o.UpdatePaths = nil
		rec, _ := readRepomd(t, dir).Record(typ)
		name := filepath.Join(dir, rec.Location)
		b := metadata(t, dir)[filepath.Base(name)]
		if err := os.WriteFile(name, []byte(b[:len(b)-9]+"x"+b[len(b)-8:]), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := run(dir, o); len(strings.Fields(got)) != len(peculiar())+2 {
			t.Errorf("%s is damaged, but only %q was read", typ, got)
		}
	}
}

func TestKeepAll(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, rpm.Builder{Name: "a"})
	extra := []Extra{{"group", "comps.xml", []byte("<comps/>")}, {"updateinfo", "updateinfo.xml", []byte("<updates/>")}, {"modules", "modules.yaml", []byte("---\n")}}
	if _, err := Write(t.Context(), dir, Options{Extra: extra, Zchunk: true}); err != nil {
		t.Fatal(err)
	}
	before := metadata(t, dir)
	if _, err := Write(t.Context(), dir, Options{Update: true, KeepAll: true, Zchunk: true}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, metadata(t, dir)); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
	if _, err := Write(t.Context(), dir, Options{KeepAll: true, Extra: []Extra{{"group", "comps.xml", []byte("<comps>new</comps>")}}}); err != nil {
		t.Fatal(err)
	}
	md := readRepomd(t, dir)
	if got := readRecord(t, dir, md, "group"); string(got) != "<comps>new</comps>" {
		t.Errorf("comps %q", got)
	}
	if got := readRecord(t, dir, md, "updateinfo"); string(got) != "<updates/>" {
		t.Errorf("updateinfo %q", got)
	}
}

// Zchunk files say the same as the plain ones to the C reader, and to ours.
func TestZchunk(t *testing.T) {
	unzck := oracle(t, "unzck")
	dir := t.TempDir()
	copyPackages(t, dir)
	md, err := Write(t.Context(), dir, Options{Zchunk: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"primary", "filelists", "other"} {
		plain, zck := readRecord(t, dir, md, typ), readRecord(t, dir, md, typ+"_zck")
		if !bytes.Equal(plain, zck) {
			t.Errorf("%s: contents differ", typ)
		}
		rec, _ := md.Record(typ + "_zck")
		out, err := exec.Command(unzck, "-c", filepath.Join(dir, rec.Location)).Output()
		if err != nil || !bytes.Equal(out, plain) {
			t.Errorf("unzck of %s: %d bytes, error %v", typ, len(out), err)
		}
	}
}

func TestChoice(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "new", "out")
	for _, name := range []string{"a", "b", "c"} {
		build(t, dir, rpm.Builder{Name: name})
	}
	if err := os.Symlink("a-1-1.noarch.rpm", filepath.Join(dir, "link.rpm")); err != nil {
		t.Fatal(err)
	}
	names := func(o Options) string {
		t.Helper()
		o.OutputDir = out
		md, err := Write(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, line := range strings.Split(string(readRecord(t, out, md, "primary")), "\n") {
			if _, href, ok := strings.Cut(line, "<location href=\""); ok {
				list = append(list, strings.TrimSuffix(href, "\"/>"))
			}
		}
		return strings.Join(list, " ")
	}
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, "a-1-1.noarch.rpm b-1-1.noarch.rpm c-1-1.noarch.rpm link.rpm"},
		{Options{SkipSymlinks: true, Exclude: []string{"b-*"}}, "a-1-1.noarch.rpm c-1-1.noarch.rpm"},
		{Options{Paths: []string{"c-1-1.noarch.rpm"}}, "c-1-1.noarch.rpm"},
	} {
		if got := names(tt.o); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.o, got, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "repodata")); err == nil {
		t.Error("metadata was written beside the packages")
	}
}

// createrepo_c finds in our metadata what it needs not to read packages again.
func TestUpdateByCreaterepo(t *testing.T) {
	program := oracle(t, "createrepo_c")
	dir, list := t.TempDir(), filepath.Join(t.TempDir(), "read")
	copyPackages(t, dir)
	if _, err := Write(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "-q", "--no-database", "--update", "--read-pkgs-list", list, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(list); err != nil || len(bytes.TrimSpace(b)) > 0 {
		t.Errorf("createrepo_c read %q, error %v", b, err)
	}
}
