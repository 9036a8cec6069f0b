package rpmdb

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"rpmostree/rpm"
)

// Options configure Encode and Write.
type Options struct {
	// ByteOrder is that of the machines that will use the database, needed
	// for the keys of one table. Default: this machine's.
	ByteOrder binary.ByteOrder
}

// Encode returns a complete sqlite database of the entries. It depends on
// nothing but its arguments. Entries with HeaderNum 0 get the numbers after the
// greatest, in order; numbers must be unique.
func Encode(entries []Entry, o Options) ([]byte, error) {
	var b buffer
	if err := encode(&b, entries, o); err != nil {
		return nil, fmt.Errorf("rpmdb: %w", err)
	}
	return b.data, nil
}

// A buffer is a file in memory.
type buffer struct{ data []byte }

func (b *buffer) WriteAt(p []byte, off int64) (int, error) {
	if end := int(off) + len(p); end > len(b.data) {
		b.data = slices.Grow(b.data, end-len(b.data))[:end]
	}
	return copy(b.data[off:], p), nil
}

// encode writes a database of the entries to w, which must be empty.
func encode(w io.WriterAt, entries []Entry, o Options) error {
	entries, err := number(entries)
	if err != nil {
		return err
	}
	if o.ByteOrder == nil {
		o.ByteOrder = binary.NativeEndian
	}
	tables := makeTables(entries, o.ByteOrder)
	m := newImage(w)
	s := schema{image: m}
	s.table("Packages", packagesSQL, m.finish(m.packages(entries)))
	s.table("sqlite_sequence", sequenceSQL, m.finish(m.sequence(entries)))
	for i := range tables {
		t := &tables[i]
		s.table(t.def.name, tableSQL(t.def), m.finish(t.rowTree(m)))
		if t.def.byKey {
			s.index(t.def.name, "key", m.finish(t.keyTree(m)))
		}
		if t.def.byNum {
			s.index(t.def.name, "hnum", m.finish(t.numTree(m)))
		}
	}
	s.finish()
	return m.end()
}

// number returns the entries in ascending order of their numbers, all set.
func number(entries []Entry) ([]Entry, error) {
	entries = slices.Clone(entries)
	var last uint32
	for _, e := range entries {
		last = max(last, e.HeaderNum)
	}
	for i := range entries {
		if entries[i].hdr == nil {
			return nil, errors.New("entry without header")
		}
		if entries[i].HeaderNum == 0 {
			if last++; last == 0 {
				return nil, errors.New("header numbers are used up")
			}
			entries[i].HeaderNum = last
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.HeaderNum, b.HeaderNum) })
	for i := 1; i < len(entries); i++ {
		if entries[i].HeaderNum == entries[i-1].HeaderNum {
			return nil, fmt.Errorf("header number %d is used twice", entries[i].HeaderNum)
		}
	}
	return entries, nil
}

// tableRows are the rows of an index table, in rowid order from 1.
type tableRows struct {
	def   *indexTable
	rows  []row
	byKey []int32 // positions in rows in key order
}

// makeTables extracts and sorts the rows of all index tables, in parallel.
func makeTables(entries []Entry, order binary.ByteOrder) []tableRows {
	tables := make([]tableRows, len(indexTables))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range tables {
		tables[i].def = &indexTables[i]
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t := &tables[i]
			n := 0
			for _, e := range entries {
				n++
				if x, ok := e.hdr.Entry(t.def.tag); ok && x.Type != rpm.TypeBinary {
					n += int(x.Count) - 1
				}
			}
			t.rows = make([]row, 0, n)
			for _, e := range entries {
				t.rows = appendRows(t.rows, t.def, e.hdr, e.HeaderNum, order)
			}
			if t.def.byKey {
				t.byKey = keyOrder(t.rows)
			}
		})
	}
	wg.Wait()
	return tables
}

// keyOrder returns the positions of rows in the order of an index on key:
// bytewise by key, then by rowid.
func keyOrder(rows []row) []int32 {
	refs := make([]ref, len(rows))
	for i := range refs {
		refs[i].pos = int32(i)
	}
	sortRefs(rows, refs, 0)
	out := make([]int32, len(refs))
	for i, r := range refs {
		out[i] = r.pos
	}
	return out
}

// A ref stands for a row while rows are sorted.
type ref struct {
	word uint64 // bytes of the key, where the rows to be sorted may differ
	pos  int32
}

// maxEqual is after how many equal bytes keys are compared as a whole.
const maxEqual = 512

// sortRefs sorts refs to rows whose keys are equal in their first bytes: by the next
// eight bytes, and then each run in which these are equal too. Keys have no NUL.
func sortRefs(rows []row, refs []ref, equal int) {
	if equal >= maxEqual {
		slices.SortFunc(refs, func(a, b ref) int {
			return cmp.Or(bytes.Compare(rows[a.pos].key, rows[b.pos].key), cmp.Compare(a.pos, b.pos))
		})
		return
	}
	for i := range refs {
		var word [8]byte
		if key := rows[refs[i].pos].key; len(key) > equal {
			copy(word[:], key[equal:])
		}
		refs[i].word = binary.BigEndian.Uint64(word[:])
	}
	slices.SortFunc(refs, func(a, b ref) int {
		if a.word != b.word {
			return cmp.Compare(a.word, b.word)
		}
		return cmp.Compare(a.pos, b.pos)
	})
	for len(refs) > 0 {
		n := 1
		for n < len(refs) && refs[n].word == refs[0].word {
			n++
		}
		if n > 1 && byte(refs[0].word) != 0 {
			sortRefs(rows, refs[:n], equal+8)
		}
		refs = refs[n:]
	}
}

// packages builds the table of header blobs. The first column is an alias of
// the rowid and stored as NULL.
func (m *image) packages(entries []Entry) node {
	leaves := m.newLeaves()
	var rowids []int64
	for _, e := range entries {
		blob := e.hdr.Blob()
		head := appendVarint([]byte{0, 0}, dataSerial(len(blob), true))
		head[0] = byte(len(head))
		m.tableCell(leaves, int64(e.HeaderNum), head, blob)
		rowids = append(rowids, int64(e.HeaderNum))
	}
	return m.table(leaves, rowids)
}

// sequence builds the table in which AUTOINCREMENT keeps the last number.
func (m *image) sequence(entries []Entry) node {
	leaves := m.newLeaves()
	if len(entries) > 0 {
		var rec recordBuffer
		rec.text("Packages")
		rec.int(int64(entries[len(entries)-1].HeaderNum))
		m.tableCell(leaves, 1, rec.header(), rec.body)
	}
	return m.table(leaves, []int64{1})
}

// rowTree builds the table itself.
func (t *tableRows) rowTree(m *image) node {
	leaves := m.newLeaves()
	var rec recordBuffer
	rowids := make([]int64, len(t.rows))
	for i, r := range t.rows {
		rowids[i] = int64(i) + 1
		rec.reset()
		rec.data(r.key, t.def.blob)
		rec.int(int64(r.num))
		rec.int(int64(r.idx))
		m.tableCell(leaves, rowids[i], rec.header(), rec.body)
	}
	return m.table(leaves, rowids)
}

// keyTree builds the index on key.
func (t *tableRows) keyTree(m *image) node {
	leaves := m.newLeaves()
	var rec recordBuffer
	for _, pos := range t.byKey {
		rec.reset()
		rec.data(t.rows[pos].key, t.def.blob)
		rec.int(int64(pos) + 1)
		m.indexCell(leaves, rec.header(), rec.body)
	}
	return m.index(leaves)
}

// numTree builds the index on hnum. The rows are in this order already.
func (t *tableRows) numTree(m *image) node {
	leaves := m.newLeaves()
	var rec recordBuffer
	for i, r := range t.rows {
		rec.reset()
		rec.int(int64(r.num))
		rec.int(int64(i) + 1)
		m.indexCell(leaves, rec.header(), rec.body)
	}
	return m.index(leaves)
}
