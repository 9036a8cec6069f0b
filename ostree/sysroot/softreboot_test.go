package sysroot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/gvariant"
	"rpmostree/ostree/bootloader"
)

// newSoftWorld is a booted world in which a soft reboot is prepared by leaving
// the state file only.
func newSoftWorld(t *testing.T) (*bootedWorld, *int) {
	w := newBootedWorld(t)
	cleared := new(int)
	w.s.host.prepareNext = func(path string) error {
		var st unix.Stat_t
		must(t, unix.Stat(path, &st))
		var v gvariant.Dict
		v.Set("backing-root-device-inode", gvariant.Tuple(gvariant.Uint64(uint64(st.Dev)), gvariant.Uint64(st.Ino)))
		return writeRunFile(w.s.nextRootPath(), v.Value().WithByteOrder(hostOrder()).Bytes(), 0o644)
	}
	w.s.host.clearNext = func() error { *cleared++; return nil }
	return w, cleared
}

// softReboot returns the index of the deployment that is marked, or -1.
func (w *bootedWorld) softReboot() int {
	w.Helper()
	d, ok := w.load().find(func(d Deployment) bool { return d.SoftReboot })
	if !ok {
		return -1
	}
	return d.Index
}

func TestSoftReboot(t *testing.T) {
	w, _ := newSoftWorld(t)
	w.commit("2", map[string]string{"usr/bin/tool": "2"})
	d, st := w.stage(nil)
	if got := w.softReboot(); got != -1 {
		t.Errorf("deployment %d is marked before", got)
	}
	st, err := w.s.PrepareSoftReboot(w.ctx, st, d)
	must(t, err)
	if got := w.softReboot(); got != 0 || !st.Deployments[0].SoftReboot {
		t.Errorf("deployment %d is marked, want 0", got)
	}
	must(t, w.s.ClearSoftReboot(st))
	if got := w.softReboot(); got != -1 {
		t.Errorf("deployment %d is marked after a reset", got)
	}
	must(t, w.s.ClearSoftReboot(w.load())) // there is nothing to do

	// It outlives the finalization, and the next boot.
	_, err = w.s.PrepareSoftReboot(w.ctx, w.load(), d)
	must(t, err)
	must(t, w.s.FinalizeStaged(w.ctx))
	if got := w.softReboot(); got != 0 {
		t.Errorf("deployment %d is marked after the finalization, want 0", got)
	}
	must(t, w.s.BootComplete())
	if b, ok := w.load().Booted(); !ok || !b.Same(d) || lexists(w.s.nextRootPath()) {
		t.Errorf("booted %+v, %v", b, ok)
	}
}

func TestSoftRebootDropped(t *testing.T) {
	w, cleared := newSoftWorld(t)
	w.commit("2", map[string]string{"usr/bin/tool": "2"})
	d, st := w.stage(nil)
	_, err := w.s.PrepareSoftReboot(w.ctx, st, d)
	must(t, err)
	*cleared = 0
	w.commit("3", map[string]string{"usr/bin/tool": "3"})
	d, st = w.stage(nil)
	if got := w.softReboot(); got != -1 || *cleared != 1 {
		t.Errorf("deployment %d is marked after another was staged, cleared %d times", got, *cleared)
	}
	st, err = w.s.PrepareSoftReboot(w.ctx, st, d)
	must(t, err)
	*cleared = 0
	_, err = w.s.Write(w.ctx, st, st.Without(0), WriteOptions{})
	must(t, err)
	if got := w.softReboot(); got != -1 || *cleared != 1 || lexists(w.s.nextRootPath()) {
		t.Errorf("deployment %d is marked after the target went, cleared %d times", got, *cleared)
	}
}

// TestSoftRebootOther prepares for another deployment than the staged one, which
// goes.
func TestSoftRebootOther(t *testing.T) {
	w, _ := newSoftWorld(t)
	w.commit("2", map[string]string{"usr/bin/tool": "2"})
	w.stage(nil)
	must(t, w.s.FinalizeStaged(w.ctx))
	other := w.load().Deployments[0]
	w.commit("3", map[string]string{"usr/bin/tool": "3"})
	_, st := w.stage(nil)
	st, err := w.s.PrepareSoftReboot(w.ctx, st, other)
	must(t, err)
	if _, staged := st.Staged(); staged || w.softReboot() != 0 || !st.Deployments[0].Same(other) {
		t.Errorf("state %+v", st.Deployments)
	}
}

func TestSoftRebootRefused(t *testing.T) {
	const want = "Preparing /run/nextroot for a soft-reboot: Cannot soft-reboot to deployment with different kernel state"
	w, _ := newSoftWorld(t)
	w.commit("2", map[string]string{"usr/lib/modules/6.1.0/vmlinuz": "another"})
	d, st := w.stage(nil)
	if _, err := w.s.PrepareSoftReboot(w.ctx, st, d); err == nil || err.Error() != want {
		t.Errorf("another kernel: %v", err)
	}
	w.commit("3", map[string]string{"usr/bin/tool": "3"})
	kargs := bootloader.ParseKargs("root=x debug")
	d, st = w.stage(func(o *DeployOptions) { o.Kargs = &kargs })
	if _, err := w.s.PrepareSoftReboot(w.ctx, st, d); err == nil || err.Error() != want {
		t.Errorf("other arguments: %v", err)
	}
	same := bootloader.ParseKargs("root=x quiet")
	d, st = w.stage(func(o *DeployOptions) { o.Kargs = &same })
	w.s.host.prepareNext = func(string) error {
		must(t, writeRunFile(w.s.nextRootPath(), []byte("half"), 0o644))
		return os.ErrPermission
	}
	if _, err := w.s.PrepareSoftReboot(w.ctx, st, d); err == nil || !strings.Contains(err.Error(), "permission denied") || lexists(w.s.nextRootPath()) {
		t.Errorf("a failure: %v", err)
	}
	if w.load(); lexists(filepath.Join(w.s.host.run, "ostree/nextroot-booted")) {
		t.Error("something is left")
	}
}
