package rpmmd

import (
	"strconv"

	"rpmostree/rpm/evr"
)

// Strings of a rawPackage. Those from rawVersion on are cold in an index.
const (
	rawName = iota
	rawArch
	rawVendor
	rawVersion
	rawRelease
	rawChecksumType
	rawPackager
	rawURL
	rawBase
	rawLicense
	rawGroup
	rawBuildHost
	rawSourceRPM
	rawStrings
)

// Texts of a rawPackage, which other packages rarely share.
const (
	rawHex = iota // of the checksum
	rawLocation
	rawSummary
	rawDescription
	rawTexts
)

// Numbers of a rawPackage. Those from rawFileTime on are cold in an index.
const (
	rawBuildTime = iota
	rawFileTime
	rawSize
	rawInstalledSize
	rawArchiveSize
	rawHeaderStart
	rawHeaderEnd
	rawNumbers
)

// A rawPackage is a package whose strings are numbers of a stringTable.
type rawPackage struct {
	epoch   uint32
	strings [rawStrings]uint32
	numbers [rawNumbers]int64
	texts   [rawTexts]span // of buf
	deps    [DepKinds][]rawDep
	files   []rawFile
	buf     []byte
	evrBuf  []byte
}

type rawDep struct {
	name, evr uint32
	op        evr.Op
	pre       bool
}

type rawFile struct {
	path uint32
	typ  FileType
}

// reset makes the package empty and keeps its memory.
func (p *rawPackage) reset() {
	deps := p.deps
	for i := range deps {
		deps[i] = deps[i][:0]
	}
	*p = rawPackage{deps: deps, files: p.files[:0], buf: p.buf[:0], evrBuf: p.evrBuf}
}

func (p *rawPackage) setText(i int, b []byte) {
	n := len(p.buf)
	p.buf = append(p.buf, b...)
	p.texts[i] = span{n, len(p.buf)}
}

func (p *rawPackage) text(i int) []byte { return p.buf[p.texts[i].from:p.texts[i].to] }

// evrText returns [EPOCH:]VERSION[-RELEASE], as evr.EVR.String does.
func (p *rawPackage) evrText(strs *stringTable) []byte {
	b := p.evrBuf[:0]
	if p.epoch != 0 {
		b = append(strconv.AppendUint(b, uint64(p.epoch), 10), ':')
	}
	b = append(b, strs.str(p.strings[rawVersion])...)
	if p.strings[rawRelease] != 0 {
		b = append(append(b, '-'), strs.str(p.strings[rawRelease])...)
	}
	p.evrBuf = b
	return b
}

// A packageMaker turns raw packages into Packages.
type packageMaker struct {
	strs  *stringTable
	deps  arena[Dep]
	files arena[File]
	// reused for each package
	depBuf  []Dep
	fileBuf []File
}

func (m *packageMaker) make(raw *rawPackage) *Package {
	var strs [rawStrings]string
	for i, id := range raw.strings {
		strs[i] = m.strs.str(id)
	}
	var texts [rawTexts]string
	all := string(raw.buf)
	for i, s := range raw.texts {
		texts[i] = all[s.from:s.to]
	}
	p := &Package{}
	p.set(raw.epoch, &strs, &texts, &raw.numbers)
	for k := range DepKinds {
		m.depBuf = m.depBuf[:0]
		for _, d := range raw.deps[k] {
			m.depBuf = append(m.depBuf, Dep{Name: m.strs.str(d.name), EVR: m.strs.str(d.evr), Op: d.op, Pre: d.pre})
		}
		*p.Deps(k) = m.deps.take(m.depBuf)
	}
	m.fileBuf = m.fileBuf[:0]
	for _, f := range raw.files {
		m.fileBuf = append(m.fileBuf, File{m.strs.str(f.path), f.typ})
	}
	p.Files = m.files.take(m.fileBuf)
	return p
}

// set fills the fields of a package that are no lists.
func (p *Package) set(epoch uint32, s *[rawStrings]string, t *[rawTexts]string, n *[rawNumbers]int64) {
	p.Name, p.Arch, p.Vendor = s[rawName], s[rawArch], s[rawVendor]
	p.EVR = evr.EVR{Epoch: epoch, HasEpoch: epoch != 0, Version: s[rawVersion], Release: s[rawRelease]}
	p.Checksum = Checksum{Type: s[rawChecksumType], Hex: t[rawHex]}
	p.Summary, p.Description, p.Packager, p.URL = t[rawSummary], t[rawDescription], s[rawPackager], s[rawURL]
	p.Location, p.Base = t[rawLocation], s[rawBase]
	p.License, p.Group, p.BuildHost, p.SourceRPM = s[rawLicense], s[rawGroup], s[rawBuildHost], s[rawSourceRPM]
	p.BuildTime, p.FileTime = n[rawBuildTime], n[rawFileTime]
	p.Size, p.InstalledSize, p.ArchiveSize = n[rawSize], n[rawInstalledSize], n[rawArchiveSize]
	p.HeaderStart, p.HeaderEnd = n[rawHeaderStart], n[rawHeaderEnd]
}
