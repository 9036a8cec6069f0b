package rpmmd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"io"
)

// The file of an Index, all numbers little endian:
//
//	magic    indexMagic
//	text     what only people read, and what is different in each package
//	ends     where each string ends in blob, 4 bytes each; string 0 is ""
//	deps     different dependencies: depWords words each
//	hot      what a solver asks of each package: hotWords words each
//	cold     the rest: coldWords words each
//	entries  dependencies of all packages: the number of one, times two, plus one if it is "pre"
//	files    files of all packages: the number of the path, times four, plus the type
//	blob     all strings
//	key      what the index was made from
//	footer   footerWords words
//	checksum CRC-32C of all before
//
// Text comes first because it need not be in memory while the file is written.
const indexMagic = "RPMMDix1"

// Words of a dependency.
const (
	depName = iota
	depEVR
	depOp
	depWords
)

// Words of a package in the section hot.
const (
	hotName = iota
	hotArch
	hotEVR
	hotVendor
	hotBuildTime // two words
	_
	hotDeps // where its dependencies begin; each list ends where the next word says
	hotDepsEnd
	hotFiles    = hotDepsEnd + int(DepKinds)
	hotFilesEnd = hotFiles + 1
	hotWords    = hotFiles + 2
)

// Words of a package in the section cold: epoch, strings, spans of text (offset and
// length), numbers of two words.
const (
	coldEpoch   = 0
	coldStrings = 1
	coldTexts   = coldStrings + rawStrings - rawVersion
	coldNumbers = coldTexts + 2*rawTexts
	coldWords   = coldNumbers + 2*(rawNumbers-rawFileTime)
)

// Words of the footer.
const (
	footText = iota
	footStrings
	footDeps
	footPackages
	footEntries
	footFiles
	footBlob
	footKey
	footerWords
)

// Limits of an index.
const (
	// MaxIndex is the size of an index, in bytes.
	MaxIndex = 2 << 30
	maxID    = 1 << 29
)

var errIndexSize = errors.New("metadata is too large for an index")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// IndexPrimary reads primary.xml and writes its index. The key names what the
// index is made from, such as the checksum of primary.xml.
func IndexPrimary(r io.Reader, w io.Writer, key string) error {
	x := newIndexWriter(w)
	if err := parsePrimary(r, x.strs, x.add); err != nil {
		return err
	}
	return x.finish(key)
}

// An indexWriter writes an Index.
type indexWriter struct {
	out   *bufio.Writer
	sum   uint32
	err   error // of a write; sticky
	text  uint32
	strs  *stringTable
	deps  depTable
	hot   words
	cold  words
	entry words
	files words
}

func newIndexWriter(w io.Writer) *indexWriter {
	x := &indexWriter{strs: newStringTable(), deps: newDepTable()}
	x.out = bufio.NewWriterSize(writerFunc(func(b []byte) (int, error) {
		x.sum = crc32.Update(x.sum, castagnoli, b)
		return w.Write(b)
	}), 256<<10)
	x.write([]byte(indexMagic))
	return x
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func (x *indexWriter) write(b []byte) {
	if _, err := x.out.Write(b); x.err == nil {
		x.err = err
	}
}

// add appends a package whose strings are those of the writer.
func (x *indexWriter) add(p *rawPackage) error {
	h := &x.hot
	h.add(p.strings[rawName], p.strings[rawArch], x.strs.id(p.evrText(x.strs)), p.strings[rawVendor])
	h.add64(p.numbers[rawBuildTime])
	h.add(uint32(x.entry.len()))
	for _, list := range p.deps {
		for _, d := range list {
			id := x.deps.id(d.name, d.evr, uint32(d.op)) << 1
			if d.pre {
				id |= 1
			}
			x.entry.add(id)
		}
		h.add(uint32(x.entry.len()))
	}
	h.add(uint32(x.files.len()))
	for _, f := range p.files {
		x.files.add(f.path<<2 | uint32(f.typ)&3)
	}
	h.add(uint32(x.files.len()))
	x.cold.add(p.epoch)
	x.cold.add(p.strings[rawVersion:]...)
	for i := range p.texts {
		text := p.text(i)
		x.cold.add(x.text, uint32(len(text)))
		x.text += uint32(len(text))
		x.write(text)
	}
	for _, n := range p.numbers[rawFileTime:] {
		x.cold.add64(n)
	}
	if int64(x.text)+int64(x.strs.size) > MaxIndex/2 || max(x.strs.len(), x.deps.len(), x.entry.len(), x.files.len()) > maxID {
		x.err = errIndexSize
	}
	return x.err
}

// finish writes what is left.
func (x *indexWriter) finish(key string) error {
	var ends, foot words
	end := uint32(0)
	for i := range x.strs.len() {
		end += x.strs.sizes.at(i)
		ends.add(end)
	}
	foot.add(x.text, uint32(x.strs.len()), uint32(x.deps.len()), uint32(x.hot.len()/hotWords),
		uint32(x.entry.len()), uint32(x.files.len()), end, uint32(len(key)))
	for _, w := range []words{ends, x.deps.list, x.hot, x.cold, x.entry, x.files} {
		x.words(w)
	}
	for _, chunk := range x.strs.chunks {
		x.write(chunk)
	}
	x.write([]byte(key))
	x.words(foot)
	if err := x.out.Flush(); x.err == nil {
		x.err = err
	}
	x.write(binary.LittleEndian.AppendUint32(nil, x.sum))
	if err := x.out.Flush(); x.err == nil {
		x.err = err
	}
	if x.err != nil {
		return fmt.Errorf("writing metadata index: %w", x.err)
	}
	return nil
}

func (x *indexWriter) words(w words) {
	b := make([]byte, 0, 4*wordChunk)
	for _, chunk := range w.chunks {
		b = b[:0]
		for _, n := range chunk {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		x.write(b)
	}
}

// words is a list of numbers that grows without being copied.
type words struct {
	chunks [][]uint32
	n      int
}

const wordChunk = 16 << 10

func (w *words) len() int { return w.n }

func (w *words) add(list ...uint32) {
	for _, n := range list {
		if w.n%wordChunk == 0 {
			w.chunks = append(w.chunks, make([]uint32, 0, wordChunk))
		}
		last := len(w.chunks) - 1
		w.chunks[last] = append(w.chunks[last], n)
		w.n++
	}
}

func (w *words) add64(n int64) { w.add(uint32(n), uint32(n>>32)) }

func (w *words) at(i int) uint32 { return w.chunks[i/wordChunk][i%wordChunk] }

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
	seed   maphash.Seed
	chunks [][]byte
	starts words // chunk, and position in it
	sizes  words
	size   int
	hash   hashTable
}

const (
	stringChunkBits = 18
	stringChunk     = 1 << stringChunkBits
)

func newStringTable() *stringTable {
	t := &stringTable{seed: maphash.MakeSeed(), hash: newHashTable()}
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
	hash := maphash.Bytes(t.seed, b)
	id, slot := t.hash.find(hash, func(id uint32) bool { return t.str(id) == string(b) })
	if id != 0 || t.size+len(b) > MaxIndex {
		return id
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
