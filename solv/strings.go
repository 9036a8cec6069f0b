package solv

import (
	"hash/maphash"
	"math"
	"slices"
)

// stringTable interns strings: equal strings have equal numbers. Number 0 is "no string",
// number 1 the empty one.
type stringTable struct {
	bytes []byte
	ends  []uint32 // string i is bytes[ends[i-1]:ends[i]]
	hash  []uint32 // open addressing; 0 = free
}

// maxText bounds the text of all strings, in bytes. What is beyond it becomes the empty string.
const maxText = math.MaxUint32

func newStringTable() stringTable {
	return stringTable{ends: []uint32{0, 0}, hash: make([]uint32, 1<<10)}
}

// reserve makes room for more strings with so many bytes in all.
func (t *stringTable) reserve(strings, bytes int) {
	t.bytes, t.ends = slices.Grow(t.bytes, bytes), slices.Grow(t.ends, strings)
	t.hash = newHash(len(t.hash), len(t.ends)+strings)
	t.rehash()
}

// newHash returns an empty hash of at least size slots that holds n entries without growing.
func newHash(size, n int) []uint32 {
	for size < 2*n {
		size *= 2
	}
	return make([]uint32, size)
}

func (t *stringTable) len() int { return len(t.ends) }

func (t *stringTable) get(i Ref) string {
	if i <= 0 || int(i) >= len(t.ends) {
		return ""
	}
	return string(t.bytes[t.ends[i-1]:t.ends[i]])
}

// raw is get without a copy; the result must not be changed.
func (t *stringTable) raw(i Ref) []byte {
	if i <= 0 || int(i) >= len(t.ends) {
		return nil
	}
	return t.bytes[t.ends[i-1]:t.ends[i]]
}

// lookup returns the number of s, or 0 if s was never interned.
func (t *stringTable) lookup(s string) Ref {
	if s == "" {
		return refEmpty
	}
	_, n := t.slot(s)
	return n
}

func (t *stringTable) intern(s string) Ref {
	if s == "" {
		return refEmpty
	}
	slot, n := t.slot(s)
	if n != 0 {
		return n
	}
	if len(t.bytes)+len(s) > maxText || len(t.ends) >= int(relBit) {
		return refEmpty
	}
	n = Ref(len(t.ends))
	t.bytes = append(t.bytes, s...)
	t.ends = append(t.ends, uint32(len(t.bytes)))
	t.hash[slot] = uint32(n)
	if len(t.ends)*2 > len(t.hash) {
		t.grow()
	}
	return n
}

func (t *stringTable) slot(s string) (uint32, Ref) {
	mask := uint32(len(t.hash) - 1)
	for h := hashString(s) & mask; ; h = (h + 1) & mask {
		n := t.hash[h]
		if n == 0 {
			return h, 0
		}
		if string(t.raw(Ref(n))) == s {
			return h, Ref(n)
		}
	}
}

func (t *stringTable) grow() {
	t.hash = make([]uint32, len(t.hash)*2)
	t.rehash()
}

// rehash fills the hash, which has been emptied.
func (t *stringTable) rehash() {
	mask := uint32(len(t.hash) - 1)
	for i := 2; i < len(t.ends); i++ {
		h := uint32(maphash.Bytes(hashSeed, t.raw(Ref(i)))) & mask
		for t.hash[h] != 0 {
			h = (h + 1) & mask
		}
		t.hash[h] = uint32(i)
	}
}

// hashSeed only decides where a string lies in the table, never what is returned.
var hashSeed = maphash.MakeSeed()

func hashString(s string) uint32 { return uint32(maphash.String(hashSeed, s)) }

// relation is an interned "left op right".
type relation struct {
	left, right Ref
	op          RelOp
}

type relationTable struct {
	rels []relation
	hash []uint32
}

func newRelationTable() relationTable {
	return relationTable{rels: make([]relation, 1), hash: make([]uint32, 1<<10)}
}

func (t *relationTable) intern(r relation) Ref {
	mask := uint32(len(t.hash) - 1)
	h := r.hash() & mask
	for t.hash[h] != 0 {
		if t.rels[t.hash[h]] == r {
			return Ref(t.hash[h]) | relBit
		}
		h = (h + 1) & mask
	}
	n := uint32(len(t.rels))
	t.rels = append(t.rels, r)
	t.hash[h] = n
	if len(t.rels)*2 > len(t.hash) {
		t.grow()
	}
	return Ref(n) | relBit
}

// reserve makes room for more relations.
func (t *relationTable) reserve(n int) {
	t.rels = slices.Grow(t.rels, n)
	t.hash = newHash(len(t.hash), len(t.rels)+n)
	t.rehash()
}

func (t *relationTable) grow() {
	t.hash = make([]uint32, len(t.hash)*2)
	t.rehash()
}

// rehash fills the hash, which has been emptied.
func (t *relationTable) rehash() {
	mask := uint32(len(t.hash) - 1)
	for i := 1; i < len(t.rels); i++ {
		h := t.rels[i].hash() & mask
		for t.hash[h] != 0 {
			h = (h + 1) & mask
		}
		t.hash[h] = uint32(i)
	}
}

func (r relation) hash() uint32 {
	h := uint32(r.left)*0x9e3779b1 ^ uint32(r.right)*0x85ebca6b ^ uint32(r.op)*0xc2b2ae35
	return h ^ h>>15 ^ h>>7
}
