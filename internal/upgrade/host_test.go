package upgrade

import (
	"path/filepath"
	"testing"

	"rpmostree/ostree/sysroot"
)

// The booted deployment's files are those of the running system, another one's are its own.
func TestFilesOfRepositories(t *testing.T) {
	dir := t.TempDir()
	if err := sysroot.InitFS(dir, 1); err != nil {
		t.Fatal(err)
	}
	s, err := sysroot.Open(dir, sysroot.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := &Host{Sysroot: s}
	d := sysroot.Deployment{OSName: "os", Serial: 1}
	root, state := h.files(&target{merge: d})
	if root != filepath.Join(dir, d.Path()) || state != filepath.Join(dir, "ostree/deploy/os/var") {
		t.Errorf("another system's are in %s, %s", root, state)
	}
	d.Booted = true
	if root, state := h.files(&target{merge: d}); root != "/" || state != "" {
		t.Errorf("the running system's are in %s, %s", root, state)
	}
}
