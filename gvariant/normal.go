package gvariant

import "bytes"

// IsNormal reports whether the bytes of v are the one canonical form of its
// value. Values built by this package are normal, values from outside may be anything.
func (v Value) IsNormal() bool {
	if v.info == nil || int(v.depth) >= MaxDepth {
		return false
	}
	if v.info.size > 0 && len(v.data) != v.info.size {
		return false
	}
	switch v.info.kind {
	case 'b':
		return v.data[0] <= 1
	case 's', 'o', 'g':
		_, ok := v.text()
		return ok
	case 'v':
		return v.normalVariant()
	case 'm':
		return v.normalMaybe()
	case 'a':
		return v.normalArray()
	case '(', '{':
		if v.info == &infoUnit {
			return v.data[0] == 0
		}
		return v.normalTuple()
	}
	return true
}

func (v Value) normalVariant() bool {
	i := bytes.LastIndexByte(v.data, 0)
	if i < 0 {
		return false
	}
	t, err := compile(string(v.data[i+1:]))
	return err == nil && int(v.depth)+t.depth < MaxDepth && v.child(t, v.data[:i]).IsNormal()
}

func (v Value) normalMaybe() bool {
	if len(v.data) == 0 {
		return true
	}
	if v.info.elem.size == 0 && v.data[len(v.data)-1] != 0 {
		return false
	}
	return v.Len() == 1 && v.Index(0).IsNormal()
}

func (v Value) normalArray() bool {
	elem := v.info.elem
	if elem.size > 0 {
		if len(v.data)%elem.size != 0 {
			return false
		}
		if elem.kind != 'b' && elem.members == nil && elem != &infoUnit {
			return true
		}
		for i := 0; i < len(v.data); i += elem.size {
			if !v.child(elem, v.data[i:i+elem.size]).IsNormal() {
				return false
			}
		}
		return true
	}
	if len(v.data) == 0 {
		return true
	}
	n, table := v.arrayFrame()
	if n == 0 {
		return false
	}
	width := offsetSize(len(v.data))
	at := 0
	for i := range n {
		end := v.offset(table+i*width, width)
		if end < at || end > table || !zeroes(v.data, at, alignUp(at, elem.align), end) {
			return false
		}
		if !v.child(elem, v.data[alignUp(at, elem.align):end]).IsNormal() {
			return false
		}
		at = end
	}
	return at == table
}

// zeroes reports whether data[from:to] is zero and ends at or before limit.
func zeroes(data []byte, from, to, limit int) bool {
	if to > limit {
		return false
	}
	for _, b := range data[from:to] {
		if b != 0 {
			return false
		}
	}
	return true
}

func (v Value) normalTuple() bool {
	width := offsetSize(len(v.data))
	table := len(v.data) - width*v.info.offsets
	if table < 0 {
		return false
	}
	at, offset := 0, len(v.data)
	for _, m := range v.info.members {
		start := alignUp(at, m.align)
		if start > table || !zeroes(v.data, at, start, table) {
			return false
		}
		end := table
		switch m.ending {
		case endFixed:
			end = start + m.size
		case endOffset:
			offset -= width
			end = v.offset(offset, width)
		}
		if end < start || end > table || !v.child(m.info, v.data[start:end]).IsNormal() {
			return false
		}
		at = end
	}
	if v.info.size > 0 {
		return zeroes(v.data, at, len(v.data), len(v.data))
	}
	return at == table && containerSize(at, v.info.offsets) == len(v.data)
}
