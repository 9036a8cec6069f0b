package delta

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSuffixArray(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	texts := [][]byte{nil, []byte("a"), []byte("aa"), []byte("ab"), []byte("ba"), []byte("mississippi"), []byte("banana$banana"), bytes.Repeat([]byte{255}, 50)}
	for range 300 {
		s := make([]byte, r.IntN(200))
		letters := 1 + r.IntN(4)
		for i := range s {
			s[i] = byte(r.IntN(letters)) + byte(r.IntN(2))*253
		}
		texts = append(texts, s)
	}
	for _, s := range texts {
		want := make([]int32, len(s))
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortFunc(want, func(a, b int32) int { return bytes.Compare(s[a:], s[b:]) })
		if got := suffixArray(s); !slices.Equal(got, want) {
			t.Fatalf("%q: %v, want %v", s, got, want)
		}
	}
}

func TestBSDiff(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return b
	}
	base := random(20_000)
	edited := slices.Clone(base)
	for range 30 {
		edited[r.IntN(len(edited))]++
	}
	moved := slices.Concat(base[9000:], random(100), base[:9000])
	for _, c := range []struct {
		name     string
		from, to []byte
		max      int // bytes that are not zero
	}{
		{"empty", nil, nil, 0}, {"from nothing", nil, base, len(base) + 100}, {"to nothing", base, nil, 0},
		{"the same", base, base, 60}, {"edited", base, edited, 100}, {"moved", base, moved, 400},
		{"inserted", base, slices.Insert(slices.Clone(base), 5000, random(50)...), 300},
		{"random", base, random(20_000), 21_000},
	} {
		patch := bsdiff(c.from, c.to)
		got, err := io.ReadAll(newPatcher(&content{data: c.from}, fileOf(patch), uint64(len(c.to))))
		if err != nil || !bytes.Equal(got, c.to) {
			t.Errorf("%s: patch does not make it: %v", c.name, err)
		}
		busy := 0
		for _, b := range patch {
			if b != 0 {
				busy++
			}
		}
		if busy > c.max {
			t.Errorf("%s: %d bytes in the patch, want at most %d", c.name, busy, c.max)
		}
	}
}

// FuzzPatch reads hostile patches: no panic, and never more than asked for.
func FuzzPatch(f *testing.F) {
	f.Add([]byte("source source source"), bsdiff([]byte("source source source"), []byte("source sauce source!")), uint64(20))
	f.Fuzz(func(t *testing.T, source, patch []byte, n uint64) {
		n %= 1 << 20
		got, err := io.ReadAll(newPatcher(&content{data: source}, fileOf(patch), n))
		if uint64(len(got)) > n || err == nil && uint64(len(got)) != n {
			t.Fatalf("%d bytes of %d, %v", len(got), n, err)
		}
	})
}
