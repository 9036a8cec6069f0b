package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A Body is the content of a file as it arrives. Read continues a broken
// transfer by itself. It returns io.EOF only after sizes and checksums were
// verified; if they are wrong it returns a *ChecksumError or *SizeError, and
// everything read before must be thrown away.
type Body struct {
	ctx    context.Context
	client *Client
	req    *Request
	plan   *plan
	sum    *verifier

	conn    *connection // nil between transfers
	off     int64       // bytes delivered
	start   int64       // off when the connection began
	resumed bool        // the content is of more than one transfer
	spent   bool        // no source is left
	result  Result
	err     error // sticky
}

// Open begins a transfer. The caller must read the Body in time and close it: an
// open Body is one of the transfers counted by Options.MaxPerHost.
func (c *Client) Open(ctx context.Context, req Request) (*Body, error) {
	b, err := c.newBody(ctx, &req)
	if err != nil {
		return nil, err
	}
	if err := b.connect(); err != nil {
		return nil, err
	}
	return b, nil
}

func (c *Client) newBody(ctx context.Context, req *Request) (*Body, error) {
	p, err := c.newPlan(req)
	if err != nil {
		return nil, err
	}
	sum, err := newVerifier(req.Checksums)
	if err != nil {
		return nil, err
	}
	return &Body{ctx: ctx, client: c, req: req, plan: p, sum: sum}, nil
}

// Result tells what is known so far; Size is what was read.
func (b *Body) Result() Result {
	b.result.Size = b.off
	return b.result
}

// Close ends the transfer.
func (b *Body) Close() error {
	b.disconnect()
	if b.err == nil {
		b.err = errors.New("read of a closed body")
	}
	return nil
}

func (b *Body) disconnect() {
	if b.conn != nil {
		b.conn.close()
		b.conn = nil
	}
}

// Read reads content; see Body.
func (b *Body) Read(p []byte) (int, error) {
	for b.err == nil {
		if b.result.NotModified {
			b.err = io.EOF
			break
		}
		if len(p) == 0 {
			return 0, nil
		}
		if b.conn == nil {
			if b.err = b.connect(); b.err != nil {
				break
			}
			continue // the caller's copy may be current: then there is nothing to read
		}
		n, err := b.conn.Read(p)
		if n > 0 {
			return b.deliver(p[:n], err)
		}
		b.ended(err)
	}
	return 0, b.err
}

// deliver accounts for bytes that arrived, perhaps together with an error.
func (b *Body) deliver(p []byte, err error) (int, error) {
	limit := b.req.limit()
	if b.off+int64(len(p)) > limit {
		b.fail(&SizeError{URL: WithoutPassword(b.result.URL), Limit: limit, Got: -1, Exact: b.req.Size > 0})
		return 0, b.err
	}
	b.off += int64(len(p))
	b.sum.write(p)
	if b.req.Progress != nil {
		b.req.Progress(b.off, b.total())
	}
	b.ended(err)
	return len(p), nil
}

// ended handles the end of a connection: the content is complete and verified,
// or the transfer has broken and the next Read continues it.
func (b *Body) ended(err error) {
	if err == nil {
		return
	}
	if err == io.EOF {
		if total := b.total(); total == 0 || b.off >= total {
			b.finish()
			return
		}
		err = errTruncated
	}
	if b.ctx.Err() != nil {
		b.disconnect()
		b.err = b.ctx.Err()
		return
	}
	err = fmt.Errorf("%s: %w", WithoutPassword(b.result.URL), err)
	b.plan.fail(err, b.off-b.start)
	b.disconnect()
	if !b.canResume() {
		b.err = fmt.Errorf("%w: %w", errChanged, err)
	}
}

func (b *Body) finish() {
	if err := b.sum.check(WithoutPassword(b.result.URL)); err != nil {
		b.fail(err)
		return
	}
	b.plan.succeed()
	b.disconnect()
	b.err = io.EOF
}

// fail ends the Body with an error that is the source's fault.
func (b *Body) fail(err error) {
	b.plan.mixed = b.resumed
	b.plan.fail(err, 0)
	b.disconnect()
	b.err = err
}

// total returns the size of the content, zero if it is not known.
func (b *Body) total() int64 {
	if b.req.Size > 0 {
		return b.req.Size
	}
	if b.conn != nil && b.conn.total > 0 {
		return b.conn.total
	}
	return 0
}

// canResume reports whether bytes of a second transfer can be appended: the
// checksum will tell, or the server can say that the file is still the same.
func (b *Body) canResume() bool {
	return b.off == 0 || b.pieces() || len(b.plan.sources) == 1 && b.result.ETag != ""
}

// pieces reports whether any two transfers can be put together.
func (b *Body) pieces() bool { return len(b.req.Checksums) > 0 || b.req.Immutable }

// rewind makes the Body start from its first byte again.
func (b *Body) rewind() {
	b.disconnect()
	b.off, b.resumed, b.spent, b.err = 0, false, false, nil
	b.sum.reset()
	b.result = Result{}
}

// connect finds a source that serves the content from the current offset.
func (b *Body) connect() error {
	for {
		s, err := b.plan.pick(b.ctx)
		if err != nil {
			return err
		}
		if s == nil {
			b.spent = true
			return b.plan.failure()
		}
		conn, err := b.client.dial(b.ctx, s.url, b.req, b.off, b.validator(s))
		if err == nil {
			if err = b.accept(s, conn); err == nil {
				return nil
			}
			conn.close()
		}
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		b.plan.fail(err, 0)
	}
}

// failure is the error of a plan that has no source left.
func (p *plan) failure() error {
	if len(p.sources) > 1 {
		return fmt.Errorf("all mirrors were tried; last error: %w", p.last)
	}
	return p.last
}

// validator is what If-Range needs so that a server does not continue another
// file. It is left out where any two can be continued: mirrors have different ETags.
func (b *Body) validator(s *source) string {
	if b.pieces() {
		return ""
	}
	return b.result.ETag
}

// accept takes over a connection if it continues the content.
func (b *Body) accept(s *source, conn *connection) error {
	if conn.notModified {
		b.result = Result{URL: s.url, NotModified: true, ETag: conn.etag, LastModified: conn.modified}
		conn.close()
		return nil
	}
	limit, exact := b.req.limit(), b.req.Size > 0
	if conn.total > limit || exact && conn.total > 0 && conn.total != limit {
		return &SizeError{URL: WithoutPassword(s.url), Limit: limit, Got: conn.total, Exact: exact}
	}
	if conn.off != b.off {
		// The server ignored the Range: skip what is there already, if it is the same file.
		if !b.pieces() && conn.etag != b.result.ETag {
			return fmt.Errorf("%s: %w", WithoutPassword(s.url), errChanged)
		}
		if _, err := io.CopyN(io.Discard, conn, b.off-conn.off); err != nil {
			return fmt.Errorf("%s: %w", WithoutPassword(s.url), err)
		}
	}
	b.resumed = b.resumed || b.off > 0
	b.conn, b.start = conn, b.off
	b.result.URL, b.result.ETag, b.result.LastModified = s.url, conn.etag, conn.modified
	return nil
}

// A connection is one answer of a server, or an open file.
type connection struct {
	io.Reader
	off         int64 // position of the first byte that Read returns
	total       int64 // size of the whole file, zero if unknown
	etag        string
	modified    time.Time
	notModified bool
	close       func()
}

func parseTime(s string) time.Time {
	t, err := http.ParseTime(s)
	if err != nil {
		return time.Time{}
	}
	return t
}
