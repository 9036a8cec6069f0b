package rpmdb

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"rpmostree/internal/openpgp"
	"rpmostree/rpm"
)

// DB is the content of a database. It is read-only, safe for concurrent use,
// and holds no file open.
type DB struct {
	format   Format
	packages []Installed
	keys     []Installed
	bad      []BadHeader
}

// Installed is a header in a database.
type Installed struct {
	HeaderNum uint32 // ascending in order of installation, never used again
	Header    *rpm.Header
}

// BadHeader is a header that cannot be trusted: malformed, or other than its
// digests say. As in rpm, it does not count as installed.
type BadHeader struct {
	HeaderNum uint32
	Err       error
	header    *rpm.Header // nil: malformed
}

// Open reads the database at path: a file of any format, or a directory with
// one, in which rpmdb.sqlite is preferred to Packages.db and Packages. What a
// crash left in the write-ahead log of an sqlite file is taken into account.
// Nothing is locked and nothing is written: a database on a read-only file
// system reads like any other, and one that rpm changes meanwhile may read as
// malformed. Headers that are bad do not make Open fail; see [DB.Bad].
func Open(path string) (*DB, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	dir, name := path, "."
	if !fi.IsDir() {
		dir, name = filepath.Split(path)
		dir = cmp.Or(dir, ".")
	}
	db, err := OpenFS(os.DirFS(dir), name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return db, nil
}

// OpenFS is Open for a file or directory of a file system, which may be a
// commit in a repository.
func OpenFS(fsys fs.FS, name string) (*DB, error) {
	fi, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if fi.IsDir() {
		if name, err = find(fsys, name); err != nil {
			return nil, err
		}
	}
	f, size, err := openLimited(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, ok := f.(io.ReaderAt)
	if !ok {
		data := make([]byte, size)
		if _, err := io.ReadFull(f, data); err != nil {
			return nil, fmt.Errorf("%s: reading database: %w", name, err)
		}
		r = bytes.NewReader(data)
	}
	format, blobs, err := containerAt(r, size, func() ([]byte, error) {
		wal, err := readLimited(fsys, name+"-wal")
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return wal, err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return newDB(format, blobs), nil
}

// ReadFrom reads a database file of any format from size bytes of r, which may
// be an object in a repository. There is no write-ahead log.
func ReadFrom(r io.ReaderAt, size int64) (*DB, error) {
	format, blobs, err := containerAt(r, size, func() ([]byte, error) { return nil, nil })
	if err != nil {
		return nil, fmt.Errorf("rpmdb: %w", err)
	}
	return newDB(format, blobs), nil
}

// Parse is ReadFrom for bytes in memory. The result may refer to data.
func Parse(data []byte) (*DB, error) { return ParseLog(data, nil) }

// ParseLog is Parse with the write-ahead log of an sqlite file, as Open finds it. For
// other formats it counts for nothing.
func ParseLog(data, wal []byte) (*DB, error) {
	format, blobs, err := container(data, wal)
	if err != nil {
		return nil, fmt.Errorf("rpmdb: %w", err)
	}
	return newDB(format, blobs), nil
}

// newDB looks into the records of a container.
func newDB(format Format, blobs []rawBlob) *DB {
	db := &DB{format: format}
	headers := make([]*rpm.Header, len(blobs))
	errs := make([]error, len(blobs))
	parallel(len(blobs), func(i int) { headers[i], errs[i] = openBlob(blobs[i].data) })
	for i, b := range blobs {
		switch {
		case errs[i] != nil:
			db.bad = append(db.bad, BadHeader{b.num, errs[i], headers[i]})
		case isPublicKey(headers[i]):
			db.keys = append(db.keys, Installed{b.num, headers[i]})
		default:
			db.packages = append(db.packages, Installed{b.num, headers[i]})
		}
	}
	return db
}

// parallel calls do with 0 to n-1, on all processors.
func parallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	wg.Wait()
}

// openBlob parses a blob and checks its digests. It returns the header even
// if only a digest is wrong.
func openBlob(blob []byte) (*rpm.Header, error) {
	h, err := rpm.ParseInstalledHeader(blob)
	if err != nil {
		return nil, err
	}
	return h, verify(h)
}

// verify checks the digests that cover the header as the package had it.
func verify(h *rpm.Header) error {
	for _, d := range [...]struct {
		tag  rpm.Tag
		algo rpm.DigestAlgo
	}{
		{rpm.TagSHA3Header, rpm.SHA3_256},
		{rpm.TagSHA256Header, rpm.SHA256},
		{rpm.TagSHA1Header, rpm.SHA1},
	} {
		if !h.Has(d.tag) {
			continue
		}
		sum, err := d.algo.New()
		if err != nil {
			return err
		}
		if err := h.WriteImmutable(sum); err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != h.String(d.tag) {
			return fmt.Errorf("Header %v digest: BAD (Expected %s != %s)", d.algo, h.String(d.tag), got)
		}
	}
	return nil
}

// isPublicKey reports whether h is not a package but a key that rpm --import
// stored.
func isPublicKey(h *rpm.Header) bool {
	return h.Name() == "gpg-pubkey" && !h.Has(rpm.TagBaseNames)
}

// Format returns the format of the file that was read.
func (db *DB) Format() Format { return db.format }

// Packages returns the installed packages in order of HeaderNum. Public keys,
// which rpm -qa lists too, are left out; see [DB.Keys].
func (db *DB) Packages() []Installed { return db.packages }

// Keys returns the gpg-pubkey headers in order of HeaderNum.
func (db *DB) Keys() []Installed { return db.keys }

// Keyring returns the public keys that "rpm --import" has put into the database.
// Those of a kind that is not supported are left out.
func (db *DB) Keyring() (*rpm.Keyring, error) {
	ring, err := rpm.NewKeyring()
	if err != nil {
		return nil, err
	}
	for _, k := range db.keys {
		for _, text := range k.Header.Strings(rpm.TagPubKeys) {
			key, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
			if err == nil {
				err = ring.Add(key)
			}
			if err != nil && !errors.Is(err, openpgp.ErrNoKeys) {
				return nil, fmt.Errorf("rpmdb: header %d: PUBKEYS: %w", k.HeaderNum, err)
			}
		}
	}
	return ring, nil
}

// Bad returns the headers that failed to parse or verify.
func (db *DB) Bad() []BadHeader { return db.bad }

// Entries returns everything that a new database needs to hold the same:
// packages, keys, and headers of which no more than a digest is bad. What is
// malformed is left out.
func (db *DB) Entries() []Entry {
	var out []Entry
	for _, list := range [...][]Installed{db.packages, db.keys} {
		for _, p := range list {
			out = append(out, p.Entry())
		}
	}
	for _, b := range db.bad {
		if b.header != nil {
			out = append(out, Entry{b.HeaderNum, b.header})
		}
	}
	return out
}

// Entry returns p for use in a new database, with its number and its blob.
func (p Installed) Entry() Entry { return Entry{p.HeaderNum, p.Header} }

// ByName returns the packages of the given name; there may be several.
func (db *DB) ByName(name string) []Installed {
	return db.filter(func(h *rpm.Header) bool { return h.Name() == name })
}

// Owners returns the packages that own path, as rpm -qf does: their file at
// exactly this path must have been installed. Symbolic links are not followed.
func (db *DB) Owners(path string) []Installed {
	return db.filter(func(h *rpm.Header) bool { return hasFile(h, path) })
}

// WhatProvides returns the packages that provide name in any version, or own
// the file of this path.
func (db *DB) WhatProvides(name string) []Installed {
	return db.filter(func(h *rpm.Header) bool {
		for s := range stringsOf(h, rpm.TagProvideName) {
			if string(s) == name {
				return true
			}
		}
		return strings.HasPrefix(name, "/") && hasFile(h, name)
	})
}

func (db *DB) filter(keep func(*rpm.Header) bool) []Installed {
	var out []Installed
	for _, p := range db.packages {
		if keep(p.Header) {
			out = append(out, p)
		}
	}
	return out
}

// stringsOf yields the elements of a string array without copying it.
func stringsOf(h *rpm.Header, tag rpm.Tag) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		e, _ := h.Entry(tag)
		if e.Type != rpm.TypeString && e.Type != rpm.TypeStringArray {
			return
		}
		for rest := e.Data; len(rest) > 0; {
			var s []byte
			s, rest, _ = bytes.Cut(rest, []byte{0})
			if !yield(s) {
				return
			}
		}
	}
}

// hasFile reports whether h owns path and the file was installed.
func hasFile(h *rpm.Header, path string) bool {
	slash := strings.LastIndexByte(path, '/')
	dir, base := path[:slash+1], path[slash+1:]
	dirIndex, n := -1, 0
	for d := range stringsOf(h, rpm.TagDirNames) {
		if string(d) == dir {
			dirIndex = n
			break
		}
		n++
	}
	if dirIndex < 0 {
		return false
	}
	indexes, states := h.Uint32s(rpm.TagDirIndexes), h.Binary(rpm.TagFileStates)
	n = 0
	for b := range stringsOf(h, rpm.TagBaseNames) {
		if string(b) == base && n < len(indexes) && int64(indexes[n]) == int64(dirIndex) &&
			(n >= len(states) || FileState(states[n]).installed()) {
			return true
		}
		n++
	}
	return false
}
