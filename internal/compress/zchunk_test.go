package compress

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

func unzchunk(b []byte) ([]byte, error) {
	r, f, err := NewDetectingReader(bytes.NewReader(b), 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if f != Zchunk {
		return nil, errZchunk
	}
	return io.ReadAll(r)
}

// What zck writes is read, with all of its options.
func TestZchunkPrograms(t *testing.T) {
	zck, unzck := treetest.Oracle(t, "zck"), treetest.Oracle(t, "unzck")
	dir := t.TempDir()
	data := sample()
	file, dict := filepath.Join(dir, "data"), filepath.Join(dir, "dict")
	for name, b := range map[string][]byte{file: data, dict: data[1000:20000]} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		nil, {"-u"}, {"-D", dict}, {"--compression-format=none"}, {"-h", "sha256"}, {"-h", "sha512"}, {"-m", "-s", "aaaa"},
	} {
		cmd := exec.Command(zck, append(args, "-o", file+".zck", file)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		b, err := os.ReadFile(file + ".zck")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unzchunk(b); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%v: %d bytes, error %v", args, len(got), err)
		}
	}
	for _, b := range [][]byte{nil, []byte("x"), data} {
		if err := os.WriteFile(file+".zck", zchunk(t, b), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := exec.Command(unzck, "-c", file+".zck").Output()
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("unzck of %d bytes: %d bytes, error %v", len(b), len(got), err)
		}
	}
}

func zchunk(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := NewZchunkWriter(&b, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i += 10_000 {
		z.Write(data[i:min(i+10_000, len(data))])
		z.End()
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if h := z.Header(); h.Size > int64(b.Len()) || !bytes.Equal(zchunkHashes[1].sum(b.Bytes()[:h.Size]), h.Sum) {
		t.Errorf("header %+v", h)
	}
	return b.Bytes()
}

// Whatever byte is wrong, it is found.
func TestZchunkDamage(t *testing.T) {
	data := []byte(strings.Repeat("hello, zchunk ", 5000))
	good := zchunk(t, data)
	if got, err := unzchunk(good); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, error %v", len(got), err)
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1
		if _, err := unzchunk(b); err == nil {
			t.Errorf("byte %d of %d changed: no error", i, len(good))
		}
		if _, err := unzchunk(good[:i]); err == nil {
			t.Errorf("first %d bytes: no error", i)
		}
	}
}

// Headers that claim too much are refused before memory is allocated.
func TestZchunkLimits(t *testing.T) {
	sums := zchunkHashes[1]
	file := func(size uint64, rest []byte) []byte {
		lead := appendZchunkNumber(appendZchunkNumber([]byte(zchunkMagic), 1), size)
		return append(append(lead[:len(lead):len(lead)], sums.sum(lead, rest)...), rest...)
	}
	chunk := func(size, open uint64) []byte {
		index := appendZchunkNumber(appendZchunkNumber(nil, zchunkSHA512_128), 1)
		index = append(index, make([]byte, 16)...)
		index = appendZchunkNumber(appendZchunkNumber(index, size), open)
		rest := appendZchunkNumber(appendZchunkNumber(make([]byte, 32), 0), zchunkZstd)
		rest = append(appendZchunkNumber(rest, uint64(len(index))), index...)
		return file(uint64(len(rest)), rest)
	}
	for name, b := range map[string][]byte{
		"header":             file(1<<40, nil),
		"header, overflow":   file(1<<63, nil),
		"chunk":              chunk(1<<40, 1),
		"decompressed chunk": chunk(1, 1<<40),
	} {
		if _, err := unzchunk(b); err == nil || !strings.Contains(err.Error(), "too large") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzZchunk(f *testing.F) {
	f.Add(zchunk(f, []byte("hello, hello, hello")))
	f.Add(zchunk(f, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		// The header's checksum is put right, so that what is behind it is read.
		if len(b) > 39 && b[5] == 0x81 && b[6]&0x80 != 0 {
			b = bytes.Clone(b)
			copy(b[7:39], zchunkHashes[1].sum(b[:7], b[39:min(len(b), 39+int(b[6]&0x7f))]))
		}
		r, err := NewReader(bytes.NewReader(b), Zchunk, 1<<20)
		if err != nil {
			return
		}
		io.Copy(io.Discard, Limit(r, 1<<20))
		r.Close()
	})
}
