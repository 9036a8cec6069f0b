package rpmmd

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"rpmostree/rpm/evr"
)

// The writers below produce the same bytes as createrepo_c, which uses libxml2:
// two blanks for each level, in attributes no bytes above 127.

// PrimaryHeader returns how primary.xml begins.
func PrimaryHeader(packages int) string {
	return fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"+
		"<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"%d\">\n", packages)
}

// FilelistsHeader returns how filelists.xml begins.
func FilelistsHeader(packages int) string {
	return fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"+
		"<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" packages=\"%d\">\n", packages)
}

// OtherHeader returns how other.xml begins.
func OtherHeader(packages int) string {
	return fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"+
		"<otherdata xmlns=\"http://linux.duke.edu/metadata/other\" packages=\"%d\">\n", packages)
}

// How the files end.
const (
	PrimaryFooter   = "</metadata>"
	FilelistsFooter = "</filelists>"
	OtherFooter     = "</otherdata>"
)

// Write writes the package as an element of primary.xml.
func (p *Package) Write(w io.Writer) error {
	x := xmlWriter{}
	x.line(0, `<package type="rpm">`)
	x.element(1, "name", p.Name)
	x.element(1, "arch", p.Arch)
	x.version(p.EVR)
	x.open(1, "checksum").attr("type", p.Checksum.Type).attr("pkgid", "YES").text(p.Checksum.Hex, "checksum")
	x.element(1, "summary", p.Summary)
	x.element(1, "description", p.Description)
	x.element(1, "packager", p.Packager)
	x.element(1, "url", p.URL)
	x.open(1, "time").number("file", p.FileTime).number("build", p.BuildTime).empty()
	x.open(1, "size").number("package", p.Size).number("installed", p.InstalledSize).number("archive", p.ArchiveSize).empty()
	x.open(1, "location")
	if p.Base != "" {
		x.attr("xml:base", p.Base)
	}
	x.attr("href", p.Location).empty()
	x.format(p)
	x.line(0, `</package>`)
	_, err := w.Write(x.buf)
	return err
}

func (x *xmlWriter) format(p *Package) {
	x.line(1, "<format>")
	x.element(2, "rpm:license", p.License)
	x.element(2, "rpm:vendor", p.Vendor)
	x.element(2, "rpm:group", p.Group)
	x.element(2, "rpm:buildhost", p.BuildHost)
	x.element(2, "rpm:sourcerpm", p.SourceRPM)
	x.open(2, "rpm:header-range").number("start", p.HeaderStart).number("end", p.HeaderEnd).empty()
	x.deps("rpm:provides", p.Provides)
	x.deps("rpm:requires", p.Requires)
	x.deps("rpm:conflicts", p.Conflicts)
	x.deps("rpm:obsoletes", p.Obsoletes)
	x.deps("rpm:suggests", p.Suggests)
	x.deps("rpm:enhances", p.Enhances)
	x.deps("rpm:recommends", p.Recommends)
	x.deps("rpm:supplements", p.Supplements)
	for _, f := range p.Files {
		x.file(2, f)
	}
	x.line(1, "</format>")
}

// Write writes the list as an element of filelists.xml.
func (l *Filelist) Write(w io.Writer) error {
	x := xmlWriter{}
	x.identity(l.PkgID, l.Name, l.Arch, l.EVR)
	for _, f := range l.Files {
		x.file(1, f)
	}
	x.line(0, `</package>`)
	_, err := w.Write(x.buf)
	return err
}

// Write writes the changes as an element of other.xml.
func (l *Changelogs) Write(w io.Writer) error {
	x := xmlWriter{}
	x.identity(l.PkgID, l.Name, l.Arch, l.EVR)
	for _, c := range l.Entries {
		x.open(1, "changelog").attr("author", c.Author).number("date", c.Date).text(c.Text, "changelog")
	}
	x.line(0, `</package>`)
	_, err := w.Write(x.buf)
	return err
}

// xmlWriter collects XML.
type xmlWriter struct{ buf []byte }

const spaces = "      "

func (x *xmlWriter) line(level int, s string) {
	x.buf = append(append(append(x.buf, spaces[:2*level]...), s...), '\n')
}

// open begins a tag.
func (x *xmlWriter) open(level int, name string) *xmlWriter {
	x.buf = append(append(append(x.buf, spaces[:2*level]...), '<'), name...)
	return x
}

func (x *xmlWriter) attr(name, value string) *xmlWriter {
	x.buf = append(append(append(x.buf, ' '), name...), '=', '"')
	x.buf = appendAttr(x.buf, value)
	x.buf = append(x.buf, '"')
	return x
}

func (x *xmlWriter) number(name string, n int64) *xmlWriter {
	x.buf = append(append(append(x.buf, ' '), name...), '=', '"')
	x.buf = strconv.AppendInt(x.buf, n, 10)
	x.buf = append(x.buf, '"')
	return x
}

// empty ends an element without content.
func (x *xmlWriter) empty() { x.buf = append(x.buf, "/>\n"...) }

// text ends an element with content.
func (x *xmlWriter) text(s, name string) {
	x.buf = append(x.buf, '>')
	x.buf = append(x.buf, escapeText(s)...)
	x.buf = append(append(append(x.buf, "</"...), name...), ">\n"...)
}

func (x *xmlWriter) element(level int, name, s string) { x.open(level, name).text(s, name) }

func (x *xmlWriter) identity(pkgid, name, arch string, e evr.EVR) {
	x.open(0, "package").attr("pkgid", pkgid).attr("name", name).attr("arch", arch)
	x.buf = append(x.buf, ">\n"...)
	x.version(e)
}

func (x *xmlWriter) version(e evr.EVR) {
	x.open(1, "version").number("epoch", int64(e.Epoch)).attr("ver", e.Version).attr("rel", e.Release).empty()
}

func (x *xmlWriter) deps(name string, deps []Dep) {
	if len(deps) == 0 {
		return
	}
	x.line(2, "<"+name+">")
	for _, d := range deps {
		x.open(3, "rpm:entry").attr("name", d.Name)
		if flags := flagsText(d.Op); flags != "" {
			x.attr("flags", flags)
			x.depVersion(d.EVR)
		}
		if d.Pre {
			x.attr("pre", "1")
		}
		x.empty()
	}
	x.line(2, "</"+name+">")
}

func (x *xmlWriter) depVersion(s string) {
	if s == "" {
		return
	}
	e := evr.Parse(s)
	if e.Release != "" {
		e.Version += "-" + e.Release
	}
	// createrepo_c ends the version at the first hyphen, rpm at the last
	version, release, _ := strings.Cut(e.Version, "-")
	x.number("epoch", int64(e.Epoch)).attr("ver", version)
	if release != "" {
		x.attr("rel", release)
	}
}

func flagsText(o evr.Op) string {
	switch o {
	case evr.EQ:
		return "EQ"
	case evr.LT:
		return "LT"
	case evr.GT:
		return "GT"
	case evr.LT | evr.EQ:
		return "LE"
	case evr.GT | evr.EQ:
		return "GE"
	}
	return ""
}

func (x *xmlWriter) file(level int, f File) {
	x.open(level, "file")
	if f.Type != FileRegular {
		x.attr("type", f.Type.String())
	}
	x.text(f.Path, "file")
}

var textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")

func escapeText(s string) string { return textEscaper.Replace(s) }

func escapeAttr(s string) string { return string(appendAttr(nil, s)) }

// appendAttr appends an attribute's value as libxml2 writes it.
func appendAttr(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r == '\n', r == '\t', r == '\r':
			b = append(strconv.AppendInt(append(b, "&#"...), int64(r), 10), ';')
		case r >= utf8.RuneSelf:
			b = append(b, "&#x"...)
			b = append(b, strings.ToUpper(strconv.FormatInt(int64(r), 16))...)
			b = append(b, ';')
		default:
			b = append(b, byte(r))
		}
	}
	return b
}
