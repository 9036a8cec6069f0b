package world

import (
	"archive/tar"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rpmostree/rpm"
	"rpmostree/test/distro/deb"
)

// testConverter knows nothing but a short blackhole and the given overrides.
func testConverter(overrides ...string) *converter {
	l := &lists{blackhole: map[string]bool{"perl": true}, overrides: map[string][][]string{}, keep: map[string]bool{}}
	for _, o := range overrides {
		words := strings.Fields(o)
		l.overrides[words[1]] = append(l.overrides[words[1]], words)
		l.keep[words[1]] = l.keep[words[1]] || words[0] == "keep"
	}
	return &converter{l, baseDirectories()}
}

func TestSplitVersion(t *testing.T) {
	for _, c := range []struct{ in, epoch, version, release string }{
		{"1:2.36-9+deb12u1", "1", "2.36", "9+deb12u1"},
		{"252.39-1~deb12u2", "", "252.39", "1~deb12u2"},
		{"5.2-rc1-3", "", "5.2_rc1", "3"},
		{"30", "", "30", "0"},
		{"0:1-1", "0", "1", "1"},
	} {
		epoch, version, release, err := splitVersion(c.in)
		got := ""
		if epoch != nil {
			got = fmt.Sprint(*epoch)
		}
		if err != nil || got != c.epoch || version != c.version || release != c.release {
			t.Errorf("%s: %q %q %q, %v", c.in, got, version, release, err)
		}
	}
	if _, _, _, err := splitVersion("x:1"); err == nil {
		t.Error("an epoch that is no number was accepted")
	}
}

func TestRelations(t *testing.T) {
	b := &rpm.Builder{Name: "odd"}
	err := testConverter().relations(b, deb.Stanza{
		"Pre-Depends": "libc6 (>= 2.36-9)",
		"Depends":     "a | b (<< 2), perl, c (>> 1.0), d (>> 1.0-1), e (= 1:3-4)",
		"Recommends":  "weak",
		"Breaks":      "broken (<< 5~), x | y",
		"Conflicts":   "foe, old (<< 3)",
		"Replaces":    "old (<< 3), other (<< 4), foe",
		"Provides":    "virtual (= 2)",
	})
	if err != nil {
		t.Fatal(err)
	}
	show := func(deps []rpm.Dep) (out []string) {
		for _, d := range deps {
			out = append(out, d.String())
		}
		return out
	}
	for _, c := range []struct {
		what string
		got  []rpm.Dep
		want []string
	}{
		{"requires", b.Requires, []string{"libc6 >= 2.36-9", "(a or b < 2)", "c >= 1.0", "d > 1.0-1", "e = 1:3-4"}},
		{"recommends", b.Recommends, []string{"weak"}},
		{"conflicts", b.Conflicts, []string{"broken < 5~", "foe", "old < 3"}},
		{"obsoletes", b.Obsoletes, []string{"old < 3"}},
		{"provides", b.Provides, []string{"virtual = 2"}},
	} {
		if got := show(c.got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	if b.Requires[0].Flags&rpm.DepPre == 0 || b.Requires[2].Flags&rpm.DepPre != 0 {
		t.Error("Pre-Depends, and no other, must hold before the scripts run")
	}
}

func TestMoveLink(t *testing.T) {
	for _, c := range []struct{ path, target, want string }{
		{"/lib/x/a.so", "../y/b.so", "../y/b.so"},
		{"/usr/bin/awk", "/bin/gawk", "/usr/bin/gawk"},
		{"/bin/sh", "dash", "dash"},
		{"/etc/x", "../lib/y", "../usr/lib/y"},
		{"/usr/sbin/init", "../../lib/systemd/systemd", "../lib/systemd/systemd"},
	} {
		if got := moveLink(c.path, usrMove(c.path), c.target); got != c.want {
			t.Errorf("%s -> %s became %s, want %s", c.path, c.target, got, c.want)
		}
	}
}

// entry makes a file of a Debian package; content with a "->" is a link.
func entry(name string, kind byte, mode int64, content string) deb.File {
	h := &tar.Header{Typeflag: kind, Mode: mode, Uname: "root", Gname: "adm", ModTime: time.Unix(1000, 0)}
	f := deb.File{Header: h, Path: name}
	if kind == tar.TypeReg {
		f.Data = []byte(content)
	} else {
		h.Linkname = content
	}
	return f
}

func TestConvert(t *testing.T) {
	c := testConverter("attr odd /usr/bin/odd 4750 root shadow", "caps odd /usr/bin/one cap_net_raw=ep",
		"link odd /usr/bin/alt odd", "copy odd /etc/odd.conf /etc/copy.conf", "drop odd /var/run",
		"user odd _odd Odd user", "trigger odd /usr/lib/odd /usr/bin/odd --update", "compress odd xz")
	b, err := c.convert(&deb.Package{
		Control: deb.Stanza{"Package": "odd", "Version": "1:2.0-3", "Architecture": "amd64", "Description": "An odd one\nlong\ntext",
			"Source": "weird (1.9)", "Maintainer": "A <a@b>"},
		Conffiles: map[string]bool{"/etc/odd.conf": true},
		Files: []deb.File{
			entry("/", tar.TypeDir, 0o755, ""), entry("/bin", tar.TypeDir, 0o755, ""), entry("/usr/lib/odd", tar.TypeDir, 0o700, ""),
			entry("/bin/odd", tar.TypeReg, 0o755, "program"), entry("/usr/bin/odd", tar.TypeSymlink, 0o777, "/bin/odd"),
			entry("/usr/bin/one", tar.TypeReg, 0o755, "linked"), entry("/usr/bin/two", tar.TypeLink, 0o755, "./usr/bin/one"),
			entry("/etc/odd.conf", tar.TypeReg, 0o640, "a=b"), entry("/var/run/odd", tar.TypeReg, 0o644, ""),
			entry("/usr/share/doc/odd/copyright", tar.TypeReg, 0o644, "free"), entry("/usr/share/doc/odd/NEWS", tar.TypeReg, 0o644, "n"),
			entry("/usr/share/man/man1/odd.1.gz", tar.TypeReg, 0o644, "m"),
			entry("/lib/systemd/system/odd.service", tar.TypeReg, 0o644, "[Unit]\n[Install]\nWantedBy=x\n"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if id := fmt.Sprintf("%s-%s.%s %d %s %s", b.Name, builderEVR(b), b.Arch, b.BuildTime, b.SourceRPM, b.Compressor); id != "odd-1:2.0-3.x86_64 1000 weird-2.0-3.src.rpm xz" {
		t.Errorf("identity %s", id)
	}
	got := map[string]string{}
	for _, f := range b.Files {
		got[f.Path] = fmt.Sprintf("%o %s:%s %x %s%s%s", f.Mode, f.User, f.Group, uint32(f.Flags), f.LinkTo, f.LinkGroup, f.Caps)
	}
	want := map[string]string{
		"/usr/lib/odd": "40700 root:adm 0 ", "/usr/bin/odd": "104750 root:shadow 0 ", "/usr/bin/alt": "120777 : 0 odd",
		"/usr/bin/one": "100755 root:adm 0 /usr/bin/onecap_net_raw=ep", "/usr/bin/two": "100755 root:adm 0 /usr/bin/one",
		"/etc/odd.conf": "100640 root:adm 11 ", "/etc/copy.conf": "100640 : 11 ", "/usr/share/doc/odd/copyright": "100644 root:adm 80 ",
		"/usr/lib/systemd/system/odd.service": "100644 root:adm 0 ", "/usr/lib/sysusers.d/odd-lab.conf": "100644 : 0 ",
	}
	if !maps.Equal(got, want) {
		t.Errorf("files\n%v, want\n%v", got, want)
	}
	kinds := map[rpm.ScriptKind]string{}
	for _, s := range b.Scripts {
		kinds[s.Kind] = s.Body
	}
	if len(kinds) != 3 || !strings.Contains(kinds[rpm.PreIn], "useradd -r -g _odd") || !strings.Contains(kinds[rpm.PostIn], "preset odd.service") ||
		!strings.Contains(kinds[rpm.PreUn], "disable --now odd.service") || len(b.TransFileTriggers) != 1 {
		t.Errorf("scripts %v, triggers %v", kinds, b.TransFileTriggers)
	}
}

func TestOverrideErrors(t *testing.T) {
	for _, o := range []string{"attr odd /none 755 root root", "attr odd /a 9 root root", "unknown odd x", "drop odd /none", "caps odd /a"} {
		b := &rpm.Builder{Name: "odd"}
		addFile(b, regular("/a", 0o644, ""))
		if err := testConverter(o).override(b, "odd"); err == nil {
			t.Errorf("%s: no error", o)
		}
	}
}

func TestKernel(t *testing.T) {
	c := testConverter()
	b, err := c.convert(&deb.Package{
		Control: deb.Stanza{"Package": "linux-image-6.1.0-50-cloud-amd64", "Version": "6.1.176-1", "Architecture": "amd64", "Description": "k"},
		Files:   []deb.File{entry("/boot/vmlinuz-6.1.0-50-cloud-amd64", tar.TypeReg, 0o644, "k"), entry("/boot", tar.TypeDir, 0o755, "")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != "kernel" || len(b.Files) != 1 || b.Files[0].Path != "/usr/lib/modules/6.1.0-50-cloud-amd64/vmlinuz" {
		t.Errorf("%s with %v", b.Name, b.Files)
	}
}

func TestPlanned(t *testing.T) {
	got := planned([]byte("NOTE: x\nInst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64]) []\n" +
		"Inst zlib1g (1:1.2.13.dfsg-1 Debian:12.15/oldstable, Debian-Security:12 [amd64])\nConf libc6 (2.36-9 X [amd64])\n"))
	if want := []string{"libc6_2.36-9+deb12u14_amd64.deb", "zlib1g_1%3a1.2.13.dfsg-1_amd64.deb"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
