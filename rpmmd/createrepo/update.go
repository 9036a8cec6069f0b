package createrepo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"rpmostree/internal/compress"
	"rpmostree/rpmmd"
)

// maxOld is the size of a metadata file, decompressed, that is read again.
const maxOld = 8 << 30

// oldMetadata is what can be used again.
type oldMetadata struct {
	packages map[string]*Package // by location
	extra    []Extra
}

// find returns what the old metadata says of a package, nil if the file is not the
// same any more.
func (o *oldMetadata) find(file, location string, opts *Options) (*Package, error) {
	p := o.packages[location]
	if p == nil || p.Checksum.Type != opts.checksumType() {
		return nil, nil
	}
	if opts.SkipStat {
		return p, nil
	}
	st, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("reading package: %w", err)
	}
	if st.Size() != p.Size || st.ModTime().Unix() != p.FileTime {
		return nil, nil
	}
	return p, nil
}

// readOld reads the metadata that is there already. That of the repository itself
// wins.
func readOld(opts *Options, dir string) (*oldMetadata, error) {
	o := &oldMetadata{packages: map[string]*Package{}}
	own := cmp.Or(opts.OutputDir, dir)
	for _, dir := range append([]string{own}, opts.UpdatePaths...) {
		b, err := os.ReadFile(filepath.Join(dir, repodata, "repomd.xml"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		md, err := rpmmd.ParseRepomd(b)
		if err != nil {
			continue // it is made anew
		}
		if opts.Update {
			if pkgs, err := oldPackages(dir, md); err == nil {
				for location, p := range pkgs {
					if o.packages[location] == nil {
						o.packages[location] = p
					}
				}
			}
		}
		if opts.KeepAll && dir == own {
			if err := o.keep(dir, md, opts.Extra); err != nil {
				return nil, err
			}
		}
	}
	return o, nil
}

// oldPackages returns packages by their locations. Those that are not in all three
// files are left out.
func oldPackages(dir string, md *rpmmd.Repomd) (map[string]*Package, error) {
	byID := map[string]*Package{}
	have := map[string]int{}
	err := openOld(dir, md, "primary", func(r io.Reader) error {
		return rpmmd.ParsePrimary(r, func(p *rpmmd.Package) error {
			byID[p.Checksum.Hex] = &Package{Package: *p}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	err = openOld(dir, md, "filelists", func(r io.Reader) error {
		return rpmmd.ParseFilelists(r, func(l *rpmmd.Filelist) error {
			if p := byID[l.PkgID]; p != nil {
				p.AllFiles = append([]rpmmd.File(nil), l.Files...)
				have[l.PkgID]++
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	err = openOld(dir, md, "other", func(r io.Reader) error {
		return rpmmd.ParseOther(r, func(l *rpmmd.Changelogs) error {
			if p := byID[l.PkgID]; p != nil {
				p.Changelogs = append([]rpmmd.Changelog(nil), l.Entries...)
				have[l.PkgID]++
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	out := map[string]*Package{}
	for id, p := range byID {
		if have[id] == 2 {
			out[p.Location] = p
		}
	}
	return out, nil
}

// openOld reads one old metadata file, decompressed, and verifies it.
func openOld(dir string, md *rpmmd.Repomd, typ string, read func(io.Reader) error) error {
	rec, ok := md.Record(typ)
	if !ok {
		return fmt.Errorf("no %s metadata", typ)
	}
	name := path.Base(rec.Location)
	f, err := os.Open(filepath.Join(dir, repodata, name))
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := rpmmd.NewHash(rec.Checksum.Type)
	if err != nil {
		return err
	}
	closed := io.TeeReader(f, sum)
	z, _, err := compress.NewDetectingReader(closed, 0)
	if err != nil {
		return err
	}
	defer z.Close()
	if err := read(compress.Limit(z, maxOld)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, closed); err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != rec.Checksum.Hex {
		return fmt.Errorf("%s: checksum is %s, expected %s", name, got, rec.Checksum.Hex)
	}
	return nil
}

// ours are the types that come from packages.
var ours = map[string]bool{"primary": true, "filelists": true, "other": true}

// keep takes over other files.
func (o *oldMetadata) keep(dir string, md *rpmmd.Repomd, replaced []Extra) error {
	gone := map[string]bool{}
	for _, x := range replaced {
		gone[x.Type] = true
	}
	for _, rec := range md.Records {
		typ := rec.Type
		for _, suffix := range []string{"_db", "_zck", "_gz", "_zst", "_xz", "_bz2"} {
			typ = strings.TrimSuffix(typ, suffix)
		}
		if ours[typ] || gone[typ] {
			continue
		}
		gone[typ] = true // its twins of other compressions
		x := Extra{Type: typ, Name: path.Base(rec.Location)}
		x.Name = strings.TrimPrefix(x.Name, rec.Checksum.Hex+"-")
		for _, suffix := range []string{".gz", ".zst", ".xz", ".bz2", ".zck"} {
			x.Name = strings.TrimSuffix(x.Name, suffix)
		}
		err := openOld(dir, &rpmmd.Repomd{Records: []rpmmd.Record{rec}}, rec.Type, func(r io.Reader) (err error) {
			x.Data, err = io.ReadAll(r)
			return err
		})
		if err != nil {
			return fmt.Errorf("keeping %s: %w", rec.Location, err)
		}
		o.extra = append(o.extra, x)
	}
	return nil
}
