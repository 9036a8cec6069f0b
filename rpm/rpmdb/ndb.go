package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"slices"
)

// An ndb file, all little endian, starts with pages of slots of 16 bytes; the
// first two slots of the first page are the file's header. Slots point to
// blobs, which lie behind the slot pages and are made of blocks of 16 bytes.
const (
	ndbMagic     = "RpmP"
	ndbSlotMagic = "Slot"
	ndbBlobMagic = "BlbS"
	ndbTailMagic = "BlbE"

	ndbPageSize  = 4096
	ndbSlotSize  = 16
	ndbBlockSize = 16
	ndbHeadSlots = 2  // slots taken by the file's header
	ndbBlobHead  = 16 // magic, package number, generation, length
	ndbBlobTail  = 12 // checksum, length, magic
)

// readNDB returns the blobs of a Packages.db file in ascending order.
func readNDB(data []byte) ([]rawBlob, error) {
	le := binary.LittleEndian
	if len(data) < ndbHeadSlots*ndbSlotSize {
		return nil, errors.New("file is shorter than its header")
	}
	if v := le.Uint32(data[4:]); v != 0 {
		return nil, fmt.Errorf("version %d is not known", v)
	}
	slotPages := int64(le.Uint32(data[12:]))
	if slotPages*ndbPageSize > int64(len(data)) {
		return nil, fmt.Errorf("%d slot pages do not fit into the file", slotPages)
	}
	slots := data[:slotPages*ndbPageSize]
	var blobs []rawBlob
	var used int64
	for i := ndbHeadSlots; i < len(slots)/ndbSlotSize; i++ {
		slot := slots[i*ndbSlotSize:][:ndbSlotSize]
		if string(slot[:4]) != ndbSlotMagic {
			return nil, fmt.Errorf("slot %d is malformed", i)
		}
		num, off, count := le.Uint32(slot[4:]), le.Uint32(slot[8:]), le.Uint32(slot[12:])
		if off == 0 {
			continue
		}
		if num == 0 {
			return nil, fmt.Errorf("slot %d has package number 0", i)
		}
		// Both factors are below 2^32, so that nothing wraps in 64 bits.
		start, size := int64(off)*ndbBlockSize, int64(count)*ndbBlockSize
		if start < slotPages*ndbPageSize || start+size > int64(len(data)) {
			return nil, fmt.Errorf("package %d lies outside of the file", num)
		}
		// Overlapping slots would let a small file stand for much data.
		if used += size; used > int64(len(data)) {
			return nil, errors.New("blobs overlap")
		}
		blob, err := ndbBlob(data[start:start+size], num)
		if err != nil {
			return nil, fmt.Errorf("package %d: %w", num, err)
		}
		blobs = append(blobs, rawBlob{num, blob})
	}
	return sortBlobs(blobs)
}

// ndbBlob checks the frame of package num and returns what is inside.
func ndbBlob(b []byte, num uint32) ([]byte, error) {
	le := binary.LittleEndian
	if len(b) < ndbBlobHead+ndbBlobTail {
		return nil, errors.New("blob is too short")
	}
	tail := b[len(b)-ndbBlobTail:]
	if string(b[:4]) != ndbBlobMagic || string(tail[8:]) != ndbTailMagic || le.Uint32(b[4:]) != num {
		return nil, errors.New("blob is malformed")
	}
	size := int64(le.Uint32(b[12:]))
	want := (ndbBlobHead + size + ndbBlobTail + ndbBlockSize - 1) / ndbBlockSize * ndbBlockSize
	if size > MaxBlobSize || want != int64(len(b)) || le.Uint32(tail[4:]) != uint32(size) {
		return nil, fmt.Errorf("blob length %d does not fit its slot", size)
	}
	if adler32.Checksum(b[:len(b)-ndbBlobTail]) != le.Uint32(tail) {
		return nil, errors.New("blob checksum is wrong")
	}
	return b[ndbBlobHead : ndbBlobHead+size : ndbBlobHead+size], nil
}

// sortBlobs orders blobs by header number, which must be unique.
func sortBlobs(blobs []rawBlob) ([]rawBlob, error) {
	if len(blobs) > MaxHeaders {
		return nil, fmt.Errorf("more than %d headers", MaxHeaders)
	}
	slices.SortFunc(blobs, func(a, b rawBlob) int { return int(int64(a.num) - int64(b.num)) })
	for i := 1; i < len(blobs); i++ {
		if blobs[i].num == blobs[i-1].num {
			return nil, fmt.Errorf("header number %d occurs twice", blobs[i].num)
		}
	}
	return blobs, nil
}
