package rpmostree_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/internal/failpoint"
	"rpmostree/internal/treetest"
	"rpmostree/test/mini"
)

// A machine is a sysroot with the tiny distribution deployed, and the commands
// to work on it.
type machine struct {
	t       *testing.T
	dir     string // everything is below it
	repo    string // what compose writes to
	sysroot string
	world   string
}

func newMachine(t *testing.T, dir string) *machine {
	t.Helper()
	treetest.NeedRoot(t)
	treetest.Oracle(t, "bwrap")
	m := &machine{t: t, dir: dir, repo: filepath.Join(dir, "repo"), sysroot: filepath.Join(dir, "sysroot"), world: filepath.Join(dir, "world")}
	if err := mini.Make(m.world); errors.Is(err, mini.ErrNoShell) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.unmount)
	m.must("ostree", "init", "--repo="+m.repo, "--mode=bare")
	m.must("rpm-ostree", m.compose("host.yaml")...)
	if err := os.Mkdir(m.sysroot, 0o755); err != nil {
		t.Fatal(err)
	}
	m.must("ostree", "admin", "init-fs", "--modern", m.sysroot)
	m.must("ostree", "admin", "os-init", "--sysroot="+m.sysroot, "mini")
	m.must("ostree", "remote", "add", "--repo="+m.sysroot+"/ostree/repo", "--no-gpg-verify", "mini", "file://"+m.repo)
	m.must("ostree", "pull", "--repo="+m.sysroot+"/ostree/repo", "mini", "mini/x86_64/host")
	m.must("ostree", "admin", "deploy", "--sysroot="+m.sysroot, "--os=mini", "mini:mini/x86_64/host")
	return m
}

func (m *machine) compose(treefile string) []string {
	return []string{"compose", "tree", "--repo=" + m.repo, "--cachedir=" + filepath.Join(m.dir, "cache"), filepath.Join(m.world, treefile)}
}

// unmount takes away what killed processes left mounted, so that the files can
// be removed.
func (m *machine) unmount() {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], m.dir+"/") {
			_ = unix.Unmount(f[1], unix.MNT_DETACH)
		}
	}
}

// command returns one of the programs, which is this test binary: see TestMain.
func (m *machine) command(name string, args ...string) *exec.Cmd {
	path, err := exec.LookPath(name)
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000", "OSTREE_SYSROOT_DEBUG=mutable-deployments")
	return cmd
}

func (m *machine) must(name string, args ...string) string {
	m.t.Helper()
	cmd := m.command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

// state is what a user sees of the machine: deployments, boot entries, the ref
// that compose writes.
func (m *machine) state() string {
	m.t.Helper()
	s := m.must("rpm-ostree", "status", "--sysroot="+m.sysroot, "--json") + m.must("ostree", "refs", "--repo="+m.repo, "--list", "-r")
	entries, err := filepath.Glob(filepath.Join(m.sysroot, "boot/loader/entries/*.conf"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(e)
		if err != nil {
			m.t.Fatal(err)
		}
		s += filepath.Base(e) + "\n" + string(text)
	}
	return s
}

// verify makes sure that both repositories are sound.
func (m *machine) verify() {
	m.t.Helper()
	for _, r := range []string{m.repo, m.sysroot + "/ostree/repo"} {
		m.must("ostree", "fsck", "--repo="+r)
	}
}

// TestKill kills compose and install at each point of their write paths. The
// machine then boots what it booted before, and the same command succeeds.
func TestKill(t *testing.T) {
	m := newMachine(t, t.TempDir())
	install := []string{"install", "--sysroot=" + m.sysroot, "hello"}
	for _, tt := range []struct {
		args   []string
		points []string
		undo   []string
	}{
		{
			append(m.compose("host-updates.yaml"), "--force-nocache"),
			[]string{"core.fetched", "core.files", "compose.commit", "repo.commit.staged", "repo.pull.fetched"},
			nil,
		},
		{
			install,
			[]string{"core.fetched", "core.files", "core.scripts", "core.run", "upgrade.commit", "repo.commit.staged",
				"repo.commit.renamed", "repo.commit.refs", "sysroot.deploy.checkout", "sysroot.deploy.etc", "sysroot.boot.written"},
			nil,
		},
	} {
		for _, point := range tt.points {
			t.Run(tt.args[0]+" "+point, func(t *testing.T) {
				m := *m
				m.t = t
				before := m.state()
				cmd := m.command("rpm-ostree", tt.args...)
				cmd.Env = append(cmd.Env, failpoint.Env+"="+point)
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
					t.Fatalf("not killed: %v\n%s", err, out)
				}
				if now := m.state(); now != before {
					t.Errorf("the state changed from\n%s\nto\n%s", before, now)
				}
				m.verify()
			})
		}
		before := m.state()
		m.must("rpm-ostree", tt.args...)
		if m.state() == before {
			t.Errorf("%s changed nothing after the kills", tt.args[0])
		}
		m.verify()
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	if strings.Contains(string(mounts), m.dir) {
		t.Error("a mount is left after a command that succeeded")
	}
}

// TestKillWithoutCache kills a compose that keeps everything in a temporary
// directory; the next one removes it.
func TestKillWithoutCache(t *testing.T) {
	m := newMachine(t, t.TempDir())
	compose := []string{"compose", "tree", "--force-nocache", "--repo=" + m.repo, filepath.Join(m.world, "host.yaml")}
	before := m.state()
	cmd := m.command("rpm-ostree", compose...)
	cmd.Env = append(cmd.Env, failpoint.Env+"=core.files")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("not killed:\n%s", out)
	}
	if now := m.state(); now != before {
		t.Errorf("the state changed from\n%s\nto\n%s", before, now)
	}
	left := func() int {
		dirs, err := filepath.Glob(filepath.Join(m.repo, "tmp", "rpm-ostree-compose-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(dirs)
	}
	if left() != 1 {
		t.Fatalf("%d directories after the kill, want 1", left())
	}
	m.must("rpm-ostree", compose...)
	if left() != 0 {
		t.Errorf("%d directories are left", left())
	}
	m.verify()
}

// TestFullDisk installs on a file system that has no room for it.
func TestFullDisk(t *testing.T) {
	treetest.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	m := newMachine(t, dir)
	before := m.state()
	fill := filepath.Join(dir, "fill")
	f, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	room := int64(st.Bavail) * st.Bsize
	if err := unix.Fallocate(int(f.Fd()), 0, 0, room-64<<10); err != nil {
		t.Fatal(err)
	}
	f.Close()
	out, err := m.command("rpm-ostree", "install", "--sysroot="+m.sysroot, "hello", "fifty").CombinedOutput()
	if err == nil {
		t.Fatalf("no error:\n%s", out)
	}
	if !strings.Contains(string(out), "error: ") || !strings.Contains(strings.ToLower(string(out)), "space") {
		t.Errorf("the error does not speak of space:\n%s", out)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if now := m.state(); now != before {
		t.Errorf("the state changed from\n%s\nto\n%s", before, now)
	}
	m.verify()
	m.must("rpm-ostree", "install", "--sysroot="+m.sysroot, "hello", "fifty")
}
