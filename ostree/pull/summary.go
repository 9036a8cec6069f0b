package pull

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/fetch"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
	"rpmostree/ostree/repo"
)

// Summary returns the summary of a remote and its signature, each nil if the remote
// has none. The signature is checked if the remote's configuration demands it.
func Summary(ctx context.Context, r *repo.Repo, remote string, o Options) (summary, sig []byte, err error) {
	m, err := findRemote(r, remote, &o)
	if err != nil {
		return nil, nil, err
	}
	if o.URL != "" {
		m.URL, m.Metalink, m.ContentURL = o.URL, "", ""
	}
	if o.Verify == nil {
		m.GPGVerify, m.SignVerify = false, nil // are for commits
	}
	if err := checkPolicy(m, o.Verify); err != nil {
		return nil, nil, err
	}
	p, err := newPuller(ctx, r, m, o)
	if err != nil {
		return nil, nil, err
	}
	defer p.close()
	p.summaryOnly = true
	err = p.readSummary(ctx)
	return p.rawSummary, p.rawSig, err
}

// readSummary reads and verifies the summary, which need not exist unless its
// signature is demanded.
func (p *puller) readSummary(ctx context.Context) error {
	if p.src != nil {
		data, sig, err := p.src.ReadSummary()
		if err != nil {
			return err
		}
		return p.useSummary(data, sig)
	}
	c := openCache(p.r, &p.o, p.m.Name)
	defer c.close()
	sig, sigAge, sigKept, err := p.fetchCached(ctx, c, "summary.sig")
	if err != nil {
		return err
	}
	var data []byte
	if sig != nil && p.rawSummary == nil && (sigKept || c.holds("summary.sig", sig)) {
		if data = c.read("summary"); data != nil {
			if err := p.useSummary(data, sig); err == nil {
				p.summaryAge, p.sigAge = c.age("summary"), sigAge
				return nil
			}
			if strings.Contains(os.Getenv("OSTREE_REPO_TEST_ERROR"), "invalid-cache") {
				return fmt.Errorf("Remote %s cached summary invalid and OSTREE_REPO_TEST_ERROR_INVALID_CACHE specified", p.m.Name)
			}
		}
		c.forget()
	}
	data, age, kept := p.rawSummary, repo.Age{}, false // a metalink has led to it
	if data == nil {
		if data, age, kept, err = p.fetchCached(ctx, c, "summary"); err != nil {
			return err
		}
	}
	err = p.useSummary(data, sig)
	if err != nil && kept { // the server is wrong that it is the newest, or was when it gave the signature
		if data, age, _, err = p.fetchCached(ctx, nil, "summary"); err != nil {
			return err
		}
		err = p.useSummary(data, sig)
	}
	if err != nil {
		return err
	}
	p.summaryAge, p.sigAge = age, sigAge
	if data != nil && sig != nil {
		c.write(data, age, sig, sigAge)
	}
	return nil
}

// fetchCached fetches a file unless the cache has the newest version of it. It
// returns nil if the remote has none.
func (p *puller) fetchCached(ctx context.Context, c *cache, name string) (data []byte, a repo.Age, kept bool, err error) {
	old := c.age(name)
	data, res, err := p.fetch(ctx, fetch.Request{
		Mirrors: p.base, Path: name, MaxSize: p.o.maxMetadata(), IfNoneMatch: old.ETag, IfModifiedSince: old.Modified,
	})
	if err == nil && res.NotModified {
		if data = c.read(name); data != nil {
			return data, old, true, nil
		}
		c.forget()
		data, res, err = p.fetch(ctx, fetch.Request{Mirrors: p.base, Path: name, MaxSize: p.o.maxMetadata()})
	}
	if notFound(err) {
		return nil, repo.Age{}, false, nil
	}
	a = repo.Age{ETag: res.ETag, Modified: res.LastModified}
	if a.Modified.After(time.Now()) { // see repo.ReadAge
		a.Modified = time.Time{}
	}
	return data, a, false, err
}

// useSummary verifies and parses a summary; nil is none.
func (p *puller) useSummary(data, sig []byte) error {
	if p.verifiesSummary() {
		if err := p.missing(data, sig); err != nil {
			return err
		}
		if err := p.o.Verify.VerifySummary(p.m, data, sig); err != nil {
			return err
		}
	}
	if data == nil {
		return nil
	}
	s, err := ostree.ParseSummary(data)
	if err != nil {
		return err
	}
	if v, ok := s.Metadata.Lookup(ostree.KeySummaryStaticDeltas); ok {
		list, err := parseDeltas(v)
		if err != nil {
			return err
		}
		p.addDeltas(list)
	}
	if v, ok := s.Metadata.Lookup(ostree.KeySummaryIndexedDeltas); ok && v.Type() == "b" {
		p.indexed = v.Bool()
	}
	p.summary, p.rawSummary, p.rawSig = s, data, sig
	return nil
}

// missing returns upstream's error for a summary, or a signature of it, which has to be verified
// and is not there. A pull has other words for that than who asks for the summary only.
func (p *puller) missing(summary, sig []byte) error {
	const checkURL = "(check that the configured URL in remote config is correct)"
	gpg := p.m.GPGVerifySummary
	switch {
	case p.summaryOnly && summary == nil && gpg:
		return errors.New("GPG verification enabled, but no summary found " + checkURL)
	case p.summaryOnly && summary == nil:
		return errors.New("Signature verification enabled, but no summary found " + checkURL)
	case p.summaryOnly && sig == nil && gpg:
		return errors.New("GPG verification enabled, but no summary signatures found (use gpg-verify-summary=false in remote config to disable)")
	case p.summaryOnly && sig == nil:
		return errors.New("Signature verification enabled, but no summary signatures found (use sign-verify-summary=false in remote config to disable)")
	case summary == nil && gpg:
		return errors.New("GPG verification enabled, but no summary found (use gpg-verify-summary=false in remote config to disable)")
	case sig == nil && gpg:
		return errors.New("GPG verification enabled, but no summary.sig found (use gpg-verify-summary=false in remote config to disable)")
	case sig == nil:
		return errors.New("Signatures verification enabled, but no summary.sig found (use sign-verify-summary=false in remote config to disable)")
	case summary == nil:
		return errors.New("Signature verification enabled, but no summary found " + checkURL)
	}
	return nil
}

// parseDeltas reads the list of deltas of a summary or an index.
func parseDeltas(v gvariant.Value) (map[delta.Name]ostree.Checksum, error) {
	if v.Type() != "a{sv}" {
		return nil, nil
	}
	list := make(map[delta.Name]ostree.Checksum, v.Len())
	for _, e := range v.All() {
		name, err := delta.ParseName(e.Index(0).Str())
		if err != nil {
			return nil, err
		}
		sum := e.Index(1).Unbox()
		if sum.Type() != "ay" {
			return nil, fmt.Errorf("Invalid checksum variant of type '%s', expected 'ay'", sum.Type())
		}
		if list[name], err = ostree.ChecksumFromBytes(sum.ByteArray()); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// parseIndex reads an index of deltas.
func parseIndex(data []byte) (map[delta.Name]ostree.Checksum, error) {
	v := gvariant.New("a{sv}", data, binary.LittleEndian)
	if !v.IsNormal() {
		return nil, errors.New("not in normal form")
	}
	list, ok := v.Lookup(ostree.KeySummaryStaticDeltas)
	if !ok {
		return nil, nil
	}
	return parseDeltas(list)
}

// get reads a small file of the remote.
func (p *puller) get(ctx context.Context, from *fetch.Mirrors, path string, max int64) ([]byte, error) {
	data, _, err := p.fetch(ctx, fetch.Request{Mirrors: from, Path: path, MaxSize: max})
	return data, err
}

func (p *puller) fetch(ctx context.Context, req fetch.Request) ([]byte, fetch.Result, error) {
	data, res, err := p.client.Bytes(ctx, req)
	p.nBytes.Add(res.Size)
	if err != nil {
		err = fetchError(req.Path, err)
	}
	return data, res, err
}

// A remoteError is an error of a transfer with upstream's text.
type remoteError struct {
	path string // as it was asked for
	text string
	err  error
}

func (e remoteError) Error() string { return e.text }
func (e remoteError) Unwrap() error { return e.err }

func fetchError(path string, err error) error {
	var status *fetch.StatusError
	var size *fetch.SizeError
	path = fetch.WithoutPassword(path)
	switch {
	case errors.As(err, &status):
		return remoteError{path, fmt.Sprintf("While fetching %s: Server returned HTTP %d", status.URL, status.Code), err}
	case errors.As(err, &size) && !size.Exact:
		return remoteError{path, fmt.Sprintf("URI %s exceeded maximum size of %d bytes", size.URL, size.Limit), err}
	}
	return remoteError{path, fmt.Sprintf("While fetching %s: %v", path, err), err}
}
