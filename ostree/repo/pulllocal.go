package repo

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"rpmostree/internal/failpoint"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// PullLocalOptions say what is copied from another repository on disk.
type PullLocalOptions struct {
	// Refs are the branches to copy, "BRANCH" or "BRANCH@CHECKSUM", or single
	// commits; all branches when it is empty.
	Refs []string
	// Remote, if not empty, makes the branches refs of this remote.
	Remote string
	// Depth is how many ancestors are copied, or AllHistory.
	Depth int
	// CommitOnly copies no more than commit objects, which stay partial.
	CommitOnly bool
	// Subpaths limits what is copied to these directories and files; commits stay
	// partial.
	Subpaths []string
	// Untrusted verifies every object. By default they are copied as they are, or
	// hard linked where the modes of both repositories agree.
	Untrusted bool
	// BareUserOnlyFiles refuses files that a bare-user-only repository cannot
	// hold.
	BareUserOnlyFiles bool
	// NoVerifyBindings accepts commits that are bound to other refs.
	NoVerifyBindings bool
	// Tombstones tells that the history may end only at commits that have one.
	Tombstones bool
	// NoFsync and PerObjectFsync are those of TransactionOptions.
	NoFsync, PerObjectFsync bool
	// Verify, if not nil, is asked about each commit before its objects are
	// copied. The detached metadata may be nil.
	Verify func(sum ostree.Checksum, commit, detached []byte) error
	// Finish, if not nil, is called when all objects are there, to set other refs.
	Finish func(*Transaction) error
}

// PullStats counts what a pull did.
type PullStats struct {
	Metadata, Content int    // objects fetched
	ContentBytes      uint64 // written, before compression
}

// PullLocal copies commits and their objects from another repository.
func (r *Repo) PullLocal(ctx context.Context, src *Repo, o PullLocalOptions) (PullStats, error) {
	want, err := src.localRefs(o)
	if err != nil {
		return PullStats{}, err
	}
	tx, err := r.Begin(ctx, TransactionOptions{NoFsync: o.NoFsync, PerObjectFsync: o.PerObjectFsync})
	if err != nil {
		return PullStats{}, err
	}
	defer tx.Abort()
	im := &puller{tx: tx, src: src.Objects, o: o, link: tx.canLink(src), metadata: ObjectSet{}, files: ObjectSet{}}
	for _, ref := range want {
		if err := im.history(ctx, ref); err != nil {
			return im.stats(), err
		}
		if ref.Name == "" {
			continue
		}
		if err := tx.SetRef(o.Remote, ref.Name, ref.Checksum); err != nil {
			return im.stats(), err
		}
	}
	if o.Finish != nil {
		if err := o.Finish(tx); err != nil {
			return im.stats(), err
		}
	}
	if err := failpoint.At("repo.pull.fetched"); err != nil {
		return im.stats(), err
	}
	if _, err := tx.Commit(); err != nil {
		return im.stats(), err
	}
	for _, c := range im.complete {
		if err := r.SetPartial(c, false); err != nil {
			return im.stats(), err
		}
	}
	return im.stats(), nil
}

// localRefs finds what is to be pulled. Single commits have no name.
func (r *Repo) localRefs(o PullLocalOptions) ([]Ref, error) {
	if len(o.Refs) == 0 {
		return r.LocalRefs()
	}
	var out []Ref
	for _, arg := range o.Refs {
		name, sum, err := SplitRefArgument(arg)
		if err != nil {
			return nil, err
		}
		if sum.IsZero() {
			if sum, err = r.ResolveRev(name); err != nil {
				return nil, err
			}
		}
		out = append(out, Ref{Name: name, Checksum: sum})
	}
	return out, nil
}

// SplitRefArgument reads what pull commands take: "BRANCH", "BRANCH@CHECKSUM"
// or "CHECKSUM".
func SplitRefArgument(arg string) (name string, sum ostree.Checksum, err error) {
	name, text, both := strings.Cut(arg, "@")
	if _, err := ostree.ParseChecksum(arg); err == nil {
		name, text = "", arg
	} else if err := ostree.ValidateRef(name); err != nil || !both {
		return name, sum, err
	}
	sum, err = ostree.ParseChecksum(text)
	if err == nil && sum.IsZero() { // which else means that it is to be looked up
		err = fmt.Errorf("Invalid rev %s", text)
	}
	return name, sum, err
}

// canLink tells whether metadata objects of src may be hard links here, and files too if
// both have the same mode: they must not belong to somebody who could change them.
func (tx *Transaction) canLink(src *Repo) bool {
	ours, err1 := tx.repo.object.Stat("")
	theirs, err2 := src.object.Stat("")
	return err1 == nil && err2 == nil && ours.Dev == theirs.Dev && ours.Uid == theirs.Uid
}

type puller struct {
	tx       *Transaction
	src      *Objects
	o        PullLocalOptions
	link     bool      // see canLink
	metadata ObjectSet // seen
	files    ObjectSet
	nested   tree.Nesting
	complete []ostree.Checksum
	nMeta    atomic.Int64
	nContent atomic.Int64
}

func (im *puller) stats() PullStats {
	return PullStats{int(im.nMeta.Load()), int(im.nContent.Load()), im.tx.stats.contentBytes.Load()}
}

// history copies a commit and its ancestors. A missing ancestor ends it.
func (im *puller) history(ctx context.Context, ref Ref) error {
	depth := im.o.Depth
	for first, c := true, ref.Checksum; !c.IsZero(); first = false {
		name := ""
		if first && !im.o.NoVerifyBindings {
			name = ref.Name
		}
		commit, err := im.commit(ctx, c, name)
		if isMissing(err) && !first {
			return im.tombstone(c)
		}
		if err != nil {
			return err
		}
		if depth == 0 {
			return nil
		}
		depth--
		c = commit.Parent
	}
	return nil
}

// tombstone copies that of a commit that was deleted.
func (im *puller) tombstone(c ostree.Checksum) error {
	if !im.o.Tombstones {
		return nil
	}
	data, err := im.src.ReadMetadata(ostree.ObjectTombstoneCommit, c)
	if err != nil {
		return err
	}
	return im.tx.writeMetadata(ostree.ObjectTombstoneCommit, c, data)
}

func (im *puller) commit(ctx context.Context, c ostree.Checksum, bound string) (*ostree.Commit, error) {
	data, err := im.src.ReadMetadata(ostree.ObjectCommit, c)
	if err != nil {
		return nil, err
	}
	if err := im.check(ostree.ObjectCommit, c, data); err != nil {
		return nil, err
	}
	commit, err := ostree.ParseCommit(data)
	if err != nil {
		return nil, metadataError(ostree.ObjectCommit, c, err)
	}
	detached, err := im.src.DetachedMetadata(c)
	if err != nil {
		return nil, err
	}
	if bound != "" {
		if err := VerifyBindings(&commit, "", bound); err != nil {
			return nil, err
		}
	}
	if im.o.Verify != nil {
		signatures := detached
		if signatures == nil { // those that are here may do
			if signatures, err = im.tx.DetachedMetadata(c); err != nil {
				return nil, err
			}
		}
		if err := im.o.Verify(c, data, signatures); err != nil {
			return nil, err
		}
	}
	if !im.metadata.Add(ostree.ObjectCommit, c) {
		return &commit, nil
	}
	if err := im.objects(ctx, c, &commit); err != nil {
		return nil, err
	}
	if detached != nil {
		if err := im.tx.WriteDetachedMetadata(c, detached); err != nil {
			return nil, err
		}
	}
	if err := im.writeMetadata(ostree.ObjectCommit, c, data); err != nil {
		return nil, err
	}
	return &commit, nil
}

// objects copies what a commit needs, and keeps the mark of partial commits.
func (im *puller) objects(ctx context.Context, c ostree.Checksum, commit *ostree.Commit) error {
	dst := im.tx.repo
	had, err := dst.Has(ostree.ObjectCommit, c)
	if err != nil {
		return err
	}
	partial, err := dst.IsPartial(c)
	if err != nil || had && !partial {
		return err
	}
	if err := dst.SetPartial(c, true); err != nil || im.o.CommitOnly {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	err = im.roots(ctx, commit, func(dir, meta ostree.Checksum) error { return im.dir(ctx, g, dir, meta, 0) })
	if err2 := g.Wait(); err2 != nil {
		err = err2
	}
	if err == nil {
		err = im.nested.Check(commit.Tree)
	}
	if errors.Is(err, tree.ErrTooDeep) {
		err = structureError(ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: c}, err)
	}
	if err == nil && len(im.o.Subpaths) == 0 {
		im.complete = append(im.complete, c)
	}
	return err
}

// roots calls visit for the root of a commit, or for each of the subpaths,
// after copying the directories on the way to them.
func (im *puller) roots(ctx context.Context, c *ostree.Commit, visit func(tree, meta ostree.Checksum) error) error {
	if len(im.o.Subpaths) == 0 {
		return visit(c.Tree, c.Meta)
	}
	return WalkSubpaths(c, im.o.Subpaths, SubpathVisitor{
		Load: func(tree, meta ostree.Checksum) (*ostree.DirTree, error) {
			if err := im.dirMeta(meta); err != nil {
				return nil, err
			}
			return im.dirTree(tree)
		},
		Dir: visit,
		File: func(c ostree.Checksum) error {
			if !im.files.Add(ostree.ObjectFile, c) {
				return nil
			}
			return im.file(c)
		},
	})
}

func (im *puller) dirMeta(c ostree.Checksum) error {
	if !im.metadata.Add(ostree.ObjectDirMeta, c) {
		return nil
	}
	data, err := im.src.ReadMetadata(ostree.ObjectDirMeta, c)
	if err != nil {
		return err
	}
	if _, err := ostree.ParseDirMeta(data); err != nil {
		return metadataError(ostree.ObjectDirMeta, c, err)
	}
	return im.writeMetadata(ostree.ObjectDirMeta, c, data)
}

func (im *puller) dirTree(c ostree.Checksum) (*ostree.DirTree, error) {
	data, err := im.src.ReadMetadata(ostree.ObjectDirTree, c)
	if err != nil {
		return nil, err
	}
	d, err := ostree.ParseDirTree(data)
	if err != nil {
		return nil, metadataError(ostree.ObjectDirTree, c, err)
	}
	im.nested.Add(c, &d)
	return &d, im.writeMetadata(ostree.ObjectDirTree, c, data)
}

// check verifies a metadata object of a repository that is not trusted.
func (im *puller) check(t ostree.ObjectType, c ostree.Checksum, data []byte) error {
	if !im.o.Untrusted {
		return nil
	}
	if got := ostree.ChecksumOf(data); got != c {
		return &CorruptError{ostree.ObjectName{Type: t, Checksum: c}, got}
	}
	return nil
}

func (im *puller) writeMetadata(t ostree.ObjectType, c ostree.Checksum, data []byte) error {
	if err := im.check(t, c, data); err != nil {
		return err
	}
	if ok, err := im.tx.Has(t, c); ok || err != nil {
		return err
	}
	im.nMeta.Add(1)
	if im.link {
		if done, err := im.linkMetadata(t, c); done || err != nil {
			return err
		}
	}
	return im.tx.storeMetadata(t, c, data)
}

func (im *puller) dir(ctx context.Context, g *errgroup.Group, dir, meta ostree.Checksum, depth int) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := im.dirMeta(meta); err != nil {
		return err
	}
	if !im.metadata.Add(ostree.ObjectDirTree, dir) {
		return nil
	}
	if depth > tree.MaxDepth {
		return tree.ErrTooDeep
	}
	d, err := im.dirTree(dir)
	if err != nil {
		return err
	}
	for _, f := range d.Files {
		if im.files.Add(ostree.ObjectFile, f.Checksum) {
			g.Go(func() error { return im.file(f.Checksum) })
		}
	}
	for _, sub := range d.Dirs {
		if err := im.dir(ctx, g, sub.Tree, sub.Meta, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (im *puller) file(c ostree.Checksum) error {
	if ok, err := im.tx.Has(ostree.ObjectFile, c); ok || err != nil {
		return err
	}
	share := im.link && im.tx.mode == im.src.mode && im.tx.mode != BareSplitXattrs
	if im.link && im.tx.mode == BareUserOnly && im.src.mode == BareUser {
		h, err := im.src.FileHeader(c)
		if err != nil {
			return err
		}
		// Not for a symbolic link, which is a regular file in the other mode.
		share = ostree.IsRegular(h.Mode) && h.Mode&unix.S_IRUSR != 0 && im.tx.checkHeader(h) == nil
	}
	if share {
		if err := im.verifyFile(c); err != nil {
			return err
		}
		done, err := im.linkFile(c)
		if done || err != nil {
			return err
		}
	}
	h, size, content, err := im.src.File(c)
	if err != nil {
		return err
	}
	defer content.Close()
	if im.o.BareUserOnlyFiles {
		if err := CheckBareUserOnly(h); err != nil {
			return fmt.Errorf("Content object %s: %w", c, err)
		}
	}
	im.nContent.Add(1)
	if im.o.Untrusted {
		return im.tx.WriteFileChecked(c, h, size, content)
	}
	return im.tx.WriteFileAsIs(c, h, size, content)
}

// verifyFile checks what the options want to know about a file that will be a link.
func (im *puller) verifyFile(c ostree.Checksum) error {
	if !im.o.Untrusted && !im.o.BareUserOnlyFiles {
		return nil
	}
	h, _, content, err := im.src.File(c)
	if err != nil {
		return err
	}
	defer content.Close()
	if im.o.BareUserOnlyFiles {
		if err := CheckBareUserOnly(h); err != nil {
			return fmt.Errorf("Content object %s: %w", c, err)
		}
	}
	if !im.o.Untrusted {
		return nil
	}
	got, err := ostree.FileChecksum(h, content)
	if err == nil && got != c {
		err = &CorruptError{ostree.ObjectName{Type: ostree.ObjectFile, Checksum: c}, got}
	}
	return err
}

// linkFile makes the object a hard link. It reports false when it has to be
// copied.
func (im *puller) linkFile(c ostree.Checksum) (bool, error) {
	path, err := im.tx.stagingPath(ostree.ObjectFile, c)
	if err != nil {
		return false, err
	}
	err = im.src.LinkFile(c, im.tx.staging.dir.FD(), path)
	if err == nil {
		im.nContent.Add(1)
	}
	return linked(err)
}

// linkMetadata is linkFile for a metadata object.
func (im *puller) linkMetadata(t ostree.ObjectType, c ostree.Checksum) (bool, error) {
	path, err := im.tx.stagingPath(t, c)
	if err != nil {
		return false, err
	}
	to := im.tx.staging.dir.FD()
	err = unix.ENOENT
	for from := im.src; from != nil && err == unix.ENOENT; from = from.parent {
		for _, dir := range from.dirs {
			if err = unix.Linkat(dir, from.loosePath(t, c), to, path, 0); err != unix.ENOENT {
				break
			}
		}
	}
	if err == nil {
		im.tx.stats.metadataTotal.Add(1)
		im.tx.stats.metadataWritten.Add(1)
	}
	return linked(err)
}

// linked tells whether a link was made, or is there; if not the object has to be copied.
func linked(err error) (bool, error) {
	switch {
	case err == nil, errors.Is(err, unix.EEXIST):
		return true, nil
	case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EMLINK), errors.Is(err, unix.EPERM), isMissing(err):
		return false, nil
	}
	return false, err
}

// CheckBareUserOnly refuses set-id bits and files that everybody can write.
func CheckBareUserOnly(h ostree.FileHeader) error {
	if bad := h.Mode & ostree.ModePerm &^ bareUserOnlyBits; ostree.IsRegular(h.Mode) && bad != 0 {
		return fmt.Errorf("invalid mode 0%04o with bits 0%04o", h.Mode, bad)
	}
	return nil
}
