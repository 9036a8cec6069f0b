package sysroot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/ostree/bootloader"
)

// TestBootLoadersLikeC deploys with each boot loader by both programs.
func TestBootLoadersLikeC(t *testing.T) {
	for _, tt := range []struct {
		name  string
		plant map[string]string // in the sysroot, before the first deployment
		tree  map[string]string // in the commit
	}{
		{"syslinux", map[string]string{
			"boot/syslinux/syslinux.cfg": "-> ../loader/syslinux.cfg", "boot/loader": "-> loader.0",
			"boot/loader.0/syslinux.cfg": "TIMEOUT 10\n\n\nPROMPT 1\nDEFAULT memtest\n\nLABEL memtest\n\tKERNEL /memtest\n\tAPPEND x\n\nLABEL old (ostree:0)\n\tKERNEL /ostree/os-x/vmlinuz\n\nUI menu.c32\n",
		}, nil},
		{"syslinux default", map[string]string{
			"boot/syslinux/syslinux.cfg": "-> ../loader/syslinux.cfg", "boot/loader": "-> loader.0",
			"boot/loader.0/syslinux.cfg": "",
		}, map[string]string{"usr/lib/modules/6.1.0/devicetree": "dt"}},
		{"uboot", map[string]string{"boot/loader": "-> loader.0", "boot/loader.0/uEnv.txt": ""},
			map[string]string{"usr/lib/ostree-boot/uEnv.txt": "bootdelay=3\nx=y\n", "usr/lib/modules/6.1.0/dtb/a.dtb": "a"}},
		{"grub2", map[string]string{"boot/grub2/grub.cfg": "-> ../loader/grub.cfg", "boot/loader": "-> loader.0", "boot/loader.0/grub.cfg": "old"}, nil},
		{"grub2 efi", map[string]string{"boot/efi/EFI/BOOT/grub.cfg": "no", "boot/efi/EFI/vendor/grub.cfg": "old"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			generator := filepath.Join(w.dir, "generator")
			script := "#!/bin/sh\necho \"config $_OSTREE_GRUB2_BOOTVERSION efi=$_OSTREE_GRUB2_IS_EFI\" >$2\n"
			must(t, os.WriteFile(generator, []byte(script), 0o755))
			t.Setenv("OSTREE_GRUB2_EXEC", generator)
			plant(t, w.root(), tt.plant)
			first := w.commit("1", tt.tree)
			c, ours := w.clone(), w.clone()
			s := ours.open()
			kargs := bootloader.ParseKargs("root=x quiet")
			c.c("admin", "deploy", "--sysroot="+c.root(), "--os=os", "--karg=root=x", "--karg=quiet", "os/main")
			ours.deploy(s, first, func(o *DeployOptions) { o.Kargs = &kargs })
			compareFiles(t, c, ours)
			for _, version := range []string{"2", "3"} {
				csum := c.commit(version, tt.tree)
				ours.commit(version, tt.tree)
				c.c("admin", "deploy", "--sysroot="+c.root(), "--os=os", "os/main")
				ours.deploy(s, csum, nil)
				compareFiles(t, c, ours)
			}
			compare(t, c, ours)
		})
	}
}

// TestGRUB2Menu compares the menu entries with those of the C program.
func TestGRUB2Menu(t *testing.T) {
	w := newWorld(t)
	w.commit("it's 1", nil)
	w.c("admin", "deploy", "--sysroot="+w.root(), "--os=os", "--karg=root=x", "os/main")
	w.commit("2", map[string]string{"usr/lib/modules/6.1.0/devicetree": "dt"})
	w.c("admin", "deploy", "--sysroot="+w.root(), "--os=os", "os/main")
	t.Setenv("GRUB2_BOOT_DEVICE_ID", "hd0,msdos1")
	t.Setenv("GRUB2_PREPARE_ROOT_CACHE", "insmod ext2\nset root='hd0,msdos1'")
	st, err := w.open().Load()
	must(t, err)
	var entries []*bootloader.Entry
	for _, d := range st.Deployments {
		entries = append(entries, d.Entry)
	}
	for _, efi := range []bool{false, true} {
		if efi {
			t.Setenv("_OSTREE_GRUB2_IS_EFI", "1")
		}
		want, err := w.tryC("admin", "instutil", "grub2-generate", "--sysroot="+w.root())
		must(t, err)
		got, err := bootloader.GRUB2Menu{Entries: entries, DeviceID: "hd0,msdos1",
			PrepareRoot: "insmod ext2\nset root='hd0,msdos1'", EFI: efi}.Marshal()
		must(t, err)
		// Debian's GRUB needs no special commands for the protocols.
		if d := strings.NewReplacer("linux16", "linux", "initrd16", "initrd", "linuxefi", "linux", "initrdefi", "initrd"); d.Replace(string(got)) != d.Replace(want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// TestBootLoaderChoice is about the configuration.
func TestBootLoaderChoice(t *testing.T) {
	w := newWorld(t)
	plant(t, w.root(), map[string]string{"boot/grub2/grub.cfg": "x"})
	s := w.open()
	for _, tt := range []struct{ config, want, err string }{
		{"auto", "grub2", ""},
		{"none", "", ""},
		{"zipl", "zipl", ""},
		{"aboot", "aboot", ""},
		{"syslinux", "syslinux", ""},
		{"lilo", "", "Invalid bootloader configuration: 'lilo'"},
	} {
		l, err := bootloader.Find(tt.config, bootloader.Target{Root: w.root(), Boot: s.boot, Ostree: s.ostree})
		name := ""
		if l != nil {
			name = l.Name()
		}
		if name != tt.want || err == nil != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%s: %q, %v", tt.config, name, err)
		}
	}
	plant(t, w.root(), map[string]string{"boot/bootupd-state.json": `{"static-configs":{"x":1}}`})
	if l, err := bootloader.Find("auto", bootloader.Target{Root: w.root(), Boot: s.boot, Ostree: s.ostree}); l != nil || err != nil {
		t.Errorf("with bootupd: %v, %v", l, err)
	}
}
