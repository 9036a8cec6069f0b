package fetch

import (
	"context"
	"io"
	"sync"
	"time"
)

// A limiter bounds the rate of all transfers of a Client together.
type limiter struct {
	rate float64 // bytes a second

	mu   sync.Mutex
	free time.Time // when what was read so far will have been paid for
}

func newLimiter(rate int64) *limiter {
	if rate <= 0 {
		return nil
	}
	return &limiter{rate: float64(rate)}
}

// limit returns r, slowed down.
func (l *limiter) limit(ctx context.Context, r io.Reader) io.Reader {
	if l == nil {
		return r
	}
	return &limitedReader{l, ctx, r}
}

type limitedReader struct {
	*limiter
	ctx context.Context
	r   io.Reader
}

// Read waits for what was read before. It reads at most what a tenth of a second
// allows, so that it does not wait long.
func (l *limitedReader) Read(p []byte) (int, error) {
	p = p[:min(len(p), max(int(l.rate/10), 1))]
	n, err := l.r.Read(p)
	l.mu.Lock()
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	wait := l.free.Sub(now)
	l.mu.Unlock()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-l.ctx.Done():
		return n, context.Cause(l.ctx)
	case <-t.C:
		return n, err
	}
}
