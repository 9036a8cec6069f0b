package compress

import (
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdDecoders keeps decoders with the default limit of memory: most of the work
// for a short stream is to make the window.
var zstdDecoders sync.Pool

// A zstdReader takes its decoder from the pool and gives it back.
type zstdReader struct {
	d      *zstd.Decoder // nil when closed
	pooled bool
}

func newZstdReader(r io.Reader, maxMemory uint64) (io.ReadCloser, error) {
	z := &zstdReader{pooled: maxMemory == MaxMemory}
	if z.pooled {
		if d, ok := zstdDecoders.Get().(*zstd.Decoder); ok {
			if err := d.Reset(r); err != nil {
				return nil, fmt.Errorf("zstd: %w", err)
			}
			z.d = d
			return z, nil
		}
	}
	var err error
	z.d, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(max(maxMemory, zstd.MinWindowSize)), zstd.WithDecoderMaxMemory(maxMemory))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return z, nil
}

func (z *zstdReader) Read(p []byte) (int, error) {
	if z.d == nil {
		return 0, fs.ErrClosed
	}
	return z.d.Read(p)
}

func (z *zstdReader) WriteTo(w io.Writer) (int64, error) {
	if z.d == nil {
		return 0, fs.ErrClosed
	}
	return z.d.WriteTo(w)
}

func (z *zstdReader) Close() error {
	d := z.d
	if z.d = nil; d == nil {
		return nil
	}
	if !z.pooled || d.Reset(nil) != nil {
		d.Close()
		return nil
	}
	zstdDecoders.Put(d)
	return nil
}
