package ostree

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wrongUses are arguments after the words of a command, and wrongOptions such that no command
// knows better about than another.
var (
	wrongUses    = [][]string{nil, {"--help"}, {"--no-such"}, {"1", "2", "3", "4", "5", "6", "7", "8"}}
	wrongOptions = []string{
		"ls -h", "ls -?", "ls --help-all", "ls --version", "ls -Z", "ls --no-such=x --help", "ls --help --no-such", "ls --verbose=x --version", "ls --", "ls -- --help", "ls -RZ", "ls -R -- x",
		"remote -h", "remote --help-all", "remote --version", "remote nonsense", "remote nonsense --help", "remote nonsense --no-such", "remote --no-such nonsense", "remote --help add", "remote add --",
		"-h", "-?", "--version", "--help-all", "-Z", "-v", "nonsense", "nonsense --help", "nonsense --no-such", "--no-such nonsense", "--version nonsense", "--help ls", "--", "-- ls", "--repo", "--repo=r", "--repo r",
		"admin nonsense", "admin nonsense --version", "admin --no-such",
		"prune --depth=99999999999", "prune --depth=x", "prune --depth", "pull --depth=0x", "commit --owner-uid=99999999999", "commit --owner-uid=x", "commit --owner-uid=", "diff --owner-gid=1x",
		"commit -b", "commit -bs x", "commit -sb x", "commit -bx", "commit --branch", "init --mode",
	}
)

// otherUsage are commands that look at their arguments later, or have got other words since 2022.
// The C program writes something to the standard output before it finds out that it cannot export.
var otherUsage = []string{"admin kargs", "admin finalize-staged", "admin os-init", "export", "init", "remote gpg-import", "static-delta", "static-delta apply-offline", "static-delta verify"}

// A reaction is what a program does about a command line.
type reaction struct {
	status      int
	out, err    bool   // it prints its help there
	message     string // the last line of the standard error
	nothingElse bool   // on the standard output
}

func react(status int, stdout, stderr string) reaction {
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	r := reaction{status: status, message: lines[len(lines)-1]}
	r.out, r.err = strings.HasPrefix(stdout, "Usage:\n"), strings.HasPrefix(stderr, "Usage:\n")
	r.nothingElse = stdout == "" || r.out || strings.HasPrefix(stdout, "libostree:\n Version: '20")
	return r
}

// TestUsageLikeC uses every command in wrong ways, and groups of commands without one. Both
// programs print help to the same stream, say the same and have the same exit status.
func TestUsageLikeC(t *testing.T) {
	c := needC(t)
	dirs := [2]string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		for _, args := range []string{"--repo=r init --mode=archive", "admin init-fs s"} {
			if err := os.MkdirAll(filepath.Join(dir, "s"), 0o755); err != nil {
				t.Fatal(err)
			}
			if out, status := theirs(t, c, dir, strings.Fields(args)...); status != 0 {
				t.Fatal(out)
			}
		}
	}
	t.Setenv("OSTREE_REPO", "r")
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("OSTREE_SYSROOT", "s") // whatever a command does, it does it there
	use := func(words ...string) {
		t.Helper()
		var got [2]reaction
		for i, dir := range dirs {
			var stdout, stderr bytes.Buffer
			t.Chdir(dir)
			status := 0
			if i == 1 {
				status = Main(t.Context(), words, IO{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
			} else {
				cmd := exec.Command(c, words...)
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				if err := cmd.Run(); err != nil {
					status = cmd.ProcessState.ExitCode()
				}
			}
			if status < 0 { // it crashes
				return
			}
			text := func(b bytes.Buffer) string { return strings.ReplaceAll(b.String(), dir, "DIR") }
			got[i] = react(status, text(stdout), text(stderr))
		}
		if got[0] != got[1] {
			t.Errorf("ostree %s:\n%+v, want\n%+v", strings.Join(words, " "), got[1], got[0])
		}
	}
	commands().walk(func(c *command) {
		if slices.Contains(newerCommands, c.words()) || slices.Contains(otherUsage, c.words()) {
			return
		}
		for _, more := range wrongUses {
			use(append(strings.Fields(c.path())[1:], more...)...)
		}
	})
	for _, line := range wrongOptions {
		use(strings.Fields(line)...)
	}
	use("")
	use("", "x")
}
