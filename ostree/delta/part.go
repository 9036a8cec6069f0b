package delta

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"rpmostree/gvariant"
	"rpmostree/internal/compress"
	"rpmostree/internal/unxz"
	"rpmostree/ostree"
)

const (
	partType    = gvariant.Type("(yay)")                // compression, payload
	payloadType = gvariant.Type("(a(uuu)aa(ayay)ayay)") // modes, xattr sets, blob, program
	modesType   = gvariant.Type("a(uuu)")               // owner, group, mode; big endian
	xattrsType  = gvariant.Type("aa(ayay)")
)

// How the payload of a part is compressed.
const (
	partStored = 0
	partXZ     = 'x'
)

// Limits of what is read of a part, in bytes.
const (
	// MaxXZMemory bounds the dictionary of a compressed part. Those of libostree have
	// the preset 8, which is 32 MiB.
	MaxXZMemory = 64 << 20
	maxTables   = 64 << 20 // modes and extended attributes
	maxProgram  = 64 << 20
	maxTarget   = 1 << 16 // of a symbolic link
	// A part may read so much of files, and sourcedRatio times what it makes. A source is
	// about as large as what is made of it, but a program can name one source after another.
	maxSourced   = 256 << 20
	sourcedRatio = 16
)

// maxEntries is how many modes, sets of extended attributes, and attributes in all sets a part may
// have. Each takes more memory than it has bytes in the part.
const maxEntries = 1 << 20

// A mode is the owner and mode of files.
type mode struct{ uid, gid, mode uint32 }

// A Part is what a part says. Its blob, which may be as large as the largest file, is in
// memory only if it is small.
type Part struct {
	modes   []mode
	xattrs  [][]ostree.Xattr
	blob    *io.SectionReader
	program []byte
	payload *spill // nil if that is not compressed
	usize   int64  // of the objects, as the superblock says
	sourced atomic.Int64
}

// Close releases what holds the blob.
func (p *Part) Close() error {
	if p.payload == nil {
		return nil
	}
	return p.payload.Close()
}

// An Unpacker reads parts, one at a time: decompression takes as much memory as the
// dictionary has, and the next part has the same. The zero value is ready; it is safe for
// concurrent use.
type Unpacker struct {
	// Dir is where payloads are put that are not small. "" is the system's directory for
	// temporary files.
	Dir string

	mu sync.Mutex
	xz *unxz.Reader
	// Outside of the heap, which else would grow to twice the size of the dictionary
	// before garbage is collected.
	window []byte
}

// Close releases the memory.
func (u *Unpacker) Close() error {
	if u.window == nil {
		return nil
	}
	w := u.window
	u.xz, u.window = nil, nil
	return unix.Munmap(w)
}

// Unpack reads the file of a part. usize is how large its objects are, as the superblock
// says; a payload that is larger by more than what a payload has besides is refused. The
// file is needed until the Part is closed.
func (u *Unpacker) Unpack(file *io.SectionReader, usize uint64) (*Part, error) {
	var kind [1]byte
	if n, err := file.ReadAt(kind[:], 0); n == 0 && err == io.EOF {
		return nil, errors.New("Corrupted 0 length delta part")
	} else if n == 0 {
		return nil, err
	}
	payload := io.NewSectionReader(file, 1, file.Size()-1)
	switch kind[0] {
	case partStored:
		return parsePayload(payload, usize)
	case partXZ:
		if usize > MaxPartSize {
			return nil, fmt.Errorf("static delta part of %d bytes is larger than %d", usize, MaxPartSize)
		}
		out, err := u.decompress(payload, int64(usize)+maxTables)
		if err != nil {
			return nil, fmt.Errorf("static delta part: %w", err)
		}
		p, err := parsePayload(io.NewSectionReader(out, 0, out.size), usize)
		if err != nil {
			return nil, errors.Join(err, out.Close())
		}
		p.payload = out
		return p, nil
	}
	return nil, fmt.Errorf("Invalid compression type '%d'", kind[0])
}

// decompress decompresses at most limit bytes.
func (u *Unpacker) decompress(packed io.Reader, limit int64) (*spill, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, err := u.open(packed)
	if err != nil {
		return nil, err
	}
	out := &spill{dir: u.Dir}
	if err := copyAside(out, compress.Limit(r, limit)); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// copyAside copies all of r, which takes one processor, while another one writes.
func copyAside(w io.Writer, r io.Reader) error {
	const size = 256 << 10
	var g errgroup.Group
	full, free, failed := make(chan []byte), make(chan []byte, 2), make(chan struct{})
	free <- make([]byte, size)
	free <- make([]byte, size)
	g.Go(func() error {
		for b := range full {
			if _, err := w.Write(b); err != nil {
				close(failed)
				return err
			}
			free <- b[:size]
		}
		return nil
	})
	g.Go(func() error {
		defer close(full)
		for {
			b, n := <-free, 0
			var err error
			for n < size && err == nil { // not io.ReadFull: what is cut off is not what ends
				var k int
				k, err = r.Read(b[n:])
				n += k
			}
			select {
			case full <- b[:n]:
			case <-failed:
				return nil
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	return g.Wait()
}

// open returns a reader of what an .xz file has.
func (u *Unpacker) open(packed io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(packed, 64<<10)
	head, err := in.Peek(unxz.PeekSize)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case !unxz.Supported(head):
		return compress.NewReader(in, compress.XZ, MaxXZMemory)
	case u.xz != nil:
		return u.xz, u.xz.Reset(in)
	}
	z, err := unxz.NewReader(in, MaxXZMemory)
	if err != nil {
		return nil, err
	}
	u.window, err = unix.Mmap(-1, 0, unxz.WindowSize(MaxXZMemory), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	_ = unix.Madvise(u.window, unix.MADV_HUGEPAGE) // advice: page faults would be a tenth of the time
	z.UseWindow(u.window)
	u.xz = z
	return z, nil
}

var errNotNormal = errors.New("static delta part is not in normal form")

// parsePayload reads a payload piece by piece: the members lie one after the other, and
// behind them, from the last on, the ends of all but the last one (GVariant, 2.5.3). The
// widths of these numbers follow from the size of all.
func parsePayload(r *io.SectionReader, usize uint64) (*Part, error) {
	size, width := r.Size(), int64(8)
	for w, max := range map[int64]int64{1: 1 << 8, 2: 1 << 16, 4: 1 << 32} {
		if size < max {
			width = min(width, w)
		}
	}
	const ends = 3
	table := size - ends*width
	if table < 0 {
		return nil, errNotNormal
	}
	read := func(from, to, limit int64) ([]byte, error) {
		if to-from > limit {
			return nil, fmt.Errorf("static delta part has %d bytes of what is at most %d", to-from, limit)
		}
		b := make([]byte, to-from)
		_, err := io.ReadFull(io.NewSectionReader(r, from, to-from), b)
		return b, err
	}
	b, err := read(table, size, ends*width)
	if err != nil {
		return nil, err
	}
	var end [ends]int64
	for i := range end {
		var x [8]byte
		copy(x[:], b[int64(ends-1-i)*width:][:width])
		end[i] = int64(binary.LittleEndian.Uint64(x[:]))
	}
	if all := []int64{0, end[0], end[1], end[2], table}; !slices.IsSorted(all) {
		return nil, errNotNormal
	}
	p := &Part{blob: io.NewSectionReader(r, end[1], end[2]-end[1]), usize: int64(min(usize, MaxPartSize))}
	if b, err = read(0, end[1], maxTables); err != nil {
		return nil, err
	}
	if err := p.parseTables(b[:end[0]], b[end[0]:]); err != nil {
		return nil, err
	}
	p.program, err = read(end[2], table, maxProgram)
	return p, err
}

func (p *Part) parseTables(modes, xattrs []byte) error {
	m, x := gvariant.New(modesType, modes, binary.LittleEndian), gvariant.New(xattrsType, xattrs, binary.LittleEndian)
	if !m.IsNormal() || !x.IsNormal() {
		return errNotNormal
	}
	if m.Len() > maxEntries {
		return tooMany("modes", m.Len())
	}
	if x.Len() > maxEntries {
		return tooMany("sets of extended attributes", x.Len())
	}
	for _, m := range m.All() {
		p.modes = append(p.modes, mode{
			bits.ReverseBytes32(m.Index(0).Uint32()), bits.ReverseBytes32(m.Index(1).Uint32()), bits.ReverseBytes32(m.Index(2).Uint32()),
		})
	}
	attributes := 0
	for _, set := range x.All() {
		if attributes += set.Len(); attributes > maxEntries {
			return tooMany("extended attributes", attributes)
		}
		var list []ostree.Xattr
		for _, x := range set.All() {
			list = append(list, ostree.Xattr{Name: x.Index(0).Bytestring(), Value: x.Index(1).ByteArray()})
		}
		p.xattrs = append(p.xattrs, list)
	}
	return nil
}

func tooMany(what string, n int) error {
	return fmt.Errorf("static delta part has %d %s, more than %d", n, what, maxEntries)
}
