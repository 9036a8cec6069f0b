package xz

import "slices"

// A step is one symbol: a literal, or a match of n bytes at one of the last distances or at
// another distance.
type step struct {
	kind uint32 // literalKind, repKind plus the index, or matchKind plus the distance minus one
	n    uint32
}

const (
	literalKind = 0
	repKind     = 1
	matchKind   = repKind + 4
)

// A node is the cheapest way to a position.
type node struct {
	price uint32
	step         // the last one
	skip  uint32 // if not 0: before the step come another, and a literal; this is the other's length
	first uint32 // the kind of the other
	state state
	reps  [4]uint32
}

// maxPlan is how many bytes are planned at a time.
const maxPlan = 1 << 12

// A parser plans symbols: among all ways to code the next bytes it finds the cheapest, by
// the probabilities at the time.
type parser struct {
	data    []byte
	matches *matcher
	nodes   [maxPlan + maxMatch + 2]node
	end     int // nodes up to this one are reached
	steps   []step
}

func newParser(data []byte) parser { return parser{data: data, matches: newMatcher(data)} }

// plan returns the symbols for the next bytes. It is valid until plan is called again.
func (p *parser) plan(m *model, pos int) []step {
	m.update()
	p.steps = p.steps[:0]
	p.end = 0
	p.nodes[0] = node{state: m.state, reps: m.reps}
	for cur := 0; ; cur++ {
		if cur > 0 {
			if cur == p.end || cur >= maxPlan || pos+cur == len(p.data) {
				return p.collect(cur)
			}
			p.settle(cur)
		}
		list := p.matches.next()
		if s, ok := p.long(&p.nodes[cur], pos+cur, list); ok {
			steps := append(p.collect(cur), s)
			p.matches.skip(int(s.n) - 1)
			return steps
		}
		p.extend(m, cur, pos+cur, list)
	}
}

// long returns a match that is so long that nothing else is tried.
func (p *parser) long(at *node, pos int, list []uint32) (step, bool) {
	limit := min(len(p.data)-pos, maxMatch)
	if limit < niceLen {
		return step{}, false
	}
	for i, d := range at.reps {
		if n := p.common(pos, d, limit); n >= niceLen {
			return step{repKind + uint32(i), uint32(n)}, true
		}
	}
	// If only this byte has changed, a literal and the last distance again are cheaper.
	if limit > niceLen && p.common(pos+1, at.reps[0], niceLen) == niceLen {
		return step{}, false
	}
	if k := len(list); k > 0 && list[k-2] >= niceLen {
		return step{matchKind + list[k-1], uint32(p.common(pos, list[k-1], limit))}, true
	}
	return step{}, false
}

// common returns for how many bytes a position goes on as it does at a distance.
func (p *parser) common(pos int, d uint32, limit int) int {
	from := pos - int(d) - 1
	if from < 0 || p.data[from] != p.data[pos] {
		return 0
	}
	return commonLen(p.data[from:from+limit], p.data[pos:pos+limit], 1)
}

// settle finds out the state at a node from the way that leads to it.
func (p *parser) settle(cur int) {
	at := &p.nodes[cur]
	from := cur - int(at.n)
	if at.skip == 0 {
		prev := &p.nodes[from]
		at.state, at.reps = after(prev.state, prev.reps, at.step)
		return
	}
	from -= 1 + int(at.skip)
	prev := &p.nodes[from]
	s, reps := after(prev.state, prev.reps, step{at.first, at.skip})
	at.state, at.reps = after(s.literal(), reps, at.step)
}

func after(s state, reps [4]uint32, x step) (state, [4]uint32) {
	switch {
	case x.kind == literalKind:
		return s.literal(), reps
	case x.kind >= matchKind:
		return s.match(), [4]uint32{x.kind - matchKind, reps[0], reps[1], reps[2]}
	case x.n == 1:
		return s.shortRep(), reps
	}
	return s.rep(), movedToFront(reps, int(x.kind-repKind))
}

// reach notes a way to a node if it is the cheapest so far.
func (p *parser) reach(to int, price uint32, s step, skip, first uint32) {
	for p.end < to {
		p.end++
		p.nodes[p.end].price = infinite
	}
	if n := &p.nodes[to]; price < n.price {
		n.price, n.step, n.skip, n.first = price, s, skip, first
	}
}

// extend tries every symbol at a node.
func (p *parser) extend(m *model, cur, pos int, list []uint32) {
	at := &p.nodes[cur]
	position := uint32(pos) & (positions - 1)
	b, before, matched := p.data[pos], byte(0), byte(0)
	if pos > 0 {
		before = p.data[pos-1]
	}
	hasRep := pos > int(at.reps[0])
	if hasRep {
		matched = p.data[pos-int(at.reps[0])-1]
	}
	isMatch := m.isMatch[at.state][position]
	literal := at.price + price0(isMatch) + m.literalPrice(before, b, matched, at.state)
	p.reach(cur+1, literal, step{literalKind, 1}, 0, 0)

	match := at.price + price1(isMatch)
	rep := match + price1(m.isRep[at.state])
	if hasRep && b == matched {
		p.reach(cur+1, rep+price0(m.isRep0[at.state])+price0(m.isLong[at.state][position]), step{repKind, 1}, 0, 0)
	}
	limit := min(len(p.data)-pos, maxMatch)
	if limit < minMatch {
		return
	}
	for i, d := range at.reps {
		n := p.common(pos, d, limit)
		if n < minMatch {
			continue
		}
		base := rep + m.repPrice(i, at.state, position)
		kind := repKind + uint32(i)
		for k := minMatch; k <= n; k++ {
			p.reach(cur+k, base+m.repLen.prices[position][k], step{kind, uint32(k)}, 0, 0)
		}
		p.literalThenRep(m, cur, pos, n, step{kind, uint32(n)}, base+m.repLen.prices[position][n], at.state.rep(), d)
	}
	normal := match + price0(m.isRep[at.state])
	k := minMatch
	for i := 0; i+1 < len(list); i += 2 {
		n, d := int(list[i]), list[i+1]
		for ; k <= n; k++ {
			p.reach(cur+k, normal+m.matchLen.prices[position][k]+m.distancePrice(d, lenState(k)), step{matchKind + d, uint32(k)}, 0, 0)
		}
		price := normal + m.matchLen.prices[position][n] + m.distancePrice(d, lenState(n))
		p.literalThenRep(m, cur, pos, n, step{matchKind + d, uint32(n)}, price, at.state.match(), d)
	}
}

// literalThenRep tries to go on after a step with a literal and a match at the same
// distance d: a place where one byte has changed. The price and state are those after the
// step.
func (p *parser) literalThenRep(m *model, cur, pos, n int, s step, price uint32, st state, d uint32) {
	q := pos + n // of the literal
	limit := min(len(p.data)-q-1, niceLen)
	if limit < minMatch {
		return
	}
	from := q - int(d) - 1
	if p.data[from+1] != p.data[q+1] || p.data[from+2] != p.data[q+2] {
		return
	}
	k := commonLen(p.data[from+1:from+1+limit], p.data[q+1:q+1+limit], minMatch)
	price += price0(m.isMatch[st][q&(positions-1)]) + m.literalPrice(p.data[q-1], p.data[q], p.data[from], st)
	st = st.literal()
	position := uint32(q+1) & (positions - 1)
	price += price1(m.isMatch[st][position]) + price1(m.isRep[st]) + m.repPrice(0, st, position) + m.repLen.prices[position][k]
	p.reach(cur+n+1+k, price, step{repKind, uint32(k)}, uint32(n), s.kind)
}

// collect returns the steps that lead to a node.
func (p *parser) collect(cur int) []step {
	steps := p.steps
	for cur > 0 {
		at := &p.nodes[cur]
		steps = append(steps, at.step)
		cur -= int(at.n)
		if at.skip > 0 {
			steps = append(steps, step{literalKind, 1}, step{at.first, at.skip})
			cur -= 1 + int(at.skip)
		}
	}
	slices.Reverse(steps)
	p.steps = steps
	return steps
}
