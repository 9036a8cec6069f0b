package rpmmd

import (
	"io"
	"strconv"
	"strings"
	"time"
)

// Limits of one advisory.
const (
	// MaxReferences is how many references of an advisory are kept.
	MaxReferences = 1 << 16
	// MaxAdvisoryPackages is how many packages of an advisory are kept.
	MaxAdvisoryPackages = 1 << 20
)

// An Advisory is one update of updateinfo.xml.
type Advisory struct {
	ID          string
	Type        string // "security", "bugfix", "enhancement", "newpackage"
	Status      string
	From        string
	Version     string
	Title       string
	Severity    string // "Critical", "Important", "Moderate", "Low", "None" or empty
	Summary     string
	Description string
	Solution    string
	Rights      string
	Release     string
	Issued      int64 // seconds since 1970, zero if unknown
	Updated     int64 // seconds since 1970, zero if unknown
	References  []Reference
	Packages    []AdvisoryPackage
}

// A Reference points to a bug, a CVE or a page.
type Reference struct {
	Type  string // "bugzilla", "cve", "vendor", "self", "other"
	ID    string
	Title string
	Href  string
}

// An AdvisoryPackage is a package that an advisory brings.
type AdvisoryPackage struct {
	Name, Arch, Epoch, Version, Release string
	SourceRPM                           string
	Filename                            string
	Collection                          string
	Module                              *AdvisoryModule // nil if the package is of no module

	RebootSuggested, RestartSuggested, ReloginSuggested bool
}

// An AdvisoryModule is the module that a collection of packages belongs to.
type AdvisoryModule struct{ Name, Stream, Version, Context, Arch string }

// ParseUpdateinfo reads updateinfo.xml and calls fn for each advisory, which belongs
// to fn. An error of fn ends the parse and is returned as it is.
func ParseUpdateinfo(r io.Reader, fn func(*Advisory) error) error {
	p := &updateParser{scanner: newScanner(r), intern: interner{}}
	var stop error
	err := p.document(func(a *Advisory) error {
		stop = fn(a)
		return stop
	})
	if err == nil || stop != nil {
		return stop
	}
	return &ParseError{"updateinfo", err}
}

type updateParser struct {
	*scanner
	intern interner
}

func (p *updateParser) document(fn func(*Advisory) error) error {
	if err := p.root("updates"); err != nil {
		return err
	}
	err := p.children(func(name string) error {
		if name != "update" {
			return p.skip()
		}
		a := &Advisory{}
		if err := p.attributes(func(name, v string) {
			switch name {
			case "type":
				a.Type = v
			case "status":
				a.Status = v
			case "from":
				a.From = v
			case "version":
				a.Version = v
			}
		}); err != nil {
			return err
		}
		if err := p.children(func(name string) error { return p.field(a, name) }); err != nil {
			return err
		}
		return fn(a)
	})
	if err != nil {
		return err
	}
	return p.drain()
}

// attributes calls fn with the attributes of the current element.
func (p *updateParser) attributes(fn func(name, value string)) error {
	for _, a := range p.attrs {
		v, err := p.value(a)
		if err != nil {
			return err
		}
		fn(string(a.name), p.intern.get(v))
	}
	return nil
}

func (p *updateParser) field(a *Advisory, name string) error {
	switch name {
	case "id":
		return p.textOf(&a.ID)
	case "title":
		return p.textOf(&a.Title)
	case "severity":
		return p.textOf(&a.Severity)
	case "summary":
		return p.textOf(&a.Summary)
	case "description":
		return p.textOf(&a.Description)
	case "solution":
		return p.textOf(&a.Solution)
	case "rights":
		return p.textOf(&a.Rights)
	case "release":
		return p.textOf(&a.Release)
	case "issued":
		return p.date(&a.Issued)
	case "updated":
		return p.date(&a.Updated)
	case "references":
		return p.children(func(name string) error { return p.reference(a, name) })
	case "pkglist":
		return p.children(func(name string) error {
			if name != "collection" {
				return p.skip()
			}
			return p.collection(a)
		})
	}
	return p.skip()
}

// date reads the date attribute: seconds since 1970, or a time in UTC.
func (p *updateParser) date(dst *int64) error {
	err := p.attributes(func(name, v string) {
		if name == "date" {
			*dst = parseDate(v)
		}
	})
	if err != nil {
		return err
	}
	return p.skip()
}

func parseDate(s string) int64 {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return max(n, 0)
	}
	s = strings.TrimSuffix(s, " UTC")
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return max(t.Unix(), 0)
		}
	}
	return 0
}

func (p *updateParser) reference(a *Advisory, name string) error {
	if name != "reference" || len(a.References) >= MaxReferences {
		return p.skip()
	}
	var r Reference
	err := p.attributes(func(name, v string) {
		switch name {
		case "href":
			r.Href = v
		case "id":
			r.ID = v
		case "type":
			r.Type = v
		case "title":
			r.Title = v
		}
	})
	if err != nil {
		return err
	}
	a.References = append(a.References, r)
	return p.skip()
}

func (p *updateParser) collection(a *Advisory) error {
	var collection string
	var module *AdvisoryModule
	return p.children(func(name string) error {
		switch name {
		case "name":
			return p.textOf(&collection)
		case "module":
			module = &AdvisoryModule{}
			fields := map[string]*string{"name": &module.Name, "stream": &module.Stream, "version": &module.Version,
				"context": &module.Context, "arch": &module.Arch}
			if err := p.attributes(func(name, v string) { set(fields, name, v) }); err != nil {
				return err
			}
		case "package":
			return p.pkg(a, AdvisoryPackage{Collection: collection, Module: module})
		}
		return p.skip()
	})
}

func set(fields map[string]*string, name, v string) {
	if dst := fields[name]; dst != nil {
		*dst = v
	}
}

func (p *updateParser) pkg(a *Advisory, pkg AdvisoryPackage) error {
	fields := map[string]*string{"name": &pkg.Name, "arch": &pkg.Arch, "epoch": &pkg.Epoch, "version": &pkg.Version,
		"release": &pkg.Release, "src": &pkg.SourceRPM}
	if err := p.attributes(func(name, v string) { set(fields, name, v) }); err != nil {
		return err
	}
	err := p.children(func(name string) error {
		switch name {
		case "filename":
			return p.textOf(&pkg.Filename)
		case "reboot_suggested":
			return p.flag(&pkg.RebootSuggested)
		case "restart_suggested":
			return p.flag(&pkg.RestartSuggested)
		case "relogin_suggested":
			return p.flag(&pkg.ReloginSuggested)
		}
		return p.skip()
	})
	if err == nil && len(a.Packages) < MaxAdvisoryPackages {
		a.Packages = append(a.Packages, pkg)
	}
	return err
}

// flag reads an element whose presence means true, unless it says otherwise.
func (s *scanner) flag(dst *bool) error {
	b, err := s.content()
	switch strings.ToLower(strings.TrimSpace(string(b))) {
	case "0", "false", "no":
		*dst = false
	default:
		*dst = true
	}
	return err
}
