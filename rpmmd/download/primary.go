package download

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"rpmostree/rpmmd"
)

// cacheSuffix is appended to the name of a primary.xml for its compact form.
const cacheSuffix = ".cache"

// Primary calls fn for each package of the repository. The first call reads
// primary.xml and leaves a compact form of it in the cache, which later calls use.
func (s *Snapshot) Primary(ctx context.Context, fn func(*rpmmd.Package) error) error {
	rec, ok := s.record("primary")
	if !ok {
		return &RepoError{s.ID(), ErrNoMetadata}
	}
	name, err := s.fileName(&rec)
	if err != nil {
		return &RepoError{s.ID(), err}
	}
	name += cacheSuffix
	called := false
	err = readCache(name, rec.Checksum.String(), func(p *rpmmd.Package) error {
		called = true
		return fn(p)
	})
	if called || !errors.Is(err, rpmmd.ErrCache) {
		return err // after the first package it is too late to begin anew
	}
	w := rpmmd.NewCacheWriter()
	err = s.parse(ctx, "primary", func(r io.Reader) error {
		return rpmmd.ParsePrimary(r, func(p *rpmmd.Package) error {
			w.Add(p)
			return fn(p)
		})
	})
	if err == nil && s.d.opts.Mode != CacheOnly {
		// The compact form is not needed: without it, the next call takes longer.
		_ = writeCache(w, name, rec.Checksum.String())
	}
	return err
}

// readCache is rpmmd.ReadCache for a file. A missing one is ErrCache, too.
func readCache(name, key string, fn func(*rpmmd.Package) error) error {
	f, err := os.Open(name)
	if err != nil {
		return rpmmd.ErrCache
	}
	defer f.Close()
	return rpmmd.ReadCache(f, key, fn)
}

func writeCache(w *rpmmd.CacheWriter, name, key string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".primary")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when all went well
	err = errors.Join(w.Write(f, key), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return err
}
