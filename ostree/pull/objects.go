package pull

import (
	"context"
	"errors"
	"fmt"
	"io"

	"rpmostree/internal/failpoint"
	"rpmostree/internal/fetch"
	"rpmostree/internal/progress"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// fetchAll fetches the targets with everything they need.
func (p *puller) fetchAll(ctx context.Context, want []target) error {
	sink := p.o.Progress
	if sink == nil {
		sink = progress.Discard
	}
	task := sink.Begin("Receiving objects")
	defer task.End("")
	f := newFrontier(task)
	if p.o.Watch != nil {
		f.watch = func(s frontierState) { p.o.Watch(p.state(s)) }
	}
	for _, t := range want {
		p.start(f, t)
	}
	process := func(ctx context.Context, j job) error { return p.process(ctx, f, j) }
	if err := f.work(ctx, p.o.workers(), process); err != nil || p.o.DryRun {
		return err
	}
	// A delta need not have all that its commit needs.
	for _, c := range p.byDelta {
		commit, err := p.tx.Objects.Commit(c)
		if err != nil {
			return err
		}
		if err := p.scan(ctx, f, c, commit); err != nil {
			return err
		}
	}
	if err := f.work(ctx, p.o.workers(), process); err != nil {
		return err
	}
	for commit, root := range p.scanned {
		if err := p.nested.Check(root); err != nil {
			return fmt.Errorf("Commit %s: %w", commit, err)
		}
	}
	return nil
}

func (p *puller) process(ctx context.Context, f *frontier, j job) error {
	if j.do != nil {
		return j.do(ctx)
	}
	switch j.name.Type {
	case ostree.ObjectCommit:
		return p.commit(ctx, f, j)
	case ostree.ObjectDirTree:
		return p.dirTree(ctx, f, j)
	case ostree.ObjectDirMeta:
		return p.dirMeta(ctx, j.name.Checksum)
	}
	return p.file(ctx, j.name.Checksum)
}

// commit fetches a commit object. Its detached metadata comes first, so that
// signatures are checked before the commit is known here.
func (p *puller) commit(ctx context.Context, f *frontier, j job) error {
	c := j.name.Checksum
	had, err := p.tx.Has(ostree.ObjectCommit, c)
	if err != nil {
		return err
	}
	partial, err := p.r.IsPartial(c)
	if err != nil {
		return err
	}
	detached, err := p.detached(ctx, c)
	if err != nil {
		return err
	}
	if detached == nil && had { // its signatures may be here
		if detached, err = p.tx.DetachedMetadata(c); err != nil {
			return err
		}
	}
	var data []byte
	if had {
		data, err = p.tx.ReadMetadata(ostree.ObjectCommit, c)
	} else {
		data, err = p.metadata(ctx, j.name)
	}
	if _, asked := p.wanted[c]; notFound(err) && !asked {
		return p.checkTombstone(ctx, c) // the history of the remote ends here
	}
	if err != nil {
		return err
	}
	commit, err := ostree.ParseCommit(data)
	if err != nil {
		return fmt.Errorf("Commit %s: %w", c, err)
	}
	if err := p.checkCommit(c, &commit, data, detached); err != nil {
		return err
	}
	if !had || partial {
		if err := p.r.SetPartial(c, true); err != nil {
			return err
		}
		if !p.leadsDelta(c) {
			if err := p.scan(ctx, f, c, &commit); err != nil {
				return err
			}
		}
	}
	if detached != nil {
		if err := p.tx.WriteDetachedMetadata(c, detached); err != nil {
			return err
		}
	}
	if _, err := p.tx.WriteMetadata(ostree.ObjectCommit, data); err != nil {
		return err
	}
	if j.depth != 0 && !commit.Parent.IsZero() {
		p.addCommit(f, commit.Parent, j.depth-1)
	}
	return nil
}

// addCommit queues a commit with its history, negative for all of it. One that was queued is
// queued again only if more of its history is wanted now.
func (p *puller) addCommit(f *frontier, c ostree.Checksum, depth int) {
	p.mu.Lock()
	before, known := p.depths[c]
	more := !known || before >= 0 && (depth < 0 || depth > before)
	if more {
		p.depths[c] = depth
	}
	p.mu.Unlock()
	if more {
		f.push(job{name: ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: c}, depth: depth})
	}
}

// detached returns the detached metadata of a commit, nil if there is none. That
// of the server may have new signatures.
func (p *puller) detached(ctx context.Context, c ostree.Checksum) ([]byte, error) {
	n := ostree.ObjectName{Type: ostree.ObjectCommitMeta, Checksum: c}
	data, err := p.fetchMetadata(ctx, p.base, n)
	if err == nil {
		p.nMeta.Add(1)
		return data, nil
	}
	if !notFound(err) {
		return nil, err
	}
	for _, cache := range p.o.LocalCaches {
		if data, err := cache.DetachedMetadata(c); err == nil && data != nil {
			return data, nil
		}
	}
	return nil, nil
}

// checkTombstone accepts that a commit is missing. If the remote has tombstones, it
// must have one of it.
func (p *puller) checkTombstone(ctx context.Context, c ostree.Checksum) error {
	if !p.tombstones {
		return nil
	}
	_, err := p.fetchMetadata(ctx, p.content, ostree.ObjectName{Type: ostree.ObjectTombstoneCommit, Checksum: c})
	if err == nil {
		p.nMeta.Add(1)
	}
	return err
}

// scan queues the tree of a commit.
func (p *puller) scan(ctx context.Context, f *frontier, sum ostree.Checksum, c *ostree.Commit) error {
	if p.o.CommitMetadataOnly {
		return nil
	}
	p.mu.Lock()
	p.scanned[sum] = c.Tree
	p.mu.Unlock()
	dir := func(tree, meta ostree.Checksum) error {
		f.add(job{name: ostree.ObjectName{Type: ostree.ObjectDirMeta, Checksum: meta}})
		f.add(job{name: ostree.ObjectName{Type: ostree.ObjectDirTree, Checksum: tree}})
		return nil
	}
	if len(p.o.Subpaths) == 0 {
		p.mu.Lock()
		p.complete = append(p.complete, sum)
		p.mu.Unlock()
		return dir(c.Tree, c.Meta)
	}
	return repo.WalkSubpaths(c, p.o.Subpaths, repo.SubpathVisitor{
		Load: func(tree, meta ostree.Checksum) (*ostree.DirTree, error) {
			if err := p.dirMeta(ctx, meta); err != nil {
				return nil, err
			}
			return p.loadTree(ctx, tree)
		},
		Dir:  dir,
		File: func(c ostree.Checksum) error { return p.queueFile(f, c) },
	})
}

func (p *puller) dirMeta(ctx context.Context, c ostree.Checksum) error {
	n := ostree.ObjectName{Type: ostree.ObjectDirMeta, Checksum: c}
	if ok, err := p.tx.Has(n.Type, n.Checksum); ok || err != nil {
		return err
	}
	data, err := p.metadata(ctx, n)
	if err != nil {
		return err
	}
	meta, err := ostree.ParseDirMeta(data)
	if err == nil {
		_, err = p.tx.WriteDirMeta(&meta)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", n, err)
	}
	return nil
}

// loadTree returns a dirtree, which it fetches unless it is here.
func (p *puller) loadTree(ctx context.Context, c ostree.Checksum) (*ostree.DirTree, error) {
	n := ostree.ObjectName{Type: ostree.ObjectDirTree, Checksum: c}
	if ok, err := p.tx.Has(n.Type, c); err != nil {
		return nil, err
	} else if ok {
		d, err := p.tx.DirTree(c)
		if err == nil {
			p.nested.Add(c, d)
		}
		return d, err
	}
	data, err := p.metadata(ctx, n)
	if err != nil {
		return nil, err
	}
	d, err := ostree.ParseDirTree(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n, err)
	}
	p.nested.Add(c, &d)
	_, err = p.tx.WriteMetadata(n.Type, data)
	return &d, err
}

// dirTree queues what is in a directory. One that is here is scanned too: an
// earlier pull may not have fetched all that is in it.
func (p *puller) dirTree(ctx context.Context, f *frontier, j job) error {
	if j.depth > tree.MaxDepth {
		return fmt.Errorf("%s: %w", j.name, tree.ErrTooDeep)
	}
	d, err := p.loadTree(ctx, j.name.Checksum)
	if err != nil {
		return err
	}
	for _, sub := range d.Dirs {
		f.add(job{name: ostree.ObjectName{Type: ostree.ObjectDirMeta, Checksum: sub.Meta}})
		f.add(job{name: ostree.ObjectName{Type: ostree.ObjectDirTree, Checksum: sub.Tree}, depth: j.depth + 1})
	}
	for _, file := range d.Files {
		if err := p.queueFile(f, file.Checksum); err != nil {
			return err
		}
	}
	return nil
}

func (p *puller) queueFile(f *frontier, c ostree.Checksum) error {
	n := ostree.ObjectName{Type: ostree.ObjectFile, Checksum: c}
	if !f.first(n) {
		return nil // a tree may name one file a million times
	}
	ok, err := p.tx.Has(n.Type, c)
	if err == nil && !ok {
		f.push(job{name: n})
	}
	return err
}

// file fetches a file object. It is verified while it is written.
func (p *puller) file(ctx context.Context, c ostree.Checksum) error {
	for _, cache := range p.o.LocalCaches {
		if done, err := p.fromCache(cache, c); done || err != nil {
			return err
		}
	}
	n := ostree.ObjectName{Type: ostree.ObjectFile, Checksum: c}
	path := objectPath(n)
	body, err := p.client.Open(ctx, fetch.Request{Mirrors: p.content, Path: path, Immutable: true})
	if err != nil {
		return fetchError(path, err)
	}
	defer body.Close()
	if err := p.writeArchived(c, body); err != nil {
		return fetchError(path, err)
	}
	// The end must be read for the connection to be used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(body, 1<<10)); err != nil {
		return err
	}
	p.nBytes.Add(body.Result().Size)
	p.nContent.Add(1)
	return failpoint.At("pull.object")
}

func (p *puller) writeArchived(c ostree.Checksum, src io.Reader) error {
	if p.o.HTTPTrusted && !p.o.Untrusted && p.o.Mirror && p.r.Mode() == repo.Archive && !p.o.BareUserOnlyFiles {
		return p.tx.WriteArchivedAsIs(c, src)
	}
	if !p.o.BareUserOnlyFiles {
		return p.tx.WriteArchived(c, src)
	}
	return p.tx.WriteArchivedFunc(c, src, func(h ostree.FileHeader) error {
		if err := repo.CheckBareUserOnly(h); err != nil {
			return fmt.Errorf("Content object %s: %w", c, err)
		}
		return nil
	})
}

func (p *puller) fromCache(cache *repo.Repo, c ostree.Checksum) (bool, error) {
	h, size, content, err := cache.File(c)
	if err != nil {
		return false, nil // the network will have it
	}
	defer content.Close()
	if p.o.BareUserOnlyFiles {
		if err := repo.CheckBareUserOnly(h); err != nil {
			return false, fmt.Errorf("Content object %s: %w", c, err)
		}
	}
	if err := p.tx.WriteFileChecked(c, h, size, content); err != nil {
		var space *repo.NoSpaceError
		if errors.As(err, &space) { // as it would be for what comes from the network
			return false, err
		}
		return false, nil
	}
	p.nCachedContent.Add(1)
	return true, nil
}

func objectPath(n ostree.ObjectName) string {
	return "objects/" + ostree.LoosePath(n.Checksum, n.Type, true)
}

// metadata returns a metadata object from a cache or from the network, verified.
func (p *puller) metadata(ctx context.Context, n ostree.ObjectName) ([]byte, error) {
	for _, c := range p.o.LocalCaches {
		if data, err := c.ReadMetadata(n.Type, n.Checksum); err == nil && ostree.ChecksumOf(data) == n.Checksum {
			p.nCachedMetadata.Add(1)
			return data, nil
		}
	}
	max := p.o.maxMetadata()
	for _, t := range p.wanted[n.Checksum] {
		if t.size > 0 && t.size < uint64(max) {
			max = int64(t.size)
		}
	}
	data, _, err := p.fetch(ctx, fetch.Request{Mirrors: p.content, Path: objectPath(n), MaxSize: max, Checksums: checksums(n.Checksum)})
	if actual, wrong := actualChecksum(err); wrong {
		err = &repo.CorruptError{Name: n, Actual: actual}
	}
	if err != nil {
		return nil, err
	}
	p.nMeta.Add(1)
	return data, nil
}

// checksums returns that of what is fetched: mirrors that have something else are passed over.
func checksums(c ostree.Checksum) []fetch.Checksum {
	return []fetch.Checksum{{Type: "sha256", Hex: c.String()}}
}

// actualChecksum returns the checksum of what came in place of what was asked for.
func actualChecksum(err error) (ostree.Checksum, bool) {
	var wrong *fetch.ChecksumError
	if !errors.As(err, &wrong) {
		return ostree.Checksum{}, false
	}
	c, err := ostree.ParseChecksum(wrong.Got.Hex)
	return c, err == nil
}

func (p *puller) fetchMetadata(ctx context.Context, from *fetch.Mirrors, n ostree.ObjectName) ([]byte, error) {
	data, _, err := p.fetch(ctx, fetch.Request{Mirrors: from, Path: objectPath(n), MaxSize: p.o.maxMetadata(), Immutable: n.Type != ostree.ObjectCommitMeta})
	return data, err
}
