package upgrade

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rpmostree/gvariant"
	"rpmostree/internal/origin"
	"rpmostree/ostree"
	"rpmostree/ostree/sysroot"
)

// Status is what `rpm-ostree status --json` prints.
type Status struct {
	Deployments  []DeploymentStatus `json:"deployments"`
	Transaction  []string           `json:"transaction"`   // method, sender, path; null when idle
	CachedUpdate *struct{}          `json:"cached-update"` // always null without a daemon
	UpdateDriver map[string]string  `json:"update-driver"`
}

// DeploymentStatus describes one deployment. The names of the JSON keys are
// read by other programs (Cockpit, Zincati, Ansible): they are an interface.
type DeploymentStatus struct {
	ID        string `json:"id"` // OSNAME-CHECKSUM.SERIAL
	OSName    string `json:"osname"`
	Checksum  string `json:"checksum"`
	Serial    int    `json:"serial"`
	Booted    bool   `json:"booted"`
	Staged    bool   `json:"staged"`
	Pinned    bool   `json:"pinned"`
	Unlocked  string `json:"unlocked"`
	Version   string `json:"version,omitempty"`
	Timestamp uint64 `json:"timestamp"` // seconds since the epoch

	Origin       string   `json:"origin,omitempty"`
	CustomOrigin []string `json:"custom-origin,omitempty"` // url, description
	GPGEnabled   bool     `json:"gpg-enabled"`
	EndOfLife    string   `json:"endoflife,omitempty"`

	BaseChecksum      string         `json:"base-checksum,omitempty"`
	BaseVersion       string         `json:"base-version,omitempty"`
	BaseTimestamp     uint64         `json:"base-timestamp,omitempty"`
	BaseCommitMeta    map[string]any `json:"base-commit-meta"`
	LayeredCommitMeta map[string]any `json:"layered-commit-meta,omitempty"`

	RequestedPackages               []string            `json:"requested-packages"`
	RequestedLocalPackages          []string            `json:"requested-local-packages"`
	RequestedLocalFileOverrides     []string            `json:"requested-local-fileoverride-packages"`
	RequestedBaseRemovals           []string            `json:"requested-base-removals"`
	RequestedBaseLocalReplacements  []string            `json:"requested-base-local-replacements"`
	RequestedBaseRemoteReplacements map[string][]string `json:"requested-base-remote-replacements"`
	RequestedModules                []string            `json:"requested-modules"`
	RequestedModulesEnabled         []string            `json:"requested-modules-enabled"`

	Packages               []string         `json:"packages"`
	Modules                []string         `json:"modules"`
	BaseRemovals           []any            `json:"base-removals"`
	BaseLocalReplacements  []any            `json:"base-local-replacements"`
	BaseRemoteReplacements map[string][]any `json:"base-remote-replacements"`
	RegenerateInitramfs    bool             `json:"regenerate-initramfs"`
	InitramfsArgs          []string         `json:"initramfs-args"`
	InitramfsEtc           []string         `json:"initramfs-etc"`
}

// Status describes all deployments. It writes nothing and needs no privileges.
func (h *Host) Status() (Status, error) {
	st, err := h.Sysroot.Load()
	if err != nil {
		return Status{}, err
	}
	s := Status{Deployments: []DeploymentStatus{}}
	for _, d := range st.Deployments {
		ds, err := h.describe(d)
		if err != nil {
			return s, err
		}
		s.Deployments = append(s.Deployments, ds)
	}
	return s, nil
}

func (h *Host) describe(d sysroot.Deployment) (DeploymentStatus, error) {
	s := DeploymentStatus{
		ID: d.OSName + "-" + d.Name(), OSName: d.OSName, Checksum: d.Checksum.String(), Serial: d.Serial,
		Booted: d.Booted, Staged: d.Staged, Pinned: d.Pinned(), Unlocked: string(d.Unlocked),
		BaseCommitMeta: map[string]any{},
	}
	o := &origin.Origin{}
	if d.Origin != nil {
		var err error
		if o, err = origin.Parse(d.Origin.Bytes()); err != nil {
			return s, err
		}
	}
	s.requests(o)
	c, err := h.Sysroot.Repo().Commit(d.Checksum)
	if err != nil {
		return s, err
	}
	s.Version, s.Timestamp = c.Version(), c.Timestamp
	base := c
	if isLayered(c) {
		s.BaseChecksum = c.Parent.String()
		s.LayeredCommitMeta = commitMeta(c)
		s.effective(c)
		if base, err = h.Sysroot.Repo().Commit(c.Parent); err != nil {
			return s, err
		}
		s.BaseVersion, s.BaseTimestamp = base.Version(), base.Timestamp
		s.Version = base.Version()
	}
	s.BaseCommitMeta = commitMeta(base)
	s.EndOfLife = base.MetadataString(ostree.KeyEndOfLife)
	if remote, _, err := ostree.ParseRefspec(o.Refspec); err == nil && remote != "" {
		if m, err := h.Sysroot.Repo().Remote(remote); err == nil {
			s.GPGEnabled = m.GPGVerify
		}
	}
	return s, nil
}

// requests fills in what the origin asks for.
func (s *DeploymentStatus) requests(o *origin.Origin) {
	s.Origin = o.Refspec
	if o.CustomURL != "" {
		s.CustomOrigin = []string{o.CustomURL, o.CustomDescription}
	}
	s.RequestedPackages = list(o.Packages)
	s.RequestedLocalPackages = locals(o.LocalPackages)
	s.RequestedLocalFileOverrides = locals(o.LocalOverwrite)
	s.RequestedBaseRemovals = list(o.Remove)
	s.RequestedBaseLocalReplacements = locals(o.ReplaceLocal)
	s.RequestedBaseRemoteReplacements = map[string][]string{}
	for from, pkgs := range o.ReplaceRemote {
		s.RequestedBaseRemoteReplacements[from] = pkgs
	}
	s.RequestedModules, s.RequestedModulesEnabled, s.Modules = []string{}, []string{}, []string{}
	s.Packages, s.BaseRemovals, s.BaseLocalReplacements = []string{}, []any{}, []any{}
	s.BaseRemoteReplacements = map[string][]any{}
	s.RegenerateInitramfs = o.RegenerateInitramfs
	s.InitramfsArgs, s.InitramfsEtc = list(o.InitramfsArgs), list(o.InitramfsEtc)
}

// list returns a list that JSON shows as one even if it is empty.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func locals(pkgs []origin.LocalPackage) []string {
	out := []string{}
	for _, p := range pkgs {
		out = append(out, p.String())
	}
	return out
}

// effective fills in what the layered commit really holds.
func (s *DeploymentStatus) effective(c *ostree.Commit) {
	get := func(key string) gvariant.Value {
		v, _ := c.Metadata.Lookup(key)
		return v
	}
	packages := get("rpmostree.packages")
	for i := range packages.Len() {
		name := packages.Index(i).Str()
		if slices.Contains(s.RequestedPackages, name) {
			s.Packages = append(s.Packages, name)
		}
	}
	removed := get("rpmostree.removed-base-packages")
	for i := range removed.Len() {
		s.BaseRemovals = append(s.BaseRemovals, nevraTuple(removed.Index(i).Unbox()))
	}
	s.BaseLocalReplacements = append(s.BaseLocalReplacements, replacements(get("rpmostree.replaced-base-packages"))...)
	remote := get("rpmostree.replaced-base-remote-packages")
	for i := range remote.Len() {
		source := remote.Index(i)
		s.BaseRemoteReplacements[source.Index(0).Str()] = replacements(source.Index(1).Unbox())
	}
}

// replacements returns an "a(vv)" of new and old packages as a JSON array.
func replacements(v gvariant.Value) []any {
	var out []any
	for i := range v.Len() {
		pair := v.Index(i)
		out = append(out, []any{nevraTuple(pair.Index(0).Unbox()), nevraTuple(pair.Index(1).Unbox())})
	}
	return out
}

// nevraTuple returns a "(sstsss)" as a JSON array.
func nevraTuple(v gvariant.Value) []any {
	return []any{v.Index(0).Str(), v.Index(1).Str(), v.Index(2).Uint64(), v.Index(3).Str(), v.Index(4).Str(), v.Index(5).Str()}
}

// largeMeta are keys of commit metadata that status leaves out.
var largeMeta = map[string]bool{
	"rpmostree.rpmdb.pkglist": true, "rpmostree.advisories": true, "ostree.sizes": true, "ostree.gpgsigs": true,
}

// commitMeta returns a commit's metadata for JSON.
func commitMeta(c *ostree.Commit) map[string]any {
	out := map[string]any{}
	for i := range c.Metadata.Len() {
		e := c.Metadata.Index(i)
		if key := e.Index(0).Str(); !largeMeta[key] {
			out[key] = jsonValue(e.Index(1).Unbox())
		}
	}
	return out
}

// jsonValue converts a GVariant as json-glib does.
func jsonValue(v gvariant.Value) any {
	switch t := string(v.Type()); {
	case t == "s" || t == "o" || t == "g":
		return v.Str()
	case t == "b":
		return v.Bool()
	case t == "v":
		return jsonValue(v.Unbox())
	case t == "y":
		return v.Byte()
	case t == "u":
		return v.Uint32()
	case t == "i":
		return v.Int32()
	case t == "t":
		return v.Uint64()
	case t == "x":
		return v.Int64()
	case t == "d":
		return v.Float64()
	case strings.HasPrefix(t, "a{s"):
		m := map[string]any{}
		for i := range v.Len() {
			m[v.Index(i).Index(0).Str()] = jsonValue(v.Index(i).Index(1))
		}
		return m
	case strings.HasPrefix(t, "a") || strings.HasPrefix(t, "("):
		list := []any{}
		for i := range v.Len() {
			list = append(list, jsonValue(v.Index(i)))
		}
		return list
	}
	return v.Print(false)
}

// RemovedBase returns the base packages that are removed, as NEVRAs.
func (s *DeploymentStatus) RemovedBase() []string {
	var out []string
	for _, r := range s.BaseRemovals {
		out = append(out, fmt.Sprint(r.([]any)[0]))
	}
	return out
}

// InactiveRemovals returns requested removals without effect.
func (s *DeploymentStatus) InactiveRemovals() []string {
	var out []string
	for _, name := range s.RequestedBaseRemovals {
		active := slices.ContainsFunc(s.BaseRemovals, func(r any) bool { return r.([]any)[1] == name || r.([]any)[0] == name })
		if !active {
			out = append(out, name)
		}
	}
	return out
}

// LocalOverrides returns "NAME OLD -> NEW" for each base package that a package
// file replaces.
func (s *DeploymentStatus) LocalOverrides() []string { return overrides(s.BaseLocalReplacements) }

// RemoteOverrides is LocalOverrides for replacements from repositories.
func (s *DeploymentStatus) RemoteOverrides() []string {
	var out []string
	for _, from := range slices.Sorted(maps.Keys(s.BaseRemoteReplacements)) {
		out = append(out, overrides(s.BaseRemoteReplacements[from])...)
	}
	return out
}

func overrides(replaced []any) []string {
	var out []string
	for _, r := range replaced {
		now, old := r.([]any)[0].([]any), r.([]any)[1].([]any)
		out = append(out, fmt.Sprintf("%s %s-%s -> %s-%s", now[1], old[3], old[4], now[3], now[4]))
	}
	return out
}

// InactiveLocalOverrides returns the NEVRAs of requested local replacements
// without effect.
func (s *DeploymentStatus) InactiveLocalOverrides() []string {
	var out []string
	for _, r := range s.RequestedBaseLocalReplacements {
		_, nevra, _ := strings.Cut(r, ":")
		if !replaces(s.BaseLocalReplacements, nevra) {
			out = append(out, nevra)
		}
	}
	return out
}

// InactiveRemoteOverrides returns the names of requested replacements from
// repositories that have no effect.
func (s *DeploymentStatus) InactiveRemoteOverrides() []string {
	var out []string
	for _, from := range slices.Sorted(maps.Keys(s.RequestedBaseRemoteReplacements)) {
		for _, name := range s.RequestedBaseRemoteReplacements[from] {
			if !replaces(s.BaseRemoteReplacements[from], name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// replaces reports whether a package of that name or NEVRA is a replacement.
func replaces(replaced []any, name string) bool {
	return slices.ContainsFunc(replaced, func(r any) bool {
		now := r.([]any)[0].([]any)
		return now[0] == name || now[1] == name
	})
}

// InactiveRequests returns requested packages that the base has already.
func (s *DeploymentStatus) InactiveRequests() []string {
	var out []string
	for _, p := range s.RequestedPackages {
		if !slices.Contains(s.Packages, p) {
			out = append(out, p)
		}
	}
	return out
}
