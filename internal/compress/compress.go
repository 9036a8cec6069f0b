// Package compress opens compressors and decompressors by name or magic number.
//
// Decompressors are for hostile input: the memory that a stream can make them
// use is limited. How much comes out is not; a caller who needs a bound reads
// through Limit.
package compress

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	dbzip2 "github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	mxz "github.com/mikelolasagasti/xz"
	uxz "github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"rpmostree/internal/unxz"
)

// Format is a compressed file format.
type Format uint8

// Formats.
const (
	None Format = iota
	Gzip
	Bzip2
	XZ
	LZMA // the "alone" format that came before xz
	Zstd
	Zchunk
)

// MaxMemory is the default limit of a decompressor's window or dictionary, in
// bytes. "zstd -22" and "xz -9" need 128 MiB and 64 MiB.
const MaxMemory = 256 << 20

// ErrTooLarge is wrapped by the error of a reader made by Limit.
var ErrTooLarge = errors.New("decompressed data is too large")

var names = [...]string{None: "none", Gzip: "gzip", Bzip2: "bzip2", XZ: "xz", LZMA: "lzma", Zstd: "zstd", Zchunk: "zchunk"}

// String returns the usual name of the format.
func (f Format) String() string {
	if int(f) < len(names) {
		return names[f]
	}
	return fmt.Sprintf("format %d", f)
}

// Parse finds a format by its name, or by the suffix of its files ("gz", ".gz").
// The empty string is None.
func Parse(name string) (Format, error) {
	switch name {
	case "", "none":
		return None, nil
	case "gzip", "gz", ".gz":
		return Gzip, nil
	case "bzip2", "bz2", ".bz2":
		return Bzip2, nil
	case "xz", ".xz":
		return XZ, nil
	case "lzma", ".lzma":
		return LZMA, nil
	case "zstd", "zst", ".zst":
		return Zstd, nil
	case "zchunk", "zck", ".zck":
		return Zchunk, nil
	}
	return None, fmt.Errorf("unknown compression %q", name)
}

// Detect tells the format from the first bytes of a stream, None if they are no
// known magic number. 13 bytes are enough.
func Detect(b []byte) Format {
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		return Gzip
	case bytes.HasPrefix(b, []byte("BZh")):
		return Bzip2
	case bytes.HasPrefix(b, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return XZ
	case bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return Zstd
	case bytes.HasPrefix(b, []byte(zchunkMagic)):
		return Zchunk
	case len(b) >= 13 && b[0] == 0x5d && b[1] == 0 && b[2] == 0:
		return LZMA
	}
	return None
}

// NewReader returns a reader of the decompressed data of r, which it may read
// beyond their end. maxMemory limits the window or dictionary in bytes; 0 is
// MaxMemory. Close releases memory and does not close r.
func NewReader(r io.Reader, f Format, maxMemory uint64) (io.ReadCloser, error) {
	if maxMemory == 0 {
		maxMemory = MaxMemory
	}
	switch f {
	case None:
		return io.NopCloser(r), nil
	case Gzip:
		return gzip.NewReader(r)
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	case XZ:
		return newXZReader(r, maxMemory)
	case LZMA:
		return newLZMAReader(r, maxMemory)
	case Zstd:
		return newZstdReader(r, maxMemory)
	case Zchunk:
		return newZchunkReader(r, maxMemory)
	}
	return nil, fmt.Errorf("cannot decompress %v", f)
}

// newXZReader leaves files with filters for programs to the library, which is
// slower but knows them.
func newXZReader(r io.Reader, maxMemory uint64) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(unxz.PeekSize)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("xz: %w", err)
	}
	if unxz.Supported(head) {
		x, err := unxz.NewReader(br, maxMemory)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(x), nil
	}
	x, err := mxz.NewReader(br, uint32(min(maxMemory, 1<<32-1)))
	if err != nil {
		return nil, fmt.Errorf("xz: %w", err)
	}
	return io.NopCloser(x), nil
}

// newLZMAReader looks at the size of the dictionary before the library makes one.
func newLZMAReader(r io.Reader, maxMemory uint64) (io.ReadCloser, error) {
	br := bufio.NewReader(r)
	head, err := br.Peek(13)
	if err != nil {
		return nil, fmt.Errorf("lzma: %w", io.ErrUnexpectedEOF)
	}
	if n := uint64(binary.LittleEndian.Uint32(head[1:])); n > maxMemory {
		return nil, fmt.Errorf("lzma: dictionary of %d bytes is too large", n)
	}
	x, err := lzma.NewReader(br)
	if err != nil {
		return nil, fmt.Errorf("lzma: %w", err)
	}
	return io.NopCloser(x), nil
}

// NewDetectingReader is NewReader with the format told by Detect.
func NewDetectingReader(r io.Reader, maxMemory uint64) (io.ReadCloser, Format, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(13)
	if err != nil && err != io.EOF {
		return nil, None, err
	}
	f := Detect(head)
	rc, err := NewReader(br, f, maxMemory)
	return rc, f, err
}

// NewWriter returns a writer that compresses to w. The output depends only on
// the input, the format and the level. The level is that of the format's own
// program; 0 is its default. Close ends the stream and does not close w.
func NewWriter(w io.Writer, f Format, level int) (io.WriteCloser, error) {
	switch f {
	case None:
		return nopWriteCloser{w}, nil
	case Gzip:
		if level == 0 {
			level = gzip.DefaultCompression
		}
		return gzip.NewWriterLevel(w, level)
	case Bzip2:
		return dbzip2.NewWriter(w, &dbzip2.WriterConfig{Level: level})
	case Zstd:
		if level == 0 {
			level = 3
		}
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1))
	case XZ:
		return uxz.WriterConfig{DictCap: dictionary(level)}.NewWriter(w)
	case LZMA:
		return lzma.WriterConfig{DictCap: dictionary(level), EOSMarker: true}.NewWriter(w)
	case Zchunk:
		return NewZchunkWriter(w, level)
	}
	return nil, fmt.Errorf("cannot compress %v", f)
}

// dictionary returns the size of xz's dictionary for a level.
func dictionary(level int) int {
	switch {
	case level <= 0:
		return 8 << 20
	case level <= 2:
		return 1 << 20 * level
	case level <= 4:
		return 4 << 20
	case level <= 6:
		return 8 << 20
	}
	return 16 << 20 << min(level-7, 2)
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }

// Limit returns a reader of at most n bytes of r: more is an error that wraps
// ErrTooLarge.
func Limit(r io.Reader, n int64) io.Reader { return &limited{r, n} }

type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, ErrTooLarge
	}
	// One byte more than allowed tells the end from an overrun.
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}
