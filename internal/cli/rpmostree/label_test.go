package rpmostree_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/cli/rpmostree"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/rpm"
	"rpmostree/rpmmd/createrepo"
	"rpmostree/test/mini"
)

const miniContexts = `
/.*	system_u:object_r:default_t:s0
/	-d	system_u:object_r:root_t:s0
/usr(/.*)?	system_u:object_r:usr_t:s0
/usr/bin/.*	--	system_u:object_r:bin_t:s0
/usr/lib/modules(/.*)?	system_u:object_r:modules_object_t:s0
/usr/lib/.*	-l	system_u:object_r:lib_t:s0
/etc(/.*)?	system_u:object_r:etc_t:s0
/etc/passwd	--	system_u:object_r:passwd_file_t:s0
`

// policyFiles returns a policy as files of a package: that of the host if real is
// set, nil if there is none.
func policyFiles(t *testing.T, real bool) (out []rpm.BuildFile) {
	t.Helper()
	add := func(path string, data []byte) {
		f := rpm.BuildFile{File: rpm.File{Path: path, Mode: 0o100644, User: "root", Group: "root"}, Data: data}
		out = append(out, f)
	}
	if !real {
		add("/etc/selinux/config", []byte("SELINUX=enforcing\nSELINUXTYPE=mini\n"))
		add("/etc/selinux/semanage.conf", []byte("module-store = direct\n"))
		add("/etc/selinux/mini/policy/policy.33", []byte("binary"))
		add("/etc/selinux/mini/semanage.read.LOCK", nil)
		add("/etc/selinux/mini/contexts/files/file_contexts", []byte(miniContexts))
		add("/etc/selinux/mini/contexts/files/file_contexts.subs_dist", []byte("/var/home /home\n/etc/init.d /etc/rc.d\n"))
		return out
	}
	err := filepath.WalkDir("/etc/selinux", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, ".bin") || p == "/etc/selinux/config" {
			return err
		}
		b, err := os.ReadFile(p)
		add(p, b)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	add("/etc/selinux/config", []byte("SELINUX=enforcing\nSELINUXTYPE=default\n"))
	return out
}

// A labelLab is a distribution with a policy, and a machine.
type labelLab struct {
	*testing.T
	dir string
}

func newLabelLab(t *testing.T, policy []rpm.BuildFile) labelLab {
	t.Helper()
	l := labelLab{t, t.TempDir()}
	if err := mini.Make(l.dir); errors.Is(err, mini.ErrNoShell) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	local := rpm.BuildFile{File: rpm.File{Path: "/etc/selinux/mini/contexts/files/file_contexts.local", Mode: 0o100644},
		Data: []byte("/usr/share/plain	--	system_u:object_r:plain_t:s0\n/usr/lib/os-release	--	system_u:object_r:release_t:s0\n")}
	semodule := rpm.BuildFile{File: rpm.File{Path: "/usr/bin/semodule", Mode: 0o100755},
		Data: []byte("#!/bin/sh\ntest \"$1\" = --help || echo semodule $* >> /etc/semodule.log\n")}
	for _, b := range []rpm.Builder{
		{Name: "policy", Files: append(policy, semodule)},
		{Name: "local-policy", Files: []rpm.BuildFile{local}},
	} {
		b.Version, b.Release, b.Arch = "1", "1", "noarch"
		var buf bytes.Buffer
		if err := b.Write(&buf); err != nil {
			t.Fatal(err)
		}
		l.write("base/"+b.Name+"-1-1.noarch.rpm", buf.String())
	}
	if _, err := createrepo.Write(context.Background(), filepath.Join(l.dir, "base"), createrepo.Options{}); err != nil {
		t.Fatal(err)
	}
	l.write("labelled.yaml", "include: host.yaml\nselinux: true\npackages: [policy]\n")
	l.write("version1.yaml", "include: labelled.yaml\nref: mini/x86_64/version1\nselinux-label-version: 1\n")
	l.write("unlabelled.yaml", "include: host.yaml\nselinux: true\n")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	t.Setenv("OSTREE_SYSROOT_DEBUG", "mutable-deployments")
	l.ostree("init", "--repo="+l.path("repo"), "--mode=bare")
	return l
}

func (l labelLab) path(name string) string { return filepath.Join(l.dir, name) }

func (l labelLab) write(name, text string) {
	l.Helper()
	if err := os.WriteFile(l.path(name), []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
}

func (l labelLab) ostree(args ...string) string {
	l.Helper()
	return strings.TrimSpace(treetest.Run(l.T, "ostree", args...))
}

func (l labelLab) rpmostree(args ...string) {
	l.Helper()
	var out bytes.Buffer
	if code := rpmostree.Main(args, &out, &out); code != 0 {
		l.Fatalf("rpm-ostree %v: %d\n%s", args, code, &out)
	}
}

// deployed returns the commit of the first deployment.
func (l labelLab) deployed() string {
	l.Helper()
	for _, word := range strings.Fields(l.ostree("admin", "status", "--sysroot="+l.path("sysroot"))) {
		if len(word) > 64 && word[64] == '.' {
			return word[:64]
		}
	}
	l.Fatal("no deployment")
	return ""
}

// commit reads a commit.
func (l labelLab) commit(repoPath, rev string) (*ostree.Commit, map[string]string) {
	l.Helper()
	r, err := repo.Open(l.path(repoPath))
	if err != nil {
		l.Fatal(err)
	}
	defer r.Close()
	sum, err := r.ResolveRev(rev)
	if err != nil {
		l.Fatal(err)
	}
	c, err := r.Commit(sum)
	if err != nil {
		l.Fatal(err)
	}
	t, err := r.Tree(sum)
	if err != nil {
		l.Fatal(err)
	}
	labels := map[string]string{}
	for _, p := range []string{"usr/bin/tool", "usr/bin/hello", "usr/etc/passwd", "usr/share/plain", "usr/lib/os-release"} {
		e, err := t.Lookup(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			l.Fatal(err)
		}
		h, err := r.FileHeader(e.Checksum)
		if err != nil {
			l.Fatal(err)
		}
		for _, x := range h.Xattrs {
			labels[p] = strings.TrimSuffix(strings.TrimPrefix(string(x.Value), "system_u:object_r:"), ":s0\x00")
		}
	}
	return c, labels
}

// check lets the C program commit the files of a commit with their own policy, and
// compares. It returns some labels.
func (l labelLab) check(repoPath, rev string) map[string]string {
	l.Helper()
	co := filepath.Join(l.TempDir(), "co")
	l.ostree("checkout", "--repo="+l.path(repoPath), rev, co)
	if _, err := os.Stat(l.path("theirs")); err != nil {
		l.ostree("init", "--repo="+l.path("theirs"), "--mode=bare")
	}
	l.ostree("commit", "--repo="+l.path("theirs"), "--branch=theirs", "--selinux-policy="+co, "--tree=dir="+co)
	ours, labels := l.commit(repoPath, rev)
	theirs, _ := l.commit("theirs", "theirs")
	if ours.Tree != theirs.Tree || ours.Meta != theirs.Meta {
		out, _ := exec.Command(treetest.Oracle(l.T, "ostree"), "ls", "-RX", "--repo="+l.path("theirs"), "theirs").Output()
		mine, _ := exec.Command(treetest.Oracle(l.T, "ostree"), "ls", "-RX", "--repo="+l.path(repoPath), rev).Output()
		l.write("a", string(mine))
		l.write("b", string(out))
		diff, _ := exec.Command("diff", l.path("a"), l.path("b")).Output()
		l.Errorf("%s is not labelled as the C ostree labels it: %.4000s", rev, diff)
	}
	return labels
}

// An image and what is layered on it have the labels that the C ostree gives by the
// policy inside.
func TestLabels(t *testing.T) {
	treetest.NeedRoot(t)
	treetest.Oracle(t, "ostree")
	l := newLabelLab(t, policyFiles(t, false))
	var out bytes.Buffer
	if code := rpmostree.Main([]string{"compose", "tree", "--repo=" + l.path("repo"), l.path("unlabelled.yaml")}, &out, &out); code != 1 ||
		!strings.Contains(out.String(), "SELinux enabled, but no policy found") {
		t.Errorf("no policy: %d, %s", code, &out)
	}
	l.rpmostree("compose", "tree", "--repo="+l.path("repo"), l.path("version1.yaml"))
	if got := l.check("repo", "mini/x86_64/version1"); got["usr/etc/passwd"] != "passwd_file_t" {
		t.Errorf("version 1: %v", got)
	}
	l.rpmostree("compose", "tree", "--repo="+l.path("repo"), l.path("labelled.yaml"))
	got := l.check("repo", "mini/x86_64/host")
	// The policy knows by now that /usr/etc is as /etc.
	if got["usr/bin/tool"] != "bin_t" || got["usr/etc/passwd"] != "passwd_file_t" {
		t.Errorf("%v", got)
	}
	subs := l.ostree("cat", "--repo="+l.path("repo"), "mini/x86_64/host", "/usr/etc/selinux/mini/contexts/files/file_contexts.subs_dist")
	if want := "# /var/home /home\n/etc/init.d /etc/rc.d\n# Generated"; !strings.HasPrefix(subs, want) || !strings.HasSuffix(subs, "/home /var/home\n/usr/etc /etc\n/usr/etc/init.d /etc/rc.d\n/usr/lib/opt /opt") {
		t.Errorf("subs_dist: %s", subs)
	}
	if conf := l.ostree("cat", "--repo="+l.path("repo"), "mini/x86_64/host", "/usr/etc/selinux/semanage.conf"); conf != "module-store = direct\n\nstore-root=/etc/selinux" {
		t.Errorf("semanage.conf: %s", conf)
	}
	if list := l.ostree("ls", "--repo="+l.path("repo"), "mini/x86_64/host", "/usr/etc/selinux/mini"); strings.Contains(list, "LOCK") {
		t.Errorf("locks: %s", list)
	}

	if log := l.ostree("cat", "--repo="+l.path("repo"), "mini/x86_64/host", "/usr/etc/semodule.log"); log != "semodule -nB\nsemodule -n --refresh" {
		t.Errorf("calls of semodule: %s", log)
	}

	// Nothing changes where labels are right already.
	l.rpmostree("compose", "tree", "--repo="+l.path("repo"), "--force-nocache", l.path("labelled.yaml"))
	l.check("repo", "mini/x86_64/host")

	sys := l.path("sysroot")
	if err := os.Mkdir(sys, 0o755); err != nil {
		t.Fatal(err)
	}
	l.ostree("admin", "init-fs", "--modern", sys)
	l.ostree("admin", "os-init", "--sysroot="+sys, "mini")
	l.ostree("pull-local", "--repo="+sys+"/ostree/repo", l.path("repo"), "mini/x86_64/host")
	l.ostree("admin", "deploy", "--sysroot="+sys, "--os=mini", "mini/x86_64/host")
	l.rpmostree("install", "--sysroot="+sys, "hello")
	got = l.check("sysroot/ostree/repo", l.deployed())
	if got["usr/bin/hello"] != "bin_t" || got["usr/share/plain"] != "usr_t" {
		t.Errorf("layered: %v", got)
	}
	// A policy that changes labels the base, too.
	l.rpmostree("install", "--sysroot="+sys, "local-policy")
	got = l.check("sysroot/ostree/repo", l.deployed())
	if got["usr/share/plain"] != "plain_t" || got["usr/lib/os-release"] != "release_t" || got["usr/bin/hello"] != "bin_t" {
		t.Errorf("policy layered: %v", got)
	}
	l.rpmostree("uninstall", "--sysroot="+sys, "local-policy")
	got = l.check("sysroot/ostree/repo", l.deployed())
	if got["usr/share/plain"] != "usr_t" || got["usr/lib/os-release"] != "usr_t" {
		t.Errorf("policy gone: %v", got)
	}
}

// The same with the policy that the distribution of this machine has.
func TestLabelsOfHostPolicy(t *testing.T) {
	treetest.NeedRoot(t)
	treetest.Oracle(t, "ostree")
	files := policyFiles(t, true)
	if files == nil {
		t.Skip("the host has no SELinux policy")
	}
	l := newLabelLab(t, files)
	l.rpmostree("compose", "tree", "--repo="+l.path("repo"), l.path("labelled.yaml"))
	if got := l.check("repo", "mini/x86_64/host"); got["usr/bin/tool"] != "bin_t" {
		t.Errorf("%v", got)
	}
}
