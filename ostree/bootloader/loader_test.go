package bootloader

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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

// TestSyslinuxKeeps is about what others have written: none of it goes.
func TestSyslinuxKeeps(t *testing.T) {
	for _, tt := range []struct {
		name, text, keep string
		isDefault        bool
		err              string
	}{
		{"empty", "", "", true, ""},
		{"no line break at the end", "LABEL a\n\tKERNEL /a", "LABEL a\n\tKERNEL /a\n", true, ""},
		{"CR LF", "TIMEOUT 5\r\nLABEL old\r\n\tKERNEL /boot/ostree/x\r\nLABEL a\r\n\tKERNEL /a\r\n", "TIMEOUT 5\r\nLABEL a\r\n\tKERNEL /a\r\n\n", true, ""},
		{"the local disk", "LABEL old\n\tKERNEL /ostree/x\nLABEL disk\n\tLOCALBOOT 0\nLABEL new\n\tKERNEL /ostree/y\n", "LABEL disk\n\tLOCALBOOT 0\n\n", true, ""},
		{"the local disk first", "LABEL disk\n\tLOCALBOOT 0\n", "", false, "No KERNEL argument found after LABEL"},
		{"a label at the end", "LABEL a\n\tKERNEL /a\nLABEL b\n\tKERNEL /b\n\tAPPEND x", "LABEL a\n\tKERNEL /a\nLABEL b\n\tKERNEL /b\n\tAPPEND x\n", true, ""},
		{"names like ours", "LABEL a\n\tKERNEL /ostree-rescue/vmlinuz\n", "LABEL a\n\tKERNEL /ostree-rescue/vmlinuz\n\n", true, ""},
		{"another default", "DEFAULT a\nLABEL a\n\tKERNEL /a\n", "LABEL a\n\tKERNEL /a\n\n", false, ""},
		{"a long line", "# " + strings.Repeat("x", 1<<20), "# " + strings.Repeat("x", 1<<20) + "\n", true, ""},
	} {
		keep, isDefault, err := keepSyslinux(tt.text)
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.err)
			}
			continue
		}
		if got := string(joinLines(keep)); err != nil || got != tt.keep || isDefault != tt.isDefault {
			t.Errorf("%s: %.200q, %v, %v; want %.200q", tt.name, got, isDefault, err, tt.keep)
		}
	}
}

// TestConfigRefused is about configurations that are no files, or lead elsewhere. An error
// names the file, and nothing is written.
func TestConfigRefused(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("TIMEOUT 5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		make func(at string) error
		err  string
	}{
		"outside":   {func(at string) error { return os.Symlink("../../.."+outside, at) }, "syslinux.cfg: no such file"},
		"directory": {func(at string) error { return os.Mkdir(at, 0o755) }, "is a directory"},
		"fifo":      {func(at string) error { return unix.Mkfifo(at, 0o644) }, ""},
		"loop":      {func(at string) error { return os.Symlink("syslinux.cfg", at) }, "too many levels of symbolic links"},
		"endless":   {func(at string) error { return os.Truncate(at, 5<<20) }, "syslinux/syslinux.cfg is larger than 4194304 bytes"},
	} {
		target := newTarget(t, map[string]string{"boot/syslinux/syslinux.cfg": ""})
		at := filepath.Join(target.Root, "boot/syslinux/syslinux.cfg")
		if name != "endless" {
			if err := os.Remove(at); err != nil {
				t.Fatal(err)
			}
		}
		if err := tt.make(at); err != nil {
			t.Fatal(err)
		}
		err := new(syslinux).Write(t.Context(), target)
		if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) || tt.err == "" && err != nil {
			t.Errorf("%s: %v, want %q", name, err, tt.err)
		}
		_, err = os.Lstat(filepath.Join(target.Root, "boot/loader.1/syslinux.cfg"))
		if (err == nil) != (tt.err == "") {
			t.Errorf("%s: what was written: %v", name, err)
		}
	}
	// The new directory is never reached through a link.
	target := newTarget(t, map[string]string{"boot/syslinux/syslinux.cfg": "", "elsewhere/": ""})
	loader := filepath.Join(target.Root, "boot/loader.1")
	if err := errors.Join(os.RemoveAll(loader), os.Symlink("../elsewhere", loader)); err != nil {
		t.Fatal(err)
	}
	if err := new(syslinux).Write(t.Context(), target); err == nil {
		t.Error("written through a link")
	}
}

// TestEFI writes to a directory that links lead to, below boot only.
func TestEFI(t *testing.T) {
	target := newTarget(t, map[string]string{"boot/loader.1/grub.cfg.efi": "new", "boot/esp/EFI/vendor/grub.cfg.new": "of another change", "boot/esp/EFI/vendor/grub.cfg": "old", "outside/EFI/vendor/grub.cfg": "old"})
	boot := filepath.Join(target.Root, "boot")
	if err := os.Symlink("../../../esp", filepath.Join(boot, "efi")); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(target.Root, name))
		if err != nil {
			return "-"
		}
		return string(b)
	}
	for range 2 { // the second time there is nothing to do
		l, err := Find("auto", target)
		if err != nil || l == nil || l.Atomic() {
			t.Fatalf("found %v, %v", l, err)
		}
		if err := l.Finish(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		if got := read("boot/esp/EFI/vendor/grub.cfg") + read("boot/esp/EFI/vendor/grub.cfg.old") + read("boot/loader.1/grub.cfg.efi") + read("boot/esp/EFI/vendor/grub.cfg.new"); got != "newold--" {
			t.Errorf("new, old, source and what is prepared: %q", got)
		}
	}
	if err := errors.Join(os.Remove(filepath.Join(boot, "efi")), os.Symlink("../outside", filepath.Join(boot, "efi"))); err != nil {
		t.Fatal(err)
	}
	if l, err := Find("auto", target); l != nil || err != nil {
		t.Errorf("found %v outside of boot, %v", l, err)
	}
}

// TestEFILost has a configuration for an EFI system partition that is not mounted.
func TestEFILost(t *testing.T) {
	target := newTarget(t, map[string]string{"boot/loader.1/grub.cfg.efi": "new", "boot/efi/": "", "boot/grub2/": ""})
	boot := filepath.Join(target.Root, "boot")
	if err := os.Symlink("../loader/grub.cfg", filepath.Join(boot, "grub2/grub.cfg")); err != nil { // which leads nowhere
		t.Fatal(err)
	}
	for _, name := range []string{"auto", "grub2"} {
		l, err := Find(name, target)
		if err != nil || l == nil || l.Name() != "grub2" {
			t.Fatalf("%s: found %v, %v", name, l, err)
		}
		if err := l.Finish(t.Context(), target); err == nil || !strings.HasPrefix(err.Error(), "boot/loader.1/grub.cfg.efi may not be on the EFI system partition yet: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := target
	other.Version = 0 // the machine has nothing to do with the configuration
	if l, err := Find("auto", other); l != nil || err != nil {
		t.Errorf("of the other version, found %v, %v", l, err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(boot, "efi/EFI/vendor"), 0o755), os.WriteFile(filepath.Join(boot, "efi/EFI/vendor/grub.cfg"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	l, err := Find("auto", target)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Finish(t.Context(), target); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(boot, "efi/EFI/vendor/grub.cfg")); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(boot, "loader.1/grub.cfg.efi")); err == nil {
		t.Error("there is still something to do")
	}
}

func TestUBoot(t *testing.T) {
	target := newTarget(t, map[string]string{
		"boot/loader/uEnv.txt": "", "ostree/boot.1/os/b/0/usr/lib/ostree-boot/uEnv.txt": "bootdelay=1",
	})
	want := "kernel_image=/boot/ostree/os-b/vmlinuz\nramdisk_image=/boot/ostree/os-b/initramfs.img\nfdtdir=/boot/ostree/os-b/dtb\nbootargs=root=x ostree=/ostree/boot.1/os/b/0\nbootdelay=1\n" +
		"kernel_image2=/boot/ostree/os-a/vmlinuz\nfdt_file2=/boot/ostree/os-a/dt\nbootargs2=root=x ostree=/ostree/boot.1/os/a/0\n"
	checkConfig(t, target, "U-Boot", "loader.1/uEnv.txt", want)
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
