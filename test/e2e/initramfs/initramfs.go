// Package initramfs makes a tiny initramfs that boots a deployment in a virtual machine:
// a few kernel modules, test/e2e/fastinit as /init, and the ostree-prepare-root under test.
package initramfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// wanted are the modules that find the disk, and those for a transient /etc, by the name of their
// file without ".ko". What is built into the kernel is not listed in modules.dep and needs no
// loading.
var wanted = []string{"virtio_pci", "virtio_blk", "ext4", "overlay"}

// Build writes an initramfs for the kernel whose modules are in moduleDir, usually
// usr/lib/modules/VERSION of a deployment, to the file out. The two programs are built
// from the source around the working directory.
func Build(ctx context.Context, moduleDir, out string) error {
	dir, err := os.MkdirTemp("", "initramfs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, pkg := range map[string]string{"init": "rpmostree/test/e2e/fastinit", "ostree-prepare-root": "rpmostree/cmd/ostree-prepare-root"} {
		c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, name), pkg)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", pkg, err, text)
		}
	}
	modules, err := loadOrder(moduleDir)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	if err := write(w, dir, moduleDir, modules); err != nil {
		return err
	}
	return errors.Join(w.Flush(), f.Close())
}

// Pack writes an archive with executable files only, by their place in it, from other files.
// The kernel unpacks it over an initramfs that it follows, which has the directories.
func Pack(out string, programs map[string]string) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	c := &cpio{w: f}
	for to, from := range programs {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		c.put(to, 0o100755, content)
	}
	c.put("TRAILER!!!", 0, nil)
	return errors.Join(c.err, f.Close())
}

func write(w io.Writer, programs, moduleDir string, modules []string) error {
	c := &cpio{w: w}
	for _, d := range []string{"dev", "proc", "sys", "run", "sysroot", "etc", "modules", "usr", "usr/lib", "usr/lib/ostree"} {
		c.put(d, 0o040755, nil)
	}
	var order strings.Builder
	for _, m := range modules {
		content, err := os.ReadFile(filepath.Join(moduleDir, m))
		if err != nil {
			return err
		}
		c.put("modules/"+path.Base(m), 0o100644, content)
		fmt.Fprintln(&order, path.Base(m))
	}
	c.put("modules/order", 0o100644, []byte(order.String()))
	for to, from := range map[string]string{"init": "init", "usr/lib/ostree/ostree-prepare-root": "ostree-prepare-root"} {
		content, err := os.ReadFile(filepath.Join(programs, from))
		if err != nil {
			return err
		}
		c.put(to, 0o100755, content)
	}
	c.put("TRAILER!!!", 0, nil)
	return c.err
}

// loadOrder returns the files of the wanted modules and of all that they need, in an order
// to load them in. modules.dep(5) lists for each file those it needs, the last first.
func loadOrder(moduleDir string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(moduleDir, "modules.dep"))
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{} // by module name: the file and what it needs
	for line := range strings.Lines(string(text)) {
		file, deps, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			needs[strings.TrimSuffix(path.Base(file), ".ko")] = append([]string{file}, strings.Fields(deps)...)
		}
	}
	var order []string
	for _, name := range wanted {
		for _, file := range slices.Backward(needs[name]) {
			if path.Ext(file) != ".ko" {
				return nil, fmt.Errorf("%s: compressed modules are not supported", file)
			}
			if !slices.Contains(order, file) {
				order = append(order, file)
			}
		}
	}
	return order, nil
}

// cpio writes an archive of the "newc" format, which the kernel unpacks. All entries are
// root's and have the time zero.
type cpio struct {
	w   io.Writer
	ino int
	err error // the first one
}

func (c *cpio) put(name string, mode int, content []byte) {
	c.ino++
	links := 1
	if mode&0o170000 == 0o040000 {
		links = 2
	}
	// magic ino mode uid gid nlink mtime filesize major minor rmajor rminor namesize check
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		c.ino, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
	for _, part := range [][]byte{[]byte(head), content} {
		part = append(part, make([]byte, -len(part)&3)...)
		if c.err == nil {
			_, c.err = c.w.Write(part)
		}
	}
}
