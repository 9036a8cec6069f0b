package e2e

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/test/e2e/line"
	"rpmostree/test/e2e/machine"
	"rpmostree/test/e2e/nspawn"
)

// itself lets a running system change itself, with our programs in place of the
// distribution's: deployments are staged, and finished at shutdown by our ostree. All comes
// over HTTP. The system is as the line's rollback has left it.
func itself(t *testing.T, l *line.Line) {
	archive := filepath.Join(l.Dir, "archive")
	for _, args := range [][]string{
		{"init", "--repo=" + archive, "--mode=archive"},
		{"pull-local", "--repo=" + archive, l.Repo()},
	} {
		if out, err := exec.CommandContext(t.Context(), filepath.Join(l.Bin, "ostree"), args...).CombinedOutput(); err != nil {
			t.Fatalf("ostree %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	m, err := nspawn.Boot(t.Context(), nspawn.Config{Sysroot: l.Sysroot(), Args: []string{
		"--bind-ro=" + l.Bin + ":/run/bin:norbind", "--bind-ro=" + filepath.Join(l.Bin, "ostree") + ":/usr/bin/ostree",
	}})
	if err != nil {
		t.Fatal(err)
	}
	machine.Cleanup(t, m)
	url, err := m.Serve(http.FileServer(http.Dir(l.Dir)))
	if err != nil {
		t.Fatal(err)
	}
	run := func(command string) string {
		t.Helper()
		out := machine.MustRun(t, m, command)
		t.Logf("# %s\n%s", command, out)
		return out
	}
	want := func(command, text string) {
		t.Helper()
		if got := run(command); got != text {
			t.Errorf("%s: %q, want %q", command, got, text)
		}
	}
	const hello = "lab-hello; cat /usr/lib/lab-hello/configured; systemctl is-active lab-hello; cat /etc/mine.conf /var/lib/mydata/file; "
	from := func(world, repo string) {
		t.Helper()
		run("sed -i 's,^baseurl=.*/,baseurl=" + world + "/,' /etc/yum.repos.d/lab.repo; sed -i 's,^url=.*,url=" + repo + ",' /sysroot/ostree/repo/config")
	}
	from(url+"/world", url+"/archive")
	want(hello+"rpm -q lab-release", "hello from lab-hello 1.0\nconfigured 1.0 1\nactive\nmine\nkept\nlab-release-12-1.noarch\n")
	run("/run/bin/rpm-ostree install lab-config")
	// a second change replaces what the first has staged
	run("/run/bin/rpm-ostree install lab-fifty")
	run("/run/bin/rpm-ostree upgrade")
	run("/run/bin/rpm-ostree status; echo late >>/etc/mine.conf") // merged at shutdown only
	if err := m.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(hello+"rpm -q lab-release lab-config lab-fifty", "hello from lab-hello 2.0\nconfigured 2.0 1\nactive\nmine\nlate\nkept\n"+
		"lab-release-12-2.noarch\nlab-config-1.0-1.noarch\nlab-fifty-1.0-1.noarch\n")
	// mode, owner, capability and content of every file of every package, ostree's own too
	verified, err := m.Run(t.Context(), "unshare -m sh -c 'umount /usr/bin/ostree; rpm -Va'")
	if err != nil {
		t.Fatal(err)
	}
	if odd := line.Unexplained(verified.Output); len(odd) > 0 {
		t.Errorf("rpm -Va:\n%s", strings.Join(odd, "\n"))
	}
	// a power cut before the shutdown: what was staged is gone, and nothing else has changed
	booted := run("/run/bin/rpm-ostree status")
	run("/run/bin/rpm-ostree uninstall lab-fifty; sync")
	if err := m.Crash(); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("/run/bin/rpm-ostree status", booted)
	want("ostree fsck --quiet >/dev/null && ls /usr/share/lab-fifty | wc -l", "5\n")
	run("/run/bin/rpm-ostree rollback")
	if err := m.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(hello+"rpm -q lab-release; rpm -q lab-config >/dev/null || echo no lab-config",
		"hello from lab-hello 1.0\nconfigured 1.0 1\nactive\nmine\nlate\nkept\nlab-release-12-1.noarch\nno lab-config\n")
	// back to what the rest of the test follows
	run("sed -i /late/d /etc/mine.conf")
	from("file://"+l.Dir+"/world", "file://"+l.Repo())
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}
