package rpmmd

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// A hashTable finds numbers by the hash of what they stand for: open addressing.
// A slot has the upper half of the hash and the number; zero is free.
type hashTable struct {
	slots []uint64
	n     int
}

func newHashTable() hashTable { return hashTable{slots: make([]uint64, 1<<10)} }

// find returns the number for which same is true, or the slot for a new one.
func (t *hashTable) find(hash uint64, same func(uint32) bool) (id uint32, slot int) {
	mask := len(t.slots) - 1
	for i := int(hash>>32) & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == 0 || s>>32 == hash>>32 && same(uint32(s)) {
			return uint32(s), i
		}
	}
}

// put fills a free slot. If the table is too full then, it is made anew.
func (t *hashTable) put(slot int, hash uint64, id uint32) {
	t.slots[slot] = hash>>32<<32 | uint64(id)
	if t.n++; t.n*4 < len(t.slots)*3 {
		return
	}
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	mask := len(t.slots) - 1
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := int(s>>32) & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// A stringTable gives equal strings the same number. They are kept in chunks, which
// do not move. Number 0 is "".
type stringTable struct {
	seed   uint64
	chunks [][]byte
	starts words // chunk, and position in it
	sizes  words
	size   int
	full   bool // a string was not taken because of MaxIndex
	hash   hashTable
}

const (
	stringChunkBits = 18
	stringChunk     = 1 << stringChunkBits
)

// newStringTable returns an empty table. The seed follows from the key.
func newStringTable(key string) *stringTable {
	sum := sha256.Sum256([]byte(key))
	t := &stringTable{seed: binary.LittleEndian.Uint64(sum[:]), hash: newHashTable()}
	t.starts.add(0)
	t.sizes.add(0)
	return t
}

func (t *stringTable) len() int { return t.sizes.len() }

// str returns a string, which is valid forever.
func (t *stringTable) str(id uint32) string {
	if id == 0 {
		return ""
	}
	start := t.starts.at(int(id))
	chunk := t.chunks[start>>stringChunkBits]
	return view(chunk[start&(stringChunk-1):][:t.sizes.at(int(id))])
}

func (t *stringTable) id(b []byte) uint32 {
	if len(b) == 0 {
		return 0
	}
	hash := hashText(t.seed, view(b))
	id, slot := t.hash.find(hash, func(id uint32) bool { return t.str(id) == string(b) })
	if id != 0 {
		return id
	}
	if t.size+len(b) > MaxIndex {
		t.full = true
		return 0
	}
	last := len(t.chunks) - 1
	if last < 0 || len(t.chunks[last])+len(b) > cap(t.chunks[last]) {
		t.chunks = append(t.chunks, make([]byte, 0, max(stringChunk, len(b))))
		last++
	}
	id = uint32(t.len())
	t.starts.add(uint32(last<<stringChunkBits | len(t.chunks[last])))
	t.sizes.add(uint32(len(b)))
	t.chunks[last] = append(t.chunks[last], b...)
	t.size += len(b)
	t.hash.put(slot, hash, id)
	return id
}

// A depTable gives equal dependencies the same number. Number 0 is none.
type depTable struct {
	list words
	hash hashTable
}

func newDepTable() depTable {
	t := depTable{hash: newHashTable()}
	t.list.add(0, 0, 0)
	return t
}

func (t *depTable) len() int { return t.list.len() / depWords }

func (t *depTable) id(name, evr, op uint32) uint32 {
	hash := (uint64(name)<<32 | uint64(evr)) * 0x9e3779b97f4a7c15
	hash = (hash ^ hash>>29 ^ uint64(op)) * 0xbf58476d1ce4e5b9
	id, slot := t.hash.find(hash, func(id uint32) bool {
		i := int(id) * depWords
		return t.list.at(i) == name && t.list.at(i+1) == evr && t.list.at(i+2) == op
	})
	if id == 0 {
		id = uint32(t.len())
		t.list.add(name, evr, op)
		t.hash.put(slot, hash, id)
	}
	return id
}

// hashText hashes a string. The seed follows from the key of an Index, which is a checksum of
// what the strings are from: nobody can choose strings that meet in its table. As in wyhash,
// words are mixed by multiplication.
func hashText(seed uint64, s string) uint64 {
	const k = 0x9e3779b97f4a7c15
	mix := func(h, word uint64) uint64 {
		hi, lo := bits.Mul64(h^word, k)
		return hi ^ lo
	}
	b, h := unsafe.Slice(unsafe.StringData(s), len(s)), mix(seed, uint64(len(s)))
	for ; len(b) >= 8; b = b[8:] {
		h = mix(h, binary.LittleEndian.Uint64(b))
	}
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	return mix(mix(h, tail), seed)
}
