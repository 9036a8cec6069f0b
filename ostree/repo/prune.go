package repo

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// PruneOptions say which objects are kept. By default those that any commit
// object in the repository needs.
type PruneOptions struct {
	// RefsOnly keeps only what refs need, with their history.
	RefsOnly bool
	// Depth, if not nil, is how many ancestors of each ref, or of each commit,
	// are kept; AllHistory keeps all.
	Depth *int
	// BranchDepth is Depth for single refs; it implies RefsOnly.
	BranchDepth map[string]int
	// OnlyBranches limits what is pruned to the history of these refs; the
	// history of all others is kept. It implies RefsOnly.
	OnlyBranches []string
	// KeepYoungerThan, if not zero, ends the history of each ref that has no
	// BranchDepth before its first older commit. It implies RefsOnly.
	KeepYoungerThan time.Time
	// DeleteCommits are removed first, and get tombstones. No ref may name them.
	DeleteCommits []ostree.Checksum
	// CommitOnly removes nothing but commit objects.
	CommitOnly bool
	// DryRun counts without removing; DeleteCommits are only checked.
	DryRun bool
}

// PruneStats is what Prune did, or would do.
type PruneStats struct {
	Total  int    // objects before
	Pruned int    // objects
	Freed  uint64 // bytes
}

// Prune removes objects that are not needed, with the repository's lock held
// exclusively.
func (r *Repo) Prune(ctx context.Context, o PruneOptions) (PruneStats, error) {
	if err := r.CheckWritable(); err != nil && !o.DryRun {
		return PruneStats{}, err
	}
	unlock, err := r.Lock(ctx, Exclusive)
	if err != nil {
		return PruneStats{}, err
	}
	defer unlock()
	p := &prune{r: r, ctx: ctx, o: o, keep: ObjectSet{}}
	if err := p.collectRefs(); err != nil {
		return PruneStats{}, err
	}
	if err := p.deleteCommits(); err != nil {
		return PruneStats{}, err
	}
	if err := p.mark(); err != nil {
		return PruneStats{}, err
	}
	stats, err := p.sweep()
	if err == nil && !o.DryRun {
		err = r.pruneDeltas(func(to ostree.Checksum) (bool, error) {
			ok, err := r.Has(ostree.ObjectCommit, to)
			return !ok, err
		})
	}
	if err == nil && !o.DryRun {
		err = r.pruneSummaries()
	}
	return stats, err
}

// PruneDeltas removes the static deltas to a commit.
func (r *Repo) PruneDeltas(ctx context.Context, commit ostree.Checksum) error {
	unlock, err := r.Lock(ctx, Exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	return r.pruneDeltas(func(to ostree.Checksum) (bool, error) { return to == commit, nil })
}

type prune struct {
	r    *Repo
	ctx  context.Context
	o    PruneOptions
	refs map[string]ostree.Checksum // by refspec
	keep ObjectSet
}

func (p *prune) collectRefs() error {
	p.refs = map[string]ostree.Checksum{}
	refs, err := p.r.Refs()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		p.refs[ref.Refspec()] = ref.Checksum
	}
	mirrors, err := p.r.MirrorRefs()
	if err != nil {
		return err
	}
	for _, ref := range mirrors {
		p.refs[ref.CollectionRef.String()] = ref.Checksum
	}
	for _, name := range p.o.OnlyBranches {
		if _, ok := p.refs[name]; ok {
			continue
		}
		if _, err := p.r.ResolveRev(name); err != nil { // else it names a commit, and no branch is it (libostree)
			return err
		}
	}
	return nil
}

// byRef tells whether refs alone decide what is kept.
func (p *prune) byRef() bool {
	return p.o.RefsOnly || len(p.o.BranchDepth) > 0 || len(p.o.OnlyBranches) > 0 || !p.o.KeepYoungerThan.IsZero()
}

func (p *prune) deleteCommits() error {
	for _, c := range p.o.DeleteCommits {
		for name, sum := range p.refs {
			if sum == c {
				if name[0] != '(' {
					name = "'" + name + "'"
				}
				return fmt.Errorf("Commit '%s' is referenced by %s", c, name)
			}
		}
		if ok, err := p.r.Has(ostree.ObjectCommit, c); err != nil {
			return err
		} else if !ok {
			return &MissingObjectError{ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: c}}
		}
	}
	if len(p.o.DeleteCommits) == 0 || p.o.DryRun {
		return nil
	}
	if err := p.r.keepTombstones(); err != nil {
		return err
	}
	for _, c := range p.o.DeleteCommits {
		if err := p.delete(ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: c}); err != nil {
			return err
		}
	}
	return nil
}

// keepTombstones makes the repository write a tombstone for every commit that is deleted
// from now on. A value that says nothing is replaced.
func (r *Repo) keepTombstones() error {
	if on, err := r.flag("tombstone-commits"); on && err == nil {
		return nil
	}
	k := r.Config()
	if err := k.SetBool("core", "tombstone-commits", true); err != nil {
		return err
	}
	return r.SetConfig(k)
}

func (p *prune) depth() int {
	if p.o.Depth != nil {
		return *p.o.Depth
	}
	return AllHistory
}

// mark collects what is kept.
func (p *prune) mark() error {
	if !p.byRef() {
		all, err := p.r.commits()
		if err != nil {
			return err
		}
		for _, c := range all {
			// Parents are in the list themselves.
			if err := p.r.Traverse(p.ctx, c, 0, p.o.CommitOnly, p.keep); err != nil {
				return err
			}
		}
		return nil
	}
	for name, c := range p.refs {
		if err := p.markRef(name, c); err != nil {
			return err
		}
	}
	return nil
}

func (p *prune) markRef(name string, c ostree.Checksum) error {
	depth, ok := p.o.BranchDepth[name]
	switch {
	case ok:
	case len(p.o.OnlyBranches) > 0 && !slices.Contains(p.o.OnlyBranches, name):
		depth = AllHistory
	case !p.o.KeepYoungerThan.IsZero():
		return p.markYounger(c)
	default:
		depth = p.depth()
	}
	return p.r.Traverse(p.ctx, c, depth, p.o.CommitOnly, p.keep)
}

// markYounger keeps the head of a branch, and if that is young enough its ancestors up to the
// first older one.
func (p *prune) markYounger(c ostree.Checksum) error {
	for first := true; !c.IsZero(); first = false {
		commit, err := p.r.Commit(c)
		if isMissing(err) && !first {
			return nil
		}
		if err != nil {
			return err
		}
		older := commit.Time().Before(p.o.KeepYoungerThan)
		if older && !first {
			return nil
		}
		if err := p.r.Traverse(p.ctx, c, 0, p.o.CommitOnly, p.keep); err != nil || older {
			return err
		}
		c = commit.Parent
	}
	return nil
}

// sweep removes the objects that were not marked: commits first, so that a
// crash leaves no commit without its objects.
func (p *prune) sweep() (PruneStats, error) {
	var stats PruneStats
	var commits, others, xattrs []ostree.ObjectName
	linked := map[uint64]bool{} // inodes of attributes that are kept
	err := p.r.eachDirectory(func(n ostree.ObjectName) error {
		if n.Type == ostree.ObjectCommit || !p.o.CommitOnly && n.Type != ostree.ObjectCommitMeta {
			stats.Total++
		}
		switch {
		case n.Type == ostree.ObjectCommit:
			if _, ok := p.keep[n]; !ok {
				commits = append(commits, n)
			}
		case n.Type == ostree.ObjectTombstoneCommit:
		case p.o.CommitOnly && n.Type != ostree.ObjectCommitMeta:
		case n.Type == ostree.ObjectPayloadLink:
			keep, err := p.keepsPayload(n)
			if err != nil {
				return err
			}
			if !keep {
				others = append(others, n)
			}
		case n.Type == ostree.ObjectFileXattrs:
			xattrs = append(xattrs, n)
		case n.Type == ostree.ObjectFileXattrsLink && p.keep.Has(ostree.ObjectFile, n.Checksum):
			st, err := p.r.statObject(n)
			if err != nil {
				return err
			}
			linked[st.Ino] = true
		default:
			if _, ok := p.keep[n]; !ok {
				others = append(others, n)
			}
		}
		return nil
	})
	if err != nil {
		return stats, err
	}
	for _, n := range xattrs {
		st, err := p.r.statObject(n)
		if err != nil {
			return stats, err
		}
		if !linked[st.Ino] {
			others = append(others, n)
		}
	}
	if err := p.removeAll(commits, 1, &stats); err != nil {
		return stats, err
	}
	if len(commits) > 0 && !p.o.DryRun {
		if p.r.settings().fsync {
			if err := p.r.syncPrefixes(commits); err != nil {
				return stats, err
			}
		}
		if err := failpoint.At("repo.prune.commits"); err != nil {
			return stats, err
		}
	}
	// That these are gone need not be durable: nothing names them any more.
	return stats, p.removeAll(others, removers, &stats)
}

// removers is how many directories objects are removed from at a time: who removes a file mostly
// waits, for the file system's journal or, if that is mounted with "discard", for the disk.
const removers = 16

// removeAll removes objects until one cannot be removed. Those of one directory are removed in
// turn, since they would wait for each other.
func (p *prune) removeAll(list []ostree.ObjectName, workers int, stats *PruneStats) error {
	var mu sync.Mutex // of stats
	g, ctx := errgroup.WithContext(p.ctx)
	g.SetLimit(workers)
	for len(list) > 0 {
		n := slices.IndexFunc(list, func(n ostree.ObjectName) bool { return n.Checksum[0] != list[0].Checksum[0] })
		if n < 0 {
			n = len(list)
		}
		dir := list[:n]
		list = list[n:]
		g.Go(func() error {
			done, err := p.removeEach(ctx, dir)
			mu.Lock()
			defer mu.Unlock()
			stats.Pruned += done.Pruned
			stats.Freed += done.Freed
			return err
		})
	}
	return g.Wait()
}

func (p *prune) removeEach(ctx context.Context, list []ostree.ObjectName) (done PruneStats, err error) {
	for _, n := range list {
		if ctx.Err() != nil {
			return done, context.Cause(ctx)
		}
		st, err := p.r.statObject(n)
		if err == nil && !p.o.DryRun {
			err = p.delete(n)
		}
		if err != nil {
			return done, err
		}
		done.Pruned++
		done.Freed += uint64(st.Size)
	}
	return done, nil
}

func (r *Repo) statObject(n ostree.ObjectName) (st unix.Stat_t, err error) {
	if err = unix.Fstatat(r.object.FD(), r.loosePath(n.Type, n.Checksum), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		err = pathError("stat", n.String(), err)
	}
	return st, err
}

// delete removes an object, and what belongs to it if it is a commit.
func (p *prune) delete(n ostree.ObjectName) error {
	if n.Type == ostree.ObjectCommit {
		tombstones, err := p.r.flag("tombstone-commits")
		if err == nil && tombstones {
			err = p.r.writeTombstone(n.Checksum)
		}
		if err != nil {
			return err
		}
		if err := p.r.SetPartial(n.Checksum, false); err != nil {
			return err
		}
	}
	if err := failpoint.At("repo.prune.object"); err != nil {
		return err
	}
	return p.r.deleteObject(n)
}

// syncPrefixes makes the removal of objects durable.
func (r *Repo) syncPrefixes(list []ostree.ObjectName) error {
	seen := map[byte]bool{}
	for _, n := range list {
		if seen[n.Checksum[0]] {
			continue
		}
		seen[n.Checksum[0]] = true
		d, err := r.object.Open(n.Checksum.String()[:2])
		if err != nil {
			return err
		}
		err = d.Sync()
		d.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteObject removes one object, which may be gone already.
func (r *Repo) deleteObject(n ostree.ObjectName) error {
	err := unix.Unlinkat(r.object.FD(), r.loosePath(n.Type, n.Checksum), 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	return pathError("unlink", n.String(), err)
}

// writeTombstone records that a commit was deleted.
func (r *Repo) writeTombstone(c ostree.Checksum) error {
	hex := c.String()
	d, err := r.object.Create(hex[:2], 0o775)
	if err != nil {
		return err
	}
	defer d.Close()
	name := hex[2:] + "." + ostree.ObjectTombstoneCommit.String()
	return d.WriteFileAtomic(name, ostree.Tombstone(c), 0o644, r.settings().fsync)
}

// pruneDeltas removes the static deltas to commits for which gone is true.
func (r *Repo) pruneDeltas(gone func(to ostree.Checksum) (bool, error)) error {
	return r.eachDelta(func(dir *dirfd.Dir, name string, _, to ostree.Checksum) error {
		ok, err := gone(to)
		if !ok || err != nil {
			return err
		}
		return dir.RemoveAll(name)
	})
}

// pruneSummaries removes cached summaries of remotes that are gone.
func (r *Repo) pruneSummaries() error {
	d, err := r.dir.OpenDirBeneath("tmp/cache/summaries", dirfd.NoSymlinks)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	entries, err := d.ReadDir()
	if err != nil {
		return err
	}
	remotes, err := r.Remotes()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if slices.Contains(remotes, strings.TrimSuffix(e.Name, ".sig")) {
			continue
		}
		if err := d.RemoveAll(e.Name); err != nil {
			return err
		}
	}
	return nil
}

// eachDelta visits the static deltas: from is zero for those from scratch.
func (r *Repo) eachDelta(visit func(dir *dirfd.Dir, name string, from, to ostree.Checksum) error) error {
	prefixes, err := r.subdirs("deltas")
	if err != nil {
		return err
	}
	for _, prefix := range prefixes {
		names, err := r.subdirs("deltas/" + prefix)
		if err != nil {
			return err
		}
		d, err := r.dir.OpenDirBeneath("deltas/"+prefix, dirfd.NoSymlinks)
		if err != nil {
			return err
		}
		for _, name := range names {
			from, to, err := parseDeltaName(prefix + name)
			if err != nil {
				continue // not a delta
			}
			if err := visit(d, name, from, to); err != nil {
				d.Close()
				return err
			}
		}
		d.Close()
	}
	return nil
}

// parseDeltaName decodes the directory of a delta, [FROM-]TO in base64 without
// padding and with "_" for "/".
func parseDeltaName(s string) (from, to ostree.Checksum, err error) {
	parts := strings.Split(s, "-")
	if len(parts) > 2 {
		return from, to, errors.New("invalid delta name")
	}
	sums := make([]ostree.Checksum, 2)
	for i, part := range parts {
		b, err := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(part, "_", "/"))
		if err != nil {
			return from, to, err
		}
		if sums[i], err = ostree.ChecksumFromBytes(b); err != nil {
			return from, to, err
		}
	}
	if len(parts) == 1 {
		return from, sums[0], nil
	}
	return sums[0], sums[1], nil
}
