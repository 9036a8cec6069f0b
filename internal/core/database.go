package core

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"rpmostree/internal/core/postprocess"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
	"rpmostree/rpm/rpmdb"
)

// databaseFiles returns where a tree may have its package database.
func databaseFiles() (out []string) {
	for _, dir := range []string{postprocess.DatabaseDir, "usr/lib/sysimage/rpm", "var/lib/rpm"} {
		for _, name := range []string{rpmdb.SQLiteName, rpmdb.NDBName, rpmdb.BDBName} {
			out = append(out, path.Join(dir, name))
		}
	}
	return out
}

// databaseAt returns the file at p, fs.ErrNotExist if there is none.
func databaseAt(t tree.Tree, p string) (tree.Entry, error) {
	e, err := t.Lookup(p)
	var below *tree.NotDirError
	if errors.As(err, &below) || err == nil && e.IsDir {
		err = fs.ErrNotExist
	}
	return e, err
}

// Database returns the package database of a tree.
func Database(o *repo.Objects, t tree.Tree) (*rpmdb.DB, error) {
	read := func(p string) ([]byte, error) {
		e, err := databaseAt(t, p)
		if err != nil {
			return nil, err
		}
		return o.ReadFile(e.Checksum, rpmdb.MaxDatabaseSize)
	}
	for _, p := range databaseFiles() {
		data, err := read(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		// Images that were made while something had the database open have its log.
		wal, err := read(p + "-wal")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		db, err := rpmdb.ParseLog(data, wal)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", p, err)
		}
		return db, nil
	}
	return nil, errors.New("No rpmdb found in the tree: it has no packages")
}

// databaseDir returns the directory in which the database of a tree is, or is to be.
func databaseDir(t tree.Tree) (string, error) {
	for _, p := range databaseFiles() {
		if _, err := databaseAt(t, p); err == nil {
			return path.Dir(p), nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return postprocess.DatabaseDir, nil
}
