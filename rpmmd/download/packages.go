package download

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"rpmostree/internal/fetch"
	"rpmostree/rpmmd"
)

// A Wanted is a package to be downloaded.
type Wanted struct {
	Snapshot *Snapshot
	Package  *rpmmd.Package
}

// OpenPackage opens a package for streaming, from the cache if it is there. Read
// returns an error instead of io.EOF if the content does not have the package's
// checksum: nothing that was read may be trusted before. The cache is not written.
// Errors are *PackageError.
func (s *Snapshot) OpenPackage(ctx context.Context, p *rpmmd.Package) (io.ReadCloser, error) {
	rc, err := s.openPackage(ctx, p)
	if err != nil {
		return nil, &PackageError{s.ID(), p.String(), err}
	}
	return rc, nil
}

// Retry reports whether OpenPackage should be tried again after an error of
// reading what it returned: the content was wrong, and there is another mirror,
// which comes next. Tries is how often the package was opened already.
func (s *Snapshot) Retry(p *rpmmd.Package, err error, tries int) bool {
	return p.Base == "" && fetch.WrongContent(err) && tries < len(s.mirrors.Bases())
}

func (s *Snapshot) openPackage(ctx context.Context, p *rpmmd.Package) (io.ReadCloser, error) {
	name, req, err := s.packageRequest(p)
	if err != nil {
		return nil, err
	}
	if intact(name, p.Size, p.Checksum) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		v, err := newVerifier(f, name, p.Checksum)
		if err != nil {
			f.Close()
			return nil, err
		}
		return &packageReader{v, f}, nil
	}
	if s.d.opts.Mode == CacheOnly {
		return nil, errors.New("not cached")
	}
	return s.client.Open(ctx, req)
}

type packageReader struct {
	io.Reader
	io.Closer
}

// packageRequest returns where a package is in the cache and how to fetch it.
func (s *Snapshot) packageRequest(p *rpmmd.Package) (name string, req fetch.Request, err error) {
	base, err := safeBase(p.Location)
	if err != nil {
		return "", req, err
	}
	sum := fetch.Checksum(p.Checksum)
	if !sum.Valid() {
		return "", req, fmt.Errorf("invalid checksum %q", sum)
	}
	req = s.request(p.Base, p.Location)
	req.Size, req.Checksums = p.Size, []fetch.Checksum{sum}
	// Repositories may have different packages of the same name.
	return filepath.Join(s.dir, "packages", sum.Hex[:16]+"-"+base), req, nil
}

// FetchPackage returns the path of a package in the cache, verified, and fetches
// it if it is not there. Errors are *PackageError.
func (s *Snapshot) FetchPackage(ctx context.Context, p *rpmmd.Package) (string, error) {
	name, err := s.fetchPackage(ctx, p)
	if err != nil {
		return "", &PackageError{s.ID(), p.String(), err}
	}
	return name, nil
}

func (s *Snapshot) fetchPackage(ctx context.Context, p *rpmmd.Package) (string, error) {
	name, req, err := s.packageRequest(p)
	if err != nil {
		return "", err
	}
	if intact(name, p.Size, p.Checksum) {
		return name, nil
	}
	if s.d.opts.Mode == CacheOnly {
		return "", errors.New("not cached")
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", err
	}
	_, err = s.client.File(ctx, req, name)
	return name, err
}

// Cached returns the path of a package in the cache; ok is false if it is not
// there or damaged.
func (s *Snapshot) Cached(p *rpmmd.Package) (path string, ok bool) {
	name, _, err := s.packageRequest(p)
	return name, err == nil && intact(name, p.Size, p.Checksum)
}

// RemovePackage removes a package from the cache, if it is there.
func (s *Snapshot) RemovePackage(p *rpmmd.Package) error {
	name, _, err := s.packageRequest(p)
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// FetchPackages fetches packages of several repositories at once, and returns their
// paths in the order of wants. The first error ends all. Progress, if not nil, is
// called after each package with how many are done, perhaps from several
// goroutines at once.
func (d *Downloader) FetchPackages(ctx context.Context, wants []Wanted, progress func(done, total int)) ([]string, error) {
	var done atomic.Int64
	paths := make([]string, len(wants))
	err := d.EachPackage(ctx, wants, func(ctx context.Context, i int) error {
		var err error
		paths[i], err = wants[i].Snapshot.FetchPackage(ctx, wants[i].Package)
		if n := done.Add(1); err == nil && progress != nil {
			progress(int(n), len(wants))
		}
		return err
	})
	return paths, err
}

// EachPackage calls fn with each index of wants, as many at once as downloads are
// allowed. fn may stream the package (OpenPackage) to where it is used. The first
// error ends all.
func (d *Downloader) EachPackage(ctx context.Context, wants []Wanted, fn func(ctx context.Context, i int) error) error {
	parallel := 0
	for _, w := range wants {
		if _, ok := w.Snapshot.Cached(w.Package); !ok && d.opts.Progress != nil {
			d.total.update(w.Snapshot.ID(), w.Package.Location, 0, w.Package.Size)
		}
		parallel = max(parallel, cmp.Or(w.Snapshot.Config.MaxParallel, DefaultParallel))
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, min(parallel, MaxParallel)))
	for i := range wants {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fn(ctx, i)
		})
	}
	return g.Wait()
}
