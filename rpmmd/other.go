package rpmmd

import (
	"io"

	"rpmostree/rpm/evr"
)

// MaxChangelogs is how many changes of one package ParseOther returns; the rest
// is ignored.
const MaxChangelogs = 1 << 20

// Changelogs is what other.xml says of one package.
type Changelogs struct {
	PkgID      string // digits of Package.Checksum
	Name, Arch string
	EVR        evr.EVR
	Entries    []Changelog // oldest first
}

// A Changelog is one change of a package.
type Changelog struct {
	Author string // usually with the version
	Date   int64  // seconds since 1970
	Text   string
}

// ParseOther reads other.xml and calls fn for each package. The Changelogs is
// valid until fn returns; its strings stay. An error of fn ends the parse and is
// returned as it is.
func ParseOther(r io.Reader, fn func(*Changelogs) error) error {
	p := &listParser{scanner: newScanner(r), intern: interner{}}
	var logs Changelogs
	var stop error
	err := p.document("other", func() error {
		logs = Changelogs{PkgID: p.pkgid, Name: p.pkgName, Arch: p.arch, Entries: logs.Entries[:0]}
		if err := p.changelogs(&logs); err != nil {
			return err
		}
		stop = fn(&logs)
		return stop
	})
	if err == nil || stop != nil {
		return stop
	}
	return &ParseError{"other", err}
}

func (p *listParser) changelogs(logs *Changelogs) error {
	return p.children(func(name string) (err error) {
		switch name {
		case "version":
			if logs.EVR, err = p.evr(p.intern); err != nil {
				return err
			}
		case "changelog":
			var c Changelog
			for _, a := range p.attrs {
				v, err := p.value(a)
				if err != nil {
					return err
				}
				switch string(a.name) {
				case "author":
					c.Author = p.intern.get(v)
				case "date":
					c.Date = parseInt(v)
				}
			}
			err = p.textOf(&c.Text)
			if len(logs.Entries) < MaxChangelogs {
				logs.Entries = append(logs.Entries, c)
			}
			return err
		}
		return p.skip()
	})
}
