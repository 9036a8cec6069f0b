package sysroot

import (
	"context"
	"os"
	"strings"
	"testing"

	"rpmostree/ostree/bootloader"
)

// TestInitLikeC makes an empty sysroot with both programs.
func TestInitLikeC(t *testing.T) {
	oracle(t)
	for epoch, option := range [][]string{nil, {"--modern"}} {
		c, ours := &world{T: t, dir: tempDir(t)}, &world{T: t, dir: tempDir(t)}
		for _, w := range []*world{c, ours} {
			must(t, os.Mkdir(w.root(), 0o755))
		}
		c.c(append([]string{"admin", "init-fs", c.root()}, option...)...)
		c.c("admin", "os-init", "--sysroot="+c.root(), "os")
		must(t, InitFS(ours.root(), epoch))
		s := ours.open()
		must(t, s.InitStateroot("os"))
		fillVar(t, s)
		compare(t, c, ours)
	}
}

// TestDeployLikeC deploys the same commits with both programs, starting from
// the same sysroot, and compares all that is there afterwards.
func TestDeployLikeC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.commit("1", nil)
	c, ours := w.clone(), w.clone()
	s := ours.open()

	kargs := bootloader.ParseKargs("root=LABEL=root quiet console=tty0 console=ttyS0")
	c.c("admin", "deploy", "--sysroot="+c.root(), "--os=os", "--karg=root=LABEL=root", "--karg=quiet",
		"--karg-append=console=tty0", "--karg-append=console=ttyS0", "os/main")
	ours.deploy(s, first, func(o *DeployOptions) { o.Kargs = &kargs })
	compare(t, c, ours)

	// Changes of /etc, and a new commit with the same kernel: entries stay if
	// the version stays.
	for _, x := range []*world{c, ours} {
		etc := x.deployments()[0] + "/etc"
		plant(t, etc, map[string]string{
			"conf": "changed", "dir/file": "owner=7 mode=640 changed", "dir/new": "xattr=a new", "own/deep/file": "own",
			"own/": "mode=700 ", "link": "-> elsewhere", "fifo": "fifo",
		})
	}
	changes := []map[string]string{
		{"usr/bin/tool": "mode=755 tool 2", "usr/etc/conf": "new default", "usr/etc/more": "more"},
		{"usr/lib/modules/6.1.0/vmlinuz": "kernel 2"},
		{"usr/lib/modules/6.1.0/vmlinuz": "-", "usr/lib/modules/6.1.0/initramfs.img": "-",
			"usr/lib/modules/6.2.0/vmlinuz": "kernel 3"},
		{"usr/lib/modules/6.1.0/devicetree": "dt", "usr/lib/modules/6.1.0/.vmlinuz.hmac": "hmac"},
		{"usr/lib/modules/6.1.0/dtb/a/x.dtb": "x", "usr/lib/modules/6.1.0/dtb/b.dtb": "b", "usr/lib/modules/6.1.0/dtb/l": "-> b.dtb"},
	}
	versions := []string{"1", "1", "2", "3", "3"}
	for i, change := range changes {
		csum := c.commit(versions[i], change)
		ours.commit(versions[i], change)
		c.c("admin", "deploy", "--sysroot="+c.root(), "--os=os", "os/main")
		ours.deploy(s, csum, nil)
		compare(t, c, ours)
	}
}

// TestDeployRefused deploys what would not boot, or would lose changes of /etc.
func TestDeployRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open()
	w.deploy(s, w.commit("1", map[string]string{"usr/etc/d/file": "1"}), nil)
	plant(t, w.deployments()[0]+"/etc", map[string]string{"d/file": "changed"})
	const config = "usr/lib/ostree/prepare-root.conf"
	for _, tt := range []struct {
		change map[string]string
		err    string
	}{
		{map[string]string{config: "[composefs]\nenabled=yes\n"}, "composefs: enabled at runtime, but support is not compiled in"},
		{map[string]string{"usr/etc/ostree/prepare-root.conf": "[composefs]\nenabled=signed\n"}, "composefs: enabled at runtime, but support is not compiled in"},
		{map[string]string{config: "[composefs]\nenabled=2\n"}, "Reading rootfs config: Parsing rootfs config: Invalid tri-state value: 2"},
		{map[string]string{config: "[root]\ntransient=true\ntransient-ro=true\n"}, "Cannot set both root.transient and root.transient-ro"},
		{map[string]string{config: "x"}, "Reading rootfs config: Failed to parse config: " + config},
		{map[string]string{"usr/etc/d": "-> /etc/elsewhere"}, "Modified config directory 'd' newly defaults to a symbolic link that leads out of /etc, cannot merge"},
	} {
		csum := w.commit("2", tt.change)
		st, err := s.Load()
		must(t, err)
		merge, _ := st.MergeDeployment("os")
		_, _, err = s.Deploy(context.Background(), DeployOptions{Stateroot: "os", Commit: csum, Merge: &merge})
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: %v, want %q", tt.change, err, tt.err)
		}
	}
	if n := len(w.deployments()); n != 1 {
		t.Errorf("%d deployments", n)
	}
}

// deployments returns the paths of the deployments in boot order, as the C
// program sees them.
func (w *world) deployments() []string {
	w.Helper()
	return w.listed(w.status())
}

func (w *world) status() string {
	w.Helper()
	return w.c("admin", "status", "--sysroot="+w.root())
}

// listed returns the paths of the deployments in a status.
func (w *world) listed(status string) []string {
	var list []string
	for line := range strings.Lines(status) {
		f := strings.Fields(strings.TrimPrefix(line, "*"))
		if strings.HasPrefix(line, "    ") || len(f) < 2 {
			continue
		}
		list = append(list, w.root()+"/ostree/deploy/"+f[0]+"/deploy/"+f[1])
	}
	return list
}

// TestTakingTurns updates one sysroot with both programs in turn.
func TestTakingTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open()
	deploy := []func(){
		func() { w.c("admin", "deploy", "--sysroot="+w.root(), "--os=os", "os/main") },
		func() {
			csum, err := s.Repo().ResolveRev("os/main")
			must(t, err)
			w.deploy(s, csum, nil)
		},
	}
	kernel := []string{"a", "a", "b", "b", "c", "d", "d", "e"}
	for i, k := range kernel {
		w.commit("1", map[string]string{"usr/lib/modules/6.1.0/vmlinuz": k, "usr/bin/x": strings.Repeat("x", i)})
		deploy[i/2%2]()
		st, err := s.Load()
		must(t, err)
		var got []string
		for _, d := range st.Deployments {
			got = append(got, s.DeploymentPath(d))
		}
		if want := w.deployments(); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("step %d: we see %q, the C program sees %q", i, got, want)
		}
		w.c("--repo="+w.repo(), "fsck", "--quiet")
	}
	w.c("admin", "cleanup", "--sysroot="+w.root())
	st, err := s.Load()
	must(t, err)
	must(t, s.Cleanup(context.Background(), st))
}
