package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A StatusError is a server's answer other than success. For 403, 404 and 410
// it matches fs.ErrNotExist, because object stores answer 403 for what does not
// exist.
type StatusError struct {
	URL    string
	Code   int
	Status string // for example "404 Not Found"

	retryAfter time.Duration
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("server returned status %s for %s", e.Status, e.URL)
}

// Is makes a StatusError match fs.ErrNotExist.
func (e *StatusError) Is(target error) bool {
	if target != fs.ErrNotExist {
		return false
	}
	return e.Code == http.StatusNotFound || e.Code == http.StatusForbidden || e.Code == http.StatusGone
}

// A ChecksumError says that content is not what was asked for.
type ChecksumError struct {
	URL  string
	Want Checksum // the first acceptable one
	Got  Checksum
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%s: checksum mismatch: expected %s, got %s", e.URL, e.Want, e.Got)
}

// A SizeError says that content is longer or shorter than it must be.
type SizeError struct {
	URL   string
	Limit int64 // the exact size if Exact, else the most that is allowed
	Got   int64 // -1 if unknown, but too much
	Exact bool
}

func (e *SizeError) Error() string {
	switch {
	case !e.Exact:
		return fmt.Sprintf("%s: larger than the limit of %d bytes", e.URL, e.Limit)
	case e.Got < 0:
		return fmt.Sprintf("%s: larger than the expected %d bytes", e.URL, e.Limit)
	}
	return fmt.Sprintf("%s: size is %d bytes, expected %d", e.URL, e.Got, e.Limit)
}

// WithoutPassword returns a URL as errors tell it: they end up in logs.
func WithoutPassword(raw string) string {
	if !strings.Contains(raw, "@") { // such as a path of a file, with any characters
		return raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "(invalid URL)"
	case u.User == nil:
		return raw
	}
	return u.Redacted()
}

// withoutURL returns why a URL was not understood. The URL may have a password in it.
func withoutURL(err error) error {
	var parse *url.Error
	if errors.As(err, &parse) {
		err = fmt.Errorf("invalid URL: %w", parse.Err)
	}
	return err
}

var (
	errStalled   = errors.New("transfer is too slow")
	errTruncated = errors.New("transfer ended early")
	errChanged   = errors.New("transfer broke and cannot be continued")
)

// permanent reports whether err would come again from the same URL.
func permanent(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		switch status.Code {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return false
		case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
			return true
		}
		return status.Code < http.StatusInternalServerError // caches of the net have codes of their own
	}
	var (
		sum    *ChecksumError
		size   *SizeError
		path   *fs.PathError
		local  *localError
		verify *tls.CertificateVerificationError
		auth   x509.UnknownAuthorityError
		name   *net.DNSError
	)
	if errors.As(err, &name) && name.IsNotFound {
		return true
	}
	return errors.As(err, &sum) || errors.As(err, &size) || errors.As(err, &path) || errors.As(err, &local) ||
		errors.As(err, &verify) || errors.As(err, &auth) ||
		errors.Is(err, errChanged) || errors.Is(err, context.Canceled)
}
