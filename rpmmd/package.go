package rpmmd

import (
	"cmp"
	"strings"

	"rpmostree/rpm/evr"
)

// A Package is what primary.xml says of one package.
type Package struct {
	Name, Arch string
	EVR        evr.EVR  // HasEpoch is set only for epochs other than 0
	Checksum   Checksum // of the package file; its digits are the package's ID in the other files

	Summary, Description, Packager, URL string

	FileTime  int64 // when the file was last changed, seconds since 1970
	BuildTime int64 // seconds since 1970

	Size          int64 // of the package file, in bytes
	InstalledSize int64 // of all files, in bytes
	ArchiveSize   int64 // of the payload without compression, in bytes

	Location string // path of the file, relative to Base or, if that is empty, to the repository
	Base     string // URL; usually empty

	License, Vendor, Group, BuildHost, SourceRPM string

	// HeaderStart and HeaderEnd tell which bytes of the file are the header.
	HeaderStart, HeaderEnd int64

	Provides, Requires, Conflicts, Obsoletes    []Dep
	Suggests, Enhances, Recommends, Supplements []Dep

	// Files are those whose paths are commonly required; filelists.xml has all.
	Files []File
}

// NEVRA returns what identifies the build.
func (p *Package) NEVRA() evr.NEVRA { return evr.NEVRA{Name: p.Name, EVR: p.EVR, Arch: p.Arch} }

// String returns NAME-[EPOCH:]VERSION-RELEASE.ARCH.
func (p *Package) String() string { return p.NEVRA().String() }

// A Dep is a dependency.
type Dep struct {
	Name string // of a package, a capability or a path; one that begins with "(" is a rich dependency
	EVR  string // "[EPOCH:]VERSION[-RELEASE]" without a zero epoch; empty if any will do
	Op   evr.Op // zero if any version will do
	Pre  bool   // needed by a scriptlet, so it must be installed before
}

// String returns NAME [OP EVR].
func (d Dep) String() string {
	if d.Op == 0 || d.EVR == "" {
		return d.Name
	}
	return d.Name + " " + d.Op.String() + " " + d.EVR
}

// FileType is the kind of a file in metadata.
type FileType uint8

// Kinds of files.
const (
	FileRegular FileType = iota // also symbolic links and devices
	FileDir
	FileGhost // owned, but not in the payload; also for directories
)

// String returns the value of the type attribute: "", "dir" or "ghost".
func (t FileType) String() string {
	switch t {
	case FileDir:
		return "dir"
	case FileGhost:
		return "ghost"
	}
	return ""
}

// A File is a path of a package.
type File struct {
	Path string
	Type FileType
}

// IsPrimaryPath reports whether createrepo lists a path in primary.xml besides
// filelists.xml: /etc/**, any path that contains "bin/", and /usr/lib/sendmail.
func IsPrimaryPath(path string) bool {
	return strings.HasPrefix(path, "/etc/") || strings.Contains(path, "bin/") || path == "/usr/lib/sendmail"
}

// CompareNames orders packages by name, architecture and version.
func CompareNames(a, b *Package) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), evr.Compare(a.EVR, b.EVR))
}
