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
	labelled := slices.ContainsFunc(root.Xattrs, func(x ostree.Xattr) bool { return x.Name == Attribute })
	for c, err := range tree.Diff(base, t) {
		switch {
		case err != nil:
			return t, err
		case c.To == nil:
		case !c.To.IsDir:
			l.files = append(l.files, newPlace(c))
		case labelled:
			l.dirs = append(l.dirs, newPlace(c))
		}
	}
	if labelled {
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
		xattrs, err := l.xattrs(d.path, meta.Mode, meta.Xattrs)
		if err != nil {
			return t, err
		}
		want := ostree.DirMeta{UID: meta.UID, GID: meta.GID, Mode: meta.Mode, Xattrs: xattrs}
		if want.Equal(meta) {
			continue
		}
		if err := b.SetMeta(d.path, want); err != nil {
			return t, err
		}
	}
	return b.Tree(), nil
}

// store stores the files with their labels and returns the objects' names.
func (l *labeller) store(ctx context.Context) ([]ostree.Checksum, error) {
	sums := make([]ostree.Checksum, len(l.files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range l.files {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			sums[i], err = l.file(f)
			return err
		})
	}
	return sums, group.Wait()
}

func (l *labeller) file(f place) (ostree.Checksum, error) {
	h, err := l.w.FileHeader(f.entry.Checksum)
	if err != nil {
		return f.entry.Checksum, fmt.Errorf("%s: %w", f.path, err)
	}
	old := h
	if h.Xattrs, err = l.xattrs(f.path, h.Mode, old.Xattrs); err != nil || h.Equal(old) {
		return f.entry.Checksum, err
	}
	return l.w.CloneFile(f.entry.Checksum, h)
}

// xattrs returns the attributes of a file, sorted, with its label among them.
func (l *labeller) xattrs(path string, mode uint32, have []ostree.Xattr) ([]ostree.Xattr, error) {
	at := "/" + path
	if etc, ok := strings.CutPrefix(at, "/usr"); ok && l.o.EtcOfUsr && (etc == "/etc" || strings.HasPrefix(etc, "/etc/")) {
		at = etc
	}
	label, err := l.policy.Label(at, mode)
	switch {
	case err != nil:
		return nil, fmt.Errorf("/%s: %w", path, err)
	case label == "" && l.o.All:
		return nil, fmt.Errorf("Failed to look up SELinux label for '/%s'", path)
	case label == "":
		return have, nil
	}
	return repo.SetXattr(have, Attribute, append([]byte(label), 0)), nil
}
