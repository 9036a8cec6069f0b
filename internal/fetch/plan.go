package fetch

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A plan is the order in which one request tries its URLs: each once, then
// those whose failure may pass again, with growing waits.
type plan struct {
	client  *Client
	mirrors *Mirrors
	sources []source
	next    int  // index of the source to try
	round   int  // how often the list was gone through
	tries   int  // failures that count
	resumes int  // failures after some bytes arrived
	mixed   bool // the content is of several transfers: the last source is not to blame
	last    error
}

type source struct {
	url, base string
	failed    bool // permanently
}

func (c *Client) newPlan(req *Request) (*plan, error) {
	p := &plan{client: c, mirrors: req.Mirrors}
	switch {
	case req.URL != "":
		p.sources = []source{{url: req.URL}}
	case req.Mirrors != nil:
		for _, base := range req.Mirrors.Bases() {
			p.sources = append(p.sources, source{url: Join(base, req.Path), base: base})
		}
	}
	if len(p.sources) == 0 {
		return nil, errors.New("request names no URL")
	}
	return p, nil
}

// pick returns the source to try, or nil if there is none left. It waits before
// a source is tried for a second time.
func (p *plan) pick(ctx context.Context) (*source, error) {
	resumes := MaxResumes
	if p.client.opts.Retries == 0 {
		resumes = 0
	}
	if p.tries > p.client.opts.Retries+len(p.sources)-1 || p.resumes > resumes {
		return nil, nil
	}
	for range 2 * len(p.sources) {
		if p.next == len(p.sources) {
			p.next = 0
			p.round++
			if err := p.wait(ctx); err != nil {
				return nil, err
			}
		}
		if s := &p.sources[p.next]; !s.failed {
			return s, nil
		}
		p.next++
		if p.exhausted() {
			return nil, nil
		}
	}
	return nil, nil
}

func (p *plan) exhausted() bool {
	for i := range p.sources {
		if !p.sources[i].failed {
			return false
		}
	}
	return true
}

// fail notes that the current source has failed, after progress bytes.
func (p *plan) fail(err error, progress int64) {
	s := &p.sources[p.next]
	s.failed = permanent(err)
	p.last = err
	if progress > 0 && !s.failed {
		p.resumes++
		p.round = 0
	} else {
		p.tries++
	}
	p.next++
	if p.mirrors != nil {
		failures := 1
		if WrongContent(err) && !p.mixed {
			failures = MaxMirrorFailures // do not ask it for the next file either
		}
		p.mirrors.report(s.base, failures)
	}
}

// forgive makes all sources eligible again whose content was found to be wrong
// after it had been put together from several transfers.
func (p *plan) forgive() {
	for i := range p.sources {
		p.sources[i].failed = false
	}
}

func (p *plan) succeed() {
	if p.mirrors != nil {
		p.mirrors.report(p.sources[p.next].base, 0)
	}
}

// wait sleeps before another round: the base time doubled each round, with
// jitter so that many clients do not come back at once.
func (p *plan) wait(ctx context.Context) error {
	d := p.client.opts.Backoff << min(p.round-1, 16)
	d = d/2 + rand.N(d/2+1)
	var status *StatusError
	if errors.As(p.last, &status) {
		d = max(d, status.retryAfter)
	}
	t := time.NewTimer(min(d, MaxBackoff))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
