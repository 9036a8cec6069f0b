package delta

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// An item is an object that a delta has to bring.
type item struct {
	ostree.ObjectName
	path   string // of a file, one of those that it has
	header ostree.FileHeader
	size   int64           // of the content, in bytes
	like   ostree.Checksum // a file object of the source commit that resembles it; zero if there is none
}

// sizeTolerance is by how many hundredths the sizes of files that resemble each
// other differ at most.
const sizeTolerance = 30

// items returns the objects that the target commit has and the source has not:
// metadata first, then files in the order of their paths. The commit object itself
// is in the superblock.
func items(ctx context.Context, r *repo.Repo, n Name) ([]item, error) {
	have, want := repo.ObjectSet{}, repo.ObjectSet{}
	if !n.From.IsZero() {
		if err := r.Traverse(ctx, n.From, 0, false, have); err != nil {
			return nil, err
		}
	}
	if err := r.Traverse(ctx, n.To, 0, false, want); err != nil {
		return nil, err
	}
	var list []item
	files := map[ostree.Checksum]bool{}
	for name := range want {
		if _, ok := have[name]; ok || name.Type == ostree.ObjectCommit || name.Type == ostree.ObjectCommitMeta {
			continue
		}
		if name.Type == ostree.ObjectFile {
			files[name.Checksum] = true
			continue
		}
		data, err := r.ReadMetadata(name.Type, name.Checksum)
		if err != nil {
			return nil, err
		}
		list = append(list, item{ObjectName: name, size: int64(len(data))})
	}
	slices.SortFunc(list, func(a, b item) int {
		return cmp.Or(cmp.Compare(b.Type, a.Type), a.Checksum.Compare(b.Checksum))
	})
	t, err := r.Tree(n.To)
	if err != nil {
		return nil, err
	}
	err = t.Walk(func(p string, e tree.Entry) error {
		if e.IsDir || !files[e.Checksum] {
			return context.Cause(ctx)
		}
		delete(files, e.Checksum)
		it, err := fileItem(r, p, e.Checksum)
		if err == nil {
			list = append(list, it)
		}
		return err
	})
	return list, err
}

func fileItem(r *repo.Repo, p string, sum ostree.Checksum) (item, error) {
	h, size, content, err := r.File(sum)
	if err != nil {
		return item{}, err
	}
	return item{ObjectName: ostree.ObjectName{Type: ostree.ObjectFile, Checksum: sum}, path: p, header: h, size: size}, content.Close()
}

// A candidate is a file of the source commit.
type candidate struct {
	item
	order int
}

// findSimilar gives each regular file of the list one of the source commit that
// may resemble it: that of the same path, else of the same name, else of the same
// name up to its first dot, and of about the same size. Only files that everybody
// may read are taken, so that what a delta has in it is no secret.
func findSimilar(r *repo.Repo, from ostree.Checksum, list []item) error {
	t, err := r.Tree(from)
	if err != nil {
		return err
	}
	wanted := map[string]bool{} // stems of the names
	for i := range list {
		if list[i].isRegular() {
			wanted[stem(list[i].path)] = true
		}
	}
	byPath, byStem := map[string]*candidate{}, map[string][]*candidate{}
	order := 0
	err = t.Walk(func(p string, e tree.Entry) error {
		if e.IsDir || !wanted[stem(p)] {
			return nil
		}
		it, err := fileItem(r, p, e.Checksum)
		if err != nil || !it.isRegular() || it.header.Mode&0o004 == 0 || isCompressed(p) {
			return err
		}
		c := &candidate{it, order}
		order++
		byPath[p] = c
		byStem[stem(p)] = append(byStem[stem(p)], c)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range list {
		it := &list[i]
		if !it.isRegular() || isCompressed(it.path) {
			continue
		}
		if c := byPath[it.path]; c != nil && alike(it.size, c.size) {
			it.like = c.Checksum
		} else if c := nearest(it, byStem[stem(it.path)]); c != nil {
			it.like = c.Checksum
		}
	}
	return nil
}

func (it *item) isRegular() bool {
	return it.Type == ostree.ObjectFile && ostree.IsRegular(it.header.Mode)
}

// isCompressed tells from the name of a file that a small change of its content changes
// everything. That may not be so of gzip.
func isCompressed(p string) bool {
	ext := path.Ext(p)
	return ext == ".xz" || ext == ".bz2"
}

// stem is a file's name up to the first dot.
func stem(p string) string {
	base, _, _ := strings.Cut(path.Base(p), ".")
	return base
}

func alike(a, b int64) bool {
	return a > 0 && b > 0 && max(a, b)-min(a, b) <= max(a, b)/100*sizeTolerance
}

// nearest returns the best of the candidates: the whole name counts before the
// size.
func nearest(it *item, list []*candidate) *candidate {
	var best *candidate
	rank := func(c *candidate) (int, int64, int) {
		name := 1
		if path.Base(c.path) == path.Base(it.path) {
			name = 0
		}
		return name, max(c.size, it.size) - min(c.size, it.size), c.order
	}
	for _, c := range list {
		if !alike(it.size, c.size) {
			continue
		}
		if best == nil {
			best = c
			continue
		}
		n, d, o := rank(c)
		bn, bd, bo := rank(best)
		if cmp.Or(cmp.Compare(n, bn), cmp.Compare(d, bd), cmp.Compare(o, bo)) < 0 {
			best = c
		}
	}
	return best
}
