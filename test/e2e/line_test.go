package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/test/distro/world"
	"rpmostree/test/e2e/initramfs"
	"rpmostree/test/e2e/machine"
	"rpmostree/test/e2e/nspawn"
	"rpmostree/test/e2e/qemu"
)

// line is a composed system and a sysroot that follows it.
type line struct {
	t       *testing.T
	bin     string // directory of the programs under test
	world   *world.World
	repo    string // what is composed
	sysroot string
}

func newLine(t *testing.T) *line {
	t.Helper()
	need(t, nspawn.Missing())
	treetest.Oracle(t, "ostree")
	treetest.Oracle(t, "rpm")
	l := &line{t: t, bin: t.TempDir(), world: world.Get(t), repo: filepath.Join(t.TempDir(), "repo"), sysroot: machine.SysrootDir(t)}
	c := exec.Command("go", "build", "-o", l.bin+"/", "rpmostree/cmd/...")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	l.run("ostree", "init", "--repo="+l.repo, "--mode=bare")
	return l
}

// at runs a part of the line as a subtest, which ends the test if it fails.
func (l *line) at(name string, part func(l *line)) {
	l.t.Helper()
	ok := l.t.Run(name, func(t *testing.T) {
		here := *l
		here.t = t
		part(&here)
	})
	if !ok {
		l.t.FailNow()
	}
}

// command runs a program and returns its output, with standard error.
func (l *line) command(name string, args ...string) string {
	l.t.Helper()
	out, err := exec.CommandContext(l.t.Context(), name, args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// run runs a program under test.
func (l *line) run(name string, args ...string) string {
	l.t.Helper()
	return l.command(filepath.Join(l.bin, name), args...)
}

// compose composes a treefile and pulls the result into the sysroot's repository as a
// client of the remote "lab".
func (l *line) compose(treefile string) {
	l.t.Helper()
	cache := filepath.Join(filepath.Dir(l.repo), "cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		l.t.Fatal(err)
	}
	l.run("rpm-ostree", "compose", "tree", "--repo="+l.repo, "--cachedir="+cache, treefile)
	l.command("ostree", "fsck", "--repo="+l.repo)
}

func (l *line) ostreeRepo() string { return filepath.Join(l.sysroot, "ostree/repo") }

// rpmOSTree changes the sysroot, and lets the C ostree look at what came of it.
func (l *line) rpmOSTree(args ...string) string {
	l.t.Helper()
	out := l.run("rpm-ostree", append(args, "--sysroot="+l.sysroot)...)
	l.check()
	return out
}

// check lets the established tools judge the sysroot and its default deployment.
func (l *line) check() {
	l.t.Helper()
	l.command("ostree", "fsck", "--repo="+l.ostreeRepo())
	status := l.command("ostree", "admin", "status", "--sysroot="+l.sysroot)
	first := strings.Fields(status)
	if len(first) < 2 || first[0] != "lab" {
		l.t.Fatalf("ostree admin status:\n%s", status)
	}
	root := filepath.Join(l.sysroot, "ostree/deploy/lab/deploy", first[1])
	out, err := exec.Command("rpm", "--root", root, "--dbpath", "/usr/share/rpm", "-Va", "--nomtime").CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if !expected(strings.Fields(line)) {
			l.t.Errorf("rpm -Va: %s", line)
		}
	}
}

// expected says whether a line of rpm -Va is as it must be in a deployment: /var is empty,
// some directories of / are links, and configuration may have been changed.
func expected(fields []string) bool {
	switch {
	case len(fields) == 2 && fields[0] == "missing":
		return strings.HasPrefix(fields[1], "/var/")
	case len(fields) == 2 && fields[0] == "....L....":
		return strings.Contains(" /home /media /mnt /opt /root /srv /usr/local ", " "+fields[1]+" ")
	}
	return len(fields) == 3 && fields[1] == "c"
}

// boot boots the default deployment, runs a part in it, and shuts down. What the first boot
// left in /etc and /var must be there.
func (l *line) boot(part func(m machine.Machine)) {
	l.t.Helper()
	m, err := nspawn.Boot(l.t.Context(), nspawn.Config{Sysroot: l.sysroot})
	if err != nil {
		l.t.Fatal(err)
	}
	machine.Cleanup(l.t, m)
	l.inside(m, part)
}

const (
	keepState = "echo mine >/etc/mine; echo '# edited' >>/etc/profile; mkdir -p /var/lib/kept; echo kept >/var/lib/kept/data"
	showState = "cat /etc/mine; tail -n1 /etc/profile; cat /var/lib/kept/data"
	state     = "mine\n# edited\nkept\n"
)

func (l *line) inside(m machine.Machine, part func(m machine.Machine)) {
	l.t.Helper()
	status := machine.MustRun(l.t, m, "ostree admin status")
	if !strings.HasPrefix(status, "* lab ") {
		l.t.Errorf("the booted deployment is not the first:\n%s", status)
	}
	part(m)
	if got := machine.MustRun(l.t, m, showState); got != state {
		l.t.Errorf("edited files are %q", got)
	}
	if err := m.Shutdown(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
}

func (l *line) want(m machine.Machine, command, output string) {
	l.t.Helper()
	if got := machine.MustRun(l.t, m, command); got != output {
		l.t.Errorf("%s: %q, want %q", command, got, output)
	}
}

// TestLine goes the whole way: compose, deploy, layer, upgrade, roll back; and boots after
// each step, in the end with the deployment's kernel and our ostree-prepare-root.
func TestLine(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	l := newLine(t)
	l.at("compose", func(l *line) { l.compose(l.world.Treefile) })
	l.at("deploy", (*line).deploy)
	l.at("boot", func(l *line) {
		l.boot(func(m machine.Machine) {
			machine.MustRun(l.t, m, keepState)
			l.want(m, "rpm -q lab-hello >/dev/null || echo none", "none\n")
			machine.MustRun(l.t, m, "systemctl is-active dbus systemd-logind ssh; systemctl start polkit")
		})
	})
	l.at("install", func(l *line) {
		l.rpmOSTree("install", "lab-hello", "lab-optvar")
		l.boot(func(m machine.Machine) {
			l.want(m, "lab-hello; systemctl is-active lab-hello; cat /usr/lib/lab-hello/configured", "hello from lab-hello 1.0\nactive\nconfigured 1.0 1\n")
			l.want(m, "rpm -q lab-hello", "lab-hello-1.0-1.noarch\n")
		})
	})
	l.at("upgrade", (*line).upgrade)
	l.at("rollback", func(l *line) {
		l.rpmOSTree("rollback")
		l.boot(func(m machine.Machine) { l.want(m, "lab-hello", "hello from lab-hello 1.0\n") })
	})
	l.at("uninstall", func(l *line) {
		l.rpmOSTree("uninstall", "lab-hello")
		l.boot(func(m machine.Machine) {
			l.want(m, "rpm -q lab-hello >/dev/null || echo none; ls /usr/bin/lab-hello 2>/dev/null || echo none", "none\nnone\n")
		})
	})
	l.at("qemu", (*line).emulate)
}

func (l *line) deploy() {
	l.run("ostree", "admin", "init-fs", "--modern", l.sysroot)
	l.run("ostree", "admin", "os-init", "--sysroot="+l.sysroot, "lab")
	l.run("ostree", "remote", "add", "--repo="+l.ostreeRepo(), "--no-gpg-verify", "lab", "file://"+l.repo)
	l.run("ostree", "pull", "--repo="+l.ostreeRepo(), "lab", l.world.Ref)
	l.run("ostree", "admin", "deploy", "--sysroot="+l.sysroot, "--os=lab", "--karg=root=LABEL="+qemu.DiskLabel,
		"--karg=rw", "--karg=console=ttyS0,115200", "--karg=selinux=0", "--karg=quiet", "lab:"+l.world.Ref)
	l.check()
}

// upgrade composes the system with updates, which the host enables for its layered packages.
func (l *line) upgrade() {
	l.compose(l.world.UpdateTreefile)
	l.boot(func(m machine.Machine) {
		machine.MustRun(l.t, m, "sed -i s/enabled=0/enabled=1/ /etc/yum.repos.d/lab.repo")
	})
	out := l.rpmOSTree("upgrade")
	if !strings.Contains(out, "lab-hello 1.0-1 -> 2.0-1") {
		l.t.Errorf("rpm-ostree upgrade does not tell of lab-hello:\n%s", out)
	}
	l.boot(func(m machine.Machine) {
		l.want(m, "lab-hello; cat /usr/lib/lab-hello/configured", "hello from lab-hello 2.0\nconfigured 2.0 1\n")
		l.want(m, "cat /usr/share/lab-update/bash; tail -n1 /etc/bash.bashrc; rpm -q lab-release", "added by the update\n# changed by the update\nlab-release-12-2.noarch\n")
	})
}

func (l *line) emulate() {
	need(l.t, qemu.Missing())
	dir := l.t.TempDir()
	modules, err := filepath.Glob(filepath.Join(l.sysroot, "ostree/deploy/lab/deploy/*/usr/lib/modules/*"))
	if err != nil || len(modules) == 0 {
		l.t.Fatalf("no kernel modules: %v", err)
	}
	c := qemu.Config{Disk: filepath.Join(dir, "disk.img"), Initrd: filepath.Join(dir, "initrd")}
	if err := initramfs.Build(l.t.Context(), modules[0], c.Initrd); err != nil {
		l.t.Fatal(err)
	}
	if err := qemu.MakeDisk(l.t.Context(), l.sysroot, c.Disk, 3<<10); err != nil {
		l.t.Fatal(err)
	}
	m, err := qemu.Boot(l.t.Context(), c)
	if err != nil {
		l.t.Fatal(err)
	}
	machine.Cleanup(l.t, m)
	l.inside(m, func(m machine.Machine) {
		l.want(m, "touch /usr/x 2>/dev/null || echo read-only; grep -o root=LABEL=root /proc/cmdline", "read-only\nroot=LABEL=root\n")
	})
}
