package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/test/distro/peer"
	"rpmostree/test/distro/world"
	"rpmostree/test/e2e/initramfs"
	"rpmostree/test/e2e/machine"
	"rpmostree/test/e2e/nspawn"
	"rpmostree/test/e2e/qemu"
)

// need skips without something, and fails where everything has to be there.
func need(t *testing.T, missing error) {
	t.Helper()
	if missing != nil && os.Getenv("CI") == "true" {
		t.Fatal(missing)
	} else if missing != nil {
		t.Skip(missing)
	}
}

// peerSysroot returns a sysroot that the C tools have made, for tests of the machines
// themselves. Its stateroot is lab.
func peerSysroot(t *testing.T) string {
	t.Helper()
	w := world.Get(t)
	need(t, peer.Missing())
	dir, sysroot := t.TempDir(), machine.SysrootDir(t)
	root, repo := filepath.Join(dir, "root"), filepath.Join(dir, "repo")
	err := peer.Compose(t.Context(), w, root, filepath.Join(dir, "scratch"), []string{w.Base},
		func(modules, out string) error { return initramfs.Build(t.Context(), modules, out) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Commit(t.Context(), repo, w.Ref, root, "12.1"); err != nil {
		t.Fatal(err)
	}
	if err := peer.Deploy(t.Context(), sysroot, repo, w.Ref); err != nil {
		t.Fatal(err)
	}
	return sysroot
}

// TestMachines boots a sysroot of the C tools, so that what fails here is a machine, and then
// what our programs have put on top of it.
func TestMachines(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	t.Parallel()
	sysroot := peerSysroot(t)
	t.Run("nspawn", func(t *testing.T) {
		need(t, nspawn.Missing())
		m, err := nspawn.Boot(t.Context(), nspawn.Config{Sysroot: sysroot})
		if err != nil {
			t.Fatal(err)
		}
		machine.Cleanup(t, m)
		testMachine(t, m)
	})
	t.Run("qemu", func(t *testing.T) {
		need(t, qemu.Missing())
		deployOurs(t, sysroot)
		testUnits(t, sysroot)
	})
}

// stopwatch logs how long parts of a test take.
func stopwatch(t *testing.T) (lap func(what string)) {
	start := time.Now()
	return func(what string) {
		t.Logf("%6.2f s %s", time.Since(start).Seconds(), what)
		start = time.Now()
	}
}

// testMachine checks that a machine is what the interface promises, on a system whose
// stateroot is lab.
func testMachine(t *testing.T, m machine.Machine) {
	lap := stopwatch(t)
	testCommands(t, m)
	lap("commands")
	if err := m.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	lap("reboot")
	if out := machine.MustRun(t, m, "sync; cat /etc/mine /var/kept"); out != "mine\nkept\n" {
		t.Errorf("after a reboot: %q", out)
	}
	crash(t, m)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	lap("power cut and boot")
	machine.MustRun(t, m, "cat /etc/mine /var/kept")
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	lap("shutdown")
}

// crash cuts the power.
func crash(t *testing.T, m machine.Machine) {
	t.Helper()
	if err := m.Crash(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(t.Context(), "true"); err == nil {
		t.Error("a command ran on a machine that is down")
	}
}

// testCommands is what testMachine does with a machine that runs. It leaves the files /etc/mine
// and /var/kept.
func testCommands(t *testing.T, m machine.Machine) {
	t.Helper()
	status := machine.MustRun(t, m, "ostree admin status")
	if !strings.Contains(status, "* lab ") {
		t.Errorf("the booted deployment is not known as such:\n%s", status)
	}
	if out := machine.MustRun(t, m, "cat /proc/cmdline"); !strings.Contains(out, "ostree=/ostree/boot.") {
		t.Errorf("kernel arguments: %s", out)
	}
	if r, err := m.Run(t.Context(), "echo out; echo err >&2; exit 7"); err != nil || r.Status != 7 || r.Output != "out\nerr\n" {
		t.Errorf("a failing command gave %+v, %v", r, err)
	}
	if r, err := m.Run(t.Context(), "touch /usr/x"); err != nil || r.Status == 0 {
		t.Errorf("/usr is writable: %+v, %v", r, err)
	}
	machine.MustRun(t, m, "echo mine >/etc/mine; echo kept >/var/kept; busctl --no-pager list | grep -q login1; systemctl start polkit")
	url, err := m.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("served " + r.URL.Path)) }))
	if err != nil {
		t.Fatal(err)
	}
	host := strings.Replace(strings.TrimPrefix(url, "http://"), ":", "/", 1)
	out := machine.MustRun(t, m, `for i in $(seq 100); do exec 3<>/dev/tcp/`+host+` && break; sleep .2; done 2>/dev/null
printf 'GET /file HTTP/1.0\r\n\r\n' >&3; cat <&3`)
	if !strings.Contains(out, "served /file") {
		t.Errorf("the server answers %q", out)
	}
}
