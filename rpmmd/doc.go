// Package rpmmd holds the values of rpm-md repositories: .repo files with their
// variables, and the metadata under repodata/.
//
// The big files are read as streams: ParsePrimary, ParseFilelists and ParseOther
// call a function for each package, and FindPaths searches filelists without
// keeping them. The small ones (repomd.xml, metalink, updateinfo, comps) are
// parsed into one value. All XML is read by one scanner that knows no more of
// XML than these formats need: elements are told apart by their local names,
// because writers disagree about namespaces, and document types with
// declarations are refused.
//
// The formats have no specification but their writers and readers: createrepo_c,
// libsolv's repo_rpmmd and librepo are followed.
package rpmmd
