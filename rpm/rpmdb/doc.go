// Package rpmdb reads and writes the database of installed packages.
//
// All three formats found in images are read: sqlite (rpmdb.sqlite), ndb
// (Packages.db) and Berkeley DB hash (Packages, either byte order). A database
// is read whole into memory and closed at once, so it may come from a
// directory, an open file or an object of an ostree commit alike; nothing is
// locked and no side files are left.
//
// Only sqlite is written, always as a complete new file: the same entries give
// the same bytes, in rollback-journal mode, so that it can be queried on a
// read-only file system.
//
// A header blob is the package's main header, verbatim, followed by entries
// that record the installation. See [NewEntry].
package rpmdb
