package sysroot

import (
	"maps"
	"strings"
	"testing"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/bootloader"
)

const testSum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestBootlink(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bootlink
		ok   bool
	}{
		{"/ostree/boot.1/os/abc/0", bootlink{1, "os", "abc", 0}, true},
		{"/ostree/boot.0/os/abc/12", bootlink{0, "os", "abc", 12}, true},
		{"/ostree/boot.2/os/abc/0", bootlink{}, false},
		{"/ostree/boot.1/os/abc", bootlink{}, false},
		{"/ostree/boot.1/os/abc/0/1", bootlink{}, false},
		{"/ostree/boot.1/../abc/0", bootlink{}, false},
		{"/ostree/boot.1/os//0", bootlink{}, false},
		{"/ostree/boot.1/os/abc/-1", bootlink{}, false},
		{"/ostree/boot.1/os/abc/99999999999", bootlink{}, false},
		{"ostree/boot.1/os/abc/0", bootlink{}, false},
	} {
		got, err := parseBootlink(tt.text)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%s: %+v, %v", tt.text, got, err)
		}
	}
}

func TestParseName(t *testing.T) {
	for name, ok := range map[string]bool{
		testSum + ".0": true, testSum + ".15": true, testSum: false, testSum + ".": false, testSum + ".x": false,
		testSum + ".1.2": false, "abc.0": false, testSum + ".+1": false,
	} {
		csum, serial, err := parseName(name)
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		if d := (Deployment{Checksum: csum, Serial: serial}); ok && d.Name() != name {
			t.Errorf("%s reads as %s", name, d.Name())
		}
	}
}

func TestOSRelease(t *testing.T) {
	got := parseOSRelease("# comment\nID=test\nPRETTY_NAME=\"A \\\"good\\\" \\$OS\"\nX='it'\\''s'\nBAD=\"open\nEMPTY=\nNONE\n")
	want := map[string]string{"ID": "test", "PRETTY_NAME": `A "good" $OS`, "X": "it's", "EMPTY": ""}
	if !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzBootlink(f *testing.F) {
	f.Add("/ostree/boot.1/os/abc/0")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseBootlink(s)
		if err != nil {
			return
		}
		if again, err := parseBootlink(l.String()); err != nil || again != l {
			t.Errorf("%q: %+v, %v", s, again, err)
		}
		if strings.Contains(l.String(), "/../") {
			t.Errorf("%q leads elsewhere", s)
		}
	})
}

func FuzzOSRelease(f *testing.F) {
	f.Add("ID=x\nPRETTY_NAME=\"a \\\" b\"\nX='y'\\z\n")
	f.Fuzz(func(t *testing.T, s string) {
		for k, v := range parseOSRelease(s) {
			if len(v) > len(s) || strings.Contains(k, "=") {
				t.Errorf("%q: %q=%q", s, k, v)
			}
		}
	})
}

func FuzzStaged(f *testing.F) {
	d := Deployment{OSName: "os", Serial: 2, BootChecksum: testSum}
	d.Checksum, _ = ostree.ParseChecksum(testSum)
	f.Add(serializeDeployment(d).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := deserializeDeployment(gvariant.New("a{sv}", b, hostOrder()))
		if err != nil {
			return
		}
		again, err := deserializeDeployment(serializeDeployment(d))
		if err != nil || !again.Same(d) || again.BootChecksum != d.BootChecksum {
			t.Errorf("%+v reads back as %+v, %v", d, again, err)
		}
		if strings.Contains(d.Path(), "/../") {
			t.Errorf("path %s", d.Path())
		}
	})
}

func FuzzStagedFile(f *testing.F) {
	d := Deployment{OSName: "os", Serial: 2, BootChecksum: testSum}
	d.Checksum, _ = ostree.ParseChecksum(testSum)
	merge := d
	merge.Entry = &bootloader.Entry{}
	merge.Entry.Set("x-key", "value")
	kargs := bootloader.ParseKargs(`a=1 b="c d"`)
	for _, o := range []DeployOptions{{}, {Merge: &merge, Kargs: &kargs, Overlays: []string{testSum}, LockFinalization: true}} {
		f.Add(stagedValue(d, o).Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		st, ok, err := parseStaged(gvariant.New("a{sv}", b, hostOrder()))
		if err != nil || !ok {
			return
		}
		d := st.deployment
		kargs := d.Kargs()
		o := DeployOptions{Merge: st.merge, Overlays: d.Overlays, LockFinalization: d.FinalizationLocked}
		if _, ok := d.Entry.Get("options"); ok {
			o.Kargs = &kargs
		}
		again, ok, err := parseStaged(stagedValue(d, o))
		if err != nil || !ok || !again.deployment.Same(d) || again.deployment.FinalizationLocked != d.FinalizationLocked {
			t.Errorf("%+v reads back as %+v, %v", st, again, err)
		}
		for _, name := range d.Overlays {
			if strings.Contains(name, "/") {
				t.Errorf("overlay %q", name)
			}
		}
	})
}
