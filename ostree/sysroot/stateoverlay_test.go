package sysroot

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStateOverlay(t *testing.T) {
	oracle(t)
	if !inOwnMounts(t) {
		return
	}
	w := newBootedWorld(t)
	// An overlay's directories may not be on an overlay.
	must(t, os.MkdirAll(filepath.Join(w.root(), "var"), 0o755))
	must(t, unix.Mount("tmpfs", filepath.Join(w.root(), "var"), "tmpfs", 0, ""))
	opt := filepath.Join(w.root(), "opt,a:b")
	lower := map[string]string{"app": "1", "lib/x": "1", "lib/y": "1", "gone": "1", "replaced/deep": "1"}
	plant(t, opt, lower)
	mount := func() {
		t.Helper()
		must(t, w.s.MountStateOverlay(w.load(), `opt\x2dname`, opt))
	}
	unmount := func() {
		t.Helper()
		must(t, unix.Unmount(opt, unix.MNT_DETACH))
	}
	t.Cleanup(func() {
		_ = unix.Unmount(opt, unix.MNT_DETACH)
		_ = unix.Unmount(filepath.Join(w.root(), "var"), unix.MNT_DETACH)
	})
	want := func(files map[string]string) {
		t.Helper()
		for name, content := range files {
			b, err := os.ReadFile(filepath.Join(opt, name))
			if got := string(b); got != content && !(content == "-" && os.IsNotExist(err)) {
				t.Errorf("%s is %q, %v; want %q", name, got, err, content)
			}
		}
	}
	mount()
	plant(t, opt, map[string]string{"app": "changed", "lib/x": "changed", "lib/state": "mine", "state/deep": "mine"})
	must(t, os.Remove(filepath.Join(opt, "gone")))
	must(t, os.RemoveAll(filepath.Join(opt, "replaced")))
	plant(t, opt, map[string]string{"replaced/other": "mine"}) // an opaque directory
	unmount()
	mount() // of the same deployment: all of it is kept
	want(map[string]string{"app": "changed", "lib/x": "changed", "lib/y": "1", "lib/state": "mine", "state/deep": "mine", "gone": "-", "replaced/deep": "-", "replaced/other": "mine"})
	unmount()

	w.commit("2", map[string]string{"usr/bin/tool": "2"})
	w.stage(nil)
	must(t, w.s.FinalizeStaged(w.ctx))
	markBootedIn(t, w.s.host.run, w.deployments()[0])
	mount() // of another one
	want(map[string]string{"app": "1", "lib/x": "1", "lib/y": "1", "lib/state": "mine", "state/deep": "mine", "gone": "1", "replaced/deep": "1", "replaced/other": "-"})
	unmount()

	for _, name := range []string{"", "..", "a/b"} {
		if err := w.s.MountStateOverlay(w.load(), name, opt); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
}

func TestPostCopy(t *testing.T) {
	w := newWorld(t)
	w.commit("1", nil)
	w.c("admin", "deploy", "--sysroot="+w.root(), "--os=os", "os/main")
	for _, tt := range []struct{ group, key, value, err string }{
		{"", "", "", ""},
		{"ex-integrity", "fsverity", "no", ""},
		{"ex-integrity", "fsverity", "maybe", ""},
		{"ex-fsverity", "opportunistic", "true", ""},
		{"ex-integrity", "composefs", "maybe", ""},
		{"ex-integrity", "fsverity", "sometimes", "loading sysroot: Opening sysroot repo: Invalid tri-state value: sometimes"},
		{"ex-integrity", "fsverity", "yes", "fsverity required but filesystem does not support it"},
		{"ex-fsverity", "required", "true", "fsverity required but filesystem does not support it"},
	} {
		v := w.clone()
		if tt.group != "" {
			v.c("--repo="+v.repo(), "config", "set", tt.group+"."+tt.key, tt.value)
		}
		s, err := Open(v.root(), options())
		if err == nil {
			err = s.UpdatePostCopy()
			s.Close()
		}
		if supported, _ := enableVerity(filepath.Join(v.repo(), "config")); supported && tt.err == "fsverity required but filesystem does not support it" {
			tt.err = ""
		}
		if got := errorString(err); got != tt.err {
			t.Errorf("%s.%s=%s: %q, want %q", tt.group, tt.key, tt.value, got, tt.err)
		}
	}
}

func errorString(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
