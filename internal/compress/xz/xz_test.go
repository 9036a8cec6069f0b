package xz

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	mxz "github.com/mikelolasagasti/xz"

	"rpmostree/internal/treetest"
)

// samples are data of all kinds.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	var text []byte
	for len(text) < 500_000 {
		text = append(text, []string{"one ", "two ", "three ", "four\n", "5 ", "6, ", "sixteen "}[r.IntN(7)]...)
	}
	changed := bytes.Clone(noise)
	for range 3000 {
		changed[r.IntN(len(changed))]++
	}
	sparse := make([]byte, 5_000_000)
	for range 20_000 {
		sparse[r.IntN(len(sparse))] = byte(r.Uint32())
	}
	long := bytes.Repeat(noise[:70_000], 8)
	return map[string][]byte{
		"empty": nil, "one": {7}, "two": {7, 7}, "three": []byte("abc"), "four": []byte("aaaa"), "five": []byte("ababa"), "zeros": make([]byte, 3_000_000),
		"noise": noise, "text": text, "changed": append(bytes.Clone(noise), changed...), "sparse": sparse, "repeated": long,
		"noise, then text": append(bytes.Clone(noise), text...), "text, noise, text": bytes.Join([][]byte{text[:100_000], noise, text[100_000:]}, nil),
	}
}

func TestCompress(t *testing.T) {
	for name, data := range samples() {
		packed := Compress(data)
		if got := decompress(t, packed); !bytes.Equal(got, data) {
			t.Fatalf("%s: something else comes out", name)
		}
		if got, err := Decompress(packed, int64(len(data))); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%s: something else comes out: %v", name, err)
		}
		if _, err := Decompress(packed, int64(len(data))-1); err == nil && len(data) > 0 {
			t.Errorf("%s: the limit is passed over", name)
		}
		if !bytes.Equal(packed, Compress(data)) {
			t.Errorf("%s: it differs the second time", name)
		}
		if limit := len(data) + len(data)/10_000 + 100; len(packed) > limit {
			t.Errorf("%s: %d bytes of %d", name, len(packed), len(data))
		}
	}
}

func decompress(t testing.TB, packed []byte) []byte {
	t.Helper()
	r, err := mxz.NewReader(bytes.NewReader(packed), 0)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestAgainstXZ has the program xz read what is compressed, and compares sizes.
func TestAgainstXZ(t *testing.T) {
	program := treetest.Oracle(t, "xz")
	for name, data := range samples() {
		packed := Compress(data)
		run := func(in []byte, args ...string) []byte {
			cmd := exec.Command(program, args...)
			cmd.Stdin = bytes.NewReader(in)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: xz %v: %v", name, args, err)
			}
			return out
		}
		if got := run(packed, "-dc"); !bytes.Equal(got, data) {
			t.Fatalf("%s: something else comes out", name)
		}
		theirs := run(data, "-8", "-c")
		if got, err := Decompress(theirs, int64(len(data))); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%s: something else comes out of theirs: %v", name, err)
		}
		if blocks := run(data, "-1", "-c", "-T2", "--block-size=70000"); len(data) > 0 {
			if got, err := Decompress(blocks, int64(len(data))); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%s: something else comes out of blocks: %v", name, err)
			}
		}
		if len(packed) > len(theirs)*103/100+40 {
			t.Errorf("%s: %d bytes, xz -8 makes %d of it", name, len(packed), len(theirs))
		}
	}
}

// FuzzCompress compresses short texts of few letters, in which there is much to find.
func FuzzCompress(f *testing.F) {
	for _, data := range samples() {
		f.Add(data[:min(len(data), 2000)], byte(255))
	}
	f.Add([]byte("mississippi"), byte(3))
	f.Fuzz(func(t *testing.T, data []byte, mask byte) {
		for i := range data {
			data[i] &= mask
		}
		if got := decompress(t, Compress(data)); !bytes.Equal(got, data) {
			t.Error("something else comes out")
		}
	})
}

// FuzzDecompress reads hostile files: what is accepted is what another decoder makes of it.
func FuzzDecompress(f *testing.F) {
	for _, data := range samples() {
		f.Add(Compress(data[:min(len(data), 3000)]))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := Decompress(file, 1<<20)
		if err != nil {
			return
		}
		r, err := mxz.NewReader(bytes.NewReader(file), 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("something else comes out: %v", err)
		}
	})
}

// FuzzLZMA2 decodes hostile chunks, without the checks around them.
func FuzzLZMA2(f *testing.F) {
	for _, data := range samples() {
		data = data[:min(len(data), 3000)]
		f.Add(appendLZMA2(nil, data), uint16(len(data)))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		d := &decoder{out: make([]byte, size)}
		if used, err := d.lzma2(b, int(size)); err == nil && (used > len(b) || d.pos != int(size)) {
			t.Errorf("%d of %d bytes, to %d of %d", used, len(b), d.pos, size)
		}
	})
}

func TestHostile(t *testing.T) {
	data := samples()["text"][:5000]
	good := Compress(data)
	for i := range good {
		for _, x := range []byte{1, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= x
			if _, err := Decompress(bad, 1<<20); err == nil {
				t.Errorf("a change at %d goes unnoticed", i)
			}
		}
		if _, err := Decompress(good[:i], 1<<20); err == nil {
			t.Errorf("it is accepted when cut off at %d", i)
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	data := samples()["text, noise, text"]
	if name := os.Getenv("XZ_BENCH_FILE"); name != "" {
		var err error
		if data, err = os.ReadFile(name); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(data)))
	n := 0
	for b.Loop() {
		n = len(Compress(data))
	}
	b.ReportMetric(float64(n), "packed")
}
