package rpm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// oracle skips the test if a program is missing, and fails it in CI.
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

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// samplePackage uses everything that a Builder can write.
func samplePackage() *Builder {
	epoch := uint32(3)
	file := func(path string, mode uint32, data string) BuildFile {
		return BuildFile{File: File{Path: path, Mode: mode, User: "root", Group: "root", Mtime: 1700000000}, Data: []byte(data)}
	}
	with := func(f BuildFile, set func(*BuildFile)) BuildFile {
		set(&f)
		return f
	}
	return &Builder{
		Name: "sample", Epoch: &epoch, Version: "1.0~rc1", Release: "2.fc40", Arch: "noarch",
		Summary: "A sample", Description: "It has one of\neverything.", License: "Apache-2.0", URL: "https://example.com/",
		Vendor: "Example", Packager: "nobody", BuildTime: 1700000000,
		Provides: []Dep{{"virtual", DepEqual, "4"}, {"config(sample)", DepEqual | DepConfig, "3:1.0~rc1-2.fc40"}},
		Requires: []Dep{
			{"/bin/sh", DepInterp | DepPost, ""}, {"libc", DepGreater | DepEqual, "2.0"},
			{"(foo if bar)", 0, ""},
		},
		Conflicts:         []Dep{{"other", DepLess, "2"}},
		Obsoletes:         []Dep{{"old", DepLess | DepEqual, "1:0-1"}},
		Recommends:        []Dep{{"rec", 0, ""}},
		Suggests:          []Dep{{"sug", 0, ""}},
		Supplements:       []Dep{{"sup", 0, ""}},
		Enhances:          []Dep{{"enh", DepGreater, "7"}},
		OrderWithRequires: []Dep{{"first", 0, ""}},
		Scripts: []Script{
			{Kind: PreIn, Body: "echo pre\n"},
			{Kind: PostIn, Interp: []string{"/sbin/ldconfig"}},
			{Kind: PreUn, Interp: []string{"/bin/bash", "-e"}, Body: "echo preun\n"},
			{Kind: PostUn, Body: "echo postun %{_arch}\n", Flags: ScriptExpand},
			{Kind: PreTrans, Interp: []string{InterpLua}, Body: "print('x')\n"},
			{Kind: PostTrans, Body: "echo posttrans\n"},
			{Kind: VerifyScript, Body: "echo verify\n"},
		},
		Triggers: []Trigger{
			{Body: "echo in\n", Conditions: []Dep{{"foo", DepTriggerIn, ""}, {"bar", DepTriggerIn | DepGreater, "2"}}},
			{Body: "echo un\n", Conditions: []Dep{{"foo", DepTriggerUn, ""}}},
		},
		FileTriggers: []Trigger{
			{Body: "echo file\n", Priority: 100, Conditions: []Dep{{"/usr/lib", DepTriggerIn, ""}}},
		},
		TransFileTriggers: []Trigger{
			{Body: "echo trans\n", Conditions: []Dep{{"/usr/share", DepTriggerIn, ""}, {"/usr/lib", DepTriggerIn, ""}}},
			{Body: "echo gone\n", Conditions: []Dep{{"/usr/share", DepTriggerPostUn, ""}}},
		},
		Changelog: []Change{{1700000000, "A B <a@b> - 1.0~rc1-2", "- second"}, {1600000000, "A B <a@b> - 1.0~rc1-1", "- first"}},
		Files: []BuildFile{
			file("/usr/share/sample/empty", 0o100644, ""),
			file("/usr/share/sample", 0o040755, ""),
			file("/usr/bin/sample", 0o104755, strings.Repeat("content\n", 5000)),
			with(file("/etc/sample.conf", 0o100640, "key = value\n"), func(f *BuildFile) { f.Flags = FileConfig | FileNoReplace }),
			with(file("/usr/share/doc/sample/README", 0o100644, "read\n"), func(f *BuildFile) { f.Flags = FileDoc; f.Lang = "de" }),
			with(file("/usr/share/licenses/sample/LICENSE", 0o100644, "free\n"), func(f *BuildFile) { f.Flags = FileLicense }),
			with(file("/var/log/sample.log", 0o100600, ""), func(f *BuildFile) { f.Flags = FileGhost }),
			with(file("/usr/bin/link", 0o120777, ""), func(f *BuildFile) { f.LinkTo = "sample" }),
			with(file("/usr/lib/a/hard1", 0o100644, "linked\n"), func(f *BuildFile) { f.LinkGroup = "h" }),
			with(file("/usr/lib/b/hard2", 0o100644, ""), func(f *BuildFile) { f.LinkGroup = "h" }),
			with(file("/usr/lib/c/hard3", 0o100644, ""), func(f *BuildFile) { f.LinkGroup = "h" }),
			with(file("/usr/bin/ping", 0o100755, "ping\n"), func(f *BuildFile) { f.Caps = "cap_net_raw=ep" }),
			with(file("/usr/share/sample/owned", 0o100644, "x"), func(f *BuildFile) { f.User, f.Group = "daemon", "mail" }),
			file("/usr/share/sample/ümläut", 0o100644, "u"),
		},
	}
}

func build(t testing.TB, b *Builder) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestBuilderIsDeterministic(t *testing.T) {
	if !bytes.Equal(build(t, samplePackage()), build(t, samplePackage())) {
		t.Error("two runs differ")
	}
}

// rpm accepts, lists, installs and verifies what the Builder writes.
func TestBuilderAgainstRPM(t *testing.T) {
	oracle(t, "rpm")
	if os.Geteuid() != 0 {
		t.Skip("installing needs root")
	}
	for _, format := range []int{4, 6} {
		for _, compressor := range []string{"none", "gzip", "xz", "lzma", "zstd"} {
			t.Run(fmt.Sprintf("v%d-%s", format, compressor), func(t *testing.T) {
				b := samplePackage()
				b.Format, b.Compressor = format, compressor
				name := filepath.Join(t.TempDir(), "sample.rpm")
				if err := os.WriteFile(name, build(t, b), 0o644); err != nil {
					t.Fatal(err)
				}
				out := run(t, "rpm", "-Kv", name)
				if strings.Contains(out, "BAD") || !strings.Contains(out, "Payload SHA256 digest: OK") {
					t.Error(out)
				}
				root := t.TempDir()
				run(t, "rpm", "--root", root, "-i", "--nodeps", "--noscripts", "--notriggers", "--ignorearch", name)
				verify := run(t, "sh", "-c", "rpm --root "+root+" -V --nodeps --noscripts sample || true")
				for line := range strings.Lines(verify) {
					// User and group names are unknown in an empty root.
					if f := strings.Fields(line); f[0] != ".....UG.." && !strings.Contains(line, "/var/log/sample.log") {
						t.Errorf("rpm -V: %s", line)
					}
				}
				links := run(t, "stat", "-c", "%h %s", root+"/usr/lib/a/hard1", root+"/usr/lib/c/hard3")
				if links != "3 7\n3 7\n" {
					t.Errorf("hard links: %q", links)
				}
			})
		}
	}
}
