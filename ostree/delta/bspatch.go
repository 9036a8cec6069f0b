package delta

import (
	"bufio"
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
	source    *content
	patch     *bufio.Reader
	rest      int64 // bytes of the patch that are left
	pos       int64 // in the source
	left      uint64
	add, copy int64 // bytes of the step that are left
	seek      int64
}

// patchBuffer is how much of a patch is read at once, in bytes.
const patchBuffer = 32 << 10

// newPatcher returns a reader of n bytes.
func newPatcher(source *content, patch *io.SectionReader, n uint64) *patcher {
	return &patcher{source: source, patch: bufio.NewReaderSize(patch, int(min(patchBuffer, patch.Size()))), rest: patch.Size(), left: n}
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
		if err := p.take(b[:n]); err != nil {
			return 0, err
		}
		p.addSource(b[:n])
		p.add -= n
	} else {
		n = min(n, p.copy)
		if err := p.take(b[:n]); err != nil {
			return 0, err
		}
		p.copy -= n
	}
	p.left -= uint64(n)
	if p.add == 0 && p.copy == 0 {
		p.pos += p.seek
		p.seek = 0
	}
	return int(n), nil
}

// take reads bytes of the patch.
func (p *patcher) take(b []byte) error {
	p.rest -= int64(len(b))
	_, err := io.ReadFull(p.patch, b)
	return err
}

// step reads the header of the next step.
func (p *patcher) step() error {
	if p.rest < stepHeader {
		return errPatch
	}
	var b [stepHeader]byte
	if err := p.take(b[:]); err != nil {
		return err
	}
	p.add, p.copy, p.seek = bsInt(b[:]), bsInt(b[8:]), bsInt(b[16:])
	if p.add < 0 || p.copy < 0 || p.add > p.rest || p.copy > p.rest-p.add || uint64(p.add+p.copy) > p.left {
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

// addSource adds the bytes of the source at the position. Those before its begin and after
// its end are zeros.
func (p *patcher) addSource(b []byte) {
	size := int64(len(p.source.data))
	from, to := max(p.pos, 0), min(p.pos+int64(len(b)), size)
	if from < to {
		to := b[from-p.pos : to-p.pos]
		for i, x := range p.source.data[from:][:len(to)] {
			to[i] += x
		}
	}
	p.pos += int64(len(b))
	p.source.pass(len(b))
}
