package xz

// The parameters of LZMA: bits of the byte before that choose the probabilities of a
// literal, and bits of the position that choose those of other things.
const (
	literalContext = 3
	positionBits   = 2
	positions      = 1 << positionBits
	properties     = positionBits*45 + literalContext
)

const (
	states      = 12
	lenLow      = 8 // lengths of each of the two short kinds
	lenHigh     = 256
	lenStates   = 4 // how many kinds of lengths tell slots apart
	slots       = 64
	startModel  = 4
	endModel    = 14 // slots from here on have direct bits
	nearby      = 1 << (endModel / 2)
	alignBits   = 4
	aligned     = 1 << alignBits
	literalSize = 0x300
)

// A state is what the last few symbols were.
type state uint8

func (s state) literal() state {
	switch {
	case s < 4:
		return 0
	case s < 10:
		return s - 3
	}
	return s - 6
}

func (s state) after(below, other state) state {
	if s < 7 {
		return below
	}
	return other
}

func (s state) match() state    { return s.after(7, 10) }
func (s state) rep() state      { return s.after(8, 11) }
func (s state) shortRep() state { return s.after(9, 11) }

// A lengths codes the lengths of matches.
type lengths struct {
	choice, choice2 prob
	low, mid        [positions][lenLow]prob
	high            [lenHigh]prob

	prices [positions][maxMatch + 1]uint32
	fresh  int // symbols until the prices are computed again
}

func (l *lengths) code(c *rangeCoder, n int, position uint32) {
	x := uint32(n - minMatch)
	switch {
	case x < lenLow:
		c.bit(&l.choice, 0)
		c.tree(l.low[position][:], x, 3)
	case x < 2*lenLow:
		c.bit(&l.choice, 1)
		c.bit(&l.choice2, 0)
		c.tree(l.mid[position][:], x-lenLow, 3)
	default:
		c.bit(&l.choice, 1)
		c.bit(&l.choice2, 1)
		c.tree(l.high[:], x-2*lenLow, 8)
	}
	l.fresh--
}

func (l *lengths) update() {
	if l.fresh > 0 {
		return
	}
	l.fresh = niceLen
	long := price1(l.choice) + price1(l.choice2)
	for p := range l.prices {
		t := &l.prices[p]
		for x := range uint32(maxMatch + 1 - minMatch) {
			switch {
			case x < lenLow:
				t[x+minMatch] = price0(l.choice) + treePrice(l.low[p][:], x, 3)
			case x < 2*lenLow:
				t[x+minMatch] = price1(l.choice) + price0(l.choice2) + treePrice(l.mid[p][:], x-lenLow, 3)
			case p == 0:
				t[x+minMatch] = long + treePrice(l.high[:], x-2*lenLow, 8)
			default:
				t[x+minMatch] = l.prices[0][x+minMatch]
			}
		}
	}
}

// A model is all probabilities, and the state of the coder.
type model struct {
	isMatch                       [states][positions]prob
	isRep, isRep0, isRep1, isRep2 [states]prob
	isLong                        [states][positions]prob
	literals                      [1 << literalContext][literalSize]prob
	slot                          [lenStates][slots]prob
	near                          [nearby]prob
	align                         [aligned]prob
	matchLen, repLen              lengths

	state state
	reps  [4]uint32 // the last distances, minus one

	slotPrices  [lenStates][slots]uint32
	nearPrices  [lenStates][nearby]uint32
	alignPrices [aligned]uint32
	fresh       int // matches until the prices of distances are computed again
}

func fill(probs ...[]prob) {
	for _, list := range probs {
		for i := range list {
			list[i] = probInit
		}
	}
}

func (m *model) reset() {
	m.state, m.reps, m.fresh = 0, [4]uint32{}, 0
	for i := range m.isMatch {
		fill(m.isMatch[i][:], m.isLong[i][:])
	}
	fill(m.isRep[:], m.isRep0[:], m.isRep1[:], m.isRep2[:], m.near[:], m.align[:])
	for i := range m.literals {
		fill(m.literals[i][:])
	}
	for i := range m.slot {
		fill(m.slot[i][:])
	}
	for _, l := range []*lengths{&m.matchLen, &m.repLen} {
		l.choice, l.choice2, l.fresh = probInit, probInit, 0
		for i := range l.low {
			fill(l.low[i][:], l.mid[i][:])
		}
		fill(l.high[:])
	}
}

// update computes prices again if the probabilities have changed much.
func (m *model) update() {
	m.matchLen.update()
	m.repLen.update()
	if m.fresh > 0 {
		return
	}
	m.fresh = 128
	for i := range m.alignPrices {
		m.alignPrices[i] = reversePrice(m.align[:], uint32(i), alignBits)
	}
	var rest [nearby]uint32
	for d := uint32(startModel); d < nearby; d++ {
		slot := distanceSlot(d)
		n := int(slot/2 - 1)
		base := (2 | slot&1) << n
		rest[d] = reversePrice(m.nearTree(slot, base), d-base, n)
	}
	for k := range m.slot {
		for s := range uint32(slots) {
			p := treePrice(m.slot[k][:], s, 6)
			if s >= endModel {
				p += (s/2 - 1 - alignBits) << priceBits
			}
			m.slotPrices[k][s] = p
		}
		for d := range uint32(nearby) {
			m.nearPrices[k][d] = m.slotPrices[k][distanceSlot(d)] + rest[d]
		}
	}
}

// nearTree returns the probabilities of the lower bits of a distance of a slot: their tree
// begins at index 1.
func (m *model) nearTree(slot, base uint32) []prob { return m.near[base-slot:] }

// lenState returns which probabilities the slot of a match's distance has.
func lenState(n int) int { return min(n-minMatch, lenStates-1) }

func (m *model) distancePrice(d uint32, k int) uint32 {
	if d < nearby {
		return m.nearPrices[k][d]
	}
	return m.slotPrices[k][distanceSlot(d)] + m.alignPrices[d&(aligned-1)]
}

// literalPrice is that of a byte. If the last symbol was a match, the byte that it
// would go on with helps.
func (m *model) literalPrice(before, b, matched byte, s state) (sum uint32) {
	probs := &m.literals[before>>(8-literalContext)]
	x := uint32(b) | 0x100
	if s < 7 {
		for x != 1 {
			bit := x & 1
			x >>= 1
			sum += price(probs[x], bit)
		}
		return sum
	}
	offset, other := uint32(0x100), uint32(matched)
	for x < 0x10000 {
		other <<= 1
		sum += price(probs[offset+other&offset+x>>8], x>>7&1)
		x <<= 1
		offset &= ^(other ^ x)
	}
	return sum
}

func (m *model) codeLiteral(c *rangeCoder, before, b, matched byte) {
	probs := &m.literals[before>>(8-literalContext)]
	x := uint32(b) | 0x100
	if m.state < 7 {
		for x < 0x10000 {
			c.bit(&probs[x>>8], x>>7&1)
			x <<= 1
		}
	} else {
		offset, other := uint32(0x100), uint32(matched)
		for x < 0x10000 {
			other <<= 1
			c.bit(&probs[offset+other&offset+x>>8], x>>7&1)
			x <<= 1
			offset &= ^(other ^ x)
		}
	}
	m.state = m.state.literal()
}

// repPrice is that of which of the last distances it is; a match of length 1 is of the
// first.
func (m *model) repPrice(i int, s state, position uint32) uint32 {
	switch i {
	case 0:
		return price0(m.isRep0[s]) + price1(m.isLong[s][position])
	case 1:
		return price1(m.isRep0[s]) + price0(m.isRep1[s])
	case 2:
		return price1(m.isRep0[s]) + price1(m.isRep1[s]) + price0(m.isRep2[s])
	}
	return price1(m.isRep0[s]) + price1(m.isRep1[s]) + price1(m.isRep2[s])
}

// codeRep codes a match at one of the last distances.
func (m *model) codeRep(c *rangeCoder, i, n int, position uint32) {
	s := m.state
	c.bit(&m.isRep[s], 1)
	switch i {
	case 0:
		c.bit(&m.isRep0[s], 0)
		long := uint32(1)
		if n == 1 {
			long = 0
		}
		c.bit(&m.isLong[s][position], long)
	case 1:
		c.bit(&m.isRep0[s], 1)
		c.bit(&m.isRep1[s], 0)
	default:
		c.bit(&m.isRep0[s], 1)
		c.bit(&m.isRep1[s], 1)
		c.bit(&m.isRep2[s], uint32(i-2))
	}
	m.reps = movedToFront(m.reps, i)
	if n == 1 {
		m.state = s.shortRep()
		return
	}
	m.repLen.code(c, n, position)
	m.state = s.rep()
}

func movedToFront(reps [4]uint32, i int) [4]uint32 {
	d := reps[i]
	copy(reps[1:], reps[:i])
	reps[0] = d
	return reps
}

// codeMatch codes a match at another distance.
func (m *model) codeMatch(c *rangeCoder, d uint32, n int, position uint32) {
	c.bit(&m.isRep[m.state], 0)
	m.matchLen.code(c, n, position)
	slot := distanceSlot(d)
	c.tree(m.slot[lenState(n)][:], slot, 6)
	if slot >= startModel {
		k := int(slot/2 - 1)
		base := (2 | slot&1) << k
		if rest := d - base; slot < endModel {
			c.reverse(m.nearTree(slot, base), rest, k)
		} else {
			c.direct(rest>>alignBits, k-alignBits)
			c.reverse(m.align[:], rest&(aligned-1), alignBits)
		}
	}
	m.reps = [4]uint32{d, m.reps[0], m.reps[1], m.reps[2]}
	m.state = m.state.match()
	m.fresh--
}
