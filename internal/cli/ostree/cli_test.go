package ostree

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ostree": func() {
			os.Exit(Main(context.Background(), os.Args[1:], IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
		},
		// In the roots of tests there is no shell.
		"systemctl": func() { fmt.Println("systemctl", strings.Join(os.Args[1:], " ")) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TZ", "UTC")
			e.Setenv("OSTREE_SYSROOT_DEBUG", "mutable-deployments") // or the script's directory could not be removed
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
	})
}

// needC skips a test which compares with the C ostree, unless it has to be there.
func needC(t *testing.T) string {
	t.Helper()
	return treetest.Oracle(t, "ostree")
}

// ours runs our command in dir.
func ours(t *testing.T, dir string, args ...string) (out string, status int) {
	t.Helper()
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	status = Main(t.Context(), args, IO{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return stdout.String() + stderr.String(), status
}

// theirs runs the C command in dir.
func theirs(t *testing.T, ostree, dir string, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.Command(ostree, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		status = cmd.ProcessState.ExitCode()
	}
	return stdout.String() + stderr.String(), status
}

// A runner runs one of the two commands, in a directory of its own.
type runner func(args ...string) (out string, status int)

// programs are the C command, "c", and ours, "go", in dir.
func programs(t *testing.T, c, dir string) map[string]runner {
	return map[string]runner{
		"c":  func(args ...string) (string, int) { t.Helper(); return theirs(t, c, dir, args...) },
		"go": func(args ...string) (string, int) { t.Helper(); return ours(t, dir, args...) },
	}
}

// must runs a command line that has to succeed, and returns what it prints, without space
// around it.
func (p runner) must(t *testing.T, line string) string {
	t.Helper()
	out, status := p(strings.Fields(line)...)
	if status != 0 {
		t.Fatalf("%s: %s", line, out)
	}
	return strings.TrimSpace(out)
}

// sampleTree makes a directory with files of all kinds.
func sampleTree(t *testing.T, dir string) {
	t.Helper()
	for name, content := range map[string]string{"a": "hi\n", "sub/b": "x y\n", "sub/deep/c": "", "usr/bin/tool": "#!/bin/sh\n", "usr/été": "summer\n"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{os.Symlink("../a", filepath.Join(dir, "sub/link")), os.Mkdir(filepath.Join(dir, "empty"), 0o700),
		os.Chmod(filepath.Join(dir, "usr/bin/tool"), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// commits are commit commands that both tools must turn into the same checksums.
var commits = [][]string{
	{"commit", "-b", "main", "-s", "one", "t", "--timestamp=@1000000000"},
	{"commit", "-b", "main", "-s", "two", "-m", "line1\n\nline2", "--add-metadata-string=version=42", "--add-metadata=n=uint64 7",
		"--add-metadata=l=['a', 'b']", "t/sub", "--timestamp=2004-11-09T11:33:20Z"},
	{"commit", "-b", "other/x", "t", "--owner-uid=5", "--owner-gid=6", "--no-xattrs", "--timestamp=@1100000001"},
	{"commit", "--orphan", "t", "--canonical-permissions", "--timestamp=@1100000002"},
	{"commit", "-b", "merged", "--tree=ref=main", "--tree=dir=t", "--timestamp=@1100000003", "--no-bindings"},
	{"commit", "-b", "bound", "t", "--mode-ro-executables", "--timestamp=@1100000004", "--parent=none", "--bind-ref=q", "--bind-ref=a"},
	{"commit", "-b", "main", "--base=other/x", "--tree=dir=t", "--keep-metadata=version", "--timestamp=@1100000007"},
	{"commit", "-b", "main", "--skip-if-unchanged", "--base=other/x", "--tree=dir=t"},
	{"commit", "-b", "owned", "--tree=ref=main", "--owner-uid=9", "--no-xattrs", "--timestamp=@1100000008"},
	{"commit", "-b", "overridden", "--tree=ref=main", "--statoverride=override", "--skip-list=skip", "--timestamp=@1100000008"},
	{"commit", "-b", "overridden", "t", "--statoverride=override", "--skip-list=skip", "--timestamp=@1100000009"},
	{"commit", "-b", "detached", "t", "--add-detached-metadata-string=k=v", "--timestamp=@1100000008"},
}

// questions are commands that must print the same.
var questions = [][]string{
	{"ls", "main"}, {"ls", "-R", "main"}, {"ls", "-RCX", "other/x"}, {"ls", "-d", "main", "/sub"}, {"ls", "main", "/sub", "/a"}, {"ls", "main", "/nope"},
	{"ls", "-R", "--nul-filenames-only", "main"}, {"ls", "main", "/sub/link"}, {"ls", "nope"},
	{"log", "main"}, {"log", "--raw", "main"}, {"log", "nope"}, {"show", "main"}, {"show", "main^^"}, {"show", "--raw", "main"}, {"show", "-B", "main"}, {"show", "--raw", "-B", "main"}, {"show", "-B", "--print-metadata-key=n", "main^"},
	{"show", "--print-metadata-key=version", "main"}, {"show", "--print-metadata-key=n", "main^"}, {"show", "--print-metadata-key=zz", "main"},
	{"show", "--print-detached-metadata-key=k", "detached"}, {"show", "--print-detached-metadata-key=k", "main"}, {"show", "--print-related", "main"},
	{"rev-parse", "main"}, {"rev-parse", "main^"}, {"rev-parse", "main^^^^^^"}, {"rev-parse", "nope"}, {"rev-parse", "-S"},
	{"diff", "main"}, {"diff", "main^", "main"}, {"diff", "main", "main^"}, {"diff", "main", "other/x"}, {"diff", "main", "./t"}, {"diff", "--stats", "main^", "main"},
	{"cat", "main", "/a", "/sub/b"}, {"cat", "main", "/sub"}, {"cat", "main", "/nope"}, {"refs", "--list", "other"}, {"refs", "other"}, {"refs", "-A"},
	{"config", "get", "core.mode"}, {"config", "get", "core.nope"}, {"config", "get", "nope"}, {"config", "get", "zz.x"}, {"config", "get"}, {"config", "unset", "zz.x"},
	{"prune", "--no-prune"}, {"prune", "--no-prune", "--refs-only"}, {"prune", "--no-prune", "--refs-only", "--depth=0"}, {"prune", "--no-prune", "--commit-only", "--depth=0", "--refs-only"},
	{"remote", "list", "-u"}, {"remote", "show-url", "nope"}, {"remote", "delete", "nope"}, {"reset", "main", "nope"}, {"reset", "nope", "main"},
	{"refs", "--create=main", "main"}, {"refs", "--create=m"}, {"refs", "--delete"}, {"commit"}, {"commit", "-b", "a b"}, {"commit", "-b", "main", "--add-metadata=x=y"},
	{"checkout", "nope", "x"}, {"checkout", "main", "x", "--subpath=/nope"}, {"checkout", "main", "t"}, {"summary", "--raw"},
}

func TestAgainstC(t *testing.T) {
	c := needC(t)
	for _, mode := range []string{"archive", "bare-user"} {
		t.Run(mode, func(t *testing.T) { compare(t, c, mode) })
	}
}

// compare makes a repository with each tool, and lets both tools answer about each of them.
func compare(t *testing.T, c, mode string) {
	dir := t.TempDir()
	t.Setenv("TZ", "UTC")
	t.Setenv("LC_ALL", "C.UTF-8")
	sampleTree(t, filepath.Join(dir, "t"))
	for name, text := range map[string]string{"override": "=420 /a\n+1024 /usr/bin/tool\n0x200 /usr/été\n", "skip": "/sub/deep\n/sub/b\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range append([][]string{{"init", "--mode=" + mode}}, commits...) {
		want, _ := theirs(t, c, dir, append([]string{"--repo=theirs"}, args...)...)
		got, status := ours(t, dir, append([]string{"--repo=ours"}, args...)...)
		if got != want || status != 0 {
			t.Errorf("%q: got %q (status %d), want %q", args, got, status, want)
		}
	}
	if got, status := ours(t, dir, "--repo=ours", "summary", "-u"); status != 0 {
		t.Error(got)
	}
	if out, status := theirs(t, c, dir, "--repo=ours", "fsck", "-q"); status != 0 {
		t.Errorf("the C fsck of our repository: %s", out)
	}
	for _, args := range questions {
		args = append([]string{"--repo=ours"}, args...)
		want, wantStatus := theirs(t, c, dir, args...)
		got, status := ours(t, dir, args...)
		if got != want || status != wantStatus {
			t.Errorf("%q:\n%s(status %d), want\n%s(status %d)", args, got, status, want, wantStatus)
		}
	}
}

// self is the program of our command.
func self(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("ostree") // see TestMain
	if err != nil {
		t.Fatal(err)
	}
	return path
}
