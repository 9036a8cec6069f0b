package rpmmd

import (
	"bytes"
	"fmt"
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
	return fmt.Errorf("searching filelists metadata: %w", err)
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

// file calls fn if the path of a <file> is wanted. Nearly none is: they are
// dismissed before anything is decoded.
func (f *pathFinder) file(o Owner, fn func(Owner) error) error {
	var typ FileType
	if len(f.attrs) > 0 {
		var err error
		if typ, err = f.fileType(); err != nil {
			return err
		}
	}
	if t, err := f.next(); err != nil {
		return noEOF(err)
	} else if t == tokenEnd {
		return nil
	} else if t != tokenText || !f.ends() || bytes.IndexByte(f.raw, '&') >= 0 {
		return f.rareFile(t, o, typ, fn)
	}
	path := f.raw
	if _, err := f.next(); err != nil {
		return err
	}
	if !f.want.has(path) {
		return nil
	}
	o.File = File{string(path), typ}
	return fn(o)
}

// rareFile handles a path that is not one piece of plain text: token t of its
// content was just read.
func (f *pathFinder) rareFile(t token, o Owner, typ FileType, fn func(Owner) error) error {
	depth := f.depth()
	var path []byte
	for {
		switch {
		case t == tokenEnd && f.depth() < depth:
			if !f.want.has(path) {
				return nil
			}
			o.File = File{string(path), typ}
			return fn(o)
		case t == tokenText, t == tokenCDATA:
			piece, err := f.decode(nil, f.raw, t == tokenText)
			if err != nil {
				return err
			}
			if path = append(path, piece...); len(path) > MaxToken {
				return f.errorf("%w: path is too long", errLimit)
			}
		}
		var err error
		if t, err = f.next(); err != nil {
			return noEOF(err)
		}
	}
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
