package deb

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// oracle skips without the program, and fails where every program has to be there.
func oracle(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
}

// TestDpkg reads packages that dpkg-deb has made, in each of its compressions.
func TestDpkg(t *testing.T) {
	oracle(t, "dpkg-deb")
	for _, z := range []string{"gzip", "xz", "zstd", "none"} {
		t.Run(z, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				name = filepath.Join(dir, "root", name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write("DEBIAN/control", "Package: odd\nVersion: 1:2.0-3\nArchitecture: all\nMaintainer: A <a@b>\n"+
				"Description: short\n long\n .\n more\n")
			write("DEBIAN/conffiles", "/etc/odd.conf\n")
			write("etc/odd.conf", "a=b\n")
			write("usr/bin/odd", strings.Repeat("x", 100_000))
			if err := os.Symlink("odd", filepath.Join(dir, "root/usr/bin/even")); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, "odd.deb")
			if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-Z"+z, "-b", filepath.Join(dir, "root"), name).CombinedOutput(); err != nil {
				t.Fatalf("dpkg-deb: %v: %s", err, out)
			}
			p, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Control["Description"]; got != "short\nlong\n\nmore" {
				t.Errorf("description %q", got)
			}
			if !p.Conffiles["/etc/odd.conf"] || len(p.Conffiles) != 1 {
				t.Errorf("conffiles %v", p.Conffiles)
			}
			got := map[string]string{}
			for _, f := range p.Files {
				got[f.Path] = fmt.Sprintf("%c %s %s %d", f.Header.Typeflag, f.Header.Uname, f.Header.Linkname, len(f.Data))
			}
			want := map[string]string{
				"/": "5 root  0", "/etc": "5 root  0", "/usr": "5 root  0", "/usr/bin": "5 root  0",
				"/etc/odd.conf": "0 root  4", "/usr/bin/odd": "0 root  100000", "/usr/bin/even": "2 root odd 0",
			}
			if !maps.Equal(got, want) {
				t.Errorf("files %v, want %v", got, want)
			}
		})
	}
}

func TestStanza(t *testing.T) {
	if _, err := ParseStanza(" first\n"); err == nil {
		t.Error("a continuation line without a field was accepted")
	}
	if _, err := ParseStanza("no field\n"); err == nil {
		t.Error("a line without a colon was accepted")
	}
	s, err := ParseStanza("\nA: 1\nB:\n x\n\nC: 3\n")
	if err != nil || !maps.Equal(s, Stanza{"A": "1", "B": "\nx"}) {
		t.Errorf("got %q, %v", s, err)
	}
}

func TestRelations(t *testing.T) {
	got, err := ParseRelations("libc6 (>= 2.36-9), default-mta | mail-transport-agent,\n perl:any (<< 5~), a (= 1:2)")
	want := [][]Relation{
		{{"libc6", ">=", "2.36-9"}},
		{{Name: "default-mta"}, {Name: "mail-transport-agent"}},
		{{"perl", "<<", "5~"}},
		{{"a", "=", "1:2"}},
	}
	if err != nil || !slices.EqualFunc(got, want, func(a, b []Relation) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := ParseRelations("a (~ 1)"); err == nil {
		t.Error("an unknown operator was accepted")
	}
}

// archive makes an ar archive of named members.
func archive(members ...string) []byte {
	var b bytes.Buffer
	b.WriteString(arMagic)
	for i := 0; i+1 < len(members); i += 2 {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", members[i], 0, 0, 0, 0o100644, len(members[i+1]), members[i+1])
		if len(members[i+1])%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func tarball(t testing.TB, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMalformed(t *testing.T) {
	control, data := tarball(t, "./control", "Package: a\n"), tarball(t, "./usr/a", "hello")
	good := archive("debian-binary", "2.0\n", "control.tar", control, "_extra", "x", "data.tar", data)
	if p, err := Read(bytes.NewReader(good)); err != nil || len(p.Files) != 1 {
		t.Fatalf("a good package: %+v, %v", p, err)
	}
	for name, bad := range map[string][]byte{
		"empty":     nil,
		"no ar":     []byte("not an archive"),
		"no data":   archive("debian-binary", "2.0\n", "control.tar", control),
		"format":    archive("debian-binary", "3.0\n", "control.tar", control, "data.tar", data),
		"member":    archive("debian-binary", "2.0\n", "other", "x", "control.tar", control, "data.tar", data),
		"truncated": good[:len(good)-600],
		"size":      bytes.Replace(good, []byte(fmt.Sprintf("%-10d`", len(data))), []byte("-1        `"), 1),
	} {
		if _, err := Read(bytes.NewReader(bad)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(archive("debian-binary", "2.0\n", "control.tar", tarball(f, "./control", "Package: a\n"), "data.tar", tarball(f, "./usr/a", "hello")))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, file := range p.Files {
			if !filepath.IsAbs(file.Path) || filepath.Clean(file.Path) != file.Path {
				t.Errorf("path %q leaves the root", file.Path)
			}
		}
	})
}
