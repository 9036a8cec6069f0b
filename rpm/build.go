package rpm

import (
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"rpmostree/internal/compress"
	"rpmostree/internal/openpgp"
)

// Builder describes a binary package and writes it. The same Builder always
// writes the same bytes. Name, Version, Release and Arch must be set, all else
// may be left out.
//
// Write adds what every package has: the provide of its own name and version,
// and the requires of the rpmlib features that it uses. It does not look for
// other dependencies; the interpreters of scripts have to be required by the
// caller.
type Builder struct {
	Name, Version, Release, Arch string

	Epoch           *uint32 // nil: none
	Summary         string
	Description     string
	License         string
	Group           string // "" is "Unspecified"
	URL             string
	Vendor          string
	Packager        string
	Distribution    string
	SourceRPM       string // file name of the source package; "" is made from the name
	BuildHost       string // "" is "localhost"
	BuildTime       uint32 // seconds since 1970
	ModularityLabel string
	Prefixes        []string // paths that may be relocated

	Provides, Requires, Conflicts, Obsoletes    []Dep
	Recommends, Suggests, Supplements, Enhances []Dep
	OrderWithRequires                           []Dep
	Scripts                                     []Script // at most one of each kind
	Triggers, FileTriggers, TransFileTriggers   []Trigger
	Changelog                                   []Change // newest first
	Files                                       []BuildFile

	Format     int    // package format 4 or 6; 0 is 4
	Compressor string // gzip, xz, lzma, zstd or none; "" is zstd
	Level      int    // of the compressor; 0 is its default

	// Sign, if set, returns a binary OpenPGP signature of the header.
	Sign func(header []byte) ([]byte, error)

	// Extra are further entries of the header.
	Extra []Entry

	// TempDir holds the payload while the package is written; "" is the
	// system's directory for temporary files.
	TempDir string
}

// BuildFile is a file of a package to be written. Of File, Inode and Dev are
// assigned by Write, Digest is computed, Size is too except for ghosts and
// where Open is used, and a Verify of 0 means VerifyAll.
type BuildFile struct {
	File

	// Data is the content of a regular file.
	Data []byte
	// Open, if set, is used instead of Data. It must give Size bytes.
	Open func() (io.ReadCloser, error)
	// LinkGroup, if not empty, makes this a hard link of the other files with
	// the same value. One of them gives the content.
	LinkGroup string
}

func (b *Builder) evr() string {
	evr := b.Version + "-" + b.Release
	if b.Epoch != nil {
		return strconv.FormatUint(uint64(*b.Epoch), 10) + ":" + evr
	}
	return evr
}

// Write writes the package to w.
func (b *Builder) Write(w io.Writer) error {
	if err := b.write(w); err != nil {
		return fmt.Errorf("building package %s-%s-%s.%s: %w", b.Name, b.Version, b.Release, b.Arch, err)
	}
	return nil
}

func (b *Builder) write(w io.Writer) error {
	if b.Name == "" || b.Version == "" || b.Release == "" || b.Arch == "" {
		return errors.New("name, version, release and architecture must be set")
	}
	if b.Format != 0 && b.Format != 4 && b.Format != 6 {
		return fmt.Errorf("unknown package format %d", b.Format)
	}
	format, err := compress.Parse(cmp.Or(b.Compressor, "zstd"))
	if err != nil {
		return err
	}
	files, err := b.arrange()
	if err != nil {
		return err
	}
	spool, err := os.CreateTemp(b.TempDir, "rpm-payload-")
	if err != nil {
		return err
	}
	defer spool.Close()
	if err := os.Remove(spool.Name()); err != nil {
		return err
	}
	payload, err := b.writePayload(spool, files, format)
	if err != nil {
		return err
	}
	header, err := b.header(files, payload, format)
	if err != nil {
		return err
	}
	signature, err := b.signature(header, payload, spool)
	if err != nil {
		return err
	}
	lead := Lead{Major: 3, Name: b.Name + "-" + b.Version + "-" + b.Release}
	if b.Format == 6 {
		lead.Major = 4
	}
	for _, part := range [][]byte{lead.marshal(), signature, make([]byte, -len(signature)&7), header} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	_, err = io.Copy(w, io.NewSectionReader(spool, 0, payload.size))
	return err
}

// stripped says whether the payload refers to the header for names and sizes.
func (b *Builder) stripped(files []BuildFile) bool {
	return b.Format == 6 || slices.ContainsFunc(files, func(f BuildFile) bool { return f.Size > math.MaxUint32 })
}

// header makes the main header, and reads it again to be sure that it holds
// what Open demands.
func (b *Builder) header(files []BuildFile, p payloadInfo, format compress.Format) ([]byte, error) {
	entries := append(b.identity(), b.payloadEntries(p, format)...)
	requires := append(slices.Clone(b.Requires), b.features(files, format)...)
	provides := append(slices.Clone(b.Provides), Dep{b.Name, DepEqual, b.evr()})
	for _, d := range []struct {
		tags depTags
		deps []Dep
	}{
		{provideTags, provides}, {requireTags, requires}, {conflictTags, b.Conflicts}, {obsoleteTags, b.Obsoletes},
		{recommendTags, b.Recommends}, {suggestTags, b.Suggests}, {supplementTags, b.Supplements},
		{enhanceTags, b.Enhances}, {orderTags, b.OrderWithRequires},
	} {
		entries = append(entries, d.tags.entries(sortDeps(d.deps))...)
	}
	for _, s := range b.Scripts {
		if s.Kind >= scriptKinds {
			return nil, fmt.Errorf("unknown kind of script %d", s.Kind)
		}
		entries = append(entries, s.entries()...)
	}
	entries = append(entries, packageTriggerTags.entries(b.Triggers)...)
	entries = append(entries, fileTriggerTags.entries(b.FileTriggers)...)
	entries = append(entries, transFileTriggerTags.entries(b.TransFileTriggers)...)
	entries = append(entries, fileEntries(files, b.Format == 6)...)
	header, err := EncodeHeader(TagHeaderImmutable, append(entries, b.Extra...))
	if err != nil {
		return nil, err
	}
	h, err := ParseHeader(header)
	if err != nil {
		return nil, err
	}
	return header, h.Check()
}

// sortDeps orders dependencies as rpmbuild does, and drops doubles.
func sortDeps(deps []Dep) []Dep {
	deps = slices.Clone(deps)
	slices.SortFunc(deps, func(a, b Dep) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.EVR, b.EVR), cmp.Compare(a.Flags, b.Flags))
	})
	return slices.Compact(deps)
}

func (b *Builder) identity() []Entry {
	source := b.SourceRPM
	if source == "" {
		source = b.Name + "-" + b.Version + "-" + b.Release + ".src.rpm"
	}
	out := []Entry{
		StringsEntry(TagHeaderI18NTable, "C"),
		StringEntry(TagName, b.Name),
		StringEntry(TagVersion, b.Version),
		StringEntry(TagRelease, b.Release),
		I18NEntry(TagSummary, b.Summary),
		I18NEntry(TagDescription, b.Description),
		Uint32Entry(TagBuildTime, b.BuildTime),
		StringEntry(TagBuildHost, cmp.Or(b.BuildHost, "localhost")),
		I18NEntry(TagGroup, cmp.Or(b.Group, "Unspecified")),
		StringEntry(TagOS, "linux"),
		StringEntry(TagArch, b.Arch),
		StringEntry(TagSourceRPM, source),
		StringEntry(TagRPMVersion, "4.18.0"),
		StringEntry(TagPayloadFormat, "cpio"),
		StringEntry(TagEncoding, "utf-8"),
		StringsEntry(TagPrefixes, b.Prefixes...),
	}
	if b.Epoch != nil {
		out = append(out, Uint32Entry(TagEpoch, *b.Epoch))
	}
	if b.Format == 6 {
		out = append(out, Uint32Entry(TagRPMFormat, 6))
	}
	for _, s := range []struct {
		tag  Tag
		text string
	}{
		{TagLicense, b.License}, {TagURL, b.URL}, {TagVendor, b.Vendor}, {TagPackager, b.Packager},
		{TagDistribution, b.Distribution}, {TagModularityLabel, b.ModularityLabel},
	} {
		if s.text != "" {
			out = append(out, StringEntry(s.tag, s.text))
		}
	}
	var times []uint32
	var names, texts []string
	for _, c := range b.Changelog {
		times, names, texts = append(times, c.Time), append(names, c.Name), append(texts, c.Text)
	}
	return append(out, Uint32Entry(TagChangelogTime, times...), StringsEntry(TagChangelogName, names...), StringsEntry(TagChangelogText, texts...))
}

func (b *Builder) payloadEntries(p payloadInfo, format compress.Format) []Entry {
	out := []Entry{
		StringsEntry(TagPayloadSHA256, p.sums[SHA256]),
		Uint32Entry(TagPayloadSHA256Algo, uint32(SHA256)),
		StringsEntry(TagPayloadSHA256Alt, p.sumsAlt[SHA256]),
	}
	if format != compress.None {
		level := "3"
		if b.Level != 0 {
			level = strconv.Itoa(b.Level)
		} else if format != compress.Zstd {
			level = "6"
		}
		out = append(out, StringEntry(TagPayloadCompressor, format.String()), StringEntry(TagPayloadFlags, level))
	}
	if b.Format == 6 {
		out = append(out, Uint64Entry(TagPayloadSize, uint64(p.size)), Uint64Entry(TagPayloadSizeAlt, uint64(p.sizeAlt)),
			StringEntry(TagPayloadSHA512, p.sums[SHA512]), StringEntry(TagPayloadSHA512Alt, p.sumsAlt[SHA512]),
			StringEntry(TagPayloadSHA3, p.sums[SHA3_256]), StringEntry(TagPayloadSHA3Alt, p.sumsAlt[SHA3_256]))
	}
	return out
}

// features returns the requires of what rpm must be able to do.
func (b *Builder) features(files []BuildFile, format compress.Format) []Dep {
	uses := map[string]bool{
		"CompressedFileNames":    len(files) > 0,
		"FileDigests":            true,
		"PayloadFilesHavePrefix": true,
		"PayloadIsZstd":          format == compress.Zstd,
		"PayloadIsXz":            format == compress.XZ,
		"PayloadIsLzma":          format == compress.LZMA,
		"LargeFiles":             b.stripped(files),
		"FileCaps":               slices.ContainsFunc(files, func(f BuildFile) bool { return f.Caps != "" }),
		"TildeInVersions":        strings.Contains(b.Version+b.Release, "~"),
		"CaretInVersions":        strings.Contains(b.Version+b.Release, "^"),
	}
	for _, deps := range [][]Dep{b.Requires, b.Conflicts, b.Recommends, b.Suggests, b.Supplements, b.Enhances} {
		for _, d := range deps {
			uses["RichDependencies"] = uses["RichDependencies"] || d.IsRich()
			uses["VersionedDependencies"] = uses["VersionedDependencies"] || d.EVR != ""
			uses["TildeInVersions"] = uses["TildeInVersions"] || strings.Contains(d.EVR, "~")
			uses["CaretInVersions"] = uses["CaretInVersions"] || strings.Contains(d.EVR, "^")
		}
	}
	script := func(interp []string, flags ScriptFlags) {
		uses["ScriptletInterpreterArgs"] = uses["ScriptletInterpreterArgs"] || len(interp) > 1
		uses["BuiltinLuaScripts"] = uses["BuiltinLuaScripts"] || len(interp) > 0 && interp[0] == InterpLua
		uses["ScriptletExpansion"] = uses["ScriptletExpansion"] || flags&(ScriptExpand|ScriptQFormat) != 0
	}
	for _, s := range b.Scripts {
		script(s.Interp, s.Flags)
	}
	for _, t := range slices.Concat(b.Triggers, b.FileTriggers, b.TransFileTriggers) {
		script(t.Interp, t.Flags)
	}
	var out []Dep
	for _, f := range features {
		if uses[f.name] {
			out = append(out, Dep{"rpmlib(" + f.name + ")", DepRpmlib | DepLess | DepEqual, f.version})
		}
	}
	return out
}

// signature makes the signature header: digests of the header, and in format 4
// those of header and payload together.
func (b *Builder) signature(header []byte, p payloadInfo, spool io.ReaderAt) ([]byte, error) {
	sum256 := sha256.Sum256(header)
	entries := []Entry{StringEntry(TagSHA256Header, hex.EncodeToString(sum256[:]))}
	if b.Format == 6 {
		sum3 := sha3.Sum256(header)
		entries = append(entries, StringEntry(TagSHA3Header, hex.EncodeToString(sum3[:])), BinaryEntry(SigReserved, make([]byte, 4128)))
	} else {
		sum1, m := sha1.Sum(header), md5.New()
		m.Write(header)
		if _, err := io.Copy(m, io.NewSectionReader(spool, 0, p.size)); err != nil {
			return nil, err
		}
		entries = append(entries, StringEntry(TagSHA1Header, hex.EncodeToString(sum1[:])), BinaryEntry(SigMD5, m.Sum(nil)),
			sizeEntry(SigSize, TagLongSigSize, uint64(len(header))+uint64(p.size)),
			sizeEntry(SigPayloadSize, TagLongArchiveSize, uint64(p.sizeAlt)))
	}
	if b.Sign != nil {
		sig, err := b.Sign(header)
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		parsed, err := openpgp.ParseSignature(sig)
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		switch {
		case b.Format == 6:
			entries = append(entries, StringsEntry(TagOpenPGP, base64.StdEncoding.EncodeToString(sig)))
		case parsed.Algorithm() == 1: // RSA; the tag of all others is DSA's
			entries = append(entries, BinaryEntry(TagRSAHeader, sig))
		default:
			entries = append(entries, BinaryEntry(TagDSAHeader, sig))
		}
	}
	return EncodeHeader(TagHeaderSignatures, entries)
}

// sizeEntry picks the tag that a number needs.
func sizeEntry(small, large Tag, v uint64) Entry {
	if v > math.MaxUint32 {
		return Uint64Entry(large, v)
	}
	return Uint32Entry(small, uint32(v))
}

// fileEntries returns the arrays of the files, which are sorted by path.
func fileEntries(files []BuildFile, long bool) []Entry {
	if len(files) == 0 {
		return []Entry{Uint32Entry(TagSize, 0)}
	}
	var base, dirs, user, group, digest, link, lang, caps, ima []string
	var mtime, flags, verify, dev, ino, dirIndex, color []uint32
	var size []uint64
	var mode, rdev []uint16
	var total uint64
	var anyCaps, anyColor, anyIMA bool
	dirNumber := map[string]uint32{}
	counted := map[uint32]bool{}
	for _, f := range files {
		d, name := path.Split(f.Path)
		if _, ok := dirNumber[d]; !ok {
			dirNumber[d] = uint32(len(dirs))
			dirs = append(dirs, d)
		}
		base, dirIndex = append(base, name), append(dirIndex, dirNumber[d])
		user, group = append(user, cmp.Or(f.User, "root")), append(group, cmp.Or(f.Group, "root"))
		digest, link, lang = append(digest, f.Digest), append(link, f.LinkTo), append(lang, f.Lang)
		caps, ima, color = append(caps, f.Caps), append(ima, f.IMA), append(color, f.Color)
		anyCaps, anyColor, anyIMA = anyCaps || f.Caps != "", anyColor || f.Color != 0, anyIMA || f.IMA != ""
		size, mtime = append(size, f.Size), append(mtime, f.Mtime)
		mode, rdev = append(mode, uint16(f.Mode)), append(rdev, uint16(f.Rdev))
		flags, verify = append(flags, uint32(f.Flags)), append(verify, uint32(f.Verify))
		dev, ino = append(dev, f.Dev), append(ino, f.Inode)
		if !f.IsDir() && !f.IsGhost() && !counted[f.Inode] {
			counted[f.Inode] = true
			total += f.Size
		}
	}
	out := []Entry{
		Uint16Entry(TagFileModes, mode...), Uint16Entry(TagFileRdevs, rdev...), Uint32Entry(TagFileMtimes, mtime...),
		StringsEntry(TagFileDigests, digest...), StringsEntry(TagFileLinkTos, link...), Uint32Entry(TagFileFlags, flags...),
		StringsEntry(TagFileUserName, user...), StringsEntry(TagFileGroupName, group...), Uint32Entry(TagFileVerifyFlags, verify...),
		Uint32Entry(TagFileDevices, dev...), Uint32Entry(TagFileInodes, ino...), StringsEntry(TagFileLangs, lang...),
		Uint32Entry(TagDirIndexes, dirIndex...), StringsEntry(TagBaseNames, base...), StringsEntry(TagDirNames, dirs...),
		Uint32Entry(TagFileDigestAlgo, uint32(SHA256)),
	}
	if long || slices.Max(size) > math.MaxUint32 {
		out = append(out, Uint64Entry(TagLongFileSizes, size...))
	} else {
		small := make([]uint32, len(size))
		for i, n := range size {
			small[i] = uint32(n)
		}
		out = append(out, Uint32Entry(TagFileSizes, small...))
	}
	if long || total > math.MaxUint32 {
		out = append(out, Uint64Entry(TagLongSize, total))
	} else {
		out = append(out, Uint32Entry(TagSize, uint32(total)))
	}
	if anyCaps {
		out = append(out, StringsEntry(TagFileCaps, caps...))
	}
	if anyColor {
		out = append(out, Uint32Entry(TagFileColors, color...))
	}
	if anyIMA {
		out = append(out, StringsEntry(TagFileSignatures, ima...), Uint32Entry(TagFileSignatureLength, maxIMA(ima)))
	}
	return out
}

func maxIMA(ima []string) (n uint32) {
	for _, s := range ima {
		n = max(n, uint32(len(s)/2))
	}
	return n
}
