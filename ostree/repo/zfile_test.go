package repo

import (
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/flate"
)

func TestTinyContent(t *testing.T) {
	for _, tt := range []struct {
		content string
		size    int // that zlib makes of it
	}{{"", 2}, {"x\n", 4}, {"hi\n", 5}, {"moo\n", 6}, {"first\n", 8}, {"\x00\x8f\x90\xff", 6}} {
		got := appendTiny([]byte("header"), []byte(tt.content))[len("header"):]
		back, err := io.ReadAll(flate.NewReader(bytes.NewReader(got)))
		if err != nil || string(back) != tt.content || len(got) != tt.size {
			t.Errorf("%q: % x, %q, %v", tt.content, got, back, err)
		}
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if back, err := io.ReadAll(flate.NewReader(bytes.NewReader(appendTiny(nil, all)))); err != nil || !bytes.Equal(back, all) {
		t.Errorf("all bytes: %v", err)
	}
}
