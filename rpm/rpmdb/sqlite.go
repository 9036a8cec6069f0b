package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// The sqlite file format is described at https://www.sqlite.org/fileformat2.html.
// This reader knows what a walk over one rowid table needs. It never writes and
// takes no locks: images are read-only, and a WAL-mode database on a read-only
// file system cannot be opened by the sqlite library at all.

const (
	sqliteMagic      = "SQLite format 3\x00"
	sqliteHeaderSize = 100 // on page 1, before its b-tree header

	sqliteUTF8 = 1 // text encoding at offset 56

	maxSQLiteDepth   = 32 // levels of a b-tree; 2^32 pages need no more
	maxSQLiteColumns = 64 // columns of a record that is looked at

	sqliteReadAhead = 64 << 10 // bytes of a long row that are read at once
)

// Types of b-tree pages.
const (
	pageIndexInterior = 2
	pageTableInterior = 5
	pageIndexLeaf     = 10
	pageTableLeaf     = 13
)

var errSQLitePageReuse = errors.New("page is used twice")

// sqliteFile gives access to the pages of a database.
type sqliteFile struct {
	r        io.ReaderAt
	size     int64     // bytes of r
	wal      *walIndex // nil: none
	pageSize int
	usable   int    // bytes of a page that hold content
	pages    uint32 // number of pages
	visited  []bool // pages seen by the current walk
	window   []byte // pages read last, from the page first on
	first    uint32
}

func openSQLite(r io.ReaderAt, size int64, wal []byte) (*sqliteFile, error) {
	if size < sqliteHeaderSize {
		return nil, errors.New("file is shorter than its header")
	}
	var head [sqliteHeaderSize]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("reading database: %w", err)
	}
	pageSize := int(binary.BigEndian.Uint16(head[16:]))
	if pageSize == 1 {
		pageSize = 65536
	}
	if pageSize < 512 || pageSize&(pageSize-1) != 0 {
		return nil, fmt.Errorf("page size %d is not valid", pageSize)
	}
	f := &sqliteFile{r: r, size: size, pageSize: pageSize, usable: pageSize - int(head[20])}
	if f.usable < 480 {
		return nil, fmt.Errorf("%d reserved bytes leave too little of a page", head[20])
	}
	if head[18] > 2 || head[19] > 2 {
		return nil, fmt.Errorf("file format version %d is not known", max(head[18], head[19]))
	}
	f.pages = uint32(size / int64(pageSize))
	if len(wal) > 0 {
		f.wal = indexWAL(wal, pageSize)
		if f.wal != nil {
			f.pages = f.wal.pages
		}
	}
	first, err := f.page(1, 1)
	if err != nil {
		return nil, err
	}
	if enc := binary.BigEndian.Uint32(first[56:]); enc != sqliteUTF8 {
		return nil, fmt.Errorf("text encoding %d is not UTF-8", enc)
	}
	return f, nil
}

// page returns page n, which counts from 1, until the next call. The ahead-1 pages
// after it are likely to be next.
func (f *sqliteFile) page(n uint32, ahead int) ([]byte, error) {
	if n == 0 || n > f.pages {
		return nil, fmt.Errorf("page %d does not exist, there are %d", n, f.pages)
	}
	if p := f.wal.page(n); p != nil {
		return p, nil
	}
	if i := (int64(n) - int64(f.first)) * int64(f.pageSize); i >= 0 && i < int64(len(f.window)) {
		return f.window[i:][:f.pageSize], nil
	}
	off := (int64(n) - 1) * int64(f.pageSize)
	have := (f.size - off) / int64(f.pageSize)
	if have < 1 {
		return nil, fmt.Errorf("page %d lies behind the end of the file", n)
	}
	// More only if pages follow each other: of a file in which they do not, little is
	// read in vain.
	count := min(ahead, 4)
	if int64(n)*int64(f.pageSize) == int64(f.first)*int64(f.pageSize)+int64(len(f.window)) {
		count = max(1, min(ahead, sqliteReadAhead/f.pageSize))
	}
	size := f.pageSize * int(min(int64(count), have))
	f.window, f.first = slices.Grow(f.window[:0], size)[:size], n
	if got, err := f.r.ReadAt(f.window, off); got < size {
		f.window = nil
		return nil, fmt.Errorf("reading page %d: %w", n, noEOF(err))
	}
	return f.window[:f.pageSize], nil
}

// claim is page for a walk, in which no page may occur twice: this bounds both
// the time of a walk over a cyclic file and the memory for its payloads.
func (f *sqliteFile) claim(n uint32, ahead int) ([]byte, error) {
	p, err := f.page(n, ahead)
	if err != nil {
		return nil, err
	}
	if f.visited[n] {
		return nil, fmt.Errorf("page %d: %w", n, errSQLitePageReuse)
	}
	f.visited[n] = true
	return p, nil
}

// walk calls visit with each row of the table b-tree at root, in rowid order.
func (f *sqliteFile) walk(root uint32, visit func(rowid int64, payload []byte) error) error {
	f.visited = make([]bool, int(f.pages)+1)
	return f.walkPage(root, 0, visit)
}

func (f *sqliteFile) walkPage(n uint32, depth int, visit func(int64, []byte) error) error {
	if depth > maxSQLiteDepth {
		return errors.New("b-tree is too deep")
	}
	p, err := f.claim(n, 1)
	if err != nil {
		return err
	}
	p = slices.Clone(p)
	head := 0
	if n == 1 {
		head = sqliteHeaderSize
	}
	kind := p[head]
	ptrs := head + 8
	if kind == pageTableInterior {
		ptrs += 4
	} else if kind != pageTableLeaf {
		return fmt.Errorf("page %d is not a table page (type %d)", n, kind)
	}
	cells := int(binary.BigEndian.Uint16(p[head+3:]))
	if ptrs+2*cells > f.usable {
		return fmt.Errorf("page %d: %d cells do not fit", n, cells)
	}
	for i := range cells {
		off := int(binary.BigEndian.Uint16(p[ptrs+2*i:]))
		if off < ptrs+2*cells || off+4 > f.usable {
			return fmt.Errorf("page %d: cell %d is out of bounds", n, i)
		}
		if kind == pageTableInterior {
			err = f.walkPage(binary.BigEndian.Uint32(p[off:]), depth+1, visit)
		} else {
			err = f.leafCell(p[off:f.usable], visit)
		}
		if err != nil {
			return err
		}
	}
	if kind == pageTableInterior {
		return f.walkPage(binary.BigEndian.Uint32(p[head+8:]), depth+1, visit)
	}
	return nil
}

// leafCell decodes the cell of a table leaf at the start of b.
func (f *sqliteFile) leafCell(b []byte, visit func(int64, []byte) error) error {
	size, n := sqliteVarint(b)
	if n == 0 {
		return errors.New("cell is cut off")
	}
	rowid, m := sqliteVarint(b[n:])
	if m == 0 {
		return errors.New("cell is cut off")
	}
	payload, err := f.payload(size, b[n+m:])
	if err != nil {
		return fmt.Errorf("row %d: %w", int64(rowid), err)
	}
	return visit(int64(rowid), payload)
}

// payload returns the size bytes of a row that start in b and may continue on
// a chain of overflow pages.
func (f *sqliteFile) payload(size uint64, b []byte) ([]byte, error) {
	if size > MaxBlobSize+64 {
		return nil, fmt.Errorf("%d bytes exceed the limit of %d", size, MaxBlobSize)
	}
	local := tableLocal(int(size), f.usable)
	if len(b) < local {
		return nil, errors.New("payload crosses the end of its page")
	}
	if local == int(size) {
		return b[:local:local], nil
	}
	if len(b) < local+4 {
		return nil, errors.New("overflow pointer crosses the end of its page")
	}
	next := binary.BigEndian.Uint32(b[local:])
	// Before memory is taken: the file must be able to hold so much.
	if size > uint64(f.pages)*uint64(f.usable) {
		return nil, fmt.Errorf("%d bytes are more than the file holds", size)
	}
	out := append(make([]byte, 0, size), b[:local]...)
	for len(out) < int(size) {
		p, err := f.claim(next, (int(size)-len(out))/f.usable+1)
		if err != nil {
			return nil, fmt.Errorf("overflow: %w", err)
		}
		next = binary.BigEndian.Uint32(p)
		out = append(out, p[4:min(f.usable, 4+int(size)-len(out))]...)
	}
	return out, nil
}

// tableLocal returns how many bytes of a table row's payload of size bytes stay
// in the leaf cell.
func tableLocal(size, usable int) int {
	return localSize(size, usable, usable-35)
}

// indexLocal is tableLocal for the cells of index pages.
func indexLocal(size, usable int) int {
	return localSize(size, usable, (usable-12)*64/255-23)
}

func localSize(size, usable, most int) int {
	if size <= most {
		return size
	}
	least := (usable-12)*32/255 - 23
	if k := least + (size-least)%(usable-4); k <= most {
		return k
	}
	return least
}

// sqliteVarint decodes a big-endian base-128 number of 1 to 9 bytes; n is 0 if
// b is too short.
func sqliteVarint(b []byte) (v uint64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | uint64(b[8]), 9
		}
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// column is a value of a record: one of NULL, integer, real, text and blob.
type column struct {
	kind columnKind
	num  int64
	data []byte
}

type columnKind uint8

const (
	colNull columnKind = iota
	colInt
	colReal
	colText
	colBlob
)

// record decodes a row's payload.
func record(b []byte) ([]column, error) {
	size, n := sqliteVarint(b)
	if n == 0 || size > uint64(len(b)) || size < uint64(n) {
		return nil, errors.New("record header is malformed")
	}
	types, body := b[n:size], b[size:]
	var cols []column
	for len(types) > 0 {
		serial, n := sqliteVarint(types)
		if n == 0 || len(cols) == maxSQLiteColumns {
			return nil, errors.New("record header is malformed")
		}
		types = types[n:]
		c, rest, err := value(serial, body)
		if err != nil {
			return nil, err
		}
		cols, body = append(cols, c), rest
	}
	return cols, nil
}

// value decodes one value of the given serial type from the start of b.
func value(serial uint64, b []byte) (column, []byte, error) {
	sizes := [...]uint64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}
	var size uint64
	switch {
	case serial < uint64(len(sizes)):
		size = sizes[serial]
	case serial >= 12:
		size = (serial - 12) / 2
	default:
		return column{}, nil, fmt.Errorf("serial type %d is reserved", serial)
	}
	if size > uint64(len(b)) {
		return column{}, nil, errors.New("record is cut off")
	}
	data, rest := b[:size:size], b[size:]
	switch {
	case serial == 0:
		return column{}, rest, nil
	case serial == 7:
		return column{kind: colReal}, rest, nil
	case serial == 8 || serial == 9:
		return column{kind: colInt, num: int64(serial - 8)}, rest, nil
	case serial < 7:
		num := int64(int8(data[0]))
		for _, x := range data[1:] {
			num = num<<8 | int64(x)
		}
		return column{kind: colInt, num: num}, rest, nil
	case serial%2 == 0:
		return column{kind: colBlob, data: data}, rest, nil
	}
	return column{kind: colText, data: data}, rest, nil
}

// root returns the root page of the named table.
func (f *sqliteFile) root(table string) (uint32, error) {
	var root uint32
	err := f.walk(1, func(_ int64, payload []byte) error {
		cols, err := record(payload)
		if err != nil {
			return err
		}
		if len(cols) < 4 || cols[0].kind != colText || string(cols[0].data) != "table" ||
			cols[1].kind != colText || string(cols[1].data) != table {
			return nil
		}
		if cols[3].kind != colInt || cols[3].num < 1 || cols[3].num > int64(f.pages) {
			return fmt.Errorf("table %s has no valid root page", table)
		}
		root = uint32(cols[3].num)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("schema: %w", err)
	}
	if root == 0 {
		return 0, fmt.Errorf("no table %s", table)
	}
	return root, nil
}

// readSQLite returns the rows of table Packages in ascending order. It reads no
// more of the file than that.
func readSQLite(r io.ReaderAt, size int64, wal []byte) ([]rawBlob, error) {
	f, err := openSQLite(r, size, wal)
	if err != nil {
		return nil, err
	}
	root, err := f.root("Packages")
	if err != nil {
		return nil, err
	}
	var blobs []rawBlob
	err = f.walk(root, func(rowid int64, payload []byte) error {
		num, err := headerNum(rowid)
		if err != nil {
			return err
		}
		// hnum is an alias of the rowid and stored as NULL.
		cols, err := record(payload)
		if err != nil {
			return fmt.Errorf("row %d: %w", rowid, err)
		}
		if len(cols) != 2 || cols[1].kind != colBlob {
			return fmt.Errorf("row %d does not hold a blob", rowid)
		}
		if len(blobs) > 0 && num <= blobs[len(blobs)-1].num {
			return fmt.Errorf("row %d is out of order", rowid)
		}
		if len(blobs) == MaxHeaders {
			return fmt.Errorf("more than %d headers", MaxHeaders)
		}
		blobs = append(blobs, rawBlob{num, cols[1].data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("table Packages: %w", err)
	}
	return blobs, nil
}
