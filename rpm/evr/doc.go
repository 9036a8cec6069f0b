// Package evr parses and compares the version identities of RPM packages.
//
// An EVR is "[EPOCH:]VERSION[-RELEASE]". A NEVRA adds a name in front and an
// architecture behind: "NAME-[EPOCH:]VERSION-RELEASE.ARCH". A Range is an
// operator and an EVR as it stands in a dependency.
package evr
