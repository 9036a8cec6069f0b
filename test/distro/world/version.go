package world

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rpmostree/rpm"
	"rpmostree/test/distro/deb"
)

// unsafeVersion replaces what an RPM version cannot hold.
var unsafeVersion = strings.NewReplacer("-", "_", ":", ".")

// splitVersion maps epoch:upstream-revision to epoch, version and release. A
// package without a revision gets the release "0".
func splitVersion(v string) (epoch *uint32, version, release string, err error) {
	if e, rest, ok := strings.Cut(v, ":"); ok {
		n, err := strconv.ParseUint(e, 10, 32)
		if err != nil {
			return nil, "", "", fmt.Errorf("version %q: %w", v, err)
		}
		epoch, v = new(uint32(n)), rest
	}
	version, release = v, "0"
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		version, release = v[:i], v[i+1:]
	}
	return epoch, unsafeVersion.Replace(version), release, nil
}

// evr maps the version of a relation. Without a revision the release stays open.
func evr(v string) (string, error) {
	epoch, s, release, err := splitVersion(v)
	if err != nil {
		return "", err
	}
	if strings.Contains(v, "-") {
		s += "-" + release
	}
	if epoch != nil && *epoch > 0 {
		s = fmt.Sprintf("%d:%s", *epoch, s)
	}
	return s, nil
}

// builderEVR is the version that a package provides itself with.
func builderEVR(b *rpm.Builder) string {
	s := b.Version + "-" + b.Release
	if b.Epoch != nil && *b.Epoch > 0 {
		s = fmt.Sprintf("%d:%s", *b.Epoch, s)
	}
	return s
}

// operator gives RPM's flags and spelling for Debian's comparison.
func operator(op string) (rpm.DepFlags, string) {
	switch op {
	case "<<":
		return rpm.DepLess, "<"
	case "<=":
		return rpm.DepLess | rpm.DepEqual, "<="
	case "=":
		return rpm.DepEqual, "="
	case ">=":
		return rpm.DepGreater | rpm.DepEqual, ">="
	case ">>":
		return rpm.DepGreater, ">"
	}
	return 0, ""
}

// dependencies maps a relation field. "a | b" becomes the rich dependency "(a or b)"
// with or set, and is left out without. A group that the blackhole satisfies is dropped.
func (c *converter) dependencies(field string, flags rpm.DepFlags, or bool) ([]rpm.Dep, error) {
	groups, err := deb.ParseRelations(field)
	if err != nil {
		return nil, err
	}
	var out []rpm.Dep
	for _, group := range groups {
		if slices.ContainsFunc(group, func(r deb.Relation) bool { return c.lists.blackhole[r.Name] }) {
			continue
		}
		var one rpm.Dep
		var words []string
		for _, r := range group {
			if r.Op == ">>" && !strings.Contains(r.Version, "-") {
				r.Op = ">=" // 2.36-9 >> 2.36 in Debian, but rpm ignores a release that one side lacks
			}
			bound, err := evr(r.Version)
			if err != nil {
				return nil, err
			}
			sense, word := operator(r.Op)
			one = rpm.Dep{Name: r.Name, Flags: sense | flags, EVR: bound}
			words = append(words, strings.TrimSpace(r.Name+" "+word+" "+bound))
		}
		switch {
		case len(group) == 1:
			out = append(out, one)
		case or:
			out = append(out, rpm.Dep{Name: "(" + strings.Join(words, " or ") + ")", Flags: flags})
		}
	}
	return out, nil
}

// relations maps the relation fields of a package. Replaces only means "may overwrite
// files", so it becomes Obsoletes only together with Conflicts.
func (c *converter) relations(b *rpm.Builder, control deb.Stanza) error {
	var conflicts, replaces, breaks, depends []rpm.Dep
	for _, f := range []struct {
		to    *[]rpm.Dep
		field string
		flags rpm.DepFlags
		or    bool
	}{
		{&b.Requires, "Pre-Depends", rpm.DepPre, true},
		{&depends, "Depends", 0, true},
		{&b.Recommends, "Recommends", 0, true},
		{&b.Suggests, "Suggests", 0, true},
		{&b.Enhances, "Enhances", 0, true},
		{&breaks, "Breaks", 0, false},
		{&conflicts, "Conflicts", 0, false},
		{&replaces, "Replaces", 0, false},
		{&b.Provides, "Provides", 0, false},
	} {
		deps, err := c.dependencies(control[f.field], f.flags, f.or)
		if err != nil {
			return fmt.Errorf("%s: %w", f.field, err)
		}
		*f.to = append(*f.to, deps...)
	}
	b.Requires = append(b.Requires, depends...)
	b.Conflicts = append(breaks, conflicts...)
	for _, d := range replaces {
		same := func(c rpm.Dep) bool { return c.Name == d.Name }
		if slices.ContainsFunc(conflicts, same) && d.Name != b.Name && d.Flags&rpm.DepLess != 0 {
			b.Obsoletes = append(b.Obsoletes, d)
		}
	}
	return nil
}
