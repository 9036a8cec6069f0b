package sysroot

import (
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"

	"golang.org/x/sys/unix"
)

// labelTree is what a tree needs to have labels. The tools are shell scripts.
var labelTree = map[string]string{
	"usr/etc/selinux/config":                            "SELINUX=enforcing\nSELINUXTYPE=mini\n",
	"usr/etc/selinux/mini/policy/policy.33":             "binary",
	"usr/etc/selinux/mini/contexts/files/file_contexts": "/.*\tu:r:default_t:s0\n/\t-d\tu:r:root_t:s0\n/etc(/.*)?\tu:r:etc_t:s0\n/etc/link\t-l\tu:r:link_t:s0\n/etc/secret\t--\tu:r:secret_t:s0\n/var(/.*)?\tu:r:var_t:s0\n/boot/.*\tu:r:boot_t:s0\n/usr(/.*)?\tu:r:usr_t:s0\n",
}

func label(t *testing.T, file string) string {
	t.Helper()
	b := make([]byte, 256)
	n, err := unix.Lgetxattr(file, labelAttr, b)
	if err != nil {
		return err.Error()
	}
	s, ok := strings.CutSuffix(string(b[:n]), "\x00")
	if !ok {
		t.Errorf("the label of %s is %q, without an end", file, s)
	}
	return s
}

func TestLabels(t *testing.T) {
	oracle(t)
	if !inOwnMounts(t) {
		return
	}
	w := newWorld(t)
	// Labels of kernels are set in copies only.
	boot := filepath.Join(w.root(), "boot")
	must(t, unix.Mount("tmpfs", boot, "tmpfs", 0, ""))
	t.Cleanup(func() { _ = unix.Unmount(boot, unix.MNT_DETACH) })
	var said recorder
	o := options()
	o.Progress = &said
	s := w.openWith(o)
	plant(t, w.root()+"/ostree/deploy/os/var", map[string]string{"lib/data": "x"})
	d, _ := w.deploy(s, w.commit("1", labelTree), nil)
	root := s.DeploymentPath(d)
	for file, want := range map[string]string{
		root + "/etc": "u:r:etc_t:s0", root + "/etc/conf": "u:r:etc_t:s0", root + "/etc/link": "u:r:link_t:s0",
		root + "/etc/secret": "u:r:secret_t:s0", root + "/etc/dir/file": "u:r:etc_t:s0", root + "/usr/etc/conf": "no data available",
		root + ".origin": "u:r:etc_t:s0",
		boot + "/ostree/os-" + d.BootChecksum + "/vmlinuz-6.1.0":                     "u:r:boot_t:s0",
		boot + "/ostree/os-" + d.BootChecksum + "/initramfs-6.1.0.img":               "u:r:boot_t:s0",
		w.root() + "/ostree/deploy/os/backing/" + d.Name() + "/root-transient/upper": "u:r:root_t:s0",
		w.root() + "/ostree/deploy/os/var/lib/data":                                  "u:r:var_t:s0",
		w.root() + "/ostree/deploy/os/var/.ostree-selabeled":                         "u:r:var_t:s0",
	} {
		if got := label(t, file); got != want {
			t.Errorf("the label of %s is %q, want %q", file, got, want)
		}
	}
	if len(said.lines) == 0 || said.lines[0] != "Relabeling /var (no stamp file 'var/.ostree-selabeled' found)" {
		t.Errorf("messages %q", said.lines)
	}
	var lines []string
	name, err := s.EnsureLabelled(d, root+"/usr/bin", "usr/bin", func(p string) { lines = append(lines, p) },
		func(file, at, label string) { lines = append(lines, at+" "+label) })
	must(t, err)
	if got := strings.Join(lines, "\n"); name != "mini" || got != "mini\n/usr/bin u:r:usr_t:s0\n/usr/bin/tool u:r:usr_t:s0" {
		t.Errorf("%s\n%s", name, got)
	}
	lines = nil
	_, err = s.EnsureLabelled(d, root+"/usr/bin", "usr/bin", func(string) {}, func(_, at, _ string) { lines = append(lines, at) })
	if must(t, err); len(lines) > 0 {
		t.Errorf("labelled again: %q", lines)
	}
}

// beSemodule is what this test program does in a deployment, where it stands in
// for the policy tools.
func beSemodule() int {
	f, err := os.OpenFile("/var/log", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 1
	}
	defer f.Close()
	fmt.Fprintln(f, strings.Join(os.Args[1:], " "))
	help, _ := os.ReadFile("/etc/help")
	fmt.Print(string(help))
	if strings.Contains(string(help), "fails") && os.Args[1] == "-N" {
		return 4
	}
	return 0
}

func TestRefreshPolicy(t *testing.T) {
	oracle(t)
	treetest.Oracle(t, "bwrap")
	self, err := os.Executable()
	must(t, err)
	program, err := os.ReadFile(self)
	must(t, err)
	if f, err := elf.Open(self); err != nil {
		t.Fatal(err)
	} else if libs, _ := f.ImportedLibraries(); len(libs) > 0 {
		t.Skip("needs a program without shared libraries: CGO_ENABLED=0")
	}
	for _, tt := range []struct{ help, want, err string }{
		{"--refresh", "--help\n-N --refresh\n", ""},
		{"--other", "--help\n", ""},
		{"--refresh fails", "--help\n-N --refresh\n", "Deploying tree: Finalizing deployment: Finalizing SELinux policy: failed to run semodule: exit status 4: --refresh fails"},
	} {
		w := newWorld(t)
		s := w.open()
		tree := maps.Clone(labelTree)
		tree["usr/bin/semodule"], tree["usr/etc/help"] = "mode=755 "+string(program), tt.help
		w.deploy(s, w.commit("1", tree), nil)
		tree["usr/bin/tool"] = "2"
		csum := w.commit("2", tree)
		st, err := s.Load()
		must(t, err)
		merge := st.Deployments[0]
		d, _, err := s.Deploy(t.Context(), DeployOptions{Stateroot: "os", Commit: csum, Merge: &merge})
		if got := errorString(err); got != tt.err {
			t.Errorf("%s: %q, want %q", tt.help, got, tt.err)
		}
		d.OSName, d.Checksum = "os", csum
		if b, err := os.ReadFile(s.DeploymentPath(d) + "/var/log"); string(b) != tt.want {
			t.Errorf("%s: called with %q, %v", tt.help, b, err)
		}
	}
}
