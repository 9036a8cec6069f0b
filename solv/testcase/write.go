package testcase

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"rpmostree/solv"
)

// WriteTestTags writes a repository in testtags form.
func WriteTestTags(w io.Writer, p *solv.Pool, r *solv.Repo) error {
	b := bufio.NewWriter(w)
	b.WriteString("=Ver: 3.0\n")
	for _, id := range r.IDs() {
		k := p.Package(id)
		version, release := k.EVR, "-"
		if i := strings.LastIndexByte(k.EVR, '-'); i >= 0 && i+1 < len(k.EVR) {
			version, release = k.EVR[:i], k.EVR[i+1:]
		}
		arch := k.Arch
		if arch == "" {
			arch = "-"
		}
		fmt.Fprintf(b, "=Pkg: %s %s %s %s\n", k.Name, version, release, arch)
		for _, l := range []struct {
			tag  string
			deps []solv.Dep
		}{
			{"Req", k.Requires}, {"Prv", k.Provides}, {"Obs", k.Obsoletes}, {"Con", k.Conflicts}, {"Rec", k.Recommends},
			{"Sup", k.Supplements}, {"Sug", k.Suggests}, {"Enh", k.Enhances}, {"Owr", k.OrderWithRequires},
		} {
			for _, d := range l.deps {
				tag := l.tag
				if d.Pre {
					tag = "Prq"
				}
				fmt.Fprintf(b, "=%s: %s\n", tag, tagDep(p, d.Ref))
			}
		}
		if k.Vendor != "" {
			fmt.Fprintf(b, "=Vnd: %s\n", k.Vendor)
		}
		if k.BuildTime != 0 {
			fmt.Fprintf(b, "=Tim: %d\n", k.BuildTime)
		}
		for _, f := range k.Files {
			fmt.Fprintf(b, "=Fls: %s\n", f)
		}
	}
	return b.Flush()
}

// tagDep is FormatDep, but a line that begins with a slash is taken for a path as a whole.
func tagDep(p *solv.Pool, d solv.Ref) string {
	s := FormatDep(p, d)
	if _, _, _, isRel := p.Relation(d); isRel && strings.HasPrefix(s, "/") {
		return `\2f` + s[1:]
	}
	return s
}
