package repo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// TransactionOptions say how objects are written.
type TransactionOptions struct {
	// NoFsync leaves it to the kernel when data reaches the disk, as the
	// configuration core.fsync=false does.
	NoFsync bool
	// PerObjectFsync syncs every file as it is written, which bounds the work
	// of the final sync at the price of more work, as core.per-object-fsync.
	PerObjectFsync bool
}

// A Transaction adds objects and changes refs, all or nothing. It may be shared
// by goroutines until Commit or Abort, which end it. It reads the objects that
// it wrote, and those of the repository.
//
// A [tree.Tree] that was loaded through a transaction stays readable after
// Commit, as long as the repository is open.
type Transaction struct {
	*Objects
	repo     *Repo
	ctx      context.Context
	options  TransactionOptions
	tmp      *dirfd.Dir
	staging  *staging
	unlock   func() error
	prefix   [256]atomic.Bool // staging directories that exist
	budget   budget
	zip      *deflater
	stats    counters
	noClone  atomic.Bool // the file system cannot reflink
	noVerity atomic.Bool // the file system has no fs-verity

	reflinks func() bool // that it can, once found out

	noSummary bool // the summary is being updated already

	mu   sync.Mutex
	refs map[string]refUpdate // by path
	done bool
}

// Stats counts the objects of a transaction.
type Stats struct {
	MetadataTotal, MetadataWritten int
	ContentTotal, ContentWritten   int
	CacheHits                      int    // files whose checksum was known by device and inode
	ContentBytesWritten            uint64 // before compression
}

type counters struct {
	metadataTotal, metadataWritten, contentTotal, contentWritten, cacheHits atomic.Int64
	contentBytes                                                            atomic.Uint64
}

// Stats returns the counts so far.
func (tx *Transaction) Stats() Stats {
	c := &tx.stats
	return Stats{int(c.metadataTotal.Load()), int(c.metadataWritten.Load()), int(c.contentTotal.Load()),
		int(c.contentWritten.Load()), int(c.cacheHits.Load()), c.contentBytes.Load()}
}

// Begin starts a transaction. The repository's lock is held, shared, until its
// end. The context cancels the transaction's longer operations.
func (r *Repo) Begin(ctx context.Context, o TransactionOptions) (*Transaction, error) {
	if err := r.CheckWritable(); err != nil {
		return nil, err
	}
	s := r.settings()
	o.NoFsync = o.NoFsync || !s.fsync
	o.PerObjectFsync = (o.PerObjectFsync || s.perObjectFsync) && !o.NoFsync
	tx := &Transaction{repo: r, ctx: ctx, options: o, refs: map[string]refUpdate{}, zip: newDeflater(s.zlibLevel)}
	tx.reflinks = sync.OnceValue(tx.canReflink)
	var err error
	if tx.unlock, err = r.Lock(ctx, Shared); err != nil {
		return nil, err
	}
	if err := tx.open(s); err != nil {
		tx.close()
		return nil, err
	}
	return tx, nil
}

func (tx *Transaction) open(s *settings) error {
	var err error
	if tx.tmp, err = tx.repo.dir.Create("tmp", 0o775); err != nil {
		return err
	}
	if tx.staging, err = openStaging(tx.tmp); err != nil {
		return err
	}
	for i := range 256 {
		if ok, err := tx.staging.dir.Exists(fmt.Sprintf("%02x", i)); err != nil {
			return err
		} else if ok {
			tx.prefix[i].Store(true)
		}
	}
	o := *tx.repo.Objects
	o.dirs = []int{tx.staging.dir.FD(), tx.repo.object.FD()}
	tx.Objects = &o
	st, err := tx.staging.dir.Statfs()
	if err != nil {
		return err
	}
	return tx.budget.init(s.minFree, st, Privileged())
}

// Repo is the repository that the transaction writes to.
func (tx *Transaction) Repo() *Repo { return tx.repo }

// SetRef makes a ref name a commit when the transaction commits. The remote is
// "" for a local branch. A zero checksum deletes the ref.
func (tx *Transaction) SetRef(remote, ref string, c ostree.Checksum) error {
	if remote != "" {
		if err := ostree.ValidateRemoteName(remote); err != nil {
			return err
		}
	}
	return tx.queueRef(refUpdate{dir: refDir(remote), name: ref, sum: c})
}

// SetMirrorRef is SetRef for a ref of a collection that is mirrored. A ref of
// the repository's own collection is a local branch.
func (tx *Transaction) SetMirrorRef(ref ostree.CollectionRef, c ostree.Checksum) error {
	if err := ostree.ValidateCollectionID(ref.Collection); err != nil {
		return err
	}
	if ref.Collection == tx.repo.CollectionID() {
		return tx.SetRef("", ref.Ref, c)
	}
	return tx.queueRef(refUpdate{dir: "refs/mirrors/" + ref.Collection, name: ref.Ref, sum: c})
}

func (tx *Transaction) queueRef(u refUpdate) error {
	if err := validateNewRef(u.name); err != nil {
		return err
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.refs[u.dir+"/"+u.name] = u
	return nil
}

var errDone = errors.New("transaction is already committed or aborted")

// finish marks the transaction ended.
func (tx *Transaction) finish() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.done {
		return errDone
	}
	tx.done = true
	return nil
}

// Abort ends the transaction and throws away what it wrote. After Commit it
// does nothing, so that it can be deferred.
func (tx *Transaction) Abort() error {
	if tx.finish() != nil {
		return nil
	}
	return tx.discard()
}

func (tx *Transaction) discard() error {
	tx.Objects.dirs = []int{tx.repo.object.FD()}
	err := tx.staging.remove(tx.tmp)
	tx.staging = nil
	return errors.Join(err, tx.close())
}

// close gives back what open took. Objects stay staged.
func (tx *Transaction) close() error {
	if tx.staging != nil {
		tx.staging.dir.Close()
		unix.Close(tx.staging.lock)
	}
	if tx.tmp != nil {
		tx.tmp.Close()
	}
	return tx.unlock()
}

// Commit moves the objects into the repository and then changes the refs. On
// failure no ref names an object that is not there.
func (tx *Transaction) Commit() (Stats, error) {
	if err := tx.finish(); err != nil {
		return Stats{}, err
	}
	if strings.Contains(os.Getenv("OSTREE_REPO_TEST_ERROR"), "pre-commit") {
		// For tests of what is left when a process ends here.
		_ = tx.tmp.Unlink(tx.staging.name + "-lock")
		return Stats{}, errors.Join(errors.New("OSTREE_REPO_TEST_ERROR_PRE_COMMIT specified"), tx.close())
	}
	err := tx.publish()
	if err2 := tx.discard(); err == nil {
		err = err2
	}
	if err == nil && len(tx.refs) > 0 && !tx.noSummary {
		err = tx.repo.autoSummary(tx.ctx)
	}
	return tx.Stats(), err
}

func (tx *Transaction) publish() error {
	if err := context.Cause(tx.ctx); err != nil {
		return err
	}
	if err := tx.budget.failure.Load(); err != nil { // what was staged is gone
		return err
	}
	if err := failpoint.At("repo.commit.staged"); err != nil {
		return err
	}
	if !tx.options.NoFsync {
		if err := tx.staging.dir.SyncFS(); err != nil {
			return err
		}
	}
	if err := failpoint.At("repo.commit.synced"); err != nil {
		return err
	}
	if err := tx.moveObjects(); err != nil {
		return err
	}
	if err := failpoint.At("repo.commit.renamed"); err != nil {
		return err
	}
	if err := cleanTmp(tx.tmp, tx.repo.settings().tmpExpiry); err != nil {
		return err
	}
	if err := tx.writeRefs(); err != nil {
		return err
	}
	return failpoint.At("repo.commit.refs")
}

func (tx *Transaction) writeRefs() error {
	for _, key := range slices.Sorted(maps.Keys(tx.refs)) {
		u := tx.refs[key]
		u.noFsync = tx.options.NoFsync
		if err := tx.repo.setRef(u); err != nil {
			return err
		}
		if err := failpoint.At("repo.commit.ref"); err != nil {
			return err
		}
	}
	return nil
}

// moveObjects renames the staged objects into the repository. Commit objects
// come last, when the directories with all others are durable: a commit that
// is there is complete, even after a power failure.
func (tx *Transaction) moveObjects() error {
	m := mover{tx: tx, touched: map[string]bool{}}
	for i := range tx.prefix {
		if tx.prefix[i].Load() {
			if err := m.movePrefix(fmt.Sprintf("%02x", i)); err != nil {
				return err
			}
		}
	}
	if err := m.sync(); err != nil {
		return err
	}
	if err := failpoint.At("repo.commit.objects"); err != nil {
		return err
	}
	for _, path := range m.commits {
		if err := m.move(path); err != nil {
			return err
		}
		// The commit is back: it is deleted no more.
		tombstone := strings.TrimSuffix(path, ".commit") + ".tombstone-commit"
		if err := unix.Unlinkat(tx.repo.object.FD(), tombstone, 0); err != nil && err != unix.ENOENT {
			return &os.PathError{Op: "unlink", Path: tombstone, Err: err}
		}
		m.touched[path[:2]] = true
	}
	return m.sync()
}

type mover struct {
	tx      *Transaction
	touched map[string]bool // directories to sync
	commits []string        // paths that wait for the second pass
	top     bool            // objects itself has to be synced
}

// movePrefix moves one directory of staged objects: as a whole if the
// repository has none of that name, else file by file.
func (m *mover) movePrefix(prefix string) error {
	from, to := m.tx.staging.dir, m.tx.repo.object
	d, err := from.Open(prefix)
	if err != nil {
		return err
	}
	entries, err := d.ReadDir()
	d.Close()
	if err != nil {
		return err
	}
	var files []string
	for _, e := range entries {
		path := prefix + "/" + e.Name
		if strings.HasSuffix(e.Name, ".commit") {
			m.commits = append(m.commits, path)
		} else {
			files = append(files, path)
		}
	}
	if err := failpoint.At("repo.commit.object"); err != nil {
		return err
	}
	if len(files) == len(entries) {
		if unix.Renameat2(from.FD(), prefix, to.FD(), prefix, unix.RENAME_NOREPLACE) == nil {
			m.top = true
			return nil
		}
	}
	if err := to.Mkdir(prefix, 0o775); err == nil {
		m.top = true
	} else if !errors.Is(err, unix.EEXIST) {
		return err
	}
	for _, path := range files {
		if err := m.move(path); err != nil {
			return err
		}
	}
	m.touched[prefix] = true
	return nil
}

// move renames one object. That it is there already is fine: it is the same.
// Detached metadata is not hashed, and replaced.
func (m *mover) move(path string) error {
	if err := failpoint.At("repo.commit.object"); err != nil {
		return err
	}
	from, to := m.tx.staging.dir, m.tx.repo.object
	if strings.HasSuffix(path, ".commitmeta") {
		return from.Rename(path, to, path)
	}
	err := from.RenameNoReplace(path, to, path)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// maxDirectorySyncs is how many directories are synced one by one. Each sync
// waits for the journal; beyond a few, one sync of the file system is quicker.
const maxDirectorySyncs = 4

// sync makes the new names durable.
func (m *mover) sync() error {
	touched, top := m.touched, m.top
	m.touched, m.top = map[string]bool{}, false
	if m.tx.options.NoFsync {
		return nil
	}
	if len(touched) > maxDirectorySyncs {
		return m.tx.repo.object.SyncFS()
	}
	for _, prefix := range slices.Sorted(maps.Keys(touched)) {
		d, err := m.tx.repo.object.Open(prefix)
		if err != nil {
			return err
		}
		err = d.Sync()
		d.Close()
		if err != nil {
			return err
		}
	}
	if top {
		return m.tx.repo.object.Sync()
	}
	return nil
}
