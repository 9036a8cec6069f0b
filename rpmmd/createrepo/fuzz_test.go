package createrepo

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"rpmostree/rpm"
	"rpmostree/rpmmd"
)

// FuzzFromHeaders: whatever a header says, the metadata of the package can be read again. The dependencies
// and paths are separated by slashes and commas.
func FuzzFromHeaders(f *testing.F) {
	f.Add("name", "1.0", "Some text.", "a >= 1,/bin/sh,(b if c),libc.so.6(GLIBC_2.4)", "1:2-3", "etc,,usr/bin/x,usr/lib/sendmail", uint32(rpm.DepGreater|rpm.DepEqual), uint32(0o100644))
	f.Add("n\xe4me", "0:1", "<&>\"'\x01\n", "(a,b", "x:y", "a//b,bin/", uint32(rpm.DepPre|rpm.DepLess), uint32(0o040755|rpm.FileGhost<<16))
	f.Fuzz(func(t *testing.T, name, version, prose, deps, evr, paths string, flags, mode uint32) {
		for _, s := range []string{name, version, prose, deps, evr, paths} {
			if strings.Contains(s, "\x00") {
				return
			}
		}
		b, err := rpm.EncodeHeader(rpm.TagHeaderImmutable, headerEntries(name, version, prose, strings.Split(deps, ","), evr, strings.Split(paths, ","), flags, mode))
		if err != nil {
			return
		}
		h, err := rpm.ParseHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		p, err := FromHeaders(h, h, DefaultChangelogLimit)
		if err != nil {
			if text(name) != "" {
				t.Fatal(err)
			}
			return
		}
		p.Checksum = rpmmd.Checksum{Type: "sha256", Hex: "00"}
		p.Location = "x.rpm"
		var primary, files, other bytes.Buffer
		list := rpmmd.Filelist{PkgID: "00", Name: p.Name, Arch: p.Arch, EVR: p.EVR, Files: p.AllFiles}
		changes := rpmmd.Changelogs{PkgID: "00", Name: p.Name, Arch: p.Arch, EVR: p.EVR, Entries: p.Changelogs}
		for _, write := range []func() error{
			func() error {
				return document(&primary, rpmmd.PrimaryHeader(1), rpmmd.PrimaryFooter, []*Package{p}, func(p *Package) error { return p.Write(&primary) })
			},
			func() error {
				return document(&files, rpmmd.FilelistsHeader(1), rpmmd.FilelistsFooter, []*Package{p}, func(*Package) error { return list.Write(&files) })
			},
			func() error {
				return document(&other, rpmmd.OtherHeader(1), rpmmd.OtherFooter, []*Package{p}, func(*Package) error { return changes.Write(&other) })
			},
		} {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
		var n int
		if err := rpmmd.ParsePrimary(&primary, func(q *rpmmd.Package) error {
			if n++; q.Name != p.Name || len(q.Requires) != named(p.Requires) || len(q.Files) != len(p.Files) {
				t.Errorf("%+v instead of %+v", q, p)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := rpmmd.ParseFilelists(&files, func(l *rpmmd.Filelist) error {
			if n++; len(l.Files) != len(p.AllFiles) {
				t.Errorf("%d files instead of %d", len(l.Files), len(p.AllFiles))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := rpmmd.ParseOther(&other, func(c *rpmmd.Changelogs) error {
			if n++; len(c.Entries) != len(p.Changelogs) {
				t.Errorf("%d changes instead of %d", len(c.Entries), len(p.Changelogs))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n != 3 {
			t.Errorf("%d documents have a package", n)
		}
	})
}

// named counts the dependencies that have a name; others are not read.
func named(deps []rpmmd.Dep) (n int) {
	for _, d := range deps {
		if d.Name != "" {
			n++
		}
	}
	return n
}

// headerEntries returns a header with as much of everything as its lists are long.
func headerEntries(name, version, text string, deps []string, evr string, paths []string, flags, mode uint32) []rpm.Entry {
	entries := []rpm.Entry{
		rpm.StringEntry(rpm.TagName, name), rpm.StringEntry(rpm.TagVersion, version), rpm.StringEntry(rpm.TagRelease, version), rpm.StringEntry(rpm.TagArch, name),
		rpm.StringEntry(rpm.TagLicense, text), rpm.StringEntry(rpm.TagURL, text), rpm.StringEntry(rpm.TagVendor, text), rpm.StringEntry(rpm.TagSourceRPM, name),
	}
	repeat := func(n int, v uint32) (out []uint32) {
		for i := range n {
			out = append(out, v+uint32(i))
		}
		return out
	}
	versions := make([]string, len(deps))
	for i := range versions {
		versions[i] = evr
	}
	for _, t := range [][3]rpm.Tag{
		{rpm.TagProvideName, rpm.TagProvideFlags, rpm.TagProvideVersion}, {rpm.TagRequireName, rpm.TagRequireFlags, rpm.TagRequireVersion},
		{rpm.TagRecommendName, rpm.TagRecommendFlags, rpm.TagRecommendVersion}, {tagOldSuggestsName, tagOldSuggestsFlags, tagOldSuggestsVersion},
		{rpm.TagChangelogName, rpm.TagChangelogTime, rpm.TagChangelogText},
	} {
		entries = append(entries, rpm.StringsEntry(t[0], deps...), rpm.Uint32Entry(t[1], repeat(len(deps), flags)...), rpm.StringsEntry(t[2], versions...))
		slices.Reverse(deps)
	}
	modes := make([]uint16, len(paths))
	bases, dirs := make([]string, len(paths)), make([]string, len(paths))
	for i, path := range paths {
		modes[i] = uint16(mode)
		cut := strings.LastIndexByte(path, '/') + 1
		dirs[i], bases[i] = "/"+path[:cut], path[cut:]
	}
	return append(entries, rpm.StringsEntry(rpm.TagBaseNames, bases...), rpm.StringsEntry(rpm.TagDirNames, dirs...),
		rpm.Uint32Entry(rpm.TagDirIndexes, repeat(len(paths), 0)...), rpm.Uint16Entry(rpm.TagFileModes, modes...),
		rpm.Uint32Entry(rpm.TagFileFlags, repeat(len(paths), mode>>16)...))
}
