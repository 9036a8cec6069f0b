package rpm

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// File type bits of File.Mode, as in stat(2).
const (
	ModeType    = 0o170000
	ModeSocket  = 0o140000
	ModeSymlink = 0o120000
	ModeRegular = 0o100000
	ModeBlock   = 0o060000
	ModeDir     = 0o040000
	ModeChar    = 0o020000
	ModeFIFO    = 0o010000
)

// MaxPath is the greatest length of a file's path in bytes.
const MaxPath = 4095

// MaxPaths is the greatest length of the directories of all paths together.
const MaxPaths = 256 << 20

// FileFlags are the attributes of a file (rpmfiles.h).
type FileFlags uint32

// File attributes.
const (
	FileConfig    FileFlags = 1 << 0
	FileDoc       FileFlags = 1 << 1
	FileIcon      FileFlags = 1 << 2
	FileMissingOK FileFlags = 1 << 3
	FileNoReplace FileFlags = 1 << 4
	FileSpec      FileFlags = 1 << 5
	FileGhost     FileFlags = 1 << 6 // owned but not in the payload
	FileLicense   FileFlags = 1 << 7
	FileReadme    FileFlags = 1 << 8
	FilePubKey    FileFlags = 1 << 11
	FileArtifact  FileFlags = 1 << 12
)

// VerifyFlags selects what "rpm -V" compares (rpmvf.h).
type VerifyFlags uint32

// What to compare.
const (
	VerifyDigest VerifyFlags = 1 << 0
	VerifySize   VerifyFlags = 1 << 1
	VerifyLink   VerifyFlags = 1 << 2
	VerifyUser   VerifyFlags = 1 << 3
	VerifyGroup  VerifyFlags = 1 << 4
	VerifyMtime  VerifyFlags = 1 << 5
	VerifyMode   VerifyFlags = 1 << 6
	VerifyRdev   VerifyFlags = 1 << 7
	VerifyCaps   VerifyFlags = 1 << 8

	VerifyAll VerifyFlags = 1<<32 - 1
)

// File is one file of a package, as the header describes it.
type File struct {
	Path        string // absolute
	Mode        uint32 // st_mode: type and permissions, 16 bits
	User, Group string
	Size        uint64 // bytes
	Digest      string // hex, of regular files; see Header.FileDigestAlgo
	LinkTo      string // target of a symbolic link
	Flags       FileFlags
	Verify      VerifyFlags
	Mtime       uint32 // seconds since 1970
	Rdev        uint32 // device number, major<<8 | minor
	Dev, Inode  uint32 // files with both equal are hard links of one another
	Color       uint32 // 1: 32-bit ELF, 2: 64-bit ELF
	Lang        string // locales separated by "|", "" for all
	Caps        string // text form of capabilities(7), "" for none
	IMA         string // hex of security.ima, "" for none
}

// Type returns the type bits of the mode.
func (f *File) Type() uint32 { return f.Mode & ModeType }

// IsDir reports whether f is a directory.
func (f *File) IsDir() bool { return f.Type() == ModeDir }

// IsRegular reports whether f is a regular file.
func (f *File) IsRegular() bool { return f.Type() == ModeRegular }

// IsSymlink reports whether f is a symbolic link.
func (f *File) IsSymlink() bool { return f.Type() == ModeSymlink }

// IsGhost reports whether the payload lacks f.
func (f *File) IsGhost() bool { return f.Flags&FileGhost != 0 }

// NumFiles returns the number of files.
func (h *Header) NumFiles() int {
	for _, t := range [...]Tag{TagBaseNames, TagOldFileNames} {
		if e, ok := h.find(t); ok {
			return e.count
		}
	}
	return 0
}

// FileDigestAlgo returns the algorithm of File.Digest.
func (h *Header) FileDigestAlgo() DigestAlgo {
	if v, ok := h.Uint(TagFileDigestAlgo); ok {
		return DigestAlgo(v)
	}
	return MD5
}

// Paths returns the path of each file, nil if the header fails CheckFiles.
func (h *Header) Paths() []string {
	if h.checkFileArrays() != nil {
		return nil
	}
	if h.Has(TagOldFileNames) && !h.Has(TagBaseNames) {
		return h.Strings(TagOldFileNames)
	}
	base, dirs, index := h.Strings(TagBaseNames), h.Strings(TagDirNames), h.Uint32s(TagDirIndexes)
	out := make([]string, len(base))
	for i := range base {
		out[i] = dirs[index[i]] + base[i]
	}
	return out
}

// Files returns the files in the header's order, nil if the header fails
// CheckFiles.
func (h *Header) Files() []File {
	paths := h.Paths()
	out := make([]File, len(paths))
	set16 := func(t Tag, set func(f *File, v uint16)) {
		for i, v := range h.Uint16s(t) {
			set(&out[i], v)
		}
	}
	set32 := func(t Tag, set func(f *File, v uint32)) {
		for i, v := range h.Uint32s(t) {
			set(&out[i], v)
		}
	}
	setString := func(t Tag, set func(f *File, v string)) {
		for i, v := range h.Strings(t) {
			set(&out[i], v)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	for i, p := range paths {
		out[i].Path = p
	}
	set16(TagFileModes, func(f *File, v uint16) { f.Mode = uint32(v) })
	set16(TagFileRdevs, func(f *File, v uint16) { f.Rdev = uint32(v) })
	set32(TagFileSizes, func(f *File, v uint32) { f.Size = uint64(v) })
	for i, v := range h.Uint64s(TagLongFileSizes) {
		out[i].Size = v
	}
	set32(TagFileMtimes, func(f *File, v uint32) { f.Mtime = v })
	set32(TagFileFlags, func(f *File, v uint32) { f.Flags = FileFlags(v) })
	set32(TagFileVerifyFlags, func(f *File, v uint32) { f.Verify = VerifyFlags(v) })
	set32(TagFileDevices, func(f *File, v uint32) { f.Dev = v })
	set32(TagFileInodes, func(f *File, v uint32) { f.Inode = v })
	set32(TagFileColors, func(f *File, v uint32) { f.Color = v })
	setString(TagFileUserName, func(f *File, v string) { f.User = v })
	setString(TagFileGroupName, func(f *File, v string) { f.Group = v })
	setString(TagFileDigests, func(f *File, v string) { f.Digest = v })
	setString(TagFileLinkTos, func(f *File, v string) { f.LinkTo = v })
	setString(TagFileLangs, func(f *File, v string) { f.Lang = v })
	setString(TagFileCaps, func(f *File, v string) { f.Caps = v })
	setString(TagFileSignatures, func(f *File, v string) { f.IMA = v })
	return out
}

// fileTags are the arrays with an element per file. The mandatory ones must be
// there if there are files.
var fileTags = [...]struct {
	tag       Tag
	mandatory bool
}{
	{TagFileModes, true}, {TagFileRdevs, true}, {TagFileMtimes, true}, {TagFileDigests, true},
	{TagFileLinkTos, true}, {TagFileFlags, true}, {TagFileUserName, true}, {TagFileGroupName, true},
	{TagFileVerifyFlags, false}, {TagFileDevices, false}, {TagFileInodes, false}, {TagFileLangs, false},
	{TagFileSizes, false}, {TagLongFileSizes, false}, {TagFileColors, false}, {TagFileCaps, false},
	{TagFileSignatures, false}, {TagFileStates, false},
}

// checkFileArrays verifies that the arrays of the files belong together.
func (h *Header) checkFileArrays() error {
	n := h.NumFiles()
	for _, f := range fileTags {
		e, ok := h.find(f.tag)
		if ok && e.count != n {
			return fmt.Errorf("%v has %d elements for %d files", f.tag, e.count, n)
		}
		if !ok && f.mandatory && n > 0 {
			return fmt.Errorf("%v is missing", f.tag)
		}
	}
	if n > 0 && h.Has(TagFileSizes) == h.Has(TagLongFileSizes) {
		return errors.New("exactly one of FILESIZES and LONGFILESIZES must be there")
	}
	if !h.Has(TagBaseNames) {
		return nil
	}
	index := h.Uint32s(TagDirIndexes)
	if len(index) != n {
		return fmt.Errorf("%v has %d elements for %d files", TagDirIndexes, len(index), n)
	}
	dirNames, total := h.Strings(TagDirNames), 0
	for _, d := range index {
		if uint64(d) >= uint64(len(dirNames)) {
			return fmt.Errorf("%v %d is out of range (%d directories)", TagDirIndexes, d, len(dirNames))
		}
		// Many files may share a long directory name: the paths are larger than the header.
		if total += len(dirNames[d]); total > MaxPaths {
			return errors.New("paths are too long")
		}
	}
	return nil
}

// CheckFiles verifies that the file arrays belong together and that every path
// is absolute, clean, unique and not below a file that is no directory. Open does this for
// every package.
func (h *Header) CheckFiles() error {
	if err := h.checkFileArrays(); err != nil {
		return fmt.Errorf("bad file list: %v", err)
	}
	for _, t := range [...]Tag{TagFileUserName, TagFileGroupName} {
		for _, name := range h.Strings(t) {
			if err := checkWord(name); err != nil {
				return fmt.Errorf("bad file list: %v %q: %v", t, name, err)
			}
		}
	}
	source := h.IsSource()
	kinds := make(map[string]uint32, h.NumFiles())
	modes := h.Uint16s(TagFileModes)
	paths := h.Paths()
	for i, p := range paths {
		if source {
			p = "/" + strings.TrimPrefix(p, "/")
		}
		if err := checkPath(p); err != nil {
			return fmt.Errorf("bad file list: %q: %v", p, err)
		}
		if _, twice := kinds[p]; twice {
			return fmt.Errorf("bad file list: %q is listed twice", p)
		}
		kinds[p] = uint32(modes[i]) & ModeType
	}
	seen := map[string]bool{"/": true, ".": true}
	for _, p := range paths {
		for d := path.Dir(p); !seen[d]; d = path.Dir(d) {
			seen[d] = true
			if kind, ok := kinds[d]; ok && kind != ModeDir {
				return fmt.Errorf("bad file list: %q is below %q, which is no directory", p, d)
			}
		}
	}
	return nil
}

func checkPath(p string) error {
	switch {
	case len(p) > MaxPath:
		return errors.New("path is too long")
	case p == "/":
		return nil
	case !strings.HasPrefix(p, "/"):
		return errors.New("path is not absolute")
	case path.Clean(p) != p:
		return errors.New("path is not clean")
	}
	return nil
}
