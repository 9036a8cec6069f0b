package rpmmd

import (
	"io"

	"rpmostree/rpm/evr"
)

// An Owner is a package that has one of the paths that were searched.
type Owner struct {
	PkgID      string // digits of Package.Checksum
	Name, Arch string
	EVR        evr.EVR
	File       File
}

// FindPaths searches filelists.xml for packages that own any of the given paths
// and calls fn for each match, in the order of the file. It keeps nothing, so
// that hundreds of megabytes cost little. An error of fn ends the search and is
// returned as it is.
func FindPaths(r io.Reader, paths []string, fn func(Owner) error) error {
	f := &pathFinder{listParser: listParser{scanner: newScanner(r), intern: interner{}}, want: newPathSet(paths)}
	var stop error
	err := f.document("filelists", func() error {
		return f.pkg(func(o Owner) error {
			stop = fn(o)
			return stop
		})
	})
	if err == nil || stop != nil {
		return stop
	}
	return &ParseError{"filelists", err}
}

type pathFinder struct {
	listParser
	want pathSet
}

// pkg searches one <package>.
func (f *pathFinder) pkg(fn func(Owner) error) error {
	depth := f.depth()
	o := Owner{PkgID: f.pkgid, Name: f.pkgName, Arch: f.arch}
	for {
		if path, typ, ok := f.plainFile(); ok {
			if f.want.has(path) {
				o.File = File{string(path), typ}
				if err := fn(o); err != nil {
					return err
				}
			}
			continue
		}
		more, err := f.child(depth)
		if err != nil || !more {
			return err
		}
		switch string(f.name) {
		case "version":
			if o.EVR, err = f.evr(f.intern); err == nil {
				err = f.skip()
			}
		case "file":
			err = f.file(o, fn)
		default:
			err = f.skip()
		}
		if err != nil {
			return err
		}
	}
}

// file reads a <file> that is not written in the usual way.
func (f *pathFinder) file(o Owner, fn func(Owner) error) error {
	typ, err := f.fileType()
	if err != nil {
		return err
	}
	path, err := f.content()
	if err != nil || !f.want.has(path) {
		return err
	}
	o.File = File{string(path), typ}
	return fn(o)
}

// A pathSet is a set of strings in front of which a cheap test stands.
type pathSet struct {
	paths map[string]struct{}
	// filter has a bit for each combination of length and last bytes that occurs.
	filter [1 << 10]uint64
}

func newPathSet(paths []string) pathSet {
	s := pathSet{paths: make(map[string]struct{}, len(paths))}
	for _, p := range paths {
		s.paths[p] = struct{}{}
		i := filterIndex(p)
		s.filter[i>>6] |= 1 << (i & 63)
	}
	return s
}

func (s *pathSet) has(path []byte) bool {
	if i := filterIndex(path); s.filter[i>>6]&(1<<(i&63)) == 0 {
		return false
	}
	_, ok := s.paths[string(path)]
	return ok
}

// filterIndex mixes the length and the last four bytes into 16 bits.
func filterIndex[T string | []byte](p T) uint32 {
	h := uint32(len(p))
	for i := max(0, len(p)-4); i < len(p); i++ {
		h = h*0x01000193 ^ uint32(p[i])
	}
	return h * 0x9e3779b1 >> 16
}
