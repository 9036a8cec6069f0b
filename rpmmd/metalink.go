package rpmmd

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Limits of lists of mirrors.
const (
	// MaxMirrorList is the size of a metalink or mirrorlist, in bytes.
	MaxMirrorList = 8 << 20
	// MaxMirrors is how many mirrors are taken from one; the rest is ignored.
	MaxMirrors = 1024
)

// A Metalink says where one file can be had and how it looks.
type Metalink struct {
	Name      string
	Timestamp int64 // seconds since 1970
	Size      int64 // in bytes; zero if unknown
	Checksums []Checksum
	// Alternates are older versions of the file that some mirrors may still have.
	Alternates []Alternate
	URLs       []MetalinkURL
}

// An Alternate is another acceptable version of a file.
type Alternate struct {
	Timestamp int64
	Size      int64
	Checksums []Checksum
}

// A MetalinkURL is one place of a file.
type MetalinkURL struct {
	URL        string
	Protocol   string // "https", "http", "rsync", "ftp"; may be empty
	Location   string // country code
	Preference int64  // 100 is best
}

// ParseMetalink returns what a metalink says of the named file.
func ParseMetalink(b []byte, name string) (*Metalink, error) {
	if len(b) > MaxMirrorList {
		return nil, fmt.Errorf("reading metalink: %w", errLimit)
	}
	p := &metalinkParser{scanner: newScanner(bytes.NewReader(b)), intern: interner{}, name: name}
	if err := p.document(); err != nil {
		return nil, fmt.Errorf("reading metalink: %w", err)
	}
	if !p.found {
		return nil, fmt.Errorf("reading metalink: file %q not found", name)
	}
	return &p.link, nil
}

type metalinkParser struct {
	*scanner
	intern interner
	name   string
	found  bool
	link   Metalink
}

func (p *metalinkParser) document() error {
	if err := p.root("metalink"); err != nil {
		return err
	}
	err := p.children(func(name string) error {
		if name != "files" {
			return p.skip()
		}
		return p.children(func(name string) error {
			v, err := p.attr("name")
			if err != nil {
				return err
			}
			if name != "file" || string(v) != p.name || p.found {
				return p.skip()
			}
			p.found = true
			p.link.Name = p.name
			return p.file()
		})
	})
	if err != nil {
		return err
	}
	return p.drain()
}

func (p *metalinkParser) file() error {
	l := &p.link
	err := p.children(func(name string) error {
		switch name {
		case "resources":
			return p.children(p.resource)
		case "alternates":
			return p.children(p.alternate)
		}
		return p.version(name, &l.Timestamp, &l.Size, &l.Checksums)
	})
	slices.SortStableFunc(l.URLs, func(a, b MetalinkURL) int { return cmp.Compare(b.Preference, a.Preference) })
	return err
}

// version reads an element that describes one version of the file.
func (p *metalinkParser) version(name string, time, size *int64, sums *[]Checksum) error {
	switch name {
	case "timestamp":
		return p.number(time)
	case "size":
		return p.number(size)
	case "verification":
		return p.children(func(name string) error {
			if name != "hash" {
				return p.skip()
			}
			c, err := p.checksum(p.intern)
			if len(*sums) < MaxAttrs {
				*sums = append(*sums, c)
			}
			return err
		})
	}
	return p.skip()
}

func (p *metalinkParser) alternate(string) error {
	var a Alternate
	err := p.children(func(name string) error {
		return p.version(name, &a.Timestamp, &a.Size, &a.Checksums)
	})
	if len(p.link.Alternates) < MaxMirrors {
		p.link.Alternates = append(p.link.Alternates, a)
	}
	return err
}

func (p *metalinkParser) resource(name string) error {
	if name != "url" {
		return p.skip()
	}
	var u MetalinkURL
	for _, a := range p.attrs {
		v, err := p.value(a)
		if err != nil {
			return err
		}
		switch string(a.name) {
		case "protocol":
			u.Protocol = string(v)
		case "location":
			u.Location = string(v)
		case "preference":
			u.Preference = min(parseInt(v), 100)
		}
	}
	err := p.textOf(&u.URL)
	u.URL = strings.TrimSpace(u.URL)
	if u.URL != "" && len(p.link.URLs) < MaxMirrors {
		p.link.URLs = append(p.link.URLs, u)
	}
	return err
}

// Bases returns the URLs of the directories that hold the repositories, best
// first: those of http, https and file without the given suffix, which is the
// file's path in a repository, such as "repodata/repomd.xml".
func (l *Metalink) Bases(suffix string) []string {
	var out []string
	for _, u := range l.URLs {
		if base, ok := strings.CutSuffix(u.URL, suffix); ok && isFetchable(base) {
			out = append(out, base)
		}
	}
	return out
}

// ParseMirrorList returns the URLs of a mirrorlist: one a line; what begins with
// "#" and what is no URL that can be fetched is ignored.
func ParseMirrorList(b []byte) []string {
	var out []string
	for line := range strings.Lines(string(b[:min(len(b), MaxMirrorList)])) {
		line = strings.TrimSpace(line)
		if isFetchable(line) && len(out) < MaxMirrors {
			out = append(out, line)
		}
	}
	return out
}

func isFetchable(url string) bool {
	scheme, rest, ok := strings.Cut(url, "://")
	switch strings.ToLower(scheme) {
	case "http", "https", "file":
		return ok && rest != "" && !strings.ContainsAny(rest, " \t\n\r")
	}
	return false
}
