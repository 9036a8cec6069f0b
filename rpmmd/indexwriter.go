package rpmmd

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
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
//	slots    a hash table of strings: the number of one, or 0; hashText says where to look
//	starts   where in owners the packages begin that provide each string, and the end
//	owners   numbers of packages, ascending
//	blob     all strings
//	key      what the index was made from
//	footer   footerWords words
//	checksum CRC-32C of all before
//
// Text comes first because it need not be in memory while the file is written.
const indexMagic = "RPMMDix2"

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
	footSlots
	footStarts
	footOwners
	footSeed // two words
	_
	footBlob
	footKey
	footerWords
)

// MaxIndex is the size of an index, in bytes. It keeps all numbers in it below 2^29.
const MaxIndex = 2 << 30

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// IndexPrimary reads primary.xml and writes its index. The key names what the
// index is made from, such as the checksum of primary.xml.
func IndexPrimary(r io.Reader, w io.Writer, key string) error {
	x := newIndexWriter(w, key)
	return x.read(r, key)
}

func (x *indexWriter) read(r io.Reader, key string) error {
	if err := parsePrimary(r, x.strs, x.add); err != nil {
		return err
	}
	return x.finish(key)
}

// An indexWriter writes an Index.
type indexWriter struct {
	limit int64 // of the size; MaxIndex
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

func newIndexWriter(w io.Writer, key string) *indexWriter {
	x := &indexWriter{limit: MaxIndex, strs: newStringTable(key), deps: newDepTable()}
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
	if x.err == nil {
		x.err = x.check(p)
	}
	return x.err
}

// check returns an error that says of what there is too much if the index is larger than it may be:
// after a package, or after all if that is nil. tables are those that are made last.
func (x *indexWriter) check(p *rawPackage, tables ...[]uint32) error {
	sections := []struct {
		what string
		size int64
	}{
		{"<summary>, <description> and other texts", int64(x.text)},
		{"names, versions and paths", int64(x.strs.size) + 4*int64(x.strs.len()+len(x.strs.hash.slots))},
		{"dependencies in <rpm:entry>", 4 * int64(x.deps.list.len()+x.entry.len())},
		{"<file>", 4 * int64(x.files.len())},
		{"<package>", 4 * int64(x.hot.len()+x.cold.len())},
	}
	var total int64
	for _, t := range tables {
		total += 4 * int64(len(t))
	}
	most := sections[0]
	for _, s := range sections {
		total += s.size
		if s.size > most.size {
			most = s
		}
	}
	if total <= x.limit {
		return nil
	}
	at := "the end"
	if p != nil {
		at = fmt.Sprintf("package %s-%s.%s", x.strs.str(p.strings[rawName]), p.evrText(x.strs), x.strs.str(p.strings[rawArch]))
	}
	return &ParseError{"primary", fmt.Errorf("%w: up to %s the index has more than %d bytes, of which %d are for %s",
		errLimit, at, x.limit, most.size, most.what)}
}

// finish writes what is left.
func (x *indexWriter) finish(key string) error {
	var ends, foot words
	end := uint32(0)
	for i := range x.strs.len() {
		end += x.strs.sizes.at(i)
		ends.add(end)
	}
	starts, owners := x.providers()
	if err := x.check(nil, starts, owners); err != nil {
		return err
	}
	foot.add(x.text, uint32(x.strs.len()), uint32(x.deps.len()), uint32(x.hot.len()/hotWords),
		uint32(x.entry.len()), uint32(x.files.len()), uint32(len(x.strs.hash.slots)), uint32(len(starts)), uint32(len(owners)))
	foot.add64(int64(x.strs.seed))
	foot.add(end, uint32(len(key)))
	for _, w := range []words{ends, x.deps.list, x.hot, x.cold, x.entry, x.files} {
		x.words(w)
	}
	x.numbers(len(x.strs.hash.slots), func(i int) uint32 { return uint32(x.strs.hash.slots[i]) })
	x.numbers(len(starts), func(i int) uint32 { return starts[i] })
	x.numbers(len(owners), func(i int) uint32 { return owners[i] })
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

func (x *indexWriter) words(w words) { x.numbers(w.len(), w.at) }

// numbers writes n numbers.
func (x *indexWriter) numbers(n int, at func(i int) uint32) {
	b := make([]byte, 0, 4*wordChunk)
	for i := range n {
		if b = binary.LittleEndian.AppendUint32(b, at(i)); len(b) == cap(b) {
			x.write(b)
			b = b[:0]
		}
	}
	x.write(b)
}

// providers returns which packages provide each string, or own the file of that name.
func (x *indexWriter) providers() (starts, owners []uint32) {
	count := make([]uint32, x.strs.len()+2) // at a string plus two; then where those before it end
	last := make([]uint32, x.strs.len())    // package that provides it, plus one
	each := func(f func(str, pkg uint32)) {
		clear(last)
		for i := range x.hot.len() / hotWords {
			once := func(str uint32) {
				if last[str] != uint32(i)+1 {
					last[str] = uint32(i) + 1
					f(str, uint32(i))
				}
			}
			word := func(n int) int { return int(x.hot.at(i*hotWords + n)) }
			for j := word(hotDeps + int(Provides)); j < word(hotDeps+int(Provides)+1); j++ {
				once(x.deps.list.at(int(x.entry.at(j)>>1)*depWords + depName))
			}
			for j := word(hotFiles); j < word(hotFilesEnd); j++ {
				once(x.files.at(j) >> 2)
			}
		}
	}
	each(func(str, _ uint32) { count[str+2]++ })
	for i := range x.strs.len() {
		count[i+2] += count[i+1]
	}
	owners = make([]uint32, count[len(count)-1])
	each(func(str, pkg uint32) {
		owners[count[str+1]] = pkg
		count[str+1]++
	})
	return count[:len(count)-1], owners
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
