package rpmdb

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"rpmostree/rpm"
)

func TestSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var c cells
		for range r.IntN(40) {
			c.buf = append(c.buf, make([]byte, 4+r.IntN(1000))...)
			c.done()
		}
		for _, promote := range []bool{false, true} {
			ends := c.split(leafRoom, promote)
			start := 0
			for i, end := range ends {
				size := 0
				for j := start; j < end; j++ {
					size += len(c.at(j)) + 2
				}
				if size > leafRoom || end <= start && c.len() > 0 {
					t.Fatalf("promote %v: run %d of %v has cells %d to %d of %d, %d bytes", promote, i, ends, start, end, c.len(), size)
				}
				if start = end; promote {
					start++
				}
			}
			if ends[len(ends)-1] != c.len() {
				t.Fatalf("promote %v: %v of %d", promote, ends, c.len())
			}
		}
	}
}

func TestVarint(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 16383, 16384, 1<<56 - 1, 1 << 56, 1<<63 + 5, math.MaxUint64} {
		b := appendVarint(nil, v)
		if got, n := sqliteVarint(b); got != v || n != len(b) {
			t.Errorf("%d is encoded as %x, decoded as %d from %d bytes", v, b, got, n)
		}
		if _, n := sqliteVarint(b[:len(b)-1]); n != 0 {
			t.Errorf("%x: cut off, but %d bytes decoded", b, n)
		}
	}
}

// TestTreeSizes has sqlite check trees around the sizes where pages are added.
func TestTreeSizes(t *testing.T) {
	oracle(t, "sqlite3")
	for _, n := range []int{1, 30, 31, 32, 33, 250, 1000, 1001, 1002, 1003, 33000} {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%0120d", i*7919%n) // not in order
		}
		path := filepath.Join(t.TempDir(), SQLiteName)
		e := newHeader(t, "sizes", rpm.StringsEntry(rpm.TagProvideName, names...))
		if err := Write(path, []Entry{e}, Options{}); err != nil {
			t.Fatal(err)
		}
		got := run(t, "sqlite3", path, "PRAGMA integrity_check; SELECT count(*) FROM Providename; SELECT count(*) FROM Providename INDEXED BY Providename_key_idx WHERE key >= '';"+
			"SELECT idx FROM Providename WHERE key = '"+names[n-1]+"'; DELETE FROM Providename WHERE idx%3 = 0; PRAGMA integrity_check;")
		if want := fmt.Sprintf("ok\n%d\n%d\n%d\nok\n", n, n, n-1); got != want {
			t.Errorf("%d rows: got %q, want %q", n, got, want)
		}
	}
}

// TestBlobSizes has blobs that end around page ends.
func TestBlobSizes(t *testing.T) {
	oracle(t, "sqlite3")
	var entries []Entry
	for n := 3000; n < 9000; n += 61 {
		entries = append(entries, newHeader(t, fmt.Sprint(n), rpm.StringEntry(rpm.TagDescription, string(bytes.Repeat([]byte("x"), n)))))
	}
	dir := writeDB(t, entries)
	if got := sqlite(t, dir, "PRAGMA integrity_check;"); got != "ok\n" {
		t.Error(got)
	}
	db, err := Open(dir)
	if err != nil || len(db.Packages()) != len(entries) {
		t.Errorf("%d of %d packages, %v", len(db.Packages()), len(entries), err)
	}
}
