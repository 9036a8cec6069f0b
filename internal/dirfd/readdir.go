package dirfd

import (
	"encoding/binary"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// An Entry is a name in a directory.
type Entry struct {
	Name string
	Type uint8 // unix.DT_REG, DT_DIR, DT_LNK, ... or DT_UNKNOWN on old file systems
}

// direntBufs hold 64 KiB: one getdents64 call then serves about 2000 names.
var direntBufs = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// ReadDir returns the entries in the order of the file system, without "." and
// "..". It moves the descriptor's offset, so that two calls on the same Dir
// must not run at once.
func (d *Dir) ReadDir() ([]Entry, error) {
	entries, err := Getdents(d.fd)
	return entries, d.err("readdir", "", err)
}

// Getdents reads the whole directory fd from its start. The error is a bare
// errno.
func Getdents(fd int) ([]Entry, error) {
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return nil, err
	}
	buf := direntBufs.Get().(*[]byte)
	defer direntBufs.Put(buf)
	var entries []Entry
	for {
		n, err := unix.Getdents(fd, *buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return entries, err
		}
		entries = parseDirents(entries, (*buf)[:n])
	}
}

// parseDirents decodes struct linux_dirent64: u64 inode, i64 offset, u16
// record length, u8 type, name with NUL; see getdents64(2).
func parseDirents(entries []Entry, b []byte) []Entry {
	const header = 19
	all := string(b) // of which the names are parts
	for len(b) > header {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= header || size > len(b) {
			return entries
		}
		name := all[header:size]
		if i := strings.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		if name != "." && name != ".." && name != "" {
			entries = append(entries, Entry{name, b[18]})
		}
		b, all = b[size:], all[size:]
	}
	return entries
}

// RemoveAll removes name and everything below it. A missing name is no error.
// It does not leave the tree through links, and keeps no more than one
// descriptor open for each level.
func (d *Dir) RemoveAll(name string) error {
	err := unix.Unlinkat(d.fd, name, 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	if err != unix.EISDIR && err != unix.EPERM { // EPERM: POSIX allows it for directories
		return d.err("unlink", name, err)
	}
	sub, openErr := d.Open(name)
	if openErr != nil {
		return openErr
	}
	err = sub.RemoveContents()
	sub.Close()
	if err != nil {
		return err
	}
	return d.Rmdir(name)
}

// RemoveContents removes everything in the directory.
func (d *Dir) RemoveContents() error {
	entries, err := d.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := d.RemoveAll(e.Name); err != nil {
			return err
		}
	}
	return nil
}
