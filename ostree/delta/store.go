package delta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// List returns the deltas of a repository, ordered by name.
func List(r *repo.Repo) ([]Name, error) {
	list, err := list(r.Dir(), "deltas", func(d *dirfd.Dir, name string) (Name, bool) {
		n, err := ParseDir(path.Base(d.Name()) + "/" + name)
		if err != nil {
			return Name{}, false
		}
		ok, err := d.Exists(name + "/superblock")
		return n, ok && err == nil
	})
	slices.SortFunc(list, func(a, b Name) int { return strings.Compare(a.String(), b.String()) })
	return list, err
}

// Indexes returns the commits for which a repository has an index of deltas,
// ordered by name.
func Indexes(r *repo.Repo) ([]ostree.Checksum, error) {
	list, err := list(r.Dir(), "delta-indexes", func(d *dirfd.Dir, name string) (ostree.Checksum, bool) {
		base, ok := strings.CutSuffix(name, ".index")
		sum, err := decode(path.Base(d.Name()) + base)
		return sum, ok && err == nil
	})
	slices.SortFunc(list, ostree.Checksum.Compare)
	return list, err
}

// list calls parse with what is in the subdirectories of a directory.
func list[T any](root *dirfd.Dir, dir string, parse func(d *dirfd.Dir, name string) (T, bool)) (out []T, err error) {
	top, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer top.Close()
	prefixes, err := top.ReadDir()
	if err != nil {
		return nil, err
	}
	for _, prefix := range prefixes {
		d, err := top.Open(prefix.Name)
		if err != nil {
			continue // no directory
		}
		entries, err := d.ReadDir()
		for _, e := range entries {
			if x, ok := parse(d, e.Name); ok {
				out = append(out, x)
			}
		}
		d.Close()
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Exists reports whether a repository has a delta.
func Exists(r *repo.Repo, n Name) (bool, error) { return r.Dir().Exists(n.Dir() + "/superblock") }

// Delete removes a delta from a repository.
func Delete(ctx context.Context, r *repo.Repo, n Name) error {
	if ok, err := r.Dir().Exists(n.Dir()); err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("Can't find delta %s", n)
	}
	unlock, err := r.Lock(ctx, repo.Shared)
	if err != nil {
		return err
	}
	defer unlock()
	parent, err := r.Dir().OpenDirBeneath(path.Dir(n.Dir()), dirfd.NoSymlinks)
	if err != nil {
		return err
	}
	defer parent.Close()
	// Without its superblock it is no delta any more, whatever happens next.
	if d, err := parent.Open(path.Base(n.Dir())); err == nil {
		err = d.Unlink("superblock")
		d.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return parent.RemoveAll(path.Base(n.Dir()))
}

// A File is a superblock that was read from a file, and where its parts are.
type File struct {
	Superblock *Superblock
	Signed     *Signed // nil if it has no signatures
	dir        string
	content    *content
}

// Open reads the superblock of a delta in a repository.
func Open(r *repo.Repo, n Name) (*File, error) {
	return OpenFile(filepath.Join(r.Path(), n.Dir()))
}

// OpenFile reads a superblock, or that in a directory.
func OpenFile(name string) (*File, error) {
	if st, err := os.Stat(name); err == nil && st.IsDir() {
		name = filepath.Join(name, "superblock")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f, err := ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.dir = filepath.Dir(name)
	return f, nil
}

// ReadFile reads a superblock from an open file, which is not needed any more then. It may
// have all parts in it: if it is large it is mapped, until Close.
func ReadFile(file *os.File) (*File, error) {
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("no regular file")
	}
	f := &File{}
	if st.Size() > maxInMemory {
		f.content, err = mapFile(file, st.Size())
	} else {
		f.content = new(content)
		f.content.data, err = io.ReadAll(io.NewSectionReader(file, 0, maxInMemory))
	}
	if err != nil {
		return nil, err
	}
	if err := f.parse(f.content.data); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *File) parse(data []byte) (err error) {
	if s, ok := ParseSigned(data); ok {
		f.Signed, data = &s, s.Superblock
	}
	f.Superblock, err = Parse(data)
	return err
}

// Close releases what the superblock refers to.
func (f *File) Close() error { return f.content.close() }

// Inline returns the verified file of a part that is in the superblock. ok is false if it
// is not there.
func (f *File) Inline(i int) (part *io.SectionReader, ok bool, err error) {
	data, ok := f.Superblock.InlinePart(i)
	if !ok {
		return nil, false, nil
	}
	part = io.NewSectionReader(&pages{f.content, data}, 0, int64(len(data)))
	return part, true, f.Superblock.Parts[i].Verify(part)
}

// Part calls fn with the verified file of a part.
func (f *File) Part(i int, fn func(*io.SectionReader) error) error {
	part, ok, err := f.Inline(i)
	if ok || err != nil {
		if err == nil {
			err = fn(part)
		}
		return err
	}
	d, err := dirfd.Open(f.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	file, err := d.OpenFile(fmt.Sprint(i), unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", file.Name())
	}
	part = io.NewSectionReader(file, 0, st.Size())
	if err := f.Superblock.Parts[i].Verify(part); err != nil {
		return err
	}
	return fn(part)
}

// Apply makes the target commit in a repository out of a delta whose parts are at
// hand. It sets no ref. The commit is partial if the one is partial that the delta
// starts from.
func (f *File) Apply(ctx context.Context, r *repo.Repo) error {
	s := f.Superblock
	partial := false
	if !s.From.IsZero() {
		ok, err := r.Has(ostree.ObjectCommit, s.From)
		if err == nil && !ok {
			err = &NoSourceError{s.From}
		}
		if err == nil {
			partial, err = r.IsPartial(s.From)
		}
		if err != nil {
			return err
		}
	}
	if len(s.Fallbacks) > 0 {
		return errors.New("Cannot execute delta offline: contains nonempty http fallback entries")
	}
	tx, err := r.Begin(ctx, repo.TransactionOptions{})
	if err != nil {
		return err
	}
	defer tx.Abort()
	if err := f.write(ctx, tx); err != nil {
		return err
	}
	if partial {
		if err := r.SetPartial(s.To, true); err != nil {
			return err
		}
	} else if err := s.checkWhole(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Commit(); err != nil {
		return err
	}
	if err := failpoint.At("delta.applied"); err != nil || partial {
		return err
	}
	return r.SetPartial(s.To, false)
}

// checkWhole makes sure that all is there which the target commit names and the source
// commit, which is whole, does not have in the same place.
func (s *Superblock) checkWhole(ctx context.Context, tx *repo.Transaction) error {
	to, err := ostree.ParseCommit(s.Commit)
	if err != nil {
		return err
	}
	var from ostree.Commit
	if !s.From.IsZero() {
		c, err := tx.Objects.Commit(s.From)
		if err != nil {
			return err
		}
		from = *c
	}
	w := whole{tx: tx, seen: map[ostree.Checksum]bool{}}
	if err := w.need(ostree.ObjectDirMeta, to.Meta); err != nil {
		return err
	}
	w.g, ctx = errgroup.WithContext(ctx)
	w.g.SetLimit(runtime.GOMAXPROCS(0))
	w.g.Go(func() error { return w.dir(ctx, to.Tree, from.Tree, 0) })
	if err := w.g.Wait(); err != nil {
		return err
	}
	return w.nested.Check(to.Tree)
}

// whole is the state of checkWhole.
type whole struct {
	tx     *repo.Transaction
	g      *errgroup.Group // of calls of dir
	nested tree.Nesting    // of what differs from the source

	mu   sync.Mutex
	seen map[ostree.Checksum]bool // dirtrees
}

// first reports whether a dirtree was not seen before.
func (w *whole) first(sum ostree.Checksum) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen[sum]
	w.seen[sum] = true
	return !seen
}

func (w *whole) need(t ostree.ObjectType, c ostree.Checksum) error {
	ok, err := w.tx.Has(t, c)
	if err == nil && !ok {
		err = fmt.Errorf("static delta lacks object %s", ostree.ObjectName{Type: t, Checksum: c})
	}
	return err
}

// dir checks a directory; old is that in its place in the source commit, or zero.
func (w *whole) dir(ctx context.Context, sum, old ostree.Checksum, depth int) error {
	switch {
	case sum == old:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case depth > tree.MaxDepth:
		return tree.ErrTooDeep
	case !w.first(sum): // what the source has in the other place may be too deep here
		return w.nested.Load(w.tx, sum)
	}
	if err := w.need(ostree.ObjectDirTree, sum); err != nil {
		return err
	}
	now, err := w.tx.DirTree(sum)
	if err != nil {
		return err
	}
	w.nested.Add(sum, now)
	before := new(ostree.DirTree)
	if !old.IsZero() {
		if before, err = w.tx.DirTree(old); err != nil {
			return err
		}
	}
	files := make(map[string]ostree.Checksum, len(before.Files))
	for _, f := range before.Files {
		files[f.Name] = f.Checksum
	}
	for _, f := range now.Files {
		if files[f.Name] == f.Checksum {
			continue
		}
		if err := w.need(ostree.ObjectFile, f.Checksum); err != nil {
			return err
		}
	}
	dirs := make(map[string]ostree.TreeDir, len(before.Dirs))
	for _, d := range before.Dirs {
		dirs[d.Name] = d
	}
	for _, d := range now.Dirs {
		o := dirs[d.Name]
		if d.Meta != o.Meta {
			if err := w.need(ostree.ObjectDirMeta, d.Meta); err != nil {
				return err
			}
		}
		check := func() error { return w.dir(ctx, d.Tree, o.Tree, depth+1) }
		if w.g.TryGo(check) { // else all processors are busy
			continue
		}
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// write writes the target commit and the objects of all parts. While the objects of a part
// are written, the next one is decompressed.
func (f *File) write(ctx context.Context, tx *repo.Transaction) error {
	if err := f.Superblock.WriteCommit(tx); err != nil {
		return err
	}
	u := &Unpacker{Dir: filepath.Join(tx.Repo().Path(), "tmp")}
	defer u.Close()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for i := range f.Superblock.Parts {
		meta := &f.Superblock.Parts[i]
		if done, err := meta.done(tx); err != nil {
			return errors.Join(err, g.Wait())
		} else if done {
			continue
		}
		g.Go(func() error {
			err := context.Cause(ctx)
			if err == nil {
				err = f.Part(i, func(file *io.SectionReader) error {
					_, err := u.ApplyPart(ctx, tx, *meta, file)
					return err
				})
			}
			if err != nil {
				return fmt.Errorf("Executing delta part %d: %w", i, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// done tells whether all objects of the part are there.
func (m *PartMeta) done(tx *repo.Transaction) (bool, error) {
	for _, n := range m.Objects {
		if ok, err := tx.Has(n.Type, n.Checksum); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}
