package createrepo

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"rpmostree/internal/compress"
	"rpmostree/rpmmd"
)

// MaxEntries is how many entries of directories are looked at for packages. Links between directories
// can make many ways to the same file.
const MaxEntries = 4 << 20

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
	// Exclude are patterns for what is left out: packages by their paths relative to the directory, and,
	// unless Paths are given, files and whole directories by their names. In a pattern "*" stands for
	// any text, slashes too, "?" for one character, and nothing else is special.
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
	// RetainOld leaves the files of the old metadata where they are, for clients that have just read
	// the old repomd.xml. Files that no repomd.xml names always stay.
	RetainOld bool
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
	// CutDirs is how many directories are taken from the front of each package's location;
	// LocationPrefix is then put before it, with a slash between them.
	CutDirs        int
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
// names and then by their directories.
func find(dir string, opts *Options) (out []string, err error) {
	excluded := func(path string) bool {
		return slices.ContainsFunc(opts.Exclude, func(pattern string) bool { return matches(pattern, path) })
	}
	if opts.Paths != nil {
		out = slices.Clone(opts.Paths)
	} else if out, err = (&search{dir: dir, excluded: excluded, left: MaxEntries}).walk("", nil); err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(path string) bool {
		if opts.SkipSymlinks {
			if st, err := os.Lstat(filepath.Join(dir, path)); err == nil && st.Mode()&os.ModeSymlink != 0 {
				return true
			}
		}
		return excluded(path)
	})
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(filepath.Base(a), filepath.Base(b)), cmp.Compare(filepath.Dir(a), filepath.Dir(b)))
	})
	return out, nil
}

// matches reports whether a pattern of Options.Exclude matches the whole of s.
func matches(pattern, s string) bool {
	star, at := -1, 0 // the last star of the pattern, and what follows the text that it stands for
	p, i := 0, 0
	for i < len(s) {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, at = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			p, i = p+1, i+size
		case p < len(pattern) && pattern[p] == s[i]:
			p, i = p+1, i+1
		case star >= 0:
			at++
			p, i = star+1, at
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// A search is for the packages below a directory.
type search struct {
	dir      string
	excluded func(name string) bool
	left     int // entries that may still be looked at
}

// walk returns the packages below the directory rel of the search's, relative to that. Links to
// directories are followed, except to one of those they are in, which are above. Links to nothing are
// left out.
func (s *search) walk(rel string, above []os.FileInfo) (out []string, err error) {
	st, err := os.Stat(filepath.Join(s.dir, rel))
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(above, func(a os.FileInfo) bool { return os.SameFile(a, st) }) {
		return nil, nil
	}
	list, err := os.ReadDir(filepath.Join(s.dir, rel))
	if err != nil {
		return nil, err
	}
	if s.left -= len(list); s.left < 0 {
		return nil, fmt.Errorf("%s: more than %d files and directories, counted by each way that links make to them", s.dir, MaxEntries)
	}
	for _, d := range list {
		path := filepath.Join(rel, d.Name())
		if s.excluded(d.Name()) {
			continue
		}
		mode := d.Type()
		if mode&os.ModeSymlink != 0 {
			to, err := os.Stat(filepath.Join(s.dir, path))
			if err != nil {
				continue
			}
			mode = to.Mode()
		}
		switch {
		case mode.IsDir():
			more, err := s.walk(path, append(slices.Clip(above), st))
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		case mode.IsRegular() && filepath.Ext(path) == ".rpm":
			out = append(out, path)
		}
	}
	return out, nil
}

// location returns where metadata say that the package at a path is.
func (o *Options) location(path string) string {
	path = filepath.Clean(path)
	for range o.CutDirs {
		if _, rest, ok := strings.Cut(path, "/"); ok {
			path = rest
		}
	}
	if o.LocationPrefix == "" {
		return path
	}
	return strings.TrimSuffix(o.LocationPrefix, "/") + "/" + path
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
			location := opts.location(path)
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
