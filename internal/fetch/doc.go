// Package fetch reads files over HTTP, HTTPS and from file URLs, from one
// place or from the first of several mirrors that serves them.
//
// A transfer that breaks is continued where it stopped with a Range request,
// from the next mirror if there is one. Sizes and checksums are verified while
// the bytes pass, so a reader learns at the latest in place of io.EOF that the
// content is wrong. Nothing is ever buffered whole, except by Bytes.
//
// Defaults of retries, timeouts and connection numbers follow librepo and
// libostree, so that servers see familiar clients. FTP is not spoken.
package fetch
