package gvariant

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func FuzzValue(f *testing.F) {
	f.Add("a{sv}", []byte("version\x00x\x00s\x0b"))
	f.Add("(uuua(ayay))", make([]byte, 12))
	f.Add("v", []byte("\x00v"))
	f.Add("aaaay", []byte{1, 1, 2, 3})
	f.Add("(svmsb)", []byte("a\x00b\x00\x02\x01"))
	f.Fuzz(func(t *testing.T, typ string, data []byte) {
		v := New(Type(typ), data, binary.LittleEndian)
		normal := v.IsNormal()
		text := v.Print(true)
		v.WithByteOrder(binary.BigEndian).Print(false)
		v.Lookup("x")
		if !normal || strings.Contains(text, "nan") || len(typ) > 100 {
			return
		}
		again, err := Parse(v.Type(), text)
		if err != nil {
			t.Fatalf("%s %q: %v", typ, text, err)
		}
		if !bytes.Equal(again.Bytes(), data) {
			t.Fatalf("%s %q: % x, parsed again % x", typ, text, data, again.Bytes())
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range texts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse("", text)
		if err != nil {
			return
		}
		if !v.IsNormal() {
			t.Fatalf("%q: not normal: %s % x", text, v.Type(), v.Bytes())
		}
		again, err := Parse("", v.Print(true))
		if err != nil || again.Type() != v.Type() {
			t.Fatalf("%q: printed %q: %v", text, v, err)
		}
	})
}

// A value of nested containers that overlap must not take forever to print.
func TestBomb(t *testing.T) {
	data := []byte{}
	for range 60 {
		data = append(data, 0, '(', 'v', 'v', ')', byte(len(data)))
	}
	New("v", data, binary.LittleEndian).Print(true)
	deep := strings.Repeat("[", 100000)
	if _, err := Parse("", deep); err == nil {
		t.Error("deep nesting was accepted")
	}
}
