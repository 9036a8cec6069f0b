package solv

import (
	"hash/maphash"
	"math"
	"unsafe"
)

// stringTable interns strings: equal strings have equal numbers. Number 0 is "no string",
// number 1 the empty one. The strings of catalogs are in the table too, but are only looked up in
// them. The others are its own.
type stringTable struct {
	bytes []byte
	ends  []uint32 // own string i is bytes[ends[i-1]:ends[i]]
	spans []textSpan
	// adopted is how many strings all spans have.
	adopted int
	// hash is a table with open addressing. A slot has the upper half of the string's hash, which
	// says where to look, and the number; zero is free. So other strings are seldom looked at, and
	// none if the table grows.
	hash []uint64
}

// maxText bounds the text of all strings, in bytes. What is beyond it becomes the empty string.
const maxText = math.MaxUint32

func newStringTable() stringTable {
	return stringTable{ends: []uint32{0, 0}, hash: make([]uint64, 1<<10)}
}

// hashSize returns the size of a hash table, at least size, for n entries: a third of it stays free.
func hashSize(size, n int) int {
	for size*2 < n*3 {
		size *= 2
	}
	return size
}

func (t *stringTable) len() int { return len(t.ends) + t.adopted }

func (t *stringTable) get(i Ref) string {
	if i <= 0 || int(i) >= t.len() {
		return ""
	}
	span, n := t.locate(i)
	if span != nil {
		return span.src.String(n)
	}
	return string(t.bytes[t.ends[n-1]:t.ends[n]])
}

// raw is get without a copy; the result must not be changed.
func (t *stringTable) raw(i Ref) []byte {
	if i <= 0 || int(i) >= t.len() {
		return nil
	}
	span, n := t.locate(i)
	if span != nil {
		return viewBytes(span.src.String(n))
	}
	return t.bytes[t.ends[n-1]:t.ends[n]]
}

// lookup returns the number of s, or 0 if s was never interned.
func (t *stringTable) lookup(s string) Ref {
	if s == "" {
		return refEmpty
	}
	if _, _, n := t.slot(s); n != 0 {
		return n
	}
	return t.find(t.spans, s)
}

// view returns bytes as a string for as long as they do not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (t *stringTable) intern(s string) Ref {
	if s == "" {
		return refEmpty
	}
	slot, hash, n := t.slot(s)
	if n != 0 {
		return n
	}
	if n = t.find(t.spans, s); n != 0 {
		return n
	}
	if len(t.bytes)+len(s) > maxText || t.len() >= int(relBit) {
		return refEmpty
	}
	n = Ref(t.len())
	t.bytes = append(t.bytes, s...)
	t.ends = append(t.ends, uint32(len(t.bytes)))
	t.hash[slot] = hash | uint64(n)
	if size := hashSize(len(t.hash), len(t.ends)); size > len(t.hash) {
		t.resize(size)
	}
	return n
}

// slot finds a string of the table's own: where its number is in the hash, or is to be, and what belongs beside it.
func (t *stringTable) slot(s string) (slot int, hash uint64, n Ref) {
	hash = maphash.String(hashSeed, s) >> 32 << 32
	mask := len(t.hash) - 1
	for i := int(hash>>32) & mask; ; i = (i + 1) & mask {
		e := t.hash[i]
		if e == 0 {
			return i, hash, 0
		}
		if n := Ref(uint32(e)); e>>32 == hash>>32 && string(t.raw(n)) == s {
			return i, hash, n
		}
	}
}

// resize makes the hash larger.
func (t *stringTable) resize(size int) {
	old := t.hash
	t.hash = make([]uint64, size)
	mask := size - 1
	for _, e := range old {
		if e == 0 {
			continue
		}
		i := int(e>>32) & mask
		for t.hash[i] != 0 {
			i = (i + 1) & mask
		}
		t.hash[i] = e
	}
}

// hashSeed only decides where a string lies in the table, never what is returned.
var hashSeed = maphash.MakeSeed()

// extend makes room for n more elements by doubling. What append does with long lists, to lengthen
// them by a quarter, copies them several times over.
func extend[T any](s []T, n int) []T {
	if len(s)+n <= cap(s) {
		return s
	}
	out := make([]T, len(s), max(2*cap(s), len(s)+n))
	copy(out, s)
	return out
}

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
	t.rels = append(extend(t.rels, 1), r)
	t.hash[h] = n
	if size := hashSize(len(t.hash), len(t.rels)); size > len(t.hash) {
		t.resize(size)
	}
	return Ref(n) | relBit
}

func (t *relationTable) resize(size int) {
	t.hash = make([]uint32, size)
	mask := uint32(size - 1)
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
