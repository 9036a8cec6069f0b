package sysroot

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"

	"golang.org/x/sys/unix"
)

// inOwnMounts runs the test again in a mount namespace of its own, and reports
// whether it runs there already.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	const mark = "SYSROOT_TEST_OWN_MOUNTS"
	if os.Getenv(mark) != "" {
		return true
	}
	treetest.NeedRoot(t)
	self, err := os.Executable()
	must(t, err)
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		treetest.Skip(t, "cannot make a mount namespace: ", string(out))
	}
	cmd := exec.Command("unshare", "-m", "--propagation", "private", self, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// TestEarlyPrune has a /boot of 5 MiB and kernels of 3 MiB: no two of them fit.
func TestEarlyPrune(t *testing.T) {
	oracle(t)
	if !inOwnMounts(t) {
		return
	}
	w := newBootedWorld(t)
	boot := filepath.Join(w.root(), "boot")
	saved := filepath.Join(w.dir, "boot")
	must(t, os.Rename(boot, saved))
	must(t, os.Mkdir(boot, 0o755))
	must(t, unix.Mount("boot", boot, "tmpfs", 0, "size=5m"))
	t.Cleanup(func() { _ = unix.Unmount(boot, unix.MNT_DETACH) })
	if out, err := exec.Command("cp", "-a", saved+"/.", boot).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w.s.Close()
	var said recorder
	o := w.s.opts
	o.Progress, o.SkipSync = &said, true
	w.s = w.openWith(o)
	for i, kernel := range []string{"a", "b", "c"} {
		csum := w.commit(kernel, map[string]string{"usr/lib/modules/6.1.0/vmlinuz": strings.Repeat(kernel, 3<<20)})
		_, st := w.deploy(w.s, csum, nil)
		if len(st.Deployments) != 2 {
			t.Errorf("%d deployments after the deployment of %s", len(st.Deployments), kernel)
		}
		early := strings.Contains(strings.Join(said.lines, "\n"), "Insufficient space left in bootfs")
		if early != (i > 0) {
			t.Errorf("kernel %s: early prune is %v", kernel, early)
		}
		said.lines = nil
	}
	w.deployments()

	// What cannot fit at all fails and leaves the old state.
	before := w.deployments()
	csum := w.commit("d", map[string]string{"usr/lib/modules/6.1.0/vmlinuz": strings.Repeat("d", 9<<20)})
	st, err := w.s.Load()
	must(t, err)
	merge, _ := st.Booted()
	if _, _, err := w.s.Deploy(w.ctx, DeployOptions{Stateroot: "os", Commit: csum, Merge: &merge}); err == nil {
		t.Error("a kernel larger than /boot was installed")
	}
	if after := w.deployments(); strings.Join(before, " ") != strings.Join(after, " ") {
		t.Errorf("deployments %q, before %q", after, before)
	}
}
