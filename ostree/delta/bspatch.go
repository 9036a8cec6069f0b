package delta

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// A bsdiff is a series of steps. Each is a header of three numbers, then as many
// bytes as the first says, to be added to bytes of the source, then as many as the
// second says, to be taken as they are; the third says how far to go in the source
// from there. (Colin Percival's bsdiff 4 as rewritten by Matthew Endsley, without
// its header and compression.)
const stepHeader = 3 * 8

var errPatch = errors.New("Corrupted bsdiff in static delta")

// bsInt reads a number: sign and magnitude, little endian.
func bsInt(b []byte) int64 {
	x := binary.LittleEndian.Uint64(b)
	if x>>63 != 0 {
		return -int64(x & math.MaxInt64)
	}
	return int64(x)
}

func appendBSInt(b []byte, x int64) []byte {
	u := uint64(x)
	if x < 0 {
		u = uint64(-x) | 1<<63
	}
	return binary.LittleEndian.AppendUint64(b, u)
}

// A patcher reads what a bsdiff makes of a source.
type patcher struct {
	source    io.ReaderAt
	size      int64 // of the source
	patch     []byte
	pos       int64 // in the source
	left      uint64
	add, copy int64 // bytes of the step that are left
	seek      int64
}

// newPatcher returns a reader of n bytes.
func newPatcher(source io.ReaderAt, size int64, patch []byte, n uint64) *patcher {
	return &patcher{source: source, size: size, patch: patch, left: n}
}

func (p *patcher) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	for p.add == 0 && p.copy == 0 {
		if err := p.step(); err != nil {
			return 0, err
		}
	}
	n := int64(len(b))
	if p.add > 0 {
		n = min(n, p.add)
		if err := p.readSource(b[:n]); err != nil {
			return 0, err
		}
		for i, x := range p.patch[:n] {
			b[i] += x
		}
		p.add -= n
	} else {
		n = min(n, p.copy)
		copy(b[:n], p.patch)
		p.copy -= n
	}
	p.patch = p.patch[n:]
	p.left -= uint64(n)
	if p.add == 0 && p.copy == 0 {
		p.pos += p.seek
		p.seek = 0
	}
	return int(n), nil
}

// step reads the header of the next step.
func (p *patcher) step() error {
	if len(p.patch) < stepHeader {
		return errPatch
	}
	p.add, p.copy, p.seek = bsInt(p.patch), bsInt(p.patch[8:]), bsInt(p.patch[16:])
	p.patch = p.patch[stepHeader:]
	have := int64(len(p.patch))
	if p.add < 0 || p.copy < 0 || p.add > have || p.copy > have-p.add || uint64(p.add+p.copy) > p.left {
		return errPatch
	}
	if p.seek > math.MaxInt32 || p.seek < -math.MaxInt32 || p.pos > 1<<40 || p.pos < -1<<40 {
		return errPatch // a position that no source has, before numbers can overflow
	}
	if p.add == 0 && p.copy == 0 {
		p.pos += p.seek
		p.seek = 0
	}
	return nil
}

// readSource reads the source at the position. Bytes before its begin and after its end
// are zeros.
func (p *patcher) readSource(b []byte) error {
	clear(b)
	from, to := max(p.pos, 0), min(p.pos+int64(len(b)), p.size)
	if from < to {
		if _, err := p.source.ReadAt(b[from-p.pos:to-p.pos], from); err != nil && err != io.EOF {
			return err
		}
	}
	p.pos += int64(len(b))
	return nil
}
