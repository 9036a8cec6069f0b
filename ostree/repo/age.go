package repo

import (
	"bytes"
	"time"

	"rpmostree/internal/dirfd"

	"golang.org/x/sys/unix"
)

// An Age is what a server says about the version of a file: its ETag, and when it was
// modified, each zero if it says nothing. A copy has the one as an extended attribute, the
// other as its own time.
type Age struct {
	ETag     string
	Modified time.Time
}

const (
	etagXattr = "user.etag"
	maxETag   = 4 << 10 // bytes
)

// ReadAge returns the age of a file in d, as far as it has one. A time that is still to come is
// none: a server that compares with it would have nothing newer for as long.
func ReadAge(d *dirfd.Dir, name string) Age {
	var a Age
	if st, err := d.Stat(name); err == nil && st.Mtim.Sec > 0 && st.Mtim.Sec <= time.Now().Unix() {
		a.Modified = time.Unix(st.Mtim.Unix())
	}
	var buf [maxETag]byte
	if n, err := unix.Lgetxattr(d.ProcPath(name), etagXattr, buf[:]); err == nil && bytes.IndexByte(buf[:n], 0) < 0 {
		a.ETag = string(buf[:n])
	}
	return a
}

// Write gives the age to a new file in d. Where extended attributes cannot be had, the
// file is without the ETag; a time that is not known stays as it is.
func (a Age) Write(d *dirfd.Dir, name string) error {
	if a.ETag != "" {
		_ = d.SetXattr(name, etagXattr, []byte(a.ETag))
	}
	if a.Modified.IsZero() {
		return nil
	}
	return d.SetTimes(name, a.Modified.Unix())
}
