package gvariant

import (
	"encoding/binary"
	"math"
	"slices"
)

// Values are built with little-endian integers, and a container's children are
// converted to that order. WithByteOrder makes a big-endian value of a built one.

func fixedValue(i *info, x uint64) Value {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], x)
	return Value{info: i, data: slices.Clone(b[:i.size])}
}

// Bool returns a "b".
func Bool(x bool) Value {
	if x {
		return fixedValue(&infoBool, 1)
	}
	return fixedValue(&infoBool, 0)
}

// Byte returns a "y".
func Byte(x byte) Value { return fixedValue(&infoByte, uint64(x)) }

// Int16 returns an "n".
func Int16(x int16) Value { return fixedValue(&infoInt16, uint64(x)) }

// Uint16 returns a "q".
func Uint16(x uint16) Value { return fixedValue(&infoUint16, uint64(x)) }

// Int32 returns an "i".
func Int32(x int32) Value { return fixedValue(&infoInt32, uint64(x)) }

// Uint32 returns a "u".
func Uint32(x uint32) Value { return fixedValue(&infoUint32, uint64(x)) }

// Handle returns an "h".
func Handle(x int32) Value { return fixedValue(&infoHandle, uint64(x)) }

// Int64 returns an "x".
func Int64(x int64) Value { return fixedValue(&infoInt64, uint64(x)) }

// Uint64 returns a "t".
func Uint64(x uint64) Value { return fixedValue(&infoUint64, x) }

// Float64 returns a "d".
func Float64(x float64) Value { return fixedValue(&infoFloat64, math.Float64bits(x)) }

// String returns an "s". Text that is not valid UTF-8 or holds a NUL makes a value
// that is not in normal form.
func String(x string) Value { return stringValue(&infoString, x) }

// ObjectPath returns an "o".
func ObjectPath(x string) Value { return stringValue(&infoObjectPath, x) }

// Signature returns a "g".
func Signature(x string) Value { return stringValue(&infoSignature, x) }

func stringValue(i *info, x string) Value {
	b := make([]byte, len(x)+1)
	copy(b, x)
	return Value{info: i, data: b}
}

// Bytes returns an "ay" with the content b, which must not be changed afterwards.
func Bytes(b []byte) Value { return Value{info: &infoBytes, data: b} }

// Bytestring returns an "ay" of the bytes of s and a NUL.
func Bytestring(s string) Value { return Bytes(append([]byte(s), 0)) }

// Strings returns an "as".
func Strings(list []string) Value {
	children := make([]Value, len(list))
	for i, s := range list {
		children[i] = String(s)
	}
	return Array("s", children...)
}

// Variant returns a "v" which holds x.
func Variant(x Value) Value {
	if x.info == nil {
		x = Tuple()
	}
	x = x.WithByteOrder(binary.LittleEndian)
	b := make([]byte, 0, len(x.data)+1+len(x.info.typ))
	b = append(append(append(b, x.data...), 0), x.info.typ...)
	return Value{info: &infoVariant, data: b}
}

// Just returns a maybe which holds x.
func Just(x Value) Value {
	t := "m" + x.Type()
	x = x.WithByteOrder(binary.LittleEndian)
	b := slices.Clone(x.data)
	if x.info != nil && x.info.size == 0 {
		b = append(b, 0)
	}
	return New(t, b, binary.LittleEndian)
}

// Nothing returns an empty maybe of values of type t.
func Nothing(t Type) Value { return New("m"+t, nil, binary.LittleEndian) }

// Tuple returns a tuple of the given members.
func Tuple(members ...Value) Value {
	if len(members) == 0 {
		return Value{info: &infoUnit, data: []byte{0}}
	}
	n := 2
	for _, m := range members {
		n += len(m.Type())
	}
	typ := append(make([]byte, 0, n), '(')
	for _, m := range members {
		typ = append(typ, m.Type()...)
	}
	return assemble(Type(append(typ, ')')), members)
}

// DictEntry returns a dictionary entry; key must be of a basic type.
func DictEntry(key, value Value) Value {
	return assemble("{"+key.Type()+value.Type()+"}", []Value{key, value})
}

// Array returns an array of elements of type elem. The zero Value is returned if elem
// is not a type or an element has another one.
func Array(elem Type, elements ...Value) Value {
	for _, e := range elements {
		if e.Type() != elem {
			return Value{}
		}
	}
	return assemble("a"+elem, elements)
}

// assemble lays out the children of a container of type t.
func assemble(t Type, children []Value) Value {
	i, err := compile(string(t))
	if err != nil {
		return Value{}
	}
	f := newFrame(i, len(children), func(n int) (*info, int) { return children[n].info, len(children[n].data) })
	data := make([]byte, f.size, f.size+len(f.tail))
	for n, c := range children {
		if c.info.size == 0 || len(c.data) == c.info.size { // else it is zeros
			copy(data[f.at[n]:], c.WithByteOrder(binary.LittleEndian).data)
		}
	}
	return Value{info: i, data: append(data, f.tail...)}
}

// A frame is where the children of a container lie.
type frame struct {
	at   []int  // where they begin
	size int    // of all, with what is between them
	tail []byte // framing offsets, which come last
}

// newFrame lays out n children of a container; child tells their types and sizes.
func newFrame(i *info, n int, child func(int) (*info, int)) frame {
	f := frame{at: make([]int, n)}
	var offsets []int
	for k := range f.at {
		c, size := child(k)
		f.at[k] = alignUp(f.size, c.align)
		if c.size > 0 {
			size = c.size
		}
		f.size = f.at[k] + size
		if c.size == 0 && (i.kind == 'a' || k < n-1) {
			offsets = append(offsets, f.size)
		}
	}
	if i.size > 0 {
		f.size = i.size
	}
	if i.kind != 'a' {
		slices.Reverse(offsets)
	}
	if len(offsets) == 0 {
		return f
	}
	width := offsetSize(containerSize(f.size, len(offsets)))
	for _, o := range offsets {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(o))
		f.tail = append(f.tail, b[:width]...)
	}
	return f
}

// WithByteOrder returns the same value with its integers in another byte order.
func (v Value) WithByteOrder(order binary.ByteOrder) Value {
	big := order == binary.BigEndian
	if v.info == nil || v.big == big {
		return v
	}
	out := Value{info: v.info, data: v.data, big: big, depth: v.depth}
	if v.swaps() {
		out.data = slices.Clone(v.data)
		swap(v, out.data)
	}
	return out
}

// swaps reports whether the bytes of v depend on the byte order at all.
func (v Value) swaps() bool {
	switch v.info.kind {
	case 'b', 'y', 's', 'o', 'g':
		return false
	case 'a', 'm':
		return v.info.elem != &infoByte && v.info.elem != &infoString
	}
	return true
}

// swap reverses the integers of v in buf, which holds a copy of v's bytes.
func swap(v Value, buf []byte) {
	if v.info == nil || !v.swaps() || int(v.depth) > MaxDepth {
		return
	}
	switch v.info.kind {
	case 'a', '(', '{', 'm', 'v':
		for _, c := range v.All() {
			if at, ok := inside(v.data, c.data); ok {
				swap(c, buf[at:at+len(c.data)])
			}
		}
	default:
		if len(buf) == v.info.size {
			slices.Reverse(buf)
		}
	}
}

// inside returns the offset of child, a slice of data, in data.
func inside(data, child []byte) (int, bool) {
	if len(child) == 0 || cap(child) > cap(data) {
		return 0, false
	}
	at := cap(data) - cap(child)
	return at, at+len(child) <= len(data) && &data[at] == &child[0]
}

// Dict collects the entries of an "a{sv}" in order. The zero Dict is empty.
type Dict struct {
	entries []dictEntry
}

type dictEntry struct {
	key   string
	value Value
}

// NewDict returns the entries of an "a{sv}" for changing.
func NewDict(v Value) *Dict {
	d := new(Dict)
	if v.Type() != "a{sv}" {
		return d
	}
	for _, e := range v.All() {
		d.entries = append(d.entries, dictEntry{e.Index(0).Str(), e.Index(1).Unbox()})
	}
	return d
}

// Set gives key a value: in the place of the present one if there is one, else at the end.
func (d *Dict) Set(key string, value Value) {
	for i := range d.entries {
		if d.entries[i].key == key {
			d.entries[i].value = value
			return
		}
	}
	d.entries = append(d.entries, dictEntry{key, value})
}

// Add appends an entry even if the key is there already.
func (d *Dict) Add(key string, value Value) {
	d.entries = append(d.entries, dictEntry{key, value})
}

// Get returns the first value of key.
func (d *Dict) Get(key string) (Value, bool) {
	for _, e := range d.entries {
		if e.key == key {
			return e.value, true
		}
	}
	return Value{}, false
}

// Delete removes all entries of key and reports whether there was one.
func (d *Dict) Delete(key string) bool {
	n := len(d.entries)
	d.entries = slices.DeleteFunc(d.entries, func(e dictEntry) bool { return e.key == key })
	return len(d.entries) != n
}

// Len returns the number of entries.
func (d *Dict) Len() int { return len(d.entries) }

// Keys returns the keys in order.
func (d *Dict) Keys() []string {
	keys := make([]string, len(d.entries))
	for i, e := range d.entries {
		keys[i] = e.key
	}
	return keys
}

// Sort orders the entries by key.
func (d *Dict) Sort() {
	slices.SortStableFunc(d.entries, func(a, b dictEntry) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	})
}

// Value returns the "a{sv}".
func (d *Dict) Value() Value {
	entries := make([]Value, len(d.entries))
	for i, e := range d.entries {
		entries[i] = DictEntry(String(e.key), Variant(e.value))
	}
	return Array("{sv}", entries...)
}
