package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rpmostree/internal/fetch"
	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// A puller is one pull over the network.
type puller struct {
	r       *repo.Repo
	m       *repo.Remote
	o       Options
	client  *fetch.Client
	base    *fetch.Mirrors // serves config, summary, refs
	content *fetch.Mirrors // serves objects
	tx      *repo.Transaction

	summary    *ostree.Summary // nil if the remote has none
	rawSummary []byte
	rawSig     []byte

	mu       sync.Mutex
	complete []ostree.Checksum // commits whose every object will be here

	nMeta, nContent, nBytes atomic.Int64
}

func newPuller(ctx context.Context, r *repo.Repo, m *repo.Remote, o Options) (*puller, error) {
	client, err := newClient(m, &o)
	if err != nil {
		return nil, err
	}
	p := &puller{r: r, m: m, o: o, client: client}
	if p.base, err = p.mirrors(ctx, m.URL); err != nil {
		return nil, err
	}
	p.content = p.base
	if m.ContentURL != "" {
		p.content, err = p.mirrors(ctx, m.ContentURL)
	}
	return p, err
}

// mirrors returns the base URLs that a configured URL stands for.
func (p *puller) mirrors(ctx context.Context, u string) (*fetch.Mirrors, error) {
	if p.m.Metalink != "" && u == "" {
		return nil, fmt.Errorf("remote \"%s\" uses a metalink, which is not supported; set url to one of its mirrors", p.m.Name)
	}
	list, ok := strings.CutPrefix(u, "mirrorlist=")
	if !ok {
		if u == "" {
			return nil, fmt.Errorf("remote \"%s\": %w", p.m.Name, errNoURL)
		}
		return fetch.NewMirrors(u), nil
	}
	data, _, err := p.client.Bytes(ctx, fetch.Request{URL: list, MaxSize: maxMirrorList})
	if err != nil {
		return nil, fmt.Errorf("Fetching mirrorlist: %w", err)
	}
	var urls []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "http://") || strings.HasPrefix(line, "https://") || strings.HasPrefix(line, "file://") {
			urls = append(urls, line)
		}
		if len(urls) == maxMirrors {
			break
		}
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("No valid mirrors were found in mirrorlist '%s'", list)
	}
	return fetch.NewMirrors(urls...), nil
}

func (p *puller) stats() Stats {
	s := Stats{Transferred: uint64(p.nBytes.Load())}
	s.Metadata, s.Content = int(p.nMeta.Load()), int(p.nContent.Load())
	if p.tx != nil {
		s.ContentBytes = p.tx.Stats().ContentBytesWritten
	}
	return s
}

// get reads a small file of the remote.
func (p *puller) get(ctx context.Context, from *fetch.Mirrors, path string, max int64) ([]byte, error) {
	data, res, err := p.client.Bytes(ctx, fetch.Request{Mirrors: from, Path: path, MaxSize: max})
	p.nBytes.Add(res.Size)
	if err != nil {
		return nil, fmt.Errorf("While fetching %s: %w", path, fetchError(err))
	}
	return data, nil
}

// A statusError has upstream's text.
type statusError struct{ err *fetch.StatusError }

func (e statusError) Error() string { return fmt.Sprintf("Server returned HTTP %d", e.err.Code) }
func (e statusError) Unwrap() error { return e.err }

func fetchError(err error) error {
	var s *fetch.StatusError
	if errors.As(err, &s) {
		return statusError{s}
	}
	return err
}

func notFound(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (p *puller) pull(ctx context.Context) error {
	if err := p.readConfig(ctx); err != nil {
		return err
	}
	want, err := p.resolve(ctx)
	if err != nil {
		return err
	}
	// The transaction outlives a cancelled pull: what was fetched is kept.
	p.tx, err = p.r.Begin(context.WithoutCancel(ctx), repo.TransactionOptions{NoFsync: p.o.NoFsync, PerObjectFsync: p.o.PerObjectFsync})
	if err != nil {
		return err
	}
	defer p.tx.Abort()
	if err := p.fetchAll(ctx, want); err != nil {
		var space *repo.NoSpaceError
		if !errors.As(err, &space) {
			_, err2 := p.tx.Commit() // objects only; commits are marked as partial
			err = errors.Join(err, err2)
		}
		return err
	}
	if err := p.setRefs(want); err != nil {
		return err
	}
	if _, err := p.tx.Commit(); err != nil {
		return err
	}
	for _, c := range p.complete {
		if err := p.r.SetPartial(c, false); err != nil {
			return err
		}
	}
	if p.o.Mirror && len(p.o.Refs) == 0 && p.rawSummary != nil && !p.o.CommitMetadataOnly && len(p.o.Subpaths) == 0 {
		return p.r.WriteSummary(p.rawSummary, p.rawSig)
	}
	return nil
}

// readConfig checks that the remote is a repository that can be pulled from.
func (p *puller) readConfig(ctx context.Context) error {
	data, err := p.get(ctx, p.base, "config", maxConfig)
	if err != nil {
		return err
	}
	k, err := keyfile.Parse(data)
	if err != nil {
		return fmt.Errorf("config of remote \"%s\": %w", p.m.Name, err)
	}
	mode := k.Get("core", "mode")
	if mode == "" {
		mode = "bare"
	}
	parsed, err := repo.ParseMode(mode)
	if err != nil {
		return err
	}
	if parsed != repo.Archive {
		return fmt.Errorf("Can't pull from archives with mode \"%s\"", mode)
	}
	return nil
}

// A target is a commit that is pulled, with the ref that names it, if any.
type target struct {
	ref string
	sum ostree.Checksum
}

// resolve finds the commits that are to be pulled.
func (p *puller) resolve(ctx context.Context) ([]target, error) {
	if err := p.readSummary(ctx); err != nil {
		return nil, err
	}
	refs := p.o.Refs
	if len(refs) == 0 && p.o.Mirror {
		return p.allRefs()
	}
	if len(refs) == 0 {
		refs = p.m.Branches
	}
	if len(refs) == 0 {
		return nil, fmt.Errorf("No configured branches for remote %s", p.m.Name)
	}
	var out []target
	for _, arg := range refs {
		name, sum, err := repo.SplitRefArgument(arg)
		if err != nil {
			return nil, err
		}
		if sum.IsZero() {
			if sum, err = p.lookup(ctx, name); err != nil {
				return nil, err
			}
		}
		out = append(out, target{name, sum})
	}
	return out, nil
}

func (p *puller) allRefs() ([]target, error) {
	if p.summary == nil {
		return nil, errors.New("Fetching all refs was requested in mirror mode, but remote repository does not have a summary")
	}
	var out []target
	for _, ref := range p.summary.Refs {
		out = append(out, target{ref.Name, ref.Checksum})
	}
	return out, nil
}

func (p *puller) lookup(ctx context.Context, name string) (ostree.Checksum, error) {
	if p.summary != nil {
		if ref, ok := p.summary.Lookup(name); ok {
			return ref.Checksum, nil
		}
		if p.verifiesSummary() {
			return ostree.Checksum{}, fmt.Errorf("No such branch '%s' in repository summary", name)
		}
	}
	data, err := p.get(ctx, p.base, "refs/heads/"+name, maxRef)
	if notFound(err) && p.summary != nil {
		return ostree.Checksum{}, fmt.Errorf("No such branch '%s' in repository summary", name)
	}
	if err != nil {
		return ostree.Checksum{}, err
	}
	return ostree.ParseChecksum(strings.TrimSpace(string(data)))
}

// readSummary fetches and verifies the summary, which need not exist unless its
// signature is demanded.
func (p *puller) readSummary(ctx context.Context) error {
	sig, err := p.get(ctx, p.base, "summary.sig", maxSummary)
	if err != nil && !notFound(err) {
		return err
	}
	if data := p.cachedSummary(sig); data != nil && p.useSummary(data, sig) == nil {
		return nil
	}
	data, err := p.get(ctx, p.base, "summary", maxSummary)
	switch {
	case notFound(err) && p.m.GPGVerifySummary:
		return errors.New("GPG verification enabled, but no summary found (check that the configured URL in remote config is correct)")
	case notFound(err) && p.verifiesSummary():
		return errors.New("Signatures verification enabled, but no summary found (check that the configured URL in remote config is correct)")
	case notFound(err):
		return nil
	case err != nil:
		return err
	}
	if err := p.useSummary(data, sig); err != nil {
		return err
	}
	p.cacheSummary(data, sig)
	return nil
}

// useSummary verifies and parses a summary.
func (p *puller) useSummary(data, sig []byte) error {
	if p.verifiesSummary() {
		if err := p.o.Verify.VerifySummary(p.m, data, sig); err != nil {
			return err
		}
	}
	s, err := ostree.ParseSummary(data)
	if err == nil {
		p.summary, p.rawSummary, p.rawSig = s, data, sig
	}
	return err
}

func (p *puller) setRefs(want []target) error {
	for _, t := range want {
		if t.ref == "" {
			continue
		}
		// A commit that two refs name was fetched, and checked, for one of them.
		c, err := p.tx.Objects.Commit(t.sum)
		if err == nil && !p.o.NoVerifyBindings {
			err = repo.VerifyRefBinding(c, t.ref)
		}
		if err != nil {
			return fmt.Errorf("Commit %s: %w", t.sum, err)
		}
		switch {
		case p.o.Mirror && p.m.CollectionID != "":
			err = p.tx.SetMirrorRef(ostree.CollectionRef{Collection: p.m.CollectionID, Ref: t.ref}, t.sum)
		case p.o.Mirror:
			err = p.tx.SetRef("", t.ref, t.sum)
		case p.m.Name == "":
			err = errors.New("a branch can be pulled from a URL with mirror only, because it has no remote to belong to")
		default:
			err = p.tx.SetRef(p.m.Name, t.ref, t.sum)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// open starts the transfer of an object.
func (p *puller) open(ctx context.Context, n ostree.ObjectName) (*fetch.Body, error) {
	path := "objects/" + ostree.LoosePath(n.Checksum, n.Type, true)
	req := fetch.Request{Mirrors: p.content, Path: path}
	if n.Type.IsMetadata() {
		req.MaxSize = ostree.MaxMetadataSize
	}
	body, err := p.client.Open(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("While fetching %s: %w", path, fetchError(err))
	}
	return body, nil
}

// metadata fetches a metadata object and verifies its checksum, if its kind has
// one.
func (p *puller) metadata(ctx context.Context, n ostree.ObjectName) ([]byte, error) {
	for _, c := range p.o.LocalCaches {
		if data, err := c.ReadMetadata(n.Type, n.Checksum); err == nil && (n.Type == ostree.ObjectCommitMeta || ostree.ChecksumOf(data) == n.Checksum) {
			return data, nil
		}
	}
	body, err := p.open(ctx, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	p.nBytes.Add(int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("While fetching %s: %w", n, fetchError(err))
	}
	if n.Type == ostree.ObjectCommitMeta {
		return data, nil
	}
	if got := ostree.ChecksumOf(data); got != n.Checksum {
		return nil, &repo.CorruptError{Name: n, Actual: got}
	}
	p.nMeta.Add(1)
	return data, nil
}
