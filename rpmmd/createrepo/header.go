package createrepo

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"rpmostree/rpm"
	"rpmostree/rpm/evr"
	"rpmostree/rpmmd"
)

// DefaultChangelogLimit is how many changes of a package other.xml lists.
const DefaultChangelogLimit = 10

// A Package is what all three metadata files say of one package.
type Package struct {
	rpmmd.Package
	AllFiles   []rpmmd.File
	Changelogs []rpmmd.Changelog // oldest first
}

// FromHeaders returns what the two headers of a package say. What only its file
// tells (location, checksum, size, times and header range) is not set. Of the
// changelog at most limit entries are taken, the newest ones.
//
// Of the files' tags only those are looked at that matter here, so that packages
// can be listed which could not be installed.
func FromHeaders(signature, h *rpm.Header, limit int) (*Package, error) {
	p := &Package{}
	e := evr.EVR{Version: text(h.Version()), Release: text(h.Release())}
	if epoch, ok := h.Epoch(); ok && epoch != 0 {
		e.Epoch, e.HasEpoch = epoch, true
	}
	p.Name, p.Arch, p.EVR = text(h.Name()), text(h.Arch()), e
	if p.Name == "" { // then nobody could read the metadata
		return nil, fmt.Errorf("%v is missing", rpm.TagName)
	}
	p.Summary = text(h.String(rpm.TagSummary))
	p.Description = text(h.String(rpm.TagDescription))
	p.Packager = text(h.String(rpm.TagPackager))
	p.URL = text(h.String(rpm.TagURL))
	p.License = text(h.String(rpm.TagLicense))
	p.Vendor = text(h.String(rpm.TagVendor))
	p.Group = text(h.String(rpm.TagGroup))
	p.BuildHost = text(h.String(rpm.TagBuildHost))
	p.SourceRPM = text(h.String(rpm.TagSourceRPM))
	buildTime, _ := h.Uint(rpm.TagBuildTime)
	p.BuildTime = int64(buildTime)
	p.InstalledSize = int64(h.Size())
	p.ArchiveSize = archiveSize(signature, h)
	var err error
	if p.AllFiles, err = files(h); err != nil {
		return nil, err
	}
	for _, f := range p.AllFiles {
		if rpmmd.IsPrimaryPath(f.Path) {
			p.Files = append(p.Files, f)
		}
	}
	setDeps(p, h)
	p.Changelogs = changelogs(h, limit)
	return p, nil
}

// archiveSize returns the size of the decompressed payload. Since version 6 of
// the format it is not a tag of the signature header.
func archiveSize(signature, h *rpm.Header) int64 {
	for _, t := range []rpm.Tag{rpm.TagArchiveSize, rpm.TagLongArchiveSize} {
		if n, ok := h.Uint(t); ok {
			return int64(n)
		}
	}
	for _, t := range []rpm.Tag{rpm.SigPayloadSize, rpm.TagLongArchiveSize} {
		if n, ok := signature.Uint(t); ok {
			return int64(n)
		}
	}
	return 0
}

func files(h *rpm.Header) ([]rpmmd.File, error) {
	paths, err := paths(h)
	if err != nil {
		return nil, err
	}
	modes, flags := h.Uint16s(rpm.TagFileModes), h.Uint32s(rpm.TagFileFlags)
	if len(modes) != len(paths) || len(flags) != len(paths) {
		return nil, errors.New("tags of files differ in length")
	}
	out := make([]rpmmd.File, len(paths))
	for i, path := range paths {
		out[i].Path = text(path)
		switch {
		case modes[i]&rpm.ModeType == rpm.ModeDir:
			out[i].Type = rpmmd.FileDir
		case rpm.FileFlags(flags[i])&rpm.FileGhost != 0:
			out[i].Type = rpmmd.FileGhost
		}
	}
	return out, nil
}

func paths(h *rpm.Header) ([]string, error) {
	if old := h.Strings(rpm.TagOldFileNames); old != nil {
		return old, nil
	}
	names, dirs, index := h.Strings(rpm.TagBaseNames), h.Strings(rpm.TagDirNames), h.Uint32s(rpm.TagDirIndexes)
	if len(index) != len(names) {
		return nil, errors.New("tags of files differ in length")
	}
	out := make([]string, len(names))
	total := 0
	for i, name := range names {
		if uint64(index[i]) >= uint64(len(dirs)) {
			return nil, errors.New("directory of a file is missing")
		}
		dir := dirs[index[i]]
		// Many files may share one long directory.
		if total += len(dir) + len(name); total > rpm.MaxPaths+len(h.Bytes()) {
			return nil, errors.New("paths are too long")
		}
		out[i] = dir + name
	}
	return out, nil
}

// changelogs returns the newest changes, oldest first. Equal times are made
// different, because readers sort by them.
func changelogs(h *rpm.Header, limit int) []rpmmd.Changelog {
	changes := h.Changelog()
	changes = changes[:min(len(changes), limit)]
	out := make([]rpmmd.Changelog, len(changes))
	var last int64
	for i, c := range changes {
		at := len(out) - 1 - i
		author := strings.TrimRight(text(c.Name), " ")
		out[at] = rpmmd.Changelog{Author: author, Date: int64(c.Time), Text: text(c.Text)}
		if int64(c.Time) != last {
			last = int64(c.Time)
			continue
		}
		for j, t := at+1, last; j < len(out) && out[j].Date == t; j, t = j+1, t+1 {
			out[j].Date++
		}
	}
	return out
}

// text makes a header's string fit for XML: control characters are dropped
// (createrepo_c leaves out packages that have any), and what is not UTF-8 is taken for Latin-1, of which createrepo_c knows the letters
// only.
func text(s string) string {
	if !utf8.ValidString(s) {
		var b bytes.Buffer
		for i := range len(s) {
			if s[i] < 0x80 || s[i] >= 0xc0 {
				b.WriteRune(rune(s[i]))
			}
		}
		s = b.String()
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\ufffe' || r == '\uffff' {
			return -1
		}
		return r
	}, s)
}
