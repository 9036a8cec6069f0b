package core

import (
	"cmp"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/internal/core/pkgcache"
	"rpmostree/internal/core/sack"
	"rpmostree/ostree"
	"rpmostree/rpm"
	"rpmostree/rpm/rpmdb"
)

// clientLayerVersion is the version of the metadata of layered commits.
const clientLayerVersion = 6

// A Metadata is the metadata of a commit, in order.
type Metadata []gvariant.Value

// Add appends a key.
func (m *Metadata) Add(key string, v gvariant.Value) {
	*m = append(*m, gvariant.DictEntry(gvariant.String(key), gvariant.Variant(v)))
}

// Value returns the a{sv}.
func (m Metadata) Value() gvariant.Value { return gvariant.Array("{sv}", m...) }

// packageList returns the value of rpmostree.rpmdb.pkglist: name, epoch,
// version, release and architecture of each package, sorted.
func packageList(pkgs []*rpm.Header) gvariant.Value {
	pkgs = slices.Clone(pkgs)
	slices.SortFunc(pkgs, func(a, b *rpm.Header) int {
		return cmp.Or(strings.Compare(a.Name(), b.Name()), strings.Compare(sack.NEVRA(a).String(), sack.NEVRA(b).String()))
	})
	list := make([]gvariant.Value, len(pkgs))
	for i, h := range pkgs {
		n := sack.NEVRA(h)
		list[i] = gvariant.Tuple(gvariant.String(n.Name), gvariant.String(fmt.Sprint(n.Epoch)),
			gvariant.String(n.Version), gvariant.String(n.Release), gvariant.String(n.Arch))
	}
	return gvariant.Array("(sssss)", list...)
}

// repoStates returns the value of rpmostree.rpmmd-repos.
func repoStates(repos []RepoState, order binary.ByteOrder) gvariant.Value {
	list := make([]gvariant.Value, len(repos))
	for i, r := range repos {
		stamp := gvariant.Uint64(r.Timestamp)
		if order == binary.BigEndian {
			stamp = gvariant.New("t", binary.BigEndian.AppendUint64(nil, r.Timestamp), binary.LittleEndian)
		}
		list[i] = gvariant.Array("{sv}",
			gvariant.DictEntry(gvariant.String("id"), gvariant.Variant(gvariant.String(r.ID))),
			gvariant.DictEntry(gvariant.String("timestamp"), gvariant.Variant(stamp)))
	}
	return gvariant.Array("a{sv}", list...)
}

// ComposeMetadata returns what a compose records about its packages. Numbers
// are big-endian, unlike those of a layered commit: that is how rpm-ostree
// writes each, and readers expect it.
func (b *Built) ComposeMetadata() Metadata {
	var m Metadata
	if len(b.plan.Repos) > 0 {
		m.Add("rpmostree.rpmmd-repos", repoStates(b.plan.Repos, binary.BigEndian))
	}
	m.Add("rpmostree.rpmdb.pkglist", packageList(b.Packages))
	return m
}

// LayerMetadata returns what a layered commit records, given the requests that
// are in effect.
func (b *Built) LayerMetadata(base *ostree.Commit, packages []string) Metadata {
	var m Metadata
	m.Add("rpmostree.clientlayer", gvariant.Bool(true))
	m.Add("rpmostree.clientlayer_version", gvariant.Uint32(clientLayerVersion))
	if v := base.Version(); v != "" {
		m.Add(ostree.KeyVersion, gvariant.String(v))
	}
	m.Add("rpmostree.packages", gvariant.Strings(packages))
	m.Add("rpmostree.modules", gvariant.Strings(nil))
	b.plan.addOverrides(&m)
	if len(b.plan.Repos) > 0 {
		m.Add("rpmostree.rpmmd-repos", repoStates(b.plan.Repos, binary.LittleEndian))
	}
	m.Add("rpmostree.state-sha512", gvariant.String(b.plan.StateHash()))
	m.Add("rpmostree.rpmdb.pkglist", packageList(b.Packages))
	if v, ok := base.Metadata.Lookup(ostree.KeyBootable); ok {
		m.Add(ostree.KeyBootable, v)
	}
	if version, err := KernelVersion(b.Tree); err == nil { // an override may have brought another one
		m.Add(ostree.KeyLinux, gvariant.String(version))
	}
	return m
}

// addOverrides records which base packages went, and which were replaced by what
// from where.
func (p *Plan) addOverrides(m *Metadata) {
	var removed, replaced, remote []gvariant.Value
	from := map[string][]gvariant.Value{}
	for _, r := range p.Remove {
		by := p.replacement(r.Header.Name())
		if by == nil {
			removed = append(removed, gvariant.Variant(pkgcache.NEVRAValue(r.Header)))
			continue
		}
		pair := gvariant.Tuple(gvariant.Variant(pkgcache.NEVRAValue(by)), gvariant.Variant(pkgcache.NEVRAValue(r.Header)))
		if source := p.remoteSource(r.Header); source != "" {
			from[source] = append(from[source], pair)
		} else {
			replaced = append(replaced, pair)
		}
	}
	for _, source := range slices.Sorted(maps.Keys(from)) {
		remote = append(remote, gvariant.DictEntry(gvariant.String(source), gvariant.Variant(gvariant.Array("(vv)", from[source]...))))
	}
	m.Add("rpmostree.removed-base-packages", gvariant.Array("v", removed...))
	m.Add("rpmostree.replaced-base-packages", gvariant.Array("(vv)", replaced...))
	m.Add("rpmostree.replaced-base-remote-packages", gvariant.Array("{sv}", remote...))
}

// remoteSource returns the source of the replacement of a base package, as the
// origin has it, or "" if that is no repository.
func (p *Plan) remoteSource(h *rpm.Header) string {
	for _, f := range p.spec.ReplaceRemote {
		if slices.Contains(f.Packages, h.Name()) || slices.Contains(f.Packages, sack.NEVRA(h).String()) {
			return "repo=" + f.Repo
		}
	}
	return ""
}

// StateHash identifies what a plan makes: the base, the requests, and every
// package that comes or goes. Two plans with the same hash make the same commit.
func (p *Plan) StateHash() string {
	h := sha512.New()
	if p.spec.Base != nil {
		fmt.Fprintf(h, "base %s\n", p.spec.Base.Commit)
	}
	for _, request := range slices.Sorted(slices.Values(p.spec.Install)) {
		fmt.Fprintf(h, "request %q\n", request)
	}
	for _, r := range p.Remove {
		fmt.Fprintf(h, "- %s\n", sack.NEVRA(r.Header))
	}
	for _, s := range p.Install {
		fmt.Fprintf(h, "+ %s %s\n", s.NEVRA(), s.checksum())
	}
	fmt.Fprintf(h, "nodocs %v initramfs %v %q\n", p.spec.NoDocs, p.spec.Initramfs, p.spec.InitramfsArgs)
	return hex.EncodeToString(h.Sum(nil))
}

// replacement returns the package that is installed under a name, or nil.
func (p *Plan) replacement(name string) *rpm.Header {
	for _, s := range p.Install {
		if s.header != nil && s.header.Name() == name {
			return s.header
		}
	}
	return nil
}

func installedHeaders(pkgs []rpmdb.Installed) []*rpm.Header {
	out := make([]*rpm.Header, len(pkgs))
	for i, p := range pkgs {
		out[i] = p.Header
	}
	return out
}
