package gvariant

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math"
	"strings"
	"unicode/utf8"
)

// Value is a GVariant value: a type, its wire form and the byte order of its
// integers. The zero Value has no type and reads as nothing.
type Value struct {
	info  *info
	data  []byte
	big   bool
	depth uint8 // how many containers of the outermost value are around this one
}

// New wraps the wire form of a value of type t. The bytes are not copied, must
// not be changed afterwards, and need not be valid. If t is not a valid type the
// result is the zero Value.
func New(t Type, data []byte, order binary.ByteOrder) Value {
	i, err := compile(string(t))
	if err != nil {
		return Value{}
	}
	return Value{info: i, data: data, big: order == binary.BigEndian}
}

// IsZero reports whether v is the zero Value, which has no type.
func (v Value) IsZero() bool { return v.info == nil }

// Type returns the type of v, "" for the zero Value.
func (v Value) Type() Type {
	if v.info == nil {
		return ""
	}
	return v.info.typ
}

// Bytes returns the wire form of v, which must not be changed.
func (v Value) Bytes() []byte { return v.data }

// ByteOrder returns the byte order of the integers in v.
func (v Value) ByteOrder() binary.ByteOrder {
	if v.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// Reinterpret returns the same bytes read with another byte order.
func (v Value) Reinterpret(order binary.ByteOrder) Value {
	v.big = order == binary.BigEndian
	return v
}

func (v Value) kind() byte {
	if v.info == nil {
		return 0
	}
	return v.info.kind
}

// fixed returns the n bytes of an integer, as a number.
func (v Value) fixed(n int) uint64 {
	if len(v.data) != n {
		return 0
	}
	var x uint64
	for i, b := range v.data {
		if v.big {
			x = x<<8 | uint64(b)
		} else {
			x |= uint64(b) << (8 * i)
		}
	}
	return x
}

func (v Value) number(kind byte, n int) uint64 {
	if v.kind() != kind {
		return 0
	}
	return v.fixed(n)
}

// Bool returns the value of a "b".
func (v Value) Bool() bool { return v.number('b', 1) == 1 }

// Byte returns the value of a "y".
func (v Value) Byte() byte { return byte(v.number('y', 1)) }

// Int16 returns the value of an "n".
func (v Value) Int16() int16 { return int16(v.number('n', 2)) }

// Uint16 returns the value of a "q".
func (v Value) Uint16() uint16 { return uint16(v.number('q', 2)) }

// Int32 returns the value of an "i".
func (v Value) Int32() int32 { return int32(v.number('i', 4)) }

// Uint32 returns the value of a "u".
func (v Value) Uint32() uint32 { return uint32(v.number('u', 4)) }

// Handle returns the value of an "h".
func (v Value) Handle() int32 { return int32(v.number('h', 4)) }

// Int64 returns the value of an "x".
func (v Value) Int64() int64 { return int64(v.number('x', 8)) }

// Uint64 returns the value of a "t".
func (v Value) Uint64() uint64 { return v.number('t', 8) }

// Float64 returns the value of a "d".
func (v Value) Float64() float64 { return math.Float64frombits(v.number('d', 8)) }

// Str returns the text of an "s", "o" or "g". An invalid one reads as "" ("/" for "o").
func (v Value) Str() string {
	switch v.kind() {
	case 's', 'o', 'g':
		if text, ok := v.text(); ok {
			return text
		}
		if v.kind() == 'o' {
			return "/"
		}
	}
	return ""
}

// text returns the characters of a string-like value and whether it is valid.
func (v Value) text() (string, bool) {
	n := len(v.data) - 1
	if n < 0 || bytes.IndexByte(v.data, 0) != n || !utf8.Valid(v.data[:n]) {
		return "", false
	}
	text := string(v.data[:n])
	switch v.kind() {
	case 'o':
		return text, validObjectPath(text)
	case 'g':
		return text, validSignature(text)
	}
	return text, true
}

// ByteArray returns the content of an "ay", which must not be changed.
func (v Value) ByteArray() []byte {
	if v.info != &infoBytes {
		return nil
	}
	return v.data
}

// Bytestring returns the content of an "ay" which ends with a NUL byte, without it,
// or "" if there is no NUL.
func (v Value) Bytestring() string {
	if i := bytes.IndexByte(v.ByteArray(), 0); i >= 0 {
		return string(v.data[:i])
	}
	return ""
}

// Len returns the number of children: elements of an array, members of a tuple
// or dictionary entry, 0 or 1 for a maybe, 1 for a variant.
func (v Value) Len() int {
	switch v.kind() {
	case 'a':
		if size := v.info.elem.size; size > 0 {
			if len(v.data)%size != 0 {
				return 0
			}
			return len(v.data) / size
		}
		n, _ := v.arrayFrame()
		return n
	case '(', '{':
		return len(v.info.members)
	case 'm':
		size := v.info.elem.size
		if size > 0 && len(v.data) != size || len(v.data) == 0 {
			return 0
		}
		return 1
	case 'v':
		return 1
	}
	return 0
}

// Index returns child i, counted from 0; the zero Value if there is none.
func (v Value) Index(i int) Value {
	if i < 0 || i >= v.Len() {
		return Value{}
	}
	switch v.info.kind {
	case 'a':
		return v.element(i)
	case '(', '{':
		return v.member(i)
	case 'm':
		if v.info.elem.size > 0 {
			return v.child(v.info.elem, v.data)
		}
		return v.child(v.info.elem, v.data[:len(v.data)-1])
	}
	return v.Unbox()
}

func (v Value) child(i *info, data []byte) Value {
	return Value{info: i, data: data, big: v.big, depth: v.depth + 1}
}

// offsetSize returns the width of the framing offsets in a container of n bytes.
func offsetSize(n int) int {
	switch {
	case uint64(n) > math.MaxUint32:
		return 8
	case n > math.MaxUint16:
		return 4
	case n > math.MaxUint8:
		return 2
	case n > 0:
		return 1
	}
	return 0
}

// offset reads the framing offset at data[at:at+width]; -1 if it is larger than the data.
func (v Value) offset(at, width int) int {
	var x uint64
	for i := width - 1; i >= 0; i-- {
		x = x<<8 | uint64(v.data[at+i])
	}
	if x > uint64(len(v.data)) {
		return -1
	}
	return int(x)
}

// arrayFrame returns the number of elements of an array of variable-sized elements,
// and where its framing offsets start.
func (v Value) arrayFrame() (n, table int) {
	width := offsetSize(len(v.data))
	if width == 0 {
		return 0, 0
	}
	table = v.offset(len(v.data)-width, width)
	if table < 0 || (len(v.data)-table)%width != 0 {
		return 0, 0
	}
	n = (len(v.data) - table) / width
	if containerSize(table, n) != len(v.data) {
		return 0, 0
	}
	return n, table
}

// containerSize returns the size of a container with a body of n bytes and some framing offsets.
func containerSize(n, offsets int) int {
	for _, width := range []int{1, 2, 4} {
		if total := n + width*offsets; offsetSize(total) <= width {
			return total
		}
	}
	return n + 8*offsets
}

func (v Value) element(i int) Value {
	elem := v.info.elem
	if elem.size > 0 {
		return v.child(elem, v.data[i*elem.size:(i+1)*elem.size])
	}
	_, table := v.arrayFrame()
	width := offsetSize(len(v.data))
	start := 0
	if i > 0 {
		start = v.offset(table+(i-1)*width, width)
	}
	end := v.offset(table+i*width, width)
	if start < 0 || end > table {
		return v.child(elem, nil)
	}
	if start = alignUp(start, elem.align); start >= end {
		return v.child(elem, nil)
	}
	return v.child(elem, v.data[start:end])
}

// member returns the member i, or a default value if it or one before it is out of
// order: members must not overlap, or nesting would multiply the work of a reader.
func (v Value) member(i int) Value {
	m := v.info.members[i]
	if v.info.size > 0 && len(v.data) != v.info.size {
		return v.child(m.info, nil)
	}
	width := offsetSize(len(v.data))
	table := len(v.data) - width*v.info.offsets
	if table < 0 {
		return v.child(m.info, nil)
	}
	start, end, offset := 0, 0, len(v.data)
	for _, m := range v.info.members[:i+1] {
		start = alignUp(end, m.align)
		switch m.ending {
		case endFixed:
			end = start + m.size
		case endOffset:
			offset -= width
			end = v.offset(offset, width)
		case endLast:
			end = table
		}
		if start > end || end > table {
			return v.child(m.info, nil)
		}
	}
	return v.child(m.info, v.data[start:end])
}

// Unbox returns what is inside a variant; a variant without valid content holds "()".
// The value of a maybe is returned too, the zero Value if it is nothing.
func (v Value) Unbox() Value {
	switch v.kind() {
	case 'm':
		return v.Index(0)
	case 'v':
		if i := bytes.LastIndexByte(v.data, 0); i >= 0 {
			t, err := compile(string(v.data[i+1:]))
			if err == nil && int(v.depth)+t.depth < MaxDepth {
				return v.child(t, v.data[:i])
			}
		}
		return v.child(&infoUnit, []byte{0})
	}
	return Value{}
}

// All yields the children of v. Where framing offsets of an array are out of
// order, the rest of the elements are default values: they never overlap.
func (v Value) All() iter.Seq2[int, Value] {
	if v.kind() == 'a' && v.info.elem.size == 0 {
		return v.elements
	}
	return func(yield func(int, Value) bool) {
		for i := range v.Len() {
			if !yield(i, v.Index(i)) {
				return
			}
		}
	}
}

// elements yields the elements of an array of variable-sized elements.
func (v Value) elements(yield func(int, Value) bool) {
	n, table := v.arrayFrame()
	width := offsetSize(len(v.data))
	align := v.info.elem.align
	at := 0
	for i := range n {
		var data []byte
		end := v.offset(table+i*width, width)
		if at >= 0 && end >= at && end <= table {
			data = v.data[min(alignUp(at, align), end):end]
			at = end
		} else {
			at = -1
		}
		if !yield(i, v.child(v.info.elem, data)) {
			return
		}
	}
}

// Lookup returns the value that a dictionary with string keys has for key, the
// first one if there are several. A variant is unboxed.
func (v Value) Lookup(key string) (Value, bool) {
	if v.kind() != 'a' || v.info.elem.kind != '{' {
		return Value{}, false
	}
	for _, e := range v.All() {
		if k := e.Index(0); k.kind() == 's' && k.Str() == key {
			x := e.Index(1)
			if x.kind() == 'v' {
				x = x.Unbox()
			}
			return x, true
		}
	}
	return Value{}, false
}

// StrArray returns the elements of an "as", "ao" or "ag".
func (v Value) StrArray() []string {
	if v.kind() != 'a' {
		return nil
	}
	var list []string
	for _, e := range v.All() {
		list = append(list, e.Str())
	}
	return list
}

// Equal reports whether a and b have the same type and bytes, with integers in the same byte order.
func Equal(a, b Value) bool {
	return a.Type() == b.Type() && a.big == b.big && bytes.Equal(a.data, b.data)
}

func validObjectPath(s string) bool {
	if s == "/" {
		return true
	}
	if s == "" || s[0] != '/' || s[len(s)-1] == '/' {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '/':
			if s[i-1] == '/' {
				return false
			}
		case c == '_', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		default:
			return false
		}
	}
	return true
}

// validSignature accepts any number of complete definite types that D-Bus knows: no maybes.
func validSignature(s string) bool {
	if len(s) > MaxTypeLength || strings.IndexByte(s, 'm') >= 0 {
		return false
	}
	for s != "" {
		i, rest := compilePrefix(s, MaxDepth)
		if i == nil {
			return false
		}
		s = rest
	}
	return true
}
