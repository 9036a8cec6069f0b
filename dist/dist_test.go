// Package dist_test checks the files that are installed beside the programs.
package dist_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

func write(t *testing.T, at, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestGrubGenerator(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ostree-9.conf":  "title An OS (ostree:1)\nversion 9\noptions root=x  quiet\nlinux /ostree/os-a/vmlinuz\n",
		"ostree-10.conf": "title It's new (ostree:0)\noptions root=x\nlinux /ostree/os-b/vmlinuz\ninitrd /ostree/os-b/initramfs.img\ninitrd-more x\ndevicetree /ostree/os-b/dt",
		"other":          "title no\n",
	} {
		write(t, filepath.Join(dir, "entries", name), text, 0o644)
	}
	cmd := exec.Command("./grub/ostree-grub-generator", "-o", filepath.Join(dir, "grub.cfg"))
	cmd.Env = append(os.Environ(), "OSTREE_BOOT_PARTITION=(hd0,gpt2)")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "grub.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	_, menu, _ := strings.Cut(string(b), "timeout=10\n\n")
	want := "menuentry 'It'\\''s new (ostree:0)' {\n\t linux (hd0,gpt2)/ostree/os-b/vmlinuz root=x\n\t initrd (hd0,gpt2)/ostree/os-b/initramfs.img\n\t devicetree (hd0,gpt2)/ostree/os-b/dt\n}\n\n" +
		"menuentry 'An OS (ostree:1)' {\n\t linux (hd0,gpt2)/ostree/os-a/vmlinuz root=x  quiet\n}\n\n"
	if menu != want {
		t.Errorf("got\n%s\nwant\n%s", b, want)
	}
	// A menu without entries boots nothing.
	if err := exec.Command("./grub/ostree-grub-generator", "-o", filepath.Join(t.TempDir(), "grub.cfg")).Run(); err == nil {
		t.Error("without boot entries there was no error")
	}
}

// TestDracut runs the module with the functions that dracut gives it.
func TestDracut(t *testing.T) {
	dir := t.TempDir()
	const script = `dracut_install() { echo install "$@"; }
inst_simple() { echo file "$@"; }
instmods() { echo modules "$@"; }
ln_r() { echo link "$@"; }
systemdsystemunitdir=/usr/lib/systemd/system
. ./dracut/50ostree/module-setup.sh
install && installkernel && depends && ls -d "$initdir"/usr/lib/systemd/system/*`
	cmd := exec.Command("bash", "-e", "-c", script)
	cmd.Env = append(os.Environ(), "initdir="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"install /usr/lib/ostree/ostree-prepare-root\n",
		"file /usr/lib/systemd/system/ostree-prepare-root.service\n",
		"link /usr/lib/systemd/system/ostree-prepare-root.service /usr/lib/systemd/system/initrd-root-fs.target.wants/ostree-prepare-root.service\n",
		"modules erofs overlay\n", dir + "/usr/lib/systemd/system/initrd-root-fs.target.wants\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// TestUnits lets systemd read the units, in a root where the programs are.
func TestUnits(t *testing.T) {
	analyze := treetest.Oracle(t, "systemd-analyze")
	root := t.TempDir()
	for _, program := range []string{"usr/bin/ostree", "usr/lib/ostree/ostree-prepare-root", "usr/lib/ostree/ostree-remount"} {
		write(t, filepath.Join(root, program), "#!/bin/sh\n", 0o755)
	}
	units, err := filepath.Glob("systemd/*")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"verify", "--root=" + root, "--man=no", "--generators=no", "--recursive-errors=no"}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Replace(filepath.Base(unit), "@.", "@opt.", 1)
		write(t, filepath.Join(root, "usr/lib/systemd/system", name), string(text), 0o644)
		args = append(args, name)
	}
	if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
