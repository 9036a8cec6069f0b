package compress

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

func sample() []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < 300_000 {
		b.WriteString(strings.Repeat(string(rune('a'+rnd.IntN(26))), rnd.IntN(40)))
		b.WriteByte(byte(rnd.IntN(256)))
	}
	return b.Bytes()
}

func pack(t testing.TB, f Format, level int, data []byte) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, f, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	data := sample()
	for _, f := range []Format{None, Gzip, Bzip2, XZ, LZMA, Zstd, Zchunk} {
		for _, level := range []int{0, 1, 9} {
			packed := pack(t, f, level, data)
			if !bytes.Equal(packed, pack(t, f, level, data)) {
				t.Errorf("%v: output differs between two runs", f)
			}
			if Detect(packed) != f {
				t.Errorf("%v: detected as %v", f, Detect(packed))
			}
			r, err := NewReader(bytes.NewReader(packed), f, 0)
			if err != nil {
				t.Fatalf("%v: %v", f, err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%v level %d: %d bytes, %v", f, level, len(got), err)
			}
			r.Close()
			if f == None {
				continue
			}
			r, err = NewReader(bytes.NewReader(packed[:len(packed)/2]), f, 0)
			if err != nil {
				t.Fatalf("%v: %v", f, err)
			}
			if _, err := io.ReadAll(r); err == nil {
				t.Errorf("%v: half a stream is read without error", f)
			}
		}
	}
}

// The programs read what we write and we read what they write.
func TestPrograms(t *testing.T) {
	data := sample()
	for f, args := range map[Format][]string{Gzip: {"gzip"}, Bzip2: {"bzip2"}, XZ: {"xz"}, LZMA: {"xz", "--format=lzma"}, Zstd: {"zstd", "-q"}} {
		treetest.Oracle(t, args[0])
		run := func(in []byte, more ...string) []byte {
			cmd := exec.Command(args[0], append(args[1:len(args):len(args)], more...)...)
			cmd.Stdin = bytes.NewReader(in)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %v", cmd.Args, err)
			}
			return out
		}
		packed := run(data, "-c")
		r, got, err := NewDetectingReader(bytes.NewReader(packed), 0)
		if err != nil || got != f {
			t.Fatalf("%v: detected as %v: %v", f, got, err)
		}
		if out, err := io.ReadAll(r); err != nil || !bytes.Equal(out, data) {
			t.Errorf("%v: %d bytes, %v", f, len(out), err)
		}
		if !bytes.Equal(run(pack(t, f, 0, data), "-dc"), data) {
			t.Errorf("%v: our stream is read wrong", f)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	bombs := map[string]struct {
		f    Format
		data []byte
	}{
		"lzma dictionary of 4 GiB": {LZMA, append([]byte{0x5d, 0xff, 0xff, 0xff, 0xff}, make([]byte, 64)...)},
		// Frame header: window descriptor of 2 GiB, then one raw block.
		"zstd window of 2 GiB":   {Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 9, 0, 0, 'x'}},
		"xz dictionary of 1 MiB": {XZ, pack(t, XZ, 1, []byte("hello"))},
	}
	for name, b := range bombs {
		limit := uint64(64 << 20)
		if b.f == XZ {
			limit = 64 << 10 // smaller than the dictionary of the stream
		}
		r, err := NewReader(bytes.NewReader(b.data), b.f, limit)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestLimit(t *testing.T) {
	for _, n := range []int64{0, 1, 99} {
		got, err := io.ReadAll(Limit(strings.NewReader(strings.Repeat("x", 100)), n))
		if !errors.Is(err, ErrTooLarge) || int64(len(got)) != n {
			t.Errorf("%d: %d bytes, %v", n, len(got), err)
		}
	}
	if got, err := io.ReadAll(Limit(strings.NewReader("abc"), 3)); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestParse(t *testing.T) {
	for f := None; f <= Zchunk; f++ {
		if got, err := Parse(f.String()); err != nil || got != f {
			t.Errorf("%v: %v, %v", f, got, err)
		}
	}
	if _, err := Parse("rar"); err == nil {
		t.Error("rar is known")
	}
}

func FuzzReader(f *testing.F) {
	for _, format := range []Format{Gzip, XZ, LZMA, Zstd} {
		f.Add(pack(f, format, 0, []byte("hello, hello, hello")))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, _, err := NewDetectingReader(bytes.NewReader(b), 1<<20)
		if err != nil {
			return
		}
		io.Copy(io.Discard, Limit(r, 1<<20))
		r.Close()
	})
}
