package bootloader

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// fakePrograms puts programs first in PATH which write how they were called to
// the file that it returns. Those that end in "!" fail.
func fakePrograms(t *testing.T, names ...string) (log string) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	for _, name := range names {
		name, fails := strings.CutSuffix(name, "!")
		script := fmt.Sprintf("#!/bin/sh\necho \"%s $*\" | sed 's|%s||g' >>%s\n", name, os.TempDir(), log)
		if fails {
			script += "echo no luck >&2\nexit 3\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return log
}

// finish configures a boot loader, and returns what programs were called.
func finish(t *testing.T, l Loader, target Target, log string) (string, error) {
	t.Helper()
	if err := l.Write(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if ok, err := target.stamped(); !ok || err != nil {
		t.Errorf("no stamp: %v", err)
	}
	err := l.Finish(t.Context(), target)
	if ok, _ := target.stamped(); ok != (err != nil) {
		t.Errorf("the stamp is there: %v, error %v", ok, err)
	}
	b, _ := os.ReadFile(log)
	return strings.ReplaceAll(string(b), target.Root, "ROOT"), err
}

func TestAboot(t *testing.T) {
	target := newTarget(t, map[string]string{})
	e := target.Entries[0]
	l, err := Find("aboot", target)
	if err != nil {
		t.Fatal(err)
	}
	log := fakePrograms(t, "aboot-deploy")
	if _, err := finish(t, l, target, log); err == nil || err.Error() != `aboot: no "aboot" key in bootloader config` {
		t.Errorf("without an image: %v", err)
	}
	e.Set("aboot", "/ostree/os-b/aboot.img")
	e.Set("abootcfg", "/ostree/deploy/os/deploy/x.0/usr/lib/ostree-boot/aboot.cfg")
	got, err := finish(t, l, target, log)
	if want := "aboot-deploy -r . -c /ostree/deploy/os/deploy/x.0/usr/lib/ostree-boot/aboot.cfg -o root=x ostree=/ostree/boot.1/os/b/0 /ostree/os-b/aboot.img\n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := finish(t, l, target, fakePrograms(t, "aboot-deploy!")); err == nil || err.Error() != "aboot-deploy: exit status 3: no luck\n" {
		t.Errorf("a failure: %v", err)
	}
	target.Entries = nil
	if _, err := finish(t, l, target, log); err == nil {
		t.Error("no entries: no error")
	}
}

// machine is the root directory of a machine with files.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestZipl(t *testing.T) {
	treetest.NeedRoot(t)
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"plain", map[string]string{"dev/kmsg": "a\nb\n"}, "zipl --secure auto -V\n"},
		{"sysfs", map[string]string{"sys/firmware/ipl/secure": "1\n"}, "zipl --secure 1 -V\n"},
		{"sysfs says no", map[string]string{"sys/firmware/ipl/secure": "0\n", "dev/kmsg": "Secure-IPL enabled\n"}, "zipl --secure auto -V\n"},
		{"message", map[string]string{"dev/kmsg": "6,1,2,-;Linux\n6,2,2,-;setup: Linux is running with Secure-IPL enabled\n"}, "zipl --secure 1 -V\n"},
		{"not a guest", map[string]string{"dev/kmsg": "", "sys/firmware/uv/prot_virt_guest": "0\n"}, "zipl --secure auto -V\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := newTarget(t, map[string]string{})
			got, err := finish(t, &zipl{root: machine(t, tt.files)}, target, fakePrograms(t, "zipl"))
			if err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
	target := newTarget(t, map[string]string{})
	if _, err := finish(t, &zipl{root: machine(t, map[string]string{"dev/kmsg": ""})}, target, fakePrograms(t, "zipl!")); err == nil {
		t.Error("zipl failed without an error")
	}
}

func TestSecureExecution(t *testing.T) {
	treetest.NeedRoot(t)
	whole := map[string]string{
		"sys/firmware/uv/prot_virt_guest": "1\n", "etc/se-hostkeys/ibm-z-hostkey-1": "key", "etc/se-hostkeys/other": "x",
		"dev/disk/by-label/se": "", "etc/crypttab": "root", "etc/luks/root": "secret", "etc/luks/boot": "hidden",
	}
	for _, tt := range []struct{ without, err string }{
		{"", ""},
		{"etc/se-hostkeys/ibm-z-hostkey-1", "s390x SE: no keys"},
		{"dev/disk/by-label/se", "s390x SE: resolving /dev/disk/by-label/se: "},
		{"etc/luks/root", "s390x SE: missing luks keys and config: "},
		{"pvimg", "s390x SE: pvimg is needed to make the boot image: "},
	} {
		t.Run(tt.without, func(t *testing.T) {
			files := make(map[string]string)
			for name, content := range whole {
				if name != tt.without {
					files[name] = content
				}
			}
			target := newTarget(t, map[string]string{"boot/ostree/os-b/initramfs.img": "initramfs"})
			programs := []string{"zipl"}
			if tt.without != "pvimg" {
				programs = append(programs, "pvimg")
			}
			root := machine(t, files)
			got, err := finish(t, &zipl{root: root}, target, fakePrograms(t, programs...))
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.err) || got != "" {
					t.Errorf("%v, called %q", err, got)
				}
				return
			}
			got = strings.ReplaceAll(got, strings.TrimPrefix(target.Root, os.TempDir()), "ROOT")
			got = strings.ReplaceAll(got, strings.TrimPrefix(root, os.TempDir()), "")
			lines := strings.Split(got, "\n")
			if err != nil || len(lines) != 3 || lines[1] != "zipl -V -t /sysroot/se -i /sysroot/se/sdboot" {
				t.Fatalf("%v\n%s", err, got)
			}
			words := strings.Fields(lines[0])
			for i, w := range words {
				if strings.HasPrefix(w, "/proc/") {
					words[i] = "FILE"
				}
			}
			want := "pvimg create --verbose --kernel ROOT/boot/ostree/os-b/vmlinuz --ramdisk FILE --parmfile FILE -k /etc/se-hostkeys/ibm-z-hostkey-1 --no-verify --overwrite --output /sysroot/se/sdboot"
			if got := strings.Join(words, " "); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestRamdisk(t *testing.T) {
	root := machine(t, map[string]string{"etc/crypttab": "root", "etc/luks/root": "secret", "etc/luks/boot": "hidden", "initramfs": "first;"})
	f, err := (&zipl{root: root}).ramdisk(root + "/initramfs")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, len("first;"))
	if _, err := f.ReadAt(head, 0); err != nil || string(head) != "first;" {
		t.Fatalf("%q, %v", head, err)
	}
	zip, err := gzip.NewReader(io.NewSectionReader(f, int64(len(head)), 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(treetest.Oracle(t, "cpio"), "-itv")
	cmd.Stdin = zip
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cpio: %v\n%s", err, out)
	}
	for _, want := range []string{"drwxr-xr-x", "-rw-------", " /etc\n", " /etc/luks\n", " /etc/crypttab\n", " /etc/luks/boot\n", " /etc/luks/root\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// TestMain lets the test program be GRUB's generator in the root directory of a deployment, where
// there is nothing else.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "grub2-mkconfig" {
		if err := beGenerator(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beGenerator writes what it sees: the version, and what it needs.
func beGenerator(out string) error {
	text := "config " + os.Getenv("_OSTREE_GRUB2_BOOTVERSION")
	for _, name := range []string{"/boot/loader.1/entries", "/proc/self/mountinfo", "/sys/class", "/dev/null", "/usr/bin/grub2-mkconfig"} {
		if _, err := os.Stat(name); err != nil {
			return err
		}
	}
	return os.WriteFile(out, []byte(text), 0o644)
}

// TestGeneratorInDeployment runs the generator of a deployment of a system that does not run.
func TestGeneratorInDeployment(t *testing.T) {
	treetest.NeedRoot(t)
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		treetest.Skip(t, "needs to mount: ", err, string(out))
	}
	target := newTarget(t, map[string]string{
		"boot/grub2/grub.cfg": "old", "deployment/usr/bin/x": "", "deployment/boot/": "", "deployment/proc/": "", "deployment/sys/": "", "deployment/dev/": "",
	})
	target.Chroot = filepath.Join(target.Root, "deployment")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(target.Chroot, "usr/bin/grub2-mkconfig"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	checkConfig(t, target, "grub2", "loader.1/grub.cfg", "config 1")
	// A generator of another kind runs where we are, and its failure is ours.
	target.Env = func(name string) string {
		return map[string]string{"OSTREE_GRUB2_EXEC": "/bin/false"}[name]
	}
	if err := new(grub2).Write(t.Context(), target); err == nil || !strings.HasPrefix(err.Error(), "/bin/false: exit status 1") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(target.Root, "boot/loader.1/grub.cfg")); err == nil {
		t.Error("a configuration of before is still there")
	}
}

// TestGeneratorSays shows what GRUB's generator says to whoever wants to see it, and in a unit of
// systemd. An error has it in any case.
func TestGeneratorSays(t *testing.T) {
	target := newTarget(t, map[string]string{"boot/grub2/grub.cfg": "old"})
	program := filepath.Join(t.TempDir(), "generator")
	for _, tt := range []struct{ variable, status, want string }{
		{"", "0", ""},
		{"OSTREE_DEBUG_GRUB2", "0", "to standard output\nto standard error\n"},
		{"INVOCATION_ID", "0", "to standard output\nto standard error\n"},
		{"", "3", ""},
	} {
		script := "#!/bin/sh\necho config >$2\necho to standard output\necho to standard error >&2\nexit " + tt.status + "\n"
		if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		target.Env = func(name string) string {
			return map[string]string{"OSTREE_GRUB2_EXEC": program, tt.variable: "1"}[name]
		}
		said, err := stderr(t, func() error { return new(grub2).Write(t.Context(), target) })
		if said != tt.want {
			t.Errorf("%s: said %q, want %q", tt.variable, said, tt.want)
		}
		if tt.status == "0" != (err == nil) || err != nil && err.Error() != program+": exit status 3: to standard output\nto standard error\n" {
			t.Errorf("%s: %v", tt.variable, err)
		}
	}
}

// stderr returns what is written to standard error meanwhile.
func stderr(t *testing.T, do func() error) (string, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	old := os.Stderr
	os.Stderr = f
	defer func() { os.Stderr = old }()
	failed := do()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b), failed
}
