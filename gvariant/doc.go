// Package gvariant reads, builds, checks, prints and parses values in the
// GVariant serialisation format, as specified by
// https://docs.gtk.org/glib/gvariant-specification-1.0.html and implemented by
// GLib, and in GLib's text format.
//
// A [Value] is a type, the bytes of its wire form and the byte order of the
// integers inside. It is immutable and cheap to copy; children are found in the
// bytes when asked for. Decoding accepts any bytes: what is not in normal form
// reads as the default value of its type (0, "", empty), as the specification
// demands, and [Value.IsNormal] tells the difference. Framing offsets are little
// endian in either byte order.
//
// No function panics on outside input, none allocates more than a constant times
// the size of its input, and nesting is limited to [MaxDepth] levels.
package gvariant
