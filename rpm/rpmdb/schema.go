package rpmdb

import "encoding/binary"

// Values of the file header that rpm's own databases have, or that are fixed
// here so that they do not depend on the version of a library.
const (
	writeJournal       = 1  // rollback journal, not WAL
	writeSchemaFormat  = 4  // of the CREATE statements
	writeSchemaCookie  = 48 // changes with the schema
	writeChangeCounter = 1  // changes with every transaction
	writeSQLiteVersion = 3040001
)

// The statements of the schema are rpm's, byte for byte: what reads a database
// may compare them.
const (
	packagesSQL = "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)"
	sequenceSQL = "CREATE TABLE sqlite_sequence(name,seq)"
)

func tableSQL(t *indexTable) string {
	kind := "TEXT"
	if t.blob {
		kind = "BLOB"
	}
	return "CREATE TABLE '" + t.name + "' (key '" + kind + "' NOT NULL, hnum INTEGER NOT NULL, " +
		"idx INTEGER NOT NULL, FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum))"
}

func indexSQL(name, table, column string) string {
	return "CREATE INDEX '" + name + "' ON '" + table + "'(" + column + " ASC)"
}

// schema collects the rows of table sqlite_schema, whose root is page 1.
type schema struct {
	image  *image
	leaves cells
	rowids []int64
}

func (s *schema) table(name, sql string, root uint32) {
	s.add("table", name, name, sql, root)
}

func (s *schema) index(table, column string, root uint32) {
	name := table + "_" + column + "_idx"
	s.add("index", name, table, indexSQL(name, table, column), root)
}

func (s *schema) add(kind, name, table, sql string, root uint32) {
	var rec recordBuffer
	rec.text(kind)
	rec.text(name)
	rec.text(table)
	rec.int(int64(root))
	rec.text(sql)
	rowid := int64(len(s.rowids)) + 1
	s.image.tableCell(&s.leaves, rowid, rec.header(), rec.body)
	s.rowids = append(s.rowids, rowid)
}

// finish puts the root of the schema into page 1. It is an interior page of
// few cells, as the schema takes three leaves, so that the file header fits.
func (s *schema) finish() {
	root := s.image.table(&s.leaves, s.rowids)
	if s.image.err == nil {
		root.place(s.image.first[:], sqliteHeaderSize)
	}
}

// end writes what is left, page 1 with the file header at last.
func (m *image) end() error {
	m.flush()
	be := binary.BigEndian
	h := m.first[:sqliteHeaderSize]
	copy(h, sqliteMagic)
	be.PutUint16(h[16:], writePageSize)
	h[18], h[19] = writeJournal, writeJournal
	h[21], h[22], h[23] = 64, 32, 32 // payload fractions, always these
	be.PutUint32(h[24:], writeChangeCounter)
	be.PutUint32(h[28:], m.pages)
	be.PutUint32(h[40:], writeSchemaCookie)
	be.PutUint32(h[44:], writeSchemaFormat)
	be.PutUint32(h[56:], sqliteUTF8)
	be.PutUint32(h[92:], writeChangeCounter)
	be.PutUint32(h[96:], writeSQLiteVersion)
	if m.err == nil {
		_, m.err = m.w.WriteAt(m.first[:], 0)
	}
	return m.err
}
