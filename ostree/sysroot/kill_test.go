package sysroot

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rpmostree/internal/failpoint"
)

// deployVictim is the environment variable that makes this test program deploy
// the commit "os/main" in the sysroot that it names, and nothing else.
const deployVictim = "SYSROOT_TEST_VICTIM"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "semodule" {
		os.Exit(beSemodule())
	}
	if root := os.Getenv(tryWritable); root != "" {
		beWriter(root)
		return
	}
	if root := os.Getenv(readVictim); root != "" {
		beReader(root)
		return
	}
	if root := os.Getenv(finalizeVictim); root != "" {
		if err := beFinalizer(root, os.Getenv(finalizeRun)); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	if root := os.Getenv(deployVictim); root != "" {
		if err := beVictim(root); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func beVictim(root string) error {
	s, err := Open(root, options())
	if err != nil {
		return err
	}
	st, err := s.Load()
	if err != nil {
		return err
	}
	csum, err := s.Repo().ResolveRev("os/main")
	if err != nil {
		return err
	}
	o := DeployOptions{Stateroot: "os", Commit: csum, Origin: NewOrigin("os/main")}
	if m, ok := st.MergeDeployment("os"); ok {
		o.Merge = &m
	}
	_, _, err = s.Deploy(context.Background(), o)
	return err
}

// deployPoints are the failpoints that a deployment passes.
var deployPoints = []string{
	"sysroot.deploy.checkout", "sysroot.deploy.etc", "sysroot.deploy.merged",
	"sysroot.boot.kernel", "sysroot.boot.kernel@2", "sysroot.boot.entries", "sysroot.boot.links", "sysroot.boot.linkswapped",
	"sysroot.boot.linked", "sysroot.boot.written", "sysroot.boot.swapped",
	"sysroot.cleanup", "sysroot.cleanup@4", "sysroot.cleanup@5", "sysroot.cleanup@6", "sysroot.cleanup@7",
	"sysroot.remove", "sysroot.remove@2", "sysroot.remove@3", "sysroot.remove.kernel",
}

// TestKill kills a deployment at each point. The sysroot must then have the old
// deployments or the new ones, bootable, and a cleanup must leave nothing else.
func TestKill(t *testing.T) {
	for name, kernel := range map[string]string{"same kernel": "kernel", "new kernel": "another kernel", "same entries": "kernel"} {
		w := newWorld(t)
		w.commit("1", nil)
		w.c("admin", "deploy", "--sysroot="+w.root(), "--os=os", "--karg=quiet", "os/main")
		if name == "same entries" { // two deployments before, two after: only links change
			w.c("admin", "deploy", "--sysroot="+w.root(), "--os=os", "os/main")
			plant(t, w.deployments()[1]+"/etc", map[string]string{"conf": "changed"})
		}
		plant(t, w.deployments()[0]+"/etc", map[string]string{"conf": "changed"})
		w.commit("1", map[string]string{"usr/bin/tool": "2", "usr/lib/modules/6.1.0/vmlinuz": kernel})
		done := w.clone()
		runVictim(t, done.root(), "")
		before, after := settled(t, w.clone()), settled(t, done)
		if diffLines(before, after) == "" {
			t.Fatal("the deployment did nothing")
		}
		for _, point := range deployPoints {
			t.Run(name+"/"+point, func(t *testing.T) {
				v := w.clone()
				v.T = t
				if !runVictim(t, v.root(), point) {
					t.Skip("not on the way of this case")
				}
				checkBootable(t, v)
				got := settled(t, v)
				if diffLines(before, got) != "" && diffLines(after, got) != "" {
					t.Errorf("neither old nor new; - new state only, + what there is:\n%s", diffLines(after, got))
				}
				v.c("--repo="+v.repo(), "fsck", "--quiet")
				runVictim(t, v.root(), "")
				checkBootable(t, v)
			})
		}
	}
}

// runVictim reports whether the process was killed at the point.
func runVictim(t *testing.T, root, point string) bool {
	t.Helper()
	return runKilled(t, point, deployVictim+"="+root)
}

// runKilled runs this test program with an environment, to be killed at a
// point, and reports whether it was.
func runKilled(t *testing.T, point string, env ...string) bool {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), failpoint.Env+"="+point), env...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !st.Signaled() || st.Signal() != syscall.SIGKILL {
		t.Fatalf("%v: %s", err, out)
	}
	return true
}

// settled cleans up and describes what is there. What differs between equal
// states is left out: the numbers of versions.
func settled(t *testing.T, w *world) []string {
	t.Helper()
	s, err := Open(w.root(), options())
	must(t, err)
	defer s.Close()
	st, err := s.Load()
	must(t, err)
	must(t, s.Cleanup(context.Background(), st))
	old := "boot." + string(rune('0'+st.BootVersion))
	var lines []string
	for _, l := range dump(t, w.root()) {
		l = strings.ReplaceAll(l, old+"."+string(rune('0'+st.SubBootVersion)), "boot.V.S")
		l = strings.ReplaceAll(l, old, "boot.V")
		l = strings.ReplaceAll(l, "loader."+string(rune('0'+st.BootVersion)), "loader.V")
		l = strings.ReplaceAll(l, "heads/ostree/"+string(rune('0'+st.BootVersion)), "heads/ostree/V")
		l = strings.ReplaceAll(l, "heads/ostree/V/"+string(rune('0'+st.SubBootVersion)), "heads/ostree/V/S")
		if strings.HasPrefix(l, "ostree/repo/refs/heads/ostree") && !strings.Contains(l, "/V/S/") {
			continue // empty directories
		}
		if strings.HasSuffix(strings.Fields(l)[0], "boot/boot") {
			continue // made on the first write
		}
		lines = append(lines, l)
	}
	return lines
}

// checkBootable checks that each boot entry names files and a deployment that
// are there and whole.
func checkBootable(t *testing.T, w *world) {
	t.Helper()
	s, err := Open(w.root(), options())
	must(t, err)
	defer s.Close()
	st, err := s.Load()
	must(t, err)
	if len(st.Deployments) == 0 {
		t.Fatal("nothing to boot")
	}
	var paths []string
	for _, d := range st.Deployments {
		for _, key := range []string{"linux", "initrd"} {
			v, _ := d.Entry.Get(key)
			if _, err := os.Stat(filepath.Join(w.root(), "boot", v)); err != nil {
				t.Error(err)
			}
		}
		link, _ := d.Kargs().Last("ostree")
		if _, err := os.Stat(filepath.Join(w.root(), link, "usr/lib/os-release")); err != nil {
			t.Error(err)
		}
		if conf, err := os.ReadFile(s.DeploymentPath(d) + "/etc/conf"); err != nil || string(conf) != "changed" {
			t.Errorf("/etc/conf of deployment %d is %q, %v", d.Index, conf, err)
		}
		if _, err := s.Repo().Commit(d.Checksum); err != nil {
			t.Error(err)
		}
		paths = append(paths, s.DeploymentPath(d))
	}
	if want := w.deployments(); !slices.Equal(paths, want) {
		t.Errorf("we see %q, the C program sees %q", paths, want)
	}
}
