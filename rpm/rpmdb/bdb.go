package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A Berkeley DB hash file is an array of pages; page 0 holds the metadata. All
// numbers are in the byte order of the machine that made it. Reading every
// record needs no hashing: a scan over the pages finds them.
const (
	bdbHashMagic   = 0x00061561
	bdbMetaSize    = 72 // bytes of metadata that are looked at
	bdbPageHead    = 26 // bytes before the item offsets of a page
	bdbMinVersion  = 8
	bdbMaxVersion  = 10
	bdbMinPage     = 512
	bdbMaxPage     = 64 << 10
	bdbFlagChksum  = 1  // metaflags: pages carry checksums, which move all offsets
	bdbHashPage    = 13 // sorted hash page
	bdbHashOldPage = 2  // unsorted hash page
	bdbOverflow    = 7  // part of an item that does not fit a page
	bdbInline      = 1  // item kind: bytes follow
	bdbOffPage     = 3  // item kind: bytes are on overflow pages
	bdbOffPageSize = 12 // bytes of such an item
)

// bdbFile gives access to the pages of a hash file.
type bdbFile struct {
	data     []byte
	order    binary.ByteOrder
	pageSize int
	pages    int
	claimed  []bool // overflow pages that were read
}

// isBDB reports whether data looks like a Berkeley DB hash file.
func isBDB(data []byte) bool {
	return len(data) >= bdbMetaSize && bdbOrder(data) != nil
}

func bdbOrder(data []byte) binary.ByteOrder {
	switch uint32(bdbHashMagic) {
	case binary.LittleEndian.Uint32(data[12:]):
		return binary.LittleEndian
	case binary.BigEndian.Uint32(data[12:]):
		return binary.BigEndian
	}
	return nil
}

func openBDB(data []byte) (*bdbFile, error) {
	f := &bdbFile{data: data, order: bdbOrder(data)}
	if v := f.order.Uint32(data[16:]); v < bdbMinVersion || v > bdbMaxVersion {
		return nil, fmt.Errorf("hash version %d is not known", v)
	}
	size := f.order.Uint32(data[20:])
	if size < bdbMinPage || size > bdbMaxPage || size&(size-1) != 0 {
		return nil, fmt.Errorf("page size %d is not valid", size)
	}
	if data[24] != 0 {
		return nil, errors.New("file is encrypted")
	}
	if data[26]&bdbFlagChksum != 0 {
		return nil, errors.New("page checksums are not supported")
	}
	f.pageSize = int(size)
	last := int64(f.order.Uint32(data[32:]))
	if (last+1)*int64(size) > int64(len(data)) {
		return nil, fmt.Errorf("last page %d lies behind the end of the file", last)
	}
	f.pages = int(last) + 1
	f.claimed = make([]bool, f.pages)
	return f, nil
}

func (f *bdbFile) page(n int) []byte {
	return f.data[n*f.pageSize : (n+1)*f.pageSize]
}

// readBDB returns the records of a Packages file in ascending order.
func readBDB(data []byte) ([]rawBlob, error) {
	f, err := openBDB(data)
	if err != nil {
		return nil, err
	}
	var blobs []rawBlob
	for n := 1; n < f.pages; n++ {
		p := f.page(n)
		if kind := p[25]; kind != bdbHashPage && kind != bdbHashOldPage {
			continue
		}
		got, err := f.hashPage(p)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", n, err)
		}
		if blobs = append(blobs, got...); len(blobs) > MaxHeaders {
			return nil, fmt.Errorf("more than %d headers", MaxHeaders)
		}
	}
	return sortBlobs(blobs)
}

// hashPage returns the records of one hash page, whose items are keys and
// values in turn.
func (f *bdbFile) hashPage(p []byte) ([]rawBlob, error) {
	items := int(f.order.Uint16(p[20:]))
	if items%2 != 0 || bdbPageHead+2*items > len(p) {
		return nil, fmt.Errorf("%d items are malformed", items)
	}
	var blobs []rawBlob
	end := len(p)
	item := func(i int) ([]byte, error) {
		// Items are laid down from the end of the page, in order.
		off := int(f.order.Uint16(p[bdbPageHead+2*i:]))
		if off < bdbPageHead+2*items || off >= end {
			return nil, fmt.Errorf("item %d is out of bounds", i)
		}
		b := p[off:end]
		end = off
		return b, nil
	}
	for i := 0; i < items; i += 2 {
		key, err := item(i)
		if err != nil {
			return nil, err
		}
		val, err := item(i + 1)
		if err != nil {
			return nil, err
		}
		if key[0] != bdbInline || len(key) != 1+4 {
			return nil, fmt.Errorf("key of item %d is not a header number", i)
		}
		num := f.order.Uint32(key[1:])
		if num == 0 { // the record that holds the next free number
			continue
		}
		blob, err := f.value(val)
		if err != nil {
			return nil, fmt.Errorf("header %d: %w", num, err)
		}
		blobs = append(blobs, rawBlob{num, blob})
	}
	return blobs, nil
}

// value returns the bytes of an item.
func (f *bdbFile) value(item []byte) ([]byte, error) {
	switch item[0] {
	case bdbInline:
		return item[1:len(item):len(item)], nil
	case bdbOffPage:
		if len(item) != bdbOffPageSize {
			return nil, errors.New("overflow item is malformed")
		}
		return f.overflow(f.order.Uint32(item[4:]), f.order.Uint32(item[8:]))
	}
	return nil, fmt.Errorf("item kind %d is not known", item[0])
}

// overflow collects size bytes from the chain of pages that starts at page n.
func (f *bdbFile) overflow(n, size uint32) ([]byte, error) {
	if size > MaxBlobSize || int64(size) > int64(len(f.data)) {
		return nil, fmt.Errorf("length %d is out of range", size)
	}
	out := make([]byte, 0, size)
	for n != 0 {
		if int64(n) >= int64(f.pages) {
			return nil, fmt.Errorf("overflow page %d does not exist", n)
		}
		if f.claimed[n] {
			return nil, fmt.Errorf("overflow page %d is used twice", n)
		}
		f.claimed[n] = true
		p := f.page(int(n))
		used := int(f.order.Uint16(p[22:]))
		if p[25] != bdbOverflow || used > len(p)-bdbPageHead || len(out)+used > int(size) {
			return nil, fmt.Errorf("overflow page %d is malformed", n)
		}
		out = append(out, p[bdbPageHead:bdbPageHead+used]...)
		n = f.order.Uint32(p[16:])
	}
	if len(out) != int(size) {
		return nil, fmt.Errorf("value has %d bytes instead of %d", len(out), size)
	}
	return out, nil
}
