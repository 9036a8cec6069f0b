package xz

import "math/bits"

// A prob is the probability of a zero bit, of 1<<probBits.
type prob uint16

const (
	probBits  = 11
	probInit  = 1 << probBits / 2
	probShift = 5
)

// A rangeCoder is the arithmetic coder of LZMA.
type rangeCoder struct {
	out   []byte
	low   uint64
	width uint32
	cache byte
	held  int // bytes that a carry may still change, the cache included
}

func (c *rangeCoder) reset() {
	*c = rangeCoder{out: c.out[:0], width: 1<<32 - 1, held: 1}
}

// size is at most how many bytes there are after flush.
func (c *rangeCoder) size() int { return len(c.out) + c.held + 4 }

func (c *rangeCoder) shift() {
	if c.low < 0xff000000 || c.low >= 1<<32 {
		carry := byte(c.low >> 32)
		b := c.cache
		for ; c.held > 0; c.held-- {
			c.out = append(c.out, b+carry)
			b = 0xff
		}
		c.cache = byte(c.low >> 24)
	}
	c.held++
	c.low = c.low & 0x00ffffff << 8
}

// flush ends the code. The first byte is always zero: LZMA2 has it too.
func (c *rangeCoder) flush() []byte {
	for range 5 {
		c.shift()
	}
	return c.out
}

func (c *rangeCoder) bit(p *prob, bit uint32) {
	bound := c.width >> probBits * uint32(*p)
	if bit == 0 {
		c.width = bound
		*p += (1<<probBits - *p) >> probShift
	} else {
		c.low += uint64(bound)
		c.width -= bound
		*p -= *p >> probShift
	}
	if c.width < 1<<24 {
		c.width <<= 8
		c.shift()
	}
}

// direct codes bits that are as often set as not.
func (c *rangeCoder) direct(x uint32, n int) {
	for n--; n >= 0; n-- {
		c.width >>= 1
		if x>>n&1 != 0 {
			c.low += uint64(c.width)
		}
		if c.width < 1<<24 {
			c.width <<= 8
			c.shift()
		}
	}
}

// tree codes n bits, the highest first, each with a probability that depends on those
// before.
func (c *rangeCoder) tree(probs []prob, x uint32, n int) {
	m := uint32(1)
	for n--; n >= 0; n-- {
		b := x >> n & 1
		c.bit(&probs[m], b)
		m = m<<1 | b
	}
}

// reverse is tree with the lowest bit first.
func (c *rangeCoder) reverse(probs []prob, x uint32, n int) {
	m := uint32(1)
	for range n {
		b := x & 1
		c.bit(&probs[m], b)
		m = m<<1 | b
		x >>= 1
	}
}

// Prices are in sixteenths of a bit.
const (
	priceBits  = 4
	priceSteps = 1 << probBits >> priceBits
	infinite   = 1 << 30
)

// priceOf has the price of a zero bit for each step of its probability.
var priceOf = func() (t [priceSteps]uint32) {
	for i := range t {
		// Square the probability four times, and count its halvings.
		w := uint32(i<<priceBits + 1<<priceBits/2)
		halves := uint32(0)
		for range priceBits {
			w *= w
			halves <<= 1
			for w >= 1<<16 {
				w >>= 1
				halves++
			}
		}
		t[i] = probBits<<priceBits - 15 - halves
	}
	return t
}()

func price0(p prob) uint32 { return priceOf[p>>priceBits] }
func price1(p prob) uint32 { return priceOf[(p^(1<<probBits-1))>>priceBits] }

func price(p prob, bit uint32) uint32 {
	return priceOf[(uint32(p)^-bit&(1<<probBits-1))>>priceBits]
}

func treePrice(probs []prob, x uint32, n int) (sum uint32) {
	x |= 1 << n
	for x != 1 {
		b := x & 1
		x >>= 1
		sum += price(probs[x], b)
	}
	return sum
}

func reversePrice(probs []prob, x uint32, n int) (sum uint32) {
	m := uint32(1)
	for range n {
		b := x & 1
		x >>= 1
		sum += price(probs[m], b)
		m = m<<1 | b
	}
	return sum
}

// distanceSlot returns the slot of a distance minus one: twice the number of its bits, and
// its second highest bit.
func distanceSlot(d uint32) uint32 {
	if d < 4 {
		return d
	}
	n := uint32(bits.Len32(d)) - 1
	return n<<1 | d>>(n-1)&1
}
