package gvariant

import (
	"bytes"
	"testing"
)

// TestStream writes values piece by piece: the bytes are those of values that are built.
func TestStream(t *testing.T) {
	for _, n := range []int{0, 1, 3, 240, 255, 256, 65_500, 65_536, 100_001} {
		data := bytes.Repeat([]byte("x"), n)
		value := Tuple(Byte(1), Bytes(data))
		stream := StreamTuple(Byte(1).Stream(), StreamOf("ay", bytes.NewReader(data), n))
		want := Tuple(Array("{sv}", DictEntry(String("key"), Variant(value)), DictEntry(String("other"), Variant(Uint64(7)))),
			Uint64(1), Bytes(nil), Array("(tu)", Tuple(Uint64(2), Uint32(3))), Array("s"))
		got := StreamTuple(StreamArray("{sv}", StreamDictEntry(String("key").Stream(), StreamVariant(stream)),
			StreamDictEntry(String("other").Stream(), StreamVariant(Uint64(7).Stream()))),
			Uint64(1).Stream(), Bytes(nil).Stream(), Array("(tu)", Tuple(Uint64(2), Uint32(3))).Stream(), Array("s").Stream())
		var out bytes.Buffer
		if _, err := got.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		if got.Type() != want.Type() || got.Size() != out.Len() || !bytes.Equal(out.Bytes(), want.Bytes()) {
			t.Errorf("%d bytes: %s of %d bytes, want %s of %d", n, got.Type(), out.Len(), want.Type(), len(want.Bytes()))
		}
	}
	short := StreamOf("ay", bytes.NewReader(nil), 1)
	if _, err := short.WriteTo(new(bytes.Buffer)); err == nil {
		t.Error("bytes that are not there are no error")
	}
	if s := StreamOf("?", bytes.NewReader(nil), 0); s.Type() != "" {
		t.Error("a stream of what is no type")
	}
}
