package repo

import (
	"context"

	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// An ObjectSet is a set of objects.
type ObjectSet map[ostree.ObjectName]struct{}

// Add adds an object and tells whether it is new.
func (s ObjectSet) Add(t ostree.ObjectType, c ostree.Checksum) bool {
	n := ostree.ObjectName{Type: t, Checksum: c}
	if _, ok := s[n]; ok {
		return false
	}
	s[n] = struct{}{}
	return true
}

// Has tells whether an object is in the set.
func (s ObjectSet) Has(t ostree.ObjectType, c ostree.Checksum) bool {
	_, ok := s[ostree.ObjectName{Type: t, Checksum: c}]
	return ok
}

// AllHistory is a depth of history without end.
const AllHistory = -1

// Traverse adds to the set every object that a commit and up to depth of its
// ancestors need. Missing ancestors end the history; what else a partial
// commit lacks is skipped. With commitsOnly it adds commits alone.
func (r *Repo) Traverse(ctx context.Context, commit ostree.Checksum, depth int, commitsOnly bool, set ObjectSet) error {
	for first := true; !commit.IsZero(); first = false {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		c, err := r.Commit(commit)
		if isMissing(err) && !first {
			return nil
		}
		if err != nil {
			return err
		}
		isNew := set.Add(ostree.ObjectCommit, commit)
		set.Add(ostree.ObjectCommitMeta, commit)
		if !commitsOnly && isNew {
			partial, err := r.IsPartial(commit)
			if err != nil {
				return err
			}
			if err := r.traverseTree(c.Tree, c.Meta, partial, set, 0); err != nil {
				return err
			}
		}
		if depth == 0 {
			return nil
		}
		depth--
		commit = c.Parent
	}
	return nil
}

func (r *Repo) traverseTree(dir, meta ostree.Checksum, partial bool, set ObjectSet, depth int) error {
	set.Add(ostree.ObjectDirMeta, meta)
	if !set.Add(ostree.ObjectDirTree, dir) {
		return nil
	}
	if depth > tree.MaxDepth {
		return tree.ErrTooDeep
	}
	d, err := r.DirTree(dir)
	if isMissing(err) && partial {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range d.Files {
		set.Add(ostree.ObjectFile, f.Checksum)
	}
	for _, sub := range d.Dirs {
		if err := r.traverseTree(sub.Tree, sub.Meta, partial, set, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// commits returns the commit objects of the repository.
func (r *Repo) commits() ([]ostree.Checksum, error) {
	var list []ostree.Checksum
	err := r.EachObject(func(n ostree.ObjectName) error {
		if n.Type == ostree.ObjectCommit {
			list = append(list, n.Checksum)
		}
		return nil
	})
	return list, err
}
