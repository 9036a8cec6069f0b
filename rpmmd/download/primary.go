package download

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rpmostree/internal/failpoint"
	"rpmostree/rpmmd"
)

// indexSuffix is appended to the name of a primary.xml for its index.
const indexSuffix = ".index"

// Primary calls fn for each package of the repository.
func (s *Snapshot) Primary(ctx context.Context, fn func(*rpmmd.Package) error) error {
	x, err := s.Index(ctx)
	if err != nil {
		return err
	}
	for i := range x.Len() {
		if err := fn(x.Package(i)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Index returns the packages of the repository. The first call reads primary.xml
// and leaves the index in the cache, from where later ones map it into memory. It
// stays there as long as the process runs, since its strings may be anywhere.
func (s *Snapshot) Index(ctx context.Context) (*rpmmd.Index, error) {
	rec, ok := s.record("primary")
	if !ok {
		return nil, &RepoError{s.ID(), fmt.Errorf("%w: primary", ErrNoMetadata)}
	}
	if s.indexed(&rec) {
		return s.index, nil
	}
	s.indexLock.Lock()
	defer s.indexLock.Unlock()
	if s.index != nil {
		return s.index, nil
	}
	name, err := s.fileName(&rec)
	if err != nil {
		return nil, &RepoError{s.ID(), err}
	}
	name, key := name+indexSuffix, rec.Checksum.String()
	if s.d.opts.Mode != CacheOnly {
		err := s.writeIndex(ctx, name, key)
		var wrong *RepoError
		if errors.As(err, &wrong) {
			return nil, err
		}
		if err == nil {
			if s.index, err = openIndex(name, key); err == nil {
				return s.index, nil
			}
		}
	}
	// Nothing may or can be written there.
	s.index, err = s.memoryIndex(ctx, key)
	return s.index, err
}

// indexed reports whether the index is there, so that primary.xml is not needed.
func (s *Snapshot) indexed(primary *rpmmd.Record) bool {
	s.indexLock.Lock()
	defer s.indexLock.Unlock()
	if s.index != nil {
		return true
	}
	name, err := s.fileName(primary)
	if err == nil {
		s.index, err = openIndex(name+indexSuffix, primary.Checksum.String())
	}
	return err == nil
}

// openIndex maps an index into memory. Files of the cache are replaced, never
// changed.
func openIndex(name, key string) (*rpmmd.Index, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() <= 0 || st.Size() > rpmmd.MaxIndex || !st.Mode().IsRegular() {
		return nil, rpmmd.ErrIndex
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", name, err)
	}
	x, err := rpmmd.OpenIndex(b, key)
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(b))
	}
	return x, nil
}

// fillIndex reads primary.xml into an index.
func (s *Snapshot) fillIndex(ctx context.Context, out io.Writer, key string) error {
	return s.parse(ctx, "primary", func(r io.Reader) error { return rpmmd.IndexPrimary(r, out, key) })
}

func (s *Snapshot) writeIndex(ctx context.Context, name, key string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".index")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when all went well
	if err = s.fillIndex(ctx, f, key); err == nil {
		err = failpoint.At("download.index")
	}
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return err
}

func (s *Snapshot) memoryIndex(ctx context.Context, key string) (*rpmmd.Index, error) {
	var b bytes.Buffer
	if err := s.fillIndex(ctx, &b, key); err != nil {
		return nil, err
	}
	return rpmmd.OpenIndex(b.Bytes(), key)
}
