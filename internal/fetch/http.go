package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// dial asks one source for the content from offset off on.
func (c *Client) dial(ctx context.Context, rawURL string, req *Request, off int64, ifRange string) (*connection, error) {
	if strings.HasPrefix(rawURL, "/") {
		return openLocal(rawURL, off)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, &localError{withoutURL(err)}
	}
	switch strings.ToLower(u.Scheme) {
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return nil, &localError{fmt.Errorf("%s: file URL of another host", u.Redacted())}
		}
		return openLocal(u.Path, off)
	case "http", "https":
		return c.dialHTTP(ctx, u, req, off, ifRange)
	}
	return nil, &localError{fmt.Errorf("%s: unsupported protocol", u.Redacted())}
}

func (c *Client) dialHTTP(ctx context.Context, u *url.URL, req *Request, off int64, ifRange string) (*connection, error) {
	slot := c.slot(u.Host)
	select {
	case slot <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := func() { cancel(nil); <-slot }
	resp, err := c.http.Do(c.httpRequest(ctx, u, req, off, ifRange))
	if err != nil {
		done()
		return nil, err
	}
	conn, err := newConnection(resp, off)
	if err == nil && conn.notModified && !req.conditional(off) {
		err = statusError(resp) // else it would be content of no bytes
	}
	if err != nil {
		drain(resp.Body)
		resp.Body.Close()
		done()
		return nil, err
	}
	conn.Reader = c.rate.limit(ctx, newWatch(resp.Body, ctx, cancel, &c.opts))
	conn.close = func() { resp.Body.Close(); done() }
	return conn, nil
}

func (c *Client) httpRequest(ctx context.Context, u *url.URL, req *Request, off int64, ifRange string) *http.Request {
	h := http.Header{}
	for k, v := range c.opts.Header {
		h[k] = v
	}
	h.Set("User-Agent", c.opts.UserAgent)
	if off > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-", off))
		if ifRange != "" && !strings.HasPrefix(ifRange, "W/") {
			h.Set("If-Range", ifRange)
		}
	} else {
		if req.IfNoneMatch != "" {
			h.Set("If-None-Match", req.IfNoneMatch)
		}
		if !req.IfModifiedSince.IsZero() {
			h.Set("If-Modified-Since", req.IfModifiedSince.UTC().Format(http.TimeFormat))
		}
	}
	r := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: h}).WithContext(ctx)
	if u.User != nil { // in the header it is kept where the server redirects to itself
		password, _ := u.User.Password()
		r.SetBasicAuth(u.User.Username(), password)
	} else if c.opts.Username != "" {
		r.SetBasicAuth(c.opts.Username, c.opts.Password)
	}
	return r
}

// strongTime returns when the content was last modified, or zero if it may change
// again with the same time: in the second in which it was sent (RFC 9110, 8.8.2.2).
func strongTime(h http.Header) time.Time {
	modified := parseTime(h.Get("Last-Modified"))
	if date := parseTime(h.Get("Date")); !date.IsZero() && date.Sub(modified) < time.Second {
		return time.Time{}
	}
	return modified
}

// newConnection reads the head of an answer. The body's reader is set by the caller.
func newConnection(resp *http.Response, off int64) (*connection, error) {
	conn := &connection{
		etag:     resp.Header.Get("ETag"),
		modified: strongTime(resp.Header),
	}
	switch resp.StatusCode {
	case http.StatusOK:
		conn.total = max(resp.ContentLength, 0)
		return conn, nil
	case http.StatusPartialContent:
		start, total, err := parseContentRange(resp.Header.Get("Content-Range"))
		if err != nil {
			return nil, err
		}
		if start > off {
			return nil, fmt.Errorf("server returned bytes from %d, asked for %d", start, off)
		}
		conn.off, conn.total = start, total
		return conn, nil
	case http.StatusNotModified:
		conn.notModified = true
		return conn, nil
	}
	return nil, statusError(resp)
}

func statusError(resp *http.Response) *StatusError {
	return &StatusError{
		URL: resp.Request.URL.Redacted(), Code: resp.StatusCode, Status: resp.Status,
		retryAfter: parseRetryAfter(resp.Header.Get("Retry-After")),
	}
}

// parseContentRange reads "bytes START-END/TOTAL", where TOTAL may be "*".
func parseContentRange(s string) (start, total int64, err error) {
	bad := fmt.Errorf("invalid Content-Range %q", s)
	s, ok := strings.CutPrefix(s, "bytes ")
	span, size, ok2 := strings.Cut(s, "/")
	first, last, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, bad
	}
	a, err1 := strconv.ParseInt(first, 10, 64)
	z, err2 := strconv.ParseInt(last, 10, 64)
	if err1 != nil || err2 != nil || a < 0 || z < a {
		return 0, 0, bad
	}
	if size == "*" {
		return a, 0, nil
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n <= z {
		return 0, 0, bad
	}
	return a, n, nil
}

func parseRetryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return min(time.Duration(n), MaxBackoff/time.Second) * time.Second
	}
	return 0
}

// drain reads the rest of a short error page, so that the connection can be reused.
func drain(r io.Reader) {
	// The page does not matter, nor does an error in it.
	_, _ = io.CopyN(io.Discard, r, 64<<10)
}

// A watch ends a transfer that is too slow. Only time spent waiting for the
// network counts: a slow consumer is not the server's fault.
type watch struct {
	io.Reader
	ctx    context.Context
	timer  *time.Timer // nil if there is no limit
	window time.Duration
	rate   int64 // bytes a second
	waited time.Duration
	got    int64
}

func newWatch(r io.Reader, ctx context.Context, cancel context.CancelCauseFunc, o *Options) *watch {
	w := &watch{Reader: r, ctx: ctx, window: o.LowSpeedTime, rate: o.LowSpeed}
	if o.LowSpeed > 0 {
		w.timer = time.AfterFunc(w.window, func() { cancel(errStalled) })
		w.timer.Stop()
	}
	return w
}

func (w *watch) Read(p []byte) (int, error) {
	if w.timer == nil {
		return w.Reader.Read(p)
	}
	w.timer.Reset(w.window)
	start := time.Now()
	n, err := w.Reader.Read(p)
	w.timer.Stop()
	w.waited += time.Since(start)
	w.got += int64(n)
	if err != nil && err != io.EOF && errors.Is(context.Cause(w.ctx), errStalled) {
		return n, errStalled
	}
	if w.waited > w.window {
		if err == nil && w.got < int64(w.waited.Seconds()*float64(w.rate)) {
			return n, errStalled
		}
		w.waited, w.got = 0, 0
	}
	return n, err
}
