package rpm

import "rpmostree/rpm/evr"

// Name returns the package's name.
func (h *Header) Name() string { return h.String(TagName) }

// Version returns the package's version.
func (h *Header) Version() string { return h.String(TagVersion) }

// Release returns the package's release.
func (h *Header) Release() string { return h.String(TagRelease) }

// Epoch returns the package's epoch; ok is false if it has none, which compares
// as 0.
func (h *Header) Epoch() (epoch uint32, ok bool) {
	v, ok := h.Uint(TagEpoch)
	return uint32(v), ok
}

// EVR returns the package's epoch, version and release.
func (h *Header) EVR() evr.EVR {
	epoch, ok := h.Epoch()
	return evr.EVR{Epoch: epoch, HasEpoch: ok, Version: h.Version(), Release: h.Release()}
}

// NEVRA returns the package's name, EVR and architecture.
func (h *Header) NEVRA() evr.NEVRA {
	return evr.NEVRA{Name: h.Name(), EVR: h.EVR(), Arch: h.Arch()}
}

// Arch returns the architecture; for a source package it is "src", or "nosrc" if
// sources are left out.
func (h *Header) Arch() string {
	switch {
	case !h.IsSource():
		return h.String(TagArch)
	case h.Has(TagNoSource) || h.Has(TagNoPatch):
		return "nosrc"
	}
	return "src"
}

// IsSource reports whether this is a source package: as in rpm, one that does
// not name the source package it was built from.
func (h *Header) IsSource() bool { return !h.Has(TagSourceRPM) }

// Format returns the version of the package format: 3, 4 or 6.
func (h *Header) Format() int {
	if v, ok := h.Uint(TagRPMFormat); ok && v >= 6 {
		return int(min(v, 1<<16))
	}
	if h.region == 0 {
		return 3
	}
	return 4
}

// Size returns the sum of the sizes of the files, in bytes.
func (h *Header) Size() uint64 {
	if v, ok := h.Uint(TagLongSize); ok {
		return v
	}
	v, _ := h.Uint(TagSize)
	return v
}

// Change is an entry of a changelog.
type Change struct {
	Time uint32 // seconds since 1970
	Name string // author, and often the version
	Text string
}

// Changelog returns the changes, newest first.
func (h *Header) Changelog() []Change {
	times, names, texts := h.Uint32s(TagChangelogTime), h.Strings(TagChangelogName), h.Strings(TagChangelogText)
	out := make([]Change, min(len(times), len(names), len(texts)))
	for i := range out {
		out[i] = Change{times[i], names[i], texts[i]}
	}
	return out
}
