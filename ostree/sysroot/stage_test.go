package sysroot

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/gvariant"
	"rpmostree/ostree/bootloader"
)

// bootedWorld is a world whose first deployment is taken for the running
// system. Its /run is a directory.
type bootedWorld struct {
	*world
	s   *Sysroot
	ctx context.Context
}

func newBootedWorld(t *testing.T) *bootedWorld {
	w := newWorld(t)
	w.commit("1", nil)
	w.c("admin", "deploy", "--sysroot="+w.root(), "--os=os", "--karg=root=x", "--karg=quiet", "os/main")
	run := filepath.Join(w.dir, "run")
	must(t, os.Mkdir(run, 0o755))
	markBootedIn(t, run, w.deployments()[0])
	o := options()
	o.host = host{root: w.root(), run: run, cmdline: filepath.Join(w.dir, "cmdline")}
	s, err := Open(w.root(), o)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return &bootedWorld{w, s, context.Background()}
}

// markBootedIn writes to run which deployment is running.
func markBootedIn(t *testing.T, run, deployment string) {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(deployment, &st))
	var v gvariant.Dict
	v.Set("backing-root-device-inode", gvariant.Tuple(gvariant.Uint64(uint64(st.Dev)), gvariant.Uint64(st.Ino)))
	must(t, os.WriteFile(filepath.Join(run, "ostree-booted"), v.Value().WithByteOrder(hostOrder()).Bytes(), 0o644))
}

func (w *bootedWorld) load() *State {
	w.Helper()
	st, err := w.s.Load()
	must(w.T, err)
	return st
}

// stage stages the head of the branch.
func (w *bootedWorld) stage(change func(*DeployOptions)) (Deployment, *State) {
	w.Helper()
	csum, err := w.s.Repo().ResolveRev("os/main")
	must(w.T, err)
	return w.deploy(w.s, csum, func(o *DeployOptions) {
		o.Stage = true
		if change != nil {
			change(o)
		}
	})
}

func TestBooted(t *testing.T) {
	w := newBootedWorld(t)
	st := w.load()
	if b, ok := st.Booted(); !ok || b.Index != 0 {
		t.Fatalf("booted deployment: %+v, %v", b, ok)
	}
	if _, err := w.s.Write(w.ctx, st, nil, WriteOptions{}); err == nil || err.Error() != "Attempting to remove booted deployment" {
		t.Errorf("removing it: %v", err)
	}

	// Without the directory in the file, the kernel command line decides.
	link, _ := st.Deployments[0].Kargs().Last("ostree")
	must(t, os.WriteFile(filepath.Join(w.s.host.run, "ostree-booted"), nil, 0o644))
	must(t, os.WriteFile(w.s.host.cmdline, []byte("quiet ostree="+link+"\n"), 0o644))
	if b, ok := w.load().Booted(); !ok || b.Index != 0 {
		t.Errorf("booted by command line: %+v, %v", b, ok)
	}
	must(t, os.WriteFile(w.s.host.cmdline, []byte("quiet\n"), 0o644))
	if _, err := w.s.Load(); err == nil || !strings.Contains(err.Error(), "bootloader entry not found") {
		t.Errorf("no booted deployment: %v", err)
	}
}

func TestStage(t *testing.T) {
	w := newBootedWorld(t)
	booted := w.deployments()[0]
	w.commit("2", map[string]string{"usr/bin/tool": "2", "usr/etc/conf": "new default"})
	d, st := w.stage(nil)
	if got, ok := st.Staged(); !ok || !got.Same(d) || got.Index != 0 || !got.Staged || got.Booted {
		t.Fatalf("staged: %+v, %v", got, ok)
	}
	if p, ok := st.Pending("os"); !ok || !p.Same(d) {
		t.Errorf("pending: %+v", p)
	}
	if n := len(w.deployments()); n != 1 {
		t.Errorf("%d deployments have boot entries before the finalization", n)
	}
	plant(t, booted+"/etc", map[string]string{"late": "changed after staging"})

	// Staging again replaces it.
	w.commit("3", map[string]string{"usr/bin/tool": "3", "usr/etc/conf": "new default"})
	kargs := bootloader.ParseKargs(`root=x a="b c"`)
	second, st := w.stage(func(o *DeployOptions) { o.Kargs = &kargs })
	if lexists(w.s.DeploymentPath(d)) || len(st.Deployments) != 2 {
		t.Errorf("the first staged deployment is still there")
	}
	must(t, w.s.SetFinalizationLock(second, true))
	must(t, w.s.FinalizeStaged(w.ctx))
	if s, _ := w.load().Staged(); !s.FinalizationLocked {
		t.Error("finalized in spite of the lock")
	}
	must(t, w.s.SetFinalizationLock(second, false))
	must(t, w.s.FinalizeStaged(w.ctx))

	st = w.load()
	if len(st.Deployments) != 2 || !st.Deployments[0].Same(second) || st.Deployments[0].Staged {
		t.Fatalf("after finalization: %+v", st.Deployments)
	}
	if got := w.deployments(); len(got) != 2 || got[0] != w.s.DeploymentPath(second) || got[1] != booted {
		t.Errorf("the C program sees %q", got)
	}
	k := st.Deployments[0].Kargs()
	k.Replace("ostree")
	if k.String() != `root=x a="b c" ostree` {
		t.Errorf("kernel arguments: %s", k)
	}
	if b, err := os.ReadFile(w.deployments()[0] + "/etc/late"); err != nil || string(b) != "changed after staging" {
		t.Errorf("late change of /etc: %q, %v", b, err)
	}
	must(t, w.s.FinalizeStaged(w.ctx))
	must(t, w.s.BootComplete())
}

func TestStageInheritsKargs(t *testing.T) {
	w := newBootedWorld(t)
	w.commit("2", map[string]string{"usr/bin/tool": "2"})
	w.stage(nil)
	must(t, w.s.FinalizeStaged(w.ctx))
	if k := w.load().Deployments[0].Kargs(); !strings.HasPrefix(k.String(), "root=x quiet ostree=") {
		t.Errorf("kernel arguments: %s", k)
	}
}

func TestStageDropped(t *testing.T) {
	w := newBootedWorld(t)
	w.commit("2", map[string]string{"usr/bin/tool": "2"})
	d, st := w.stage(nil)
	// A list that begins with it keeps it, any other list drops it.
	st, err := w.s.Write(w.ctx, st, st.Deployments, WriteOptions{})
	must(t, err)
	if _, ok := st.Staged(); !ok {
		t.Error("the staged deployment was dropped")
	}
	st, err = w.s.Write(w.ctx, st, st.Without(0), WriteOptions{})
	must(t, err)
	if _, ok := st.Staged(); ok || lexists(w.s.DeploymentPath(d)) {
		t.Error("the staged deployment was kept")
	}
}

func TestFinalizeFailure(t *testing.T) {
	w := newBootedWorld(t)
	w.commit("2", map[string]string{"usr/etc/clash/file": "now a directory"})
	w.stage(nil)
	plant(t, w.deployments()[0]+"/etc", map[string]string{"clash": "a file"})
	err := w.s.FinalizeStaged(w.ctx)
	if err == nil || !strings.Contains(err.Error(), "Modified config file newly defaults to directory 'clash', cannot merge") {
		t.Fatalf("finalization: %v", err)
	}
	if n := len(w.load().Deployments); n != 1 {
		t.Errorf("%d deployments", n)
	}
	if err := w.s.BootComplete(); err == nil || !strings.HasPrefix(err.Error(), "ostree-finalize-staged.service failed on previous boot: Finalizing deployment: During /etc merge: ") {
		t.Errorf("after the next boot: %v", err)
	}
	must(t, w.s.BootComplete())
}

func TestStageInitrd(t *testing.T) {
	w := newBootedWorld(t)
	csum, err := w.s.StageInitrd(strings.NewReader("more initramfs"))
	must(t, err)
	if fi, err := os.Stat(filepath.Join(w.s.stagedInitrds(), csum)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("others may read the image: %v, %v", fi.Mode(), err)
	}
	w.commit("2", map[string]string{"usr/bin/tool": "2"})
	w.stage(func(o *DeployOptions) { o.Overlays = []string{csum} })
	must(t, w.s.FinalizeStaged(w.ctx))
	st := w.load()
	image := filepath.Join(w.root(), "boot/ostree/initramfs-overlays", csum+".img")
	if b, err := os.ReadFile(image); err != nil || string(b) != "more initramfs" {
		t.Errorf("%q, %v", b, err)
	}
	text, err := st.Deployments[0].Entry.Marshal()
	must(t, err)
	if !strings.Contains(string(text), "\ninitrd /ostree/initramfs-overlays/"+csum+".img\n") {
		t.Errorf("boot entry:\n%s", text)
	}
	w.deployments() // the C program reads it

	_, err = w.s.Write(w.ctx, st, st.Without(0), WriteOptions{})
	must(t, err)
	if lexists(image) {
		t.Error("the image outlived its deployment")
	}
}

func TestPin(t *testing.T) {
	w := newBootedWorld(t)
	must(t, w.s.Pin(w.load().Deployments[0], true))
	if out := w.c("admin", "status", "--sysroot="+w.root()); !strings.Contains(out, "    Pinned: yes\n") {
		t.Errorf("the C program says\n%s", out)
	}
	if !w.load().Deployments[0].Pinned() {
		t.Error("not pinned")
	}
	w.c("admin", "pin", "--sysroot="+w.root(), "--unpin", "0")
	if w.load().Deployments[0].Pinned() {
		t.Error("pinned after the C program unpinned it")
	}
	w.commit("2", map[string]string{"usr/bin/tool": "2"})
	must(t, w.s.Pin(w.load().Deployments[0], true))
	d, _ := w.stage(func(o *DeployOptions) { o.Origin = WithoutTransient(o.Merge.Origin) })
	if d.Pinned() || d.Refspec() != "os/main" {
		t.Errorf("the successor of a pinned deployment has the origin\n%s", d.Origin.Bytes())
	}
	if err := w.s.Pin(d, true); err == nil || err.Error() != "Cannot pin staged deployment" {
		t.Errorf("pinning a staged deployment: %v", err)
	}
}
