package rpmdb

import (
	"errors"
	"fmt"

	"rpmostree/rpm"
)

// Entry is a header to be written to a database.
type Entry struct {
	HeaderNum uint32 // 0: the next free number
	hdr       *rpm.Header
}

// Header returns the header with the entries that record its installation.
func (e Entry) Header() *rpm.Header { return e.hdr }

// Installed returns e as a package of a database.
func (e Entry) Installed() Installed { return Installed{e.HeaderNum, e.hdr} }

// FileState says what became of a file of an installed package.
type FileState byte

// States of a file.
const (
	FileNormal       FileState = 0 // installed
	FileReplaced     FileState = 1 // another package's file is in its place
	FileNotInstalled FileState = 2 // left out: documentation, language
	FileNetShared    FileState = 3 // on a shared file system
	FileWrongColor   FileState = 4 // another package's file for the preferred ABI is in its place
)

func (s FileState) installed() bool { return s == FileNormal || s == FileNetShared }

// InstallInfo is what a database records about an installation besides what
// the package says. The zero value is a package with all its files, installed
// at the Unix epoch.
type InstallInfo struct {
	Time   uint32      // seconds since 1970
	TID    uint32      // number of the transaction: by convention the time of its start
	Color  uint32      // see ArchColor
	States []FileState // one per file; nil: all FileNormal
}

// ArchColor returns the colours of ELF files that a machine of architecture
// arch, by rpm's name, can run: 3 (32 and 64 bit) or 0 where rpm does not tell
// them apart.
func ArchColor(arch string) uint32 {
	switch arch {
	case "x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4", "amd64", "ia32e", "aarch64", "ppc64", "ppc64le", "ppc64p7",
		"s390x", "riscv64", "loongarch64", "sparc64", "sparc64v",
		"mips64", "mips64el", "mips64r6", "mips64r6el":
		return 3
	case "ia64":
		return 2
	}
	return 0
}

// signatureTag says how an entry of a signature header gets into a database.
type signatureTag struct {
	from, to rpm.Tag
	typ      rpm.Type
	count    uint32 // 0: any
}

// signatureTags lists all of them; the others, such as reserved space, stay
// behind. The fixed types and counts keep an attacker, who may change the
// signature header freely, from placing other things in the database
// (CVE-2021-20271, CVE-2021-3421).
var signatureTags = [...]signatureTag{
	{rpm.SigSize, rpm.TagSigSize, rpm.TypeInt32, 1},
	{rpm.SigPGP, rpm.TagSigPGP, rpm.TypeBinary, 0},
	{rpm.SigMD5, rpm.TagSigMD5, rpm.TypeBinary, 16},
	{rpm.SigGPG, rpm.TagSigGPG, rpm.TypeBinary, 0},
	{rpm.SigPayloadSize, rpm.TagArchiveSize, rpm.TypeInt32, 1},
	{rpm.TagDSAHeader, rpm.TagDSAHeader, rpm.TypeBinary, 0},
	{rpm.TagRSAHeader, rpm.TagRSAHeader, rpm.TypeBinary, 0},
	{rpm.TagSHA1Header, rpm.TagSHA1Header, rpm.TypeString, 1},
	{rpm.TagLongSigSize, rpm.TagLongSigSize, rpm.TypeInt64, 1},
	{rpm.TagLongArchiveSize, rpm.TagLongArchiveSize, rpm.TypeInt64, 1},
	{rpm.TagSHA256Header, rpm.TagSHA256Header, rpm.TypeString, 1},
	{rpm.SigFileSignatures, rpm.TagFileSignatures, rpm.TypeStringArray, 0},
	{rpm.SigFileSignatureLength, rpm.TagFileSignatureLength, rpm.TypeInt32, 1},
	{rpm.TagVeritySignatures, rpm.TagVeritySignatures, rpm.TypeStringArray, 0},
	{rpm.TagVeritySignatureAlgo, rpm.TagVeritySignatureAlgo, rpm.TypeInt32, 1},
	{rpm.TagOpenPGP, rpm.TagOpenPGP, rpm.TypeStringArray, 0},
	{rpm.TagSHA3Header, rpm.TagSHA3Header, rpm.TypeString, 1},
}

const (
	maxSignatureCount = 16 << 20     // elements of an entry that is copied
	lastNewSignature  = rpm.Tag(999) // tags of format 6 end here
	signatureFormat   = 6            // the format from which that holds
)

// NewEntry returns the header of a package as a database holds it: the main
// header's bytes, followed by entries from the signature header sig and those
// that info describes. The caller has checked digests and signatures.
func NewEntry(sig, hdr *rpm.Header, info InstallInfo) (Entry, error) {
	e, err := newEntry(sig, hdr, info)
	if err != nil {
		return Entry{}, fmt.Errorf("rpmdb: %s: %w", hdr.Name(), err)
	}
	return e, nil
}

func newEntry(sig, hdr *rpm.Header, info InstallInfo) (Entry, error) {
	for _, t := range [...]rpm.Tag{rpm.TagName, rpm.TagVersion, rpm.TagRelease} {
		if !hdr.Has(t) {
			return Entry{}, fmt.Errorf("header has no tag %v", t)
		}
	}
	if hdr.Region() != rpm.TagHeaderImmutable {
		return Entry{}, errors.New("header is not immutable, package is too old")
	}
	added, err := fromSignature(sig, hdr)
	if err != nil {
		return Entry{}, err
	}
	added = append(added,
		rpm.Uint32Entry(rpm.TagInstallTime, info.Time),
		rpm.Uint32Entry(rpm.TagInstallColor, info.Color),
		rpm.Uint32Entry(rpm.TagInstallTID, info.TID))
	n := hdr.NumFiles()
	if info.States != nil && len(info.States) != n {
		return Entry{}, fmt.Errorf("%d file states for %d files", len(info.States), n)
	}
	if n > 0 {
		states := make([]byte, n)
		for i, s := range info.States {
			states[i] = byte(s)
		}
		added = append(added, rpm.CharEntry(rpm.TagFileStates, states))
	}
	if prefixes := hdr.Strings(rpm.TagPrefixes); len(prefixes) > 0 {
		added = append(added, rpm.StringsEntry(rpm.TagInstPrefixes, prefixes...))
	}
	raw, err := hdr.AddEntries(added)
	if err != nil {
		return Entry{}, err
	}
	h, err := rpm.ParseInstalledHeader(raw)
	return Entry{hdr: h}, err
}

// fromSignature returns the entries of sig that go into a database with hdr.
func fromSignature(sig, hdr *rpm.Header) ([]rpm.Entry, error) {
	if sig == nil {
		return nil, nil
	}
	var out []rpm.Entry
	for _, t := range signatureTags {
		if t.from > lastNewSignature && hdr.Format() >= signatureFormat {
			continue
		}
		e, ok := sig.Entry(t.from)
		if !ok {
			continue
		}
		if hdr.Has(t.to) {
			switch t.to {
			// Builds of rpm have put these into both headers.
			case rpm.TagArchiveSize, rpm.TagFileSignatures, rpm.TagFileSignatureLength:
				if hdr.Format() < signatureFormat {
					continue
				}
			}
			return nil, fmt.Errorf("signature tag %v is also in the main header", t.from)
		}
		if e.Type != t.typ || t.count != 0 && e.Count != t.count || e.Count > maxSignatureCount {
			return nil, fmt.Errorf("signature tag %v has type %v and count %d", t.from, e.Type, e.Count)
		}
		e.Tag = t.to
		out = append(out, e)
	}
	return out, nil
}
