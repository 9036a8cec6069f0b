package ostree

import (
	"archive/tar"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// A gnuTar writes tar files in the format of GNU tar, byte for byte as libarchive does, with
// which the C program exports. archive/tar writes the same format with other optional fields.
// An entry that the format has no room for is written in the pax format: any reader takes both
// in one file. The order of calls is that of tar.Writer; content must be written to its end.
type gnuTar struct {
	out  io.Writer
	size int64 // bytes written
}

const (
	tarBlock  = 512
	tarRecord = 20 * tarBlock
	tarName   = 100 // bytes of a name in a header
)

func (t *gnuTar) Write(b []byte) (int, error) {
	n, err := t.out.Write(b)
	t.size += int64(n)
	return n, err
}

// header begins an entry. The pax format has what is in PAXRecords.
func (t *gnuTar) header(h *tar.Header) error {
	if len(h.PAXRecords) > 0 {
		h.Format = tar.FormatPAX
		return tar.NewWriter(t).WriteHeader(h) // writes all of it at once
	}
	if len(h.Linkname) > tarName {
		if err := t.long('K', h.Linkname, h.Linkname); err != nil {
			return err
		}
	}
	if len(h.Name) > tarName {
		if err := t.long('L', h.Name, h.Linkname); err != nil {
			return err
		}
	}
	_, err := t.Write(gnuHeader(h))
	return err
}

// pad ends an entry or what is like one: all begins with a block, or a record, of its own.
func (t *gnuTar) pad(to int64) error {
	_, err := t.Write(make([]byte, (to-t.size%to)%to))
	return err
}

// long writes the entry that has a long name of the next one: 'L', or 'K' for the target of a
// link, which libarchive puts in its place in either, too.
func (t *gnuTar) long(kind byte, name, target string) error {
	h := &tar.Header{Typeflag: kind, Name: "././@LongLink", Linkname: target, Size: int64(len(name)) + 1, Uname: "root", Gname: "wheel"}
	if _, err := t.Write(gnuHeader(h)); err != nil {
		return err
	}
	if _, err := t.Write(append([]byte(name), 0)); err != nil {
		return err
	}
	return t.pad(tarBlock)
}

// close writes the end. The standard output and whatever is not a regular file get whole records.
func (t *gnuTar) close() error {
	if _, err := t.Write(make([]byte, 2*tarBlock)); err != nil {
		return err
	}
	if f, ok := t.out.(*os.File); ok && f != os.Stdout {
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			return nil
		}
	}
	return t.pad(tarRecord)
}

// gnuHeader returns a header (tar(5), "GNU Tar Archives"). What follows the names of user and
// group is left empty, as is a device number.
func gnuHeader(h *tar.Header) []byte {
	b := make([]byte, tarBlock)
	copy(b[:tarName], h.Name)
	tarNumber(b[100:108], h.Mode)
	tarNumber(b[108:116], int64(h.Uid))
	tarNumber(b[116:124], int64(h.Gid))
	tarNumber(b[124:136], h.Size)
	var seconds int64
	if !h.ModTime.IsZero() {
		seconds = min(max(h.ModTime.Unix(), 0), 1<<33-1) // libarchive has no wider times
	}
	tarNumber(b[136:148], seconds)
	copy(b[148:156], "        ")
	b[156] = h.Typeflag
	copy(b[157:257], h.Linkname)
	copy(b[257:265], "ustar  \x00")
	copy(b[265:297], h.Uname)
	copy(b[297:329], h.Gname)
	sum := 0
	for _, x := range b {
		sum += int(x)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// tarNumber writes a number that is not negative in octal digits with a NUL behind them, or what
// these cannot hold in base 256.
func tarNumber(b []byte, n int64) {
	digits := len(b) - 1
	if n>>(3*digits) == 0 {
		copy(b, fmt.Sprintf("%0*o\x00", digits, n))
		return
	}
	var wide [16]byte
	binary.BigEndian.PutUint64(wide[8:], uint64(n))
	copy(b, wide[16-len(b):])
	b[0] = 0x80
}
