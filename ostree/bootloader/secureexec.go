package bootloader

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Files of IBM Secure Execution: the image that is booted holds the kernel, the
// initramfs with the keys of the encrypted disks, and the kernel arguments. Only
// the machines whose host keys it is made for can read it.
const (
	sePartition = "/dev/disk/by-label/se"
	seMount     = "/sysroot/se"
	seImage     = seMount + "/sdboot"
	seHostKeys  = "/etc/se-hostkeys"
	seKeyPrefix = "ibm-z-hostkey"
)

// seLUKS are the files that the initramfs needs; directories come first.
var seLUKS = []string{"/etc", "/etc/luks", "/etc/crypttab", "/etc/luks/boot", "/etc/luks/root"}

// secureExecution makes a new image and boots by it from now on.
func (z *zipl) secureExecution(ctx context.Context, t Target) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("s390x SE: %w", err)
		}
	}()
	keys, err := filepath.Glob(z.root + seHostKeys + "/" + seKeyPrefix + "*")
	switch {
	case err != nil:
		return err
	case len(keys) == 0:
		return errors.New("no keys")
	case len(t.Entries) == 0:
		return errors.New("no bls config")
	}
	for _, program := range []string{"pvimg", "zipl"} { // before anything is changed
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is needed to make the boot image: %w", program, err)
		}
	}
	unmount, err := z.mountSE()
	if err != nil {
		return err
	}
	if err := errors.Join(z.makeImage(ctx, t, keys), unmount()); err != nil {
		return err
	}
	return nil
}

// mountSE mounts the partition that the firmware reads.
func (z *zipl) mountSE() (unmount func() error, err error) {
	device, err := filepath.EvalSymlinks(z.root + sePartition)
	if err != nil {
		return nil, fmt.Errorf("resolving %s: %w", sePartition, err)
	}
	if z.root != "" {
		return func() error { return nil }, nil
	}
	if err := unix.Mount(device, seMount, "ext4", 0, ""); err != nil {
		return nil, fmt.Errorf("Mounting %s: %w", device, err)
	}
	return func() error {
		if err := unix.Unmount(seMount, 0); err != nil {
			return fmt.Errorf("Unmounting %s: %w", seMount, err)
		}
		return nil
	}, nil
}

func (z *zipl) makeImage(ctx context.Context, t Target, keys []string) error {
	var value [3]string
	for i, key := range []string{"linux", "initrd", "options"} {
		var ok bool
		if value[i], ok = t.Entries[0].Get(key); !ok {
			return fmt.Errorf("no \"%s\" key in bootloader config", key)
		}
	}
	boot := filepath.Join(t.Root, "boot")
	ramdisk, err := z.ramdisk(filepath.Join(boot, value[1]))
	if err != nil {
		return err
	}
	defer ramdisk.Close()
	cmdline, err := memoryFile("cmdline", strings.NewReader(value[2]))
	if err != nil {
		return err
	}
	defer cmdline.Close()
	argv := []string{"create", "--verbose", "--kernel", filepath.Join(boot, value[0]), "--ramdisk", procPath(ramdisk), "--parmfile", procPath(cmdline)}
	for _, key := range keys {
		argv = append(argv, "-k", key)
	}
	argv = append(argv, "--no-verify", "--overwrite", "--output", z.root+seImage)
	if err := run(exec.CommandContext(ctx, "pvimg", argv...)); err != nil {
		return err
	}
	return run(exec.CommandContext(ctx, "zipl", "-V", "-t", z.root+seMount, "-i", z.root+seImage))
}

// procPath is the path by which a child process opens a file of ours.
func procPath(f *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()) }

// memoryFile returns a file that is on no disk: it holds secrets.
func memoryFile(name string, content io.Reader) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := io.Copy(f, content); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ramdisk returns the initramfs with an archive of the LUKS files after it: the
// kernel unpacks one after the other.
func (z *zipl) ramdisk(initramfs string) (*os.File, error) {
	for _, name := range seLUKS {
		if _, err := os.Stat(z.root + name); err != nil {
			return nil, fmt.Errorf("missing luks keys and config: %w", err)
		}
	}
	in, err := os.Open(initramfs)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	archive, err := cpio(z.root, seLUKS)
	if err != nil {
		return nil, err
	}
	return memoryFile("ramdisk", io.MultiReader(in, bytes.NewReader(archive)))
}

// maxKeyFile bounds the size of a file that goes into an archive.
const maxKeyFile = 16 << 20

// cpio returns a compressed archive of files and directories in the format
// "newc" (initramfs buffer format in the kernel's documentation).
func cpio(root string, names []string) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := cpioWriter{to: zip}
	for i, name := range names {
		var st unix.Stat_t
		if err := unix.Stat(root+name, &st); err != nil {
			return nil, &os.PathError{Op: "stat", Path: name, Err: err}
		}
		var content []byte
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			if st.Size > maxKeyFile {
				return nil, fmt.Errorf("%s is larger than %d bytes", name, maxKeyFile)
			}
			var err error
			if content, err = os.ReadFile(root + name); err != nil {
				return nil, err
			}
		}
		w.entry(i+1, name, &st, content)
	}
	w.entry(0, "TRAILER!!!", new(unix.Stat_t), nil)
	err := errors.Join(w.err, zip.Close()) // before the bytes are taken: it writes the last ones
	return out.Bytes(), err
}

// cpioWriter keeps the first error.
type cpioWriter struct {
	to  io.Writer
	err error
}

func (w *cpioWriter) entry(ino int, name string, st *unix.Stat_t, content []byte) {
	head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ino, st.Mode, st.Uid, st.Gid, 1,
		uint32(st.Mtim.Sec), len(content), 0, 0, 0, 0, len(name)+1, 0) + name + "\x00"
	for _, b := range [][]byte{[]byte(head), content} {
		padding := make([]byte, -len(b)&3) // all parts are multiples of four bytes
		if _, err := w.to.Write(append(b, padding...)); err != nil && w.err == nil {
			w.err = err
		}
	}
}
