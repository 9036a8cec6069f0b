package rpmdb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"rpmostree/rpm"
)

// accounts are users and groups by name.
type accounts map[string]uint32

func (a accounts) UID(name string) (uint32, bool) { n, ok := a[name]; return n, ok }
func (a accounts) GID(name string) (uint32, bool) { return a.UID(name) }

// verifySample returns packages with a file for each way in which one can differ.
func verifySample(t *testing.T, dir string) (paths []string) {
	t.Helper()
	file := func(path string, mode uint32, data string, set ...func(*rpm.BuildFile)) rpm.BuildFile {
		f := rpm.BuildFile{File: rpm.File{Path: path, Mode: mode, User: "root", Group: "root", Mtime: 1700000000}, Data: []byte(data)}
		for _, s := range set {
			s(&f)
		}
		return f
	}
	flags := func(flags rpm.FileFlags) func(*rpm.BuildFile) {
		return func(f *rpm.BuildFile) { f.Flags = flags }
	}
	to := func(target string) func(*rpm.BuildFile) { return func(f *rpm.BuildFile) { f.LinkTo = target } }
	owner := func(user, group string) func(*rpm.BuildFile) {
		return func(f *rpm.BuildFile) { f.User, f.Group = user, group }
	}
	caps := func(f *rpm.BuildFile) { f.Caps = "cap_net_raw=ep" }
	only := func(v rpm.VerifyFlags) func(*rpm.BuildFile) { return func(f *rpm.BuildFile) { f.Verify = v } }
	dep := func(names ...string) (out []rpm.Dep) {
		for _, n := range names {
			name, rest, _ := strings.Cut(n, " >= ")
			d := rpm.Dep{Name: name, EVR: rest}
			if strings.HasPrefix(n, "(") {
				d = rpm.Dep{Name: n}
			} else if rest != "" {
				d.Flags = rpm.DepGreater | rpm.DepEqual
			}
			out = append(out, d)
		}
		return out
	}
	var all []rpm.BuildFile
	for _, name := range []string{"good", "content", "size", "mode", "user", "group", "mtime", "gone", "dir", "link", "newcaps", "content2fifo", "many", "notdir/f"} {
		all = append(all, file("/usr/share/v/"+name, 0o100644, "content"))
	}
	for name, f := range map[string]rpm.FileFlags{
		"config": rpm.FileConfig, "noreplace": rpm.FileConfig | rpm.FileNoReplace, "doc": rpm.FileDoc, "license": rpm.FileLicense,
		"readme": rpm.FileReadme, "artifact": rpm.FileArtifact, "spec": rpm.FileSpec, "missingok": rpm.FileMissingOK,
		"ghost": rpm.FileGhost, "configdoc": rpm.FileConfig | rpm.FileDoc,
	} {
		all = append(all, file("/etc/v/"+name, 0o100640, "content", flags(f)), file("/etc/v/gone-"+name, 0o100640, "content", flags(f)))
	}
	all = append(all,
		file("/usr/share/v", 0o040755, ""), file("/usr/share/v/d", 0o040755, ""), file("/usr/share/v/d-mode", 0o040755, ""),
		file("/usr/share/v/d-link", 0o040755, ""), file("/usr/share/v/d-link-to-file", 0o040755, ""), file("/usr/share/v/d-file", 0o040755, ""),
		file("/usr/share/v/l", 0o120777, "", to("good")), file("/usr/share/v/l-changed", 0o120777, "", to("good")),
		file("/usr/share/v/l-file", 0o120777, "", to("good")), file("/usr/share/v/l-user", 0o120777, "", to("good")),
		file("/usr/share/v/daemon", 0o100644, "x", owner("daemon", "mail")), file("/usr/share/v/nobody", 0o100644, "x", owner("stranger", "strangers")),
		file("/usr/share/v/caps", 0o100755, "x", caps), file("/usr/share/v/lostcaps", 0o100755, "x", caps),
		file("/dev/v", 0o020600, "", func(f *rpm.BuildFile) { f.Rdev = 1<<8 | 3 }),
		file("/dev/v-other", 0o020600, "", func(f *rpm.BuildFile) { f.Rdev = 1<<8 | 3 }),
		file("/dev/v-block", 0o020600, "", func(f *rpm.BuildFile) { f.Rdev = 1<<8 | 3 }),
		file("/usr/share/v/only-size", 0o100644, "content", only(rpm.VerifySize)),
		file("/usr/share/v/not-mode", 0o100644, "content", only(rpm.VerifyAll&^rpm.VerifyMode)),
		file("/usr/share/v/setuid", 0o104755, "content"),
		file("/usr/share/v/ü b", 0o100644, "content"),
		file("/usr/share/v/shared", 0o100644, "content"),
	)
	for _, b := range []rpm.Builder{
		{Name: "v", Files: all, Provides: []rpm.Dep{{Name: "cap", Flags: rpm.DepEqual, EVR: "2"}}},
		{Name: "shares", Files: []rpm.BuildFile{file("/usr/share/v/shared", 0o100644, "content")}},
		{Name: "needs", Requires: dep("v", "v >= 2", "cap >= 1", "cap >= 3", "/usr/share/v/good", "/nothing", "nothing",
			"(v and shares)", "(v and no)", "(no or v)", "(no or no2)", "(no if v)", "(no if no)", "(no if no else v)",
			"(v with cap)", "(v with shares)", "(v without cap)", "(v without nothing)"),
			Conflicts: dep("shares", "nothing", "cap >= 3", "(v and shares)", "/usr/share/v/good", "/nothing")},
		{Name: "fileconflict", Conflicts: dep("/usr/share/v/shared", "(shares if /usr/share/v/good)")},
		{Name: "new", Provides: dep("old"), Obsoletes: append(dep("old", "cap", "nothing", "new"),
			rpm.Dep{Name: "older", Flags: rpm.DepLess | rpm.DepEqual, EVR: "1-1"}, rpm.Dep{Name: "fine", Flags: rpm.DepLess, EVR: "1"})},
		{Name: "old"}, {Name: "older"}, {Name: "fine"},
	} {
		b.Version, b.Release, b.Arch, b.BuildTime = "1", "1", "noarch", 1700000000
		path := filepath.Join(dir, b.Name+".rpm")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Write(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// harm changes what verifySample installed below root.
func harm(t *testing.T, root string) {
	t.Helper()
	dir := filepath.Join(root, "usr/share/v") + "/"
	write := func(name, data string) error {
		if err := os.Remove(dir + name); err != nil {
			return err
		}
		return os.WriteFile(dir+name, []byte(data), 0o644)
	}
	for _, err := range []error{
		os.WriteFile(dir+"content", []byte("CONTENT"), 0o644),
		os.WriteFile(dir+"size", []byte("longer content"), 0o644),
		os.WriteFile(dir+"only-size", []byte("CONTENT"), 0o644),
		os.Chmod(dir+"mode", 0o600), os.Chmod(dir+"not-mode", 0o600), os.Chmod(dir+"setuid", 0o755), os.Chmod(dir+"d-mode", 0o700),
		os.Chown(dir+"user", 1, 0), os.Chown(dir+"group", 0, 8), os.Lchown(dir+"l-user", 1, 0), os.Chown(dir+"nobody", 99, 99),
		unix.UtimesNano(dir+"mtime", []unix.Timespec{{Sec: 1}, {Sec: 1}}), unix.UtimesNano(dir+"shared", []unix.Timespec{{Sec: 1}, {Sec: 1}}),
		unix.UtimesNano(dir+"d", []unix.Timespec{{Sec: 1}, {Sec: 1}}),
		os.Remove(dir + "gone"), os.Remove(dir + "dir"), os.Mkdir(dir+"dir", 0o755), os.Remove(dir + "link"), os.Symlink("good", dir+"link"),
		os.Remove(dir + "d-link"), os.Symlink("d", dir+"d-link"), os.Remove(dir + "d-link-to-file"), os.Symlink("good", dir+"d-link-to-file"),
		write("d-file", "x"), os.Remove(dir + "l-changed"), os.Symlink("/elsewhere", dir+"l-changed"), write("l-file", "content"), write("content2fifo", ""), os.Remove(dir + "content2fifo"), unix.Mkfifo(dir+"content2fifo", 0o644),
		unix.Setxattr(dir+"newcaps", "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0),
		unix.Removexattr(dir+"lostcaps", "security.capability"),
		os.RemoveAll(dir + "notdir"), os.WriteFile(dir+"notdir", []byte("x"), 0o644),
		os.Remove(root + "/dev/v-other"), unix.Mknod(root+"/dev/v-other", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))),
		os.Remove(root + "/dev/v-block"), unix.Mknod(root+"/dev/v-block", unix.S_IFBLK|0o600, int(unix.Mkdev(1, 3))),
		os.WriteFile(root+"/etc/v/ghost", []byte("x"), 0o600),
		os.Rename(root+"/etc", root+"/etc.moved"), os.Symlink("/etc.moved", root+"/etc"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	gone, err := filepath.Glob(root + "/etc.moved/v/gone-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range gone {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"config", "noreplace", "doc", "license", "readme", "artifact", "spec", "missingok", "configdoc"} {
		if err := os.WriteFile(root+"/etc.moved/v/"+name, []byte("other"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

// The whole output of "rpm -Va" about a damaged tree is ours.
func TestVerifyEqualsRPM(t *testing.T) {
	oracle(t, "rpm")
	if os.Getuid() != 0 {
		t.Skip("rpm --root needs root")
	}
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0::/:\ndaemon:x:1:1::/:\n", "etc/group": "root:x:0:\nmail:x:8:\n",
	} {
		if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	packages := verifySample(t, t.TempDir())
	for _, p := range packages { // one by one: what others obsolete must come after them
		run(t, "rpm", "--root", root, "--dbpath", "/db", "-i", "--nodeps", "--force", p)
	}
	harm(t, root)
	db, err := Open(filepath.Join(root, "db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		o    VerifyOptions
	}{
		{"-Va", VerifyOptions{}},
		{"-Va --nomtime --nodigest --nofiledigest", VerifyOptions{Omit: rpm.VerifyMtime | rpm.VerifyDigest}},
		{"-Va --noghost --noconfig", VerifyOptions{Skip: rpm.FileGhost | rpm.FileConfig}},
		{"-Va --nosize --nouser --nogroup --nomode --nolinkto --nordev --nocaps", VerifyOptions{
			Omit: rpm.VerifySize | rpm.VerifyUser | rpm.VerifyGroup | rpm.VerifyMode | rpm.VerifyLink | rpm.VerifyRdev | rpm.VerifyCaps}},
	} {
		c.o.Names = accounts{"daemon": 1, "mail": 8}
		v, err := db.NewVerifier(root, c.o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range db.Packages() {
			got = append(got, v.Report(p.Header, true, true)...)
		}
		v.Close()
		out, _ := tryRun("rpm", append([]string{"--root", root, "--dbpath", "/db"}, strings.Fields(c.args)...)...)
		if d := gocmp.Diff(strings.Split(strings.TrimSuffix(out, "\n"), "\n"), got); d != "" {
			t.Errorf("rpm %s:\n%s", c.args, d)
		}
		if c.args == "-Va" && len(got) < 40 {
			t.Errorf("only %d lines:\n%s", len(got), strings.Join(got, "\n"))
		}
	}
}
