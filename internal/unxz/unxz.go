// Package unxz decompresses the .xz format (https://tukaani.org/xz/xz-file-format.txt),
// the compressor of most RPM packages of the years 2009 to 2020 and of much
// repository metadata.
//
// It knows the LZMA2 filter alone, which is what everybody uses for such data;
// Supported tells from the start of a file whether that is so.
package unxz

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
)

// Limits of the format.
const (
	maxHeader   = 1024 // bytes of a block's header
	streamHead  = 12
	streamFoot  = 12
	filterLZMA2 = 0x21
	maxVarint   = 9 // bytes of a number
)

var (
	headMagic = []byte{0xfd, '7', 'z', 'X', 'Z', 0}
	footMagic = []byte{'Y', 'Z'}
	ecma      = crc64.MakeTable(crc64.ECMA)
)

// PeekSize is how much of a file Supported needs to see.
const PeekSize = streamHead + maxHeader

// Supported reports whether a Reader can read the first block of a file that
// starts with b. It says yes to what is malformed too.
func Supported(b []byte) bool {
	if len(b) < streamHead+2 || b[streamHead] == 0 {
		return true
	}
	// The header's size, the flags with the number of filters, two optional sizes, the first filter.
	flags, rest := b[streamHead+1], b[streamHead+2:]
	for range flags>>6&1 + flags>>7&1 {
		_, n := binary.Uvarint(rest)
		if n <= 0 {
			return true
		}
		rest = rest[n:]
	}
	return flags&3 == 0 && (len(rest) == 0 || rest[0] == filterLZMA2)
}

// Reader decompresses a file: one or more streams with padding between them.
type Reader struct {
	r       *bufio.Reader
	err     error
	maxDict uint64

	check  byte      // kind of check of the stream
	sum    hash.Hash // of the current block, may be nil
	sumLen int
	index  index

	inBlock                  bool
	packed                   uint64 // bytes of the block's compressed data so far
	unpacked                 uint64
	wantPacked, wantUnpacked uint64 // if the header tells, else noSize
	header                   uint64

	needDict, needProps, needState bool
	model                          model
	in                             input
	out                            []byte // the dictionary, and what comes behind it
	start                          int    // where the dictionary was reset; negative if that is no longer in out
	given                          int    // bytes of out that were returned
	dict                           int    // size of the dictionary
	window                         []byte // memory for out, if that is not to be of the heap
}

const noSize = 1<<64 - 1

// NewReader returns a Reader of r, which it may read beyond the end of the
// compressed data. A dictionary of more than maxDict bytes is refused; with one
// of less, the Reader takes some MiB more than that.
func NewReader(r io.Reader, maxDict uint64) (*Reader, error) {
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReaderSize(r, 64<<10)
	}
	z := &Reader{r: br, maxDict: maxDict}
	if err := z.streamHeader(); err != nil {
		return nil, unexpected(err)
	}
	return z, nil
}

// UseWindow gives the Reader memory for the dictionary: if WindowSize of it fits, it is not
// taken from the heap.
func (z *Reader) UseWindow(b []byte) { z.window = b }

// WindowSize returns how much memory a dictionary of that many bytes takes.
func WindowSize(dict int) int { return dict + 2*maxUncompressed }

// Reset makes the Reader read another file, with the memory that it has.
func (z *Reader) Reset(r io.Reader) error {
	z.r.Reset(r)
	*z = Reader{r: z.r, maxDict: z.maxDict, out: z.out[:0], window: z.window}
	if err := z.streamHeader(); err != nil {
		z.err = unexpected(err)
		return z.err
	}
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("xz: %w", err)
}

func (z *Reader) Read(p []byte) (int, error) {
	for z.given == len(z.out) {
		if z.err != nil {
			return 0, z.err
		}
		err := z.step()
		switch {
		case err == errEnd:
			z.err = io.EOF
		case err != nil:
			z.err = unexpected(err)
		}
	}
	n := copy(p, z.out[z.given:])
	z.given += n
	return n, nil
}

// errEnd is the end of the last stream.
var errEnd = errors.New("end")

// step does the next thing: a block's header, a chunk, a block's end, or what follows the blocks.
func (z *Reader) step() error {
	if z.inBlock {
		return z.chunk()
	}
	size, err := z.r.ReadByte()
	if err != nil {
		return err
	}
	if size != 0 {
		return z.blockHeader(size)
	}
	if err := z.readIndex(); err != nil {
		return err
	}
	return z.nextStream()
}

// streamHeader reads the magic number and the kind of check.
func (z *Reader) streamHeader() error {
	var b [streamHead]byte
	if _, err := io.ReadFull(z.r, b[:]); err != nil {
		return err
	}
	if !bytes.Equal(b[:6], headMagic) {
		return errors.New("no magic number")
	}
	if crc32.ChecksumIEEE(b[6:8]) != binary.LittleEndian.Uint32(b[8:]) {
		return errors.New("stream header is corrupt")
	}
	if b[6] != 0 || b[7] > 15 {
		return errors.New("unknown stream flags")
	}
	z.check, z.index = b[7], index{}
	// An unknown check has a length of its own, and is skipped.
	z.sumLen = [...]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[z.check]
	z.sum = nil
	switch z.check {
	case 1:
		z.sum = crc32.NewIEEE()
	case 4:
		z.sum = crc64.New(ecma)
	case 10:
		z.sum = sha256.New()
	}
	return nil
}

// blockHeader reads the header of a block whose first byte is b.
func (z *Reader) blockHeader(b byte) error {
	size := (int(b) + 1) * 4
	var buf [maxHeader]byte
	head := buf[:size]
	head[0] = b
	if _, err := io.ReadFull(z.r, head[1:]); err != nil {
		return err
	}
	body := head[:size-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(head[size-4:]) {
		return errors.New("block header is corrupt")
	}
	flags, rest := body[1], body[2:]
	if flags&0x3c != 0 {
		return errors.New("unknown block flags")
	}
	z.wantPacked, z.wantUnpacked = noSize, noSize
	var err error
	if flags&0x40 != 0 {
		if z.wantPacked, rest, err = number(rest); err != nil {
			return err
		}
	}
	if flags&0x80 != 0 {
		if z.wantUnpacked, rest, err = number(rest); err != nil {
			return err
		}
	}
	if flags&3 != 0 || len(rest) < 3 || rest[0] != filterLZMA2 || rest[1] != 1 {
		return errors.New("filter other than LZMA2")
	}
	if err := z.setDict(rest[2]); err != nil {
		return err
	}
	if len(bytes.TrimLeft(rest[3:], "\x00")) > 0 {
		return errors.New("block header has no zeros as padding")
	}
	z.header, z.packed, z.unpacked, z.inBlock = uint64(size), 0, 0, true
	z.needDict, z.needProps, z.needState = true, true, true
	if z.sum != nil {
		z.sum.Reset()
	}
	return nil
}

func (z *Reader) setDict(bits byte) error {
	size := uint64(1<<32 - 1)
	switch {
	case bits > 40:
		return errors.New("unknown size of dictionary")
	case bits < 40:
		size = uint64(2|bits&1) << (bits/2 + 11)
	}
	if size > z.maxDict {
		return fmt.Errorf("dictionary of %d bytes is larger than the limit of %d", size, z.maxDict)
	}
	z.dict = int(size)
	return nil
}

// number reads a number of a header or an index.
func number(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > maxVarint || n > 1 && b[n-1] == 0 {
		return 0, nil, errors.New("number is malformed")
	}
	return v, b[n:], nil
}

// chunk reads a chunk of LZMA2 data, or the end of the block.
func (z *Reader) chunk() error {
	control, err := z.r.ReadByte()
	if err != nil {
		return err
	}
	z.packed++
	switch {
	case control == 0:
		return z.blockEnd()
	case control == 1:
		z.resetDict()
	case control >= 0xe0:
		z.resetDict()
		z.needProps = true
	case control > 2 && control < 0x80:
		return errData
	}
	if z.needDict {
		return errData
	}
	if control < 0x80 {
		err = z.stored()
	} else {
		err = z.lzma(control)
	}
	if err != nil {
		return err
	}
	fresh := z.out[z.given:]
	z.unpacked += uint64(len(fresh))
	if z.unpacked > z.wantUnpacked || z.packed > z.wantPacked {
		return errors.New("block is longer than its header says")
	}
	if z.sum != nil {
		z.sum.Write(fresh)
	}
	return nil
}

func (z *Reader) resetDict() {
	z.needDict = false
	z.out, z.start, z.given = z.out[:0], 0, 0
}

// room makes place for n bytes behind out and returns where they start. What lies
// farther back than the dictionary reaches is dropped.
func (z *Reader) room(n int) (pos int) {
	if need := len(z.out) + n + slack; need > cap(z.out) {
		keep := min(len(z.out), z.dict)
		drop := len(z.out) - keep
		buf := z.out[:keep]
		if full := WindowSize(z.dict); cap(z.out) < full {
			if len(z.out) == 0 {
				full = n + slack // a short stream may be all there is
			}
			if full = max(full, keep+n+slack); full <= len(z.window) {
				buf = z.window[:keep:full]
			} else {
				buf = make([]byte, keep, full)
			}
		}
		copy(buf, z.out[drop:])
		z.out = buf
		z.start -= drop
	}
	pos = len(z.out)
	z.out = z.out[:pos+n]
	z.given = pos
	return pos
}

// stored reads a chunk that is not compressed.
func (z *Reader) stored() error {
	var b [2]byte
	if _, err := io.ReadFull(z.r, b[:]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint16(b[:])) + 1
	z.packed += uint64(2 + n)
	pos := z.room(n)
	if _, err := io.ReadFull(z.r, z.out[pos:]); err != nil {
		z.out = z.out[:pos]
		return err
	}
	return nil
}

// lzma reads a compressed chunk.
func (z *Reader) lzma(control byte) error {
	var b [5]byte
	head := b[:4]
	if control >= 0xc0 {
		head = b[:5]
	}
	if _, err := io.ReadFull(z.r, head); err != nil {
		return err
	}
	unpacked := int(control&0x1f)<<16 + int(binary.BigEndian.Uint16(b[:])) + 1
	packed := int(binary.BigEndian.Uint16(b[2:])) + 1
	z.packed += uint64(len(head) + packed)
	switch {
	case control >= 0xc0:
		if !z.model.setProps(b[4]) {
			return errData
		}
		z.needProps, z.needState = false, false
		z.model.reset()
	case z.needProps:
		return errData
	case control >= 0xa0:
		z.needState = false
		z.model.reset()
	case z.needState:
		return errData
	}
	if _, err := io.ReadFull(z.r, z.in[:packed]); err != nil {
		return err
	}
	pos := z.room(unpacked)
	if err := z.model.decode(&z.in, packed, z.out, pos, z.start, z.dict); err != nil {
		z.out = z.out[:pos]
		return err
	}
	return nil
}

// blockEnd reads the padding and the check of a block.
func (z *Reader) blockEnd() error {
	if z.wantUnpacked != noSize && z.unpacked != z.wantUnpacked || z.wantPacked != noSize && z.packed != z.wantPacked {
		return errors.New("block is shorter than its header says")
	}
	var buf [3 + 64]byte
	pad := int(-z.packed & 3)
	b := buf[:pad+z.sumLen]
	if _, err := io.ReadFull(z.r, b); err != nil {
		return err
	}
	if len(bytes.TrimLeft(b[:pad], "\x00")) > 0 {
		return errors.New("block has no zeros as padding")
	}
	if z.sum != nil {
		want := bytes.Clone(b[pad:])
		if z.check != 10 { // the numbers are little-endian
			for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
				want[i], want[j] = want[j], want[i]
			}
		}
		if !bytes.Equal(z.sum.Sum(nil), want) {
			return errors.New("checksum of a block is wrong")
		}
	}
	z.inBlock = false
	z.index.add(z.header+z.packed+uint64(z.sumLen), z.unpacked)
	return nil
}

// index is a digest of a list of blocks, in place of the list, which may be long.
type index struct {
	count uint64
	sum   hash.Hash
}

func (x *index) add(packed, unpacked uint64) {
	if x.sum == nil {
		x.sum = sha256.New()
	}
	x.count++
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], packed)
	binary.LittleEndian.PutUint64(b[8:], unpacked)
	x.sum.Write(b[:])
}

func (x *index) equal(y index) bool {
	return x.count == y.count && (x.count == 0 || bytes.Equal(x.sum.Sum(nil), y.sum.Sum(nil)))
}

// readIndex reads the list of blocks, of which the first byte was read, and the end of the stream.
func (z *Reader) readIndex() error {
	r := &summed{r: z.r, crc: crc32.NewIEEE()}
	r.crc.Write([]byte{0})
	r.n = 1
	count, err := r.number()
	if err != nil {
		return err
	}
	if count != z.index.count {
		return errors.New("index has another number of blocks")
	}
	var listed index
	for range count {
		packed, err := r.number()
		if err != nil {
			return err
		}
		unpacked, err := r.number()
		if err != nil {
			return err
		}
		listed.add(packed, unpacked)
	}
	for r.n%4 != 0 {
		if b, err := r.ReadByte(); err != nil {
			return err
		} else if b != 0 {
			return errors.New("index has no zeros as padding")
		}
	}
	var b [4 + streamFoot]byte
	if _, err := io.ReadFull(z.r, b[:]); err != nil {
		return err
	}
	if r.crc.Sum32() != binary.LittleEndian.Uint32(b[:]) || !z.index.equal(listed) {
		return errors.New("index is corrupt")
	}
	foot := b[4:]
	if crc32.ChecksumIEEE(foot[4:10]) != binary.LittleEndian.Uint32(foot) || !bytes.Equal(foot[10:], footMagic) ||
		foot[8] != 0 || foot[9] != z.check || (uint64(binary.LittleEndian.Uint32(foot[4:]))+1)*4 != r.n+4 {
		return errors.New("stream footer is corrupt")
	}
	return nil
}

// nextStream skips padding and starts the next stream, if there is one.
func (z *Reader) nextStream() error {
	for {
		b, err := z.r.Peek(4)
		switch {
		case err == io.EOF && len(b) == 0:
			return errEnd
		case err != nil:
			return err
		case !bytes.Equal(b, []byte{0, 0, 0, 0}):
			return z.streamHeader()
		}
		if _, err := z.r.Discard(4); err != nil {
			return err
		}
	}
}

// summed reads single bytes and adds them to a checksum.
type summed struct {
	r   *bufio.Reader
	crc hash.Hash32
	n   uint64
	buf [1]byte
}

func (s *summed) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.buf[0] = b
		s.crc.Write(s.buf[:])
		s.n++
	}
	return b, err
}

func (s *summed) number() (uint64, error) {
	before := s.n
	v, err := binary.ReadUvarint(s)
	if err != nil {
		return 0, err
	}
	if n := s.n - before; n > maxVarint || n > 1 && s.buf[0] == 0 {
		return 0, errors.New("number is malformed")
	}
	return v, nil
}
