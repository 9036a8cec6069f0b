package repo

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"rpmostree/ostree"

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

// TestDeflatedSize reads what compressors make of content that cannot be compressed, and
// streams that are full of blocks without anything in them.
func TestDeflatedSize(t *testing.T) {
	read := func(size int, stream []byte) error {
		header := ostree.ZFileHeader{Size: uint64(size), FileHeader: ostree.FileHeader{Mode: 0o100644}}
		_, _, content, err := readArchived(bytes.NewReader(append(ostree.Framed(header.Marshal()), stream...)))
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		_, err = io.Copy(io.Discard, content)
		return err
	}
	random := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(random)
	for _, size := range []int{0, 1, 100, 1 << 20} {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			var out bytes.Buffer
			w, err := flate.NewWriter(&out, level)
			if err != nil {
				t.Fatal(err)
			}
			for rest := random[:size]; len(rest) > 0; {
				n := min(len(rest), 512)
				w.Write(rest[:n])
				w.Flush() // the worst that anyone does
				rest = rest[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := read(size, out.Bytes()); err != nil {
				t.Errorf("level %d, %d bytes, %d compressed: %v", level, size, out.Len(), err)
			}
		}
	}
	fixed := bytes.Repeat([]byte{0xff}, 1<<20)
	if err := read(len(fixed), appendTiny(nil, fixed)); err != nil {
		t.Errorf("fixed code: %v", err)
	}
	for _, size := range []int{0, 1000, 1 << 20} {
		stream := appendTiny(nil, random[:size])
		limit := int(maxDeflated(int64(size)))
		for n, want := range map[int]bool{limit - len(stream): false, limit: true, 10 * limit: true} {
			empty := bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, n/5)
			err := read(size, append(empty, stream...))
			if text := fmt.Sprintf("content of archived file of %d bytes has more than %d bytes compressed", size, limit); want && (err == nil || err.Error() != text) || !want && err != nil {
				t.Errorf("%d bytes after %d of empty blocks: error %v", size, len(empty), err)
			}
		}
	}
}
