package rpmdb

import (
	"bytes"
	"encoding/binary"
	"hash/adler32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/rpm"
)

// makeNDB returns a Packages.db file of the blobs, numbered from 1.
func makeNDB(blobs ...[]byte) []byte {
	le := binary.LittleEndian
	data := make([]byte, ndbPageSize)
	copy(data, ndbMagic)
	le.PutUint32(data[8:], 1)
	le.PutUint32(data[12:], 1)
	le.PutUint32(data[16:], uint32(len(blobs))+1)
	for i := ndbHeadSlots; i < ndbPageSize/ndbSlotSize; i++ {
		copy(data[i*ndbSlotSize:], ndbSlotMagic)
	}
	for i, b := range blobs {
		num := uint32(i) + 1
		start := len(data)
		blocks := (ndbBlobHead + len(b) + ndbBlobTail + ndbBlockSize - 1) / ndbBlockSize
		rec := make([]byte, blocks*ndbBlockSize)
		copy(rec, ndbBlobMagic)
		le.PutUint32(rec[4:], num)
		le.PutUint32(rec[8:], 1)
		le.PutUint32(rec[12:], uint32(len(b)))
		copy(rec[ndbBlobHead:], b)
		tail := rec[len(rec)-ndbBlobTail:]
		le.PutUint32(tail, adler32.Checksum(rec[:len(rec)-ndbBlobTail]))
		le.PutUint32(tail[4:], uint32(len(b)))
		copy(tail[8:], ndbTailMagic)
		slot := data[(ndbHeadSlots+i)*ndbSlotSize:]
		le.PutUint32(slot[4:], num)
		le.PutUint32(slot[8:], uint32(start/ndbBlockSize))
		le.PutUint32(slot[12:], uint32(blocks))
		data = append(data, rec...)
	}
	return data
}

// makeBDB returns a Packages file of the blobs, numbered from 1, with pages of
// 512 bytes: one hash page, then overflow pages.
func makeBDB(order binary.ByteOrder, blobs ...[]byte) []byte {
	const size = bdbMinPage
	data := make([]byte, 2*size)
	order.PutUint32(data[12:], bdbHashMagic)
	order.PutUint32(data[16:], 9)
	order.PutUint32(data[20:], size)
	items, end := 0, size
	item := func(b []byte) {
		end -= len(b)
		copy(data[size+end:], b)
		order.PutUint16(data[size+bdbPageHead+2*items:], uint16(end))
		items++
	}
	key := func(n uint32) []byte {
		b := []byte{bdbInline, 0, 0, 0, 0}
		order.PutUint32(b[1:], n)
		return b
	}
	item(key(0))
	item(key(uint32(len(blobs)) + 1))
	for i, b := range blobs {
		item(key(uint32(i) + 1))
		if len(b) < 30 {
			item(append([]byte{bdbInline}, b...))
			continue
		}
		val := make([]byte, bdbOffPageSize)
		val[0] = bdbOffPage
		order.PutUint32(val[4:], uint32(len(data)/size))
		order.PutUint32(val[8:], uint32(len(b)))
		item(val)
		for len(b) > 0 {
			page := make([]byte, size)
			n := copy(page[bdbPageHead:], b)
			b = b[n:]
			if len(b) > 0 {
				order.PutUint32(page[16:], uint32(len(data)/size)+1)
			}
			order.PutUint16(page[22:], uint16(n))
			page[25] = bdbOverflow
			data = append(data, page...)
		}
	}
	order.PutUint16(data[size+20:], uint16(items))
	data[size+25] = bdbHashPage
	order.PutUint32(data[32:], uint32(len(data)/size)-1)
	return data
}

func TestContainers(t *testing.T) {
	blobs := [][]byte{[]byte("small"), bytes.Repeat([]byte("large "), 500), {}, bytes.Repeat([]byte{7}, 486)}
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"ndb", makeNDB(blobs...)},
		{"bdb little endian", makeBDB(binary.LittleEndian, blobs...)},
		{"bdb big endian", makeBDB(binary.BigEndian, blobs...)},
	} {
		_, got, err := container(c.data, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(got) != len(blobs) {
			t.Errorf("%s: %d blobs", c.name, len(got))
			continue
		}
		for i, b := range got {
			if b.num != uint32(i)+1 || !bytes.Equal(b.data, blobs[i]) {
				t.Errorf("%s: blob %d is %d %q", c.name, i, b.num, b.data)
			}
		}
	}
}

func TestMalformedNDB(t *testing.T) {
	le := binary.LittleEndian
	const slot1, slot2 = 2 * ndbSlotSize, 3 * ndbSlotSize
	const blob = ndbPageSize
	for _, c := range []struct {
		name   string
		change func(b []byte) []byte
		want   string
	}{
		{"empty", func(b []byte) []byte { return nil }, "not an rpm database"},
		{"header only", func(b []byte) []byte { return b[:20] }, "shorter than its header"},
		{"version", func(b []byte) []byte { b[4] = 1; return b }, "version 1"},
		{"slot pages", func(b []byte) []byte { le.PutUint32(b[12:], 1<<31); return b }, "do not fit"},
		{"slot magic", func(b []byte) []byte { b[slot1] = 'x'; return b }, "slot 2 is malformed"},
		{"offset wraps", func(b []byte) []byte { le.PutUint32(b[slot1+8:], 1<<32-1); return b }, "outside of the file"},
		{"count wraps", func(b []byte) []byte { le.PutUint32(b[slot1+12:], 1<<32-1); return b }, "outside of the file"},
		{"in the slots", func(b []byte) []byte { le.PutUint32(b[slot1+8:], 1); return b }, "outside of the file"},
		{"number 0", func(b []byte) []byte { le.PutUint32(b[slot1+4:], 0); return b }, "package number 0"},
		{"same number", func(b []byte) []byte { copy(b[slot2:], b[slot1:slot2]); return b }, "occurs twice"},
		{"other number", func(b []byte) []byte { le.PutUint32(b[slot1+4:], 9); return b }, "package 9: blob is malformed"},
		{"data", func(b []byte) []byte { b[blob+ndbBlobHead] ^= 1; return b }, "checksum"},
		{"length", func(b []byte) []byte { le.PutUint32(b[blob+12:], 1<<32-1); return b }, "does not fit its slot"},
		{"count 0", func(b []byte) []byte { le.PutUint32(b[slot1+12:], 0); return b }, "too short"},
		{"overlap", func(b []byte) []byte {
			for i := ndbHeadSlots; i < 200; i++ {
				copy(b[i*ndbSlotSize:], b[slot1:slot2])
			}
			return b
		}, "overlap"},
	} {
		_, _, err := container(c.change(makeNDB(bytes.Repeat([]byte("x"), 100), []byte("second"))), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestMalformedBDB(t *testing.T) {
	le := binary.LittleEndian
	const page, over = bdbMinPage, 2 * bdbMinPage
	for _, c := range []struct {
		name   string
		change func(b []byte)
		want   string
	}{
		{"version", func(b []byte) { b[16] = 7 }, "version 7"},
		{"page size", func(b []byte) { le.PutUint32(b[20:], 513) }, "page size 513"},
		{"page size 0", func(b []byte) { le.PutUint32(b[20:], 0) }, "page size 0"},
		{"encrypted", func(b []byte) { b[24] = 1 }, "encrypted"},
		{"checksums", func(b []byte) { b[26] = 1 }, "checksums"},
		{"last page", func(b []byte) { le.PutUint32(b[32:], 1<<32-1) }, "behind the end"},
		{"items", func(b []byte) { le.PutUint16(b[page+20:], 1<<16-2) }, "items are malformed"},
		{"odd items", func(b []byte) { b[page+20]-- }, "items are malformed"},
		{"item offset", func(b []byte) { le.PutUint16(b[page+bdbPageHead:], 3) }, "out of bounds"},
		{"item order", func(b []byte) { le.PutUint16(b[page+bdbPageHead+2:], 511) }, "out of bounds"},
		{"chain loop", func(b []byte) { le.PutUint32(b[over+16:], 2) }, "used twice"},
		{"chain end", func(b []byte) { le.PutUint32(b[over+16:], 0) }, "instead of"},
		{"chain out", func(b []byte) { le.PutUint32(b[over+16:], 1<<31) }, "does not exist"},
		{"page length", func(b []byte) { le.PutUint16(b[over+22:], 1<<16-1) }, "is malformed"},
		{"page type", func(b []byte) { b[over+25] = 5 }, "is malformed"},
		{"value length", func(b []byte) { le.PutUint32(b[offPageItem(b)+8:], 1<<32-1) }, "length 4294967295"},
		{"value longer", func(b []byte) { le.PutUint32(b[offPageItem(b)+8:], 1001) }, "instead of"},
		{"value shorter", func(b []byte) { le.PutUint32(b[offPageItem(b)+8:], 10) }, "is malformed"},
		{"value kind", func(b []byte) { b[offPageItem(b)] = 4 }, "item kind 4"},
	} {
		data := makeBDB(le, bytes.Repeat([]byte("x"), 1000))
		c.change(data)
		_, _, err := container(data, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// offPageItem returns where the fourth item of the first hash page is.
func offPageItem(b []byte) int {
	return bdbMinPage + int(binary.LittleEndian.Uint16(b[bdbMinPage+bdbPageHead+6:]))
}

func TestMalformedSQLite(t *testing.T) {
	oracle(t, "sqlite3")
	const table = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL);"
	for _, c := range []struct {
		name, sql string
		change    func(b []byte) []byte
		want      string // "" is no error
	}{
		{"good", table + "INSERT INTO Packages VALUES(3,x'00'),(4,zeroblob(100000)); CREATE TABLE other(x);", nil, ""},
		{"page size", "PRAGMA page_size=65536; VACUUM;" + table + "INSERT INTO Packages VALUES(3,zeroblob(100000));", nil, ""},
		{"number 0", table + "INSERT INTO Packages VALUES(0,x'00')", nil, "header number 0 out of range"},
		{"negative", table + "INSERT INTO Packages VALUES(-1,x'00')", nil, "header number -1 out of range"},
		{"2^32", table + "INSERT INTO Packages VALUES(4294967296,x'00')", nil, "header number 4294967296 out of range"},
		{"null", "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob); INSERT INTO Packages VALUES(1,NULL)", nil, "does not hold a blob"},
		{"text", "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob); INSERT INTO Packages VALUES(1,'x')", nil, "does not hold a blob"},
		{"columns", "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY); INSERT INTO Packages VALUES(1)", nil, "does not hold a blob"},
		{"no table", "CREATE TABLE other(x)", nil, "no table Packages"},
		{"view", "CREATE VIEW Packages AS SELECT 1", nil, "no table Packages"},
		{"other case", "CREATE TABLE packages(hnum INTEGER PRIMARY KEY, blob)", nil, "no table Packages"},
		{"no rowid", "CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, blob) WITHOUT ROWID", nil, "not a table page"},
		{"utf-16", "PRAGMA encoding='UTF-16le';" + table, nil, "text encoding 2"},
		{"header", table, func(b []byte) []byte { return b[:99] }, "shorter than its header"},
		{"short page", table, func(b []byte) []byte { return b[:2000] }, "page 1 does not exist"},
		{"bad page size", table, func(b []byte) []byte { b[16] = 0x11; return b }, "page size 4352"},
		{"page size 0", table, func(b []byte) []byte { b[16] = 0; return b }, "page size 0"},
		{"reserved", table, func(b []byte) []byte { b[16], b[20] = 2, 255; return b }, "reserved bytes"},
		{"format", table, func(b []byte) []byte { b[19] = 3; return b }, "version 3"},
		{"missing page", table + "INSERT INTO Packages VALUES(4,zeroblob(100000))",
			func(b []byte) []byte { return b[:len(b)-4096] }, "does not exist"},
		{"overflow loop", table + "INSERT INTO Packages VALUES(4,zeroblob(100000))",
			func(b []byte) []byte { copy(b[5*4096:], []byte{0, 0, 0, 5}); return b }, "used twice"},
		{"cells", table, func(b []byte) []byte { b[100+3] = 255; return b }, "do not fit"},
		{"cell pointer", table, func(b []byte) []byte { b[100+8] = 255; return b }, "out of bounds"},
		{"page type", table, func(b []byte) []byte { b[100] = 1; return b }, "not a table page"},
	} {
		path := filepath.Join(t.TempDir(), SQLiteName)
		run(t, "sqlite3", path, c.sql)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			data = c.change(data)
		}
		_, _, err = container(data, nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// TestBadHeaders has headers that are malformed or changed next to a good one.
func TestBadHeaders(t *testing.T) {
	good := newHeader(t, "good").Header().Blob()
	changed := bytes.Replace(newHeader(t, "changed").Header().Blob(), []byte("changed"), []byte("CHANGED"), 1)
	db, err := Parse(makeNDB(good, []byte("short"), changed, nil))
	if err != nil {
		t.Fatal(err)
	}
	if p := db.Packages(); len(p) != 1 || p[0].HeaderNum != 1 {
		t.Errorf("packages: %v", p)
	}
	bad := db.Bad()
	if len(bad) != 3 || bad[0].HeaderNum != 2 || bad[1].HeaderNum != 3 || bad[2].HeaderNum != 4 {
		t.Fatalf("bad: %v", bad)
	}
	if got := bad[1].Err.Error(); !strings.HasPrefix(got, "Header SHA256 digest: BAD (Expected ") {
		t.Errorf("error: %v", got)
	}
	// rpm keeps such a header in the database too.
	if got := db.Entries(); len(got) != 2 || !bytes.Equal(got[1].Header().Blob(), changed) {
		t.Errorf("entries: %v", got)
	}
}

// FuzzContainer has small sqlite files among its seeds in testdata.
func FuzzContainer(f *testing.F) {
	f.Add(makeNDB([]byte("one"), []byte("two")), []byte(nil))
	f.Add(makeBDB(binary.LittleEndian, bytes.Repeat([]byte("x"), 1000)), []byte(nil))
	f.Add(makeBDB(binary.BigEndian, []byte("inline"), bytes.Repeat([]byte("x"), 600)), []byte(nil))
	f.Fuzz(func(t *testing.T, data, wal []byte) {
		_, blobs, err := container(data, wal)
		if err != nil {
			return
		}
		size := 0
		for i, b := range blobs {
			if size += len(b.data); b.num == 0 || i > 0 && b.num <= blobs[i-1].num {
				t.Fatalf("header number %d after %d", b.num, blobs[max(i, 1)-1].num)
			}
		}
		if size > len(data)+len(wal) {
			t.Fatalf("%d bytes from a file of %d", size, len(data))
		}
	})
}

func FuzzParse(f *testing.F) {
	blob := newHeader(f, "fuzz").Header().Blob()
	f.Add(blob, blob)
	f.Add(newHeader(f, "rich", rpm.StringsEntry(rpm.TagRequireName, "(a if b)"), rpm.Uint32Entry(rpm.TagRequireFlags, 0)).Header().Blob(),
		newHeader(f, "trigger", rpm.StringsEntry(rpm.TagFileTriggerName, "/a"), rpm.Uint32Entry(rpm.TagFileTriggerIndex, 0)).Header().Blob())
	f.Fuzz(func(t *testing.T, a, b []byte) {
		db, err := Parse(makeNDB(a, b))
		if err != nil {
			t.Fatal(err)
		}
		// What was read can be written, and reads the same.
		entries := db.Entries()
		out, err := Encode(entries, Options{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range again.Entries() {
			if !bytes.Equal(e.Header().Blob(), entries[i].Header().Blob()) {
				t.Fatalf("header %d changed", e.HeaderNum)
			}
		}
		db.Owners("/a")
		db.WhatProvides("fuzz")
	})
}
