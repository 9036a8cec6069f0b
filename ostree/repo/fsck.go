package repo

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"rpmostree/ostree"
	"rpmostree/ostree/tree"

	"golang.org/x/sync/errgroup"
)

// FsckOptions say what Fsck does about problems. By default it stops at the
// first corrupted object.
type FsckOptions struct {
	// All goes on after a corrupted object.
	All bool
	// Delete removes corrupted objects; the commits that need them become
	// partial.
	Delete bool
	// VerifyBindings checks that commits are bound to the refs that name them.
	VerifyBindings bool
	// VerifyBackRefs checks also that the refs that a commit is bound to name it,
	// which no repository with a history passes.
	VerifyBackRefs bool
	// AddTombstones writes tombstones for missing parents of commits, and makes
	// the repository keep them from then on.
	AddTombstones bool
	// Message, if not nil, is told what is done next, in the words of upstream.
	Message func(text string)
	// Progress, if not nil, is called with how many of total objects are done.
	// It may be called from several goroutines.
	Progress func(done, total int)
}

// A Problem is something that is wrong in a repository.
type Problem struct {
	Object  ostree.ObjectName
	Ref     string            // set when the problem is with a ref
	Commits []ostree.Checksum // that need the object
	Marked  []ostree.Checksum // of these, the ones that became partial
	Missing bool              // the object is not there
	Err     error
}

// Error is the text that upstream's fsck prints.
func (p *Problem) Error() string {
	if p.Ref != "" {
		return p.Err.Error()
	}
	in := ""
	for i, c := range p.Commits {
		if i > 0 {
			in += ", "
		}
		in += c.String()
	}
	switch {
	case p.Missing && in == "":
		return fmt.Sprintf("Object missing: %s", p.Object)
	case p.Missing:
		return fmt.Sprintf("Object missing in commits %s: %s", in, p.Object)
	case in != "":
		in = fmt.Sprintf("In commits %s: ", in)
	}
	if p.Object.Type.IsMetadata() {
		return fmt.Sprintf("%sfsck %s: %v", in, p.Object, p.Err)
	}
	return fmt.Sprintf("%sfsck content object %s: %v", in, p.Object.Checksum, p.Err)
}

func (p *Problem) Unwrap() error { return p.Err }

// FsckReport is what Fsck found.
type FsckReport struct {
	Commits  int // whose objects were verified
	Partial  int // commits that are marked as partial, whose trees were not verified
	Broken   int // of these, commits that an earlier Fsck marked
	Objects  int // verified
	Problems []*Problem
	// Tombstones are the missing parents that have got tombstones.
	Tombstones []ostree.Checksum
}

// Err returns nil for a sound repository.
func (r *FsckReport) Err() error {
	for _, p := range r.Problems {
		if !p.Missing {
			return p
		}
	}
	if len(r.Problems) > 0 {
		return fmt.Errorf("Repository corruption encountered: %w", r.Problems[0])
	}
	return nil
}

// Fsck verifies refs, and every object that the repository's commits need. The
// error is for failures to look and to mend; what is wrong, up to then, is in the report.
func (r *Repo) Fsck(ctx context.Context, o FsckOptions) (*FsckReport, error) {
	if o.Delete || o.AddTombstones {
		unlock, err := r.Lock(ctx, Exclusive)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	if o.Message == nil {
		o.Message = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	f := &fsck{r: r, o: o, ctx: ctx, report: &FsckReport{}, seen: ObjectSet{}}
	if err := f.refs(); err != nil {
		return f.report, err
	}
	if f.stopped() {
		return f.report, context.Cause(ctx)
	}
	if err := f.commits(); err != nil {
		return f.report, err
	}
	if err := f.files(); err != nil {
		return f.report, err
	}
	return f.report, f.conclude()
}

type fsck struct {
	r      *Repo
	o      FsckOptions
	ctx    context.Context
	report *FsckReport
	seen   ObjectSet
	nested tree.Nesting
	sound  []ostree.Checksum // commits that are not partial
	todo   []ostree.Checksum // file objects
	mu     sync.Mutex
	stop   bool
}

func (f *fsck) problem(n ostree.ObjectName, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	missing := isMissing(err)
	f.report.Problems = append(f.report.Problems, &Problem{Object: n, Missing: missing, Err: err})
	if !missing && !f.o.All && !f.o.Delete {
		f.stop = true
	}
}

func (f *fsck) stopped() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stop || f.ctx.Err() != nil
}

// refs checks that every ref names a commit that is there.
func (f *fsck) refs() error {
	f.o.Message("Validating refs...")
	refs, err := f.r.Refs()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		f.ref(ref.Name, "", ref.Name, ref.Checksum)
	}
	f.o.Message("Validating refs in collections...")
	mirrors, err := f.r.MirrorRefs()
	if err != nil {
		return err
	}
	for _, ref := range mirrors {
		f.ref(ref.CollectionRef.String(), ref.Collection, ref.Ref, ref.Checksum)
	}
	if own := f.r.CollectionID(); own != "" && (f.o.VerifyBindings || f.o.VerifyBackRefs) {
		for _, ref := range refs {
			if ref.Remote == "" {
				f.ref(ostree.CollectionRef{Collection: own, Ref: ref.Name}.String(), own, ref.Name, ref.Checksum)
			}
		}
	}
	return nil
}

// ref checks one ref, of a collection or none.
func (f *fsck) ref(text, collection, name string, sum ostree.Checksum) {
	n := ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: sum}
	bad := func(err error) {
		f.report.Problems = append(f.report.Problems, &Problem{Object: n, Ref: text, Err: err})
	}
	data, err := f.verified(n)
	if err != nil {
		f.problem(n, err)
	}
	if isMissing(err) {
		bad(fmt.Errorf("Loading commit for ref %s: %w", text, err))
	}
	if err != nil {
		return
	}
	c, err := ostree.ParseCommit(data)
	if err != nil {
		f.problem(n, structureError(n, err))
		return
	}
	if !f.o.VerifyBindings && !f.o.VerifyBackRefs {
		return
	}
	if err := VerifyBindings(&c, collection, name); err != nil {
		bad(fmt.Errorf("Commit %s: %w", sum, err))
	}
}

// commits verifies all metadata objects and collects the file objects.
func (f *fsck) commits() error {
	f.o.Message("Enumerating commits...")
	list, err := f.r.commits()
	if err != nil {
		return err
	}
	slices.SortFunc(list, ostree.Checksum.Compare)
	for _, c := range list {
		if err := context.Cause(f.ctx); err != nil {
			return err
		}
		partial, err := f.r.IsPartial(c)
		if err != nil {
			return err
		}
		if partial {
			f.report.Partial++
			broken, err := f.r.brokenPartial(c)
			if err != nil {
				return err
			}
			if broken {
				f.report.Broken++
			}
		} else {
			f.report.Commits++
			f.sound = append(f.sound, c)
		}
		if f.stopped() {
			continue // this commit may need the broken object too
		}
		n := ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: c}
		data, ok := f.metadata(n.Type, c)
		if !ok {
			continue
		}
		commit, err := ostree.ParseCommit(data)
		if err != nil {
			f.problem(n, structureError(n, err))
			continue
		}
		if !partial {
			f.dir(commit.Tree, commit.Meta, 0)
			if err := f.nested.Check(commit.Tree); err != nil {
				f.problem(n, structureError(n, err))
			}
		}
		if err := f.backRefs(c, &commit); err != nil {
			return err
		}
		if err := f.tombstone(&commit); err != nil {
			return err
		}
	}
	return nil
}

// lookupCollectionRef returns the commit of a ref of a collection: a local branch for
// the repository's own one or none, else a mirror.
func (r *Repo) lookupCollectionRef(collection, ref string) (ostree.Checksum, error) {
	if collection == "" || collection == r.CollectionID() {
		return r.LookupRef("", ref)
	}
	mirrors, err := r.MirrorRefs()
	if err != nil {
		return ostree.Checksum{}, err
	}
	for _, m := range mirrors {
		if m.Collection == collection && m.Ref == ref {
			return m.Checksum, nil
		}
	}
	return ostree.Checksum{}, notFoundError(fmt.Sprintf("Refspec '%s' not found", ref))
}

// backRefs checks the refs that a commit is bound to.
func (f *fsck) backRefs(sum ostree.Checksum, c *ostree.Commit) error {
	v, ok := c.Metadata.Lookup(ostree.KeyRefBinding)
	if !f.o.VerifyBackRefs || !ok {
		return nil
	}
	collection := c.MetadataString(ostree.KeyCollectionBinding)
	for _, ref := range v.StrArray() {
		name := fmt.Sprintf("Ref ‘%s’", ref)
		if collection != "" {
			name = fmt.Sprintf("Collection–ref (%s, %s)", collection, ref)
		}
		fault := "does not resolve to that commit"
		tip, err := f.r.lookupCollectionRef(collection, ref)
		switch {
		case err != nil:
			fault = "does not exist"
		case tip == sum:
			continue
		}
		f.report.Problems = append(f.report.Problems, &Problem{Ref: ref,
			Object: ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: sum},
			Err:    fmt.Errorf("%s in bindings for commit %s %s", name, sum, fault)})
	}
	return nil
}

// tombstone writes one for the parent, unless that is there or has one.
func (f *fsck) tombstone(c *ostree.Commit) error {
	if !f.o.AddTombstones || c.Parent.IsZero() {
		return nil
	}
	if ok, err := f.r.Has(ostree.ObjectCommit, c.Parent); ok || err != nil {
		return err
	}
	if err := f.r.keepTombstones(); err != nil {
		return err
	}
	if ok, err := f.r.Has(ostree.ObjectTombstoneCommit, c.Parent); ok || err != nil {
		return err
	}
	f.report.Tombstones = append(f.report.Tombstones, c.Parent)
	return f.r.writeTombstone(c.Parent)
}

// verified reads a metadata object and compares its checksum.
func (f *fsck) verified(n ostree.ObjectName) ([]byte, error) {
	data, err := f.r.ReadMetadata(n.Type, n.Checksum)
	if err != nil {
		return nil, err
	}
	if got := ostree.ChecksumOf(data); got != n.Checksum {
		return nil, &CorruptError{n, got}
	}
	return data, nil
}

// metadata reads and verifies one object, once.
func (f *fsck) metadata(t ostree.ObjectType, c ostree.Checksum) ([]byte, bool) {
	if !f.seen.Add(t, c) {
		return nil, false
	}
	f.report.Objects++
	n := ostree.ObjectName{Type: t, Checksum: c}
	data, err := f.verified(n)
	if err != nil {
		f.problem(n, err)
		return nil, false
	}
	return data, true
}

// structureError is the error for an object that is what its checksum says, but not what it
// should be.
func structureError(n ostree.ObjectName, err error) error { return fmt.Errorf("%s: %w", n, err) }

func (f *fsck) dir(treeSum, metaSum ostree.Checksum, depth int) {
	if f.stopped() || depth > tree.MaxDepth { // which is a problem of the commit
		return
	}
	if data, ok := f.metadata(ostree.ObjectDirMeta, metaSum); ok {
		if _, err := ostree.ParseDirMeta(data); err != nil {
			n := ostree.ObjectName{Type: ostree.ObjectDirMeta, Checksum: metaSum}
			f.problem(n, structureError(n, err))
		}
	}
	data, ok := f.metadata(ostree.ObjectDirTree, treeSum)
	if !ok {
		return
	}
	d, err := ostree.ParseDirTree(data)
	if err != nil {
		n := ostree.ObjectName{Type: ostree.ObjectDirTree, Checksum: treeSum}
		f.problem(n, structureError(n, err))
		return
	}
	f.nested.Add(treeSum, &d)
	for _, file := range d.Files {
		if f.seen.Add(ostree.ObjectFile, file.Checksum) {
			f.todo = append(f.todo, file.Checksum)
		}
	}
	for _, sub := range d.Dirs {
		f.dir(sub.Tree, sub.Meta, depth+1)
	}
}

// files verifies the file objects, in parallel.
func (f *fsck) files() error {
	f.o.Message(fmt.Sprintf("Verifying content integrity of %d commit objects...", f.report.Commits))
	total := f.report.Objects + len(f.todo)
	for i := range f.report.Objects {
		f.o.Progress(i+1, total)
	}
	done := atomic.Int64{}
	done.Store(int64(f.report.Objects))
	next := atomic.Int64{}
	g, _ := errgroup.WithContext(f.ctx)
	for range 2 * runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for !f.stopped() {
				i := int(next.Add(1) - 1)
				if i >= len(f.todo) {
					return nil
				}
				if err := f.r.verifyFile(f.todo[i]); err != nil {
					f.problem(ostree.ObjectName{Type: ostree.ObjectFile, Checksum: f.todo[i]}, err)
				}
				f.o.Progress(int(done.Add(1)), total)
			}
			return context.Cause(f.ctx)
		})
	}
	err := g.Wait()
	f.report.Objects = int(done.Load())
	return err
}

// verifyFile hashes a file object.
func (o *Objects) verifyFile(c ostree.Checksum) error {
	h, size, content, err := o.File(c)
	if err != nil {
		return err
	}
	defer content.Close()
	digest := hashes.Get().(hash.Hash)
	defer hashes.Put(digest)
	digest.Reset()
	digest.Write(ostree.Framed(h.Marshal()))
	if ostree.IsRegular(h.Mode) {
		buf := bigBufs.Get().(*[]byte)
		n, err := io.CopyBuffer(onlyWriter{digest}, content, *buf)
		bigBufs.Put(buf)
		if err == nil && n != size {
			err = errors.New("file changed while it was read")
		}
		if err != nil {
			return err
		}
	}
	var got ostree.Checksum
	if digest.Sum(got[:0]); got != c {
		return &CorruptError{ostree.ObjectName{Type: ostree.ObjectFile, Checksum: c}, got}
	}
	return nil
}

// conclude finds the commits that problems concern, marks them as partial and
// removes what is corrupted. What cannot be removed is an error in the end.
func (f *fsck) conclude() error {
	concerned := false
	for _, p := range f.report.Problems {
		concerned = concerned || p.Ref == ""
	}
	if !concerned {
		return nil
	}
	for _, c := range f.sound {
		set := ObjectSet{}
		// What cannot be read is a problem that the report has already.
		f.r.collect(c, set)
		for _, p := range f.report.Problems {
			if p.Ref == "" && set.Has(p.Object.Type, p.Object.Checksum) {
				p.Commits = append(p.Commits, c)
			}
		}
	}
	var left error
	for _, p := range f.report.Problems {
		if p.Ref != "" || !p.Missing && !f.o.Delete {
			continue
		}
		if !p.Missing {
			left = errors.Join(left, f.r.deleteObject(p.Object))
		}
		if p.Object.Type == ostree.ObjectCommit {
			continue
		}
		for _, c := range p.Commits {
			if ok, err := f.r.IsPartial(c); err != nil {
				return errors.Join(left, err)
			} else if ok {
				continue
			}
			if err := f.r.setPartial(c, true, "f"); err != nil {
				return errors.Join(left, err)
			}
			p.Marked = append(p.Marked, c)
		}
	}
	return left
}

// collect is Traverse for one commit that goes on after errors.
func (r *Repo) collect(c ostree.Checksum, set ObjectSet) {
	set.Add(ostree.ObjectCommit, c)
	commit, err := r.Commit(c)
	if err != nil {
		return
	}
	r.collectTree(commit.Tree, commit.Meta, set, 0)
}

func (r *Repo) collectTree(treeSum, metaSum ostree.Checksum, set ObjectSet, depth int) {
	set.Add(ostree.ObjectDirMeta, metaSum)
	if !set.Add(ostree.ObjectDirTree, treeSum) || depth > tree.MaxDepth {
		return
	}
	d, err := r.DirTree(treeSum)
	if err != nil {
		return
	}
	for _, file := range d.Files {
		set.Add(ostree.ObjectFile, file.Checksum)
	}
	for _, sub := range d.Dirs {
		r.collectTree(sub.Tree, sub.Meta, set, depth+1)
	}
}
