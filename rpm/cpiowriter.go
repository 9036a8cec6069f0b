package rpm

import (
	"fmt"
	"io"
)

const (
	cpioHeaderSize    = 110 // magic and 13 numbers of 8 hex digits
	strippedSize      = 14  // magic and one number
	cpioMagic         = "070701"
	cpioMagicCRC      = "070702"
	cpioMagicStripped = "07070X"
	cpioTrailer       = "TRAILER!!!"
)

// cpioWriter writes the "newc" archives of payloads.
type cpioWriter struct{ w io.Writer }

// header starts the member for f, whose name gets the prefix ".".
func (c *cpioWriter) header(f File, nlink int, size uint64) error {
	return c.record("."+f.Path, f.Inode, f.Mode, uint32(nlink), f.Mtime, uint32(size), f.Rdev)
}

func (c *cpioWriter) record(name string, ino, mode, nlink, mtime, size, rdev uint32) error {
	_, err := fmt.Fprintf(c.w, cpioMagic+"%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		ino, mode, 0, 0, nlink, mtime, size, 0, 0, rdev>>8, rdev&0xff, len(name)+1, 0, name)
	if err != nil {
		return err
	}
	return c.pad(int64(cpioHeaderSize + len(name) + 1))
}

// strippedHeader starts the member for the i-th file of the header.
func (c *cpioWriter) strippedHeader(i int) error {
	if _, err := fmt.Fprintf(c.w, cpioMagicStripped+"%08x", i); err != nil {
		return err
	}
	return c.pad(strippedSize)
}

// pad fills up to a multiple of 4 after n bytes.
func (c *cpioWriter) pad(n int64) error {
	_, err := c.w.Write(make([]byte, -n&3))
	return err
}

func (c *cpioWriter) trailer() error { return c.record(cpioTrailer, 0, 0, 1, 0, 0, 0) }
