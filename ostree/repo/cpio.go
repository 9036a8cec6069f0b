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
		return &cpioReader{in: b, names: map[cpioInode]string{}, waiting: map[cpioInode][]*tar.Header{}}, nil
	}
	return tar.NewReader(b), nil
}

// maxCpioName is the longest path or link target in a cpio file, in bytes.
const maxCpioName = 4096

// cpioReader reads the "newc" format of cpio: headers of 110 ASCII bytes, names and
// contents padded to 4 bytes. Of a file with several links only one entry, mostly the
// last, has the content; the others come out as hard links to it.
type cpioReader struct {
	in      *bufio.Reader
	left    int64                       // of the present content
	pad     int64                       // after it
	names   map[cpioInode]string        // files with several links whose content was seen
	waiting map[cpioInode][]*tar.Header // other names of files whose content was not
	queue   []*tar.Header               // entries to return next
	ended   bool
}

// cpioInode is the device and inode number of a file.
type cpioInode [3]uint64

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
	for {
		if err := c.skip(c.left + c.pad); err != nil {
			return nil, err
		}
		c.left, c.pad = 0, 0
		if len(c.queue) > 0 {
			h := c.queue[0]
			c.queue = c.queue[1:]
			return h, nil
		}
		if c.ended {
			return nil, io.EOF
		}
		h, err := c.read()
		if h != nil || err != nil {
			return h, err
		}
	}
}

// read reads an entry. It returns nil if that was the end or waits for content.
func (c *cpioReader) read() (*tar.Header, error) {
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
	size, nameLen := int64(f[6]), int64(f[11])
	if nameLen < 1 || nameLen > maxCpioName {
		return nil, fmt.Errorf("invalid cpio header: name of %d bytes", nameLen)
	}
	name := make([]byte, nameLen+(-(110+nameLen))&3)
	if _, err := io.ReadFull(c.in, name); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	h := &tar.Header{Name: string(name[:nameLen-1]), Mode: int64(f[1] & 0o7777), Uid: int(f[2]), Gid: int(f[3]), Size: size}
	if h.Name == "TRAILER!!!" {
		c.end()
		return nil, nil
	}
	c.left, c.pad = size, -size&3
	switch f[1] & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag = tar.TypeDir
	case unix.S_IFREG:
		h.Typeflag = tar.TypeReg
		if f[4] > 1 {
			return c.linked(h, cpioInode{f[7], f[8], f[0]}), nil
		}
	case unix.S_IFLNK:
		if h.Size > maxCpioName {
			return nil, fmt.Errorf("invalid cpio entry: link target of %d bytes", h.Size)
		}
		target, err := io.ReadAll(c)
		h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, string(target), 0
		return h, err
	default:
		h.Typeflag = tar.TypeFifo // stands for any type that is not supported
	}
	return h, nil
}

// linked returns what an entry of a file with several links is, nil if that is not known yet.
func (c *cpioReader) linked(h *tar.Header, inode cpioInode) *tar.Header {
	if first, ok := c.names[inode]; ok {
		h.Typeflag, h.Linkname = tar.TypeLink, first
		return h
	}
	if h.Size == 0 {
		c.waiting[inode] = append(c.waiting[inode], h)
		return nil
	}
	c.resolve(inode, h.Name)
	return h
}

// resolve makes the names that waited for a file links to it.
func (c *cpioReader) resolve(inode cpioInode, name string) {
	for _, w := range c.waiting[inode] {
		w.Typeflag, w.Linkname = tar.TypeLink, name
		c.queue = append(c.queue, w)
	}
	delete(c.waiting, inode)
	c.names[inode] = name
}

// end returns the empty files, for which no content came.
func (c *cpioReader) end() {
	c.ended = true
	for inode, list := range c.waiting {
		file := *list[0]
		c.waiting[inode] = list[1:]
		c.queue = append(c.queue, &file)
		c.resolve(inode, file.Name)
	}
}
