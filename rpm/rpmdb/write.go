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
	d, err := dirfd.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("rpmdb: %w", err)
	}
	defer d.Close()
	if err := write(d, filepath.Base(path), entries, o); err != nil {
		return fmt.Errorf("rpmdb: %w", err)
	}
	return d.Sync()
}

func write(d *dirfd.Dir, name string, entries []Entry, o Options) error {
	t, err := d.TmpFile(0o600)
	if err != nil {
		return err
	}
	defer t.Close()
	if err := encode(t, entries, o); err != nil {
		return err
	}
	if err := errors.Join(t.Chmod(0o644), t.Sync()); err != nil {
		return err
	}
	for _, suffix := range [...]string{"-journal", "-wal", "-shm"} {
		if err := d.Unlink(name + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return t.Replace(d, name)
}
