// Package ostree is the ostree command: the command words, their options and
// their output, on top of the repository and sysroot libraries. Options, texts and exit
// statuses are those of the ostree command of libostree, which scripts depend on.
//
// An option that is known to libostree but not to us is an unknown option here: nothing is
// ignored.
package ostree
