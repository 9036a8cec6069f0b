package sysroot

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// finalizeVictim and finalizeRun are the environment variables that make this
// test program finalize the staged deployment of a sysroot whose /run is a
// directory, and nothing else.
const (
	finalizeVictim = "SYSROOT_TEST_FINALIZE"
	finalizeRun    = "SYSROOT_TEST_RUN"
)

func beFinalizer(root, run string) error {
	o := options()
	o.host = host{root: root, run: run, cmdline: filepath.Join(run, "cmdline")}
	s, err := Open(root, o)
	if err != nil {
		return err
	}
	return s.FinalizeStaged(context.Background())
}

// TestKillFinalize kills the finalization of a staged deployment, as a machine
// does that loses power while it shuts down. What boots next, without /run,
// must be the old deployments or the new ones.
func TestKillFinalize(t *testing.T) {
	w := newBootedWorld(t)
	plant(t, w.deployments()[0]+"/etc", map[string]string{"conf": "changed"})
	w.commit("2", map[string]string{"usr/bin/tool": "2", "usr/lib/modules/6.1.0/vmlinuz": "kernel 2"})
	w.stage(nil)
	staged := w.world.clone()
	run := w.s.host.run
	copyRun := func() string {
		dir := filepath.Join(t.TempDir(), "run")
		if out, err := exec.Command("cp", "-a", run, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return dir
	}
	finalize := func(v *world, point string) bool {
		return runKilled(t, point, finalizeVictim+"="+v.root(), finalizeRun+"="+rebooted(t, v, copyRun()))
	}
	done := staged.clone()
	finalize(done, "")
	before, after := settled(t, staged.clone()), settled(t, done)
	if diffLines(before, after) == "" {
		t.Fatal("the finalization did nothing")
	}
	for _, point := range append([]string{"sysroot.finalize.begun"}, deployPoints[2:13]...) {
		t.Run(point, func(t *testing.T) {
			v := staged.clone()
			v.T = t
			if !finalize(v, point) {
				t.Skip("not on the way of this case")
			}
			checkBootable(t, v)
			got := settled(t, v)
			if diffLines(before, got) != "" && diffLines(after, got) != "" {
				t.Errorf("neither old nor new; - new state only, + what there is:\n%s", diffLines(after, got))
			}
		})
	}
}

// rebooted makes the /run in dir that of a copy of the sysroot, whose files
// have other numbers.
func rebooted(t *testing.T, v *world, dir string) string {
	t.Helper()
	markBootedIn(t, dir, v.deployments()[0])
	if _, err := os.Stat(filepath.Join(dir, "ostree/staged-deployment")); err != nil {
		t.Fatal(err)
	}
	return dir
}
