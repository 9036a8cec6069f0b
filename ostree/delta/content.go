package delta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// maxInMemory is how large the content of a file may be to be kept on the heap, in
// bytes. A larger one is mapped, so that the kernel can take its memory back.
const maxInMemory = 4 << 20

// A content is all of a file, to be read in any order.
type content struct {
	data   []byte
	mapped bool
	copied int64 // bytes that were read to have it
	used   int   // bytes that were read since memory was given back
}

// readContent reads a file object, if it is small into *buf, which grows as it has to. If it
// is large, and compressed in the repository, it goes to a temporary file in the directory tmp.
func readContent(o *repo.Objects, tmp string, sum ostree.Checksum, buf *[]byte) (*content, error) {
	h, size, body, err := o.File(sum)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if !ostree.IsRegular(h.Mode) {
		return nil, fmt.Errorf("%s is no regular file", sum)
	}
	if size <= maxInMemory {
		data := sized(buf, size)
		_, err := io.ReadFull(body, data)
		return &content{data: data, copied: size}, err
	}
	if f, ok := body.(descriptor); ok {
		return mapFile(f, size)
	}
	f, err := unlinked(tmp)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if n, err := io.Copy(f, body); err != nil || n != size {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	c, err := mapFile(f, size)
	if err == nil {
		c.copied = size
	}
	return c, err
}

// A descriptor is an open file.
type descriptor interface{ Fd() uintptr }

// mapFile maps all of a file, which may be closed then.
func mapFile(f descriptor, size int64) (*content, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &content{data: data, mapped: true}, nil
}

func (c *content) close() error {
	if !c.mapped {
		return nil
	}
	return unix.Munmap(c.data)
}

// forget gives back the memory of what was read; the next read gets it from the file.
func (c *content) forget() {
	if c.mapped {
		_ = unix.Madvise(c.data, unix.MADV_DONTNEED) // advice
	}
}

// forgetFirst is forget for the first n bytes.
func (c *content) forgetFirst(n int) {
	if n -= n % os.Getpagesize(); c.mapped && n > 0 {
		_ = unix.Madvise(c.data[:n], unix.MADV_DONTNEED) // advice
	}
}

// pass tells that n more bytes were read. Their memory is given back after a while.
func (c *content) pass(n int) {
	if c.used += n; c.used > keepMapped {
		c.used = 0
		c.forget()
	}
}

// pages reads bytes of a content, and does not keep them in memory.
type pages struct {
	*content
	data []byte
}

func (p *pages) ReadAt(b []byte, off int64) (int, error) {
	n, err := bytes.NewReader(p.data).ReadAt(b, off)
	if off/keepMapped != (off+int64(n))/keepMapped {
		p.forget()
	}
	return n, err
}

// keepMapped is after how many bytes pages are given back.
const keepMapped = 4 << 20
