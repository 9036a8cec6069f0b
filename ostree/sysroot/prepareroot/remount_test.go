package prepareroot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/gvariant"
)

func TestBooted(t *testing.T) {
	want := booted{dev: 1, ino: 2, sysrootReadonly: true, transientEtc: "/run/ostree/transient-etc.x"}
	got := parseBooted(want.value())
	want.dev, want.ino = 0, 0 // of no use later
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := parseBooted(gvariant.New("a{sv}", nil, hostOrder())); got != (booted{}) {
		t.Errorf("an empty file reads as %+v", got)
	}
	var d gvariant.Dict
	d.Set("sysroot-ro", gvariant.String("yes"))
	d.Set("transient-etc", gvariant.Bool(true))
	if got := parseBooted(d.Value().WithByteOrder(hostOrder())); got != (booted{}) {
		t.Errorf("wrong types read as %+v", got)
	}
}

// whiteout makes what an overlay keeps of a removed file.
func whiteout(t *testing.T, at string) {
	t.Helper()
	if err := unix.Mknod(at, unix.S_IFCHR, 0); err != nil {
		t.Fatal(err)
	}
}

func TestUpperNames(t *testing.T) {
	upper := t.TempDir()
	plant(t, upper, map[string]string{"a": "", "sub/b": "", "sub/link": "-> b", "empty/": ""})
	if os.Getuid() == 0 {
		whiteout(t, filepath.Join(upper, "gone"))
	}
	var b strings.Builder
	if err := upperNames(upper, "/etc", &b); err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(b.String(), "\x00", " "); got != "/etc /etc/a /etc/empty /etc/sub /etc/sub/b /etc/sub/link " {
		t.Errorf("%q", got)
	}
	if err := upperNames(filepath.Join(upper, "none"), "/etc", &b); err == nil {
		t.Error("no error for a missing directory")
	}
}

func FuzzBooted(f *testing.F) {
	f.Add(booted{dev: 1, ino: 2, sysrootReadonly: true, transientEtc: "/run/x"}.value().Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		got := parseBooted(gvariant.New("a{sv}", b, hostOrder()))
		if again := parseBooted(got.value()); again.sysrootReadonly != got.sysrootReadonly || again.transientEtc != got.transientEtc {
			t.Errorf("%+v, then %+v", got, again)
		}
	})
}
