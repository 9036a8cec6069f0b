package rpmdb

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"rpmostree/internal/dirfd"
)

// Write makes the file at path a database of the entries, in one step: a crash
// leaves the old file or the new one, and a hard link to the old file keeps its
// content. Side files of a previous sqlite database are removed first, as they
// would be applied to the new one; rpm leaves none that matter when it ends.
func Write(path string, entries []Entry, o Options) error {
	data, err := Encode(entries, o)
	if err != nil {
		return err
	}
	d, err := dirfd.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("rpmdb: %w", err)
	}
	defer d.Close()
	name := filepath.Base(path)
	for _, suffix := range [...]string{"-journal", "-wal", "-shm"} {
		if err := d.Unlink(name + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rpmdb: %w", err)
		}
	}
	if err := d.WriteFileAtomic(name, data, 0o644, true); err != nil {
		return fmt.Errorf("rpmdb: %w", err)
	}
	return d.Sync()
}
