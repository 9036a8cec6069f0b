package rpmmd

import (
	"bytes"
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
	strs := newStringTable("")
	c := packageMaker{strs: strs}
	return parsePrimary(r, strs, func(raw *rawPackage) error { return fn(c.make(raw)) })
}

// parsePrimary is ParsePrimary for packages in raw form, which are valid until fn
// returns.
func parsePrimary(r io.Reader, strs *stringTable, fn func(*rawPackage) error) error {
	p := &primaryParser{scanner: newScanner(r), strs: strs}
	var stop error
	err := p.document(func() error {
		if strs.full {
			return p.errorf("%w: names, versions and paths have more than %d bytes", errLimit, MaxIndex)
		}
		stop = fn(&p.pkg)
		return stop
	})
	if err == nil || stop != nil {
		return stop
	}
	return &ParseError{"primary", err}
}

type primaryParser struct {
	*scanner
	strs *stringTable
	pkg  rawPackage
	evr  evrParts
}

func (p *primaryParser) document(fn func() error) error {
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
		if err := p.read(); err != nil {
			return err
		}
		if err := fn(); err != nil {
			return err
		}
	}
}

// read reads a <package> element.
func (p *primaryParser) read() error {
	p.pkg.reset()
	depth := p.depth()
	for {
		more, err := p.child(depth)
		if err != nil {
			return p.of(err)
		}
		if !more {
			break
		}
		if err := p.field(); err != nil {
			return p.of(err)
		}
	}
	switch {
	case p.pkg.strings[rawName] == 0:
		return p.errorf("package without name")
	case p.pkg.strings[rawArch] == 0:
		return p.of(p.errorf("no arch"))
	case len(p.pkg.text(rawHex)) == 0:
		return p.of(p.errorf("no checksum"))
	}
	return nil
}

// of says which package an error is about.
func (p *primaryParser) of(err error) error {
	if name := p.pkg.strings[rawName]; name != 0 {
		return fmt.Errorf("package %.128q: %w", p.strs.str(name), err)
	}
	return err
}

func (p *primaryParser) field() (err error) {
	switch string(p.name) {
	case "name":
		return p.str(rawName)
	case "arch":
		return p.str(rawArch)
	case "version":
		err = p.version()
	case "checksum":
		return p.checksum()
	case "summary":
		return p.human(rawSummary)
	case "description":
		return p.human(rawDescription)
	case "packager":
		return p.str(rawPackager)
	case "url":
		return p.str(rawURL)
	case "time":
		err = p.numbers([]string{"file", "build"}, &p.pkg.numbers[rawFileTime], &p.pkg.numbers[rawBuildTime])
	case "size":
		err = p.numbers([]string{"package", "installed", "archive"},
			&p.pkg.numbers[rawSize], &p.pkg.numbers[rawInstalledSize], &p.pkg.numbers[rawArchiveSize])
	case "location":
		err = p.location()
	case "format":
		return p.format()
	}
	if err != nil {
		return err
	}
	return p.skip()
}

// format reads the <format> element.
func (p *primaryParser) format() error {
	depth := p.depth()
	for {
		more, err := p.child(depth)
		if err != nil || !more {
			return err
		}
		if err := p.formatField(); err != nil {
			return err
		}
	}
}

func (p *primaryParser) formatField() error {
	switch string(p.name) {
	case "license":
		return p.str(rawLicense)
	case "vendor":
		return p.str(rawVendor)
	case "group":
		return p.str(rawGroup)
	case "buildhost":
		return p.str(rawBuildHost)
	case "sourcerpm":
		return p.str(rawSourceRPM)
	case "header-range":
		if err := p.numbers([]string{"start", "end"}, &p.pkg.numbers[rawHeaderStart], &p.pkg.numbers[rawHeaderEnd]); err != nil {
			return err
		}
	case "file":
		if len(p.pkg.files) >= MaxFiles {
			return p.errorf("%w: too many files", errLimit)
		}
		typ, err := p.fileType()
		if err != nil {
			return err
		}
		path, err := p.content()
		p.pkg.files = append(p.pkg.files, rawFile{p.strs.id(path), typ})
		return err
	default:
		if k, ok := depKind(p.name); ok {
			return p.depList(&p.pkg.deps[k])
		}
	}
	return p.skip()
}

// depKind returns the kind of dependencies that an element lists.
func depKind(name []byte) (DepKind, bool) {
	switch string(name) {
	case "provides":
		return Provides, true
	case "requires":
		return Requires, true
	case "conflicts":
		return Conflicts, true
	case "obsoletes":
		return Obsoletes, true
	case "suggests":
		return Suggests, true
	case "enhances":
		return Enhances, true
	case "recommends":
		return Recommends, true
	case "supplements":
		return Supplements, true
	}
	return 0, false
}

func (p *primaryParser) depList(list *[]rawDep) error {
	depth := p.depth()
	for {
		more, err := p.child(depth)
		if err != nil || !more {
			return err
		}
		if string(p.name) == "entry" {
			d, err := p.dep()
			if err != nil {
				return err
			}
			if len(*list) >= MaxDeps {
				return p.errorf("%w: too many dependencies", errLimit)
			}
			if d.name != 0 { // one without a name asks for nothing, and one package must not spoil the repository
				*list = append(*list, d)
			}
		}
		if err := p.skip(); err != nil {
			return err
		}
	}
}

// dep reads the attributes of an <entry>.
func (p *primaryParser) dep() (d rawDep, err error) {
	p.evr.reset()
	for _, a := range p.attrs {
		v, err := p.value(a)
		if err != nil {
			return d, err
		}
		switch string(a.name) {
		case "name":
			d.name = p.strs.id(v)
		case "flags":
			d.op = parseFlags(v)
		case "epoch":
			p.evr.set(0, v)
		case "ver":
			p.evr.set(1, v)
		case "rel":
			p.evr.set(2, v)
		case "pre":
			d.pre = len(v) > 0 && string(v) != "0"
		}
	}
	d.evr = p.strs.id(p.evr.text())
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

// evrParts joins epoch, version and release.
type evrParts struct {
	buf  []byte
	span [3]span
}

type span struct{ from, to int }

func (p *evrParts) reset() { p.buf, p.span = p.buf[:0], [3]span{} }

func (p *evrParts) set(i int, v []byte) {
	n := len(p.buf)
	p.buf = append(p.buf, v...)
	p.span[i] = span{n, len(p.buf)}
}

func (p *evrParts) part(i int) []byte { return p.buf[p.span[i].from:p.span[i].to] }

// text joins the parts. An epoch of zero is left out, unless the version has a
// colon and would then be taken for one with an epoch (as libsolv does).
func (p *evrParts) text() []byte {
	n := len(p.buf)
	ver, rel := p.part(1), p.part(2)
	if epoch := p.part(0); len(epoch) > 0 && (string(epoch) != "0" || looksLikeEpoch(ver)) {
		p.buf = append(append(p.buf, epoch...), ':')
	} else if looksLikeEpoch(ver) {
		p.buf = append(p.buf, "0:"...)
	}
	p.buf = append(p.buf, ver...)
	if len(rel) > 0 {
		p.buf = append(append(p.buf, '-'), rel...)
	}
	return p.buf[n:]
}

// looksLikeEpoch reports whether a version begins with digits and a colon.
func looksLikeEpoch(ver []byte) bool {
	i := 0
	for i < len(ver) && '0' <= ver[i] && ver[i] <= '9' {
		i++
	}
	return i > 0 && i < len(ver) && ver[i] == ':'
}

// str reads text that many packages share.
func (p *primaryParser) str(i int) error {
	b, err := p.content()
	if err == nil {
		p.pkg.strings[i] = p.strs.id(b)
	}
	return err
}

// human reads text of one package.
func (p *primaryParser) human(i int) error {
	b, err := p.content()
	if err == nil {
		p.pkg.setText(i, b)
	}
	return err
}

func (p *primaryParser) version() error {
	for _, a := range p.attrs {
		v, err := p.value(a)
		if err != nil {
			return err
		}
		switch string(a.name) {
		case "epoch":
			if p.pkg.epoch, err = p.epoch(v); err != nil {
				return err
			}
		case "ver":
			p.pkg.strings[rawVersion] = p.strs.id(v)
		case "rel":
			p.pkg.strings[rawRelease] = p.strs.id(v)
		}
	}
	return nil
}

func (p *primaryParser) checksum() error {
	typ, err := p.attr("type")
	if err != nil {
		return err
	}
	p.pkg.strings[rawChecksumType] = p.strs.id(typ)
	b, err := p.content()
	if err == nil {
		p.pkg.setText(rawHex, bytes.ToLower(bytes.TrimSpace(b)))
	}
	return err
}

func (p *primaryParser) location() error {
	for _, a := range p.attrs {
		v, err := p.value(a)
		if err != nil {
			return err
		}
		switch string(a.name) {
		case "href":
			p.pkg.setText(rawLocation, v)
		case "base":
			p.pkg.strings[rawBase] = p.strs.id(v)
		}
	}
	return nil
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
			if e.Epoch, err = s.epoch(v); err != nil {
				return e, err
			}
			e.HasEpoch = e.Epoch != 0
		case "ver":
			e.Version = in.get(v)
		case "rel":
			e.Release = in.get(v)
		}
	}
	return e, nil
}

// epoch parses the value of an attribute; an empty one is 0.
func (s *scanner) epoch(v []byte) (uint32, error) {
	if len(v) == 0 || string(v) == "0" {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(v), 10, 32)
	if err != nil {
		return 0, s.errorf("invalid epoch %.32q", v)
	}
	return uint32(n), nil
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
