// Package delta reads, writes and applies static deltas: files that lead from one
// commit to another, so that a client fetches a few large files in place of many
// objects.
//
// A delta is a superblock, which says what it is for and has the target commit in
// it, and parts, which are small programs that make objects out of a blob and of
// objects that are there already. Objects that are not worth a delta are listed as
// fallbacks, to be fetched one by one.
//
// The format is that of libostree (ostree-repo-static-delta-private.h). Integers of
// its parts are little endian or big endian as the superblock says; those of older
// files, which do not say, have to be guessed.
package delta
