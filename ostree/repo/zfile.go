package repo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"sync"

	"rpmostree/ostree"

	"github.com/klauspost/compress/flate"
)

// The archive format of a file object: the framed header (see ostree.Framed),
// then the content as a raw DEFLATE stream (RFC 1951).

var errZSize = errors.New("content of archived file has not the size that its header tells")

// cutOff says of an error that a file ended too early what ended.
func cutOff(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = fmt.Errorf("archived file is cut off: %w", io.ErrUnexpectedEOF)
	}
	return err
}

type inflater struct {
	src  bounded
	own  io.Closer // closed with the reader; may be nil
	buf  *bufio.Reader
	z    io.ReadCloser
	left int64
}

var (
	zBufs     = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}
	inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}
)

// maxDeflated is how many bytes a DEFLATE stream of size bytes may have. No compressor
// makes more of any byte than the 9 bits of its fixed code, nor needs more than 5 bytes
// for a block; what is beyond a quarter more are blocks with nothing in them.
func maxDeflated(size int64) int64 { return size + size/4 + 64<<10 }

// A bounded reader fails when it is asked for more than left bytes.
type bounded struct {
	io.Reader
	left int64
	err  error
}

func (r *bounded) Read(b []byte) (int, error) {
	if r.left == 0 && len(b) > 0 {
		return 0, r.err
	}
	n, err := r.Reader.Read(b[:min(int64(len(b)), r.left)])
	r.left -= int64(n)
	return n, err
}

// openArchived reads the header of an archived file and returns its content,
// which owns src from then on, as it does when there is an error.
func openArchived(src io.ReadCloser) (ostree.FileHeader, int64, io.ReadCloser, error) {
	h, size, content, err := readArchived(src)
	if err != nil {
		src.Close()
		return h, 0, nil, err
	}
	content.own = src
	return h, size, content, nil
}

// readArchived is openArchived for a reader that stays the caller's.
func readArchived(src io.Reader) (ostree.FileHeader, int64, *inflater, error) {
	buf := zBufs.Get().(*bufio.Reader)
	r := &inflater{src: bounded{Reader: src, left: math.MaxInt64}, buf: buf}
	buf.Reset(&r.src)
	raw, err := ostree.ReadFramed(buf)
	var z ostree.ZFileHeader
	if err == nil {
		z, err = ostree.ParseZFileHeader(raw)
	}
	if err == nil && (z.Size > 1<<62 || ostree.IsSymlink(z.Mode) && z.Size != 0) {
		err = errZSize
	}
	if err != nil {
		buf.Reset(nil)
		zBufs.Put(buf)
		return ostree.FileHeader{}, 0, nil, cutOff(err)
	}
	r.left = int64(z.Size)
	limit := maxDeflated(r.left)
	r.src.left = limit - int64(buf.Buffered())
	r.src.err = fmt.Errorf("content of archived file of %d bytes has more than %d bytes compressed", r.left, limit)
	if ostree.IsRegular(z.Mode) {
		r.z = inflaters.Get().(io.ReadCloser)
		if err := r.z.(flate.Resetter).Reset(buf, nil); err != nil {
			return ostree.FileHeader{}, 0, nil, err
		}
	}
	return z.FileHeader, int64(z.Size), r, nil
}

// Read returns exactly as many bytes as the header says, or an error.
func (r *inflater) Read(b []byte) (int, error) {
	if r.z == nil {
		return 0, io.EOF
	}
	if r.left == 0 {
		var one [1]byte
		n, err := r.z.Read(one[:])
		for n == 0 && err == nil {
			n, err = r.z.Read(one[:])
		}
		if n > 0 {
			err = errZSize
		}
		return 0, err
	}
	n, err := r.z.Read(b[:min(int64(len(b)), r.left)])
	r.left -= int64(n)
	if err == io.EOF && r.left > 0 {
		err = errZSize
	} else if err == io.EOF && n > 0 {
		err = nil
	} else if err == io.ErrUnexpectedEOF {
		err = cutOff(err)
	}
	return n, err
}

// Close gives the buffers back. It may be called once.
func (r *inflater) Close() error {
	if r.z != nil {
		inflaters.Put(r.z)
		r.z = nil
	}
	if r.buf != nil {
		r.buf.Reset(nil)
		zBufs.Put(r.buf)
		r.buf = nil
	}
	if r.own != nil {
		return r.own.Close()
	}
	return nil
}

// A deflater writes raw DEFLATE at one level.
type deflater struct{ pool sync.Pool }

func newDeflater(level int) *deflater {
	return &deflater{sync.Pool{New: func() any {
		w, err := flate.NewWriter(nil, level)
		if err != nil { // the level was checked when the configuration was read
			w, _ = flate.NewWriter(nil, flate.DefaultCompression)
		}
		return w
	}}}
}

func (d *deflater) get(dst io.Writer) *flate.Writer {
	w := d.pool.Get().(*flate.Writer)
	w.Reset(dst)
	return w
}

func (d *deflater) put(w *flate.Writer) { d.pool.Put(w) }

// maxTiny is how much content is not worth a search for repetitions, in bytes.
const maxTiny = 64

// appendTiny appends content as a DEFLATE stream of one block of literals with the
// fixed code (RFC 1951, 3.2.6). A compressor needs 5 bytes more to end its stream.
func appendTiny(dst, content []byte) []byte {
	acc, n := uint32(1|1<<1), uint(3) // the last block, fixed code
	put := func(code uint32, size uint) {
		acc |= bits.Reverse32(code) >> (32 - size) << n
		for n += size; n >= 8; n -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	for _, c := range content {
		if c < 144 {
			put(0x30+uint32(c), 8)
		} else {
			put(0x190+uint32(c)-144, 9)
		}
	}
	put(0, 7) // the end of the block
	if n > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}
