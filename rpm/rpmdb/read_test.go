package rpmdb

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"rpmostree/rpm"
)

func TestReadSamples(t *testing.T) {
	for _, s := range sampleDBs {
		t.Run(s.name, func(t *testing.T) {
			db := openSample(t, s.file)
			if db.Format() != s.format || len(db.Packages()) != s.packages || len(db.Keys()) != s.keys || len(db.Bad()) != 0 {
				t.Errorf("got %v, %d packages, %d keys, bad %v; want %v, %d, %d, none",
					db.Format(), len(db.Packages()), len(db.Keys()), db.Bad(), s.format, s.packages, s.keys)
			}
		})
	}
}

// queryAll lists a database as queryRPM does.
func queryAll(db *DB) []string {
	var out []string
	for _, list := range [][]Installed{db.Packages(), db.Keys()} {
		for _, p := range list {
			h := p.Header
			epoch := "(none)"
			if e, ok := h.Epoch(); ok {
				epoch = fmt.Sprint(e)
			}
			out = append(out, fmt.Sprintf("%d %s %s %s %s %s %d", p.HeaderNum, h.Name(), epoch, h.Version(),
				h.Release(), cmp.Or(h.Arch(), "(none)"), h.NumFiles()))
		}
	}
	slices.Sort(out)
	return out
}

func queryRPM(t *testing.T, dir string) []string {
	t.Helper()
	format := "%{DBINSTANCE} %{NAME} %{EPOCH} %{VERSION} %{RELEASE} %{ARCH} "
	out := run(t, "rpm", "--dbpath", dir, "-qa", "--qf", format+"[%{FILEMODES},]\\n")
	var lines []string
	for line := range strings.Lines(out) {
		i := strings.LastIndexByte(line, ' ')
		lines = append(lines, fmt.Sprintf("%s %d", line[:i], strings.Count(line[i:], ",")))
	}
	slices.Sort(lines)
	return lines
}

func TestQueryAllEqualsRPM(t *testing.T) {
	oracle(t, "rpm")
	for _, s := range sampleDBs {
		if s.format == NDB {
			continue // Debian's rpm does not know it
		}
		t.Run(s.name, func(t *testing.T) {
			dir := copySample(t, s.file)
			db, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if d := gocmp.Diff(queryRPM(t, dir), queryAll(db)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestQueries(t *testing.T) {
	db := openSample(t, "fedora35/rpmdb.sqlite")
	names := func(list []Installed) (out []string) {
		for _, p := range list {
			out = append(out, p.Header.Name())
		}
		return out
	}
	for _, c := range []struct {
		what string
		got  []Installed
		want []string
	}{
		{"name", db.ByName("bash"), []string{"bash"}},
		{"no such name", db.ByName("bas"), nil},
		{"file", db.Owners("/usr/bin/bash"), []string{"bash"}},
		{"directory", db.Owners("/usr/share/gcc-11"), []string{"libstdc++"}},
		{"root", db.Owners("/"), []string{"filesystem"}},
		{"no such file", db.Owners("/usr/bin/bas"), nil},
		{"not a path", db.Owners(""), nil},
		{"provides", db.WhatProvides("libc.so.6()(64bit)"), []string{"glibc"}},
		{"provides file", db.WhatProvides("/usr/bin/bash"), []string{"bash"}},
		{"key is no package", db.ByName("gpg-pubkey"), nil},
	} {
		if d := gocmp.Diff(c.want, names(c.got)); d != "" {
			t.Errorf("%s: %s", c.what, d)
		}
	}
}

func TestOwnersEqualRPM(t *testing.T) {
	oracle(t, "rpm")
	dir := copySample(t, "rockylinux-9/rpmdb.sqlite")
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/usr/share/licenses", "/usr/lib/.build-id", "/usr/share/doc/bash", "/usr/share/man/man1/ls.1.gz", "/etc/passwd"} {
		var got []string
		for _, p := range db.Owners(path) {
			got = append(got, p.Header.Name())
		}
		// The file is not there, so rpm may not look at its state; the ones
		// asked about are all installed or all left out.
		out, _ := tryRun("rpm", "--dbpath", dir, "-qf", "--qf", "%{NAME}\n", path)
		var want []string
		for line := range strings.Lines(out) {
			if !strings.Contains(line, " ") {
				want = append(want, strings.TrimSpace(line))
			}
		}
		if d := gocmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
}

// TestWAL reads a database whose last transaction is in the log only.
func TestWAL(t *testing.T) {
	oracle(t, "sqlite3")
	dir := copySample(t, "rpm-upstream-misc/rpmdb.sqlite")
	path := filepath.Join(dir, SQLiteName)
	// A second process copies the files before the first one closes.
	script := "PRAGMA journal_mode=WAL;\nPRAGMA wal_autocheckpoint=0;\n" +
		"DELETE FROM Packages WHERE hnum=1;\nCREATE TABLE padding(x);\n" +
		"INSERT INTO padding SELECT randomblob(9000) FROM (VALUES (1),(2),(3));\n" +
		".shell mkdir " + dir + "/copy; cp " + path + " " + path + "-wal " + dir + "/copy\n"
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "sqlite3", path, ".read "+filepath.Join(dir, "script"))
	db, err := Open(filepath.Join(dir, "copy"))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(db.Packages()) + len(db.Keys()); got != 2 {
		t.Errorf("%d headers with the log, want 2", got)
	}
	// A log that does not checksum counts as empty.
	wal := filepath.Join(dir, "copy", SQLiteName+"-wal")
	data, err := os.ReadFile(wal)
	if err != nil {
		t.Fatal(err)
	}
	data[walHeaderSize+walFrameSize+100] ^= 1
	if err := os.WriteFile(wal, data, 0o644); err != nil {
		t.Fatal(err)
	}
	db, err = Open(filepath.Join(dir, "copy"))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(db.Packages()) + len(db.Keys()); got != 3 {
		t.Errorf("%d headers with a damaged log, want 3", got)
	}
}

// countingReader counts the bytes that are read from a file.
type countingReader struct {
	data []byte
	end  int64 // after which the file turns out to be cut off
	n    int
}

func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(r.data[:min(r.end, int64(len(r.data)))]).ReadAt(p, off)
	r.n += n
	return n, err
}

// The overflow pages of a row may lie in any order: backwards is the worst for
// reading ahead.
func TestScatteredPages(t *testing.T) {
	const chain = 200
	e := newHeader(t, "a", rpm.StringEntry(rpm.TagDescription, strings.Repeat("x", chain*(writePageSize-4))))
	data, err := Encode([]Entry{e}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	be, page := binary.BigEndian, func(n uint32) []byte { return data[(n-1)*writePageSize:][:writePageSize] }
	order := []uint32{2} // the first table is written first
	for next := be.Uint32(page(2)); next != 0; next = be.Uint32(page(next)) {
		order = append(order, next)
	}
	for i, j := 0, len(order)-1; i < j; i, j = i+1, j-1 {
		a, b := page(order[i]), page(order[j])
		swap := slices.Clone(a)
		copy(a, b)
		copy(b, swap)
	}
	last := order[len(order)-1]
	for _, n := range order {
		be.PutUint32(page(n), n-1)
	}
	be.PutUint32(page(2), 0)
	leaf := page(last + 1)
	be.PutUint32(leaf[len(leaf)-4:], last)

	r := &countingReader{data: data, end: int64(len(data))}
	db, err := ReadFrom(r, int64(len(data)))
	if err != nil || len(db.Bad()) > 0 || len(db.Packages()) != 1 || len(order) < chain {
		t.Fatalf("%d packages, %d bad, %d pages, error %v", len(db.Packages()), len(db.Bad()), len(order), err)
	}
	if r.n > 5*len(data) {
		t.Errorf("%d bytes were read of %d", r.n, len(data))
	}
}

// A file that is cut off while it is read is an error.
func TestCutOff(t *testing.T) {
	const size = 2 * writePageSize
	for _, cut := range []int64{0, 1} {
		f := &sqliteFile{r: &countingReader{data: make([]byte, size), end: size - cut}, size: size, pageSize: writePageSize, pages: 2}
		if _, err := f.page(2, 1); cut == 0 && err != nil || cut > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("without the last %d bytes: error %v", cut, err)
		}
	}
}
