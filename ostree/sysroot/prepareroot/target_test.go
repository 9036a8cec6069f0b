package prepareroot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/gvariant"
	"rpmostree/internal/keyfile"
)

func TestTarget(t *testing.T) {
	for _, tt := range []struct{ cmdline, want, err string }{
		{"root=/dev/vda ostree=/ostree/boot.1/os/abc/0 ro", "/ostree/boot.1/os/abc/0", ""},
		{"xostree=/a ostree=/b ostree=/c", "/b", ""},
		{"ro ostree androidboot.slot_suffix=_b ostree=/b", slotB, ""},
		{"androidboot.slot_suffix=_a", slotA, ""},
		{"androidboot.slot_suffix=_c", "", "androidboot.slot_suffix invalid: _c"},
		{"androidboot.mode=x", slotA, ""},
		{"root=/dev/vda", "", "No ostree target found"},
		{"ostree=", "", "No ostree target found"},
		{"", "", "No ostree target found"},
	} {
		got, err := Target(tt.cmdline)
		if got != tt.want || text(err) != tt.err {
			t.Errorf("Target(%q) = %q, %v", tt.cmdline, got, err)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

const csum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestResolve(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]string{
		"good":    "deploy/os/deploy/" + csum + ".0",
		"missing": "deploy/os/deploy/" + csum + ".1",
		"outside": "/etc",
		"upward":  "../../../../etc",
		"var":     "deploy/os/var",
	}
	for _, dir := range []string{links["good"], links["var"], "plain"} {
		if err := os.MkdirAll(filepath.Join(root, "ostree", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, "ostree", name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ target, err string }{
		{"/ostree/good", ""},
		{"ostree/good", ""},
		{"/../../ostree/good", ""},
		{"/ostree/none", "Couldn't find specified OSTree root"},
		{"/ostree/plain", "not a symbolic link"},
		{"/ostree/missing", "realpath("},
		{"/ostree/outside", "is not a deployment"},
		{"/ostree/var", "is not a deployment"},
	} {
		d, err := resolve(root, tt.target)
		if tt.err == "" && (err != nil || d.stateroot != filepath.Join(root, "ostree/deploy/os")) {
			t.Errorf("resolve(%s) = %+v, %v", tt.target, d, err)
		}
		if tt.err != "" && !strings.Contains(text(err), tt.err) {
			t.Errorf("resolve(%s): error %v, want %q", tt.target, err, tt.err)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		text, cmdline string
		want          Config
		err           string
	}{
		{"", "", Config{}, ""},
		{"[sysroot]\nreadonly=true\n", "", Config{SysrootReadonly: true}, ""},
		{"[sysroot]\nreadonly=perhaps\n", "", Config{}, "Failed to parse sysroot.readonly value"},
		{"[etc]\ntransient=true\n", "", Config{EtcTransient: true}, ""},
		{"[root]\ntransient-ro=1\n", "", Config{RootTransient: true}, ""},
		{"[root]\ntransient=1\ntransient-ro=1\n", "", Config{}, "Cannot set both"},
		{"[composefs]\nenabled=maybe\n", "", Config{Composefs: ComposefsMaybe}, ""},
		{"[composefs]\nenabled=yes\n", "", Config{Composefs: ComposefsYes, SysrootReadonly: true}, ""},
		{"[composefs]\nenabled=yes\n[sysroot]\nreadonly=false\n", "", Config{Composefs: ComposefsYes}, ""},
		{"[composefs]\nenabled=signed\n", "ostree.prepare-root.composefs=0", Config{}, ""},
		{"", "ostree.prepare-root.composefs=signed", Config{Composefs: ComposefsSigned, SysrootReadonly: true}, ""},
		{"[composefs]\nenabled=2\n", "", Config{}, "Invalid tri-state value: 2"},
	} {
		f, err := keyfile.Parse([]byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseConfig(f, tt.cmdline)
		if tt.err != "" {
			if !strings.Contains(text(err), tt.err) {
				t.Errorf("%q: error %v, want %q", tt.text, err, tt.err)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%q %q: %+v, %v; want %+v", tt.text, tt.cmdline, got, err, tt.want)
		}
	}
}

func TestConfigFilesOverride(t *testing.T) {
	root := t.TempDir()
	write := func(dir, text string) {
		file := filepath.Join(root, dir, configPath)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("usr/lib", "[sysroot]\nreadonly=true\n[etc]\ntransient=true\n")
	write("etc", "[sysroot]\nreadonly=false\n")
	got, err := LoadConfig(root, "")
	if want := (Config{EtcTransient: true}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	write("etc", "not a key file")
	if _, err := LoadConfig(root, ""); err == nil {
		t.Error("a broken file was accepted")
	}
}

func TestUnsupported(t *testing.T) {
	for c, ok := range map[Config]bool{
		{}:                          true,
		{Composefs: ComposefsMaybe}: true,
		{Composefs: ComposefsYes}:   false,
		{RootTransient: true}:       false,
	} {
		if err := c.supported(); (err == nil) != ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestBootedFile(t *testing.T) {
	v := booted{dev: 5, ino: 7, sysrootReadonly: true}.value()
	if got, ok := v.Lookup("backing-root-device-inode"); !ok || got.Unbox().Print(false) != "(5, 7)" && got.Print(false) != "(5, 7)" {
		t.Errorf("device and inode: %v in %s", got.Print(true), v.Print(true))
	}
	if v.Type() != gvariant.Type("a{sv}") || !v.IsNormal() {
		t.Errorf("not a normal a{sv}: %s", v.Type())
	}
}

func FuzzTarget(f *testing.F) {
	f.Add("root=/dev/vda ostree=/ostree/boot.1/os/abc/0 ro")
	f.Add("androidboot.slot_suffix=_a")
	f.Fuzz(func(t *testing.T, cmdline string) {
		if target, err := Target(cmdline); err == nil && (target == "" || strings.ContainsAny(target, " \n")) {
			t.Errorf("Target(%q) = %q", cmdline, target)
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add("[composefs]\nenabled=signed\nkeypath=/k\n[etc]\ntransient=true\n", "ostree.prepare-root.composefs=maybe")
	f.Add("[root]\ntransient-ro=1\n[sysroot]\nreadonly=false\n", "")
	f.Fuzz(func(t *testing.T, text, cmdline string) {
		file, err := keyfile.Parse([]byte(text))
		if err != nil {
			return
		}
		c, err := parseConfig(file, cmdline)
		if err == nil && c.supported() == nil && (c.Composefs >= ComposefsYes || c.RootTransient) {
			t.Errorf("%q and %q: %+v is supported", text, cmdline, c)
		}
	})
}

func FuzzGenerator(f *testing.F) {
	f.Add("/ostree/boot.1/os/abc/0")
	f.Fuzz(func(t *testing.T, target string) {
		name, err := Generator{Root: t.TempDir()}.stateroot(target)
		if err == nil && (name == "" || strings.ContainsAny(name, "/\n\x00")) {
			t.Errorf("%q: stateroot %q", target, name)
		}
	})
}
