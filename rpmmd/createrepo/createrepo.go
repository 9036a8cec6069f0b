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

	"rpmostree/rpmmd"
)

// Options tell what metadata to write. The zero value is right for a repository
// that is served as it is.
type Options struct {
	// Compression of primary, filelists and other: "gzip" (the default), "zstd",
	// "xz" or "none".
	Compression string
	// ChecksumType is "sha256" (the default) or another that rpmmd knows.
	ChecksumType string
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
	paths, err := find(dir)
	if err != nil {
		return nil, fmt.Errorf("creating repository metadata: %w", err)
	}
	pkgs, err := readAll(ctx, dir, paths, &opts)
	if err != nil {
		return nil, err
	}
	return WritePackages(dir, pkgs, opts)
}

// WritePackages replaces dir/repodata by the metadata of the given packages, in
// their order.
func WritePackages(dir string, pkgs []*Package, opts Options) (*rpmmd.Repomd, error) {
	md, err := writeRepodata(dir, pkgs, &opts)
	if err != nil {
		return nil, fmt.Errorf("creating repository metadata: %w", err)
	}
	return md, nil
}

// find returns the packages below dir, relative to it, ordered by their file
// names and then by their directories. Hidden directories are left out.
func find(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
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
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(filepath.Base(a), filepath.Base(b)), cmp.Compare(filepath.Dir(a), filepath.Dir(b)))
	})
	return out, err
}

// readAll reads packages in parallel.
func readAll(ctx context.Context, dir string, paths []string, opts *Options) ([]*Package, error) {
	pkgs := make([]*Package, len(paths))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, cmp.Or(opts.Workers, runtime.GOMAXPROCS(0))))
	done := make(chan struct{}, len(paths))
	for i, path := range paths {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := Read(filepath.Join(dir, path), opts)
			if err != nil {
				return err
			}
			p.Location = filepath.Join(opts.LocationPrefix, path)
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
