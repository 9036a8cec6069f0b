package xz

import (
	"encoding/binary"
	"math/bits"
)

const (
	minMatch = 2
	maxMatch = 273
	niceLen  = 64 // a match of this length is taken without asking for better ones
	depth    = 32 // nodes of a tree that are looked at
)

// A finder lists, for each position, what came before and is the same: the nearest match
// of each length that is longer than those that are nearer. Positions with the same first
// four bytes are in one binary tree, ordered by what follows.
type finder struct {
	data  []byte
	hash2 []int32 // positions plus one
	hash3 []int32
	hash4 []int32
	shift uint // of the hash of four bytes
	son   []int32
	mask  int // of a position in son
	size  int // of the window
}

const (
	hash3Bits = 16
	hash4Max  = 22 // bits
)

func newFinder(data []byte) *finder {
	window := 1 << bits.Len(uint(min(len(data), Dictionary)-1))
	b := min(max(bits.Len(uint(len(data))), 10), hash4Max)
	return &finder{
		data: data, hash2: make([]int32, 1<<16), hash3: make([]int32, 1<<hash3Bits), hash4: make([]int32, 1<<b),
		shift: uint(32 - b), son: make([]int32, 2*window), mask: window - 1, size: min(window, Dictionary),
	}
}

// find appends the matches at a position, each as its length and its distance minus one.
// Every position has to be given, in order.
func (f *finder) find(pos int, out []uint32) []uint32 {
	limit := min(len(f.data)-pos, niceLen)
	if limit < 4 {
		return f.findLast(pos, limit, out)
	}
	cur := f.data[pos : pos+limit]
	word := binary.LittleEndian.Uint32(cur)
	h2 := word & 0xffff
	h3 := (word << 8) * 0x9E3779B1 >> (32 - hash3Bits)
	h4 := word * 0x9E3779B1 >> f.shift
	near2, near3, next := int(f.hash2[h2])-1, int(f.hash3[h3])-1, int(f.hash4[h4])-1
	here := int32(pos + 1)
	f.hash2[h2], f.hash3[h3], f.hash4[h4] = here, here, here

	best := 0
	if near2 >= 0 && pos-near2 <= f.size {
		best = f.common(near2, pos, minMatch, limit)
		out = append(out, uint32(best), uint32(pos-near2-1))
	}
	if best < limit && near3 >= 0 && near3 != near2 && pos-near3 <= f.size && f.data[near3] == cur[0] && f.data[near3+1] == cur[1] && f.data[near3+2] == cur[2] {
		if n := f.common(near3, pos, 3, limit); n > best {
			best = n
			out = append(out, uint32(best), uint32(pos-near3-1))
		}
	}
	return f.insert(pos, next, limit, max(best, 3), out)
}

// findLast is find at the end, where nothing has to be remembered.
func (f *finder) findLast(pos, limit int, out []uint32) []uint32 {
	if limit < minMatch {
		return out
	}
	near := int(f.hash2[uint32(f.data[pos])|uint32(f.data[pos+1])<<8]) - 1
	if near >= 0 && pos-near <= f.size {
		out = append(out, uint32(f.common(near, pos, minMatch, limit)), uint32(pos-near-1))
	}
	return out
}

// insert puts a position into its tree, and appends the matches that are longer than best.
func (f *finder) insert(pos, next, limit, best int, out []uint32) []uint32 {
	data, son := f.data, f.son
	cur := data[pos : pos+limit]
	less := 2 * (pos & f.mask) // where the next smaller one is noted, and the next greater one
	more := less + 1
	nless, nmore := 0, 0 // what cur has in common with these
	for left := depth; ; left-- {
		delta := pos - next
		if next < 0 || left == 0 || delta >= f.size {
			son[less], son[more] = 0, 0
			return out
		}
		pair := 2 * (next & f.mask)
		n := min(nless, nmore)
		old := data[next : next+limit]
		if old[n] == cur[n] {
			n = f.common(next, pos, n+1, limit)
			if n > best {
				best = n
				out = append(out, uint32(n), uint32(delta-1))
			}
			if n == limit {
				son[less], son[more] = son[pair], son[pair+1]
				return out
			}
		}
		if old[n] < cur[n] {
			son[less] = int32(next + 1)
			less = pair + 1
			next = int(son[less]) - 1
			nless = n
		} else {
			son[more] = int32(next + 1)
			more = pair
			next = int(son[more]) - 1
			nmore = n
		}
	}
}

// common returns how many bytes are the same at two positions: n are known to be, limit is
// enough.
func (f *finder) common(a, b, n, limit int) int {
	return commonLen(f.data[a:a+limit], f.data[b:b+limit], n)
}

// commonLen compares two slices of one length from n on.
func commonLen(x, y []byte, n int) int {
	for n+8 <= len(x) && n+8 <= len(y) {
		if diff := binary.LittleEndian.Uint64(x[n:]) ^ binary.LittleEndian.Uint64(y[n:]); diff != 0 {
			return n + bits.TrailingZeros64(diff)>>3
		}
		n += 8
	}
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	return n
}

// A batch is the matches at some positions: for each their number, then lengths and
// distances.
type batch []uint32

const (
	batchPositions = 1 << 13
	batchesAhead   = 4
)

// A matcher runs a finder ahead of who asks for the matches.
type matcher struct {
	full, free chan batch
	stopped    chan struct{}
	now        batch
	at         int
}

func newMatcher(data []byte) *matcher {
	m := &matcher{full: make(chan batch, batchesAhead), free: make(chan batch, batchesAhead+2), stopped: make(chan struct{})}
	go func() {
		defer close(m.full)
		f := newFinder(data)
		for pos := 0; pos < len(data); {
			var b batch
			select {
			case b = <-m.free:
				b = b[:0]
			default:
				b = make(batch, 0, 4*batchPositions)
			}
			for end := min(pos+batchPositions, len(data)); pos < end; pos++ {
				at := len(b)
				b = f.find(pos, append(b, 0))
				b[at] = uint32(len(b) - at - 1)
			}
			select {
			case m.full <- b:
			case <-m.stopped:
				return
			}
		}
	}()
	return m
}

// next returns the matches at the next position. They are valid until next is called.
func (m *matcher) next() []uint32 {
	if m.at == len(m.now) {
		if m.now != nil {
			m.free <- m.now
		}
		m.now, m.at = <-m.full, 0
	}
	n := int(m.now[m.at])
	list := m.now[m.at+1 : m.at+1+n]
	m.at += 1 + n
	return list
}

// stop waits until the finder reads data no more. There are no matches then.
func (m *matcher) stop() {
	close(m.stopped)
	for range m.full {
	}
}

// skip passes over positions.
func (m *matcher) skip(n int) {
	for range n {
		m.next()
	}
}
