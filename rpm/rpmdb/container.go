package rpmdb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
)

// Limits on what is read. A database that exceeds one is refused.
const (
	MaxDatabaseSize = 1 << 30   // bytes of a database file
	MaxBlobSize     = 256 << 20 // bytes of one header blob, as in rpm
	MaxHeaders      = 1 << 20   // headers in one database
)

// Format is the container format of a database.
type Format uint8

const (
	SQLite Format = iota + 1 // rpmdb.sqlite
	NDB                      // Packages.db
	BDB                      // Packages, Berkeley DB hash
)

func (f Format) String() string {
	switch f {
	case SQLite:
		return "sqlite"
	case NDB:
		return "ndb"
	case BDB:
		return "bdb"
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// Names of database files inside a database directory, in the order in which
// Open looks for them.
const (
	SQLiteName = "rpmdb.sqlite"
	NDBName    = "Packages.db"
	BDBName    = "Packages"
)

// rawBlob is one record of a container, not looked into.
type rawBlob struct {
	num  uint32 // header number, never 0
	data []byte
}

// container decodes the records of a database file of any format.
// wal may hold the write-ahead log that belongs to an sqlite file.
func container(data, wal []byte) (Format, []rawBlob, error) {
	if err := checkSize(int64(len(data))); err != nil {
		return 0, nil, err
	}
	var f Format
	var blobs []rawBlob
	var err error
	switch {
	case bytes.HasPrefix(data, []byte(sqliteMagic)):
		f = SQLite
		blobs, err = readSQLite(bytes.NewReader(data), int64(len(data)), wal)
	case bytes.HasPrefix(data, []byte(ndbMagic)):
		f = NDB
		blobs, err = readNDB(data)
	case isBDB(data):
		f = BDB
		blobs, err = readBDB(data)
	default:
		return 0, nil, errors.New("not an rpm database")
	}
	if err != nil {
		return f, nil, fmt.Errorf("%v: %w", f, err)
	}
	return f, blobs, nil
}

// containerAt is container for size bytes of r, of which it reads what it needs.
// readWAL returns the write-ahead log; it is called for an sqlite file only.
func containerAt(r io.ReaderAt, size int64, readWAL func() ([]byte, error)) (Format, []rawBlob, error) {
	if err := checkSize(size); err != nil {
		return 0, nil, err
	}
	head := make([]byte, min(size, int64(len(sqliteMagic))))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return 0, nil, fmt.Errorf("reading database: %w", err)
	}
	if string(head) != sqliteMagic {
		// The size may be a lie (of a sparse reader or a file being truncated):
		// a short read is an error.
		data := make([]byte, size)
		if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), data); err != nil {
			return 0, nil, fmt.Errorf("reading database: %w", err)
		}
		return container(data, nil)
	}
	wal, err := readWAL()
	if err != nil {
		return SQLite, nil, err
	}
	blobs, err := readSQLite(r, size, wal)
	if err != nil {
		err = fmt.Errorf("%v: %w", SQLite, err)
	}
	return SQLite, blobs, err
}

func checkSize(size int64) error {
	if size < 0 || size > MaxDatabaseSize {
		return fmt.Errorf("database of %d bytes exceeds the limit of %d", size, MaxDatabaseSize)
	}
	return nil
}

// noEOF makes the end of input inside a structure an error that says so.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// find returns the database file in dir.
func find(fsys fs.FS, dir string) (string, error) {
	for _, base := range []string{SQLiteName, NDBName, BDBName} {
		name := path.Join(dir, base)
		if fi, err := fs.Stat(fsys, name); err == nil && fi.Mode().IsRegular() {
			return name, nil
		}
	}
	return "", &fs.PathError{Op: "open", Path: path.Join(dir, SQLiteName), Err: fs.ErrNotExist}
}

// openLimited opens a regular file of at most MaxDatabaseSize bytes.
func openLimited(fsys fs.FS, name string) (fs.File, int64, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	if err == nil {
		err = checkSize(fi.Size())
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, fi.Size(), nil
}

// readLimited reads a file, at most MaxDatabaseSize bytes.
func readLimited(fsys fs.FS, name string) ([]byte, error) {
	f, size, err := openLimited(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("reading database: %w", err)
	}
	return data, nil
}

// headerNum checks that n is usable as a header number.
func headerNum(n int64) (uint32, error) {
	if n <= 0 || n > math.MaxUint32 {
		return 0, fmt.Errorf("header number %d out of range", n)
	}
	return uint32(n), nil
}
