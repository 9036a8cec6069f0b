package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
)

// A Restarter is a Writer that can throw away all that was written to it.
// If Get writes to one, it can recover from content that turns out to be wrong.
type Restarter interface {
	Restart() error
}

// Get copies the content to w. After an error, w may have got a part of the
// content or wrong content, unless it is a Restarter that was restarted.
func (c *Client) Get(ctx context.Context, req Request, w io.Writer) (Result, error) {
	b, err := c.newBody(ctx, &req)
	if err != nil {
		return Result{}, err
	}
	defer b.Close()
	var restart func() error
	if r, ok := w.(Restarter); ok {
		restart = r.Restart
	}
	err = b.copyTo(w, restart)
	return b.Result(), err
}

// Bytes returns the content. It is limited by MaxBytes besides req.MaxSize.
func (c *Client) Bytes(ctx context.Context, req Request) ([]byte, Result, error) {
	if req.MaxSize <= 0 || req.MaxSize > MaxBytes {
		req.MaxSize = MaxBytes
	}
	if req.Size > req.MaxSize {
		return nil, Result{}, &SizeError{URL: WithoutPassword(req.URL), Limit: req.MaxSize, Got: req.Size}
	}
	var buf buffer
	res, err := c.Get(ctx, req, &buf)
	if err != nil {
		return nil, res, err
	}
	return buf.Bytes(), res, nil
}

type buffer struct{ bytes.Buffer }

func (b *buffer) Restart() error { b.Reset(); return nil }

// copyTo copies everything to w. If the content is wrong and restart is not
// nil, it begins anew from another source.
func (b *Body) copyTo(w io.Writer, restart func() error) error {
	for {
		_, err := io.Copy(w, b)
		if err == nil {
			return nil
		}
		if b.ctx.Err() != nil || restart == nil || b.spent && b.off == 0 || !startAnew(err) {
			return err
		}
		if b.resumed || errors.Is(err, errChanged) {
			b.plan.forgive() // the pieces may not have been of one file
		}
		if err := restart(); err != nil {
			return err
		}
		b.rewind()
	}
}

// startAnew reports whether a transfer from the first byte on may help.
func startAnew(err error) bool {
	var status *StatusError
	return WrongContent(err) || errors.Is(err, errChanged) ||
		errors.As(err, &status) && status.Code == http.StatusRequestedRangeNotSatisfiable
}

// WrongContent reports whether err says that content was not what was asked for.
// The mirror that served it is then asked last.
func WrongContent(err error) bool {
	var (
		sum  *ChecksumError
		size *SizeError
	)
	return errors.As(err, &sum) || errors.As(err, &size)
}
