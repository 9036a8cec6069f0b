package core_test

import (
	"context"
	"testing"

	"rpmostree/internal/core"
	"rpmostree/internal/core/sack"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
	"rpmostree/rpm"
)

func link(path, target string) rpm.BuildFile {
	return rpm.BuildFile{File: rpm.File{Path: path, Mode: 0o120777, User: "root", Group: "root", LinkTo: target}}
}

func ghost(path string) rpm.BuildFile {
	f := file(path, regular, "")
	f.Flags = rpm.FileGhost
	return f
}

func (l *lab) local(b rpm.Builder) *sack.Local {
	l.t.Helper()
	local, err := core.OpenLocal(l.build(b))
	if err != nil {
		l.t.Fatal(err)
	}
	return local
}

// with returns the tree with a file without content.
func (l *lab) with(t tree.Tree, path string, h ostree.FileHeader) tree.Tree {
	l.t.Helper()
	tx, err := l.repo.Begin(context.Background(), repo.TransactionOptions{NoFsync: true})
	if err != nil {
		l.t.Fatal(err)
	}
	defer tx.Abort()
	sum, err := tx.WriteFile(h, 0, nil)
	if err == nil {
		t, err = t.WithFile(path, sum)
	}
	if err == nil {
		_, err = tx.Commit()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return t
}

// TestReplacedFiles is about files whose kind changes from one version of a
// package to the next.
func TestReplacedFiles(t *testing.T) {
	l := newLab(t, setup, rpm.Builder{Name: "app", Files: []rpm.BuildFile{
		file("/usr/share/app", 0o040755, ""), file("/usr/share/app/data", regular, "1"),
		link("/usr/share/alias", "app"), file("/usr/share/old", regular, "old"), file("/usr/share/cache", regular, "made"),
	}})
	base := l.base(l.must(core.Spec{Install: []string{"setup", "app"}}))
	capable := owned(file("/usr/bin/capable", 0o100755, "capable"), "root", "svc")
	capable.Caps = "cap_net_raw=ep"
	next := l.local(rpm.Builder{Name: "app", Version: "2", Files: []rpm.BuildFile{
		link("/usr/share/app", "alias"),
		file("/usr/share/alias", 0o040755, ""), file("/usr/share/alias/data", regular, "2"),
		ghost("/usr/share/cache"), capable,
	}})
	b := l.must(core.Spec{Base: base, Replace: []*sack.Local{next}})
	for path, want := range map[string]string{
		"usr/share/alias/data": "2", "usr/share/old": "(missing)", "usr/share/cache": "made",
	} {
		if got := l.read(b.Tree, path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	if h := l.header(b.Tree, "usr/share/app"); h.Target != "alias" {
		t.Errorf("usr/share/app: %+v, want a link", h)
	}
	h := l.header(b.Tree, "usr/bin/capable")
	if len(h.Xattrs) != 1 || h.Xattrs[0].Name != "security.capability" || h.GID != 71 {
		t.Errorf("capabilities of a file of another group: %+v", h)
	}
	removed := l.must(core.Spec{Base: base, Remove: []string{"app"}})
	for _, gone := range []string{"usr/share/app", "usr/share/alias", "usr/share/cache"} {
		if ok, _ := removed.Tree.Exists(gone); ok {
			t.Errorf("%s is still there", gone)
		}
	}
}

// TestMergedSbin is about packages that have /usr/sbin in an image that has it
// merged into /usr/bin.
func TestMergedSbin(t *testing.T) {
	l := newLab(t, setup, rpm.Builder{Name: "daemon", Files: []rpm.BuildFile{
		owned(file("/usr/sbin/daemon", 0o104755, "daemon"), "svc", "svc"), file("/sbin/other", 0o100755, "other"),
	}}, rpm.Builder{Name: "clash", Files: []rpm.BuildFile{file("/usr/bin/other", 0o100755, "not the other")}})
	base := l.base(l.must(core.Spec{Install: []string{"setup"}}))
	t1, err := base.Tree.Remove("usr/sbin")
	if err != nil {
		t.Fatal(err)
	}
	base.Tree = l.with(t1, "usr/sbin", ostree.FileHeader{Mode: 0o120777, Target: "bin"})
	b := l.must(core.Spec{Base: base, Install: []string{"daemon"}})
	if h := l.header(b.Tree, "usr/bin/daemon"); h.UID != 70 || h.Mode != 0o104755 {
		t.Errorf("usr/bin/daemon: %+v, want it owned by svc and set-user-ID", h)
	}
	layered := l.base(b)
	removed := l.must(core.Spec{Base: layered, Remove: []string{"daemon"}})
	for _, gone := range []string{"usr/bin/daemon", "usr/bin/other"} {
		if ok, _ := removed.Tree.Exists(gone); ok {
			t.Errorf("%s is still there", gone)
		}
	}
	_, _, err = l.make(core.Spec{Base: layered, Install: []string{"clash"}})
	if want := "Checkout clash-1-1.noarch: Hardlinking usr/bin/other: File exists (it belongs to daemon-1-1.noarch, with other content)"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
