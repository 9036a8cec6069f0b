package gvariant

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// A Stream is a value that is written without being in memory as a whole. Its integers are
// little endian.
type Stream struct {
	info  *info
	size  int
	parts []streamPart
}

// A streamPart is some bytes of a Stream.
type streamPart struct {
	from io.ReaderAt
	size int
}

// Stream returns the value as a Stream.
func (v Value) Stream() Stream {
	v = v.WithByteOrder(binary.LittleEndian)
	return Stream{info: v.info}.with(v.data)
}

// StreamOf returns a value of type t whose bytes are the first ones of r, which is read
// when the Stream is written. The zero Stream is returned if t is not a type.
func StreamOf(t Type, r io.ReaderAt, size int) Stream {
	i, err := compile(string(t))
	if err != nil {
		return Stream{}
	}
	return Stream{i, size, []streamPart{{r, size}}}
}

// StreamVariant returns a "v" which holds x.
func StreamVariant(x Stream) Stream {
	t := append([]byte{0}, x.info.typ...)
	return Stream{&infoVariant, x.size, x.parts}.with(t)
}

// StreamTuple returns a tuple of the given members.
func StreamTuple(members ...Stream) Stream {
	t := Type("(")
	for _, m := range members {
		t += m.Type()
	}
	return streamContainer(t+")", members)
}

// StreamDictEntry returns a dictionary entry.
func StreamDictEntry(key, value Stream) Stream {
	return streamContainer("{"+key.Type()+value.Type()+"}", []Stream{key, value})
}

// StreamArray returns an array of elements, all of type elem.
func StreamArray(elem Type, elements ...Stream) Stream { return streamContainer("a"+elem, elements) }

func streamContainer(t Type, children []Stream) Stream {
	i, err := compile(string(t))
	if err != nil {
		return Stream{}
	}
	f := newFrame(i, len(children), func(n int) (*info, int) { return children[n].info, children[n].size })
	out := Stream{info: i}
	for n, c := range children {
		out = out.with(make([]byte, f.at[n]-out.size))
		out.parts = append(out.parts, c.parts...)
		out.size += c.size
	}
	return out.with(make([]byte, f.size-out.size)).with(f.tail)
}

// with returns the Stream with more bytes at its end.
func (s Stream) with(data []byte) Stream {
	if len(data) > 0 {
		s.parts = append(slices.Clip(s.parts), streamPart{bytes.NewReader(data), len(data)})
		s.size += len(data)
	}
	return s
}

// Type returns the type of the value.
func (s Stream) Type() Type {
	if s.info == nil {
		return ""
	}
	return s.info.typ
}

// Size is how many bytes WriteTo writes.
func (s Stream) Size() int { return s.size }

// WriteTo writes the serialised value.
func (s Stream) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for _, p := range s.parts {
		n, err := io.Copy(w, io.NewSectionReader(p.from, 0, int64(p.size)))
		total += n
		if err == nil && n < int64(p.size) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
