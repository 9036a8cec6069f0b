package createrepo

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"rpmostree/internal/compress"
	"rpmostree/rpmmd"
)

// Options tell what metadata to write. The zero value is right for a repository
// that is served as it is.
type Options struct {
	// Compression of the metadata: "gzip" (the default), "zstd", "xz", "bzip2" or
	// "none".
	Compression string
	// Zchunk writes zchunk files besides.
	Zchunk bool
	// ChecksumType is that of packages: "sha256" (the default) or another that
	// rpmmd knows. RepomdChecksumType is that of metadata files; "" means the same.
	ChecksumType, RepomdChecksumType string
	// OutputDir is where repodata is written; "" means the directory of the packages.
	OutputDir string
	// Paths are the packages to be indexed, relative to the directory; nil means
	// all below it.
	Paths []string
	// Exclude are shell patterns for names of files that are left out.
	Exclude []string
	// SkipSymlinks leaves out symbolic links.
	SkipSymlinks bool
	// Update takes what the old metadata says of packages whose size and time of
	// change are the same; with SkipStat those of the same name. Old metadata that is
	// damaged is not used. UpdatePaths are further directories with a repodata.
	Update, SkipStat bool
	UpdatePaths      []string
	// KeepAll keeps the files of the old metadata that do not come from packages,
	// unless Extra has one of the type.
	KeepAll bool
	// Read, if not nil, is called with the path of each package that was read, perhaps
	// from several goroutines at once.
	Read func(path string)
	// Timestamp is the time in repomd.xml; zero means that of the newest package,
	// so that the same packages make the same metadata.
	Timestamp time.Time
	// Revision is repomd.xml's; "" means Timestamp in seconds since 1970.
	Revision string
	// BaseURL is written to each package as the base of its location.
	BaseURL string
	// LocationPrefix is put before each package's location.
	LocationPrefix string
	// SimpleNames leaves the checksums out of the names of files.
	SimpleNames bool
	// ChangelogLimit is how many changes other.xml lists for each package; zero means
	// DefaultChangelogLimit, a negative number none.
	ChangelogLimit int
	// RepoTags, ContentTags and DistroTags are written to repomd.xml.
	RepoTags, ContentTags []string
	DistroTags            []rpmmd.DistroTag
	// Extra are further metadata files.
	Extra []Extra
	// Workers is how many packages are read at once; zero means one for each CPU.
	Workers int
	// Progress, if not nil, is called after each package, perhaps from several
	// goroutines at once.
	Progress func(done, total int)
}

// An Extra is a metadata file that does not come from packages, such as comps
// (type "group") or updateinfo.
type Extra struct {
	Type string // "group", "updateinfo", "modules", ...
	Name string // of the file, without checksum and suffix of compression
	Data []byte
}

// Write indexes all *.rpm files below dir and replaces dir/repodata. It returns
// the new repomd.xml. A package that cannot be read is an error that names it;
// then nothing is changed.
func Write(ctx context.Context, dir string, opts Options) (*rpmmd.Repomd, error) {
	fail := func(err error) (*rpmmd.Repomd, error) {
		return nil, fmt.Errorf("creating repository metadata: %w", err)
	}
	if err := opts.check(); err != nil {
		return fail(err)
	}
	paths, err := find(dir, &opts)
	if err != nil {
		return fail(err)
	}
	old := &oldMetadata{}
	if opts.Update || opts.KeepAll {
		if old, err = readOld(&opts, dir); err != nil {
			return fail(err)
		}
	}
	pkgs, err := readAll(ctx, dir, paths, old, &opts)
	if err != nil {
		return nil, err
	}
	opts.Extra = append(old.extra, opts.Extra...)
	return WritePackages(dir, pkgs, opts)
}

// WritePackages replaces dir/repodata by the metadata of the given packages, in
// their order.
func WritePackages(dir string, pkgs []*Package, opts Options) (*rpmmd.Repomd, error) {
	md, err := writeRepodata(cmp.Or(opts.OutputDir, dir), pkgs, &opts)
	if err != nil {
		return nil, fmt.Errorf("creating repository metadata: %w", err)
	}
	return md, nil
}

// check finds out what is wrong before anything is read.
func (o *Options) check() error {
	if _, err := compress.Parse(o.Compression); err != nil {
		return err
	}
	for _, typ := range []string{o.checksumType(), o.repomdChecksumType()} {
		if _, err := rpmmd.NewHash(typ); err != nil {
			return err
		}
	}
	return nil
}

// find returns the packages below dir, relative to it, ordered by their file
// names and then by their directories. Hidden directories are left out.
func find(dir string, opts *Options) (out []string, err error) {
	for _, pattern := range opts.Exclude {
		if _, err := filepath.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
	}
	if opts.Paths != nil {
		out = slices.Clone(opts.Paths)
	} else if out, err = walk(dir); err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(path string) bool {
		if opts.SkipSymlinks {
			if st, err := os.Lstat(filepath.Join(dir, path)); err == nil && st.Mode()&os.ModeSymlink != 0 {
				return true
			}
		}
		return slices.ContainsFunc(opts.Exclude, func(pattern string) bool {
			whole, _ := filepath.Match(pattern, path)
			name, _ := filepath.Match(pattern, filepath.Base(path))
			return whole || name
		})
	})
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(filepath.Base(a), filepath.Base(b)), cmp.Compare(filepath.Dir(a), filepath.Dir(b)))
	})
	return out, nil
}

// walk returns the packages below dir, relative to it.
func walk(dir string) (out []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel != "." && (d.Name()[0] == '.' || rel == repodata) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) == ".rpm" {
			out = append(out, rel)
		}
		return nil
	})
	return out, err
}

// readAll reads packages in parallel, except those that the old metadata has.
func readAll(ctx context.Context, dir string, paths []string, old *oldMetadata, opts *Options) ([]*Package, error) {
	pkgs := make([]*Package, len(paths))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, cmp.Or(opts.Workers, runtime.GOMAXPROCS(0))))
	done := make(chan struct{}, len(paths))
	for i, path := range paths {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			location := filepath.Join(opts.LocationPrefix, path)
			p, err := old.find(filepath.Join(dir, path), location, opts)
			if err != nil {
				return err
			}
			if p == nil {
				if p, err = Read(filepath.Join(dir, path), opts); err != nil {
					return err
				}
				if opts.Read != nil {
					opts.Read(path)
				}
			}
			p.Location = location
			p.Base = opts.BaseURL
			pkgs[i] = p
			done <- struct{}{}
			if opts.Progress != nil {
				opts.Progress(len(done), len(paths))
			}
			return nil
		})
	}
	return pkgs, g.Wait()
}
