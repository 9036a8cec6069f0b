// Package ostree holds the nouns of an OSTree repository: checksums, the
// objects (directory trees, directory metadata, file headers, commits), refs and
// the summary, with the reading and writing of their serialised forms.
//
// For every object Parse(b).Marshal() is b for each b that Parse accepts:
// metadata objects are named after the sha256 of their bytes, so what is not in
// canonical form is refused, and dictionaries keep their order. Integers
// inside objects are big endian, framing offsets little endian.
package ostree
