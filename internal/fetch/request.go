package fetch

import (
	"net/url"
	"strings"
	"time"
)

// A Request names one file and what is known of it. Either URL or Mirrors and
// Path must be given.
type Request struct {
	// URL is an http, https or file URL, or an absolute path.
	URL string
	// Mirrors serve the file under Path, which is relative to each of them.
	Mirrors *Mirrors
	Path    string

	// Size is the exact size in bytes, if it is known (greater than zero).
	Size int64
	// MaxSize bounds the size in bytes; default DefaultMaxSize.
	MaxSize int64
	// Checksums are acceptable checksums: one of them must match. If there are
	// none, the content is not verified.
	Checksums []Checksum

	// Immutable says that whatever serves the file serves the same content, so that
	// a transfer can be continued without a checksum.
	Immutable bool

	// IfNoneMatch is the ETag and IfModifiedSince the Last-Modified time of a
	// copy that the caller has; if the file is still that one, the Result says
	// NotModified and there is no content.
	IfNoneMatch     string
	IfModifiedSince time.Time

	// Progress, if not nil, is called as bytes arrive with how many of total
	// bytes are there; total is zero if it is not known.
	Progress func(done, total int64)
}

// A Result tells what a transfer has found.
type Result struct {
	URL          string    // where the content came from, before redirects
	Size         int64     // bytes of content
	ETag         string    // "" if the server sent none
	LastModified time.Time // zero if the server sent none that tells two versions apart
	NotModified  bool      // the caller's copy is current; there is no content
}

// limit returns how many bytes the content may have.
func (r *Request) limit() int64 {
	switch {
	case r.Size > 0:
		return r.Size
	case r.MaxSize > 0:
		return r.MaxSize
	}
	return DefaultMaxSize
}

// conditional tells whether the content is not wanted from off on if it has not changed.
func (r *Request) conditional(off int64) bool {
	return off == 0 && (r.IfNoneMatch != "" || !r.IfModifiedSince.IsZero())
}

// Join appends a relative path, which is not escaped, to a base URL. A query of
// base is kept. It does not touch a rel that is a URL itself.
func Join(base, rel string) string {
	if strings.Contains(rel, "://") {
		return rel
	}
	if base == "" {
		return rel
	}
	path, query, hasQuery := strings.Cut(base, "?")
	out := strings.TrimRight(path, "/") + "/" + escapePath(strings.TrimLeft(rel, "/"))
	if hasQuery {
		out += "?" + query
	}
	return out
}

// escapePath escapes what has a meaning in URLs but not in file names. Names in
// metadata are sometimes escaped already: a well-formed %XX stays.
func escapePath(p string) string {
	if _, err := url.PathUnescape(p); err != nil {
		p = strings.ReplaceAll(p, "%", "%25")
	}
	return urlEscapes.Replace(p)
}

var urlEscapes = strings.NewReplacer("?", "%3F", "#", "%23", " ", "%20")
