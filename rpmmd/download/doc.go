// Package download fetches rpm-md metadata and packages and keeps them in a cache.
//
// A Downloader makes a Snapshot of each repository: its repomd.xml and the place
// of the files that it names. Everything behind a Snapshot is verified: repomd.xml
// against the metalink and, if the configuration says so, by its signature; the
// other files against repomd.xml; packages against primary.xml. A Snapshot does
// not change, whatever a later refresh does.
//
// In the cache a repository has a directory of its own with repodata/ and
// packages/. repodata/repomd.xml is written after the files that it names; its
// modification time says when it was last compared with the origin.
//
// The order of sources, expiry and the meaning of options follow librepo and
// libdnf. zchunk files are read where there are no others, and fetched as a whole.
// Left out: delta packages, FTP.
package download
