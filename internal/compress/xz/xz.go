// Package xz compresses data that are in memory, or mapped into it, to the .xz format, about
// as well as "xz -6" and with two processors.
//
// The format is that of "The .xz File Format" 1.2.1 with one block of LZMA2. The encoder
// finds matches with binary trees and chooses among them by their price in bits, as the
// LZMA SDK of Igor Pavlov describes it.
package xz

import (
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"
	"io"
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

// segment is how many bytes have a dictionary of their own: positions are of 32 bits.
const segment = 1 << 30

// Compress writes the .xz file of data. The same data always make the same file. done, if it
// is not nil, is called now and then with how many bytes at the begin of data will not be
// read again.
func Compress(w io.Writer, data []byte, done func(n int)) error {
	return compress(w, data, segment, done)
}

func compress(w io.Writer, data []byte, segment int, done func(n int)) error {
	head := append([]byte(headerMagic), 0, checkCRC64)
	head = appendCRC(head, head[len(headerMagic):])
	var index []byte
	if len(data) > 0 {
		head = appendCRC(head, blockHeader(len(data)), true)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	if len(data) > 0 {
		e := &encoder{w: w, size: len(blockHeader(0)) + crc32.Size, sum: crc64.New(crc64.MakeTable(crc64.ECMA))}
		for at := 0; at < len(data); at += segment {
			release := func(n int) {
				if done != nil {
					done(at + n)
				}
			}
			if err := e.encode(data[at:min(at+segment, len(data))], release); err != nil {
				return err
			}
		}
		end := pad(append(make([]byte, e.size%4), chunkEnd))[e.size%4:]
		unpadded := e.size + 1 + crc64.Size
		if _, err := w.Write(binary.LittleEndian.AppendUint64(end, e.sum.Sum64())); err != nil {
			return err
		}
		index = binary.AppendUvarint(binary.AppendUvarint(nil, uint64(unpadded)), uint64(len(data)))
	}
	records := byte(0)
	if index != nil {
		records = 1
	}
	index = pad(append([]byte{0, records}, index...))
	out := appendCRC(nil, index, true)
	footer := binary.LittleEndian.AppendUint32(nil, uint32(len(index)+crc32.Size)/4-1)
	footer = append(footer, 0, checkCRC64)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(footer))
	_, err := w.Write(append(append(out, footer...), footerMagic...))
	return err
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
