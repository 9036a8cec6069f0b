package rpm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"rpmostree/rpm/evr"
)

// Check verifies what rpm demands of a package's header beyond its structure:
// identity, dependencies and triggers with arrays that belong together, and
// CheckFiles. Open does this for every package.
func (h *Header) Check() error {
	for _, t := range [...]Tag{TagName, TagVersion, TagRelease} {
		if h.String(t) == "" {
			return fmt.Errorf("%v is missing", t)
		}
	}
	for _, t := range [...]Tag{TagName, TagVersion, TagRelease, TagArch} {
		if err := checkWord(h.String(t)); err != nil {
			return fmt.Errorf("bad %v %q: %v", t, h.String(t), err)
		}
	}
	// The database keeps these beside the header, copied from the signature header.
	// If a header brought its own, a forged one could pass for a checked one (CVE-2021-3421).
	for _, t := range [...]Tag{
		TagSigSize, TagSigPGP, TagSigMD5, TagSigGPG, TagDSAHeader, TagRSAHeader, TagSHA1Header, TagLongSigSize,
		TagLongArchiveSize, TagSHA256Header, TagVeritySignatures, TagVeritySignatureAlgo, TagOpenPGP, TagSHA3Header,
	} {
		if h.Has(t) {
			return fmt.Errorf("%v does not belong into a package's header", t)
		}
	}
	for _, d := range [...]depTags{
		provideTags, requireTags, conflictTags, obsoleteTags, recommendTags, suggestTags,
		supplementTags, enhanceTags, orderTags,
		packageTriggerTags.deps, fileTriggerTags.deps, transFileTriggerTags.deps,
	} {
		if err := h.sameCount(d.name, d.flags, d.version); err != nil {
			return err
		}
	}
	for _, t := range [...]triggerTags{packageTriggerTags, fileTriggerTags, transFileTriggerTags} {
		if err := h.checkTriggers(t); err != nil {
			return err
		}
	}
	if err := h.sameCount(TagChangelogTime, TagChangelogName, TagChangelogText); err != nil {
		return err
	}
	return h.CheckFiles()
}

// checkWord verifies that s can stand in file names, lists and messages.
func checkWord(s string) error {
	for _, r := range s {
		if r == '/' || r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r) {
			return fmt.Errorf("%q is not allowed", r)
		}
	}
	return nil
}

// CheckFeatures verifies that this package supports all rpmlib() features that
// the header requires.
func (h *Header) CheckFeatures() error {
	for _, d := range h.Requires() {
		name, ok := strings.CutPrefix(d.Name, "rpmlib(")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, ")")
		i := slices.IndexFunc(features[:], func(f feature) bool { return f.name == name })
		if i < 0 || d.EVR != "" && evr.CompareStrings(features[i].version, d.EVR) < 0 {
			return fmt.Errorf("%v is needed by %v", d, h.NEVRA())
		}
	}
	return nil
}

// sameCount verifies that the others, if there, have as many elements as the first.
func (h *Header) sameCount(first Tag, others ...Tag) error {
	a, _ := h.find(first)
	for _, t := range others {
		if b, ok := h.find(t); ok && a.count != b.count {
			return fmt.Errorf("%v has %d elements, %v has %d", first, a.count, t, b.count)
		}
	}
	return nil
}

func (h *Header) checkTriggers(t triggerTags) error {
	scripts := t.body
	if !h.Has(scripts) {
		scripts = t.prog
	}
	if err := h.sameCount(scripts, t.prog, t.scriptFlags, t.priority); err != nil {
		return err
	}
	if err := h.sameCount(t.deps.name, t.index); err != nil {
		return err
	}
	e, _ := h.find(scripts)
	for _, i := range h.Uint32s(t.index) {
		if uint64(i) >= uint64(e.count) {
			return errors.New(t.index.String() + " is out of range")
		}
	}
	return nil
}
