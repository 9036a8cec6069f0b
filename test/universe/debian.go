package universe

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"rpmostree/rpm/evr"
	"rpmostree/test/distro/deb"
)

// An entry is what the index says of a package.
type entry struct {
	name     string
	noarch   bool
	evr      evr.EVR
	version  string // Debian's
	source   string
	section  string
	summary  string
	fields   deb.Stanza
	sonames  []string
	provides [][]deb.Relation
}

// readIndex reads the packages of an index, one of each name, sorted.
func readIndex(ctx context.Context, name string) ([]*entry, error) {
	cmd := exec.CommandContext(ctx, "/usr/lib/apt/apt-helper", "cat-file", name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	found := map[string]*entry{}
	var text strings.Builder
	in := bufio.NewScanner(out)
	in.Buffer(nil, 16<<20)
	flush := func() error {
		if text.Len() == 0 {
			return nil
		}
		e, err := newEntry(text.String())
		text.Reset()
		if err == nil && e != nil && found[e.name] == nil {
			found[e.name] = e
		}
		return err
	}
	for in.Scan() {
		if in.Text() != "" {
			text.WriteString(in.Text() + "\n")
		} else if err := flush(); err != nil {
			return nil, err
		}
	}
	if err := cmp.Or(in.Err(), flush(), cmd.Wait()); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *entry) int { return strings.Compare(a.name, b.name) }), nil
}

func newEntry(text string) (*entry, error) {
	s, err := deb.ParseStanza(text)
	if err != nil {
		return nil, err
	}
	arch := s["Architecture"]
	if arch != "all" && arch != "amd64" {
		return nil, nil
	}
	source, _, _ := strings.Cut(cmp.Or(s["Source"], s["Package"]), " ")
	summary, _, _ := strings.Cut(s["Description"], "\n")
	e := &entry{name: s["Package"], noarch: arch == "all", version: s["Version"], source: source, section: s["Section"], summary: summary, fields: s}
	e.evr = convertVersion(e.version)
	if e.evr.Release == "" {
		e.evr.Release = "0"
	}
	e.provides, err = deb.ParseRelations(s["Provides"])
	return e, err
}

// relations reads a field; what cannot be read is left out.
func (e *entry) relations(field string) [][]deb.Relation {
	all, err := deb.ParseRelations(e.fields[field])
	if err != nil {
		return nil
	}
	return all
}

// convertVersion maps epoch, upstream version and revision to epoch, version and release. What
// neither may contain is replaced.
func convertVersion(s string) (e evr.EVR) {
	if epoch, rest, ok := strings.Cut(s, ":"); ok {
		if _, err := fmt.Sscan(epoch, &e.Epoch); err == nil {
			s = rest
		}
		e.HasEpoch = e.Epoch != 0
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		s, e.Release = s[:i], s[i+1:]
	}
	e.Version = strings.NewReplacer("-", "_", ":", ".").Replace(s)
	return e
}

// compareVersions orders as dpkg does (deb-version(7)).
func compareVersions(a, b string) int {
	split := func(s string) (epoch, version, revision string) {
		if i := strings.IndexByte(s, ':'); i >= 0 {
			epoch, s = s[:i], s[i+1:]
		}
		if i := strings.LastIndexByte(s, '-'); i >= 0 {
			return epoch, s[:i], s[i+1:]
		}
		return epoch, s, "0"
	}
	ea, va, ra := split(a)
	eb, vb, rb := split(b)
	return cmp.Or(comparePart(ea, eb), comparePart(va, vb), comparePart(ra, rb))
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// weight orders characters outside of numbers: a tilde before the end, letters before others.
func weight(s string) int {
	switch {
	case s == "" || digit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case 'a' <= s[0]|0x20 && s[0]|0x20 <= 'z':
		return int(s[0])
	}
	return int(s[0]) + 256
}

func comparePart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !digit(a[0]) || b != "" && !digit(b[0]) {
			if c := cmp.Compare(weight(a), weight(b)); c != 0 {
				return c
			}
			a, b = a[1:], b[1:]
		}
		var x, y string
		x, a = number(a)
		y, b = number(b)
		if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
			return c
		}
	}
	return 0
}

// number cuts a number off, without leading zeros.
func number(s string) (n, rest string) {
	i := 0
	for i < len(s) && digit(s[i]) {
		i++
	}
	return strings.TrimLeft(s[:i], "0"), s[i:]
}
