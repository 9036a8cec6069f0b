package rpmmd

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"rpmostree/rpm/evr"
)

// Limits of one package.
const (
	// MaxDeps is how many dependencies of one kind a package may have.
	MaxDeps = 1 << 20
	// MaxFiles is how many files a package may have.
	MaxFiles = 8 << 20
)

// ParsePrimary reads primary.xml and calls fn for each package. The Package
// belongs to fn. An error of fn ends the parse and is returned as it is.
func ParsePrimary(r io.Reader, fn func(*Package) error) error {
	return PrimaryParser{}.Parse(r, fn)
}

// A PrimaryParser reads primary.xml.
type PrimaryParser struct {
	// Brief leaves out what only people read: summary, description, packager, URL,
	// licence, group and build host.
	Brief bool
}

// Parse is ParsePrimary with options.
func (o PrimaryParser) Parse(r io.Reader, fn func(*Package) error) error {
	p := &primaryParser{scanner: newScanner(r), intern: interner{}, brief: o.Brief}
	var stop error
	err := p.document(func(pkg *Package) error {
		stop = fn(pkg)
		return stop
	})
	if err == nil || stop != nil {
		return stop
	}
	return fmt.Errorf("reading primary metadata: %w", err)
}

type primaryParser struct {
	*scanner
	intern interner
	brief  bool
	deps   arena[Dep]
	files  arena[File]
	// reused for each package
	depBuf  []Dep
	fileBuf []File
	evrBuf  []byte
	evrSpan [3]span // epoch, version and release in evrBuf
}

type span struct{ from, to int }

func (p *primaryParser) document(fn func(*Package) error) error {
	if err := p.root("metadata"); err != nil {
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
			if err := p.skip(); err != nil {
				return err
			}
			continue
		}
		pkg := new(Package)
		if err := p.pkg(pkg); err != nil {
			return err
		}
		if err := fn(pkg); err != nil {
			return err
		}
	}
}

// pkg reads a <package> element.
func (p *primaryParser) pkg(pkg *Package) error {
	depth := p.depth()
	for {
		more, err := p.child(depth)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := p.field(pkg); err != nil {
			return err
		}
	}
	if pkg.Name == "" || pkg.Arch == "" || pkg.Checksum.Hex == "" {
		return p.errorf("package %q has no name, architecture or checksum", pkg.Name)
	}
	return nil
}

func (p *primaryParser) field(pkg *Package) (err error) {
	switch string(p.name) {
	case "name":
		return p.common(&pkg.Name)
	case "arch":
		return p.common(&pkg.Arch)
	case "version":
		if pkg.EVR, err = p.evr(p.intern); err != nil {
			return err
		}
	case "checksum":
		pkg.Checksum, err = p.checksum(p.intern)
		return err
	case "summary":
		return p.human(&pkg.Summary)
	case "description":
		return p.human(&pkg.Description)
	case "packager":
		return p.humanCommon(&pkg.Packager)
	case "url":
		return p.humanCommon(&pkg.URL)
	case "time":
		err = p.numbers([]string{"file", "build"}, &pkg.FileTime, &pkg.BuildTime)
	case "size":
		err = p.numbers([]string{"package", "installed", "archive"}, &pkg.Size, &pkg.InstalledSize, &pkg.ArchiveSize)
	case "location":
		err = p.location(&pkg.Location, &pkg.Base)
	case "format":
		return p.format(pkg)
	}
	if err != nil {
		return err
	}
	return p.skip()
}

// format reads the <format> element.
func (p *primaryParser) format(pkg *Package) error {
	depth := p.depth()
	p.fileBuf = p.fileBuf[:0]
	for {
		more, err := p.child(depth)
		if err != nil {
			return err
		}
		if !more {
			pkg.Files = p.files.take(p.fileBuf)
			return nil
		}
		if err := p.formatField(pkg); err != nil {
			return err
		}
	}
}

func (p *primaryParser) formatField(pkg *Package) error {
	switch string(p.name) {
	case "license":
		return p.humanCommon(&pkg.License)
	case "vendor":
		return p.common(&pkg.Vendor)
	case "group":
		return p.humanCommon(&pkg.Group)
	case "buildhost":
		return p.humanCommon(&pkg.BuildHost)
	case "sourcerpm":
		return p.common(&pkg.SourceRPM)
	case "header-range":
		if err := p.numbers([]string{"start", "end"}, &pkg.HeaderStart, &pkg.HeaderEnd); err != nil {
			return err
		}
	case "file":
		if len(p.fileBuf) >= MaxFiles {
			return p.errorf("%w: too many files", errLimit)
		}
		f, err := p.file()
		p.fileBuf = append(p.fileBuf, f)
		return err
	default:
		if list := pkg.deps(string(p.name)); list != nil {
			return p.depList(list)
		}
	}
	return p.skip()
}

// deps returns the list of dependencies of an element's name, nil if it is no such list.
func (pkg *Package) deps(name string) *[]Dep {
	switch name {
	case "provides":
		return &pkg.Provides
	case "requires":
		return &pkg.Requires
	case "conflicts":
		return &pkg.Conflicts
	case "obsoletes":
		return &pkg.Obsoletes
	case "suggests":
		return &pkg.Suggests
	case "enhances":
		return &pkg.Enhances
	case "recommends":
		return &pkg.Recommends
	case "supplements":
		return &pkg.Supplements
	}
	return nil
}

func (p *primaryParser) depList(list *[]Dep) error {
	depth := p.depth()
	p.depBuf = append(p.depBuf[:0], *list...)
	for {
		more, err := p.child(depth)
		if err != nil {
			return err
		}
		if !more {
			*list = p.deps.take(p.depBuf)
			return nil
		}
		if string(p.name) == "entry" {
			d, err := p.dep()
			if err != nil {
				return err
			}
			if len(p.depBuf) >= MaxDeps {
				return p.errorf("%w: too many dependencies", errLimit)
			}
			p.depBuf = append(p.depBuf, d)
		}
		if err := p.skip(); err != nil {
			return err
		}
	}
}

// dep reads the attributes of an <entry>.
func (p *primaryParser) dep() (d Dep, err error) {
	p.evrReset()
	for _, a := range p.attrs {
		v, err := p.value(a)
		if err != nil {
			return d, err
		}
		switch string(a.name) {
		case "name":
			d.Name = p.intern.get(v)
		case "flags":
			d.Op = parseFlags(v)
		case "epoch":
			p.evrPart(0, v)
		case "ver":
			p.evrPart(1, v)
		case "rel":
			p.evrPart(2, v)
		case "pre":
			d.Pre = len(v) > 0 && string(v) != "0"
		}
	}
	if d.Name == "" {
		return d, p.errorf("dependency without name")
	}
	d.EVR = p.evrText()
	return d, nil
}

// parseFlags reads a comparison; what is unknown compares nothing.
func parseFlags(b []byte) evr.Op {
	switch string(b) {
	case "EQ":
		return evr.EQ
	case "LT":
		return evr.LT
	case "GT":
		return evr.GT
	case "LE":
		return evr.LT | evr.EQ
	case "GE":
		return evr.GT | evr.EQ
	}
	return 0
}

func (p *primaryParser) evrReset() { p.evrBuf, p.evrSpan = p.evrBuf[:0], [3]span{} }

func (p *primaryParser) evrPart(i int, v []byte) {
	n := len(p.evrBuf)
	p.evrBuf = append(p.evrBuf, v...)
	p.evrSpan[i] = span{n, len(p.evrBuf)}
}

func (p *primaryParser) part(i int) []byte { return p.evrBuf[p.evrSpan[i].from:p.evrSpan[i].to] }

// evrText joins the parts. An epoch of zero is left out, unless the version has a
// colon and would then be taken for one with an epoch (as libsolv does).
func (p *primaryParser) evrText() string {
	n := len(p.evrBuf)
	ver, rel := p.part(1), p.part(2)
	if epoch := p.part(0); len(epoch) > 0 && (string(epoch) != "0" || looksLikeEpoch(ver)) {
		p.evrBuf = append(append(p.evrBuf, epoch...), ':')
	} else if looksLikeEpoch(ver) {
		p.evrBuf = append(p.evrBuf, "0:"...)
	}
	p.evrBuf = append(p.evrBuf, ver...)
	if len(rel) > 0 {
		p.evrBuf = append(append(p.evrBuf, '-'), rel...)
	}
	if len(p.evrBuf) == n {
		return ""
	}
	return p.intern.get(p.evrBuf[n:])
}

// looksLikeEpoch reports whether a version begins with digits and a colon.
func looksLikeEpoch(ver []byte) bool {
	i := 0
	for i < len(ver) && '0' <= ver[i] && ver[i] <= '9' {
		i++
	}
	return i > 0 && i < len(ver) && ver[i] == ':'
}

// common reads text that many packages share.
func (p *primaryParser) common(dst *string) error {
	b, err := p.content()
	if err == nil {
		*dst = p.intern.get(b)
	}
	return err
}

// human reads text that only people read.
func (p *primaryParser) human(dst *string) error {
	if p.brief {
		return p.skip()
	}
	b, err := p.content()
	if err == nil {
		*dst = string(b)
	}
	return err
}

func (p *primaryParser) humanCommon(dst *string) error {
	if p.brief {
		return p.skip()
	}
	return p.common(dst)
}

// evr reads the attributes of a <version>.
func (s *scanner) evr(in interner) (e evr.EVR, err error) {
	for _, a := range s.attrs {
		v, err := s.value(a)
		if err != nil {
			return e, err
		}
		switch string(a.name) {
		case "epoch":
			if len(v) == 0 {
				continue
			}
			n, err := strconv.ParseUint(string(v), 10, 32)
			if err != nil {
				return e, s.errorf("invalid epoch %.32q", v)
			}
			e.Epoch, e.HasEpoch = uint32(n), n != 0
		case "ver":
			e.Version = in.get(v)
		case "rel":
			e.Release = in.get(v)
		}
	}
	return e, nil
}

// checksum reads a checksum element.
func (s *scanner) checksum(in interner) (c Checksum, err error) {
	typ, err := s.attr("type")
	if err != nil {
		return c, err
	}
	c.Type = in.get(typ)
	b, err := s.content()
	c.Hex = strings.ToLower(strings.TrimSpace(string(b)))
	return c, err
}

// numbers reads integer attributes. What is no number counts as 0, because sizes
// and times are informative: what matters is verified by checksum.
func (s *scanner) numbers(names []string, dst ...*int64) error {
	for _, a := range s.attrs {
		for i, name := range names {
			if string(a.name) != name {
				continue
			}
			v, err := s.value(a)
			if err != nil {
				return err
			}
			*dst[i] = parseInt(v)
		}
	}
	return nil
}

// parseInt reads a decimal number that is not negative. A fraction, which yum
// once wrote for times, is cut off.
func parseInt(b []byte) int64 {
	var n int64
	for i, c := range b {
		switch {
		case c == '.' && i > 0:
			return n
		case c < '0' || c > '9' || n > (1<<63-1-9)/10:
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// location reads the attributes of a <location>.
func (s *scanner) location(href, base *string) error {
	for _, a := range s.attrs {
		v, err := s.value(a)
		if err != nil {
			return err
		}
		switch string(a.name) {
		case "href":
			*href = string(v)
		case "base":
			*base = string(v)
		}
	}
	return nil
}

// file reads a <file> element.
func (p *primaryParser) file() (f File, err error) {
	if f.Type, err = p.fileType(); err != nil {
		return f, err
	}
	err = p.common(&f.Path)
	return f, err
}

func (s *scanner) fileType() (FileType, error) {
	v, err := s.attr("type")
	switch string(v) {
	case "dir":
		return FileDir, err
	case "ghost":
		return FileGhost, err
	}
	return FileRegular, err
}
