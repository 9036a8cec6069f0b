package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing/fstest"

	"rpmostree/test/e2e/machine"
)

// DiskLabel is the label of MakeDisk's file system, for the kernel argument root=LABEL=.
const DiskLabel = "root"

// MakeDisk writes a raw disk image, one ext4 file system without a partition table, that
// holds a copy of a sysroot directory. Size is in MiB; zero is 2048. The image is sparse.
func MakeDisk(ctx context.Context, sysroot, image string, size int) error {
	if size == 0 {
		size = 2048
	}
	if err := os.Remove(image); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-L", DiskLabel, "-d", sysroot,
		"-E", "lazy_itable_init=1,lazy_journal_init=1", image, fmt.Sprintf("%dM", size)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mke2fs: %w: %s", err, out)
	}
	return nil
}

// disk reads an image with the tools of e2fsprogs: no root and no loop device are needed.
type disk struct {
	image string
	dir   string // takes the files that are read from it
}

func (d disk) debugfs(ctx context.Context, command string) ([]byte, error) {
	c := exec.CommandContext(ctx, "debugfs", "-R", command, d.image)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("debugfs %s: %w: %s", command, err, stderr.Bytes())
	}
	return out, nil
}

// replay brings the journal's content into place, which debugfs does not look at.
func (d disk) replay(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "e2fsck", "-E", "journal_only", "-p", d.image).CombinedOutput()
	// status 1: errors were corrected
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("e2fsck: %w: %s", err, out)
	}
	return nil
}

// entries reads the boot entries, the default first.
func (d disk) entries(ctx context.Context) ([]machine.Entry, error) {
	if err := d.replay(ctx); err != nil {
		return nil, err
	}
	const dir = "/boot/loader/entries"
	list, err := d.debugfs(ctx, "ls -p "+dir)
	if err != nil {
		return nil, err
	}
	files := fstest.MapFS{}
	for line := range strings.Lines(string(list)) {
		fields := strings.Split(line, "/") // /inode/mode/uid/gid/name/size/
		if len(fields) < 6 || path.Ext(fields[5]) != ".conf" {
			continue
		}
		text, err := d.debugfs(ctx, "cat "+path.Join(dir, fields[5]))
		if err != nil {
			return nil, err
		}
		files[fields[5]] = &fstest.MapFile{Data: text}
	}
	all, err := machine.Entries(files)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.image, err)
	}
	return all, nil
}

// extract copies a file below /boot out of the image.
func (d disk) extract(ctx context.Context, file string) (string, error) {
	out := filepath.Join(d.dir, strings.ReplaceAll(strings.Trim(file, "/"), "/", "_"))
	if st, err := os.Stat(out); err == nil && st.Size() > 0 {
		return out, nil // a boot checksum is part of the name, so it is the same file
	}
	if _, err := d.debugfs(ctx, "dump "+path.Join("/boot", file)+" "+out); err != nil {
		return "", err
	}
	if st, err := os.Stat(out); err != nil || st.Size() == 0 {
		return "", fmt.Errorf("%s: the boot entry's file %s is missing or empty", d.image, file)
	}
	return out, nil
}
