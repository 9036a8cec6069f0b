package pkgdiff

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// WriteBlock writes the form for people: a heading for each kind of change,
// which starts with prefix ("" or such as "Live"), then a line per package.
func (d Diff) WriteBlock(w io.Writer, prefix string) error {
	b := bufio.NewWriter(w)
	for _, s := range d.sections() {
		for i, line := range s.lines {
			if i == 0 {
				fmt.Fprintf(b, "%s%s:\n", prefix, s.heading)
			}
			fmt.Fprintf(b, "  %s\n", line)
		}
	}
	return b.Flush()
}

// WriteAligned writes the form of "status": headings in a column of the given
// width, to the left of the packages.
func (d Diff) WriteAligned(w io.Writer, prefix string, width int) error {
	b := bufio.NewWriter(w)
	for _, s := range d.sections() {
		heading, colon := prefix+s.heading, ":"
		for _, line := range s.lines {
			fmt.Fprintf(b, "  %*s%s %s\n", width, heading, colon, line)
			heading, colon = "", " "
		}
	}
	return b.Flush()
}

type section struct {
	heading string
	lines   []string
}

func (d Diff) sections() []section {
	pairs := func(list []Pair) (out []string) {
		for _, p := range list {
			out = append(out, fmt.Sprintf("%s %s -> %s", p.From.Name, p.From.EVR, p.To.EVR))
		}
		return out
	}
	singles := func(list []Package) (out []string) {
		for _, p := range list {
			out = append(out, p.NEVRA())
		}
		return out
	}
	return []section{
		{"Upgraded", pairs(d.Upgraded)},
		{"Downgraded", pairs(d.Downgraded)},
		{"Removed", singles(d.Removed)},
		{"Added", singles(d.Added)},
	}
}

// WriteDiff writes the form for scripts, all changes by name: "!" before the
// old and "=" before the new version of a changed package, "-" before a removed
// and "+" before an added one.
func (d Diff) WriteDiff(w io.Writer) error {
	type line struct {
		by   Package
		text string
	}
	var lines []line
	for _, p := range slices.Concat(d.Upgraded, d.Downgraded) {
		lines = append(lines, line{p.From, "!" + p.From.NEVRA() + "\n=" + p.To.NEVRA()})
	}
	for _, p := range d.Removed {
		lines = append(lines, line{p, "-" + p.NEVRA()})
	}
	for _, p := range d.Added {
		lines = append(lines, line{p, "+" + p.NEVRA()})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return Compare(a.by, b.by) })
	b := bufio.NewWriter(w)
	for _, l := range lines {
		fmt.Fprintln(b, l.text)
	}
	return b.Flush()
}

// WriteChangelogs is WriteBlock with architectures in the versions of changed
// packages and, below each upgraded one, the changelog entries that are new.
// Neighbours that were built from the same source share one changelog.
func (d Diff) WriteChangelogs(w io.Writer) error {
	b := bufio.NewWriter(w)
	heading := func(i int, s string) {
		if i == 0 {
			fmt.Fprintf(b, "%s:\n", s)
		}
	}
	pair := func(p Pair) {
		fmt.Fprintf(b, "  %s %s.%s -> %s.%s\n", p.From.Name, p.From.EVR, p.From.Arch, p.To.EVR, p.To.Arch)
	}
	for i, p := range d.Upgraded {
		heading(i, "Upgraded")
		pair(p)
		if i+1 == len(d.Upgraded) || d.Upgraded[i+1].From.SourceRPM != p.From.SourceRPM {
			writeChanges(b, p)
		}
	}
	for i, p := range d.Downgraded {
		heading(i, "Downgraded")
		pair(p)
	}
	for i, p := range d.Removed {
		heading(i, "Removed")
		fmt.Fprintf(b, "  %s\n", p.NEVRA())
	}
	for i, p := range d.Added {
		heading(i, "Added")
		fmt.Fprintf(b, "  %s\n", p.NEVRA())
	}
	return b.Flush()
}

// writeChanges writes the entries of the new changelog down to the latest of
// the old one.
func writeChanges(w io.Writer, p Pair) {
	if len(p.From.Changelog) == 0 {
		return
	}
	latest := p.From.Changelog[0]
	for _, c := range p.To.Changelog {
		if c.Time < latest.Time || c == latest {
			return
		}
		date := time.Unix(int64(c.Time), 0).UTC().Format("Mon Jan 02 2006")
		fmt.Fprintf(w, "    * %s %s\n    %s\n\n", date, c.Name, strings.ReplaceAll(c.Text, "\n", "\n    "))
	}
}
