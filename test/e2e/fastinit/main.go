// Fastinit is the /init of a tiny initramfs for tests: it loads the kernel modules of
// /modules in their order, mounts the root that root= names at /sysroot, lets
// ostree-prepare-root choose the deployment, and starts its /sbin/init. It stands in for
// dracut and systemd, which take ten times as long under emulation.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// rootLimit bounds the wait for the root device.
const rootLimit = 60 * time.Second

func main() {
	err := run() // which returns only if it failed
	fmt.Printf("fastinit: %v\n", err)
	time.Sleep(time.Second) // for the console to be read
	os.Exit(1)              // the kernel panics, which the test sees at once
}

func run() error {
	for _, m := range []struct {
		fs, dir, data string
		flags         uintptr
	}{
		{"devtmpfs", "/dev", "mode=0755", unix.MS_NOSUID},
		{"proc", "/proc", "", 0},
		{"sysfs", "/sys", "", 0},
		{"tmpfs", "/run", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
	} {
		if err := unix.Mount(m.fs, m.dir, m.fs, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	if err := loadModules("/modules"); err != nil {
		return err
	}
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	args := strings.Fields(string(cmdline))
	if err := mountRoot(args); err != nil {
		return err
	}
	c := exec.Command("/usr/lib/ostree/ostree-prepare-root", "/sysroot")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("ostree-prepare-root: %w", err)
	}
	return switchRoot("/sysroot")
}

// loadModules loads the modules that the file "order" names, one a line.
func loadModules(dir string) error {
	order, err := os.ReadFile(filepath.Join(dir, "order"))
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(order)) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

// mountRoot mounts the ext4 file system that root=DEVICE or root=LABEL=NAME names.
func mountRoot(args []string) error {
	var root string
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, "root="); ok {
			root = v
		}
	}
	var flags uintptr = unix.MS_RDONLY
	if slices.Contains(args, "rw") {
		flags = 0
	}
	wanted, byLabel := strings.CutPrefix(root, "LABEL=")
	for end := time.Now().Add(rootLimit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		devices, err := filepath.Glob("/dev/[vs]d*")
		if err != nil {
			return err
		}
		for _, d := range devices {
			if d == root || byLabel && label(d) == wanted {
				if err := unix.Mount(d, "/sysroot", "ext4", flags, ""); err != nil {
					return fmt.Errorf("mount %s: %w", d, err)
				}
				return nil
			}
		}
	}
	return fmt.Errorf("no device for root=%s", root)
}

// label reads the volume label of an ext2, ext3 or ext4 file system; "" if it is none. The
// superblock is at 1024: its magic number at 56, the label of 16 bytes at 120.
func label(device string) string {
	f, err := os.Open(device)
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 256)
	if _, err := f.ReadAt(b, 1024); err != nil || b[56] != 0x53 || b[57] != 0xef {
		return ""
	}
	return string(bytes.TrimRight(b[120:136], "\x00"))
}

// switchRoot makes dir the root and becomes its /sbin/init.
func switchRoot(dir string) error {
	for _, d := range []string{"dev", "proc", "sys", "run"} {
		if err := unix.Mount("/"+d, filepath.Join(dir, d), "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move /%s: %w", d, err)
		}
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return fmt.Errorf("/sbin/init: %w", unix.Exec("/sbin/init", []string{"/sbin/init"}, []string{"TERM=linux"}))
}
