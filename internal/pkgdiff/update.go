package pkgdiff

import (
	"slices"
	"strings"

	"rpmostree/gvariant"
)

// Update is the diff of a cached update: changes of the base commit and of
// layered packages.
type Update struct{ Base, Layered Diff }

// named is a value with the package name by which it is sorted.
type named struct {
	name  string
	value gvariant.Value
}

// Variant returns the "rpm-diff" of the property CachedUpdate: "upgraded" and
// "downgraded" of type a(us(ss)(ss)), "removed" and "added" of type a(usss). The
// number is 0 for the base and 1 for layered packages.
func (u Update) Variant() gvariant.Value {
	var upgraded, downgraded, removed, added []named
	for i, d := range [...]Diff{u.Base, u.Layered} {
		layer := gvariant.Uint32(uint32(i))
		upgraded = appendPairs(upgraded, layer, d.Upgraded)
		downgraded = appendPairs(downgraded, layer, d.Downgraded)
		removed = appendPackages(removed, layer, d.Removed)
		added = appendPackages(added, layer, d.Added)
	}
	return gvariant.Array("{sv}",
		member("upgraded", "(us(ss)(ss))", upgraded),
		member("downgraded", "(us(ss)(ss))", downgraded),
		member("removed", "(usss)", removed),
		member("added", "(usss)", added))
}

func appendPairs(list []named, layer gvariant.Value, pairs []Pair) []named {
	version := func(p Package) gvariant.Value {
		return gvariant.Tuple(gvariant.String(p.EVR), gvariant.String(p.Arch))
	}
	for _, p := range pairs {
		name := p.From.Name
		list = append(list, named{name, gvariant.Tuple(layer, gvariant.String(name), version(p.From), version(p.To))})
	}
	return list
}

func appendPackages(list []named, layer gvariant.Value, packages []Package) []named {
	for _, p := range packages {
		value := gvariant.Tuple(layer, gvariant.String(p.Name), gvariant.String(p.EVR), gvariant.String(p.Arch))
		list = append(list, named{p.Name, value})
	}
	return list
}

// member returns a dictionary entry with an array of the values by name.
func member(key string, elem gvariant.Type, list []named) gvariant.Value {
	slices.SortStableFunc(list, func(a, b named) int { return strings.Compare(a.name, b.name) })
	values := make([]gvariant.Value, len(list))
	for i, e := range list {
		values[i] = e.value
	}
	return gvariant.DictEntry(gvariant.String(key), gvariant.Variant(gvariant.Array(elem, values...)))
}
