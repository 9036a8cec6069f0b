package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"rpmostree/rpm"
)

// writeDB writes entries to a new directory and returns it.
func writeDB(t testing.TB, entries []Entry) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := Write(filepath.Join(dir, SQLiteName), entries, Options{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sqlite returns the output of statements on a database that nothing changes.
func sqlite(t testing.TB, dir, sql string) string {
	t.Helper()
	return run(t, "sqlite3", "file:"+filepath.Join(dir, SQLiteName)+"?immutable=1", sql)
}

// compareTables compares the rows of all index tables and the schema.
func compareTables(t *testing.T, want, got string) {
	t.Helper()
	var sql strings.Builder
	for _, table := range indexTables {
		fmt.Fprintf(&sql, "SELECT '%[1]s',typeof(key),quote(key),hnum,idx FROM '%[1]s' ORDER BY hnum,idx,key;\n", table.name)
	}
	w, g := sqlite(t, want, sql.String()), sqlite(t, got, sql.String())
	if d := gocmp.Diff(strings.Split(w, "\n"), strings.Split(g, "\n")); d != "" {
		t.Errorf("rows:\n%s", d)
	}
	t.Logf("%d index rows", strings.Count(g, "\n"))
	const schema = "SELECT type,name,tbl_name,sql FROM sqlite_schema WHERE name != 'sqlite_stat1' ORDER BY type,name;"
	if d := gocmp.Diff(sqlite(t, want, schema), sqlite(t, got, schema)); d != "" {
		t.Errorf("schema:\n%s", d)
	}
}

// compareRebuilt compares the index tables of a database of the entries with
// those that rpm makes from the same headers.
func compareRebuilt(t *testing.T, entries []Entry) {
	t.Helper()
	ours := writeDB(t, entries)
	theirs := t.TempDir()
	if err := os.CopyFS(theirs, os.DirFS(ours)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("rpmdb", "--dbpath", theirs, "--rebuilddb", "-v").CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("rpmdb --rebuilddb: %v: %s", err, out)
	}
	compareTables(t, theirs, ours)
}

// TestTablesEqualRPM rebuilds the databases of real systems from their blobs.
func TestTablesEqualRPM(t *testing.T) {
	oracle(t, "sqlite3")
	for _, s := range sampleDBs {
		if s.format == SQLite {
			t.Run(s.name, func(t *testing.T) {
				db := openSample(t, s.file)
				compareTables(t, copySample(t, s.file), writeDB(t, db.Entries()))
			})
		}
	}
}

// TestWrittenIsValid has sqlite and rpm check what was written from databases
// of every format.
func TestWrittenIsValid(t *testing.T) {
	oracle(t, "sqlite3")
	oracle(t, "rpm")
	for _, s := range sampleDBs {
		t.Run(s.name, func(t *testing.T) {
			db := openSample(t, s.file)
			dir := writeDB(t, db.Entries())
			path := filepath.Join(dir, SQLiteName)
			if got := run(t, "sqlite3", path, "PRAGMA integrity_check; PRAGMA foreign_key_check;"); got != "ok\n" {
				t.Errorf("integrity check: %s", got)
			}
			run(t, "rpmdb", "--dbpath", dir, "--verifydb")
			if d := gocmp.Diff(queryAll(db), queryRPM(t, dir)); d != "" {
				t.Error(d)
			}
			again, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range again.Entries() {
				if want := db.Entries()[i]; !bytes.Equal(e.hdr.Blob(), want.hdr.Blob()) || e.HeaderNum != want.HeaderNum {
					t.Fatalf("header %d changed", want.HeaderNum)
				}
			}
		})
	}
}

// TestDeterministic also shows that the order of the arguments does not matter.
func TestDeterministic(t *testing.T) {
	entries := openSample(t, "fedora35/rpmdb.sqlite").Entries()
	a, err := Encode(entries, Options{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(entries)
	b, err := Encode(entries, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("same entries, other bytes")
	}
}

func TestByteOrder(t *testing.T) {
	oracle(t, "sqlite3")
	entries := openSample(t, "rpm-upstream-misc/rpmdb.sqlite").Entries()[:1]
	tid := entries[0].hdr.Uint32s(1128)[0]
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		path := filepath.Join(t.TempDir(), SQLiteName)
		if err := Write(path, entries, Options{ByteOrder: order}); err != nil {
			t.Fatal(err)
		}
		var want [4]byte
		order.PutUint32(want[:], tid)
		got := run(t, "sqlite3", path, "SELECT hex(key) FROM Installtid;")
		if got != fmt.Sprintf("%X\n", want) {
			t.Errorf("%v: %s, want %X", order, got, want)
		}
	}
}

func TestEmpty(t *testing.T) {
	oracle(t, "rpm")
	dir := writeDB(t, nil)
	run(t, "rpmdb", "--dbpath", dir, "--verifydb")
	if out := run(t, "rpm", "--dbpath", dir, "-qa"); out != "" {
		t.Errorf("rpm -qa: %q", out)
	}
	db, err := Open(dir)
	if err != nil || len(db.Packages()) != 0 {
		t.Errorf("got %v, %v", db, err)
	}
}

func TestNumbers(t *testing.T) {
	entries := openSample(t, "rpm-upstream-misc/rpmdb.sqlite").Entries()
	for _, c := range []struct {
		give [3]uint32
		want []uint32 // nil: error
	}{
		{[3]uint32{0, 0, 0}, []uint32{1, 2, 3}},
		{[3]uint32{7, 0, 3}, []uint32{3, 7, 8}},
		{[3]uint32{1 << 31, 200, 70000}, []uint32{200, 70000, 1 << 31}},
		{[3]uint32{2, 2, 0}, nil},
		{[3]uint32{1<<32 - 1, 0, 0}, nil},
	} {
		for i, n := range c.give {
			entries[i].HeaderNum = n
		}
		data, err := Encode(entries, Options{})
		if c.want == nil {
			if err == nil {
				t.Errorf("%d: no error", c.give)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d: %v", c.give, err)
		}
		blobs, err := readSQLite(bytes.NewReader(data), int64(len(data)), nil)
		if err != nil {
			t.Fatalf("%d: %v", c.give, err)
		}
		var got []uint32
		for _, b := range blobs {
			got = append(got, b.num)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d: got %d, want %d", c.give, got, c.want)
		}
	}
}

// TestReplace checks that the old file is never written to.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SQLiteName)
	for name, data := range map[string]string{"": "old", "-wal": "old log", "-shm": "x"} {
		if err := os.WriteFile(path+name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(path, path+".link"); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, nil, Options{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path + ".link"); err != nil || string(got) != "old" {
		t.Errorf("hard link: %q, %v", got, err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("left: %v, %v", names, err)
	}
	if db, err := Open(path); err != nil || db.Format() != SQLite {
		t.Errorf("new file: %v", err)
	}
}

func BenchmarkOpen(b *testing.B) {
	path := shared(b, "rpmdbs/fedora35/rpmdb.sqlite")
	for b.Loop() {
		if _, err := Open(path); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	entries := openSample(b, "fedora35/rpmdb.sqlite").Entries()
	for b.Loop() {
		if _, err := Encode(entries, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLayer adds a package to a database of 181.
func BenchmarkLayer(b *testing.B) {
	base := shared(b, "rpmdbs/ubi8-s390x/Packages")
	sig, hdr, err := readPackage(shared(b, "rpms/rpm-upstream/hello-2.0-1.x86_64.rpm"))
	if err != nil {
		b.Fatal(err)
	}
	out := filepath.Join(b.TempDir(), SQLiteName)
	for b.Loop() {
		db, err := Open(base)
		if err != nil {
			b.Fatal(err)
		}
		e, err := NewEntry(sig, hdr, InstallInfo{})
		if err != nil {
			b.Fatal(err)
		}
		if err := Write(out, append(db.Entries(), e), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// fullDisk takes some writes and refuses all others.
type fullDisk struct {
	buffer
	left int
}

func (d *fullDisk) WriteAt(p []byte, off int64) (int, error) {
	if d.left--; d.left < 0 {
		return 0, syscall.ENOSPC
	}
	return d.buffer.WriteAt(p, off)
}

// A write that fails makes all fail, and there is no header before all else is there.
func TestFullDisk(t *testing.T) {
	var names []string
	for i := range 20_000 {
		names = append(names, fmt.Sprintf("name-%d", i))
	}
	entries := []Entry{newHeader(t, "a", rpm.StringsEntry(rpm.TagProvideName, names...), rpm.StringEntry(rpm.TagDescription, strings.Repeat("x", 1<<20)))}
	for n := 0; ; n++ {
		d := &fullDisk{left: n}
		err := encode(d, entries, Options{})
		if err == nil {
			if n < 10 {
				t.Errorf("%d writes", n)
			}
			break
		}
		if !errors.Is(err, syscall.ENOSPC) || bytes.HasPrefix(d.data, []byte(sqliteMagic)) {
			t.Fatalf("after %d writes: %v", n, err)
		}
	}
}
