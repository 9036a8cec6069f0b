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
	"rpmostree/internal/unxz"
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

func packedOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Compress(&out, data, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSegments compresses data that are larger than what has one dictionary.
func TestSegments(t *testing.T) {
	program := treetest.Oracle(t, "xz")
	for name, data := range samples() {
		if len(data) > 1_000_000 {
			continue
		}
		var out bytes.Buffer
		at := 0
		if err := compress(&out, data, 100_000, func(n int) {
			if n < at || n > len(data) {
				t.Errorf("%s: %d bytes are done with after %d", name, n, at)
			}
			at = n
		}); err != nil {
			t.Fatal(err)
		}
		if got := decompress(t, out.Bytes()); !bytes.Equal(got, data) {
			t.Errorf("%s: something else comes out", name)
		}
		r, err := unxz.NewReader(bytes.NewReader(out.Bytes()), 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: something else comes out of our decoder: %v", name, err)
		}
		cmd := exec.Command(program, "-t")
		cmd.Stdin = &out
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: xz -t: %v\n%s", name, err, out)
		}
	}
}

// TestWriteError compresses to what cannot be written: whoever reads data has ended then.
func TestWriteError(t *testing.T) {
	data := samples()["noise, then text"]
	for n := range 3 {
		w := &failingWriter{n}
		if err := Compress(w, data, nil); err != io.ErrShortWrite {
			t.Errorf("after %d writes: %v", n, err)
		}
		clear(data[:1000])
	}
}

// A failingWriter fails after n writes.
type failingWriter struct{ n int }

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.n--; w.n < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestCompress(t *testing.T) {
	for name, data := range samples() {
		packed := packedOf(t, data)
		if got := decompress(t, packed); !bytes.Equal(got, data) {
			t.Fatalf("%s: something else comes out", name)
		}
		if !bytes.Equal(packed, packedOf(t, data)) {
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
		packed := packedOf(t, data)
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
		if got := decompress(t, packedOf(t, data)); !bytes.Equal(got, data) {
			t.Error("something else comes out")
		}
	})
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
		n = len(packedOf(b, data))
	}
	b.ReportMetric(float64(n), "packed")
}
