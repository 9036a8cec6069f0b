package universe

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"

	"rpmostree/rpm/evr"
	"rpmostree/rpmmd"
	"rpmostree/rpmmd/createrepo"
	"rpmostree/test/distro/deb"
)

// updated is how many of a hundred sources have newer builds.
const updated = 15

// timestamp is when the packages were made, in seconds since 1970.
const timestamp = 1767225600

// choice is a number that stands for chance.
func choice(parts ...string) uint32 { return crc32.ChecksumIEEE([]byte(strings.Join(parts, "\x00"))) }

var (
	library     = regexp.MustCompile(`^lib.*[0-9]$`)
	libVersion  = regexp.MustCompile(`-?([0-9.]+)$`)
	translation = regexp.MustCompile(`^(.*?)-(?:l10n|i18n|locale|lang)-([a-z]{2,3})(?:-[a-z]+)?$`)
)

// paths are the files that others require.
var paths = map[string]string{"dash": "/bin/sh", "bash": "/bin/bash", "python3-minimal": "/usr/bin/python3", "perl-base": "/usr/bin/perl"}

// early are the packages that the shell needs: they have no scripts.
var early = map[string]bool{"dash": true, "libc6": true, "libc-bin": true, "debianutils": true, "dpkg": true, "base-files": true,
	"libgcc-s1": true, "gcc-12-base": true, "libcrypt1": true}

// A writer turns entries into packages.
type writer struct {
	list   []*entry
	byName map[string]*entry
	fixed  map[deb.Relation]rpmmd.Dep
	bumped map[string]bool // names with newer builds, while these are made
}

func newWriter(list []*entry) *writer {
	w := &writer{list: list, byName: map[string]*entry{}, fixed: map[deb.Relation]rpmmd.Dep{}}
	for _, e := range list {
		w.byName[e.name] = e
		if e.section == "libs" && !e.noarch && library.MatchString(e.name) {
			v := libVersion.FindStringSubmatch(e.name)
			e.sonames = []string{libVersion.ReplaceAllString(e.name, "") + ".so." + strings.Trim(v[1], ".")}
		}
	}
	return w
}

// base returns all packages, libraries for two architectures.
func (w *writer) base() []*createrepo.Package { return w.build(func(*entry) bool { return true }) }

// updates returns newer builds.
func (w *writer) updates() []*createrepo.Package {
	newer := func(e *entry) bool { return choice("upd", e.source)%100 < updated }
	w.bumped = map[string]bool{}
	for _, e := range w.list {
		if newer(e) {
			w.bumped[e.name] = true
		}
	}
	return w.build(newer)
}

func (w *writer) build(which func(*entry) bool) (out []*createrepo.Package) {
	for _, e := range w.list {
		if !which(e) {
			continue
		}
		if e.noarch {
			out = append(out, w.pkg(e, "noarch"))
			continue
		}
		out = append(out, w.pkg(e, "x86_64"))
		if len(e.sonames) > 0 || strings.HasSuffix(e.name, "-dev") {
			out = append(out, w.pkg(e, "i686"))
		}
	}
	return out
}

func (w *writer) pkg(e *entry, arch string) *createrepo.Package {
	v := e.evr
	if w.bumped != nil {
		v.Release += ".u1"
	}
	id := evr.NEVRA{Name: e.name, EVR: v, Arch: arch}
	sum := sha256.Sum256([]byte(id.String()))
	p := &createrepo.Package{Package: rpmmd.Package{
		Name: e.name, Arch: arch, EVR: v, Checksum: rpmmd.Checksum{Type: "sha256", Hex: hex.EncodeToString(sum[:])},
		Summary: e.summary, Description: e.summary, License: "unknown", Vendor: "Synthetic", Group: e.section,
		FileTime: timestamp, BuildTime: timestamp - int64(choice(e.name)%31536000),
		Location:  fmt.Sprintf("Packages/%c/%s.rpm", e.name[0], id),
		SourceRPM: e.source + "-" + v.Version + "-" + v.Release + ".src.rpm", HeaderStart: 4504, HeaderEnd: 5404,
	}}
	fmt.Sscan(e.fields["Size"], &p.Size)
	fmt.Sscan(e.fields["Installed-Size"], &p.InstalledSize)
	p.InstalledSize <<= 10
	if path := paths[e.name]; path != "" {
		p.Files = []rpmmd.File{{Path: path}}
		p.AllFiles = p.Files
	}
	p.Provides = w.provides(e, p)
	p.Requires = w.requires(e, p)
	p.Conflicts, p.Obsoletes = w.conflicts(e)
	p.Recommends, p.Suggests, p.Enhances = w.weak(e, "Recommends"), w.weak(e, "Suggests"), w.weak(e, "Enhances")
	if m := translation.FindStringSubmatch(e.name); m != nil {
		p.Supplements = []rpmmd.Dep{{Name: "(" + m[1] + " and langpacks-" + m[2] + ")"}}
	}
	return p
}

func (w *writer) provides(e *entry, p *createrepo.Package) []rpmmd.Dep {
	self := func(name string) rpmmd.Dep { return rpmmd.Dep{Name: name, Op: evr.EQ, EVR: p.EVR.String()} }
	list := []rpmmd.Dep{self(p.Name)}
	if p.Arch != "noarch" {
		list = append(list, self(p.Name+map[string]string{"i686": "(x86-32)", "x86_64": "(x86-64)"}[p.Arch]))
	}
	for _, alts := range e.provides {
		d := rpmmd.Dep{Name: alts[0].Name}
		if alts[0].Version != "" {
			d.Op, d.EVR = evr.EQ, convertVersion(alts[0].Version).String()
		}
		list = append(list, d)
	}
	for _, so := range e.sonames {
		list = append(list, rpmmd.Dep{Name: soname(so, "", p.Arch)})
		for i := range choice(e.name, so) % 4 {
			list = append(list, rpmmd.Dep{Name: soname(so, symbols(e.name, i), p.Arch)})
		}
	}
	return list
}

func soname(so, symbols, arch string) string {
	s := so + "(" + symbols + ")"
	if arch == "x86_64" {
		s += "(64bit)"
	}
	return s
}

// symbols is a symbol version of a library.
func symbols(name string, i uint32) string {
	first, _, _ := strings.Cut(name, "-")
	first = strings.ToUpper(first)
	return fmt.Sprintf("%s_1.%d", first[:min(len(first), 12)], i)
}

func (w *writer) requires(e *entry, p *createrepo.Package) (list []rpmmd.Dep) {
	for _, field := range []string{"Pre-Depends", "Depends"} {
		for _, alts := range e.relations(field) {
			if len(alts) > 1 {
				list = append(list, rpmmd.Dep{Name: w.rich(alts), Pre: field == "Pre-Depends"})
				continue
			}
			list = append(list, w.require(e, p, alts[0], field == "Pre-Depends")...)
		}
	}
	if choice(e.name)%100 < 22 && !early[e.name] {
		list = append(list, rpmmd.Dep{Name: "/bin/sh", Pre: true}, rpmmd.Dep{Name: "/bin/sh"})
	}
	return list
}

// require turns a simple dependency into requirements. One on a library becomes one on its
// soname.
func (w *writer) require(e *entry, p *createrepo.Package, r deb.Relation, pre bool) []rpmmd.Dep {
	d := w.dep(r)
	if w.bumped[r.Name] && r.Op == "=" && strings.Contains(d.EVR, "-") {
		d.EVR += ".u1"
	}
	target := w.byName[r.Name]
	switch {
	case target != nil && len(target.sonames) > 0 && p.Arch != "noarch" && r.Op != "=":
		so := target.sonames[0]
		list := []rpmmd.Dep{{Name: soname(so, "", p.Arch)}}
		for i := range choice(r.Name, so) % 4 {
			if choice(e.name, so, fmt.Sprint(i))%2 == 1 {
				list = append(list, rpmmd.Dep{Name: soname(so, symbols(r.Name, i), p.Arch)})
			}
		}
		return list
	case (r.Name == "python3" || r.Name == "perl") && r.Op == "":
		return []rpmmd.Dep{{Name: "/usr/bin/" + r.Name}}
	}
	d.Pre = pre
	return []rpmmd.Dep{d}
}

// conflicts returns conflicts and obsoletes: what is broken and replaced in older versions is
// obsolete.
func (w *writer) conflicts(e *entry) (conflicts, obsoletes []rpmmd.Dep) {
	replaced := map[string]bool{}
	for _, alts := range e.relations("Replaces") {
		replaced[alts[0].Name] = true
	}
	for _, field := range []string{"Conflicts", "Breaks"} {
		for _, alts := range e.relations(field) {
			d := w.dep(alts[0])
			if d.Op == evr.LT && replaced[d.Name] && d.Name != e.name {
				obsoletes = append(obsoletes, d)
			} else {
				conflicts = append(conflicts, d)
			}
		}
	}
	return conflicts, obsoletes
}

func (w *writer) weak(e *entry, field string) (list []rpmmd.Dep) {
	for _, alts := range e.relations(field) {
		if len(alts) > 1 {
			list = append(list, rpmmd.Dep{Name: w.rich(alts)})
		} else {
			list = append(list, w.dep(alts[0]))
		}
	}
	return list
}

func (w *writer) rich(alts []deb.Relation) string {
	var parts []string
	for _, r := range alts {
		parts = append(parts, w.dep(r).String())
	}
	return "(" + strings.Join(parts, " or ") + ")"
}

var operators = map[string]evr.Op{"<<": evr.LT, "<=": evr.LT | evr.EQ, "=": evr.EQ, ">=": evr.GT | evr.EQ, ">>": evr.GT}

// dep turns a relation into a dependency that the package of that name meets if, and only if, it
// meets the relation by dpkg's order of versions, which differs from rpm's here and there.
func (w *writer) dep(r deb.Relation) rpmmd.Dep {
	if r.Op == "" {
		return rpmmd.Dep{Name: r.Name}
	}
	if d, ok := w.fixed[r]; ok {
		return d
	}
	d := rpmmd.Dep{Name: r.Name, Op: operators[r.Op], EVR: convertVersion(r.Version).String()}
	if target := w.byName[r.Name]; target != nil {
		have := target.evr.String()
		met := meets(compareVersions(target.version, r.Version), d.Op)
		if met != evr.Intersects(evr.EQ, have, d.Op, d.EVR) {
			d.EVR = have
			switch {
			case met:
				d.Op |= evr.EQ
			case d.Op == evr.EQ:
				d.Op = evr.GT
			default:
				d.Op &^= evr.EQ
			}
		}
	}
	w.fixed[r] = d
	return d
}

// meets reports whether a version that compares so with a bound is within it.
func meets(c int, op evr.Op) bool {
	switch {
	case c < 0:
		return op&evr.LT != 0
	case c > 0:
		return op&evr.GT != 0
	}
	return op&evr.EQ != 0
}
