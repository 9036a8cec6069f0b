package unxz

import "errors"

var errData = errors.New("data are corrupt")

const (
	probInit  = 1024 // one half: probabilities have 11 bits
	probBits  = 11
	moveBits  = 5
	rangeTop  = 1 << 24
	numStates = 12
	litStates = 7 // states below it follow a literal

	minMatch = 2
	slack    = 8

	maxCompressed   = 1 << 16 // bytes of a chunk
	maxUncompressed = 2 << 20 // bytes that a chunk unpacks to
	inputSize       = 1 << 17 // a chunk and what a broken one reads beyond it
	inputMask       = inputSize - 1
)

// input is a chunk of compressed bytes. Positions in it are masked, so that
// there is no need to check each for its bounds: a symbol takes less than a
// hundred bytes, and after each it is looked whether the end was passed.
type input [inputSize]byte

// lengths are the probabilities of a length.
type lengths struct {
	choice, choice2 uint16
	low, mid        [16][8]uint16
	high            [256]uint16
}

// model is the state of the decoder that is kept between chunks.
type model struct {
	state       uint32
	rep         [4]uint32
	lc          uint32
	lpMask      uint32
	pbMask      uint32
	isMatch     [256]uint16
	isRep       [16]uint16
	isRepG0     [16]uint16
	isRepG1     [16]uint16
	isRepG2     [16]uint16
	isRep0Long  [256]uint16
	slot        [4][64]uint16
	special     [128]uint16
	align       [16]uint16
	match, rept lengths
	literal     [16*0x300 + 0x100]uint16
}

func fill(list ...[]uint16) {
	for _, p := range list {
		for i := range p {
			p[i] = probInit
		}
	}
}

func (l *lengths) reset() {
	l.choice, l.choice2 = probInit, probInit
	for i := range l.low {
		fill(l.low[i][:], l.mid[i][:])
	}
	fill(l.high[:])
}

func (m *model) reset() {
	m.state, m.rep = 0, [4]uint32{}
	fill(m.isMatch[:], m.isRep[:], m.isRepG0[:], m.isRepG1[:], m.isRepG2[:], m.isRep0Long[:],
		m.slot[0][:], m.slot[1][:], m.slot[2][:], m.slot[3][:], m.special[:], m.align[:], m.literal[:])
	m.match.reset()
	m.rept.reset()
}

// setProps sets how many bits of position and previous byte select a model.
func (m *model) setProps(b byte) bool {
	if b > (4*5+4)*9+8 {
		return false
	}
	lc, lp, pb := uint32(b%9), uint32(b/9%5), uint32(b/45)
	if lc+lp > 4 {
		return false
	}
	m.lc, m.lpMask, m.pbMask = lc, 1<<lp-1, 1<<pb-1
	return true
}

// coder is the state of the range decoder. It is passed by value to stay in
// registers.
type coder struct{ rng, code, at uint32 }

func (c coder) normal(in *input) coder {
	if c.rng < rangeTop {
		c.rng <<= 8
		c.code = c.code<<8 | uint32(in[c.at&inputMask])
		c.at++
	}
	return c
}

// bit decodes one bit, for which there is one probability.
func bit(in *input, p *uint16, c coder) (coder, bool) {
	v := uint32(*p)
	bound := (c.rng >> probBits) * v
	if c.code < bound {
		c.rng = bound
		*p = uint16(v + (1<<probBits-v)>>moveBits)
		return c.normal(in), false
	}
	c.rng -= bound
	c.code -= bound
	*p = uint16(v - v>>moveBits)
	return c.normal(in), true
}

// tree decodes a number of as many bits as the length of probs, a power of two, has. Which way
// a bit goes cannot be foretold, so it is computed without a branch.
func tree(in *input, probs []uint16, c coder) (coder, uint32) {
	rng, code, at := c.rng, c.code, c.at
	sym := uint32(1)
	for sym < uint32(len(probs)) {
		p := &probs[sym]
		v := int32(*p)
		bound := (rng >> probBits) * uint32(v)
		zero := uint32((int64(code) - int64(bound)) >> 63) // all ones if the bit is 0
		code -= bound &^ zero
		rng = rng - bound + zero&(2*bound-rng)
		*p = uint16(v - (v+int32(zero)&(1<<moveBits-1-1<<probBits))>>moveBits)
		sym = sym<<1 + 1 + zero
		if rng < rangeTop {
			rng <<= 8
			code = code<<8 | uint32(in[at&inputMask])
			at++
		}
	}
	return coder{rng, code, at}, sym - uint32(len(probs))
}

// reverse is tree for bits that come lowest first.
func reverse(in *input, probs []uint16, n uint32, c coder) (coder, uint32) {
	sym, out := uint32(1), uint32(0)
	for i := range n {
		var one bool
		c, one = bit(in, &probs[sym], c)
		sym <<= 1
		if one {
			sym++
			out |= 1 << i
		}
	}
	return c, out
}

// direct decodes n bits that have no probability.
func direct(in *input, n uint32, c coder) (coder, uint32) {
	out := uint32(0)
	for range n {
		c.rng >>= 1
		c.code -= c.rng
		mask := -(c.code >> 31)
		c.code += c.rng & mask
		out = out<<1 + mask + 1
		c = c.normal(in)
	}
	return c, out
}

func (l *lengths) decode(in *input, posState uint32, c coder) (coder, int) {
	c, one := bit(in, &l.choice, c)
	if !one {
		c, n := tree(in, l.low[posState&15][:], c)
		return c, int(n) + minMatch
	}
	c, one = bit(in, &l.choice2, c)
	if !one {
		c, n := tree(in, l.mid[posState&15][:], c)
		return c, int(n) + minMatch + 8
	}
	c, n := tree(in, l.high[:], c)
	return c, int(n) + minMatch + 16
}

// distance decodes how far back a match of the given length is, less one.
func (m *model) distance(in *input, length int, c coder) (coder, uint32) {
	c, slot := tree(in, m.slot[min(length-minMatch, 3)][:], c)
	if slot < 4 {
		return c, slot
	}
	n := slot>>1 - 1
	dist := (2 | slot&1) << n
	if slot < 14 {
		c, low := reverse(in, m.special[dist-slot:], n, c)
		return c, dist + low
	}
	c, high := direct(in, n-4, c)
	c, low := reverse(in, m.align[:], 4, c)
	return c, dist + high<<4 + low
}

// decode unpacks a chunk of size bytes of in behind out[:pos], until out is full.
// Matches reach back to out[start] at most, and over no more than dict bytes. Up
// to slack bytes behind out are overwritten.
func (m *model) decode(in *input, size int, out []byte, pos, start, dict int) error {
	if size < 5 || in[0] != 0 {
		return errData
	}
	buf := out[:len(out)+slack]
	rng, code, at := uint32(0xffffffff), uint32(in[1])<<24|uint32(in[2])<<16|uint32(in[3])<<8|uint32(in[4]), uint32(5)
	state := m.state
	for pos < len(out) {
		if at > uint32(size) {
			return errData
		}
		position := uint32(pos - start)
		posState := position & m.pbMask & 15
		p := &m.isMatch[(state<<4|posState)&0xff]
		v := uint32(*p)
		bound := (rng >> probBits) * v
		if code >= bound {
			rng -= bound
			code -= bound
			*p = uint16(v - v>>moveBits)
			c := coder{rng, code, at}.normal(in)
			var n int
			c, n, state = m.anyMatch(in, posState, state, c)
			rng, code, at = c.rng, c.code, c.at
			back := int(m.rep[0]) + 1
			if back > min(pos-start, dict) || n > len(out)-pos {
				return errData
			}
			end := pos + n
			if back >= 8 {
				// Eight bytes at a time, the last of which may be too many.
				for from := pos - back; pos < end; from, pos = from+8, pos+8 {
					*(*[8]byte)(buf[pos:]) = *(*[8]byte)(buf[from:])
				}
				pos = end
			} else {
				for ; pos < end; pos++ {
					buf[pos] = buf[pos-back]
				}
			}
			continue
		}
		rng = bound
		*p = uint16(v + (1<<probBits-v)>>moveBits)
		if rng < rangeTop {
			rng <<= 8
			code = code<<8 | uint32(in[at&inputMask])
			at++
		}
		prev := uint32(0)
		if pos > start {
			prev = uint32(out[pos-1])
		}
		i := ((position&m.lpMask)<<m.lc + prev>>(8-m.lc)) & 15 * 0x300
		probs := (*[0x400]uint16)(m.literal[i:]) // the last quarter is for the compiler, to know the bounds
		sym := uint32(1)
		if state >= litStates {
			back := pos - int(m.rep[0]) - 1
			if back < max(start, 0) {
				return errData
			}
			like, offset := uint32(out[back]), uint32(0x100)
			for sym < 0x100 {
				like <<= 1
				b := like & offset
				p := &probs[(offset+b+sym)&0x3ff]
				v := uint32(*p)
				bound := (rng >> probBits) * v
				if code < bound {
					rng = bound
					*p = uint16(v + (1<<probBits-v)>>moveBits)
					sym <<= 1
					offset &^= b
				} else {
					rng -= bound
					code -= bound
					*p = uint16(v - v>>moveBits)
					sym = sym<<1 | 1
					offset &= b
				}
				if rng < rangeTop {
					rng <<= 8
					code = code<<8 | uint32(in[at&inputMask])
					at++
				}
			}
		} else {
			for sym < 0x100 {
				p := &probs[sym]
				v := int32(*p)
				bound := (rng >> probBits) * uint32(v)
				zero := uint32((int64(code) - int64(bound)) >> 63)
				code -= bound &^ zero
				rng = rng - bound + zero&(2*bound-rng)
				*p = uint16(v - (v+int32(zero)&(1<<moveBits-1-1<<probBits))>>moveBits)
				sym = sym<<1 + 1 + zero
				if rng < rangeTop {
					rng <<= 8
					code = code<<8 | uint32(in[at&inputMask])
					at++
				}
			}
		}
		out[pos] = byte(sym)
		pos++
		switch {
		case state < 4:
			state = 0
		case state < 10:
			state -= 3
		default:
			state -= 6
		}
	}
	if at != uint32(size) || code != 0 {
		return errData
	}
	m.state = state
	return nil
}

// anyMatch decodes a match or a repeated one.
func (m *model) anyMatch(in *input, posState, state uint32, c coder) (coder, int, uint32) {
	afterLiteral := state < litStates
	next := func(a, b uint32) uint32 {
		if afterLiteral {
			return a
		}
		return b
	}
	c, one := bit(in, &m.isRep[state&15], c)
	if !one {
		c, n := m.match.decode(in, posState, c)
		c, dist := m.distance(in, n, c)
		m.rep[3], m.rep[2], m.rep[1], m.rep[0] = m.rep[2], m.rep[1], m.rep[0], dist
		return c, n, next(7, 10)
	}
	rep := &m.rep
	if c, one = bit(in, &m.isRepG0[state&15], c); !one {
		if c, one = bit(in, &m.isRep0Long[(state<<4|posState)&0xff], c); !one {
			return c, 1, next(9, 11)
		}
	} else if c, one = bit(in, &m.isRepG1[state&15], c); !one {
		rep[0], rep[1] = rep[1], rep[0]
	} else if c, one = bit(in, &m.isRepG2[state&15], c); !one {
		rep[0], rep[1], rep[2] = rep[2], rep[0], rep[1]
	} else {
		rep[0], rep[1], rep[2], rep[3] = rep[3], rep[0], rep[1], rep[2]
	}
	c, n := m.rept.decode(in, posState, c)
	return c, n, next(8, 11)
}
