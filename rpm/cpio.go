package rpm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxCpioName is rpm's limit of a member's name, with its NUL.
const maxCpioName = 4096

// cpioMember is the start of a member of an archive.
type cpioMember struct {
	name     string // "" if stripped
	index    uint32 // of the file in the header, if stripped
	stripped bool
	size     int64 // bytes of content, unknown (-1) if stripped
	trailer  bool
}

// cpioReader splits an archive of the "newc" form and rpm's stripped variant.
type cpioReader struct {
	r    *bufio.Reader
	left int64 // bytes of the current content
	pad  int64 // bytes after it
}

// next reads the start of the next member; what is left of the current one is
// skipped. After the trailer it must not be called again.
func (c *cpioReader) next() (cpioMember, error) {
	if err := c.skip(c.left + c.pad); err != nil {
		return cpioMember{}, err
	}
	c.left, c.pad = 0, 0
	magic, err := c.r.Peek(len(cpioMagic))
	if err != nil {
		return cpioMember{}, noEOF(err)
	}
	switch string(magic) {
	case cpioMagic, cpioMagicCRC:
		return c.plain()
	case cpioMagicStripped:
		return c.stripped()
	}
	return cpioMember{}, fmt.Errorf("bad magic %q", magic)
}

func (c *cpioReader) plain() (m cpioMember, err error) {
	var head [cpioHeaderSize]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return m, noEOF(err)
	}
	var field [13]uint32
	for i := range field {
		if field[i], err = hex8(head[6+8*i:]); err != nil {
			return m, err
		}
	}
	m.size = int64(field[6])
	nameSize := field[11]
	if nameSize < 2 || nameSize > maxCpioName {
		return m, fmt.Errorf("bad length of a name: %d", nameSize)
	}
	name := make([]byte, nameSize)
	if _, err := io.ReadFull(c.r, name); err != nil {
		return m, noEOF(err)
	}
	if bytes.IndexByte(name, 0) != len(name)-1 {
		return m, errors.New("a name is not ended by its only NUL")
	}
	m.name = string(name[:len(name)-1])
	m.trailer = m.name == cpioTrailer
	if m.trailer && m.size != 0 {
		return m, errors.New("the trailer has content")
	}
	c.setSize(m.size)
	return m, c.skip(-int64(cpioHeaderSize+nameSize) & 3)
}

func (c *cpioReader) stripped() (m cpioMember, err error) {
	var head [strippedSize + 2]byte // padded to 4 bytes
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return m, noEOF(err)
	}
	m.stripped, m.size = true, -1
	m.index, err = hex8(head[6:])
	return m, err
}

// setSize declares the length of the current content.
func (c *cpioReader) setSize(n int64) { c.left, c.pad = n, -n&3 }

func (c *cpioReader) skip(n int64) error {
	for n > 0 {
		k, err := c.r.Discard(int(min(n, 1<<20)))
		if err != nil {
			return noEOF(err)
		}
		n -= int64(k)
	}
	return nil
}

// Read reads the current content.
func (c *cpioReader) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if c.left > 0 {
		err = noEOF(err)
	} else if err == io.EOF {
		err = nil
	}
	return n, err
}

// hex8 reads exactly eight hexadecimal digits: no sign, no space.
func hex8(b []byte) (v uint32, err error) {
	for _, c := range b[:8] {
		i := strings.IndexByte("0123456789abcdef0123456789ABCDEF", c)
		if i < 0 {
			return 0, fmt.Errorf("bad number %q", b[:8])
		}
		v = v<<4 | uint32(i&15)
	}
	return v, nil
}
