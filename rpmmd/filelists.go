package rpmmd

import (
	"bytes"
	"io"

	"rpmostree/rpm/evr"
)

// A Filelist is what filelists.xml says of one package.
type Filelist struct {
	PkgID      string // digits of Package.Checksum
	Name, Arch string
	EVR        evr.EVR
	Files      []File
}

// ParseFilelists reads filelists.xml and calls fn for each package. The Filelist
// is valid until fn returns; its strings stay. An error of fn ends the parse and
// is returned as it is.
func ParseFilelists(r io.Reader, fn func(*Filelist) error) error {
	p := &listParser{scanner: newScanner(r), intern: interner{}}
	var list Filelist
	var stop error
	err := p.document("filelists", func() error {
		list = Filelist{PkgID: p.pkgid, Name: p.pkgName, Arch: p.arch, Files: list.Files[:0]}
		if err := p.filelist(&list); err != nil {
			return err
		}
		stop = fn(&list)
		return stop
	})
	if err == nil || stop != nil {
		return stop
	}
	return &ParseError{"filelists", err}
}

// A listParser reads what filelists.xml and other.xml have in common.
type listParser struct {
	*scanner
	intern               interner
	pkgid, pkgName, arch string

	paths    []byte // all paths of a package
	pathEnds []int  // where each ends in paths
}

// document calls pkg for each package, with the scanner inside of it.
func (p *listParser) document(root string, pkg func() error) error {
	if err := p.root(root, root+"data"); err != nil {
		return err
	}
	depth := p.depth()
	for {
		more, err := p.child(depth)
		if err != nil {
			return err
		}
		if !more {
			return p.drain()
		}
		if string(p.name) != "package" {
			err = p.skip()
		} else if err = p.identity(); err == nil {
			err = pkg()
		}
		if err != nil {
			return err
		}
	}
}

// identity reads the attributes of a <package>.
func (p *listParser) identity() error {
	p.pkgid, p.pkgName, p.arch = "", "", ""
	for _, a := range p.attrs {
		v, err := p.value(a)
		if err != nil {
			return err
		}
		switch string(a.name) {
		case "pkgid":
			p.pkgid = string(v)
		case "name":
			p.pkgName = p.intern.get(v)
		case "arch":
			p.arch = p.intern.get(v)
		}
	}
	if p.pkgid == "" {
		return p.errorf("package without pkgid")
	}
	return nil
}

// plainFile reads a <file> element if it comes next, is in the buffer as a whole,
// and is written as all writers do. Nearly all of a filelist is; what is not, is
// left to the general way. The path is not decoded: it has no entities.
func (p *listParser) plainFile() (path []byte, typ FileType, ok bool) {
	b := p.buf[p.pos:p.end]
	n := 0
	for n < len(b) && isSpace(b[n]) {
		n++
	}
	const open, ends = "<file", "</file>"
	if len(b)-n < len(open)+1 || string(b[n:n+len(open)]) != open {
		return nil, 0, false
	}
	switch n += len(open); {
	case b[n] == '>':
		n++
	case bytes.HasPrefix(b[n:], []byte(` type="dir">`)):
		n, typ = n+len(` type="dir">`), FileDir
	case bytes.HasPrefix(b[n:], []byte(` type="ghost">`)):
		n, typ = n+len(` type="ghost">`), FileGhost
	default:
		return nil, 0, false
	}
	length := bytes.IndexByte(b[n:], '<')
	if length < 0 || !bytes.HasPrefix(b[n+length:], []byte(ends)) {
		return nil, 0, false
	}
	path = b[n : n+length]
	if bytes.IndexByte(path, '&') >= 0 {
		return nil, 0, false
	}
	p.pos += n + length + len(ends)
	return path, typ, true
}

// filelist reads the rest of a <package>. All its paths become one string.
func (p *listParser) filelist(list *Filelist) error {
	depth := p.depth()
	p.paths, p.pathEnds = p.paths[:0], p.pathEnds[:0]
	for {
		if path, typ, ok := p.plainFile(); ok {
			path, err := p.decode(nil, path, inText)
			if err == nil {
				err = p.add(list, path, typ)
			}
			if err != nil {
				return err
			}
			continue
		}
		more, err := p.child(depth)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		switch string(p.name) {
		case "version":
			if list.EVR, err = p.evr(p.intern); err == nil {
				err = p.skip()
			}
		case "file":
			err = p.file(list)
		default:
			err = p.skip()
		}
		if err != nil {
			return err
		}
	}
	all, start := string(p.paths), 0
	for i, end := range p.pathEnds {
		list.Files[i].Path = all[start:end]
		start = end
	}
	return nil
}

func (p *listParser) file(list *Filelist) error {
	typ, err := p.fileType()
	if err != nil {
		return err
	}
	b, err := p.content()
	if err != nil {
		return err
	}
	return p.add(list, b, typ)
}

// add appends a file; its path is set when all are there.
func (p *listParser) add(list *Filelist, path []byte, typ FileType) error {
	if len(p.pathEnds) >= MaxFiles {
		return p.errorf("%w: too many files", errLimit)
	}
	p.paths = append(p.paths, path...)
	p.pathEnds = append(p.pathEnds, len(p.paths))
	list.Files = append(list.Files, File{Type: typ})
	return nil
}
