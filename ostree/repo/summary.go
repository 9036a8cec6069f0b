package repo

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
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
	refs, err := r.LocalRefs()
	if err != nil {
		return nil, err
	}
	s := &ostree.Summary{}
	for _, ref := range refs {
		entry, err := r.summaryRef(ref.Name, ref.Checksum)
		if err != nil {
			return nil, err
		}
		s.Refs = append(s.Refs, entry)
	}
	ostree.SortSummaryRefs(s.Refs)
	meta := &gvariant.Dict{}
	if extra != nil {
		for _, key := range extra.Keys() {
			v, _ := extra.Get(key)
			meta.Set(key, v)
		}
	}
	if err := r.summaryMetadata(meta); err != nil {
		return nil, err
	}
	s.Metadata = meta.Value()
	return s, nil
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
	d.Set(ostree.KeySummaryCommitTimestamp, bigEndian(c.Timestamp))
	if v := c.Version(); v != "" {
		d.Set(ostree.KeySummaryCommitVersion, gvariant.String(v))
	}
	return ostree.SummaryRef{Name: name, Size: uint64(len(data)), Checksum: sum, Metadata: d.Value()}, nil
}

func (r *Repo) summaryMetadata(meta *gvariant.Dict) error {
	s := r.settings()
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
	meta.Set(ostree.KeySummaryLastModified, bigEndian(uint64(time.Now().Unix())))
	meta.Set(ostree.KeySummaryMode, gvariant.String(s.mode.String()))
	meta.Set(ostree.KeySummaryTombstones, gvariant.Bool(tombstones))
	meta.Set(ostree.KeySummaryIndexedDeltas, gvariant.Bool(true))
	if s.collectionID != "" {
		meta.Set(ostree.KeySummaryCollectionID, gvariant.String(s.collectionID))
	}
	others, err := r.otherCollections(s.collectionID)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		meta.Set(ostree.KeySummaryCollectionMap, ostree.CollectionMapValue(others))
	}
	return nil
}

// otherCollections lists the mirrored refs, and those of remotes that have a
// collection ID.
func (r *Repo) otherCollections(own string) ([]ostree.CollectionRefs, error) {
	byID := map[string]map[string]ostree.Checksum{}
	add := func(id, name string, sum ostree.Checksum) {
		if id == own || id == "" {
			return
		}
		if byID[id] == nil {
			byID[id] = map[string]ostree.Checksum{}
		}
		byID[id][name] = sum
	}
	remotes, err := r.Remotes()
	if err != nil {
		return nil, err
	}
	for _, name := range remotes {
		m, err := r.Remote(name)
		if err != nil || m.CollectionID == "" {
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
	mirrors, err := r.MirrorRefs()
	if err != nil {
		return nil, err
	}
	for _, ref := range mirrors {
		add(ref.Collection, ref.Ref, ref.Checksum)
	}
	var out []ostree.CollectionRefs
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
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b ostree.CollectionRefs) int { return cmp.Compare(a.Collection, b.Collection) })
	return out, nil
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

// UpdateSummary writes a new summary, and the index of static deltas, and
// removes the signature of the old one. The sign function, if not nil, returns
// the bytes of the new summary.sig.
func (r *Repo) UpdateSummary(ctx context.Context, extra *gvariant.Dict, sign func(summary []byte) ([]byte, error)) error {
	unlock, err := r.Lock(ctx, Exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	if r.CollectionID() != "" {
		if err := r.commitSummaryMetadata(ctx, extra); err != nil {
			return err
		}
	}
	s, err := r.BuildSummary(extra)
	if err != nil {
		return err
	}
	if err := r.writeDeltaIndexes(ostree.Checksum{}); err != nil {
		return err
	}
	data := s.Marshal()
	var sig []byte
	if sign != nil {
		if sig, err = sign(data); err != nil {
			return err
		}
	}
	return r.WriteSummary(data, sig)
}

// WriteSummary replaces the summary and its signature; a nil signature removes
// the old one.
func (r *Repo) WriteSummary(summary, sig []byte) error {
	fsync := r.settings().fsync
	if err := r.dir.WriteFileAtomic("summary", summary, 0o644, fsync); err != nil {
		return err
	}
	if err := failpoint.At("repo.summary"); err != nil {
		return err
	}
	if sig != nil {
		if err := r.dir.WriteFileAtomic("summary.sig", sig, 0o644, fsync); err != nil {
			return err
		}
		if err := r.sameTime("summary", "summary.sig"); err != nil {
			return err
		}
	} else if err := r.dir.Unlink("summary.sig"); err != nil && !isMissing(err) {
		return err
	}
	if fsync {
		return r.dir.Sync()
	}
	return nil
}

// sameTime gives both files the time of the second, so that caches see them as one.
func (r *Repo) sameTime(name, of string) error {
	st, err := r.dir.Stat(of)
	if err != nil {
		return err
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, st.Mtim}
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(r.dir.FD(), name, times, unix.AT_SYMLINK_NOFOLLOW))
}

// commitSummaryMetadata puts the metadata on a branch of its own, for clients
// that trust commits of the collection rather than summaries.
func (r *Repo) commitSummaryMetadata(ctx context.Context, extra *gvariant.Dict) error {
	tx, err := r.Begin(ctx, TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	tx.noSummary = true
	meta := &gvariant.Dict{}
	if extra != nil {
		for _, key := range extra.Keys() {
			v, _ := extra.Get(key)
			meta.Set(key, v)
		}
	}
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
