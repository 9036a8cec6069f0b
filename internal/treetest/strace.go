package treetest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// An Injector makes system calls of programs fail, by strace.
type Injector struct {
	strace string
	dir    string // of logs
	faults atomic.Int64
}

// NewInjector returns an Injector for a test and its subtests. The test fails when at the
// end of all no call has failed: strace counts the calls of each thread, so that one program
// may well have too few.
func NewInjector(t testing.TB) *Injector {
	t.Helper()
	in := &Injector{strace: Oracle(t, "strace"), dir: t.TempDir()}
	t.Cleanup(func() {
		if in.faults.Load() == 0 && !t.Skipped() && !t.Failed() {
			t.Error("no system call has failed")
		}
	})
	return in
}

// Run runs a Go program with a fault, "CALLS:error=ERROR:when=WHICH" as strace has it, and
// tells whether it failed, as it may but need not: with status 1, of its own, and no panic.
func (in *Injector) Run(t testing.TB, cmd *exec.Cmd, fault string) (failed bool) {
	t.Helper()
	f, err := os.CreateTemp(in.dir, "log-")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	calls, _, _ := strings.Cut(fault, ":")
	args := append([]string{"-f", "-q", "-o", f.Name(), "-e", "trace=" + calls, "-e", "inject=" + fault, cmd.Path}, cmd.Args[1:]...)
	traced := exec.CommandContext(t.Context(), in.strace, args...)
	traced.Env, traced.Dir = cmd.Env, cmd.Dir
	out, err := traced.CombinedOutput()
	log, err2 := os.ReadFile(f.Name())
	if err2 != nil {
		t.Fatal(err2)
	}
	status := "+++ exited with 0 +++"
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		err, failed, status = nil, true, "+++ exited with 1 +++"
	}
	if err != nil || !bytes.Contains(log, []byte(status)) || bytes.Contains(out, []byte("panic:")) {
		t.Fatalf("%s with %s: %v\n%s", filepath.Base(cmd.Path), fault, err, out)
	}
	in.faults.Add(int64(bytes.Count(log, []byte("(INJECTED)"))))
	return failed
}
