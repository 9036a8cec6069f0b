package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/test/e2e/initramfs"
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
	// What makes /etc transient when it follows an initramfs; no boot of this deployment.
	conf := filepath.Join(t.TempDir(), "prepare-root.conf")
	if err := os.WriteFile(conf, []byte("[sysroot]\nreadonly=true\n[etc]\ntransient=true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := initramfs.Pack(at("usr/share/lab/transient.cpio"), map[string]string{"usr/lib/ostree/prepare-root.conf": conf}); err != nil {
		t.Fatal(err)
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

// testUnits boots what the C tools have deployed, the second in the menu, and cuts its power.
// Then it boots a system in which our units do their work: mounts while it comes up, a soft
// reboot that is prepared and given up, and a staged deployment that is finished while it goes
// down. That has another initramfs, which makes /etc transient, and reports a deployment that
// was not finished.
func testUnits(t *testing.T, sysroot string) {
	disk := filepath.Join(t.TempDir(), "disk.img")
	if err := qemu.MakeDisk(t.Context(), sysroot, disk, 0); err != nil {
		t.Fatal(err)
	}
	lap := stopwatch(t)
	m, err := qemu.Boot(t.Context(), qemu.Config{Disk: disk, Entry: 1})
	if err != nil {
		t.Fatal(err)
	}
	machine.Cleanup(t, m)
	t.Logf("qemu used %.1f s of processor time", m.CPU().Seconds())
	lap("boot")
	testCommands(t, m)
	machine.MustRun(t, m, "echo cut >/etc/cut; echo power >/var/power; sync")
	crash(t, m)
	lap("commands and power cut")
	m.Choose(0)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	lap("boot")
	want := func(command, text string) {
		t.Helper()
		if got := machine.MustRun(t, m, command); got != text {
			t.Errorf("%s: %q, want %q", command, got, text)
		}
	}
	want("cat /sysroot/ostree/deploy/lab/deploy/*/etc/cut /var/power", "cut\npower\n")
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

	next := strings.TrimSpace(machine.MustRun(t, m, `set -e; image=usr/lib/modules/$(uname -r)/initramfs.img; tree=/var/tree
install -D /$image $tree/$image; truncate -s %4 $tree/$image; cat /usr/share/lab/transient.cpio >>$tree/$image
ostree commit --repo=/sysroot/ostree/repo --branch=next --bootable --owner-uid=0 --owner-gid=0 --tree=ref=ours --tree=dir=$tree --add-metadata-string=version=next`))
	machine.MustRun(t, m, "ostree admin deploy --stage next")
	want("ostree admin status | grep -c '^  lab "+next+"\\.0 (staged)$'; systemctl is-active ostree-finalize-staged", "1\nactive\n")
	machine.MustRun(t, m, "echo late >/etc/late; sync")
	lap("units, and a deployment")
	if err := m.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	lap("reboot")
	// What was merged is there, below a /etc that begins with what the system comes with.
	deployed := "/sysroot/ostree/deploy/lab/deploy/" + next + ".0/etc/"
	want("ostree admin status | grep '^\\*'; cat "+deployed+"late; ls /boot/ostree/finalize-failure.stamp 2>/dev/null | wc -l", "* lab "+next+".0\nlate\n0\n")
	want("findmnt -no FSTYPE /etc; cat /etc/late 2>/dev/null || echo forgotten; diff /etc/passwd /usr/etc/passwd && echo default", "overlay\nforgotten\ndefault\n")
	want("echo now >/etc/now; ls "+deployed+"now 2>/dev/null | wc -l; cat /run/ostree/transient-etc.*/upper/now", "0\nnow\n")
	want("systemctl is-active ostree-remount; touch /var/y && echo writable; ostree admin pin 0; touch /sysroot/y 2>/dev/null || echo read-only",
		"active\nwritable\nDeployment 0 is now pinned\nread-only\n")

	want("echo broken >/boot/ostree/finalize-failure.stamp; systemctl start ostree-boot-complete 2>/dev/null || echo failed; "+
		"journalctl --sync; journalctl -u ostree-boot-complete -o cat | grep -c 'failed on previous boot: broken'; ls /boot/ostree/finalize-failure.stamp 2>/dev/null | wc -l; systemctl reset-failed",
		"failed\n1\n0\n")
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	lap("shutdown")
}
