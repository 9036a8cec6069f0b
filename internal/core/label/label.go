// Package label gives the files of a tree their SELinux labels.
package label

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// Attribute is the extended attribute that holds a label, and a zero byte after it.
const Attribute = "security.selinux"

// A Policy knows labels: a *selinux.Policy. Of the mode only the type counts. It is
// used by several goroutines at a time.
type Policy interface {
	Label(path string, mode uint32) (string, error)
}

// A Writer stores files again with other headers: a *repo.Transaction. It is used by
// several goroutines at a time.
type Writer interface {
	FileHeader(ostree.Checksum) (ostree.FileHeader, error)
	CloneFile(ostree.Checksum, ostree.FileHeader) (ostree.Checksum, error)
}

// Options say how labels are found. The zero value is that of layered trees.
type Options struct {
	// EtcOfUsr labels what is in /usr/etc as what it becomes in /etc:
	// selinux-label-version 1 of treefiles.
	EtcOfUsr bool
	// All makes it an error if the policy has no label for a file, which
	// otherwise stays as it is.
	All bool
}

// Files returns the tree t with labels on all that differs from base, whose labels
// are right: tree.Empty labels everything. What has its label is not read. If base
// has no labels, its files stay as they are, but all directories get their labels,
// as they do if rpm-ostree layers on such a tree.
func Files(ctx context.Context, base, t tree.Tree, p Policy, w Writer, o Options) (tree.Tree, error) {
	l := labeller{policy: p, w: w, o: o}
	root, err := base.Root().Meta()
	if err != nil {
		return t, err
	}
	known := slices.ContainsFunc(root.Xattrs, func(x ostree.Xattr) bool { return x.Name == Attribute })
	for c, err := range tree.Diff(base, t) {
		switch {
		case err != nil:
			return t, err
		case c.To == nil:
		case !c.To.IsDir:
			l.files = append(l.files, newPlace(c))
		case known:
			l.dirs = append(l.dirs, newPlace(c))
		}
	}
	if known {
		return l.run(ctx, t)
	}
	for c, err := range tree.Diff(tree.Empty(ostree.DirMeta{}), t) {
		if err != nil {
			return t, err
		}
		if c.To.IsDir {
			l.dirs = append(l.dirs, newPlace(c))
		}
	}
	return l.run(ctx, t)
}

// A place is an entry with its path, "" for the root.
type place struct {
	path  string
	entry tree.Entry
}

func newPlace(c tree.Change) place { return place{strings.Trim(c.Path, "/"), *c.To} }

type labeller struct {
	policy      Policy
	w           Writer
	o           Options
	dirs, files []place
}

func (l *labeller) run(ctx context.Context, t tree.Tree) (tree.Tree, error) {
	sums, err := l.store(ctx)
	if err != nil {
		return t, err
	}
	b := tree.NewBuilder(t)
	for i, f := range l.files {
		if sums[i] == f.entry.Checksum {
			continue
		}
		if err := b.SetFile(f.path, sums[i]); err != nil {
			return t, err
		}
	}
	for _, d := range l.dirs {
		meta, err := d.entry.Meta()
		if err != nil {
			return t, err
		}
		label, err := l.label(d.path, meta.Mode)
		if err != nil {
			return t, err
		}
		want := ostree.DirMeta{UID: meta.UID, GID: meta.GID, Mode: meta.Mode, Xattrs: labelled(meta.Xattrs, label)}
		if want.Equal(meta) {
			continue
		}
		if err := b.SetMeta(d.path, want); err != nil {
			return t, err
		}
	}
	return b.Tree(), nil
}

// store stores the files with their labels and returns the objects' names. A file
// that is in several places is read once, and written once for each label.
func (l *labeller) store(ctx context.Context) ([]ostree.Checksum, error) {
	sums := make([]ostree.Checksum, len(l.files))
	places := map[ostree.Checksum][]int{}
	for i, f := range l.files {
		places[f.entry.Checksum] = append(places[f.entry.Checksum], i)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for sum, at := range places {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return l.file(sum, at, sums)
		})
	}
	return sums, group.Wait()
}

// file stores a file with the labels of the places at, and sets their sums.
func (l *labeller) file(sum ostree.Checksum, at []int, sums []ostree.Checksum) error {
	old, err := l.w.FileHeader(sum)
	if err != nil {
		return fmt.Errorf("%s: %w", l.files[at[0]].path, err)
	}
	stored := map[string]ostree.Checksum{}
	for _, i := range at {
		label, err := l.label(l.files[i].path, old.Mode)
		if err != nil {
			return err
		}
		c, ok := stored[label]
		if !ok {
			h := old
			h.Xattrs, c = labelled(old.Xattrs, label), sum
			if !h.Equal(old) {
				if c, err = l.w.CloneFile(sum, h); err != nil {
					return fmt.Errorf("%s: %w", l.files[i].path, err)
				}
			}
			stored[label] = c
		}
		sums[i] = c
	}
	return nil
}

// label returns the label of a path, "" if it is to stay as it is.
func (l *labeller) label(path string, mode uint32) (string, error) {
	at := "/" + path
	if etc, ok := strings.CutPrefix(at, "/usr"); ok && l.o.EtcOfUsr && (etc == "/etc" || strings.HasPrefix(etc, "/etc/")) {
		at = etc
	}
	label, err := l.policy.Label(at, mode)
	if err != nil {
		return "", fmt.Errorf("/%s: %w", path, err)
	}
	if label == "" && l.o.All {
		return "", fmt.Errorf("Failed to look up SELinux label for '/%s'", path)
	}
	return label, nil
}

// labelled returns the attributes, sorted, with a label among them.
func labelled(have []ostree.Xattr, label string) []ostree.Xattr {
	if label == "" {
		return have
	}
	return repo.SetXattr(have, Attribute, append([]byte(label), 0))
}
