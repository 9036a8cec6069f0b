package bootloader

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/dirfd"
)

// newTarget makes a boot directory with files in it.
func newTarget(t *testing.T, files map[string]string) Target {
	t.Helper()
	root := t.TempDir()
	files["boot/loader.1/entries/"], files["ostree/"] = "", ""
	for name, content := range files {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir == path {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	target := Target{Root: root, Version: 1}
	for name, dir := range map[string]**dirfd.Dir{"boot": &target.Boot, "ostree": &target.Ostree} {
		d, err := dirfd.Open(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		*dir = d
	}
	for _, text := range []string{
		"title An OS (ostree:0)\nversion 2\noptions root=x ostree=/ostree/boot.1/os/b/0\nlinux /ostree/os-b/vmlinuz\ninitrd /ostree/os-b/initramfs.img\nfdtdir /ostree/os-b/dtb\n",
		"version 1\noptions root=x ostree=/ostree/boot.1/os/a/0\nlinux /ostree/os-a/vmlinuz\ndevicetree /ostree/os-a/dt\n",
	} {
		e, err := ParseEntry("ostree.conf", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		target.Entries = append(target.Entries, e)
	}
	return target
}

func TestSyslinux(t *testing.T) {
	target := newTarget(t, map[string]string{
		"boot/syslinux/syslinux.cfg": "TIMEOUT 5\n\nDEFAULT old (ostree:0)\nLABEL old (ostree:0)\n\tKERNEL /boot/ostree/os-x/vmlinuz\n\tAPPEND x\nLABEL memtest\n\tKERNEL /memtest\n\n",
	})
	want := "TIMEOUT 5\n\nLABEL memtest\n\tKERNEL /memtest\n" +
		"DEFAULT An OS (ostree:0)\nLABEL An OS (ostree:0)\n\tKERNEL /boot/ostree/os-b/vmlinuz\n\tINITRD /boot/ostree/os-b/initramfs.img\n\tAPPEND root=x ostree=/ostree/boot.1/os/b/0\n" +
		"LABEL (Untitled)\n\tKERNEL /boot/ostree/os-a/vmlinuz\n\tDEVICETREE /boot/ostree/os-a/dt\n\tAPPEND root=x ostree=/ostree/boot.1/os/a/0\n"
	checkConfig(t, target, "syslinux", "loader.1/syslinux.cfg", want)
}

func TestUBoot(t *testing.T) {
	target := newTarget(t, map[string]string{
		"boot/loader/uEnv.txt": "", "ostree/boot.1/os/b/0/usr/lib/ostree-boot/uEnv.txt": "bootdelay=1",
	})
	want := "kernel_image=/boot/ostree/os-b/vmlinuz\nramdisk_image=/boot/ostree/os-b/initramfs.img\nfdtdir=/boot/ostree/os-b/dtb\nbootargs=root=x ostree=/ostree/boot.1/os/b/0\nbootdelay=1\n" +
		"kernel_image2=/boot/ostree/os-a/vmlinuz\nfdt_file2=/boot/ostree/os-a/dt\nbootargs2=root=x ostree=/ostree/boot.1/os/a/0\n"
	checkConfig(t, target, "uboot", "loader.1/uEnv.txt", want)
}

func checkConfig(t *testing.T, target Target, name, file, want string) {
	t.Helper()
	l, err := Find("auto", target)
	if err != nil || l == nil || l.Name() != name {
		t.Fatalf("found %v, %v; want %s", l, err, name)
	}
	if err := l.Write(context.Background(), target); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(target.Root, "boot", file)); err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

func TestNoLoader(t *testing.T) {
	target := newTarget(t, map[string]string{})
	if l, err := Find("", target); l != nil || err != nil {
		t.Errorf("found %v, %v", l, err)
	}
}

func FuzzSyslinux(f *testing.F) {
	f.Add("TIMEOUT 5\n\nDEFAULT a (ostree)\nLABEL a\n\tKERNEL /boot/ostree/x\nLABEL b\n\tKERNEL /b\n")
	f.Fuzz(func(t *testing.T, text string) {
		keep, _, err := keepSyslinux(text)
		if err != nil {
			return
		}
		again, isDefault, err := keepSyslinux(string(joinLines(keep)))
		if err != nil || !isDefault || len(again) > len(keep)+1 {
			t.Errorf("%q: kept %q, then %q, %v", text, keep, again, err)
		}
	})
}
