package rpmmd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"strings"
	"unsafe"

	"rpmostree/rpm/evr"
)

// An Index is what primary.xml says of all packages, in a form that is used as it
// lies in a file: nothing is decoded before it is asked for, and equal strings
// and dependencies have equal numbers. Only the version of this package that
// wrote an index reads it.
//
// Strings that methods return point into the bytes that the index was opened
// with, unless their documentation says otherwise.
type Index struct {
	count                                  int
	blob, text                             string
	ends, deps, hot, cold, entries, files_ wordsView
	slots, starts, owners                  wordsView
	seed                                   uint64
}

// ErrIndex says that an index cannot be used: it is damaged, of another version,
// or made from something else. It has to be made anew.
var ErrIndex = errors.New("unusable metadata index")

// DepKind is a kind of dependencies.
type DepKind int

// Kinds of dependencies, in the order of their tags in primary.xml.
const (
	Provides DepKind = iota
	Requires
	Conflicts
	Obsoletes
	Suggests
	Enhances
	Recommends
	Supplements
	DepKinds // how many there are
)

// Deps returns the list of a kind.
func (p *Package) Deps(k DepKind) *[]Dep {
	return [...]*[]Dep{&p.Provides, &p.Requires, &p.Conflicts, &p.Obsoletes, &p.Suggests, &p.Enhances, &p.Recommends, &p.Supplements}[k]
}

// wordsView is a list of numbers as it lies in a file.
type wordsView []byte

func (w wordsView) at(i int) uint32        { return binary.LittleEndian.Uint32(w[4*i:]) }
func (w wordsView) at64(i int) int64       { return int64(binary.LittleEndian.Uint64(w[4*i:])) }
func (w wordsView) len() int               { return len(w) / 4 }
func (w wordsView) row(i, n int) wordsView { return w[4*i*n : 4*(i+1)*n] }

// crcResidue is what CRC-32C gives for anything that ends with its CRC.
const crcResidue = 0x48674bc7

// OpenIndex opens an index that was made with the given key. It is verified as a
// whole. The bytes must not change as long as the index, or a string of it, is in
// use. Errors wrap ErrIndex.
func OpenIndex(b []byte, key string) (*Index, error) {
	const footer = 4*footerWords + 4
	if len(b) < len(indexMagic)+footer || len(b) > MaxIndex || string(b[:len(indexMagic)]) != indexMagic {
		return nil, fmt.Errorf("%w: no index", ErrIndex)
	}
	if crc32.Checksum(b, castagnoli) != crcResidue {
		return nil, fmt.Errorf("%w: checksum mismatch", ErrIndex)
	}
	foot := wordsView(b[len(b)-footer : len(b)-4])
	rest, ok := b[len(indexMagic):len(b)-footer], true
	take := func(size, count int) []byte {
		n := uint64(size) * uint64(foot.at(count))
		if ok = ok && n <= uint64(len(rest)); !ok {
			return nil
		}
		out := rest[:n:n]
		rest = rest[n:]
		return out
	}
	x := &Index{count: int(foot.at(footPackages))}
	x.text = view(take(1, footText))
	x.ends = take(4, footStrings)
	x.deps = take(4*depWords, footDeps)
	x.hot = take(4*hotWords, footPackages)
	x.cold = take(4*coldWords, footPackages)
	x.entries = take(4, footEntries)
	x.files_ = take(4, footFiles)
	x.slots = take(4, footSlots)
	x.starts = take(4, footStarts)
	x.owners = take(4, footOwners)
	x.seed = uint64(foot.at64(footSeed))
	x.blob = view(take(1, footBlob))
	got := take(1, footKey)
	if !ok || len(rest) > 0 {
		return nil, fmt.Errorf("%w: sections do not fit the file", ErrIndex)
	}
	if string(got) != key {
		return nil, fmt.Errorf("%w: made from something else", ErrIndex)
	}
	if !x.valid() {
		return nil, fmt.Errorf("%w: invalid number", ErrIndex)
	}
	return x, nil
}

// view returns bytes as a string without a copy: OpenIndex demands that they do
// not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// valid reports whether all numbers are those of something that is there.
func (x *Index) valid() bool {
	if x.ends.len() == 0 || x.deps.len() == 0 || x.ends.at(0) != 0 {
		return false
	}
	ok, last := true, uint32(0)
	for i := range x.ends.len() {
		end := x.ends.at(i)
		ok = ok && end >= last
		last = end
	}
	ok = ok && int(last) == len(x.blob)
	strings, deps := uint32(x.ends.len()), uint32(x.deps.len()/depWords)
	for i := range x.deps.len() / depWords {
		d := x.deps.row(i, depWords)
		ok = ok && d.at(depName) < strings && d.at(depEVR) < strings && d.at(depOp) < 8
	}
	for i := range x.entries.len() {
		ok = ok && x.entries.at(i)>>1 < deps
	}
	for i := range x.files_.len() {
		ok = ok && x.files_.at(i)>>2 < strings && x.files_.at(i)&3 <= uint32(FileGhost)
	}
	for i := range x.count {
		ok = ok && x.validPackage(x.hot.row(i, hotWords), x.cold.row(i, coldWords), strings)
	}
	return ok && x.validTables()
}

// validTables reports whether strings and what provides them can be looked up.
func (x *Index) validTables() bool {
	slots := x.slots.len()
	if slots&(slots-1) != 0 || x.starts.len() != x.ends.len()+1 {
		return false
	}
	ok, free, last := true, false, uint32(0)
	for i := range slots {
		n := x.slots.at(i)
		free = free || n == 0 // where a search ends
		ok = ok && int(n) < x.ends.len()
	}
	for i := range x.starts.len() {
		start := x.starts.at(i)
		ok = ok && start >= last
		last = start
	}
	for i := range x.owners.len() {
		ok = ok && int(x.owners.at(i)) < x.count
	}
	return ok && free && int(last) == x.owners.len()
}

func (x *Index) validPackage(h, c wordsView, strings uint32) bool {
	ok := h.at(hotName) < strings && h.at(hotArch) < strings && h.at(hotEVR) < strings && h.at(hotVendor) < strings
	last := h.at(hotDeps)
	for k := range int(DepKinds) {
		end := h.at(hotDepsEnd + k)
		ok = ok && end >= last
		last = end
	}
	ok = ok && int(last) <= x.entries.len()
	ok = ok && h.at(hotFiles) <= h.at(hotFilesEnd) && int(h.at(hotFilesEnd)) <= x.files_.len()
	for i := coldStrings; i < coldTexts; i++ {
		ok = ok && c.at(i) < strings
	}
	for i := coldTexts; i < coldNumbers; i += 2 {
		ok = ok && uint64(c.at(i))+uint64(c.at(i+1)) <= uint64(len(x.text))
	}
	return ok
}

// Len returns how many packages there are.
func (x *Index) Len() int { return x.count }

func (x *Index) str(id uint32) string {
	if id == 0 {
		return ""
	}
	return x.blob[x.ends.at(int(id)-1):x.ends.at(int(id))]
}

// String returns the string of a number.
func (x *Index) String(n int) string { return x.str(uint32(n)) }

// Strings returns one more than the highest number of a string.
func (x *Index) Strings() int { return x.ends.len() }

// Find returns the number of a string, or 0 if there is none.
func (x *Index) Find(s string) int {
	mask := x.slots.len() - 1
	for i := int(hashText(x.seed, s)>>32) & mask; ; i = (i + 1) & mask {
		n := x.slots.at(i)
		if n == 0 || x.str(n) == s {
			return int(n)
		}
	}
}

// Providers returns the packages that provide something of this name, or have a file of
// this name, by the number of the string, ascending.
func (x *Index) Providers(n int) iter.Seq[int] {
	from, to := x.starts.at(n), x.starts.at(n+1)
	return func(yield func(int) bool) {
		for ; from < to; from++ {
			if !yield(int(x.owners.at(int(from)))) {
				return
			}
		}
	}
}

// An IndexEntry is what a solver has to know of a package, besides its dependencies
// and files, by the numbers of the strings.
type IndexEntry struct {
	Name, Arch, EVR, Vendor int
	BuildTime               int64
}

// Entry returns the identity of package i.
func (x *Index) Entry(i int) IndexEntry {
	h := x.hot.row(i, hotWords)
	return IndexEntry{int(h.at(hotName)), int(h.at(hotArch)), int(h.at(hotEVR)), int(h.at(hotVendor)), h.at64(hotBuildTime)}
}

// NEVRA returns the identity of package i.
func (x *Index) NEVRA(i int) evr.NEVRA {
	h, c := x.hot.row(i, hotWords), x.cold.row(i, coldWords)
	return evr.NEVRA{Name: x.str(h.at(hotName)), Arch: x.str(h.at(hotArch)), EVR: evr.EVR{
		Epoch: c.at(coldEpoch), HasEpoch: c.at(coldEpoch) != 0, Version: x.str(c.at(coldStrings)), Release: x.str(c.at(coldStrings + 1))}}
}

// PkgID returns the digits of the checksum of package i.
func (x *Index) PkgID(i int) string {
	c := x.cold.row(i, coldWords)
	return x.text[c.at(coldTexts):][:c.at(coldTexts+1)]
}

// Summary returns the summary of package i.
func (x *Index) Summary(i int) string {
	c := x.cold.row(i, coldWords)
	return x.text[c.at(coldTexts+2*rawSummary):][:c.at(coldTexts+2*rawSummary+1)]
}

// Deps returns one more than the highest number of a dependency.
func (x *Index) Deps() int { return x.deps.len() / depWords }

// Dep returns a dependency by its number; Pre is not set.
func (x *Index) Dep(id int) Dep {
	d := x.deps.row(id, depWords)
	return Dep{Name: x.str(d.at(depName)), EVR: x.str(d.at(depEVR)), Op: evr.Op(d.at(depOp))}
}

// DepEntry returns a dependency by its number, with name and version by the numbers
// of the strings.
func (x *Index) DepEntry(id int) (name, version int, op evr.Op) {
	d := x.deps.row(id, depWords)
	return int(d.at(depName)), int(d.at(depEVR)), evr.Op(d.at(depOp))
}

// Has reports whether package i has dependencies of a kind.
func (x *Index) Has(i int, k DepKind) bool {
	h := x.hot.row(i, hotWords)
	return h.at(hotDeps+int(k)) < h.at(hotDeps+int(k)+1)
}

// HasFiles reports whether primary.xml names files of package i.
func (x *Index) HasFiles(i int) bool {
	h := x.hot.row(i, hotWords)
	return h.at(hotFiles) < h.at(hotFilesEnd)
}

// List returns the numbers of the dependencies of package i, and whether they are
// needed by scriptlets.
func (x *Index) List(i int, k DepKind) iter.Seq2[int, bool] {
	h := x.hot.row(i, hotWords)
	from, to := h.at(hotDeps+int(k)), h.at(hotDeps+int(k)+1)
	return func(yield func(int, bool) bool) {
		for ; from < to; from++ {
			if n := x.entries.at(int(from)); !yield(int(n>>1), n&1 != 0) {
				return
			}
		}
	}
}

// Provided returns the names of what package i provides.
func (x *Index) Provided(i int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for id := range x.List(i, Provides) {
			if !yield(x.Dep(id).Name) {
				return
			}
		}
	}
}

// Files returns the files of package i that primary.xml names, by the numbers of
// their paths.
func (x *Index) Files(i int) iter.Seq2[int, FileType] {
	h := x.hot.row(i, hotWords)
	from, to := h.at(hotFiles), h.at(hotFilesEnd)
	return func(yield func(int, FileType) bool) {
		for ; from < to; from++ {
			if n := x.files_.at(int(from)); !yield(int(n>>2), FileType(n&3)) {
				return
			}
		}
	}
}

// Package returns all of package i. Its strings do not point into the index.
func (x *Index) Package(i int) *Package {
	h, c := x.hot.row(i, hotWords), x.cold.row(i, coldWords)
	// Counted first, so that all strings are parts of one.
	size := 0
	x.fill(h, c, nil, func(s string) string { size += len(s); return "" })
	var b strings.Builder
	b.Grow(size)
	p := &Package{}
	x.fill(h, c, p, func(s string) string {
		n := b.Len()
		b.WriteString(s)
		return b.String()[n:]
	})
	return p
}

// fill sets the fields of p, unless it is nil, with strings that keep returns.
func (x *Index) fill(h, c wordsView, p *Package, keep func(string) string) {
	var strs [rawStrings]string
	for j, w := range []int{hotName, hotArch, hotVendor} {
		strs[j] = keep(x.str(h.at(w)))
	}
	for j := range rawStrings - rawVersion {
		strs[rawVersion+j] = keep(x.str(c.at(coldStrings + j)))
	}
	var texts [rawTexts]string
	for j := range texts {
		texts[j] = keep(x.text[c.at(coldTexts+2*j):][:c.at(coldTexts+2*j+1)])
	}
	if p != nil {
		numbers := [rawNumbers]int64{rawBuildTime: h.at64(hotBuildTime)}
		for j := range rawNumbers - rawFileTime {
			numbers[rawFileTime+j] = c.at64(coldNumbers + 2*j)
		}
		p.set(c.at(coldEpoch), &strs, &texts, &numbers)
	}
	x.fillLists(h, p, keep)
}

func (x *Index) fillLists(h wordsView, p *Package, keep func(string) string) {
	for k := range DepKinds {
		from, to := h.at(hotDeps+int(k)), h.at(hotDeps+int(k)+1)
		var list []Dep
		if p != nil && to > from {
			list = make([]Dep, 0, to-from)
			*p.Deps(k) = list[:to-from]
		}
		for ; from < to; from++ {
			n := x.entries.at(int(from))
			d := x.Dep(int(n >> 1))
			d.Name, d.EVR, d.Pre = keep(d.Name), keep(d.EVR), n&1 != 0
			if p != nil {
				list = append(list, d)
			}
		}
	}
	for from := h.at(hotFiles); from < h.at(hotFilesEnd); from++ {
		n := x.files_.at(int(from))
		f := File{keep(x.str(n >> 2)), FileType(n & 3)}
		if p != nil {
			p.Files = append(p.Files, f)
		}
	}
}
