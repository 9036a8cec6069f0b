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

// Options mean what they mean to createrepo_c: not only the elements are equal, but the
// whole files, whose checksums are in repomd.xml.
func TestOptionsOfCreaterepo(t *testing.T) {
	program := oracle(t, "createrepo_c")
	dir := t.TempDir()
	for _, b := range peculiar() {
		build(t, dir, b)
	}
	comps := filepath.Join(t.TempDir(), "comps.xml")
	if err := os.WriteFile(comps, []byte("<comps/>\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	group := []Extra{{"group", "comps.xml", []byte("<comps/>\n")}}
	for _, tt := range []struct {
		args string
		o    Options
	}{
		{"", Options{}},
		{"-s sha1", Options{ChecksumType: "sha1"}},
		{"-s md5", Options{ChecksumType: "md5"}},
		{"-s sha224", Options{ChecksumType: "sha224"}},
		{"-s sha384", Options{ChecksumType: "sha384"}},
		{"-s sha512", Options{ChecksumType: "sha512"}},
		{"--repomd-checksum=sha512", Options{RepomdChecksumType: "sha512"}},
		{"--general-compress-type=xz", Options{Compression: "xz"}},
		{"--general-compress-type=bz2", Options{Compression: "bzip2"}},
		{"--simple-md-filenames", Options{SimpleNames: true}},
		{"-u http://b/", Options{BaseURL: "http://b/"}},
		{"--location-prefix=p/q", Options{LocationPrefix: "p/q"}},
		{"--changelog-limit=2", Options{ChangelogLimit: 2}},
		{"-x old*", Options{Exclude: []string{"old*"}}},
		{"-g " + comps, Options{Extra: group}},
		{"--xz -g " + comps + " --general-compress-type=xz", Options{Extra: group, Compression: "xz"}},
		{"--distro=cpe:/o:x,D --distro=E --content=c --repo=r --revision=7", Options{
			DistroTags: []rpmmd.DistroTag{{CPEID: "cpe:/o:x", Value: "D"}, {Value: "E"}}, ContentTags: []string{"c"}, RepoTags: []string{"r"}, Revision: "7"}},
	} {
		theirs, ours := t.TempDir(), t.TempDir()
		args := append(strings.Fields(tt.args), "--no-database", "-q", "-o", theirs, dir)
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		tt.o.OutputDir = ours
		got, err := Write(t.Context(), dir, tt.o)
		if err != nil {
			t.Fatal(err)
		}
		want := readRepomd(t, theirs)
		if d := cmp.Diff(comparable(want, tt.o), comparable(got, tt.o)); d != "" {
			t.Errorf("%s (-createrepo_c +ours):\n%s", tt.args, d)
		}
	}
}

// comparable is what must be equal in two repomd.xml: compressors differ, and so does the
// time.
func comparable(md *rpmmd.Repomd, o Options) rpmmd.Repomd {
	out := *md
	if o.Revision == "" {
		out.Revision = ""
	}
	out.Records = nil
	for _, r := range md.Records {
		_, name, ok := strings.Cut(r.Location, "-")
		if !ok {
			name = r.Location
		}
		c := rpmmd.Record{Type: r.Type, Location: name, OpenChecksum: r.OpenChecksum, OpenSize: r.OpenSize}
		if r.OpenSize == 0 {
			c.Checksum, c.Size = r.Checksum, r.Size
		}
		out.Records = append(out.Records, c)
	}
	return out
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
