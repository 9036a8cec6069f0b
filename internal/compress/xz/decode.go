package xz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
)

// ErrUnsupported means that a file may be right, but uses what Compress and the presets
// of xz do not: another filter, check or parameter, or several streams.
var ErrUnsupported = errors.New("unusual .xz file")

var errCorrupt = errors.New("corrupted .xz file")

// maxRatio is more than what LZMA can make of one byte.
const maxRatio = 16 << 10

// Decompress returns the content of an .xz file, of at most limit bytes. The size is known
// before, from the file's index, and all memory is that of the result: it is the dictionary
// too.
func Decompress(file []byte, limit int64) ([]byte, error) {
	const header, footer = 12, 12
	if len(file) < header+footer || string(file[:6]) != headerMagic {
		return nil, errCorrupt
	}
	if file[6] != 0 || file[7] != checkCRC64 {
		return nil, ErrUnsupported
	}
	if crc32.ChecksumIEEE(file[6:8]) != binary.LittleEndian.Uint32(file[8:]) {
		return nil, errCorrupt
	}
	blocks, end, err := readIndex(file)
	if err != nil {
		return nil, err
	}
	var total uint64
	for _, b := range blocks {
		if total += b.size; b.size > uint64(limit) || total > uint64(limit) {
			return nil, fmt.Errorf("xz: more than %d bytes", limit)
		}
	}
	if total > uint64(len(file))*maxRatio {
		return nil, errCorrupt
	}
	d := &decoder{out: make([]byte, total)}
	at := header
	for _, b := range blocks {
		padded := (b.packed + 3) &^ 3
		if padded > uint64(end-at) {
			return nil, errCorrupt
		}
		if err := d.block(file[at:at+int(padded)], int(padded-b.packed), int(b.size)); err != nil {
			return nil, err
		}
		at += int(padded)
	}
	if at != end {
		return nil, errCorrupt
	}
	return d.out, nil
}

// A record of the index describes a block: its bytes in the file, without padding, and of
// its content.
type record struct{ packed, size uint64 }

// readIndex reads the index, and returns where it begins.
func readIndex(file []byte) ([]record, int, error) {
	footer := file[len(file)-12:]
	if string(footer[10:]) != footerMagic {
		return nil, 0, ErrUnsupported // something may follow the stream
	}
	if crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer) || footer[8] != 0 || footer[9] != checkCRC64 {
		return nil, 0, errCorrupt
	}
	size := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
	start := int64(len(file)) - 12 - size
	if start < 12 {
		return nil, 0, errCorrupt
	}
	index := file[start : len(file)-12]
	body := index[:len(index)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(index[len(body):]) || body[0] != 0 {
		return nil, 0, errCorrupt
	}
	body = body[1:]
	var err error
	next := func() uint64 {
		x, n := binary.Uvarint(body)
		if n <= 0 || x >= 1<<62 {
			err, n = errCorrupt, 0
		}
		body = body[n:]
		return x
	}
	count := next()
	if count > uint64(len(body)) {
		return nil, 0, errCorrupt
	}
	list := make([]record, count)
	for i := range list {
		list[i] = record{next(), next()}
	}
	for _, b := range body {
		if b != 0 {
			err = errCorrupt
		}
	}
	if len(body) > 3 {
		err = errCorrupt
	}
	return list, int(start), err
}

// A decoder decodes LZMA2 into memory that has the right size.
type decoder struct {
	out  []byte
	pos  int // all before is decoded
	dict int // where the dictionary begins
	model

	in    []byte // the rest of a chunk
	width uint32
	code  uint32
	short bool // more was read than there is
}

// block decodes a block of that many bytes, which has padding before its check, and compares
// it with that.
func (d *decoder) block(b []byte, padding, size int) error {
	if len(b) < 8 || b[0] == 0 {
		return errCorrupt
	}
	head := (int(b[0]) + 1) * 4
	if head > len(b)-crc64.Size || crc32.ChecksumIEEE(b[:head-4]) != binary.LittleEndian.Uint32(b[head-4:]) {
		return errCorrupt
	}
	fields := b[2 : head-4]
	if b[1]&^0xc0 != 0 {
		return ErrUnsupported
	}
	for _, flag := range []byte{0x40, 0x80} { // sizes, which the index has too
		if b[1]&flag != 0 {
			_, n := binary.Uvarint(fields)
			if n <= 0 {
				return errCorrupt
			}
			fields = fields[n:]
		}
	}
	if len(fields) < 3 || fields[0] != filterLZMA2 || fields[1] != 1 || fields[2] > 40 {
		return ErrUnsupported
	}
	check := len(b) - crc64.Size
	start := d.pos
	used, err := d.lzma2(b[head:check], start+size)
	if err != nil {
		return err
	}
	if used != check-head-padding || bytes.Count(b[check-padding:check], []byte{0}) != padding {
		return errCorrupt
	}
	if crc64.Checksum(d.out[start:d.pos], crcTable) != binary.LittleEndian.Uint64(b[check:]) {
		return errCorrupt
	}
	return nil
}

var crcTable = crc64.MakeTable(crc64.ECMA)

// lzma2 decodes chunks up to the mark of their end, which is where the content ends too.
func (d *decoder) lzma2(b []byte, end int) (used int, err error) {
	rest := b
	next := byte(chunkFirst) // the least that the next chunk has to reset
	for {
		if len(rest) == 0 {
			return 0, errCorrupt
		}
		control := rest[0]
		switch {
		case control == chunkEnd:
			if d.pos != end {
				return 0, errCorrupt
			}
			return len(b) - len(rest) + 1, nil
		case control == chunkStoredFirst || control == chunkStored && next != chunkFirst:
			if len(rest) < 3 {
				return 0, errCorrupt
			}
			n := int(binary.BigEndian.Uint16(rest[1:])) + 1
			if rest = rest[3:]; n > len(rest) || n > end-d.pos {
				return 0, errCorrupt
			}
			if control == chunkStoredFirst {
				d.dict, next = d.pos, chunkNewProps
			}
			copy(d.out[d.pos:], rest[:n])
			d.pos += n
			rest = rest[n:]
		case control >= chunkLZMA:
			if control < next && control&0xe0 < next {
				return 0, errCorrupt
			}
			if rest, err = d.chunk(rest, end); err != nil {
				return 0, err
			}
			next = chunkLZMA
		default:
			return 0, errCorrupt
		}
	}
}

// chunk decodes a chunk of LZMA and returns what follows it.
func (d *decoder) chunk(b []byte, end int) ([]byte, error) {
	control := b[0]
	head := 5
	if control >= chunkNewProps {
		head = 6
	}
	if len(b) < head {
		return nil, errCorrupt
	}
	size := int(control&0x1f)<<16 + int(binary.BigEndian.Uint16(b[1:])) + 1
	packed := int(binary.BigEndian.Uint16(b[3:])) + 1
	if size > end-d.pos || packed > len(b)-head {
		return nil, errCorrupt
	}
	if control >= chunkNewProps && b[5] != properties {
		return nil, ErrUnsupported
	}
	if control >= chunkFirst {
		d.dict = d.pos
	}
	if control >= chunkNewState {
		d.model.reset()
	}
	d.in = b[head : head+packed]
	if packed < 5 || d.in[0] != 0 {
		return nil, errCorrupt
	}
	d.code, d.width, d.short = binary.BigEndian.Uint32(d.in[1:]), 1<<32-1, false
	d.in = d.in[5:]
	if err := d.symbols(d.pos + size); err != nil {
		return nil, err
	}
	d.normalize()
	if d.short || len(d.in) > 0 || d.code != 0 {
		return nil, errCorrupt
	}
	return b[head+packed:], nil
}

func (d *decoder) normalize() {
	if d.width < 1<<24 {
		d.width <<= 8
		d.code <<= 8
		if len(d.in) == 0 {
			d.short = true
			return
		}
		d.code |= uint32(d.in[0])
		d.in = d.in[1:]
	}
}

func (d *decoder) bit(p *prob) uint32 {
	d.normalize()
	bound := d.width >> probBits * uint32(*p)
	if d.code < bound {
		d.width = bound
		*p += (1<<probBits - *p) >> probShift
		return 0
	}
	d.width -= bound
	d.code -= bound
	*p -= *p >> probShift
	return 1
}

func (d *decoder) tree(probs []prob, n int) uint32 {
	m := uint32(1)
	for range n {
		m = m<<1 | d.bit(&probs[m])
	}
	return m - 1<<n
}

func (d *decoder) reverse(probs []prob, n int) (x uint32) {
	m := uint32(1)
	for i := range n {
		b := d.bit(&probs[m])
		m = m<<1 | b
		x |= b << i
	}
	return x
}

func (d *decoder) direct(n int) (x uint32) {
	for range n {
		d.normalize()
		d.width >>= 1
		b := uint32(0)
		if d.code >= d.width {
			d.code -= d.width
			b = 1
		}
		x = x<<1 | b
	}
	return x
}

func (d *decoder) length(l *lengths, position uint32) int {
	switch {
	case d.bit(&l.choice) == 0:
		return minMatch + int(d.tree(l.low[position][:], 3))
	case d.bit(&l.choice2) == 0:
		return minMatch + lenLow + int(d.tree(l.mid[position][:], 3))
	}
	return minMatch + 2*lenLow + int(d.tree(l.high[:], 8))
}

func (d *decoder) distance(n int) uint32 {
	slot := d.tree(d.slot[lenState(n)][:], 6)
	if slot < startModel {
		return slot
	}
	k := int(slot/2 - 1)
	base := (2 | slot&1) << k
	if slot < endModel {
		return base + d.reverse(d.nearTree(slot, base), k)
	}
	base += d.direct(k-alignBits) << alignBits
	return base + d.reverse(d.align[:], alignBits)
}

// symbols decodes up to a position.
func (d *decoder) symbols(end int) error {
	for d.pos < end {
		if d.short {
			return errCorrupt
		}
		position := uint32(d.pos-d.dict) & (positions - 1)
		s := d.state
		if d.bit(&d.isMatch[s][position]) == 0 {
			if err := d.literal(); err != nil {
				return err
			}
			continue
		}
		n := 0
		if d.bit(&d.isRep[s]) == 0 {
			n = d.length(&d.matchLen, position)
			d.reps = [4]uint32{d.distance(n), d.reps[0], d.reps[1], d.reps[2]}
			d.state = s.match()
		} else {
			n = d.rep(position)
		}
		if err := d.copy(n, end); err != nil {
			return err
		}
	}
	return nil
}

// rep decodes a match at one of the last distances, and returns its length.
func (d *decoder) rep(position uint32) int {
	s := d.state
	i := 0
	switch {
	case d.bit(&d.isRep0[s]) == 0:
		if d.bit(&d.isLong[s][position]) == 0 {
			d.state = s.shortRep()
			return 1
		}
	case d.bit(&d.isRep1[s]) == 0:
		i = 1
	default:
		i = 2 + int(d.bit(&d.isRep2[s]))
	}
	d.reps = movedToFront(d.reps, i)
	d.state = s.rep()
	return d.length(&d.repLen, position)
}

func (d *decoder) literal() error {
	before := byte(0)
	if d.pos > d.dict {
		before = d.out[d.pos-1]
	}
	probs := &d.literals[before>>(8-literalContext)]
	m := uint32(1)
	if d.state >= 7 {
		from := d.pos - int(d.reps[0]) - 1
		if from < d.dict {
			return errCorrupt
		}
		offset, other := uint32(0x100), uint32(d.out[from])
		for m < 0x100 {
			other <<= 1
			b := d.bit(&probs[offset+other&offset+m])
			m = m<<1 | b
			offset &= ^(other ^ -b)
		}
	} else {
		for m < 0x100 {
			m = m<<1 | d.bit(&probs[m])
		}
	}
	d.out[d.pos] = byte(m)
	d.pos++
	d.state = d.state.literal()
	return nil
}

// copy repeats n bytes at the last distance.
func (d *decoder) copy(n, end int) error {
	from := d.pos - int(d.reps[0]) - 1
	if from < d.dict || n > end-d.pos {
		return errCorrupt
	}
	to := d.out[d.pos : d.pos+n]
	if step := d.pos - from; step >= n {
		copy(to, d.out[from:])
	} else {
		for i := range to {
			to[i] = d.out[from+i]
		}
	}
	d.pos += n
	return nil
}
