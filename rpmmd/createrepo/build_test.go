package createrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rpmostree/rpm"
	"rpmostree/rpmmd"
)

func build(t testing.TB, dir string, b rpm.Builder) {
	t.Helper()
	if b.Version == "" {
		b.Version, b.Release, b.Arch = "1", "1", "noarch"
	}
	var buf bytes.Buffer
	if err := b.Write(&buf); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%s-%s-%s.%s.rpm", b.Name, b.Version, b.Release, b.Arch)
	if err := os.WriteFile(filepath.Join(dir, name), buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func deps(list ...any) []rpm.Dep {
	var out []rpm.Dep
	for i := 0; i+2 < len(list); i += 3 {
		out = append(out, rpm.Dep{Name: list[i].(string), Flags: list[i+1].(rpm.DepFlags), EVR: list[i+2].(string)})
	}
	return out
}

const any0 rpm.DepFlags = 0

// peculiar are packages that touch each rule of createrepo_c.
func peculiar() []rpm.Builder {
	epoch := uint32(7)
	file := func(path string, mode uint32, flags rpm.FileFlags) rpm.BuildFile {
		return rpm.BuildFile{File: rpm.File{Path: path, Mode: mode, User: "root", Group: "root", Flags: flags}}
	}
	const reg, dir = rpm.ModeRegular | 0o644, rpm.ModeDir | 0o755
	return []rpm.Builder{
		{Name: "files", Files: []rpm.BuildFile{
			file("/etc", dir, 0), file("/etc/x", dir, 0), file("/etc/x/conf", reg, rpm.FileConfig), file("/opt/bin/tool", reg, 0),
			file("/usr/lib/sendmail", reg, 0), file("/usr/lib/sendmail2", reg, 0), file("/usr/sbin/d", reg, 0), file("/usr/share/robin/x", reg, 0),
			file("/var/log/g", reg, rpm.FileGhost), file("/var/log/gd", dir, rpm.FileGhost), file("/etc/g\"&<>'é", reg, rpm.FileGhost),
		}, Requires: deps("/etc/x/conf", any0, "", "/usr/share/robin/x", any0, "", "/usr/bin/other", any0, "")},
		{Name: "deps", Version: "1.0~rc1", Release: "2.fc^git", Arch: "x86_64", Epoch: &epoch,
			Provides: deps("p", rpm.DepEqual, "1", "p", rpm.DepEqual, "1", "p", any0, "", "(rich)", any0, ""),
			Requires: deps(
				"a", any0, "", "a", any0, "", "a", rpm.DepGreater|rpm.DepEqual, "1:2-3", "a", any0, "",
				"a", rpm.DepPre, "", "a", rpm.DepPostUn, "", "a", rpm.DepPost, "", "a", rpm.DepPreTrans, "", "a", rpm.DepPostTrans, "",
				"a", rpm.DepInterp|rpm.DepPre, "", "b", rpm.DepPreReq, "",
				"p", rpm.DepEqual, "1", "p", rpm.DepEqual, "2", "p", any0, "", "deps", rpm.DepEqual, "7:1.0~rc1-2.fc^git",
				"c", rpm.DepLess|rpm.DepEqual, "0:1", "c", rpm.DepLess, "0:1-2", "c", rpm.DepGreater, "x", "c", rpm.DepEqual, "",
				"rpmlib(X)", rpm.DepRpmlib, "1", "weak", rpm.DepMissingOK, "",
				"libc.so.6()(64bit)", any0, "", "libc.so.6(GLIBC_2.34)(64bit)", any0, "", "libc.so.6(GLIBC_2.4)(64bit)", any0, "",
				"libc.so.6", any0, "", "libc.so.6(GLIBC_PRIVATE)(64bit)", any0, "", "libc.so.6(GLIBC_2.34)", any0, "",
				"(x if y)", any0, "", "z", any0, "",
			),
			Conflicts: deps("a", rpm.DepLess, "1", "a", rpm.DepLess, "1"), Obsoletes: deps("o", any0, ""),
			Recommends: deps("r", any0, ""), Suggests: deps("s", rpm.DepEqual, "1"), Supplements: deps("(t and u)", any0, ""), Enhances: deps("e", any0, "")},
		{Name: "text", Summary: "a\tb & <c> \"d\" 'e' ü", Description: "one\r\ntwo\n\n  three ]]> ", License: "MIT & BSD", URL: "http://x/?a&b",
			Vendor: "V", Packager: "P <p@x>", Group: "G/H", BuildHost: "h", BuildTime: 1e9},
		{Name: "changes", Changelog: changes(25)},
		{Name: "empty"},
		{Name: "six", Format: 6, Version: "6", Release: "6", Arch: "aarch64", Files: []rpm.BuildFile{file("/usr/bin/six", reg, 0)}},
	}
}

// changes returns changes on few days, newest first.
func changes(n int) []rpm.Change {
	var out []rpm.Change
	for i := range n {
		day := uint32(1e9 + (n-i)/4*86400)
		out = append(out, rpm.Change{Time: day, Name: fmt.Sprintf("A <a@x> - %d   ", n-i), Text: fmt.Sprintf("- change %d & more", n-i)})
	}
	return out
}

// TestBuiltPackages compares the metadata of packages that are made to be
// difficult with createrepo_c's, byte for byte.
func TestBuiltPackages(t *testing.T) {
	program := oracle(t, "createrepo_c")
	dir := t.TempDir()
	for i, b := range peculiar() {
		build(t, filepath.Join(dir, []string{"", "sub", "sub/dir"}[i%3]), b)
	}
	compare(t, program, dir)
}

func TestReproducible(t *testing.T) {
	dir := t.TempDir()
	for _, b := range peculiar() {
		build(t, dir, b)
	}
	var first string
	for _, workers := range []int{1, 8} {
		md, err := Write(t.Context(), dir, Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := md.Write(&b); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = b.String()
		}
		if d := cmp.Diff(first, b.String()); d != "" {
			t.Errorf("(-first +second):\n%s", d)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, compression := range []string{"", "gzip", "zstd", "xz", "bzip2", "none"} {
		dir := t.TempDir()
		build(t, dir, rpm.Builder{Name: "a"})
		comps := []byte("<comps/>")
		o := Options{
			Compression: compression, ChecksumType: "sha512", Timestamp: time.Unix(1e9, 0), Revision: "r1", BaseURL: "http://b/", LocationPrefix: "p",
			SimpleNames: true, Zchunk: true, RepoTags: []string{"rt"}, ContentTags: []string{"ct"}, DistroTags: []rpmmd.DistroTag{{CPEID: "cpe:x", Value: "d"}},
			Extra: []Extra{{"group", "comps.xml", comps}, {"updateinfo", "updateinfo.xml", []byte("<updates/>")}},
		}
		if _, err := Write(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
		md := readRepomd(t, dir)
		if md.Revision != "r1" || md.Timestamp() != 1e9 || md.DistroTags[0].CPEID != "cpe:x" {
			t.Errorf("%+v", md)
		}
		if got := readRecord(t, dir, md, "group"); !bytes.Equal(got, comps) {
			t.Errorf("comps %q", got)
		}
		for _, rec := range md.Records {
			st, err := os.Stat(filepath.Join(dir, rec.Location))
			if err != nil || st.Size() != rec.Size || rec.Checksum.Type != "sha512" || len(rec.Checksum.Hex) != 128 {
				t.Errorf("%+v: %v", rec, err)
			}
			open := readRecord(t, dir, md, rec.Type)
			if rec.OpenSize > 0 && int64(len(open)) != rec.OpenSize {
				t.Errorf("%s: open size %d, want %d", rec.Type, rec.OpenSize, len(open))
			}
		}
		err := rpmmd.ParsePrimary(bytes.NewReader(readRecord(t, dir, md, "primary")), func(p *rpmmd.Package) error {
			if p.Base != "http://b/" || p.Location != "p/a-1-1.noarch.rpm" || p.Checksum.Type != "sha512" {
				t.Errorf("%+v", p)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// Whatever fails, the old metadata stays and nothing is left behind.
func TestFailureChangesNothing(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, rpm.Builder{Name: "a"})
	if _, err := Write(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "bad.rpm"), []byte("no package"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "bad.rpm") {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "bad.rpm")); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Compression: "bzip3"}, {ChecksumType: "crc"}, {Extra: []Extra{{"x", "../y", nil}}}} {
		if _, err := Write(t.Context(), dir, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Write(ctx, dir, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff(before, tree(t, dir)); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
	build(t, dir, rpm.Builder{Name: "b"})
	if _, err := Write(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if after := tree(t, dir); len(after) != len(before)+1 {
		t.Errorf("files %v", after)
	}
}

func tree(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		out = append(out, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Real packages that are damaged are refused or listed, but never crash.
func TestMalformed(t *testing.T) {
	dir := filepath.Join(shared(t, "rpms"), "malformed")
	for _, path := range tree(t, dir) {
		if filepath.Ext(path) == ".rpm" {
			if _, err := Read(path, nil); err != nil {
				t.Logf("%s: %v", filepath.Base(path), err)
			}
		}
	}
}

// What is written can be read, and then says the same.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for _, b := range peculiar() {
		build(t, dir, b)
	}
	paths, err := find(dir, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		want, err := Read(filepath.Join(dir, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		io.WriteString(&b, rpmmd.PrimaryHeader(1))
		if err := want.Write(&b); err != nil {
			t.Fatal(err)
		}
		io.WriteString(&b, rpmmd.PrimaryFooter)
		err = rpmmd.ParsePrimary(&b, func(p *rpmmd.Package) error {
			if d := cmp.Diff(&want.Package, p); d != "" {
				t.Errorf("%s (-written +read):\n%s", path, d)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
