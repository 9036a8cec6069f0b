// Package pkgdiff compares two sets of installed packages and prints the
// difference in the forms of "rpm-ostree db diff", "status" and "upgrade".
package pkgdiff

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/rpm"
	"rpmostree/rpm/evr"
	"rpmostree/rpm/rpmdb"
)

// Package is what a comparison looks at of an installed package.
type Package struct {
	Name string
	EVR  string // [EPOCH:]VERSION-RELEASE, without an epoch of 0
	Arch string

	// For Diff.WriteChangelogs only.
	SourceRPM string
	Changelog []rpm.Change // newest first
}

// NEVRA returns "NAME-[EPOCH:]VERSION-RELEASE.ARCH".
func (p Package) NEVRA() string { return p.Name + "-" + p.EVR + "." + p.Arch }

// Compare orders packages by name, architecture and version.
func Compare(a, b Package) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch), evr.CompareStrings(a.EVR, b.EVR))
}

// FromHeader returns the package of a header. Changelogs can be large; they are
// left out if not asked for.
func FromHeader(h *rpm.Header, changelogs bool) Package {
	epoch, _ := h.Epoch()
	e := evr.EVR{Epoch: epoch, Version: h.Version(), Release: h.Release()}
	p := Package{Name: h.Name(), EVR: e.Canonical(), Arch: h.Arch()}
	if changelogs {
		p.SourceRPM = h.String(rpm.TagSourceRPM)
		p.Changelog = h.Changelog()
	}
	return p
}

// FromDB returns the packages of a database, sorted by Compare.
func FromDB(db *rpmdb.DB, changelogs bool) []Package {
	out := make([]Package, 0, len(db.Packages()))
	for _, p := range db.Packages() {
		out = append(out, FromHeader(p.Header, changelogs))
	}
	slices.SortFunc(out, Compare)
	return out
}

// PkglistType is the type of the commit metadata rpmostree.rpmdb.pkglist: name,
// epoch, version, release and architecture of each package.
const PkglistType gvariant.Type = "a(sssss)"

// FromPkglist returns the packages that a commit's metadata lists, sorted by
// Compare.
func FromPkglist(v gvariant.Value) ([]Package, error) {
	if v.Type() != PkglistType {
		return nil, fmt.Errorf("rpmostree.rpmdb.pkglist has type %s, not %s", v.Type(), PkglistType)
	}
	out := make([]Package, 0, v.Len())
	for i := range v.Len() {
		p := v.Index(i)
		e := p.Index(2).Str() + "-" + p.Index(3).Str()
		if epoch := p.Index(1).Str(); epoch != "" && epoch != "0" {
			e = epoch + ":" + e
		}
		out = append(out, Package{Name: p.Index(0).Str(), EVR: e, Arch: p.Index(4).Str()})
	}
	slices.SortFunc(out, Compare)
	return out, nil
}

// Pkglist returns the value of type PkglistType for a commit's metadata.
func Pkglist(packages []Package) gvariant.Value {
	packages = slices.SortedFunc(slices.Values(packages), Compare)
	list := make([]gvariant.Value, 0, len(packages))
	for _, p := range packages {
		e := evr.Parse(p.EVR)
		list = append(list, gvariant.Tuple(gvariant.String(p.Name), gvariant.String(strconv.FormatUint(uint64(e.Epoch), 10)),
			gvariant.String(e.Version), gvariant.String(e.Release), gvariant.String(p.Arch)))
	}
	return gvariant.Array("(sssss)", list...)
}

// Version returns what "rpm-ostree db version" prints for a set of packages:
// their number and a hash of their names.
func Version(packages []Package) string {
	packages = slices.SortedFunc(slices.Values(packages), func(a, b Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), evr.CompareStrings(a.EVR, b.EVR), strings.Compare(a.Arch, b.Arch))
	})
	sum := sha256.New()
	for _, p := range packages {
		// The epoch stands before the name here, and nothing separates packages.
		e := evr.Parse(p.EVR)
		if e.Epoch != 0 {
			fmt.Fprintf(sum, "%d:", e.Epoch)
		}
		fmt.Fprintf(sum, "%s-%s-%s.%s", p.Name, e.Version, e.Release, p.Arch)
	}
	return fmt.Sprintf("%d:%x", len(packages), sum.Sum(nil))
}

// Match reports whether one of the shell patterns, compared without regard to
// case, fits the package's name, NAME.ARCH, NAME-VERSION-RELEASE or NEVRA. No
// patterns fit everything.
func Match(p Package, patterns []string) bool {
	if len(patterns) == 0 {
		return true
	}
	e := evr.Parse(p.EVR)
	for _, name := range [...]string{p.Name, p.Name + "." + p.Arch, p.Name + "-" + e.Version + "-" + e.Release, p.NEVRA()} {
		for _, pattern := range patterns {
			pattern = strings.ReplaceAll(strings.ToLower(pattern), "[!", "[^")
			if ok, err := path.Match(pattern, strings.ToLower(name)); ok && err == nil {
				return true
			}
		}
	}
	return false
}
