package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rpmostree/internal/treetest"
)

// TestDisk makes an image of a sysroot and reads the boot entries from it.
func TestDisk(t *testing.T) {
	for _, tool := range []string{"mke2fs", "debugfs", "e2fsck"} {
		treetest.Oracle(t, tool)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"boot/loader.1/entries/ostree-1.conf": "title old\nversion 1\noptions a\nlinux /ostree/old/vmlinuz\ninitrd /i\n",
		"boot/loader.1/entries/ostree-2.conf": "title new\nversion 2\noptions ostree=/ostree/boot.1/lab/x/0 quiet\nlinux /ostree/new/vmlinuz\ninitrd /i\n",
		"boot/ostree/new/vmlinuz":             "kernel",
	} {
		name = filepath.Join(dir, "root", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("loader.1", filepath.Join(dir, "root/boot/loader")); err != nil {
		t.Fatal(err)
	}
	d := disk{filepath.Join(dir, "disk.img"), dir}
	if err := MakeDisk(t.Context(), filepath.Join(dir, "root"), d.image, 32); err != nil {
		t.Fatal(err)
	}
	entries, err := d.entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 || entries[0].Title != "new" || entries[1].Options != "a" {
		t.Fatalf("entries %+v", entries)
	}
	kernel, err := d.extract(t.Context(), entries[0].Linux)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(kernel); err != nil || string(text) != "kernel" {
		t.Errorf("the kernel is %q, %v", text, err)
	}
	if _, err := d.extract(t.Context(), entries[1].Linux); err == nil {
		t.Error("a kernel that is not there was found")
	}
	m := &Machine{config: Config{Disk: d.image, Dir: dir, Entry: 2}}
	if _, err := m.arguments(t.Context()); err == nil || !strings.Contains(err.Error(), "no entry 2") {
		t.Errorf("entry 2 of two: %v", err)
	}
}

// fakeAgent answers on a socket as qemu-guest-agent does: the first lines are left over from
// an earlier connection, and a command ends at the second question.
func fakeAgent(t *testing.T, socket string) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "{\"return\": 99}\n")
		asked := 0
		for s := bufio.NewScanner(conn); s.Scan(); {
			var request struct {
				Execute   string
				Arguments struct{ ID, PID int }
			}
			if json.Unmarshal([]byte(strings.TrimFunc(s.Text(), func(r rune) bool { return r == utf8.RuneError })), &request) != nil {
				return
			}
			switch request.Execute {
			case "guest-sync-delimited":
				fmt.Fprintf(conn, "\xff{\"return\": %d}\n", request.Arguments.ID)
			case "guest-exec":
				fmt.Fprintf(conn, "{\"return\": {\"pid\": 7}}\n")
			case "guest-exec-status":
				if asked++; asked < 2 {
					fmt.Fprintf(conn, "{\"return\": {\"exited\": false}}\n")
				} else if asked == 2 {
					fmt.Fprintf(conn, "{\"return\": {\"exited\": true, \"exitcode\": 3, \"out-data\": \"aGVsbG8K\"}}\n")
				} else {
					fmt.Fprintf(conn, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such process\"}}\n")
				}
			}
		}
	}()
}

func TestAgent(t *testing.T) {
	dir, err := os.MkdirTemp("", "agent-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	fakeAgent(t, socket)
	a, err := dial(socket, 5)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.run(t.Context(), "anything")
	if err != nil || r.Status != 3 || r.Output != "hello\n" {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := a.run(t.Context(), "anything"); err == nil || !strings.Contains(err.Error(), "no such process") {
		t.Errorf("the agent's error became %v", err)
	}
}

func TestDown(t *testing.T) {
	m := &Machine{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := m.Run(ctx, "true"); err == nil {
		t.Error("a command ran on a machine that was never up")
	}
	if err := m.Reboot(ctx); err == nil {
		t.Error("a machine that was never up rebooted")
	}
	if err := errors.Join(m.Crash(), m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
}
