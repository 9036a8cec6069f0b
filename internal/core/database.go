package core

import (
	"errors"
	"fmt"
	"io/fs"

	"rpmostree/internal/core/postprocess"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
	"rpmostree/rpm/rpmdb"
)

// Database returns the package database of a tree.
func Database(o *repo.Objects, t tree.Tree) (*rpmdb.DB, error) {
	for _, dir := range []string{postprocess.DatabaseDir, "usr/lib/sysimage/rpm", "var/lib/rpm"} {
		for _, name := range []string{rpmdb.SQLiteName, rpmdb.NDBName, rpmdb.BDBName} {
			e, err := t.Lookup(dir + "/" + name)
			var below *tree.NotDirError
			if errors.Is(err, fs.ErrNotExist) || errors.As(err, &below) || err == nil && e.IsDir {
				continue
			} else if err != nil {
				return nil, err
			}
			data, err := o.ReadFile(e.Checksum, rpmdb.MaxDatabaseSize)
			if err != nil {
				return nil, err
			}
			db, err := rpmdb.Parse(data)
			if err != nil {
				return nil, fmt.Errorf("reading %s/%s: %w", dir, name, err)
			}
			return db, nil
		}
	}
	return nil, errors.New("No rpmdb found in the tree: it has no packages")
}
