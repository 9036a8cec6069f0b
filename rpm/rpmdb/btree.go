package rpmdb

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// What this package writes: pages of the size rpm uses, all of them in use.
const (
	writePageSize = 4096
	// The page that holds byte 2^30 must stay empty; databases end before it.
	maxWritePages = 1<<30/writePageSize - 1
)

// pendingPages is how many pages are written to the file at once.
const pendingPages = 64

// image is a database file that grows page by page.
type image struct {
	w      io.WriterAt
	first  [writePageSize]byte // page 1, which is written last
	pages  uint32              // that there are, the first included
	buf    []byte              // the last ones, which are not written yet
	err    error               // the first failure; sticky
	leaves cells               // of the b-tree that is being built; see newLeaves
}

func newImage(w io.WriterAt) *image {
	return &image{w: w, pages: 1, buf: make([]byte, 0, pendingPages*writePageSize)}
}

// newLeaves returns an empty list for the cells of a b-tree. It is valid until
// the next call, by when finish must have been called.
func (m *image) newLeaves() *cells {
	m.leaves.buf, m.leaves.ends = m.leaves.buf[:0], m.leaves.ends[:0]
	return &m.leaves
}

// alloc appends an empty page and returns its number, and the page itself until the
// next call.
func (m *image) alloc() (uint32, []byte) {
	if m.err == nil && m.pages >= maxWritePages {
		m.err = fmt.Errorf("database exceeds %d bytes", maxWritePages*writePageSize)
	}
	if len(m.buf) == cap(m.buf) {
		m.flush()
	}
	if m.err != nil {
		return 1, m.first[:] // some page; the image is not used
	}
	start := len(m.buf)
	m.buf = m.buf[:start+writePageSize]
	p := m.buf[start:]
	clear(p)
	m.pages++
	return m.pages, p
}

// flush writes the pages in the buffer.
func (m *image) flush() {
	if m.err == nil {
		_, m.err = m.w.WriteAt(m.buf, int64(m.pages)*writePageSize-int64(len(m.buf)))
	}
	m.buf = m.buf[:0]
}

// cells is a list of b-tree cells in one buffer.
type cells struct {
	buf  []byte
	ends []int
}

func (c *cells) len() int { return len(c.ends) }

func (c *cells) at(i int) []byte {
	start := 0
	if i > 0 {
		start = c.ends[i-1]
	}
	return c.buf[start:c.ends[i]]
}

// done ends the cell whose bytes were appended to buf.
func (c *cells) done() { c.ends = append(c.ends, len(c.buf)) }

// node is a b-tree page that has no number yet.
type node struct {
	kind  byte
	cells *cells
	from  int // cells[from:to] are on the page
	to    int
	right uint32 // the last child, of an interior page
}

// place writes a node to page p, from head on: page 1 starts with the file header.
func (nd node) place(p []byte, head int) {
	ptr := 8
	if nd.kind == pageTableInterior || nd.kind == pageIndexInterior {
		binary.BigEndian.PutUint32(p[head+8:], nd.right)
		ptr = 12
	}
	ptr += head
	end := writePageSize
	for i := nd.from; i < nd.to; i++ {
		cell := nd.cells.at(i)
		end -= len(cell)
		copy(p[end:], cell)
		binary.BigEndian.PutUint16(p[ptr:], uint16(end))
		ptr += 2
	}
	p[head] = nd.kind
	binary.BigEndian.PutUint16(p[head+3:], uint16(nd.to-nd.from))
	binary.BigEndian.PutUint16(p[head+5:], uint16(end))
}

// leafRoom and interiorRoom are the bytes of a page for cells, each of which
// takes two more bytes than its own size.
const (
	leafRoom     = writePageSize - 8
	interiorRoom = writePageSize - 12
)

// split divides cells into runs that fill a page each, and returns where each
// run ends. If promote is set, the cell between two runs belongs to neither. No
// run is empty.
func (c *cells) split(room int, promote bool) []int {
	var ends []int
	start, used := 0, 0
	for i := range c.len() {
		size := len(c.at(i)) + 2
		if used+size <= room {
			used += size
			continue
		}
		ends = append(ends, i)
		start, used = i, size
		if promote {
			start, used = i+1, 0
		}
	}
	if promote && len(ends) > 0 && start == c.len() {
		// Nothing follows the last promoted cell: promote the one before it.
		ends[len(ends)-1]--
	}
	return append(ends, c.len())
}

// table builds a table b-tree from leaf cells and their rowids and returns its
// root.
func (m *image) table(leaves *cells, rowids []int64) node {
	ends := leaves.split(leafRoom, false)
	if len(ends) == 1 {
		return node{kind: pageTableLeaf, cells: leaves, to: leaves.len()}
	}
	var parents cells
	var right uint32
	start := 0
	for i, end := range ends {
		n, p := m.alloc()
		node{kind: pageTableLeaf, cells: leaves, from: start, to: end}.place(p, 0)
		if start = end; i == len(ends)-1 {
			right = n
			break
		}
		parents.buf = binary.BigEndian.AppendUint32(parents.buf, n)
		parents.buf = appendVarint(parents.buf, uint64(rowids[end-1]))
		parents.done()
	}
	return m.interior(pageTableInterior, &parents, right)
}

// index builds an index b-tree from leaf cells in key order and returns its
// root.
func (m *image) index(leaves *cells) node {
	ends := leaves.split(leafRoom, true)
	if len(ends) == 1 {
		return node{kind: pageIndexLeaf, cells: leaves, to: leaves.len()}
	}
	var parents cells
	var right uint32
	start := 0
	for i, end := range ends {
		n, p := m.alloc()
		node{kind: pageIndexLeaf, cells: leaves, from: start, to: end}.place(p, 0)
		if start = end + 1; i == len(ends)-1 {
			right = n
			break
		}
		parents.buf = binary.BigEndian.AppendUint32(parents.buf, n)
		parents.buf = append(parents.buf, leaves.at(end)...)
		parents.done()
	}
	return m.interior(pageIndexInterior, &parents, right)
}

// interior builds the levels above: each cell starts with the number of its
// left child, right is the child after the last cell.
func (m *image) interior(kind byte, level *cells, right uint32) node {
	for {
		ends := level.split(interiorRoom, true)
		if len(ends) == 1 {
			return node{kind: kind, cells: level, to: level.len(), right: right}
		}
		var parents cells
		start := 0
		for i, end := range ends {
			n, p := m.alloc()
			nd := node{kind: kind, cells: level, from: start, to: end, right: right}
			if start = end + 1; i == len(ends)-1 {
				nd.place(p, 0)
				right = n
				break
			}
			promoted := level.at(end)
			nd.right = binary.BigEndian.Uint32(promoted)
			nd.place(p, 0)
			parents.buf = binary.BigEndian.AppendUint32(parents.buf, n)
			parents.buf = append(parents.buf, promoted[4:]...)
			parents.done()
		}
		level = &parents
	}
}

// finish gives the root of a b-tree its page and returns the page's number.
func (m *image) finish(root node) uint32 {
	n, p := m.alloc()
	root.place(p, 0)
	return n
}

// overflow writes what does not stay in a cell to a chain of new pages, which
// follow each other, and returns the first one's number.
func (m *image) overflow(rest []byte) uint32 {
	first := m.pages + 1
	for len(rest) > 0 && m.err == nil {
		n, p := m.alloc()
		if rest = rest[copy(p[4:], rest):]; len(rest) > 0 {
			binary.BigEndian.PutUint32(p, n+1)
		}
	}
	return first
}

// tableCell appends a leaf cell of a table: its record is head and body.
func (m *image) tableCell(c *cells, rowid int64, head, body []byte) {
	size := len(head) + len(body)
	c.buf = appendVarint(c.buf, uint64(size))
	c.buf = appendVarint(c.buf, uint64(rowid))
	m.payload(c, head, body, tableLocal(size, writePageSize))
}

// indexCell appends a leaf cell of an index.
func (m *image) indexCell(c *cells, head, body []byte) {
	size := len(head) + len(body)
	c.buf = appendVarint(c.buf, uint64(size))
	m.payload(c, head, body, indexLocal(size, writePageSize))
}

// payload ends a cell with local bytes of its record, which are more than head,
// and the number of the overflow page on which the rest starts, if any.
func (m *image) payload(c *cells, head, body []byte, local int) {
	local -= len(head)
	c.buf = append(append(c.buf, head...), body[:local]...)
	if local < len(body) {
		c.buf = binary.BigEndian.AppendUint32(c.buf, m.overflow(body[local:]))
	}
	c.done()
}

// appendVarint appends v in sqlite's encoding; see sqliteVarint.
func appendVarint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	if v >= 1<<56 {
		for shift := 57; shift >= 8; shift -= 7 {
			b = append(b, byte(v>>shift)|0x80)
		}
		return append(b, byte(v))
	}
	for n := (bits.Len64(v) - 1) / 7; n > 0; n-- {
		b = append(b, byte(v>>(7*n))|0x80)
	}
	return append(b, byte(v)&0x7f)
}
