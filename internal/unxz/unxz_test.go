package unxz

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

// program returns the output of a program, or skips the test if it is not installed.
func program(t testing.TB, in []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(treetest.Oracle(t, name), args...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return out
}

func decode(b []byte, maxDict uint64) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(b), maxDict)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// samples are contents of several kinds: text, programs, noise, long runs, all in one.
func samples(t testing.TB) map[string][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	var text bytes.Buffer
	for text.Len() < 1_000_000 {
		text.WriteString(strconv.Itoa(rnd.IntN(1000)) + " lines of text; " + strings.Repeat(string(rune('a'+rnd.IntN(26))), rnd.IntN(30)) + "\n")
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	self = self[:min(len(self), 2<<20)]
	zeros := make([]byte, 3<<20)
	return map[string][]byte{
		"empty": nil, "byte": {'x'}, "text": text.Bytes(), "program": self, "noise": noise, "zeros": zeros,
		"mixed": bytes.Join([][]byte{self[:100_000], noise, zeros, text.Bytes(), noise[:70_000], self}, nil),
	}
}

func TestReaderEqualsXZ(t *testing.T) {
	for name, data := range samples(t) {
		for _, args := range []string{"-0", "-6", "-9e", "--check=none", "--check=crc32", "--check=sha256", "-1 --block-size=65536 -T2",
			"--lzma2=dict=4KiB,lc=0,lp=4,pb=0", "--lzma2=dict=1MiB,lc=4,lp=0,pb=4", "--lzma2=dict=64KiB,lc=1,lp=2,pb=1,nice=273"} {
			if args != "-6" && name != "program" && name != "noise" {
				continue // slow to make
			}
			packed := program(t, data, "xz", append([]string{"-c"}, strings.Fields(args)...)...)
			got, err := decode(packed, 1<<30)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s, xz %s: %d bytes, %v; want %d", name, args, len(got), err, len(data))
			}
			if !Supported(packed[:min(len(packed), PeekSize)]) {
				t.Errorf("%s, xz %s: not supported", name, args)
			}
		}
	}
}

func TestStreams(t *testing.T) {
	one, two := program(t, []byte("one "), "xz", "-c"), program(t, []byte("two"), "xz", "-c", "--check=sha256")
	for _, c := range []struct {
		in   [][]byte
		want string // "" is an error
	}{
		{[][]byte{one, two}, "one two"},
		{[][]byte{one, make([]byte, 8), two, make([]byte, 4)}, "one two"},
		{[][]byte{one, make([]byte, 3), two}, ""},
		{[][]byte{one, make([]byte, 7)}, ""},
		{[][]byte{one, []byte("junk")}, ""},
		{[][]byte{make([]byte, 4), one}, ""},
	} {
		got, err := decode(bytes.Join(c.in, nil), 1<<30)
		if c.want == "" && err == nil || c.want != "" && (err != nil || string(got) != c.want) {
			t.Errorf("got %q, %v; want %q", got, err, c.want)
		}
	}
}

// TestReset reads one file after another with the same memory, some of it given.
func TestReset(t *testing.T) {
	data := samples(t)["mixed"]
	small := program(t, data, "xz", "-c", "--lzma2=dict=64KiB")
	large := program(t, data, "xz", "-c", "--lzma2=dict=1MiB")
	for _, window := range []int{0, WindowSize(64 << 10), WindowSize(1 << 20)} {
		z, err := NewReader(bytes.NewReader(small), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		z.UseWindow(make([]byte, window))
		for i, file := range [][]byte{small, large, small[:len(small)/2], large, small, nil, large} {
			err := z.Reset(bytes.NewReader(file))
			var got []byte
			if err == nil {
				got, err = io.ReadAll(z)
			}
			if whole := len(file) == len(small) || len(file) == len(large); whole != (err == nil && bytes.Equal(got, data)) {
				t.Errorf("window of %d bytes, file %d: %d bytes, %v", window, i, len(got), err)
			}
		}
	}
}

func TestSupported(t *testing.T) {
	data := samples(t)["program"]
	for args, want := range map[string]bool{"-6": true, "--x86 --lzma2": false, "--delta --lzma2": false} {
		packed := program(t, data, "xz", append([]string{"-c"}, strings.Fields(args)...)...)
		if got := Supported(packed[:PeekSize]); got != want {
			t.Errorf("xz %s: %v", args, got)
		}
		if _, err := decode(packed, 1<<30); (err == nil) != want {
			t.Errorf("xz %s: %v", args, err)
		}
	}
}

// Every truncation and every changed byte of a file is an error.
func TestDamage(t *testing.T) {
	data := append(bytes.Repeat([]byte("hello, world; "), 50), samples(t)["noise"][:100]...)
	packed := program(t, data, "xz", "-c", "--check=crc64", "--block-size=400")
	for n := range packed {
		if _, err := decode(packed[:n], 1<<30); err == nil {
			t.Errorf("%d of %d bytes are accepted", n, len(packed))
		} else if n > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v", n, len(packed), err)
		}
		for _, x := range []byte{1, 0x80} {
			bad := bytes.Clone(packed)
			bad[n] ^= x
			if _, err := decode(bad, 1<<30); err == nil {
				t.Errorf("byte %d changed by %#x: accepted", n, x)
			}
		}
	}
}

func TestDictionaryLimit(t *testing.T) {
	packed := program(t, []byte("x"), "xz", "-c", "-9")
	if _, err := decode(packed, 1<<20); err == nil || !strings.Contains(err.Error(), "dictionary of 67108864 bytes is larger than the limit of 1048576") {
		t.Errorf("%v", err)
	}
	// A dictionary costs memory only as far as it is filled.
	r, err := NewReader(bytes.NewReader(packed), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || len(got) != 1 || cap(r.out) > 100 {
		t.Errorf("%q, %v, with a buffer of %d bytes", got, err, cap(r.out))
	}
}

func FuzzReader(f *testing.F) {
	for _, args := range []string{"-0", "-6", "--check=sha256", "--check=none", "--block-size=4096"} {
		f.Add(program(f, bytes.Repeat([]byte("hello, hello, hello "), 1000), "xz", "-c", args))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), 1<<20)
		if err != nil {
			return
		}
		io.Copy(io.Discard, io.LimitReader(r, 1<<20))
	})
}

// FuzzChunk decodes any compressed chunk, which no checksum protects.
func FuzzChunk(f *testing.F) {
	packed := program(f, bytes.Repeat([]byte("hello, hello, hello "), 100), "xz", "-c", "--check=none")
	f.Add(packed[24:], uint16(2000), byte(0x5d))
	f.Fuzz(func(t *testing.T, b []byte, size uint16, props byte) {
		var m model
		if len(b) > maxCompressed || !m.setProps(props) {
			return
		}
		m.reset()
		var in input
		copy(in[:], b)
		out := make([]byte, 100+int(size), 100+int(size)+slack)
		_ = m.decode(&in, len(b), out, 100, 0, 4096)
		_ = m.decode(&in, len(b), out, 100, 100, 4096)
		_ = m.decode(&in, len(b), out, 100, -7, 100)
	})
}

func BenchmarkReader(b *testing.B) {
	data := samples(b)["program"]
	packed := program(b, data, "xz", "-c")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(packed), 1<<30)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
