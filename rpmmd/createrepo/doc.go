// Package createrepo writes the metadata of an rpm-md repository: primary,
// filelists, other and repomd.xml for the packages below a directory.
//
// The XML is byte for byte what createrepo_c writes for the same packages,
// including its peculiarities: of all requires of the C library only the one
// with the highest version is kept, requires that the package provides itself
// and rpmlib() features are left out. The files' checksums are part of their
// names, and repodata/ is replaced in one step.
//
// Left out: sqlite databases and delta packages.
package createrepo
