package download

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"rpmostree/internal/compress"
	"rpmostree/internal/failpoint"
	"rpmostree/internal/fetch"
	"rpmostree/rpmmd"
)

// A Snapshot is the metadata of a repository at one time. It does not change and
// is safe for concurrent use.
type Snapshot struct {
	Config   rpmmd.RepoConfig
	Repomd   *rpmmd.Repomd
	Checksum rpmmd.Checksum // sha256 of repomd.xml: the identity of the snapshot
	// Checked is when repomd.xml was last known to be the origin's.
	Checked time.Time
	// Fresh is set if the origin was asked for this snapshot.
	Fresh bool

	d       *Downloader
	client  *fetch.Client
	mirrors *fetch.Mirrors
	dir     string // the repository's in the cache

	indexLock sync.Mutex
	index     *rpmmd.Index
}

// ID returns the repository's ID.
func (s *Snapshot) ID() string { return s.Config.ID }

// Generated returns when the repository's metadata was made.
func (s *Snapshot) Generated() time.Time { return time.Unix(s.Repomd.Timestamp(), 0) }

// ErrNoMetadata says that a repository has no metadata file of a type.
var ErrNoMetadata = errors.New("metadata not found")

// Open opens a metadata file, such as "primary" or "filelists", decompressed. It
// is fetched if it is not in the cache. At its end Read returns an error instead
// of io.EOF if the content is not what repomd.xml says. The error wraps
// ErrNoMetadata if the repository has no such file.
func (s *Snapshot) Open(ctx context.Context, typ string) (io.ReadCloser, error) {
	rec, ok := s.record(typ)
	if !ok {
		return nil, &RepoError{s.ID(), fmt.Errorf("%w: %s", ErrNoMetadata, typ)}
	}
	name, err := s.fetchRecord(ctx, &rec)
	if err == nil {
		var rc io.ReadCloser
		if rc, err = openRecord(name, &rec); err == nil {
			return rc, nil
		}
	}
	return nil, &RepoError{s.ID(), err}
}

// record returns the best record of a type: there may be several for different
// compressions of the same file. That of zchunk comes last: other files are
// smaller, and of an old one nothing is used again.
func (s *Snapshot) record(typ string) (rpmmd.Record, bool) {
	names := []string{typ}
	if typ == "group" {
		names = []string{"group_gz", "group_zst", "group", "group_xz"}
	}
	for _, n := range append(names, typ+"_zck") {
		if r, ok := s.Repomd.Record(n); ok {
			return r, true
		}
	}
	return rpmmd.Record{}, false
}

// Has reports whether the repository has a metadata file of a type.
func (s *Snapshot) Has(typ string) bool {
	_, ok := s.record(typ)
	return ok
}

// Filelists calls fn with all files of each package. The list is valid until fn
// returns.
func (s *Snapshot) Filelists(ctx context.Context, fn func(*rpmmd.Filelist) error) error {
	return s.parse(ctx, "filelists", func(r io.Reader) error { return rpmmd.ParseFilelists(r, fn) })
}

// FindPaths calls fn for each package that owns one of the paths.
func (s *Snapshot) FindPaths(ctx context.Context, paths []string, fn func(rpmmd.Owner) error) error {
	return s.parse(ctx, "filelists", func(r io.Reader) error { return rpmmd.FindPaths(r, paths, fn) })
}

func (s *Snapshot) parse(ctx context.Context, typ string, parse func(io.Reader) error) error {
	rc, err := s.Open(ctx, typ)
	if err != nil {
		return err
	}
	defer rc.Close()
	err = parse(rc)
	var wrong *rpmmd.ParseError
	if errors.As(err, &wrong) {
		rec, _ := s.record(typ)
		return &RepoError{s.ID(), fmt.Errorf("%s: %w", rec.Location, err)}
	}
	return err
}

// fileName returns where a record's file is in the cache. It checks the location,
// which comes from outside.
func (s *Snapshot) fileName(rec *rpmmd.Record) (string, error) {
	base, err := safeBase(rec.Location)
	if err != nil {
		return "", err
	}
	if base == repomdName || strings.HasSuffix(base, ".part") {
		return "", fmt.Errorf("invalid location %q", rec.Location)
	}
	return filepath.Join(s.dir, "repodata", base), nil
}

// safeBase returns the last part of a location. A location that leaves the
// repository is an error.
func safeBase(location string) (string, error) {
	base := path.Base(location)
	bad := location == "" || strings.HasSuffix(location, "/") || strings.ContainsAny(location, "\x00\n\r\\") ||
		base == "." || base == ".." || strings.HasPrefix(base, ".") || len(base) > 255
	for part := range strings.SplitSeq(location, "/") {
		bad = bad || part == ".."
	}
	if scheme, _, ok := strings.Cut(location, "://"); ok {
		bad = bad || scheme != "http" && scheme != "https"
	}
	if bad {
		return "", fmt.Errorf("invalid location %q", location)
	}
	return base, nil
}

// fetchRecord returns the path of a record's file and fetches it if it is not
// there.
func (s *Snapshot) fetchRecord(ctx context.Context, rec *rpmmd.Record) (string, error) {
	name, err := s.fileName(rec)
	if err != nil {
		return "", err
	}
	if rec.Checksum.IsZero() {
		return "", fmt.Errorf("%s has no checksum", rec.Location)
	}
	if intact(name, rec.Size, rec.Checksum) {
		return name, nil
	}
	if s.d.opts.Mode == CacheOnly {
		return "", fmt.Errorf("%s is not cached", rec.Location)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", err
	}
	req := s.request(rec.Base, rec.Location)
	req.Size, req.Checksums = rec.Size, []fetch.Checksum{fetch.Checksum(rec.Checksum)}
	if _, err := s.client.File(ctx, req, name); err != nil {
		return "", because("Cannot download "+rec.Location, err)
	}
	return name, failpoint.At("download.file")
}

// request returns what is common to all requests for files of the repository.
func (s *Snapshot) request(base, location string) fetch.Request {
	req := fetch.Request{Mirrors: s.mirrors, Path: location}
	switch {
	case base != "":
		req = fetch.Request{URL: fetch.Join(base, location)}
	case strings.Contains(location, "://"):
		req = fetch.Request{URL: location}
	}
	if report := s.d.opts.Progress; report != nil {
		id, all := s.ID(), &s.d.total
		req.Progress = func(done, total int64) {
			allDone, allTotal := all.update(id, location, done, total)
			report(Progress{id, location, done, total, allDone, allTotal})
		}
	}
	return req
}

// openRecord opens a cached file. Its checksum is verified as it is read: the
// cache may have been damaged since it was written. The checksum of the
// decompressed content proves nothing more, no other client looks at it, and
// there are repositories where it is wrong.
func openRecord(name string, rec *rpmmd.Record) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	closed, err := newVerifier(f, name, rec.Checksum)
	if err != nil {
		f.Close()
		return nil, err
	}
	z, _, err := compress.NewDetectingReader(closed, 0)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, z.Close(), f.Close())
	}
	close := func() error { return errors.Join(z.Close(), f.Close()) }
	return &metadataReader{open: compress.Limit(z, openLimit(st.Size())), closed: closed, close: close}, nil
}

// openLimit returns how large a file of some size may become.
func openLimit(size int64) int64 {
	return min(max(MinOpenSize, min(size, MaxOpenSize)*MaxRatio), MaxOpenSize)
}

// A metadataReader reads a decompressed file and, at its end, what is left of the
// compressed one, so that the whole file is verified.
type metadataReader struct {
	open   io.Reader
	closed *verifier
	close  func() error
}

func (r *metadataReader) Read(p []byte) (int, error) {
	n, err := r.open.Read(p)
	if err == io.EOF {
		if _, rest := io.Copy(io.Discard, r.closed); rest != nil {
			err = rest
		}
	}
	return n, err
}

func (r *metadataReader) Close() error { return r.close() }

// A verifier hashes what is read and compares at the end.
type verifier struct {
	r    io.Reader
	name string
	hash hash.Hash
	want rpmmd.Checksum
	n    int64
}

func newVerifier(r io.Reader, name string, want rpmmd.Checksum) (*verifier, error) {
	h, err := rpmmd.NewHash(want.Type)
	if err != nil {
		return nil, err
	}
	return &verifier{r: r, name: name, hash: h, want: want}, nil
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	if v.n += int64(n); v.n > MaxOpenSize {
		return 0, fmt.Errorf("%s: content is larger than %d bytes", v.name, int64(MaxOpenSize))
	}
	v.hash.Write(p[:n])
	if err == io.EOF {
		if got := fmt.Sprintf("%x", v.hash.Sum(nil)); got != v.want.Hex {
			err = &fetch.ChecksumError{URL: v.name, Want: fetch.Checksum(v.want), Got: fetch.Checksum{Type: v.want.Type, Hex: got}}
		}
	}
	return n, err
}

// intact reports whether a file is in the cache and has the given size, unless
// that is zero, and checksum. One that was damaged is fetched again.
func intact(name string, size int64, want rpmmd.Checksum) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || size > 0 && st.Size() != size {
		return false
	}
	v, err := newVerifier(f, name, want)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, v)
	return err == nil
}
