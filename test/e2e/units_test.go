package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/test/e2e/machine"
	"rpmostree/test/e2e/qemu"
)

// deployOurs deploys the system of a sysroot once more, with our programs, generator and
// units in place of those of the C ostree.
func deployOurs(t *testing.T, sysroot string) {
	t.Helper()
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	tree := filepath.Join(t.TempDir(), "tree")
	at := func(name string) string {
		name = filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		return name
	}
	bin := at("usr/bin/ostree")
	run("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, "rpmostree/cmd/ostree")
	run("go", "build", "-trimpath", "-ldflags=-s -w", "-o", at("usr/lib/ostree/ostree-prepare-root"), "rpmostree/cmd/ostree-prepare-root")
	units, err := filepath.Glob("../../dist/systemd/*.service")
	if err != nil || len(units) == 0 {
		t.Fatal("no units: ", err)
	}
	for _, u := range units {
		run("install", "-m", "0644", u, at("usr/lib/systemd/system/"+filepath.Base(u)))
	}
	for name, target := range map[string]string{
		"usr/lib/ostree/ostree-remount":                                       "ostree-prepare-root",
		"usr/lib/systemd/system-generators/ostree-system-generator":           "../../ostree/ostree-prepare-root",
		"usr/lib/systemd/system/local-fs.target.wants/ostree-remount.service": "../ostree-remount.service",
	} {
		if err := os.Symlink(target, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	first, _, _ := strings.Cut(run(bin, "admin", "status", "--sysroot="+sysroot), ".")
	f := strings.Fields(first)
	run(bin, "commit", "--repo="+sysroot+"/ostree/repo", "--branch=ours", "--bootable", "--owner-uid=0", "--owner-gid=0",
		"--add-metadata-string=version=ours", "--tree=ref="+f[len(f)-1], "--tree=dir="+tree)
	run(bin, "admin", "deploy", "--sysroot="+sysroot, "--os=lab", "ours")
}

// testUnits boots a system in which our units do their work: mounts while it comes up, a soft
// reboot that is prepared and given up, a staged deployment that is finished while it goes
// down, and the report of one that was not.
func testUnits(t *testing.T, sysroot string) {
	deployOurs(t, sysroot)
	disk := filepath.Join(t.TempDir(), "disk.img")
	if err := qemu.MakeDisk(t.Context(), sysroot, disk, 0); err != nil {
		t.Fatal(err)
	}
	m, err := qemu.Boot(t.Context(), qemu.Config{Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	machine.Cleanup(t, m)
	want := func(command, text string) {
		t.Helper()
		if got := machine.MustRun(t, m, command); got != text {
			t.Errorf("%s: %q, want %q", command, got, text)
		}
	}
	want("systemctl is-active ostree-remount var.mount", "active\nactive\n")
	want("systemctl show -P FragmentPath var.mount", "/run/systemd/generator/var.mount\n")
	want("findmnt -no FSROOT /var", "/ostree/deploy/lab/var\n")
	want("touch /usr/x 2>/dev/null || echo read-only; touch /etc/x /var/x /sysroot/x && echo writable", "read-only\nwritable\n")
	// Nothing to tell: there was no staged deployment.
	want("systemctl show -P ConditionResult ostree-boot-complete", "no\n")

	// systemd makes soft reboots from version 254 on; here all is made ready for one. The
	// system below us has the same kernel.
	want("ostree admin prepare-soft-reboot 1 >/dev/null && cat /run/nextroot/etc/x 2>/dev/null; "+
		"findmnt -no FSROOT /run/nextroot | sed 's,/[0-9a-f]*\\.0$,,'; findmnt -no OPTIONS /run/nextroot/usr | cut -d, -f1; ostree admin status | grep -c soft-reboot",
		"/ostree/deploy/lab/deploy\nro\n1\n")
	want("ostree admin prepare-soft-reboot --reset; findmnt /run/nextroot; ls /run/ostree/nextroot-booted 2>/dev/null; ostree admin status | grep -c soft-reboot || true", "0\n")

	next := strings.TrimSpace(machine.MustRun(t, m, "ostree commit --repo=/sysroot/ostree/repo --branch=next --bootable --tree=ref=ours --add-metadata-string=version=next"))
	machine.MustRun(t, m, "ostree admin deploy --stage next")
	want("ostree admin status | grep -c '^  lab "+next+"\\.0 (staged)$'; systemctl is-active ostree-finalize-staged", "1\nactive\n")
	machine.MustRun(t, m, "echo late >/etc/late; sync")
	if err := m.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("ostree admin status | grep '^\\*'; cat /etc/late; ls /boot/ostree/finalize-failure.stamp 2>/dev/null | wc -l", "* lab "+next+".0\nlate\n0\n")

	want("echo broken >/boot/ostree/finalize-failure.stamp; systemctl start ostree-boot-complete 2>/dev/null || echo failed; "+
		"journalctl --sync; journalctl -u ostree-boot-complete -o cat | grep -c 'failed on previous boot: broken'; ls /boot/ostree/finalize-failure.stamp 2>/dev/null | wc -l; systemctl reset-failed",
		"failed\n1\n0\n")
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}
