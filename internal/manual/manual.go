// Package manual writes manual pages: troff with the macros of man(7).
package manual

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"rpmostree/internal/goption"
)

// A Page describes a command.
type Page struct {
	Name     string // with spaces between the words
	About    string // a line
	Synopsis string // what follows the name
	Text     string // paragraphs, with an empty line between them
	Options  goption.Set
	Commands []Item // those below it
	Sections []Section
	SeeAlso  []string // names of pages
}

// A Section is one more part of a page.
type Section struct {
	Title string
	Text  string // as that of a Page
	Items []Item
}

// An Item is a word with an explanation.
type Item struct{ Name, Text string }

// File is the name of the page's file: "ostree-admin-deploy.1".
func (p Page) File() string { return dashed(p.Name) + ".1" }

func dashed(name string) string { return strings.ReplaceAll(name, " ", "-") }

// Write writes the page.
func (p Page) Write(to io.Writer) error {
	w := writer{bufio.NewWriter(to)}
	w.linef(`.TH "%s" "1" "" "%s" "User Commands"`, quoted(strings.ToUpper(dashed(p.Name))), quoted(strings.Fields(p.Name)[0]))
	w.line(".nh") // long options are not to be hyphenated
	w.section("NAME")
	w.linef(`%s \- %s`, escape(dashed(p.Name)), escape(p.About))
	w.section("SYNOPSIS")
	w.linef(`\fB%s\fR %s`, escape(p.Name), escape(p.Synopsis))
	if p.Text != "" {
		w.section("DESCRIPTION")
		w.text(p.Text)
	}
	w.items("COMMANDS", p.Commands)
	var options []Item
	for _, o := range p.Options {
		if !o.Hidden {
			options = append(options, Item{o.Synopsis(), o.About})
		}
	}
	options = append(options, Item{"-h, --help", "Show help options"})
	w.items("OPTIONS", options)
	for _, s := range p.Sections {
		w.section(s.Title)
		w.text(s.Text)
		w.list(s.Items)
	}
	w.seeAlso(p.SeeAlso)
	return w.Flush()
}

type writer struct{ *bufio.Writer }

func (w writer) line(s string)                 { w.WriteString(s + "\n") }
func (w writer) linef(format string, a ...any) { fmt.Fprintf(w, format+"\n", a...) }
func (w writer) section(title string)          { w.linef(`.SH "%s"`, quoted(title)) }

// text writes paragraphs; lines that begin with a space are kept as they are.
func (w writer) text(s string) {
	for i, para := range strings.Split(strings.TrimSpace(s), "\n\n") {
		switch {
		case para == "":
			return
		case strings.HasPrefix(para, " "):
			w.linef(".PP\n.RS 4\n.nf\n%s\n.fi\n.RE", escape(para))
			continue
		case i > 0:
			w.line(".PP")
		}
		w.line(escape(strings.Join(strings.Fields(para), " ")))
	}
}

func (w writer) items(title string, items []Item) {
	if len(items) > 0 {
		w.section(title)
		w.list(items)
	}
}

func (w writer) list(items []Item) {
	for _, it := range items {
		w.linef(".TP\n\\fB%s\\fR\n%s", escape(it.Name), escape(it.Text))
	}
}

func (w writer) seeAlso(names []string) {
	if len(names) == 0 {
		return
	}
	w.section("SEE ALSO")
	for i, n := range names {
		comma := ","
		if i == len(names)-1 {
			comma = ""
		}
		w.linef(`\fB%s\fR(1)%s`, escape(dashed(n)), comma)
	}
}

var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'", "…", "...", "‘", `\(oq`, "’", `\(cq`, "“", `\(lq`, "”", `\(rq`)

// escape makes text that has no meaning to troff.
func escape(s string) string {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + escapes.Replace(s)
	}
	return escapes.Replace(s)
}

// quoted is escape for the argument of a macro.
func quoted(s string) string { return strings.ReplaceAll(escape(s), `"`, `\(dq`) }
