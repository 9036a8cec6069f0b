package pull

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"rpmostree/internal/fetch"
	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// A puller is one pull: over the network, or from a directory.
type puller struct {
	r       *repo.Repo
	m       *repo.Remote
	o       Options
	client  *fetch.Client
	base    *fetch.Mirrors // serves config, summary, refs, detached metadata
	content *fetch.Mirrors // serves objects and deltas
	src     *repo.Repo     // the remote, if it is a directory
	tx      *repo.Transaction

	summaryOnly        bool            // nothing but the summary is asked for
	summary            *ostree.Summary // nil if the remote has none
	rawSummary         []byte
	rawSig             []byte
	summaryAge, sigAge repo.Age
	config             *keyfile.File // nil if it was not needed
	tombstones         bool

	deltas  map[delta.Name]ostree.Checksum // of superblocks, as summary and indexes tell
	indexed bool                           // the remote has indexes of deltas

	wanted map[ostree.Checksum][]target

	nested tree.Nesting // of directories that were scanned

	mu       sync.Mutex
	depths   map[ostree.Checksum]int             // of commits that were queued, as in job
	scanned  map[ostree.Checksum]ostree.Checksum // the roots of commits
	complete []ostree.Checksum                   // commits whose every object will be here
	byDelta  []ostree.Checksum                   // commits that deltas lead to
	delta    DeltaStats

	superblocks []*delta.File // that are open
	unpacker    delta.Unpacker

	nMeta, nContent, nBytes, nParts, nDeltaBytes atomic.Int64
	nPartBytes                                   atomic.Uint64
	nCachedMetadata, nCachedContent              atomic.Int64
	local                                        repo.PullStats // of a pull from a directory
}

func newPuller(ctx context.Context, r *repo.Repo, m *repo.Remote, o Options) (*puller, error) {
	p := &puller{r: r, m: m, o: o, unpacker: delta.Unpacker{Dir: filepath.Join(r.Path(), "tmp")}, deltas: map[delta.Name]ostree.Checksum{}, wanted: map[ostree.Checksum][]target{}, scanned: map[ostree.Checksum]ostree.Checksum{}, depths: map[ostree.Checksum]int{}}
	if err := p.connect(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// connect finds out where the remote is.
func (p *puller) connect(ctx context.Context) (err error) {
	if path, ok := localPath(p.m.URL); ok && p.m.Metalink == "" && !p.o.RequireDeltas {
		p.src, err = repo.Open(path)
		p.o.DisableDeltas = true
		return err
	}
	if p.client, err = newClient(p.r, p.m, &p.o); err != nil {
		return err
	}
	if p.m.Metalink != "" {
		err = p.followMetalink(ctx)
	} else {
		p.base, err = p.mirrors(ctx, p.m.URL)
	}
	if err != nil {
		return err
	}
	p.content = p.base
	if p.m.ContentURL != "" {
		p.content, err = p.mirrors(ctx, p.m.ContentURL)
	}
	return err
}

func (p *puller) close() {
	p.unpacker.Close()
	for _, f := range p.superblocks {
		f.Close()
	}
	if p.client != nil {
		p.client.Close()
	}
	if p.src != nil {
		p.src.Close()
	}
}

func (p *puller) stats() Stats {
	s := Stats{
		Transferred: uint64(p.nBytes.Load()), Local: p.src != nil, DeltaParts: int(p.nParts.Load()), Delta: p.delta,
		CachedMetadata: int(p.nCachedMetadata.Load()), CachedContent: int(p.nCachedContent.Load()),
	}
	if p.src != nil {
		s.PullStats = p.local
		return s
	}
	s.Metadata, s.Content = int(p.nMeta.Load()), int(p.nContent.Load())
	if p.tx != nil {
		// What deltas make does not count (libostree).
		s.ContentBytes = p.tx.Stats().ContentBytesWritten - uint64(p.nDeltaBytes.Load())
	}
	return s
}

// state is how far the frontier is.
func (p *puller) state(f frontierState) State {
	p.mu.Lock()
	d := p.delta
	p.mu.Unlock()
	return State{
		Scanned: f.scanned, Metadata: int(p.nMeta.Load()), Scanning: f.scanning,
		Content: int(p.nContent.Load() + p.nCachedContent.Load()), AllContent: f.files,
		Parts: int(p.nParts.Load()), AllParts: d.Parts, PartBytes: p.nPartBytes.Load(), AllPartBytes: d.Size,
		Transferred: uint64(p.nBytes.Load()),
	}
}

func notFound(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (p *puller) pull(ctx context.Context) error {
	if err := p.checkDeltas(); err != nil {
		return err
	}
	want, err := p.resolve(ctx)
	if err != nil {
		return err
	}
	for _, t := range want {
		p.wanted[t.sum] = append(p.wanted[t.sum], t)
	}
	if p.src != nil {
		return p.pullLocal(ctx, want)
	}
	// The transaction outlives a cancelled pull: what was fetched is kept.
	p.tx, err = p.r.Begin(context.WithoutCancel(ctx), repo.TransactionOptions{NoFsync: p.o.NoFsync, PerObjectFsync: p.o.PerObjectFsync})
	if err != nil {
		return err
	}
	defer p.tx.Abort()
	if err := p.fetchAll(ctx, want); err != nil {
		var space *repo.NoSpaceError
		if !errors.As(err, &space) && !p.o.DryRun {
			_, err2 := p.tx.Commit()     // objects only; commits are marked as partial
			if errors.As(err2, &space) { // whose consequence the other error is
				return err2
			}
			err = errors.Join(err, err2)
		}
		return err
	}
	if p.o.DryRun {
		return nil
	}
	if err := p.setRefs(p.tx, want); err != nil {
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
	return p.mirrorSummary()
}

// mirrorsAll tells whether all that the remote has is mirrored.
func (p *puller) mirrorsAll() bool {
	return p.o.Mirror && len(p.o.Refs) == 0 && len(p.o.CollectionRefs) == 0 && len(p.m.Branches) == 0
}

func (p *puller) mirrorSummary() error {
	if !p.mirrorsAll() || p.rawSummary == nil {
		return nil
	}
	return p.r.MirrorSummary(p.rawSummary, p.rawSig, p.summaryAge, p.sigAge)
}

// pullLocal copies from a directory.
func (p *puller) pullLocal(ctx context.Context, want []target) error {
	o := repo.PullLocalOptions{
		Depth: p.o.Depth, CommitOnly: p.o.CommitMetadataOnly, Subpaths: p.o.Subpaths, Untrusted: p.o.Untrusted,
		BareUserOnlyFiles: p.o.BareUserOnlyFiles, NoVerifyBindings: true, Tombstones: p.tombstones, NoFsync: p.o.NoFsync, PerObjectFsync: p.o.PerObjectFsync,
		Finish: func(tx *repo.Transaction) error { return p.setRefs(tx, want) },
		Verify: func(sum ostree.Checksum, data, detached []byte) error {
			c, err := ostree.ParseCommit(data)
			if err != nil {
				return err
			}
			return p.checkCommit(sum, &c, data, detached)
		},
	}
	for _, t := range want {
		o.Refs = append(o.Refs, t.sum.String())
	}
	stats, err := p.r.PullLocal(ctx, p.src, o)
	p.local = stats
	if err != nil {
		return err
	}
	return p.mirrorSummary()
}

// checkCommit verifies a commit before it is written.
func (p *puller) checkCommit(sum ostree.Checksum, c *ostree.Commit, data, detached []byte) error {
	if p.verifiesCommits() {
		if err := p.o.Verify.VerifyCommit(p.m, data, detached); err != nil {
			return fmt.Errorf("Commit %s: %w", sum, err)
		}
	}
	check := timestampCheck{r: p.r, o: &p.o, remote: p.m.Name}
	if p.o.Mirror {
		check.remote = ""
	}
	refs := p.wanted[sum]
	if len(refs) == 0 {
		refs = []target{{}} // an ancestor
	}
	for _, t := range refs {
		if !p.o.NoVerifyBindings {
			err := repo.VerifyBindings(c, p.collection(), t.ref)
			if err == nil && t.bound {
				err = verifyCollection(t.collection, c)
			}
			if err != nil {
				return fmt.Errorf("Commit %s: %w", sum, err)
			}
		}
		if err := check.commit(t.ref, sum, c); err != nil {
			return err
		}
	}
	return nil
}

// collection is the collection that commits of the remote must be bound to, if any.
func (p *puller) collection() string {
	if p.src != nil {
		return p.src.CollectionID()
	}
	return p.m.CollectionID
}

// verifyCollection refuses a commit that is bound to another collection than was asked for.
// Whoever has a volume with commits of several collections, signed with one key, must not be
// able to exchange them. One that is bound to none is accepted, as upstream does: only
// repo.VerifyBindings, for a remote with a collection ID, demands a binding.
func verifyCollection(collection string, c *ostree.Commit) error {
	bound, ok := c.Metadata.Lookup(ostree.KeyCollectionBinding)
	if ok && bound.Type() != "s" {
		return errors.New("Expected commit metadata to have collection ID binding information, found none")
	}
	if ok && bound.Str() != collection {
		return fmt.Errorf("Commit has collection ID ‘%s’ in collection binding metadata, while collection ID ‘%s’ was asked for", bound.Str(), collection)
	}
	return nil
}

func (p *puller) setRefs(tx *repo.Transaction, want []target) error {
	_, local := localPath(p.m.URL)
	for _, t := range want {
		if t.ref == "" {
			continue
		}
		var err error
		switch {
		case p.o.Mirror && t.collection != "":
			err = tx.SetMirrorRef(ostree.CollectionRef{Collection: t.collection, Ref: t.ref}, t.sum)
		case p.o.Mirror:
			err = tx.SetRef("", t.ref, t.sum)
		case p.m.Name == "" && !local:
			err = errors.New("a branch can be pulled from a URL with mirror only, because it has no remote to belong to")
		default:
			err = tx.SetRef(p.m.Name, t.ref, t.sum)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
