package sysroot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUnlock mounts on the usr directory of the test's sysroot, which stands in
// for the root of the running system.
func TestUnlock(t *testing.T) {
	oracle(t)
	if !inOwnMounts(t) {
		return
	}
	for _, mode := range []Unlocked{UnlockedDevelopment, UnlockedTransient, UnlockedHotfix} {
		w := newBootedWorld(t)
		usr := filepath.Join(w.root(), "usr")
		must(t, os.Mkdir(usr, 0o755))
		must(t, os.MkdirAll(filepath.Join(w.root(), "var/tmp"), 0o755))
		must(t, unix.Mount("tmpfs", filepath.Join(w.root(), "var"), "tmpfs", 0, "")) // an overlay's upper directory may not be on an overlay
		must(t, os.Mkdir(filepath.Join(w.root(), "var/tmp"), 0o755))
		t.Cleanup(func() {
			_ = unix.Unmount(usr, unix.MNT_DETACH)
			_ = unix.Unmount(filepath.Join(w.root(), "var"), unix.MNT_DETACH)
		})
		st := w.load()
		must(t, w.s.Unlock(w.ctx, st, mode))
		err := os.WriteFile(usr+"/bin/tool", []byte("changed"), 0o755)
		if (err != nil) != (mode == UnlockedTransient) {
			t.Errorf("%s: writing to /usr: %v", mode, err)
		}
		if b, err := os.ReadFile(w.deployments()[0] + "/usr/bin/tool"); err != nil || string(b) != "tool" {
			t.Errorf("%s: the deployment itself has %q, %v", mode, b, err)
		}
		st = w.load()
		if b, _ := st.Booted(); b.Unlocked != mode {
			t.Errorf("unlocked state is %q, want %q", b.Unlocked, mode)
		}
		if want := map[Unlocked]int{UnlockedHotfix: 2}[mode]; want != 0 && len(st.Deployments) != want {
			t.Errorf("%s: %d deployments", mode, len(st.Deployments))
		}
		if err := w.s.Unlock(w.ctx, st, mode); err == nil || !strings.HasPrefix(err.Error(), "Deployment is already in unlocked state: ") {
			t.Errorf("unlocking again: %v", err)
		}
		if mode == UnlockedHotfix && !strings.Contains(w.c("admin", "status", "--sysroot="+w.root()), "Unlocked: hotfix") {
			t.Error("the C program does not see the hotfix")
		}
	}
}
