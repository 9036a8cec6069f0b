package pkgdiff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/rpm/evr"
)

// Pair is a package in two versions, or of two architectures.
type Pair struct{ From, To Package }

// Diff is the difference of two sets of packages. Each list is sorted.
type Diff struct {
	Upgraded, Downgraded []Pair
	Removed, Added       []Package
}

// New compares two sets of packages, which need not be sorted.
//
// Packages are told apart by name and architecture. Where several versions are
// installed, such as of kernels, they are matched one by one in ascending
// order. A package of which there is one on each side and only the architecture
// changed is one change, not two.
func New(from, to []Package) Diff {
	a := slices.SortedFunc(slices.Values(from), Compare)
	b := slices.SortedFunc(slices.Values(to), Compare)
	var d Diff
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		c := strings.Compare(a[i].Name, b[j].Name)
		if c == 0 {
			c = strings.Compare(a[i].Arch, b[j].Arch)
			if c != 0 && single(a, i) && single(b, j) {
				c = 0
			}
		}
		switch {
		case c < 0:
			d.Removed = append(d.Removed, a[i])
			i++
		case c > 0:
			d.Added = append(d.Added, b[j])
			j++
		default:
			d.compare(a[i], b[j])
			i, j = i+1, j+1
		}
	}
	d.Removed = append(d.Removed, a[i:]...)
	d.Added = append(d.Added, b[j:]...)
	return d
}

// single reports whether there is no other package of the name of list[i].
// The list is sorted.
func single(list []Package, i int) bool {
	return (i == 0 || list[i-1].Name != list[i].Name) && (i+1 == len(list) || list[i+1].Name != list[i].Name)
}

func (d *Diff) compare(from, to Package) {
	switch c := evr.CompareStrings(from.EVR, to.EVR); {
	case c > 0:
		d.Downgraded = append(d.Downgraded, Pair{from, to})
	case c < 0 || from.Arch != to.Arch:
		d.Upgraded = append(d.Upgraded, Pair{from, to})
	}
}

// Empty reports whether there is no difference.
func (d Diff) Empty() bool {
	return len(d.Upgraded)+len(d.Downgraded)+len(d.Removed)+len(d.Added) == 0
}

// Summary returns the counts, such as "1 upgraded, 2 added", or "" if there is
// no difference.
func (d Diff) Summary() string {
	var out []string
	for _, c := range [...]struct {
		n    int
		what string
	}{{len(d.Upgraded), "upgraded"}, {len(d.Downgraded), "downgraded"}, {len(d.Removed), "removed"}, {len(d.Added), "added"}} {
		if c.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(out, ", ")
}

// Kinds of a change, as D-Bus and JSON number them.
const (
	kindAdded      = 0
	kindRemoved    = 1
	kindUpgraded   = 2
	kindDowngraded = 3
)

// change is an element of the D-Bus and JSON forms.
type change struct {
	name     string
	kind     uint32
	from, to *Package
}

// changes returns all changes by kind, then name.
func (d Diff) changes() []change {
	var out []change
	for i := range d.Added {
		out = append(out, change{d.Added[i].Name, kindAdded, nil, &d.Added[i]})
	}
	for i := range d.Removed {
		out = append(out, change{d.Removed[i].Name, kindRemoved, &d.Removed[i], nil})
	}
	for i, p := range d.Upgraded {
		out = append(out, change{p.From.Name, kindUpgraded, &d.Upgraded[i].From, &d.Upgraded[i].To})
	}
	for i, p := range d.Downgraded {
		out = append(out, change{p.From.Name, kindDowngraded, &d.Downgraded[i].From, &d.Downgraded[i].To})
	}
	slices.SortStableFunc(out, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	})
	return out
}

// Names of the packages in a change.
const (
	keyPrevious = "PreviousPackage"
	keyNew      = "NewPackage"
)

// VariantType is the type of Diff.Variant.
const VariantType gvariant.Type = "a(sua{sv})"

// Variant returns the diff as the D-Bus methods do: name, kind (0 added, 1
// removed, 2 upgraded, 3 downgraded) and PreviousPackage and NewPackage, each
// name, EVR and architecture.
func (d Diff) Variant() gvariant.Value {
	var out []gvariant.Value
	for _, c := range d.changes() {
		var packages []gvariant.Value
		add := func(key string, p *Package) {
			if p != nil {
				value := gvariant.Tuple(gvariant.String(p.Name), gvariant.String(p.EVR), gvariant.String(p.Arch))
				packages = append(packages, gvariant.DictEntry(gvariant.String(key), gvariant.Variant(value)))
			}
		}
		add(keyPrevious, c.from)
		add(keyNew, c.to)
		out = append(out, gvariant.Tuple(gvariant.String(c.name), gvariant.Uint32(c.kind), gvariant.Array("{sv}", packages...)))
	}
	return gvariant.Array("(sua{sv})", out...)
}

// MarshalJSON returns the "pkgdiff" member of the JSON form: as Variant, with
// arrays for tuples.
func (d Diff) MarshalJSON() ([]byte, error) {
	type packages struct {
		Previous *[3]string `json:"PreviousPackage,omitempty"`
		New      *[3]string `json:"NewPackage,omitempty"`
	}
	triple := func(p *Package) *[3]string {
		if p == nil {
			return nil
		}
		return &[3]string{p.Name, p.EVR, p.Arch}
	}
	out := [][3]any{}
	for _, c := range d.changes() {
		out = append(out, [3]any{c.name, c.kind, packages{triple(c.from), triple(c.to)}})
	}
	return json.Marshal(out)
}
