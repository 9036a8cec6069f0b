package createrepo

import (
	"strconv"
	"strings"

	"rpmostree/rpm"
	"rpmostree/rpm/evr"
	"rpmostree/rpmmd"
)

// depStrong tells apart the two strengths of weak dependencies in the tags that
// SUSE used before rpm 4.12.
const depStrong = 1 << 27

// Tags of weak dependencies before rpm 4.12 (rpmtag.h: RPMTAG_OLDSUGGESTS...).
const (
	tagOldSuggestsName    rpm.Tag = 1156
	tagOldSuggestsVersion rpm.Tag = 1157
	tagOldSuggestsFlags   rpm.Tag = 1158
	tagOldEnhancesName    rpm.Tag = 1159
	tagOldEnhancesVersion rpm.Tag = 1160
	tagOldEnhancesFlags   rpm.Tag = 1161
)

func setDeps(p *Package, h *rpm.Header) {
	p.Provides = convertAll(h.Provides())
	p.Conflicts = convertAll(h.Conflicts())
	p.Obsoletes = convertAll(h.Obsoletes())
	p.Requires, p.Recommends = requires(p, h)
	p.Suggests = convertAll(h.Suggests())
	p.Enhances = convertAll(h.Enhances())
	p.Recommends = append(p.Recommends, convertAll(h.Recommends())...)
	p.Supplements = convertAll(h.Supplements())
	for _, d := range oldDeps(h, tagOldSuggestsName, tagOldSuggestsFlags, tagOldSuggestsVersion) {
		appendByStrength(d, &p.Recommends, &p.Suggests)
	}
	for _, d := range oldDeps(h, tagOldEnhancesName, tagOldEnhancesFlags, tagOldEnhancesVersion) {
		appendByStrength(d, &p.Supplements, &p.Enhances)
	}
}

func appendByStrength(d rpm.Dep, strong, weak *[]rpmmd.Dep) {
	dst := weak
	if d.Flags&depStrong != 0 {
		dst = strong
	}
	if c, ok := convert(d); ok {
		*dst = append(*dst, c)
	}
}

func oldDeps(h *rpm.Header, name, flags, version rpm.Tag) []rpm.Dep {
	names, f, v := h.Strings(name), h.Uint32s(flags), h.Strings(version)
	out := make([]rpm.Dep, min(len(names), len(f), len(v)))
	for i := range out {
		out[i] = rpm.Dep{Name: names[i], Flags: rpm.DepFlags(f[i]), EVR: v[i]}
	}
	return out
}

func convertAll(deps []rpm.Dep) []rpmmd.Dep {
	var out []rpmmd.Dep
	for _, d := range deps {
		if c, ok := convert(d); ok {
			out = append(out, c)
		}
	}
	return out
}

// convert drops a dependency whose epoch is no number, as createrepo_c does.
func convert(d rpm.Dep) (rpmmd.Dep, bool) {
	e, ok := normalEVR(d.EVR)
	return rpmmd.Dep{Name: text(d.Name), Op: op(d.Flags), EVR: e}, ok
}

// normalEVR takes a zero epoch away.
func normalEVR(s string) (string, bool) {
	s = text(s)
	epoch, rest, ok := strings.Cut(s, ":")
	if !ok {
		return s, true
	}
	if epoch == "" {
		epoch = "0"
	}
	n, err := strconv.ParseUint(epoch, 10, 32)
	if err != nil {
		return "", false
	}
	if n == 0 && !strings.Contains(rest, ":") {
		return rest, true
	}
	return strconv.FormatUint(n, 10) + ":" + rest, true
}

func op(f rpm.DepFlags) (o evr.Op) {
	if f&rpm.DepLess != 0 {
		o |= evr.LT
	}
	if f&rpm.DepGreater != 0 {
		o |= evr.GT
	}
	if f&rpm.DepEqual != 0 {
		o |= evr.EQ
	}
	if o&evr.LT != 0 && o&evr.GT != 0 {
		return 0 // metadata cannot say it
	}
	return o
}

// requires returns the requires that metadata lists, and the recommends that old
// packages write as requires that may be missing.
func requires(p *Package, h *rpm.Header) (requires, recommends []rpmmd.Dep) {
	own := make(map[string]bool, len(p.AllFiles))
	for _, f := range p.Files {
		own[f.Path] = true
	}
	provided := map[rpmmd.Dep]bool{}
	for _, d := range p.Provides {
		provided[d] = true
	}
	seen := map[string]rpmmd.Dep{} // the last of each name
	var libc rpmmd.Dep
	for _, d := range h.Requires() {
		c, ok := convert(d)
		if !ok || strings.HasPrefix(c.Name, "rpmlib(") || own[c.Name] || provided[c] {
			continue
		}
		c.Pre = d.Flags&(rpm.DepPreReq|rpm.DepPre|rpm.DepPost) != 0
		if last, ok := seen[c.Name]; ok && last == c {
			continue
		}
		switch {
		case d.Flags&rpm.DepMissingOK != 0:
			c.Pre = false
			recommends = append(recommends, c)
		case strings.HasPrefix(c.Name, "libc.so.6"):
			if libc.Name == "" || libcLess(libc.Name, c.Name) {
				libc = c
			}
		default:
			seen[c.Name] = c
			requires = append(requires, c)
		}
	}
	if libc.Name != "" {
		requires = append(requires, libc)
	}
	return requires, recommends
}

// libcLess reports whether b, such as "libc.so.6(GLIBC_2.34)(64bit)", needs a
// newer library than a.
func libcLess(a, b string) bool {
	va, oka := libcVersion(a)
	vb, okb := libcVersion(b)
	if !oka || !okb {
		return !oka && okb
	}
	return evr.Vercmp(va, vb) < 0
}

// libcVersion returns the first parenthesis from its first digit on.
func libcVersion(s string) (string, bool) {
	_, s, ok := strings.Cut(s, "(")
	s, _, ok2 := strings.Cut(s, ")")
	i := strings.IndexAny(s, "0123456789")
	if !ok || !ok2 || i < 0 {
		return "", false
	}
	return s[i:], true
}
