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
