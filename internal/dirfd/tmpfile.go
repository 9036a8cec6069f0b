package dirfd

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A TmpFile is a new file that has no name until Link or Replace gives it one.
// Close discards it when neither was called.
type TmpFile struct {
	*os.File
	dir  *Dir
	name string // set when the file system has no O_TMPFILE
}

// TmpFile makes a nameless file with mode before the umask, open for reading
// and writing.
func (d *Dir) TmpFile(mode uint32) (*TmpFile, error) {
	fd, err := Openat(d.fd, ".", unix.O_TMPFILE|unix.O_RDWR, mode)
	if err == nil {
		return &TmpFile{File: os.NewFile(uintptr(fd), d.name+"/(temporary)"), dir: d}, nil
	}
	if err != unix.EOPNOTSUPP && err != unix.EISDIR && err != unix.ENOENT {
		return nil, d.err("open", "", err)
	}
	name, err := d.tempName(".tmp-", func(name string) (err error) {
		fd, err = Openat(d.fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &TmpFile{os.NewFile(uintptr(fd), d.name+"/"+name), d, name}, nil
}

// Link names the file name in to. An existing name is an error (EEXIST).
func (t *TmpFile) Link(to *Dir, name string) error {
	if t.name != "" {
		err := t.dir.RenameNoReplace(t.name, to, name)
		if err == nil {
			t.name = ""
		}
		return err
	}
	return to.err("link", name, LinkFD(int(t.Fd()), to.fd, name))
}

// Replace names the file name in to, and atomically takes the place of what is
// there.
func (t *TmpFile) Replace(to *Dir, name string) error {
	if t.name == "" {
		err := t.Link(to, name)
		if !os.IsExist(err) {
			return err
		}
		// linkat(2) never replaces: take a spare name and rename it.
		t.name, err = to.tempName(".tmp-", func(n string) error { return LinkFD(int(t.Fd()), to.fd, n) })
		if err != nil {
			return err
		}
		t.dir = to
	}
	err := t.dir.Rename(t.name, to, name)
	if err == nil {
		t.name = ""
	}
	return err
}

// Close closes the file, which vanishes if it was given no name.
func (t *TmpFile) Close() error {
	if t.name != "" {
		t.dir.Unlink(t.name)
		t.name = ""
	}
	return t.File.Close()
}

// LinkFD gives the open file fd the name name below the directory at. The
// error is a bare errno.
func LinkFD(fd, at int, name string) error {
	// AT_EMPTY_PATH needs CAP_DAC_READ_SEARCH before Linux 6.10, /proc always
	// works where it is mounted.
	err := unix.Linkat(fd, "", at, name, unix.AT_EMPTY_PATH)
	if err == unix.ENOENT || err == unix.EPERM {
		err = unix.Linkat(CWD, ProcPath(fd, ""), at, name, unix.AT_SYMLINK_FOLLOW)
	}
	return err
}

// WriteFileAtomic gives the file name the content data and exactly the
// permission bits mode, in one step: readers see the old file or the new one.
// With sync the content is durable before it gets its name; the caller syncs
// the directory.
func (d *Dir) WriteFileAtomic(name string, data []byte, mode uint32, sync bool) error {
	return d.WriteFromAtomic(name, bytes.NewReader(data), mode, sync)
}

// WriteFromAtomic is WriteFileAtomic with all that r has.
func (d *Dir) WriteFromAtomic(name string, r io.Reader, mode uint32, sync bool) error {
	t, err := d.TmpFile(0o600)
	if err != nil {
		return err
	}
	defer t.Close()
	if _, err := io.Copy(t, r); err != nil {
		return err
	}
	if err := unix.Fchmod(int(t.Fd()), mode); err != nil {
		return d.err("chmod", name, err)
	}
	if sync {
		if err := t.Sync(); err != nil {
			return err
		}
	}
	return t.Replace(d, name)
}

// tempName calls try with new names that start with prefix until it does not
// report EEXIST.
func (d *Dir) tempName(prefix string, try func(name string) error) (string, error) {
	var name string
	err := error(unix.EEXIST)
	for i := 0; i < 100 && err == unix.EEXIST; i++ {
		name = prefix + randomLetters()
		err = try(name)
	}
	return name, d.err("create", prefix+"*", err)
}

// randomLetters returns six characters, as mkstemp(3) uses.
func randomLetters() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b [6]byte
	rand.Read(b[:])
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(letters[int(c)%len(letters)])
	}
	return s.String()
}
