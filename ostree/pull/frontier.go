package pull

import (
	"context"
	"fmt"
	"io"
	"sync"

	"rpmostree/internal/failpoint"
	"rpmostree/internal/progress"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"

	"golang.org/x/sync/errgroup"
)

// A job is an object that is to be fetched or scanned.
type job struct {
	name  ostree.ObjectName
	depth int    // of a dirtree below the root; of a commit, ancestors to go
	ref   string // of a commit that was asked for
	first bool   // the commit was asked for, it is no ancestor
}

// A frontier is the work of one pull: a queue that grows while objects are
// scanned. Metadata goes before content, because it tells how much there is.
type frontier struct {
	mu       sync.Mutex
	cond     sync.Cond
	metadata []job
	files    []job
	seen     repo.ObjectSet
	running  int
	done     int // files
	total    int // files
	stopped  bool
	task     progress.Task
}

func newFrontier(task progress.Task) *frontier {
	f := &frontier{seen: repo.ObjectSet{}, task: task}
	f.cond.L = &f.mu
	return f
}

// add queues a job unless its object was queued before.
func (f *frontier) add(j job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.seen.Add(j.name.Type, j.name.Checksum) {
		return
	}
	if j.name.Type == ostree.ObjectFile {
		f.files = append(f.files, j)
		f.total++
	} else {
		f.metadata = append(f.metadata, j)
	}
	f.cond.Signal()
}

// next waits for a job. It returns false when all are done, or one has failed.
func (f *frontier) next() (job, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		list := &f.metadata
		if len(*list) == 0 {
			list = &f.files
		}
		switch {
		case f.stopped:
			return job{}, false
		case len(*list) > 0:
			j := (*list)[len(*list)-1]
			*list = (*list)[:len(*list)-1]
			f.running++
			return j, true
		case f.running == 0:
			return job{}, false
		}
		f.cond.Wait()
	}
}

// end reports a job of next as done.
func (f *frontier) end(j job, err error) {
	f.mu.Lock()
	f.running--
	if err != nil {
		f.stopped = true
	}
	if j.name.Type == ostree.ObjectFile {
		f.done++
	}
	done, total := f.done, f.total
	if f.stopped || f.running == 0 {
		f.cond.Broadcast()
	}
	f.mu.Unlock()
	if j.name.Type == ostree.ObjectFile {
		f.task.Update(uint64(done), uint64(total))
	}
}

// stop makes every worker return.
func (f *frontier) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	f.cond.Broadcast()
}

// fetchAll fetches the targets with everything they need.
func (p *puller) fetchAll(ctx context.Context, want []target) error {
	sink := p.o.Progress
	if sink == nil {
		sink = progress.Discard
	}
	task := sink.Begin("Receiving objects")
	defer task.End("")
	f := newFrontier(task)
	for _, t := range want {
		f.add(job{name: ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: t.sum}, depth: p.o.Depth, ref: t.ref, first: true})
	}
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, f.stop)()
	for range p.o.workers() {
		g.Go(func() error {
			for {
				j, ok := f.next()
				if !ok {
					return context.Cause(ctx)
				}
				err := p.process(ctx, f, j)
				f.end(j, err)
				if err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

func (p *puller) process(ctx context.Context, f *frontier, j job) error {
	switch j.name.Type {
	case ostree.ObjectCommit:
		return p.commit(ctx, f, j)
	case ostree.ObjectDirTree:
		return p.dirTree(ctx, f, j)
	case ostree.ObjectDirMeta:
		return p.dirMeta(ctx, j.name)
	}
	return p.file(ctx, j.name.Checksum)
}

// commit fetches a commit object. Its detached metadata comes first, so that
// signatures are checked before the commit is known here.
func (p *puller) commit(ctx context.Context, f *frontier, j job) error {
	c := j.name.Checksum
	had, err := p.r.Has(ostree.ObjectCommit, c)
	if err != nil {
		return err
	}
	partial, err := p.r.IsPartial(c)
	if err != nil {
		return err
	}
	detached, err := p.metadata(ctx, ostree.ObjectName{Type: ostree.ObjectCommitMeta, Checksum: c})
	if err != nil && !notFound(err) {
		return err
	}
	var data []byte
	if had {
		data, err = p.r.ReadMetadata(ostree.ObjectCommit, c)
	} else {
		data, err = p.metadata(ctx, j.name)
	}
	if notFound(err) && !j.first {
		return nil // the history of the remote ends here
	}
	if err != nil {
		return err
	}
	commit, err := ostree.ParseCommit(data)
	if err != nil {
		return fmt.Errorf("Commit %s: %w", c, err)
	}
	if err := p.checkCommit(j, &commit, data, detached); err != nil {
		return err
	}
	if !had || partial {
		if err := p.r.SetPartial(c, true); err != nil {
			return err
		}
		if err := p.scan(ctx, f, c, &commit); err != nil {
			return err
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
		f.add(job{name: ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: commit.Parent}, depth: j.depth - 1})
	}
	return nil
}

func (p *puller) checkCommit(j job, c *ostree.Commit, data, detached []byte) error {
	if p.verifiesCommits() {
		if err := p.o.Verify.VerifyCommit(p.m, data, detached); err != nil {
			return fmt.Errorf("Commit %s: %w", j.name.Checksum, err)
		}
	}
	if !p.o.NoVerifyBindings {
		if err := p.checkBindings(j, c); err != nil {
			return fmt.Errorf("Commit %s: %w", j.name.Checksum, err)
		}
	}
	if !j.first {
		return nil
	}
	check := timestampCheck{r: p.r, o: &p.o, remote: p.m.Name}
	if p.o.Mirror {
		check.remote = ""
	}
	return check.commit(j.ref, j.name.Checksum, c)
}

func (p *puller) checkBindings(j job, c *ostree.Commit) error {
	if j.ref != "" {
		if err := repo.VerifyRefBinding(c, j.ref); err != nil {
			return err
		}
	}
	bound := c.MetadataString(ostree.KeyCollectionBinding)
	if p.m.CollectionID != "" && bound != "" && bound != p.m.CollectionID {
		return fmt.Errorf("Commit has collection ID ‘%s’ in collection binding metadata, while the remote it came from has collection ID ‘%s’", bound, p.m.CollectionID)
	}
	return nil
}

// scan queues the tree of a commit.
func (p *puller) scan(ctx context.Context, f *frontier, sum ostree.Checksum, c *ostree.Commit) error {
	if p.o.CommitMetadataOnly {
		return nil
	}
	visit := func(tree, meta ostree.Checksum) error {
		f.add(job{name: ostree.ObjectName{Type: ostree.ObjectDirMeta, Checksum: meta}})
		f.add(job{name: ostree.ObjectName{Type: ostree.ObjectDirTree, Checksum: tree}})
		return nil
	}
	if len(p.o.Subpaths) == 0 {
		p.mu.Lock()
		p.complete = append(p.complete, sum)
		p.mu.Unlock()
		return visit(c.Tree, c.Meta)
	}
	return repo.WalkSubpaths(c, p.o.Subpaths, func(tree, meta ostree.Checksum) (*ostree.DirTree, error) {
		if err := p.dirMeta(ctx, ostree.ObjectName{Type: ostree.ObjectDirMeta, Checksum: meta}); err != nil {
			return nil, err
		}
		return p.loadTree(ctx, tree)
	}, visit)
}

func (p *puller) dirMeta(ctx context.Context, n ostree.ObjectName) error {
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
		return p.tx.DirTree(c)
	}
	data, err := p.metadata(ctx, n)
	if err != nil {
		return nil, err
	}
	d, err := ostree.ParseDirTree(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n, err)
	}
	_, err = p.tx.WriteMetadata(n.Type, data)
	return &d, err
}

// dirTree queues what is in a directory. One that is here is scanned too: an
// earlier pull may not have fetched all that is in it.
func (p *puller) dirTree(ctx context.Context, f *frontier, j job) error {
	if j.depth > tree.MaxDepth {
		return fmt.Errorf("%s: directories are nested deeper than %d", j.name, tree.MaxDepth)
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
		if ok, err := p.tx.Has(ostree.ObjectFile, file.Checksum); err != nil {
			return err
		} else if !ok {
			f.add(job{name: ostree.ObjectName{Type: ostree.ObjectFile, Checksum: file.Checksum}})
		}
	}
	return nil
}

// file fetches a file object. It is verified while it is written.
func (p *puller) file(ctx context.Context, c ostree.Checksum) error {
	for _, cache := range p.o.LocalCaches {
		if done, err := p.fromCache(cache, c); done || err != nil {
			return err
		}
	}
	n := ostree.ObjectName{Type: ostree.ObjectFile, Checksum: c}
	body, err := p.open(ctx, n)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := p.writeArchived(c, body); err != nil {
		return fmt.Errorf("While fetching %s: %w", n, fetchError(err))
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
	return p.tx.WriteFileChecked(c, h, size, content) == nil, nil
}
