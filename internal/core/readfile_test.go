package core_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"rpmostree/internal/core"
	"rpmostree/ostree"
	"rpmostree/rpm"
)

// Links are followed as the booted image has them, and a configuration that is a link
// keeps its text when it is changed.
func TestLinkedFiles(t *testing.T) {
	l := newLab(t, rpm.Builder{Name: "linked", Files: []rpm.BuildFile{
		file("/usr/share/conf/semanage", regular, "module-store = direct\n"),
		link("/etc/selinux/semanage.conf", "../../usr/share/conf/semanage"),
		link("/usr/share/absolute", "/etc/relative"), link("/etc/relative", "../usr/share/dir/semanage"),
		link("/usr/share/dir", "conf"), link("/usr/share/up", "../../../../usr/share/conf/semanage"),
		link("/usr/share/loop", "loop"), link("/usr/share/dangling", "nothing"),
		link("/etc/conf.d", "/usr/share/conf"), link("/usr/share/in-etc", "/usr/etc/conf.d/semanage"),
		link("/usr/share/below", "conf/semanage/x"), link("/usr/share/link-to-dir", "conf"),
	}})
	b := l.must(core.Spec{Install: []string{"linked"}})
	const conf = "module-store = direct\n"
	for path, want := range map[string]string{
		"usr/share/absolute": conf, "usr/etc/relative": conf, "usr/share/dir/semanage": conf, "usr/share/up": conf,
		"usr/etc/conf.d/semanage": conf, "usr/share/in-etc": conf,
		"usr/share/dangling": "(missing)", "usr/etc/selinux/semanage.conf": conf + "\nstore-root=/etc/selinux\n",
	} {
		if got := l.read(b.Tree, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if h := l.header(b.Tree, "usr/etc/selinux/semanage.conf"); h.Mode != regular {
		t.Errorf("semanage.conf has mode %o", h.Mode)
	}
	if got := l.read(b.Tree, "usr/share/conf/semanage"); got != conf {
		t.Errorf("what the link points at has changed: %q", got)
	}
	for path, want := range map[string]string{
		"usr/share/loop": "too many levels", "usr/share/below": "not a directory", "usr/share/link-to-dir": "is a directory",
	} {
		_, err := core.ReadFile(l.repo.Objects, b.Tree, path)
		if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if !ostree.IsSymlink(l.header(b.Tree, "usr/share/up").Mode) {
		t.Error("the link is gone")
	}
}
