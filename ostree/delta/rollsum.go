package delta

import (
	"hash/crc32"
	"io"
	"slices"
)

// A stretch is bytes of a file that another has too: n of them, at off in the
// other.
type stretch struct{ at, off, n int }

// Chunks end where the rolling checksum has its lowest bits set, as in bup: 8 KiB
// on average, wherever they stand in the file.
const (
	rollWindow = 64
	rollOffset = 31
	chunkBits  = 13
	chunkMask  = 1<<chunkBits - 1
	maxChunk   = 1 << 17
)

// eachChunk calls fn with each chunk of b.
func eachChunk(b []byte, fn func(at, n int)) {
	var s1, s2 uint32
	reset := func() {
		s1 = rollWindow * rollOffset
		s2 = rollWindow * (rollWindow - 1) * rollOffset
	}
	reset()
	start := 0
	for i, c := range b {
		var drop byte
		if i-start >= rollWindow {
			drop = b[i-rollWindow]
		}
		s1 += uint32(c) - uint32(drop)
		s2 += s1 - rollWindow*(uint32(drop)+rollOffset)
		if s2&chunkMask == chunkMask || i-start == maxChunk-1 {
			fn(start, i+1-start)
			start = i + 1
			reset()
		}
	}
	if start < len(b) {
		fn(start, len(b)-start)
	}
}

// stretches finds what of to is in from, in the order of to. Each stretch is
// made as long as it can be.
func stretches(from, to *content) (list []stretch, same int) {
	type key struct {
		crc uint32
		n   int
	}
	chunks := map[key]int{}
	eachChunk(from.data, func(at, n int) {
		k := key{crc32.ChecksumIEEE(from.data[at : at+n]), n}
		if _, ok := chunks[k]; !ok {
			chunks[k] = at
		}
		from.pass(n)
	})
	done := 0 // of to
	eachChunk(to.data, func(at, n int) {
		to.pass(n)
		if at+n <= done {
			return
		}
		off, ok := chunks[key{crc32.ChecksumIEEE(to.data[at : at+n]), n}]
		if !ok || string(from.data[off:off+n]) != string(to.data[at:at+n]) {
			return
		}
		for at > done && off > 0 && to.data[at-1] == from.data[off-1] {
			at, off, n = at-1, off-1, n+1
		}
		if at < done {
			at, off, n = done, off+done-at, n-(done-at)
		}
		n += commonContent(from, to, off+n, at+n)
		list = append(list, stretch{at, off, n})
		same += n
		done = at + n
	})
	return slices.Clip(list), same
}

// commonContent returns for how many bytes two contents are the same from two positions on.
func commonContent(a, b *content, i, j int) int {
	for n := 0; ; {
		x, y := a.data[i+n:], b.data[j+n:]
		x, y = x[:min(len(x), keepMapped)], y[:min(len(y), keepMapped)]
		k := common(x, y)
		a.pass(k)
		b.pass(k)
		if n += k; k < keepMapped {
			return n
		}
	}
}

// writeFresh writes what of to is in none of the stretches.
func writeFresh(w io.Writer, to *content, list []stretch) error {
	at := 0
	for _, s := range append(slices.Clone(list), stretch{at: len(to.data)}) {
		if _, err := io.Copy(w, io.NewSectionReader(&pages{to, to.data}, int64(at), int64(s.at-at))); err != nil {
			return err
		}
		at = s.at + s.n
	}
	return nil
}
