package xz

import (
	"encoding/binary"
	"hash"
	"io"
)

// Chunks of LZMA2 have at most so many bytes.
const (
	maxUnpacked = 1 << 21
	maxPacked   = 1 << 16
	maxStored   = 1 << 16
)

// Control bytes of chunks.
const (
	chunkEnd         = 0
	chunkStoredFirst = 1
	chunkStored      = 2
	chunkLZMA        = 0x80
	chunkNewState    = 0xa0
	chunkNewProps    = 0xc0
	chunkFirst       = 0xe0
)

// worstPlan is more than a plan can take, in bytes: the least likely bit costs six.
const worstPlan = 24 << 10

// An encoder makes chunks of LZMA2 out of data.
type encoder struct {
	w    io.Writer
	size int         // bytes written
	sum  hash.Hash64 // of what was encoded

	data  []byte
	out   []byte // the chunk
	pos   int    // all before is coded
	start int    // of the chunk
	next  byte
	model
	coder rangeCoder
	parser
}

// encode writes data as chunks of LZMA2 that refer to nothing before them. done is called
// with how many bytes of data will not be read again.
func (e *encoder) encode(data []byte, done func(n int)) error {
	e.data, e.pos, e.start, e.next, e.parser = data, 0, 0, chunkFirst, newParser(data)
	defer e.matches.stop()
	e.model.reset()
	e.coder.reset()
	for e.pos < len(data) {
		e.encodePlan()
		if e.pos == len(data) || e.pos-e.start > maxUnpacked-maxPlan-maxMatch || e.coder.size() > maxPacked-worstPlan {
			if err := e.endChunk(); err != nil {
				return err
			}
			done(max(0, e.pos-Dictionary))
		}
	}
	return nil
}

func (e *encoder) endChunk() error {
	data := e.data[e.start:e.pos]
	e.out = e.out[:0]
	packed := e.coder.flush()
	if len(packed) < len(data) && len(packed) <= maxPacked {
		n := len(data) - 1
		e.out = append(e.out, e.next|byte(n>>16))
		e.out = binary.BigEndian.AppendUint16(e.out, uint16(n))
		e.out = binary.BigEndian.AppendUint16(e.out, uint16(len(packed)-1))
		if e.next >= chunkNewProps {
			e.out = append(e.out, properties)
		}
		e.out = append(e.out, packed...)
		e.next = chunkLZMA
	} else {
		e.store(data)
		e.model.reset()
	}
	e.coder.reset()
	e.start = e.pos
	e.sum.Write(data)
	e.size += len(e.out)
	_, err := e.w.Write(e.out)
	return err
}

// store writes data as they are.
func (e *encoder) store(data []byte) {
	for len(data) > 0 {
		n := min(len(data), maxStored)
		control := byte(chunkStored)
		if e.next == chunkFirst {
			control, e.next = chunkStoredFirst, chunkNewProps
		}
		e.out = append(e.out, control)
		e.out = binary.BigEndian.AppendUint16(e.out, uint16(n-1))
		e.out = append(e.out, data[:n]...)
		data = data[n:]
	}
	if e.next < chunkNewProps {
		e.next = chunkNewState
	}
}

// encodePlan codes what the parser plans next.
func (e *encoder) encodePlan() {
	for _, s := range e.plan(&e.model, e.pos) {
		position := uint32(e.pos) & (positions - 1)
		if s.kind == literalKind {
			before, matched := byte(0), byte(0)
			if e.pos > 0 {
				before = e.data[e.pos-1]
			}
			if d := int(e.reps[0]); e.pos > d {
				matched = e.data[e.pos-d-1]
			}
			e.coder.bit(&e.isMatch[e.state][position], 0)
			e.codeLiteral(&e.coder, before, e.data[e.pos], matched)
			e.pos++
			continue
		}
		e.coder.bit(&e.isMatch[e.state][position], 1)
		if s.kind < matchKind {
			e.codeRep(&e.coder, int(s.kind-repKind), int(s.n), position)
		} else {
			e.codeMatch(&e.coder, s.kind-matchKind, int(s.n), position)
		}
		e.pos += int(s.n)
	}
}
