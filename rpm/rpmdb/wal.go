package rpmdb

import "encoding/binary"

// Sizes of the write-ahead log's structures and its two magic numbers, which
// differ in the byte order of the checksums.
const (
	walHeaderSize = 32
	walFrameSize  = 24
	walMagicLE    = 0x377f0682
	walMagicBE    = 0x377f0683
	walVersion    = 3007000
)

// walIndex finds the newest committed copy of a page in a write-ahead log.
type walIndex struct {
	frames map[uint32][]byte
	pages  uint32 // size of the database after the last commit
}

// indexWAL reads a log up to the last frame that commits a transaction. What
// follows a frame with a wrong salt or checksum is left over from an earlier
// use of the file, not an error. The result is nil if nothing was committed.
func indexWAL(wal []byte, pageSize int) *walIndex {
	if len(wal) < walHeaderSize {
		return nil
	}
	be := binary.BigEndian
	var order binary.ByteOrder = binary.LittleEndian
	switch be.Uint32(wal) {
	case walMagicLE:
	case walMagicBE:
		order = be
	default:
		return nil
	}
	if be.Uint32(wal[4:]) != walVersion || int64(be.Uint32(wal[8:])) != int64(pageSize) {
		return nil
	}
	salt := string(wal[16:24])
	a, b := walChecksum(order, 0, 0, wal[:24])
	if a != be.Uint32(wal[24:]) || b != be.Uint32(wal[28:]) {
		return nil
	}
	var index *walIndex
	type frame struct {
		page uint32
		data []byte
	}
	var pending []frame // not committed yet
	for rest := wal[walHeaderSize:]; len(rest) >= walFrameSize+pageSize; rest = rest[walFrameSize+pageSize:] {
		head, page := rest[:walFrameSize], rest[walFrameSize:walFrameSize+pageSize]
		a, b = walChecksum(order, a, b, head[:8])
		a, b = walChecksum(order, a, b, page)
		if string(head[8:16]) != salt || a != be.Uint32(head[16:]) || b != be.Uint32(head[20:]) {
			break
		}
		pending = append(pending, frame{be.Uint32(head), page})
		size := be.Uint32(head[4:])
		if size == 0 || int64(size)*int64(pageSize) > MaxDatabaseSize {
			continue
		}
		if index == nil {
			index = &walIndex{frames: map[uint32][]byte{}}
		}
		index.pages = size
		for _, p := range pending {
			index.frames[p.page] = p.data
		}
		pending = pending[:0]
	}
	return index
}

// page returns page n, or nil if the log does not hold it.
func (w *walIndex) page(n uint32) []byte {
	if w == nil {
		return nil
	}
	return w.frames[n]
}

// walChecksum continues the checksum (a, b) over data, a multiple of 8 bytes.
func walChecksum(order binary.ByteOrder, a, b uint32, data []byte) (uint32, uint32) {
	for ; len(data) >= 8; data = data[8:] {
		a += order.Uint32(data) + b
		b += order.Uint32(data[4:]) + a
	}
	return a, b
}
