package sandbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"rpmostree/internal/treetest"
)

// hostRoot returns a tree that shares the host's programs but has an /etc of
// its own, so that a test can write in it.
func hostRoot(t *testing.T) Root {
	t.Helper()
	return Root{Dir: treetest.SandboxDir(t), Binds: []Bind{{Source: "/usr", Target: "/usr"}}}
}

func TestRun(t *testing.T) {
	r := hostRoot(t)
	for _, tt := range []struct {
		name, script, want string
		code               int
	}{
		{"writes etc", "echo hello > /etc/f; cat /etc/f", "hello\n", 0},
		{"arguments", `echo "$1 $2"`, "one two\n", 0},
		{"fails", "echo bad >&2; exit 3", "bad\n", 3},
		{"no network", "ls /sys/class/net 2>/dev/null | grep -v lo; cat /proc/net/route | wc -l", "", -1},
		{"var is read-only", "touch /var/lib/x 2>/dev/null || echo ro; touch /var/tmp/x && echo rw", "ro\nrw\n", 0},
		{"booted marker", "test -e /run/ostree-booted && test ! -s /run/ostree-booted && echo yes", "yes\n", 0},
		{"environment", "echo $SYSTEMD_OFFLINE $PATH $A", "1 /usr/sbin:/usr/bin b=c\n", 0},
		{"script cannot be changed", "echo x >> /proc/self/fd/3 2>/dev/null || echo sealed", "sealed\n", 0},
		{"signal", "kill -TERM $$", "", 0},
		{"deletes all it can", "rm -rf --no-preserve-root / 2>/dev/null; echo survived", "survived\n", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Run(context.Background(), r, Command{
				Args: []string{"/bin/sh", ScriptPath, "one", "two"}, Env: []string{"A=b=c"},
				Script: []byte(tt.script), Output: &out,
			})
			var exit *ExitError
			switch {
			case tt.name == "signal":
				if !errors.As(err, &exit) || exit.Signal == 0 {
					t.Errorf("error = %v, want a signal", err)
				}
				return
			case tt.code > 0:
				if !errors.As(err, &exit) || exit.Code != tt.code {
					t.Errorf("error = %v, want code %d", err, tt.code)
				}
			case err != nil:
				t.Errorf("%v: %s", err, &out)
			}
			if tt.code >= 0 && out.String() != tt.want {
				t.Errorf("output %q, want %q", &out, tt.want)
			}
		})
	}
	if _, err := os.Stat("/usr/bin/env"); err != nil {
		t.Fatal("the sandbox damaged the host")
	}
}

// A program that fails is told from one that did not run.
func TestNotStarted(t *testing.T) {
	for _, tt := range []struct {
		name string
		root func(*Root)
		args []string
		want bool
		text string
	}{
		{"no program", func(*Root) {}, []string{"/bin/nothing"}, true, "bwrap: execvp /bin/nothing: No such file or directory\n"},
		{"no sandbox", func(r *Root) { r.Binds = append(r.Binds, Bind{Source: "/nothing", Target: "/mnt"}) }, []string{"/bin/true"}, true,
			"bwrap: Can't find source path /nothing: No such file or directory\n"},
		{"fails", func(*Root) {}, []string{"/bin/sh", "-c", "exit 1"}, false, ""},
		{"killed", func(*Root) {}, []string{"/bin/sh", "-c", "kill -9 $$"}, false, ""},
	} {
		r := hostRoot(t)
		tt.root(&r)
		var out bytes.Buffer
		err := Run(context.Background(), r, Command{Args: tt.args, Output: &out})
		var exit *ExitError
		if !errors.As(err, &exit) || exit.NotStarted != tt.want || out.String() != tt.text {
			t.Errorf("%s: %+v, %q", tt.name, err, &out)
		}
	}
	var out bytes.Buffer
	err := Run(context.Background(), hostRoot(t), Command{Args: []string{"/bin/sh", ScriptPath}, Output: &out,
		Script: []byte("test -e /proc/$$/fd/3 && test ! -e /proc/$$/fd/4 && echo only the script is open")})
	if err != nil || out.String() != "only the script is open\n" {
		t.Errorf("%q, %v", &out, err)
	}
}

func TestCancel(t *testing.T) {
	r := hostRoot(t)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := Run(ctx, r, Command{Args: []string{"/bin/sh", ScriptPath}, Script: []byte("while :; do :; done")})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
}

func TestExitErrorText(t *testing.T) {
	e := &ExitError{Program: "/bin/sh", Code: 1}
	if got := e.Error(); !strings.Contains(got, "bwrap(/bin/sh): Child process exited with code 1") {
		t.Error(got)
	}
}
