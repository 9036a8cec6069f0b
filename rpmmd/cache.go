package rpmmd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"

	"rpmostree/rpm/evr"
)

// The compact form of primary.xml, for caches. It is read about ten times as fast
// as the XML, and only by the version of this package that wrote it:
//
//	magic    8 bytes, cacheMagic
//	key      uvarint length, bytes: what the cache was made from
//	strings  uvarint count, then a uvarint length for each, then all bytes
//	packages uvarint count, then for each what packageEncoder writes
//	checksum 4 bytes, little endian: CRC-32C of all before
//
// A string is written as its number in the table.
const cacheMagic = "RPMMDpc1"

// MaxCache is the size of a cache, in bytes.
const MaxCache = 2 << 30

// ErrCache says that a cache cannot be used: it is damaged, of another version,
// or made from something else. It has to be made anew.
var ErrCache = errors.New("unusable metadata cache")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A CacheWriter collects packages for a cache.
type CacheWriter struct {
	ids     map[string]uint64
	strings []string
	buf     []byte
	count   uint64
}

// NewCacheWriter returns an empty CacheWriter.
func NewCacheWriter() *CacheWriter { return &CacheWriter{ids: map[string]uint64{}} }

// Add appends a package. The writer keeps its strings, but not p.
func (w *CacheWriter) Add(p *Package) {
	w.count++
	for _, s := range p.cacheStrings() {
		w.string(*s)
	}
	w.number(uint64(p.EVR.Epoch))
	for _, n := range p.cacheNumbers() {
		w.number(uint64(*n))
	}
	for _, list := range p.cacheDeps() {
		w.number(uint64(len(*list)))
		for _, d := range *list {
			flags := uint64(d.Op&7) << 1
			if d.Pre {
				flags |= 1
			}
			w.number(flags)
			w.string(d.Name)
			w.string(d.EVR)
		}
	}
	w.number(uint64(len(p.Files)))
	for _, f := range p.Files {
		w.number(uint64(f.Type))
		w.string(f.Path)
	}
}

// cacheStrings, cacheNumbers and cacheDeps are the fields in the order of the cache.
func (p *Package) cacheStrings() []*string {
	return []*string{
		&p.Name, &p.Arch, &p.EVR.Version, &p.EVR.Release, &p.Checksum.Type, &p.Checksum.Hex, &p.Summary, &p.Description,
		&p.Packager, &p.URL, &p.Location, &p.Base, &p.License, &p.Vendor, &p.Group, &p.BuildHost, &p.SourceRPM,
	}
}

func (p *Package) cacheNumbers() []*int64 {
	return []*int64{&p.FileTime, &p.BuildTime, &p.Size, &p.InstalledSize, &p.ArchiveSize, &p.HeaderStart, &p.HeaderEnd}
}

func (p *Package) cacheDeps() []*[]Dep {
	return []*[]Dep{&p.Provides, &p.Requires, &p.Conflicts, &p.Obsoletes, &p.Suggests, &p.Enhances, &p.Recommends, &p.Supplements}
}

func (w *CacheWriter) number(n uint64) { w.buf = binary.AppendUvarint(w.buf, n) }

func (w *CacheWriter) string(s string) {
	id, ok := w.ids[s]
	if !ok {
		id = uint64(len(w.strings))
		w.ids[s] = id
		w.strings = append(w.strings, s)
	}
	w.number(id)
}

// Write writes the cache. The key names what it was made from, such as the
// checksum of primary.xml.
func (w *CacheWriter) Write(out io.Writer, key string) error {
	sum := crc32.New(castagnoli)
	b := bufio.NewWriterSize(io.MultiWriter(out, sum), 1<<20)
	var num []byte
	number := func(n int) {
		num = binary.AppendUvarint(num[:0], uint64(n))
		b.Write(num)
	}
	b.WriteString(cacheMagic)
	number(len(key))
	b.WriteString(key)
	number(len(w.strings))
	for _, s := range w.strings {
		number(len(s))
	}
	for _, s := range w.strings {
		b.WriteString(s)
	}
	number(int(w.count))
	b.Write(w.buf)
	if err := b.Flush(); err != nil { // the first error of all writes
		return err
	}
	_, err := out.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// ReadCache reads a cache that was made with the given key and calls fn for each
// package, which belongs to fn. An error of fn ends the read and is returned as it
// is; the others wrap ErrCache, and then fn was not called, unless the file was
// made to deceive.
func ReadCache(r io.Reader, key string, fn func(*Package) error) error {
	var text strings.Builder
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if st, err := f.Stat(); err == nil && st.Size() <= MaxCache {
			text.Grow(int(st.Size()))
		}
	}
	sum := crc32.New(castagnoli)
	n, err := io.Copy(io.MultiWriter(&text, sum), io.LimitReader(r, MaxCache+1))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCache, err)
	}
	// The CRC of data followed by its own CRC is a constant.
	if n < int64(len(cacheMagic))+4 || n > MaxCache || sum.Sum32() != crcResidue {
		return ErrCache
	}
	c := &cacheReader{in: text.String()[:n-4]}
	if !c.literal(cacheMagic) || c.bytes(c.number()) != key || c.bad {
		return ErrCache
	}
	c.table()
	count := c.number()
	for range count {
		p := c.pkg()
		if c.bad {
			return ErrCache
		}
		if err := fn(p); err != nil {
			return err
		}
	}
	if c.bad || c.in != "" {
		return ErrCache
	}
	return nil
}

// crcResidue is what CRC-32C gives for anything that ends with its CRC.
const crcResidue = 0x48674bc7

// A cacheReader decodes a cache. All strings are parts of one. After an error bad
// is set and everything is zero.
type cacheReader struct {
	in      string
	bad     bool
	strings []string
	deps    arena[Dep]
	files   arena[File]
	depBuf  []Dep
	fileBuf []File
}

func (c *cacheReader) fail() { c.bad, c.in = true, "" }

func (c *cacheReader) literal(s string) bool {
	ok := strings.HasPrefix(c.in, s)
	if ok {
		c.in = c.in[len(s):]
	}
	return ok
}

// number reads a uvarint.
func (c *cacheReader) number() uint64 {
	var n uint64
	for i := range min(len(c.in), binary.MaxVarintLen64) {
		b := c.in[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			c.in = c.in[i+1:]
			return n
		}
	}
	c.fail()
	return 0
}

// length reads a number of things that take at least one byte each.
func (c *cacheReader) length() int {
	n := c.number()
	if n > uint64(len(c.in)) {
		c.fail()
		return 0
	}
	return int(n)
}

func (c *cacheReader) bytes(n uint64) string {
	if n > uint64(len(c.in)) {
		c.fail()
		return ""
	}
	s := c.in[:n]
	c.in = c.in[n:]
	return s
}

// table reads the strings.
func (c *cacheReader) table() {
	lengths := make([]uint64, c.length())
	for i := range lengths {
		lengths[i] = c.number()
	}
	c.strings = make([]string, len(lengths))
	for i, n := range lengths {
		c.strings[i] = c.bytes(n)
	}
}

func (c *cacheReader) string() string {
	id := c.number()
	if id >= uint64(len(c.strings)) {
		c.fail()
		return ""
	}
	return c.strings[id]
}

func (c *cacheReader) pkg() *Package {
	p := &Package{}
	for _, s := range p.cacheStrings() {
		*s = c.string()
	}
	p.EVR.Epoch = uint32(c.number())
	p.EVR.HasEpoch = p.EVR.Epoch != 0
	for _, n := range p.cacheNumbers() {
		*n = int64(c.number())
	}
	for _, list := range p.cacheDeps() {
		c.depBuf = c.depBuf[:0]
		for range c.length() {
			flags := c.number()
			d := Dep{Op: evr.Op(flags>>1) & 7, Pre: flags&1 != 0}
			d.Name, d.EVR = c.string(), c.string()
			c.depBuf = append(c.depBuf, d)
		}
		*list = c.deps.take(c.depBuf)
	}
	c.fileBuf = c.fileBuf[:0]
	for range c.length() {
		typ := FileType(c.number())
		c.fileBuf = append(c.fileBuf, File{c.string(), typ})
	}
	p.Files = c.files.take(c.fileBuf)
	return p
}
