// Package rpm reads and writes RPM packages, format versions 4 and 6.
//
// A package file is four parts, one after the other:
//
//	lead              96 bytes, of historic interest
//	signature header  digests and signatures of what follows, padded to 8 bytes
//	header            all metadata: identity, dependencies, files, scripts
//	payload           the files' content, a compressed cpio archive
//
// Open reads the first three and gives a Package; Package.Payload then streams
// the content once, checking digests and signatures on the way. The header is
// the only source of metadata: the payload says which file comes next and
// brings its bytes, nothing more.
//
// A Header is a list of typed, tagged values. It is checked when parsed and
// cannot be changed afterwards; EncodeHeader makes a new one. Builder writes
// whole packages.
//
// All input is taken as hostile. Sizes are limited by the constants named Max*,
// nothing is allocated on the word of an unchecked number, and file names never
// reach the file system here.
package rpm
