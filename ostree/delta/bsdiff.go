package delta

import "bytes"

// bsdiff returns a patch that makes to out of from: see bspatch.go. Stretches of
// to that nearly are in from become differences, which are mostly zeros and
// compress well; the rest is taken as it is.
func bsdiff(from, to []byte) []byte {
	d := differ{from: from, to: to, index: suffixArray(from)}
	return d.diff()
}

type differ struct {
	from, to []byte
	index    []int32
	patch    []byte

	scan         int // in to: all before was compared
	start, match int // where in to and from the stretch begins that is not yet written
}

// worthMore is how many bytes more an exact match must have than what going on
// with the current offset gives.
const worthMore = 8

func (d *differ) diff() []byte {
	length, pos, offset := 0, 0, 0
	for d.scan < len(d.to) {
		score := 0 // bytes of the exact match that the current offset has too
		d.scan += length
		for ahead := d.scan; d.scan < len(d.to); d.scan++ {
			pos, length = d.longest(d.to[d.scan:])
			for ; ahead < d.scan+length; ahead++ {
				if d.agrees(ahead, offset) {
					score++
				}
			}
			if length == score && length != 0 || length > score+worthMore {
				break
			}
			if d.agrees(d.scan, offset) {
				score--
			}
		}
		if length != score || d.scan >= len(d.to) {
			d.scan = min(d.scan, len(d.to))
			d.emit(pos)
			offset = pos - d.scan
		}
	}
	return d.patch
}

// agrees reports whether to has at i what from has at an offset from there.
func (d *differ) agrees(i, offset int) bool {
	j := i + offset
	return j >= 0 && j < len(d.from) && d.from[j] == d.to[i]
}

// emit writes the step that ends where to agrees with from at pos.
func (d *differ) emit(pos int) {
	forward := d.forward()
	backward := 0
	if d.scan < len(d.to) {
		backward = d.backward(pos)
	}
	if over := d.start + forward - (d.scan - backward); over > 0 {
		forward, backward = d.divide(pos, forward, backward, over)
	}
	extra := d.scan - backward - (d.start + forward)
	d.patch = appendBSInt(d.patch, int64(forward))
	d.patch = appendBSInt(d.patch, int64(extra))
	d.patch = appendBSInt(d.patch, int64(pos-backward-(d.match+forward)))
	for i := range forward {
		d.patch = append(d.patch, d.to[d.start+i]-d.from[d.match+i])
	}
	d.patch = append(d.patch, d.to[d.start+forward:d.start+forward+extra]...)
	d.start, d.match = d.scan-backward, pos-backward
}

// forward returns how far it pays to go on from the begin of the stretch: at
// least half of the bytes agree.
func (d *differ) forward() int {
	best, length, same := 0, 0, 0
	for i := 0; d.start+i < d.scan && d.match+i < len(d.from); {
		if d.from[d.match+i] == d.to[d.start+i] {
			same++
		}
		i++
		if s := 2*same - i; s > best {
			best, length = s, i
		}
	}
	return length
}

// backward returns how far it pays to go back from the next match.
func (d *differ) backward(pos int) int {
	best, length, same := 0, 0, 0
	for i := 1; d.scan >= d.start+i && pos >= i; i++ {
		if d.from[pos-i] == d.to[d.scan-i] {
			same++
		}
		if s := 2*same - i; s > best {
			best, length = s, i
		}
	}
	return length
}

// divide finds the best place to change from one offset to the other where both
// claim over bytes.
func (d *differ) divide(pos, forward, backward, over int) (int, int) {
	best, length, score := 0, 0, 0
	for i := range over {
		if d.to[d.start+forward-over+i] == d.from[d.match+forward-over+i] {
			score++
		}
		if d.to[d.scan-backward+i] == d.from[pos-backward+i] {
			score--
		}
		if score > best {
			best, length = score, i+1
		}
	}
	return forward + length - over, backward - length
}

// longest returns where from has the longest prefix of s, and how long that is.
func (d *differ) longest(s []byte) (pos, length int) {
	lo, hi := 0, len(d.index)-1
	if hi < 0 {
		return 0, 0
	}
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		suffix := d.from[d.index[mid]:]
		n := min(len(suffix), len(s))
		if bytes.Compare(suffix[:n], s[:n]) < 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	a, b := int(d.index[lo]), int(d.index[hi])
	na, nb := common(d.from[a:], s), common(d.from[b:], s)
	if na > nb {
		return a, na
	}
	return b, nb
}

// common returns the length of the common prefix.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 0
	for i+8 <= n && string(a[i:i+8]) == string(b[i:i+8]) {
		i += 8
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}
