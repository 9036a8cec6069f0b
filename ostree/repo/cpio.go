package repo

import (
	"archive/tar"
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Magic numbers of the older formats: that of POSIX in text, and a binary one in either order.
const (
	oldCpioMagic = "070707"
	binCpioMagic = 0o070707
)

// isNewc tells the format of today, with or without sums, from its first six bytes.
func isNewc(magic []byte) bool { return string(magic) == "070701" || string(magic) == "070702" }

// isCpio tells cpio files from their first six bytes.
func isCpio(magic []byte) bool {
	if len(magic) < 6 {
		return false
	}
	return isNewc(magic) || string(magic) == oldCpioMagic ||
		binary.LittleEndian.Uint16(magic) == binCpioMagic || binary.BigEndian.Uint16(magic) == binCpioMagic
}

// cpioReader reads cpio files. Of a file with several links only one entry, mostly the
// last, has the content in the format of today; the others come out as hard links to it.
type cpioReader struct {
	in      *bufio.Reader
	left    int64                       // of the present content
	pad     int64                       // after it
	names   map[cpioInode]string        // files with several links whose content was seen
	waiting map[cpioInode][]*tar.Header // other names of files whose content was not
	order   []cpioInode                 // of their first names
	queue   []*tar.Header               // entries to return next
	count   archiveCount
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
	h, err := c.next()
	if err == io.ErrUnexpectedEOF {
		err = errors.New("Truncated cpio archive")
	}
	return h, err
}

func (c *cpioReader) next() (*tar.Header, error) {
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

// cpioHeader is what the headers of all formats say.
type cpioHeader struct {
	inode                                 cpioInode
	mode, uid, gid, links, size, nameSize uint64
}

// header reads a header, and tells to what names and contents are padded.
func (c *cpioReader) header() (h cpioHeader, align int64, err error) {
	var f []uint64
	magic, err := c.in.Peek(6)
	switch {
	case err != nil:
		return h, 0, io.ErrUnexpectedEOF
	case isNewc(magic):
		f, err = c.text(16, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8)
		if err == nil {
			h = cpioHeader{cpioInode{f[7], f[8], f[0]}, f[1], f[2], f[3], f[4], f[6], f[11]}
		}
		return h, 4, err
	case string(magic) == oldCpioMagic:
		f, err = c.text(8, 6, 6, 6, 6, 6, 6, 6, 11, 6, 11)
		if err == nil {
			h = cpioHeader{cpioInode{f[0], f[1]}, f[2], f[3], f[4], f[5], f[9], f[8]}
		}
		return h, 1, err
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if magic[0] == binCpioMagic>>8 {
		order = binary.BigEndian
	}
	var n [13]uint16
	if err := binary.Read(c.in, order, &n); err != nil {
		return h, 0, io.ErrUnexpectedEOF
	}
	if n[0] != binCpioMagic {
		return h, 0, errCpioHeader
	}
	h = cpioHeader{cpioInode{uint64(n[1]), uint64(n[2])}, uint64(n[3]), uint64(n[4]), uint64(n[5]), uint64(n[6]), uint64(n[11])<<16 | uint64(n[12]), uint64(n[10])}
	return h, 2, nil
}

// text reads a header of numbers in text, after a magic number of six bytes.
func (c *cpioReader) text(base int, widths ...int) ([]uint64, error) {
	if err := c.skip(6); err != nil {
		return nil, err
	}
	var f []uint64
	for _, width := range widths {
		field, err := c.in.Peek(width)
		if err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		n, err := strconv.ParseUint(string(field), base, 40)
		if err != nil {
			return nil, errCpioHeader
		}
		f = append(f, n)
		if err := c.skip(int64(width)); err != nil {
			return nil, err
		}
	}
	return f, nil
}

var errCpioHeader = errors.New("invalid cpio header")

// read reads an entry. It returns nil if that was the end or waits for content.
func (c *cpioReader) read() (*tar.Header, error) {
	f, align, err := c.header()
	if err != nil {
		return nil, err
	}
	if f.nameSize < 1 || f.nameSize > maxArchivePath {
		return nil, fmt.Errorf("invalid cpio header: name of %d bytes", f.nameSize)
	}
	const newcHeader = 110 // bytes; those of the others are even
	nameSize := int64(f.nameSize)
	name := make([]byte, nameSize+-(newcHeader+nameSize)&(align-1))
	if _, err := io.ReadFull(c.in, name); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	text, _, _ := strings.Cut(string(name[:nameSize]), "\x00")
	h := &tar.Header{Name: text, Mode: int64(f.mode & 0o7777), Uid: int(f.uid), Gid: int(f.gid), Size: int64(f.size)}
	if h.Name == "TRAILER!!!" {
		c.end()
		return nil, nil
	}
	if err := c.count.add(h); err != nil { // also what waits is kept
		return nil, err
	}
	c.left, c.pad = h.Size, -h.Size&(align-1)
	switch f.mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag = tar.TypeDir
	case unix.S_IFREG:
		h.Typeflag = tar.TypeReg
		if f.links > 1 {
			return c.linked(h, f.inode), nil
		}
	case unix.S_IFLNK:
		if h.Size > maxArchivePath {
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
		if len(c.waiting[inode]) == 0 {
			c.order = append(c.order, inode)
		}
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
	for _, inode := range c.order {
		list := c.waiting[inode]
		if len(list) == 0 {
			continue
		}
		file := *list[0]
		c.waiting[inode] = list[1:]
		c.queue = append(c.queue, &file)
		c.resolve(inode, file.Name)
	}
}
