package sysroot

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rpmostree/internal/treetest"
)

// readVictim is the environment variable that makes this test program print
// the deployments of the sysroot that it names, and nothing else.
const readVictim = "SYSROOT_TEST_READ"

func beReader(root string) {
	st, err := Load(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range st.Deployments {
		fmt.Println(d.OSName, d.Name())
	}
}

// TestReadUnprivileged reads a sysroot as a user who owns nothing, and checks
// that nothing was written.
func TestReadUnprivileged(t *testing.T) {
	w := newWorld(t)
	w.commit("1", nil)
	w.c("admin", "deploy", "--sysroot="+w.root(), "--os=os", "os/main")
	for dir := w.root(); dir != filepath.Dir(dir) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	program := filepath.Join(w.dir, "program")
	must(t, os.WriteFile(program, self, 0o755))
	before := dump(t, w.root())
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), readVictim+"="+w.root())
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if want := "os " + filepath.Base(w.deployments()[0]) + "\n"; err != nil || string(out) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
	if d := diffLines(before, dump(t, w.root())); d != "" {
		t.Errorf("reading wrote:\n%s", d)
	}
}

// TestLock holds the lock against the C program, and the other way round
// against ourselves.
func TestLock(t *testing.T) {
	w := newWorld(t)
	w.commit("1", nil)
	w.c("admin", "deploy", "--sysroot="+w.root(), "--os=os", "os/main")
	s := w.open()
	unlock, err := s.Lock(context.Background())
	must(t, err)
	if again, err := s.TryLock(); again != nil || err != nil {
		t.Errorf("the lock was given twice: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx); err != context.DeadlineExceeded {
		t.Errorf("waiting for the lock: %v", err)
	}

	cmd := exec.Command(treetest.Oracle(t, "ostree"), "admin", "cleanup", "--sysroot="+w.root())
	out := make(chan string, 8)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	go func() {
		buf := make([]byte, 256)
		for {
			n, err := stdout.Read(buf)
			out <- string(bytes.Clone(buf[:n]))
			if err != nil {
				close(out)
				return
			}
		}
	}()
	if text := <-out; !strings.HasPrefix(text, "Waiting for sysroot lock") {
		t.Errorf("the C program said %q", text)
	}
	unlock()
	for range out {
	}
	must(t, cmd.Wait())
	unlock, err = s.TryLock()
	if unlock == nil || err != nil {
		t.Fatalf("the lock is not free: %v", err)
	}
	unlock()
}
