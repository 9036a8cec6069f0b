package nspawn

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestArguments follows a boot entry to its deployment.
func TestArguments(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "sys:root")
	deployment := filepath.Join(root, "ostree/deploy/lab/deploy/aa.0")
	for _, d := range []string{filepath.Join(root, "boot/loader/entries"), deployment, filepath.Join(root, "ostree/boot.1/lab/bb")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../../deploy/lab/deploy/aa.0", filepath.Join(root, "ostree/boot.1/lab/bb/0")); err != nil {
		t.Fatal(err)
	}
	m := &Machine{name: "lab", config: Config{Sysroot: root, Dir: dir}}
	if _, err := m.arguments(); err == nil {
		t.Error("a sysroot without boot entries can be booted")
	}
	entry := filepath.Join(root, "boot/loader/entries/ostree-1.conf")
	if err := os.WriteFile(entry, []byte("version 1\noptions quiet ostree=/ostree/boot.1/lab/bb/0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	args, err := m.arguments()
	if err != nil {
		t.Fatal(err)
	}
	if m.Deployment() != deployment {
		t.Errorf("the deployment is %s", m.Deployment())
	}
	escaped := strings.ReplaceAll(root, ":", `\:`)
	for _, want := range []string{
		"--bind=" + escaped + ":/sysroot:norbind",
		"--bind=" + escaped + "/ostree/deploy/lab/var:/var:norbind",
		"--bind-ro=" + escaped + "/ostree/deploy/lab/deploy/aa.0/usr:/usr:norbind",
	} {
		if !slices.Contains(args, want) {
			t.Errorf("no argument %q in %q", want, args)
		}
	}
	if text, err := os.ReadFile(m.file("cmdline")); err != nil || string(text) != "quiet ostree=/ostree/boot.1/lab/bb/0\n" {
		t.Errorf("kernel arguments %q, %v", text, err)
	}
	m.config.Entry = 1
	if _, err := m.arguments(); err == nil || !strings.Contains(err.Error(), "no entry 1") {
		t.Errorf("entry 1 of one: %v", err)
	}
	if err := os.WriteFile(entry, []byte("version 1\noptions quiet\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.config.Entry = 0
	if _, err := m.arguments(); err == nil {
		t.Error("an entry without ostree= can be booted")
	}
}
