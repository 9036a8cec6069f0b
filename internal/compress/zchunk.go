package compress

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
)

// A zchunk file (zchunk_format.txt of github.com/zchunk/zchunk) is a header, which lists
// chunks with their checksums, and the chunks, each a zstd frame of its own. Clients that
// have an older file fetch the header and the chunks that are new. Numbers are little endian
// in groups of seven bits; the last byte has the top bit set.
const zchunkMagic = "\x00ZCK1"

// Limits of zchunk files, in bytes.
const (
	// MaxZchunkHeader is the size of the header.
	MaxZchunkHeader = 64 << 20
	// MaxZchunk is the size of a chunk, also when it is decompressed.
	MaxZchunk = 256 << 20
)

// Flags of a zchunk file.
const (
	zchunkStreams  = 1 << iota // chunks belong to numbered streams; stream 1 is the content
	zchunkOptional             // there are optional elements
	zchunkSource               // the index has checksums of the decompressed chunks, too; zck writes no data checksum then
)

// Ways to compress chunks.
const (
	zchunkNone = 0
	zchunkZstd = 2
)

// zchunkHash is a type of checksum.
type zchunkHash struct {
	new  func() hash.Hash
	size int // of the checksum, which may be cut off
}

var zchunkHashes = []zchunkHash{{sha1.New, 20}, {sha256.New, 32}, {sha512.New, 64}, {sha512.New, 16}}

const zchunkSHA512_128 = 3

func (h zchunkHash) sum(parts ...[]byte) []byte {
	s := h.new()
	for _, p := range parts {
		s.Write(p)
	}
	return s.Sum(nil)[:h.size]
}

var errZchunk = errors.New("zchunk: damaged file")

func zchunkError(field string) error { return fmt.Errorf("%w: %s", errZchunk, field) }

// A zchunkReader reads the content of a zchunk file. All checksums are verified: the header's
// before anything of it is believed, a chunk's before it is decompressed, that of all data
// before the end is reported.
type zchunkReader struct {
	r       *bufio.Reader
	max     int
	data    hash.Hash // of all chunks
	dataSum []byte
	flags   uint64
	format  uint64
	chunks  zchunkFields // what is left of the index
	count   uint64       // of chunks that are left
	sums    zchunkHash
	zstd    *zstd.Decoder
	buf     []byte // decompressed, not delivered
	err     error
}

func newZchunkReader(r io.Reader, maxMemory uint64) (io.ReadCloser, error) {
	z := &zchunkReader{r: bufio.NewReader(r), max: int(min(maxMemory, MaxZchunk))}
	if err := z.header(); err != nil {
		return nil, err
	}
	if err := z.dictionary(); err != nil {
		return nil, err
	}
	return z, nil
}

func (z *zchunkReader) Read(p []byte) (int, error) {
	for len(z.buf) == 0 && z.err == nil {
		z.err = z.next()
	}
	if len(z.buf) > 0 {
		n := copy(p, z.buf)
		z.buf = z.buf[n:]
		return n, nil
	}
	return 0, z.err
}

func (z *zchunkReader) Close() error {
	if z.zstd != nil {
		z.zstd.Close()
		z.zstd = nil
	}
	if z.err == nil {
		z.err = errors.New("zchunk: read of a closed file")
	}
	z.buf = nil
	return nil
}

// header reads and verifies everything before the chunks.
func (z *zchunkReader) header() error {
	lead := make([]byte, len(zchunkMagic), 32)
	if _, err := io.ReadFull(z.r, lead); err != nil || string(lead) != zchunkMagic {
		return zchunkError("magic number")
	}
	number := func() (n uint64, err error) {
		start := len(lead)
		for {
			c, err := z.r.ReadByte()
			if err != nil || len(lead)-start > 9 {
				return 0, zchunkError("lead")
			}
			lead = append(lead, c)
			if c&0x80 != 0 {
				f := zchunkFields{b: lead[start:]}
				n := f.number()
				return n, f.check("lead")
			}
		}
	}
	typ, err := number()
	if err != nil || typ >= uint64(len(zchunkHashes)) {
		return zchunkError("checksum type")
	}
	sums := zchunkHashes[typ]
	size, err := number()
	if err != nil {
		return err
	}
	if size > uint64(min(MaxZchunkHeader, z.max)) {
		return fmt.Errorf("zchunk: header of %d bytes is too large", size)
	}
	rest, err := readAtMost(z.r, sums.size+int(size))
	if err != nil {
		return zchunkError("header is truncated")
	}
	if !bytes.Equal(sums.sum(lead, rest[sums.size:]), rest[:sums.size]) {
		return zchunkError("header checksum mismatch")
	}
	z.data = sums.new()
	return z.preface(zchunkFields{b: rest[sums.size:]}, sums.size)
}

// preface reads what stands before the index, and how the index begins.
func (z *zchunkReader) preface(f zchunkFields, sumSize int) error {
	z.dataSum = f.bytes(uint64(sumSize))
	z.flags, z.format = f.number(), f.number()
	if z.flags&^(zchunkStreams|zchunkOptional|zchunkSource) != 0 && !f.bad {
		return fmt.Errorf("zchunk: flags %#x are not known", z.flags)
	}
	if z.format != zchunkNone && z.format != zchunkZstd {
		return fmt.Errorf("zchunk: compression %d is not known", z.format)
	}
	if z.flags&zchunkOptional != 0 {
		for n := f.number(); n > 0 && !f.bad; n-- {
			f.number()
			f.bytes(f.number())
		}
	}
	index := zchunkFields{b: f.bytes(f.number())}
	if err := f.check("preface"); err != nil {
		return err
	}
	typ := index.number()
	z.count = index.number()
	if typ >= uint64(len(zchunkHashes)) {
		return zchunkError("chunk checksum type")
	}
	z.sums, z.chunks = zchunkHashes[typ], index
	return index.check("index")
}

// dictionary reads the first chunk, which all others are compressed with.
func (z *zchunkReader) dictionary() error {
	if z.format == zchunkZstd {
		d, err := z.decoder()
		if err != nil {
			return err
		}
		z.zstd = d
	}
	if z.count == 0 {
		return nil
	}
	_, dict, err := z.chunk()
	if err != nil || len(dict) == 0 || z.zstd == nil {
		return err
	}
	z.zstd.Close()
	z.zstd, err = z.decoder(dictOption(dict))
	return err
}

// dictOption tells a trained dictionary from any other content by its magic number.
func dictOption(dict []byte) zstd.DOption {
	if bytes.HasPrefix(dict, []byte{0x37, 0xa4, 0x30, 0xec}) {
		return zstd.WithDecoderDicts(dict)
	}
	return zstd.WithDecoderDictRaw(0, dict)
}

func (z *zchunkReader) decoder(more ...zstd.DOption) (*zstd.Decoder, error) {
	d, err := zstd.NewReader(nil, append(more, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(max(z.max, 1))),
		zstd.WithDecodeAllCapLimit(true))...)
	if err != nil {
		return nil, fmt.Errorf("zchunk: %w", err)
	}
	return d, nil
}

// next reads the next chunk of the content into buf.
func (z *zchunkReader) next() error {
	for z.count > 0 {
		stream, b, err := z.chunk()
		if err != nil {
			return err
		}
		if stream == 1 && len(b) > 0 {
			z.buf = b
			return nil
		}
	}
	if z.flags&zchunkSource == 0 && !bytes.Equal(z.data.Sum(nil)[:len(z.dataSum)], z.dataSum) {
		return zchunkError("data checksum mismatch")
	}
	return io.EOF
}

// chunk reads, verifies and decompresses one chunk.
func (z *zchunkReader) chunk() (stream uint64, open []byte, err error) {
	f := &z.chunks
	z.count--
	stream = 1
	if z.flags&zchunkStreams != 0 {
		stream = f.number()
	}
	sum := f.bytes(uint64(z.sums.size))
	var source []byte
	if z.flags&zchunkSource != 0 {
		source = f.bytes(uint64(z.sums.size))
	}
	size, openSize := f.number(), f.number()
	if err := f.check("index"); err != nil {
		return 0, nil, err
	}
	if max(size, openSize) > uint64(z.max) {
		return 0, nil, fmt.Errorf("zchunk: chunk of %d bytes is too large", max(size, openSize))
	}
	if size == 0 {
		if openSize > 0 {
			return 0, nil, zchunkError("empty chunk")
		}
		return stream, nil, nil
	}
	b, err := readAtMost(z.r, int(size))
	if err != nil {
		return 0, nil, zchunkError("chunk is truncated")
	}
	z.data.Write(b)
	if !bytes.Equal(z.sums.sum(b), sum) {
		return 0, nil, zchunkError("chunk checksum mismatch")
	}
	if open = b; z.format == zchunkZstd {
		if open, err = z.zstd.DecodeAll(b, make([]byte, 0, openSize)); err != nil {
			return 0, nil, fmt.Errorf("zchunk: %w", err)
		}
	}
	if uint64(len(open)) != openSize {
		return 0, nil, zchunkError("size of a chunk")
	}
	if source != nil && !bytes.Equal(z.sums.sum(open), source) {
		return 0, nil, zchunkError("source checksum mismatch")
	}
	return stream, open, nil
}

// readAtMost reads n bytes and allocates no more than twice what is there.
func readAtMost(r io.Reader, n int) ([]byte, error) {
	var b bytes.Buffer
	if n <= 1<<20 {
		b.Grow(n)
	}
	m, err := io.CopyN(&b, r, int64(n))
	if err == nil && m < int64(n) {
		err = io.ErrUnexpectedEOF
	}
	return b.Bytes(), err
}

// zchunkFields cuts a part of a header into fields. After an error bad is set.
type zchunkFields struct {
	b   []byte
	bad bool
}

func (f *zchunkFields) check(where string) error {
	if f.bad {
		return zchunkError(where)
	}
	return nil
}

func (f *zchunkFields) number() (n uint64) {
	for i, c := range f.b {
		if i > 9 || i == 9 && c&0x7f > 1 {
			break
		}
		n |= uint64(c&0x7f) << (7 * i)
		if c&0x80 != 0 {
			f.b = f.b[i+1:]
			return n
		}
	}
	f.bad, f.b = true, nil
	return 0
}

func (f *zchunkFields) bytes(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.bad, f.b = true, nil
		return nil
	}
	out := f.b[:n:n]
	f.b = f.b[n:]
	return out
}

func appendZchunkNumber(b []byte, n uint64) []byte {
	for ; n > 0x7f; n >>= 7 {
		b = append(b, byte(n&0x7f))
	}
	return append(b, byte(n)|0x80)
}

// A ZchunkWriter writes a zchunk file. It keeps the compressed data until Close.
type ZchunkWriter struct {
	w      io.Writer
	zstd   *zstd.Encoder
	open   []byte // of the current chunk
	index  []byte
	count  uint64
	data   bytes.Buffer
	header Header
}

// Header is what a client that fetches only the header of a zchunk file must know of it.
type Header struct {
	Size int64
	Sum  []byte // SHA-256
}

// zchunkTarget is about how large chunks are that nobody ends, in bytes.
const zchunkTarget = 32 << 10

// NewZchunkWriter returns a writer of a zchunk file. Level is zstd's; 0 is its default.
func NewZchunkWriter(w io.Writer, level int) (*ZchunkWriter, error) {
	if level == 0 {
		level = 3
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	z := &ZchunkWriter{w: w, zstd: enc}
	z.entry(make([]byte, zchunkHashes[zchunkSHA512_128].size), 0, 0) // no dictionary
	return z, nil
}

func (z *ZchunkWriter) entry(sum []byte, size, openSize int) {
	z.index = append(z.index, sum...)
	z.index = appendZchunkNumber(appendZchunkNumber(z.index, uint64(size)), uint64(openSize))
	z.count++
}

func (z *ZchunkWriter) Write(p []byte) (int, error) {
	if z.data.Len() > math.MaxInt32 {
		return 0, ErrTooLarge
	}
	z.open = append(z.open, p...)
	return len(p), nil
}

// End may end a chunk: it is called where parts of the content begin that stay the same
// when others change.
func (z *ZchunkWriter) End() {
	if len(z.open) >= zchunkTarget {
		z.end()
	}
}

func (z *ZchunkWriter) end() {
	if len(z.open) == 0 {
		return
	}
	b := z.zstd.EncodeAll(z.open, nil)
	z.entry(zchunkHashes[zchunkSHA512_128].sum(b), len(b), len(z.open))
	z.data.Write(b)
	z.open = z.open[:0]
}

// Close writes the file. It does not close the underlying writer.
func (z *ZchunkWriter) Close() error {
	z.end()
	if err := z.zstd.Close(); err != nil {
		return err
	}
	sums, typ := zchunkHashes[1], uint64(1)
	index := appendZchunkNumber(appendZchunkNumber(nil, zchunkSHA512_128), z.count)
	index = append(index, z.index...)
	rest := append([]byte(nil), sums.sum(z.data.Bytes())...)
	rest = appendZchunkNumber(rest, 0) // flags
	rest = appendZchunkNumber(rest, zchunkZstd)
	rest = append(appendZchunkNumber(rest, uint64(len(index))), index...)
	rest = appendZchunkNumber(rest, 0) // signatures
	lead := appendZchunkNumber(appendZchunkNumber([]byte(zchunkMagic), typ), uint64(len(rest)))
	head := append(append(lead[:len(lead):len(lead)], sums.sum(lead, rest)...), rest...)
	z.header = Header{int64(len(head)), sums.sum(head)}
	if _, err := z.w.Write(head); err != nil {
		return err
	}
	_, err := z.w.Write(z.data.Bytes())
	return err
}

// Header describes the header of the file. It is known after Close.
func (z *ZchunkWriter) Header() Header { return z.header }
