package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"rpmostree/internal/failpoint"
	"rpmostree/internal/fetch"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
	"rpmostree/ostree/repo"

	"golang.org/x/sys/unix"
)

// DeltaStats tells about static deltas. Parts and Size count what is here already
// as Have; fallbacks are parts of their own.
type DeltaStats struct {
	Parts, HaveParts int
	Size, HaveSize   uint64 // bytes, compressed
	USize            uint64 // bytes, not compressed
}

// checkDeltas decides whether static deltas may be used.
func (p *puller) checkDeltas() error {
	switch {
	case p.r.Mode() == repo.Archive && p.o.RequireDeltas:
		return fmt.Errorf("Can't use static deltas in an archive repo")
	case p.r.Mode() == repo.Archive, p.o.CommitMetadataOnly, len(p.o.Subpaths) > 0:
		p.o.DisableDeltas = true // they make files, and all of them
	}
	return nil
}

// start queues the first piece of work for a target.
func (p *puller) start(f *frontier, t target) {
	if p.o.DisableDeltas {
		p.addCommit(f, t.sum, p.o.Depth)
		return
	}
	f.add(job{do: func(ctx context.Context) error { return p.startDelta(ctx, f, t) }})
}

// startDelta follows the best delta to a target, or fetches its objects.
func (p *puller) startDelta(ctx context.Context, f *frontier, t target) error {
	current, err := p.current(t)
	if err != nil {
		return err
	}
	if p.indexed {
		if err := p.readIndex(ctx, t.sum); err != nil {
			return err
		}
	}
	here, err := p.whole(t.sum)
	if err != nil {
		return err
	}
	if here {
		// As little as possible is fetched where deltas are required: but signatures are.
		if !p.o.RequireDeltas || p.verifiesCommits() && !p.o.DryRun {
			p.addCommit(f, t.sum, p.o.Depth)
		}
		return nil
	}
	n, found, err := p.choose(t, current)
	if err != nil {
		return err
	}
	if found {
		file, err := p.superblock(ctx, n)
		if err == nil {
			return p.follow(f, t, file)
		}
		if !notFound(err) {
			return err
		}
	}
	if p.o.RequireDeltas {
		from := t.ref
		if !n.From.IsZero() {
			from = n.From.String()
		}
		return fmt.Errorf("Static deltas required, but none found for %s to %s", from, t.sum)
	}
	p.addCommit(f, t.sum, p.o.Depth)
	return nil
}

// current returns the commit that the ref of a target names so far, zero if none.
func (p *puller) current(t target) (ostree.Checksum, error) {
	if t.ref == "" {
		return ostree.Checksum{}, nil
	}
	c, err := p.r.LookupRef(p.m.Name, t.ref)
	if notFound(err) {
		return ostree.Checksum{}, nil
	}
	return c, err
}

// whole tells whether a commit is here with all its objects.
func (p *puller) whole(c ostree.Checksum) (bool, error) {
	ok, err := p.r.Has(ostree.ObjectCommit, c)
	if !ok || err != nil {
		return false, err
	}
	partial, err := p.r.IsPartial(c)
	return !partial, err
}

// readIndex adds the deltas of an index.
func (p *puller) readIndex(ctx context.Context, to ostree.Checksum) error {
	data, err := p.get(ctx, p.content, delta.IndexPath(to), p.o.maxMetadata())
	if err != nil && !notFound(err) {
		return err
	}
	p.nMeta.Add(1)
	if err != nil {
		return nil
	}
	list, err := parseIndex(data)
	if err != nil {
		return fmt.Errorf("%s: %w", delta.IndexPath(to), err)
	}
	p.addDeltas(list)
	return nil
}

// choose finds the best delta to a target: from the newest commit that is here.
// One that needs nothing is for those who have no version of the branch yet, or where
// deltas are required: else a few objects are less. If the remote has no list of
// deltas, that from the current commit is tried.
func (p *puller) choose(t target, current ostree.Checksum) (n delta.Name, found bool, err error) {
	p.mu.Lock()
	var list []delta.Name
	known := p.indexed || len(p.deltas) > 0
	for n := range p.deltas {
		if n.To == t.sum {
			list = append(list, n)
		}
	}
	p.mu.Unlock()
	n.To = t.sum
	if !known {
		if current.IsZero() {
			return n, true, nil
		}
		if ok, err := p.whole(current); ok || err != nil {
			n.From = current
			return n, ok, err
		}
		return n, true, nil
	}
	var newest uint64
	for _, x := range list {
		if x.From.IsZero() {
			continue
		}
		if ok, err := p.whole(x.From); err != nil {
			return n, false, err
		} else if !ok {
			continue
		}
		c, err := p.r.Commit(x.From)
		if err != nil {
			return n, false, err
		}
		if n.From.IsZero() || c.Timestamp > newest {
			n, newest = x, c.Timestamp
		}
	}
	scratch := slices.Contains(list, delta.Name{To: t.sum}) && (current.IsZero() || p.o.RequireDeltas)
	return n, !n.From.IsZero() || scratch, nil
}

// superblock fetches and verifies a superblock.
func (p *puller) superblock(ctx context.Context, n delta.Name) (*delta.File, error) {
	path := n.Dir() + "/superblock"
	req := fetch.Request{Mirrors: p.content, Path: path, MaxSize: p.o.maxMetadata()}
	p.mu.Lock()
	want, listed := p.deltas[n]
	p.mu.Unlock()
	if listed {
		req.Checksums = checksums(want)
	}
	file, err := p.fetchFile(ctx, req)
	if _, wrong := actualChecksum(err); wrong {
		err = fmt.Errorf("Invalid checksum for static delta %s", n)
	}
	if err != nil && !notFound(err) {
		return nil, err
	}
	p.nMeta.Add(1)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if !listed && p.m.GPGVerifySummary {
		return nil, fmt.Errorf("GPG verification enabled, but no summary signatures found (use gpg-verify-summary=false in remote config to disable)")
	}
	// Signatures around it do not matter: the commit in it is verified.
	f, err := delta.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("static delta %s: %w", n, err)
	}
	p.mu.Lock()
	p.superblocks = append(p.superblocks, f)
	p.mu.Unlock()
	if f.Superblock.Name != n {
		return nil, fmt.Errorf("static delta %s is one for %s", n, f.Superblock.Name)
	}
	return f, nil
}

// follow queues what a delta consists of.
func (p *puller) follow(f *frontier, t target, file *delta.File) error {
	s := file.Superblock
	for _, x := range s.Fallbacks {
		if x.Type != ostree.ObjectFile {
			return fmt.Errorf("Found metadata object as fallback: %s", x.ObjectName)
		}
		here, err := p.tx.Has(x.Type, x.Checksum)
		if err != nil {
			return err
		}
		p.countPart(x.Size, x.USize, here)
		if !here && !p.o.DryRun {
			f.add(job{name: x.ObjectName})
		}
	}
	if !p.o.DryRun {
		if err := p.writeDeltaCommit(s); err != nil {
			return err
		}
		p.addCommit(f, t.sum, p.o.Depth)
	}
	for i := range s.Parts {
		if err := p.addPart(f, file, i); err != nil {
			return err
		}
	}
	return p.checkSpace()
}

func (p *puller) countPart(size, usize uint64, here bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := &p.delta
	d.Parts++
	d.Size += size
	d.USize += usize
	if here {
		d.HaveParts++
		d.HaveSize += size
	}
}

// writeDeltaCommit verifies and writes the commit that a delta leads to.
func (p *puller) writeDeltaCommit(s *delta.Superblock) error {
	p.mu.Lock()
	p.byDelta = append(p.byDelta, s.To)
	p.mu.Unlock()
	if ok, err := p.tx.Has(ostree.ObjectCommit, s.To); ok || err != nil {
		return err
	}
	commit, err := ostree.ParseCommit(s.Commit)
	if err != nil {
		return fmt.Errorf("Commit %s: %w", s.To, err)
	}
	if got := ostree.ChecksumOf(s.Commit); got != s.To {
		return &repo.CorruptError{Name: ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: s.To}, Actual: got}
	}
	detached, _ := s.DetachedMetadata()
	if err := p.checkCommit(s.To, &commit, s.Commit, detached); err != nil {
		return err
	}
	if err := p.r.SetPartial(s.To, true); err != nil {
		return err
	}
	return s.WriteCommit(p.tx)
}

// leadsDelta tells whether a delta leads to a commit: its tree is scanned later.
func (p *puller) leadsDelta(c ostree.Checksum) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.byDelta, c)
}

// addPart queues a part of which objects are missing.
func (p *puller) addPart(f *frontier, file *delta.File, i int) error {
	meta := file.Superblock.Parts[i]
	here := true
	for _, n := range meta.Objects {
		if n.Type == ostree.ObjectCommit && n.Checksum != file.Superblock.To && p.verifiesCommits() {
			return fmt.Errorf("static delta %s has commit %s, whose signatures nobody has seen", file.Superblock.Name, n.Checksum)
		}
	}
	for _, n := range meta.Objects {
		ok, err := p.tx.Has(n.Type, n.Checksum)
		if err != nil {
			return err
		}
		if here = ok; !ok {
			break
		}
	}
	p.countPart(meta.Size, meta.USize, here)
	if here {
		p.nParts.Add(1)
		p.nPartBytes.Add(meta.Size)
	}
	if here || p.o.DryRun {
		return nil
	}
	f.addPart(func(ctx context.Context) error {
		part, inline, err := file.Inline(i)
		if !inline {
			var done func() error
			if part, done, err = p.fetchPart(ctx, file.Superblock.PartPath(i), meta); err == nil {
				defer done()
			}
		}
		if err != nil {
			return err
		}
		written, err := p.unpacker.ApplyPart(ctx, p.tx, meta, part)
		p.nDeltaBytes.Add(written)
		if err != nil {
			return fmt.Errorf("Executing static delta part %d: %w", i, err)
		}
		p.nParts.Add(1)
		p.nPartBytes.Add(meta.Size)
		return failpoint.At("pull.part")
	})
	return nil
}

// fetchPart fetches and verifies the file of a part, and returns how to close it.
func (p *puller) fetchPart(ctx context.Context, path string, meta delta.PartMeta) (*io.SectionReader, func() error, error) {
	if meta.Size > delta.MaxPartSize {
		return nil, nil, fmt.Errorf("%s: more than %d bytes", path, delta.MaxPartSize)
	}
	file, err := p.fetchFile(ctx, fetch.Request{Mirrors: p.content, Path: path, MaxSize: int64(meta.Size), Checksums: checksums(meta.Checksum)})
	if actual, wrong := actualChecksum(err); wrong {
		err = &delta.CorruptPartError{Expected: meta.Checksum, Actual: actual}
	}
	if err != nil {
		return nil, nil, err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return io.NewSectionReader(file, 0, size), file.Close, nil
}

// fetchFile fetches what may be large to a file that has no name, at whose begin it is.
func (p *puller) fetchFile(ctx context.Context, req fetch.Request) (*os.File, error) {
	file, err := os.CreateTemp(filepath.Join(p.r.Path(), "tmp"), "ostree-delta-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	res, err := p.client.Get(ctx, req, download{file})
	p.nBytes.Add(res.Size)
	if err != nil {
		err = fetchError(req.Path, err)
	} else {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// A download is a file that can be begun anew.
type download struct{ *os.File }

func (d download) Restart() error {
	if err := d.Truncate(0); err != nil {
		return err
	}
	_, err := d.Seek(0, io.SeekStart)
	return err
}

// checkSpace fails early if the deltas cannot fit.
func (p *puller) checkSpace() error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(p.r.Dir().FD(), &st); err != nil {
		return fmt.Errorf("fstatfs: %w", err)
	}
	p.mu.Lock()
	need := p.delta.USize
	p.mu.Unlock()
	if need/uint64(st.Bsize) > st.Bfree {
		return fmt.Errorf("Delta requires %s free space, but only %s available", repo.FormatSize(need), repo.FormatSize(uint64(st.Bsize)*st.Bfree))
	}
	return nil
}
