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
	"rpmostree/test/e2e/line"
	"rpmostree/test/e2e/machine"
	"rpmostree/test/e2e/nspawn"
	"rpmostree/test/e2e/qemu"
)

// newLine builds the programs under test.
func newLine(t *testing.T) *line.Line {
	t.Helper()
	need(t, line.Missing())
	treetest.Oracle(t, "ostree")
	treetest.Oracle(t, "rpm")
	world.Get(t) // skips if the packages cannot be had
	l := &line.Line{Dir: t.TempDir(), Bin: t.TempDir(), Out: t.Output()}
	t.Cleanup(func() {
		if err := l.Reset(); err != nil {
			t.Error(err)
		}
	})
	c := exec.Command("go", "build", "-o", l.Bin+"/", "rpmostree/cmd/...")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return l
}

// TestLine goes the way of the demo: compose, deploy, layer, upgrade, roll back, and boots
// after each step. Then the running system changes itself, a disk boots with the system's
// own kernel, and what the demo tells its user to try is tried.
func TestLine(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	t.Parallel()
	l := newLine(t)
	// at runs a part as a subtest, and ends the test if it fails.
	at := func(name string, part func(t *testing.T)) {
		if !t.Run(name, part) {
			t.FailNow()
		}
	}
	steps := l.Steps()
	for i, s := range steps {
		at(s.Name, func(t *testing.T) {
			l.Out = t.Output()
			if err := l.Go(t.Context(), s, i+1, len(steps)); err != nil {
				t.Fatal(err)
			}
		})
	}
	l.Out = t.Output()
	at("itself", func(t *testing.T) { itself(t, l) })
	at("qemu", func(t *testing.T) { emulate(t, l) })
	at("next", func(t *testing.T) { next(t, l) })
	if err := l.Leftovers(); err != nil {
		t.Error(err)
	}
}

// emulate boots a disk made of the sysroot by the boot entry that we wrote: the system's own
// kernel, the initramfs that its compose made, and our ostree-prepare-root in that.
func emulate(t *testing.T, l *line.Line) {
	need(t, qemu.Missing())
	dir := t.TempDir()
	disk, overlay := filepath.Join(dir, "disk.img"), filepath.Join(dir, "overlay")
	// the distribution's own is the C program
	err := initramfs.Pack(overlay, map[string]string{"usr/lib/ostree/ostree-prepare-root": filepath.Join(l.Bin, "ostree-prepare-root")})
	if err != nil {
		t.Fatal(err)
	}
	if err := qemu.MakeDisk(t.Context(), l.Sysroot(), disk, 3<<10); err != nil {
		t.Fatal(err)
	}
	m, err := qemu.Boot(t.Context(), qemu.Config{Disk: disk, InitrdOverlay: overlay})
	if err != nil {
		t.Fatal(err)
	}
	machine.Cleanup(t, m)
	t.Logf("qemu used %.1f s of processor time", m.CPU().Seconds())
	status := machine.MustRun(t, m, "ostree admin status")
	if !strings.HasPrefix(status, "* "+line.Stateroot+" ") {
		t.Errorf("the booted deployment is not the first:\n%s", status)
	}
	for _, c := range [][2]string{
		{"touch /usr/x 2>/dev/null || echo read-only", "read-only\n"},
		{"grep -o 'root=LABEL=root rw' /proc/cmdline; ls -d /usr/lib/modules/$(uname -r)/vmlinuz | wc -l", "root=LABEL=root rw\n1\n"},
		{"findmnt -no FSROOT /var", "/ostree/deploy/lab/var\n"},
		{"tail -n1 /etc/profile; cat /etc/mine.conf /var/lib/mydata/file; lab-hello", "# edited by me\nmine\nkept\nhello from lab-hello 1.0\n"},
		{"systemctl is-active lab-hello ostree-remount", "active\nactive\n"},
	} {
		if got := machine.MustRun(t, m, c[0]); got != c[1] {
			t.Errorf("%s: %q, want %q", c[0], got, c[1])
		}
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// next does what the demo suggests, and boots what comes of it.
func next(t *testing.T, l *line.Line) {
	for _, s := range l.Next() {
		out, err := exec.CommandContext(t.Context(), filepath.Join(l.Bin, s.Program), s.Args...).CombinedOutput()
		if err != nil || len(out) == 0 {
			t.Errorf("%s: %v\n%s", l.Command(s), err, out)
		}
	}
	m, err := nspawn.Boot(t.Context(), nspawn.Config{Sysroot: l.Sysroot()})
	if err != nil {
		t.Fatal(err)
	}
	machine.Cleanup(t, m)
	got := machine.MustRun(t, m, "lab-hello; stat -c '%U %G' /usr/share/lab-sysusers/owned; "+
		"rpm -q vim-tiny >/dev/null || echo removed; ls /usr/bin/vim.tiny 2>/dev/null; grep -c debug /proc/cmdline")
	if want := "hello from lab-hello 2.0\nlabuser labgroup\nremoved\n1\n"; got != want {
		t.Errorf("the booted system prints %q, want %q", got, want)
	}
}
