package rpm

import "strings"

// DepFlags says how a dependency compares versions, and what it is for.
type DepFlags uint32

// Flags of dependencies (rpmds.h). Bits 0, 4, 22, 23, 27, 30 and 31 are unused.
const (
	DepLess          DepFlags = 1 << 1
	DepGreater       DepFlags = 1 << 2
	DepEqual         DepFlags = 1 << 3
	DepPostTrans     DepFlags = 1 << 5
	DepPreReq        DepFlags = 1 << 6 // legacy
	DepPreTrans      DepFlags = 1 << 7
	DepInterp        DepFlags = 1 << 8 // interpreter of a script
	DepPre           DepFlags = 1 << 9
	DepPost          DepFlags = 1 << 10
	DepPreUn         DepFlags = 1 << 11
	DepPostUn        DepFlags = 1 << 12
	DepVerify        DepFlags = 1 << 13
	DepFindRequires  DepFlags = 1 << 14 // found by a generator
	DepFindProvides  DepFlags = 1 << 15
	DepTriggerIn     DepFlags = 1 << 16
	DepTriggerUn     DepFlags = 1 << 17
	DepTriggerPostUn DepFlags = 1 << 18
	DepMissingOK     DepFlags = 1 << 19
	DepPreUnTrans    DepFlags = 1 << 20
	DepPostUnTrans   DepFlags = 1 << 21
	DepRpmlib        DepFlags = 1 << 24 // feature of rpm itself
	DepTriggerPreIn  DepFlags = 1 << 25
	DepKeyring       DepFlags = 1 << 26
	DepConfig        DepFlags = 1 << 28
	DepMeta          DepFlags = 1 << 29

	// DepSense are the bits that compare versions.
	DepSense = DepLess | DepGreater | DepEqual
)

// String returns the comparison as rpm prints it: "<", "<=", "=", ">=", ">", or
// "" if versions are not compared.
func (f DepFlags) String() string {
	var b strings.Builder
	for _, s := range [...]struct {
		flag DepFlags
		text string
	}{{DepLess, "<"}, {DepGreater, ">"}, {DepEqual, "="}} {
		if f&s.flag != 0 {
			b.WriteString(s.text)
		}
	}
	return b.String()
}

// Dep is a dependency: a name, a path or a rich expression in parentheses, and
// the versions it accepts.
type Dep struct {
	Name  string
	Flags DepFlags
	EVR   string // epoch:version-release, the first and the last optional; "" for any
}

// String returns the dependency as rpm prints it, such as "foo >= 1:2-3".
func (d Dep) String() string {
	if sense := d.Flags.String(); sense != "" && d.EVR != "" {
		return d.Name + " " + sense + " " + d.EVR
	}
	return d.Name
}

// IsRich reports whether the name is a boolean expression.
func (d Dep) IsRich() bool { return strings.HasPrefix(d.Name, "(") }

// depTags are the three parallel arrays of one kind of dependency.
type depTags struct{ name, flags, version Tag }

var (
	provideTags    = depTags{TagProvideName, TagProvideFlags, TagProvideVersion}
	requireTags    = depTags{TagRequireName, TagRequireFlags, TagRequireVersion}
	conflictTags   = depTags{TagConflictName, TagConflictFlags, TagConflictVersion}
	obsoleteTags   = depTags{TagObsoleteName, TagObsoleteFlags, TagObsoleteVersion}
	recommendTags  = depTags{TagRecommendName, TagRecommendFlags, TagRecommendVersion}
	suggestTags    = depTags{TagSuggestName, TagSuggestFlags, TagSuggestVersion}
	supplementTags = depTags{TagSupplementName, TagSupplementFlags, TagSupplementVersion}
	enhanceTags    = depTags{TagEnhanceName, TagEnhanceFlags, TagEnhanceVersion}
	orderTags      = depTags{TagOrderName, TagOrderFlags, TagOrderVersion}
)

// Provides returns the capabilities of the package, in the header's order.
func (h *Header) Provides() []Dep { return h.deps(provideTags) }

// Requires returns what the package needs, rpmlib features included.
func (h *Header) Requires() []Dep { return h.deps(requireTags) }

// Conflicts returns what must not be installed beside the package.
func (h *Header) Conflicts() []Dep { return h.deps(conflictTags) }

// Obsoletes returns what the package replaces.
func (h *Header) Obsoletes() []Dep { return h.deps(obsoleteTags) }

// Recommends returns the strong forward weak dependencies.
func (h *Header) Recommends() []Dep { return h.deps(recommendTags) }

// Suggests returns the weak forward weak dependencies.
func (h *Header) Suggests() []Dep { return h.deps(suggestTags) }

// Supplements returns the strong reverse weak dependencies.
func (h *Header) Supplements() []Dep { return h.deps(supplementTags) }

// Enhances returns the weak reverse weak dependencies.
func (h *Header) Enhances() []Dep { return h.deps(enhanceTags) }

// OrderWithRequires returns what is to be installed earlier, if it is at all.
func (h *Header) OrderWithRequires() []Dep { return h.deps(orderTags) }

func (h *Header) deps(t depTags) []Dep {
	names := h.Strings(t.name)
	flags, versions := h.Uint32s(t.flags), h.Strings(t.version)
	out := make([]Dep, len(names))
	for i, name := range names {
		out[i].Name = name
		if i < len(flags) {
			out[i].Flags = DepFlags(flags[i])
		}
		if i < len(versions) {
			out[i].EVR = versions[i]
		}
	}
	return out
}

// entries returns the three arrays for deps, none if there are no deps.
func (t depTags) entries(deps []Dep) []Entry {
	if len(deps) == 0 {
		return nil
	}
	var names, versions []string
	var flags []uint32
	for _, d := range deps {
		names, versions, flags = append(names, d.Name), append(versions, d.EVR), append(flags, uint32(d.Flags))
	}
	return []Entry{StringsEntry(t.name, names...), Uint32Entry(t.flags, flags...), StringsEntry(t.version, versions...)}
}
