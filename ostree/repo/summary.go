package repo

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"
	"strings"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"

	"golang.org/x/sys/unix"
)

// maxSummaryBytes bounds a summary and its signature.
const maxSummaryBytes = ostree.MaxMetadataSize

// MetadataRef is the branch on which a repository with a collection ID keeps
// the metadata of its summary.
const MetadataRef = "ostree-metadata"

// ReadSummary returns the summary file and its signature, each nil if it is
// missing.
func (r *Repo) ReadSummary() (summary, sig []byte, err error) {
	for name, dst := range map[string]*[]byte{"summary": &summary, "summary.sig": &sig} {
		*dst, err = r.dir.ReadFile(name, maxSummaryBytes)
		if err != nil && !isMissing(err) {
			return nil, nil, err
		}
	}
	return summary, sig, nil
}

// BuildSummary returns a summary of the repository as it is now. The entries of
// extra, which may be nil, are added to its metadata.
func (r *Repo) BuildSummary(extra *gvariant.Dict) (*ostree.Summary, error) {
	lists, err := r.summaryRefs()
	if err != nil {
		return nil, err
	}
	meta := clone(extra)
	if err := r.summaryMetadata(meta); err != nil {
		return nil, err
	}
	if len(lists) > 1 {
		meta.Set(ostree.KeySummaryCollectionMap, ostree.CollectionMapValue(lists[1:]))
	}
	return &ostree.Summary{Refs: lists[0].Refs, Metadata: meta.Value()}, nil
}

// clone returns a copy of a dictionary, which may be nil.
func clone(d *gvariant.Dict) *gvariant.Dict {
	c := &gvariant.Dict{}
	if d != nil {
		for _, key := range d.Keys() {
			v, _ := d.Get(key)
			c.Set(key, v)
		}
	}
	return c
}

// bigEndian is a u64 in the byte order of OSTree's formats.
func bigEndian(x uint64) gvariant.Value { return gvariant.Uint64(bits.ReverseBytes64(x)) }

func (r *Repo) summaryRef(name string, sum ostree.Checksum) (ostree.SummaryRef, error) {
	data, err := r.ReadMetadata(ostree.ObjectCommit, sum)
	if err != nil {
		return ostree.SummaryRef{}, err
	}
	c, err := ostree.ParseCommit(data)
	if err != nil {
		return ostree.SummaryRef{}, metadataError(ostree.ObjectCommit, sum, err)
	}
	var d gvariant.Dict
	if ostree.PrintableTime(c.Timestamp) {
		d.Set(ostree.KeySummaryCommitTimestamp, bigEndian(c.Timestamp))
	}
	if v, ok := c.Metadata.Lookup(ostree.KeyVersion); ok && v.Type() == "s" {
		d.Set(ostree.KeySummaryCommitVersion, v)
	}
	return ostree.SummaryRef{Name: name, Size: uint64(len(data)), Checksum: sum, Metadata: d.Value()}, nil
}

// summaryMetadata sets what the metadata of a summary say about the repository, but for the
// refs of other collections.
func (r *Repo) summaryMetadata(meta *gvariant.Dict) error {
	noDeltas, err := r.flag("no-deltas-in-summary")
	if err != nil {
		return err
	}
	tombstones, err := r.flag("tombstone-commits")
	if err != nil {
		return err
	}
	if !noDeltas {
		deltas, err := r.deltaDigests()
		if err != nil {
			return err
		}
		if len(deltas) > 0 {
			meta.Set(ostree.KeySummaryStaticDeltas, deltaDict(deltas))
		}
	}
	mode, err := r.state.Load().config.Raw("core", "mode") // which has more than one name
	if err != nil {
		mode = Bare.String()
	}
	meta.Set(ostree.KeySummaryLastModified, bigEndian(uint64(time.Now().Unix())))
	meta.Set(ostree.KeySummaryMode, gvariant.String(mode))
	meta.Set(ostree.KeySummaryTombstones, gvariant.Bool(tombstones))
	meta.Set(ostree.KeySummaryIndexedDeltas, gvariant.Bool(true))
	if id := r.CollectionID(); id != "" {
		meta.Set(ostree.KeySummaryCollectionID, gvariant.String(id))
	}
	return nil
}

// summaryRefs returns the refs that a summary has: first those of the repository, whose
// collection may be "", then those of other collections.
func (r *Repo) summaryRefs() ([]ostree.CollectionRefs, error) {
	own := r.CollectionID()
	byID, err := r.refsByCollection()
	if err != nil {
		return nil, err
	}
	var lists []ostree.CollectionRefs
	for id, refs := range byID {
		c := ostree.CollectionRefs{Collection: id}
		for name, sum := range refs {
			entry, err := r.summaryRef(name, sum)
			if err != nil {
				return nil, err
			}
			c.Refs = append(c.Refs, entry)
		}
		ostree.SortSummaryRefs(c.Refs)
		lists = append(lists, c)
	}
	slices.SortFunc(lists, func(a, b ostree.CollectionRefs) int {
		switch {
		case a.Collection == own:
			return -1
		case b.Collection == own:
			return 1
		}
		return cmp.Compare(a.Collection, b.Collection)
	})
	return lists, nil
}

// refsByCollection returns the local branches as the collection of the repository, which may
// be "", then mirrored refs, and those of remotes that have a collection. One that is there
// twice is the last of these, as upstream has it.
func (r *Repo) refsByCollection() (map[string]map[string]ostree.Checksum, error) {
	byID := map[string]map[string]ostree.Checksum{r.CollectionID(): {}}
	add := func(id, name string, sum ostree.Checksum) {
		if byID[id] == nil {
			byID[id] = map[string]ostree.Checksum{}
		}
		byID[id][name] = sum
	}
	local, err := r.LocalRefs()
	if err != nil {
		return nil, err
	}
	for _, ref := range local {
		add(r.CollectionID(), ref.Name, ref.Checksum)
	}
	mirrors, err := r.MirrorRefs()
	if err != nil {
		return nil, err
	}
	for _, ref := range mirrors {
		add(ref.Collection, ref.Ref, ref.Checksum)
	}
	remotes, err := r.Remotes()
	if err != nil {
		return nil, err
	}
	for _, name := range remotes {
		m, err := r.Remote(name)
		if err != nil && !errors.Is(err, ErrRemoteValue) || ostree.ValidateCollectionID(m.CollectionID) != nil {
			continue // a broken remote does not concern the summary
		}
		refs, err := r.RemoteRefs(name)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			add(m.CollectionID, ref.Name, ref.Checksum)
		}
	}
	return byID, nil
}

// A deltaDigest is the sha256 of a static delta's superblock.
type deltaDigest struct {
	from, to ostree.Checksum
	digest   [sha256.Size]byte
}

// name is "FROM-TO", or "TO" for a delta from scratch.
func (d deltaDigest) name() string {
	if d.from.IsZero() {
		return d.to.String()
	}
	return d.from.String() + "-" + d.to.String()
}

func (r *Repo) deltaDigests() ([]deltaDigest, error) {
	var list []deltaDigest
	err := r.eachDelta(func(dir *dirfd.Dir, name string, from, to ostree.Checksum) error {
		d, err := dir.Open(name)
		if err != nil {
			return err
		}
		defer d.Close()
		digest := deltaDigest{from: from, to: to}
		err = hashFile(d, "superblock", &digest.digest)
		if isMissing(err) { // being written
			return nil
		}
		list = append(list, digest)
		return err
	})
	slices.SortFunc(list, func(a, b deltaDigest) int { return cmp.Compare(a.name(), b.name()) })
	return list, err
}

// hashFile computes the sha256 of a file, which may have parts of a delta in it.
func hashFile(d *dirfd.Dir, name string, sum *[sha256.Size]byte) error {
	f, err := d.OpenFile(name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	h.Sum(sum[:0])
	return err
}

func deltaDict(list []deltaDigest) gvariant.Value {
	var d gvariant.Dict
	for _, x := range list {
		d.Set(x.name(), gvariant.Bytes(x.digest[:]))
	}
	return d.Value()
}

// SummaryOptions say what a summary has besides what the repository tells, and who signs it.
type SummaryOptions struct {
	// Extra is added to its metadata; it may be nil.
	Extra *gvariant.Dict
	// Sign, if not nil, returns the content of summary.sig.
	Sign func(summary []byte) ([]byte, error)
	// SignCommit, if not nil, returns the detached metadata of the commit that a repository
	// with a collection ID has on the branch MetadataRef.
	SignCommit func(commit []byte) ([]byte, error)
}

// UpdateSummary writes a new summary, and the indexes of static deltas, and removes the
// signature of the old one. If the repository has a collection ID, it first commits the
// metadata to the branch MetadataRef.
func (r *Repo) UpdateSummary(ctx context.Context, o SummaryOptions) error {
	if r.CollectionID() != "" {
		if err := r.commitSummaryMetadata(ctx, o); err != nil {
			return err
		}
	}
	return r.RegenerateSummary(ctx, o)
}

// autoSummary updates the summary, but no branch, if the configuration wants that whenever
// refs have changed.
func (r *Repo) autoSummary(ctx context.Context) error {
	on, err := r.flag("auto-update-summary")
	if err != nil {
		return err
	}
	old, err := r.flag("commit-update-summary") // its name before
	if err != nil || !on && !old {
		return err
	}
	return r.RegenerateSummary(ctx, SummaryOptions{})
}

// RegenerateSummary is UpdateSummary without the commit. The lock is shared, as upstream's:
// it keeps the objects from a prune, but two updates at once are not serialised. Each file is
// replaced as a whole, yet the summary that stays may be that of the one that read the refs
// first, and its signature that of the other; another update mends both.
func (r *Repo) RegenerateSummary(ctx context.Context, o SummaryOptions) error {
	unlock, err := r.Lock(ctx, Shared)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := r.BuildSummary(o.Extra)
	if err != nil {
		return err
	}
	if err := r.writeDeltaIndexes(ostree.Checksum{}); err != nil {
		return err
	}
	data := s.Marshal()
	var sig []byte
	if o.Sign != nil {
		if sig, err = o.Sign(data); err != nil {
			return err
		}
	}
	return r.WriteSummary(data, sig)
}

// WriteSummary replaces the summary and its signature; a nil signature removes
// the old one. Both are complete before the first of them is replaced.
func (r *Repo) WriteSummary(summary, sig []byte) error {
	return r.writeSummary(summary, sig, func(d *dirfd.Dir) error {
		if sig == nil {
			return nil
		}
		return sameTime(d, "summary", "summary.sig")
	})
}

// MirrorSummary is WriteSummary for files of another server, which keep their ages.
func (r *Repo) MirrorSummary(summary, sig []byte, summaryAge, sigAge Age) error {
	return r.writeSummary(summary, sig, func(d *dirfd.Dir) error {
		err := summaryAge.Write(d, "summary")
		if err == nil && sig != nil {
			err = sigAge.Write(d, "summary.sig")
		}
		return err
	})
}

// writeSummary calls date when both files are complete in a directory of their own.
func (r *Repo) writeSummary(summary, sig []byte, date func(*dirfd.Dir) error) error {
	fsync := r.settings().fsync
	tmp, err := r.dir.Create("tmp", 0o775)
	if err != nil {
		return err
	}
	defer tmp.Close()
	name, err := tmp.MkdirTemp("summary-", 0o777)
	if err != nil {
		return err
	}
	defer tmp.RemoveAll(name)
	d, err := tmp.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.WriteFileAtomic("summary", summary, 0o644, fsync); err != nil {
		return err
	}
	if sig != nil {
		if err := d.WriteFileAtomic("summary.sig", sig, 0o644, fsync); err != nil {
			return err
		}
	}
	if err := date(d); err != nil {
		return err
	}
	if err := d.Rename("summary", r.dir, "summary"); err != nil {
		return err
	}
	err = failpoint.At("repo.summary")
	if err == nil && sig != nil {
		err = d.Rename("summary.sig", r.dir, "summary.sig")
	}
	if err != nil || sig == nil { // that which is there is of another summary
		if err2 := r.dir.Unlink("summary.sig"); !isMissing(err2) {
			err = cmp.Or(err, err2)
		}
	}
	if err == nil && fsync {
		err = r.dir.Sync()
	}
	return err
}

// sameTime gives both files the time of the second, so that caches see them as one.
func sameTime(d *dirfd.Dir, name, of string) error {
	st, err := d.Stat(of)
	if err != nil {
		return err
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, st.Mtim}
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(d.FD(), name, times, unix.AT_SYMLINK_NOFOLLOW))
}

// commitSummaryMetadata puts the metadata on a branch of its own, for clients
// that trust commits of the collection rather than summaries.
func (r *Repo) commitSummaryMetadata(ctx context.Context, o SummaryOptions) error {
	tx, err := r.Begin(ctx, TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	tx.noSummary = true
	meta := clone(o.Extra)
	meta.Set(ostree.KeyRefBinding, gvariant.Strings([]string{MetadataRef}))
	meta.Set(ostree.KeyCollectionBinding, gvariant.String(r.CollectionID()))
	c := ostree.Commit{Metadata: meta.Value(), Timestamp: uint64(time.Now().Unix())}
	if c.Parent, err = r.LookupRef("", MetadataRef); err != nil && !isMissing(err) {
		return err
	}
	if c.Tree, c.Meta, err = (tree.Tree{}).Write(tx); err != nil {
		return err
	}
	sum, err := tx.WriteCommit(&c)
	if err != nil {
		return err
	}
	if o.SignCommit != nil {
		detached, err := o.SignCommit(c.Marshal())
		if err == nil {
			err = tx.WriteDetachedMetadata(sum, detached)
		}
		if err != nil {
			return err
		}
	}
	if err := tx.SetRef("", MetadataRef, sum); err != nil {
		return err
	}
	_, err = tx.Commit()
	return err
}

// UpdateDeltaIndexes writes the indexes of static deltas anew: that of one commit,
// or all if it is zero.
func (r *Repo) UpdateDeltaIndexes(ctx context.Context, only ostree.Checksum) error {
	unlock, err := r.Lock(ctx, Exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	return r.writeDeltaIndexes(only)
}

// writeDeltaIndexes writes, for each commit that static deltas lead to, the list
// of those deltas.
func (r *Repo) writeDeltaIndexes(only ostree.Checksum) error {
	if err := r.announceIndexes(); err != nil {
		return err
	}
	list, err := r.deltaDigests()
	if err != nil {
		return err
	}
	byTo := map[ostree.Checksum][]deltaDigest{}
	for _, d := range list {
		if only.IsZero() || d.to == only {
			byTo[d.to] = append(byTo[d.to], d)
		}
	}
	for to, deltas := range byTo {
		name := strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(to[:]), "/", "_")
		dir, err := r.dir.CreatePath("delta-indexes/"+name[:2], 0o775)
		if err != nil {
			return err
		}
		var index gvariant.Dict
		index.Set(ostree.KeySummaryStaticDeltas, deltaDict(deltas))
		err = dir.WriteFileAtomic(name[2:]+".index", index.Value().Bytes(), 0o644, false)
		dir.Close()
		if err != nil {
			return err
		}
	}
	if !only.IsZero() && len(byTo) > 0 {
		return nil
	}
	return r.pruneDeltaIndexes(byTo, only)
}

// announceIndexes tells clients that do not read the summary about the indexes.
func (r *Repo) announceIndexes() error {
	k := r.Config()
	if on, err := k.Bool("core", "indexed-deltas", false); on || err != nil {
		return err
	}
	if err := k.Set("core", "indexed-deltas", "true"); err != nil {
		return err
	}
	return r.SetConfig(k)
}

// pruneDeltaIndexes removes indexes of no deltas: that of one commit, or all.
func (r *Repo) pruneDeltaIndexes(keep map[ostree.Checksum][]deltaDigest, only ostree.Checksum) error {
	prefixes, err := r.subdirs("delta-indexes")
	if err != nil {
		return err
	}
	for _, prefix := range prefixes {
		d, err := r.dir.OpenDirBeneath("delta-indexes/"+prefix, dirfd.NoSymlinks)
		if err != nil {
			return err
		}
		entries, err := d.ReadDir()
		for _, e := range entries {
			_, to, err2 := parseDeltaName(prefix + strings.TrimSuffix(e.Name, ".index"))
			if _, ok := keep[to]; err2 == nil && !ok && (only.IsZero() || to == only) {
				err = cmp.Or(err, d.Unlink(e.Name))
			}
		}
		d.Close()
		if err != nil {
			return fmt.Errorf("delta-indexes: %w", err)
		}
	}
	return nil
}
