// Package kernel makes what a kernel in an OS tree needs to boot: the module
// index (depmod) and the initramfs (dracut).
package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rpmostree/internal/sandbox"
)

// ModulesDir is where kernels are, one directory a version.
const ModulesDir = "usr/lib/modules"

// ErrNone tells that a tree has no kernel.
var ErrNone = errors.New("No kernel found in /usr/lib/modules")

// Version returns the version of the kernel among the entries of
// usr/lib/modules: names are the directories there, and hasKernel tells
// whether one holds a vmlinuz. Directories without one are left over modules
// and do not count. More than one kernel is an error, since an image boots
// exactly one.
func Version(names []string, hasKernel func(name string) bool) (string, error) {
	var found []string
	for _, n := range names {
		if hasKernel(n) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return "", ErrNone
	case 1:
		return found[0], nil
	}
	slices.Sort(found)
	return "", fmt.Errorf("Multiple kernels found in /%s: %s", ModulesDir, strings.Join(found, ", "))
}

// Depmod writes the module index of the kernel.
func Depmod(ctx context.Context, root sandbox.Root, version string, log io.Writer) error {
	err := sandbox.Run(ctx, root, sandbox.Command{Args: []string{"depmod", "-a", version}, Output: log})
	if err != nil {
		return fmt.Errorf("Running depmod: %w", err)
	}
	return nil
}

// defaultArgs are the dracut arguments of an image: it must boot on any
// machine.
var defaultArgs = [...]string{"--no-hostonly"}

// Initramfs writes usr/lib/modules/VERSION/initramfs.img with dracut. No args
// means those of an image for any machine.
func Initramfs(ctx context.Context, root sandbox.Root, version string, args []string, log io.Writer) error {
	if len(args) == 0 {
		args = defaultArgs[:]
	}
	image := filepath.Join(ModulesDir, version, "initramfs.img")
	cmd := []string{"dracut", "--reproducible", "-v", "--add", "ostree", "--tmpdir=/tmp", "-f", "/" + image, "--kver", version}
	var tail tailWriter
	err := sandbox.Run(ctx, root, sandbox.Command{
		Args: append(cmd, args...), Env: []string{"DRACUT_NO_XATTR=1"}, Output: io.MultiWriter(log, &tail),
	})
	if err != nil {
		return fmt.Errorf("Running dracut: %w\n%s", err, tail.last)
	}
	return finish(filepath.Join(root.Dir, image))
}

// finish adds the device nodes that the kernel needs before anything can make
// them (a package file or an image cannot carry devices), and sets the mode.
func finish(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	// The kernel looks for the next archive at a multiple of 4.
	pad := make([]byte, (4-size%4)%4)
	if _, err := f.Write(append(pad, randomDevices()...)); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	return f.Close()
}

// randomDevices returns a cpio archive (newc) with /dev/random and
// /dev/urandom, and the directory for them.
func randomDevices() []byte {
	var b bytes.Buffer
	for i, e := range []struct {
		name         string
		mode         uint32
		major, minor uint32
	}{
		{"dev", 0o040755, 0, 0},
		{"dev/random", 0o020666, 1, 8},
		{"dev/urandom", 0o020666, 1, 9},
		{"TRAILER!!!", 0, 0, 0},
	} {
		// ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
			i+1, e.mode, 0, 0, 1, 0, 0, 0, 0, e.major, e.minor, len(e.name)+1, 0)
		b.WriteString(e.name + "\x00")
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	return b.Bytes()
}

// tailWriter keeps the end of a program's output for an error message.
type tailWriter struct{ last []byte }

const maxTail = 4 << 10

func (w *tailWriter) Write(b []byte) (int, error) {
	w.last = append(w.last, b...)
	if len(w.last) > maxTail {
		w.last = slices.Clone(w.last[len(w.last)-maxTail:])
	}
	return len(b), nil
}
