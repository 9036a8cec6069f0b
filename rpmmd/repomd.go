package rpmmd

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Limits of repomd.xml.
const (
	// MaxRepomd is the size of repomd.xml, in bytes.
	MaxRepomd = 16 << 20
	// MaxRecords is how many files a repomd.xml may name.
	MaxRecords = 4096
)

// Repomd is repomd.xml: the list of a repository's metadata files.
type Repomd struct {
	Revision    string
	RepoTags    []string
	ContentTags []string
	DistroTags  []DistroTag
	Records     []Record
}

// A DistroTag says for which distribution a repository is.
type DistroTag struct{ CPEID, Value string }

// A Record describes one metadata file.
type Record struct {
	Type           string // "primary", "filelists", "other", "group", "updateinfo", "modules", ...
	Checksum       Checksum
	OpenChecksum   Checksum // of the content when decompressed
	HeaderChecksum Checksum // of a zchunk header
	Location       string   // path, relative to Base or, if that is empty, to the repository
	Base           string   // URL; usually empty
	Timestamp      int64    // seconds since 1970
	Size           int64    // in bytes; zero if unknown
	OpenSize       int64    // when decompressed, in bytes; zero if unknown
	HeaderSize     int64    // of a zchunk header, in bytes
	Version        int64    // database_version of sqlite files
}

// Record returns the first record of a type.
func (m *Repomd) Record(typ string) (Record, bool) {
	for _, r := range m.Records {
		if r.Type == typ {
			return r, true
		}
	}
	return Record{}, false
}

// Timestamp returns the newest time of all records, which is what package
// managers show as the time when the repository was generated.
func (m *Repomd) Timestamp() int64 {
	var t int64
	for _, r := range m.Records {
		t = max(t, r.Timestamp)
	}
	return t
}

// ParseRepomd parses repomd.xml.
func ParseRepomd(b []byte) (*Repomd, error) {
	if len(b) > MaxRepomd {
		return nil, fmt.Errorf("reading repomd.xml: %w", errLimit)
	}
	p := &repomdParser{scanner: newScanner(bytes.NewReader(b)), intern: interner{}}
	if err := p.document(); err != nil {
		return nil, fmt.Errorf("reading repomd.xml: %w", err)
	}
	return &p.md, nil
}

type repomdParser struct {
	*scanner
	intern interner
	md     Repomd
}

func (p *repomdParser) document() error {
	if err := p.root("repomd"); err != nil {
		return err
	}
	err := p.children(func(name string) (err error) {
		switch name {
		case "revision":
			return p.textOf(&p.md.Revision)
		case "tags":
			return p.tags()
		case "data":
			return p.record()
		}
		return p.skip()
	})
	if err != nil {
		return err
	}
	return p.drain()
}

func (p *repomdParser) tags() error {
	return p.children(func(name string) error {
		cpe, err := p.attr("cpeid")
		tag := DistroTag{CPEID: string(cpe)}
		if err != nil {
			return err
		}
		if err := p.textOf(&tag.Value); err != nil {
			return err
		}
		switch name {
		case "repo":
			p.md.RepoTags = append(p.md.RepoTags, tag.Value)
		case "content":
			p.md.ContentTags = append(p.md.ContentTags, tag.Value)
		case "distro":
			p.md.DistroTags = append(p.md.DistroTags, tag)
		}
		return nil
	})
}

func (p *repomdParser) record() error {
	if len(p.md.Records) >= MaxRecords {
		return p.errorf("%w: too many records", errLimit)
	}
	typ, err := p.attr("type")
	if err != nil {
		return err
	}
	r := Record{Type: string(typ)}
	err = p.children(func(name string) (err error) {
		switch name {
		case "checksum":
			r.Checksum, err = p.checksum(p.intern)
		case "open-checksum":
			r.OpenChecksum, err = p.checksum(p.intern)
		case "header-checksum":
			r.HeaderChecksum, err = p.checksum(p.intern)
		case "timestamp":
			err = p.number(&r.Timestamp)
		case "size":
			err = p.number(&r.Size)
		case "open-size":
			err = p.number(&r.OpenSize)
		case "header-size":
			err = p.number(&r.HeaderSize)
		case "database_version":
			err = p.number(&r.Version)
		case "location":
			if err = p.location(&r.Location, &r.Base); err == nil {
				err = p.skip()
			}
		default:
			err = p.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.Type == "" || r.Location == "" {
		return p.errorf("data without type or location")
	}
	p.md.Records = append(p.md.Records, r)
	return nil
}

// children calls fn for each element inside the current one. fn must read it to
// its end.
func (s *scanner) children(fn func(name string) error) error {
	depth := s.depth()
	for {
		more, err := s.child(depth)
		if err != nil || !more {
			return err
		}
		if err := fn(string(s.name)); err != nil {
			return err
		}
	}
}

func (s *scanner) textOf(dst *string) error {
	b, err := s.content()
	*dst = string(b)
	return err
}

func (s *scanner) number(dst *int64) error {
	b, err := s.content()
	*dst = parseInt(bytes.TrimSpace(b))
	return err
}

// Write writes repomd.xml in the form of createrepo_c.
func (m *Repomd) Write(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" +
		"<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n")
	element(&b, 1, "revision", m.Revision)
	if len(m.RepoTags)+len(m.ContentTags)+len(m.DistroTags) > 0 {
		m.writeTags(&b)
	}
	for i := range m.Records {
		m.Records[i].write(&b)
	}
	b.WriteString("</repomd>\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (m *Repomd) writeTags(b *bytes.Buffer) {
	b.WriteString("  <tags>\n")
	for _, t := range m.ContentTags {
		element(b, 2, "content", t)
	}
	for _, t := range m.RepoTags {
		element(b, 2, "repo", t)
	}
	for _, t := range m.DistroTags {
		if t.CPEID == "" {
			element(b, 2, "distro", t.Value)
		} else {
			element(b, 2, "distro", t.Value, "cpeid", t.CPEID)
		}
	}
	b.WriteString("  </tags>\n")
}

func (r *Record) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "  <data type=\"%s\">\n", escapeAttr(r.Type))
	checksum := func(name string, c Checksum) {
		if !c.IsZero() {
			element(b, 2, name, c.Hex, "type", c.Type)
		}
	}
	number := func(name string, n int64) {
		if n > 0 {
			element(b, 2, name, fmt.Sprint(n))
		}
	}
	checksum("checksum", r.Checksum)
	checksum("open-checksum", r.OpenChecksum)
	checksum("header-checksum", r.HeaderChecksum)
	b.WriteString("    <location ")
	if r.Base != "" {
		fmt.Fprintf(b, "xml:base=\"%s\" ", escapeAttr(r.Base))
	}
	fmt.Fprintf(b, "href=\"%s\"/>\n", escapeAttr(r.Location))
	element(b, 2, "timestamp", fmt.Sprint(r.Timestamp))
	number("size", r.Size)
	number("open-size", r.OpenSize)
	number("header-size", r.HeaderSize)
	number("database_version", r.Version)
	b.WriteString("  </data>\n")
}

// element writes one line with an element and its attributes.
func element(b *bytes.Buffer, indent int, name, text string, attrs ...string) {
	b.WriteString(strings.Repeat("  ", indent))
	b.WriteString("<" + name)
	for i := 0; i+1 < len(attrs); i += 2 {
		fmt.Fprintf(b, " %s=\"%s\"", attrs[i], escapeAttr(attrs[i+1]))
	}
	b.WriteString(">" + escapeText(text) + "</" + name + ">\n")
}
