// Package xz compresses data that are in memory to the .xz format, about as well as
// "xz -6" and with two processors.
//
// The format is that of "The .xz File Format" 1.2.1 with one block of LZMA2. The encoder
// finds matches with binary trees and chooses among them by their price in bits, as the
// LZMA SDK of Igor Pavlov describes it.
package xz

import (
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"
	"math/bits"
)

// Dictionary bounds how far back a match may be, in bytes. A decoder has to remember as
// much; it costs nine bytes of memory each to compress.
const Dictionary = 16 << 20

const (
	headerMagic = "\xfd7zXZ\x00"
	footerMagic = "YZ"
	checkCRC64  = 4
	filterLZMA2 = 0x21
)

// Compress returns the .xz file of data. The same data always make the same file.
func Compress(data []byte) []byte {
	out := append([]byte(headerMagic), 0, checkCRC64)
	out = appendCRC(out, out[len(headerMagic):])
	var index []byte
	if len(data) > 0 {
		start := len(out)
		out = appendCRC(out, blockHeader(len(data)), true)
		out = appendLZMA2(out, data)
		unpadded := len(out) - start + crc64.Size
		out = pad(out)
		out = binary.LittleEndian.AppendUint64(out, crc64.Checksum(data, crc64.MakeTable(crc64.ECMA)))
		index = binary.AppendUvarint(binary.AppendUvarint(nil, uint64(unpadded)), uint64(len(data)))
	}
	records := byte(0)
	if index != nil {
		records = 1
	}
	index = pad(append([]byte{0, records}, index...))
	out = appendCRC(out, index, true)
	footer := binary.LittleEndian.AppendUint32(nil, uint32(len(index)+crc32.Size)/4-1)
	footer = append(footer, 0, checkCRC64)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(footer))
	return append(append(out, footer...), footerMagic...)
}

// appendCRC appends a checksum of b, after b itself if it is not there yet.
func appendCRC(out, b []byte, whole ...bool) []byte {
	sum := crc32.ChecksumIEEE(b)
	if len(whole) > 0 {
		out = append(out, b...)
	}
	return binary.LittleEndian.AppendUint32(out, sum)
}

// pad fills up to a multiple of four bytes.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// blockHeader names the filter and its dictionary.
func blockHeader(size int) []byte {
	h := []byte{0, 0, filterLZMA2, 1, dictionaryCode(min(size, Dictionary))}
	h = pad(h)
	h[0] = byte((len(h)+crc32.Size)/4 - 1)
	return h
}

// dictionaryCode returns the smallest size of the format that is at least n.
func dictionaryCode(n int) byte {
	const smallest = 12 // bits
	if n <= 1<<smallest {
		return 0
	}
	b := bits.Len(uint(n - 1))
	if n <= 3<<(b-2) {
		return byte(2*(b-smallest) - 1)
	}
	return byte(2 * (b - smallest))
}
