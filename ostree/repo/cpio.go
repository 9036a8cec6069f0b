package repo

import (
	"archive/tar"
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/sys/unix"
)

// archiveReader is what tar.Reader and cpioReader have in common.
type archiveReader interface {
	Next() (*tar.Header, error)
	io.Reader
}

// newArchiveReader looks at the first bytes to tell the format.
func newArchiveReader(r io.Reader) (archiveReader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.Equal(magic, []byte("070701")) || bytes.Equal(magic, []byte("070702")) {
		return &cpioReader{in: b, names: map[[3]uint64]string{}}, nil
	}
	return tar.NewReader(b), nil
}

// maxCpioName is the longest path or link target in a cpio file, in bytes.
const maxCpioName = 4096

// cpioReader reads the "newc" format of cpio: headers of 110 ASCII bytes, names and
// contents padded to 4 bytes. A file with several links has its content at the last one;
// the others come out as hard links to it.
type cpioReader struct {
	in    *bufio.Reader
	left  int64 // of the present content
	pad   int64 // after it
	names map[[3]uint64]string
}

func (c *cpioReader) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	if int64(len(b)) > c.left {
		b = b[:c.left]
	}
	n, err := c.in.Read(b)
	c.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// skip discards n bytes.
func (c *cpioReader) skip(n int64) error {
	_, err := io.CopyN(io.Discard, c.in, n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Next returns the next entry as a tar header, io.EOF at the end.
func (c *cpioReader) Next() (*tar.Header, error) {
	if err := c.skip(c.left + c.pad); err != nil {
		return nil, err
	}
	c.left, c.pad = 0, 0
	var raw [110]byte
	if _, err := io.ReadFull(c.in, raw[:]); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if m := string(raw[:6]); m != "070701" && m != "070702" {
		return nil, fmt.Errorf("invalid cpio header")
	}
	var f [13]uint64 // ino mode uid gid nlink mtime size devmajor devminor rdevmajor rdevminor namesize check
	for i := range f {
		var err error
		if f[i], err = strconv.ParseUint(string(raw[6+8*i:14+8*i]), 16, 32); err != nil {
			return nil, fmt.Errorf("invalid cpio header")
		}
	}
	mode, size, nameLen := f[1], int64(f[6]), int64(f[11])
	if nameLen < 1 || nameLen > maxCpioName {
		return nil, fmt.Errorf("invalid cpio header: name of %d bytes", nameLen)
	}
	name := make([]byte, nameLen+(-(110+nameLen))&3)
	if _, err := io.ReadFull(c.in, name); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	h := &tar.Header{Name: string(name[:nameLen-1]), Mode: int64(mode & 0o7777), Uid: int(f[2]), Gid: int(f[3]), Size: size}
	if h.Name == "TRAILER!!!" {
		return nil, io.EOF
	}
	c.left, c.pad = size, -size&3
	return h, c.kind(h, mode, [3]uint64{f[7], f[8], f[0]}, f[4] > 1)
}

// kind sets the type of an entry, and reads the target of a symbolic link.
func (c *cpioReader) kind(h *tar.Header, mode uint64, inode [3]uint64, linked bool) error {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag = tar.TypeDir
	case unix.S_IFREG:
		h.Typeflag = tar.TypeReg
		if !linked {
			return nil
		}
		first, known := c.names[inode]
		switch {
		case h.Size > 0 || !known && h.Size == 0:
			// Every name that came before is empty until the content is here; the
			// first one stays the file and the content is for the last, so links to
			// the last are what all others become.
			c.names[inode] = h.Name
		case known:
			h.Typeflag, h.Linkname = tar.TypeLink, first
		}
	case unix.S_IFLNK:
		if h.Size > maxCpioName {
			return fmt.Errorf("invalid cpio entry: link target of %d bytes", h.Size)
		}
		target, err := io.ReadAll(c)
		h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, string(target), 0
		return err
	default:
		h.Typeflag = tar.TypeFifo // any type that is not supported
	}
	return nil
}
