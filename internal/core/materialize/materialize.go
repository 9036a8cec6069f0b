// Package materialize puts an OS tree on disk for as long as programs must see
// it: package scripts, dracut, depmod.
//
// The programs see the tree through an overlay of three layers. At the bottom
// is a tree that is on disk already, such as a deployment. On it lies the
// change layer: hard links to what the wanted tree has and the bottom has not,
// and whiteouts for the reverse. On top an empty directory takes every write,
// so that the repository's objects, which the layers below are linked to,
// never change. Afterwards the top layer is the change set, and is folded back
// into the tree.
//
// Where overlayfs cannot be had, the tree is copied, and what changed is found
// by looking at every file.
package materialize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// A Store checks trees out: a *repo.Repo with the options that suit.
type Store interface {
	// Link makes the new directory dir from t, with hard links to objects where
	// it can. Owners, modes and attributes are those of t.
	Link(ctx context.Context, t tree.Tree, dir string) error
	// Copy is Link without links.
	Copy(ctx context.Context, t tree.Tree, dir string) error
}

// A FileWriter stores files: a *repo.Transaction.
type FileWriter interface {
	WriteFile(h ostree.FileHeader, size int64, content io.Reader) (ostree.Checksum, error)
}

// A Base is a tree that is on disk already, and will not change.
type Base struct {
	Dir  string
	Tree tree.Tree
	// Only are the directories at the top of Dir that hold what Tree says. A
	// deployment's /etc and /var, for example, are the machine's own.
	Only []string
}

// Options say how a tree is put on disk. The zero value is not useful: Work is
// needed.
type Options struct {
	Store Store
	// Work is a directory on the file system of the repository, for
	// temporary files.
	Work string
	// Base is the bottom layer; nil means that there is none.
	Base *Base
	// NoOverlay copies the tree even where overlayfs can be had.
	NoOverlay bool
}

// A Root is a tree on disk. It must be closed, which removes it; what was not
// folded is lost.
type Root struct {
	*Work
	tree tree.Tree
	// before has the status of every file of a copied tree, by path; nil for an
	// overlay.
	before map[string]unix.Stat_t
	onBase bool // whether there is a bottom layer
}

// Mount puts t on disk.
func Mount(ctx context.Context, t tree.Tree, opt Options) (*Root, error) {
	work, err := NewWork(opt.Work)
	if err != nil {
		return nil, err
	}
	r := &Root{tree: t, Work: work}
	if opt.NoOverlay || !Available(r.work) {
		err = r.copy(ctx, opt)
	} else {
		err = r.overlay(ctx, opt)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Dir returns the directory that holds the tree.
func (r *Root) Dir() string { return filepath.Join(r.work, mergedName) }

func (r *Root) overlay(ctx context.Context, opt Options) error {
	upper, work := filepath.Join(r.work, "upper"), filepath.Join(r.work, "work")
	for _, d := range []string{upper, work, r.Dir()} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	change := filepath.Join(r.work, "change")
	lower := []string{change}
	layer := changeLayer{tree: r.tree}
	if opt.Base != nil {
		var err error
		if layer, err = diffLayer(*opt.Base, r.tree); err != nil {
			return err
		}
		r.onBase = true
		lower = append(lower, opt.Base.Dir)
	}
	if err := opt.Store.Link(ctx, layer.tree, change); err != nil {
		return fmt.Errorf("linking the change layer: %w", err)
	}
	if err := layer.mark(change); err != nil {
		return err
	}
	// The upper layer's root is what the merged root looks like.
	meta, err := r.tree.Root().Meta()
	if err != nil {
		return err
	}
	if err := os.Chmod(upper, os.FileMode(meta.Mode&0o777)); err != nil {
		return err
	}
	return mountOverlay(lower, upper, work, r.Dir())
}

// A changeLayer is what lies on a base to make a tree of it.
type changeLayer struct {
	tree      tree.Tree // what is new or changed
	whiteouts []string  // what is gone
	opaque    []string  // directories that hide the base's
}

// diffLayer returns the layer that turns base into want.
func diffLayer(base Base, want tree.Tree) (changeLayer, error) {
	var layer changeLayer
	rootMeta, err := want.Root().Meta()
	if err != nil {
		return layer, err
	}
	have := tree.NewBuilder(tree.Empty(rootMeta))
	for _, name := range base.Only {
		e, err := base.Tree.Lookup(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return layer, err
		}
		if err := have.Put(name, e); err != nil {
			return layer, err
		}
	}
	b := tree.NewBuilder(tree.Empty(rootMeta))
	grafted := "" // a directory that was put whole
	for c, err := range tree.Diff(have.Tree(), want) {
		if err != nil {
			return layer, err
		}
		path := strings.Trim(c.Path, "/")
		if grafted != "" && strings.HasPrefix(path, grafted) || path == "" {
			continue
		}
		if c.To == nil {
			layer.whiteouts = append(layer.whiteouts, path)
			continue
		}
		if err := addParents(b, want, path); err != nil {
			return layer, err
		}
		switch {
		case c.To.IsDir && c.From != nil && c.From.IsDir:
			meta, err := c.To.Meta()
			if err != nil {
				return layer, err
			}
			err = b.SetDir(path, meta)
			if err != nil {
				return layer, err
			}
		default:
			if err := b.Put(path, *c.To); err != nil {
				return layer, err
			}
			if c.To.IsDir {
				grafted = path + "/"
			}
		}
	}
	for _, w := range layer.whiteouts {
		if err := addParents(b, want, w); err != nil {
			return layer, err
		}
	}
	layer.tree = b.Tree()
	return layer, layer.hide(base, want)
}

// hide covers what the base has at its top besides Only.
func (l *changeLayer) hide(base Base, want tree.Tree) error {
	entries, err := os.ReadDir(base.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if slices.Contains(base.Only, e.Name()) {
			continue
		}
		w, err := want.Lookup(e.Name())
		switch {
		case errors.Is(err, fs.ErrNotExist):
			l.whiteouts = append(l.whiteouts, e.Name())
		case err != nil:
			return err
		case w.IsDir:
			l.opaque = append(l.opaque, e.Name())
		}
	}
	return nil
}

// addParents makes the directories above path in b look as in want.
func addParents(b *tree.Builder, want tree.Tree, path string) error {
	for i := range path {
		if path[i] != '/' {
			continue
		}
		if _, err := b.Lookup(path[:i]); err == nil {
			continue
		}
		e, err := want.Lookup(path[:i])
		if err != nil {
			return err
		}
		meta, err := e.Meta()
		if err != nil {
			return err
		}
		if err := b.SetDir(path[:i], meta); err != nil {
			return err
		}
	}
	return nil
}

// mark makes the whiteouts and opaque marks in the layer's directory. A
// whiteout is a character device 0:0 (Documentation/filesystems/overlayfs).
func (l *changeLayer) mark(dir string) error {
	for _, w := range l.whiteouts {
		if err := unix.Mknod(filepath.Join(dir, w), unix.S_IFCHR, 0); err != nil {
			return fmt.Errorf("making a whiteout for %s: %w", w, err)
		}
	}
	for _, o := range l.opaque {
		if err := unix.Lsetxattr(filepath.Join(dir, o), attrOpaque, []byte("y"), 0); err != nil {
			return fmt.Errorf("making %s opaque: %w", o, err)
		}
	}
	return nil
}

// Fold returns the tree with the changes that were made on disk. Devices,
// sockets and pipes are left out, since a commit cannot hold them.
func (r *Root) Fold(w FileWriter) (tree.Tree, error) {
	b := tree.NewBuilder(r.tree)
	f := folder{b: b, w: w}
	var err error
	if r.before != nil {
		err = r.foldCopy(&f)
	} else {
		var upper *dirfd.Dir
		if upper, err = dirfd.Open(filepath.Join(r.work, "upper")); err == nil {
			err = f.upperDir(upper, "")
			upper.Close()
		}
	}
	if err != nil {
		return tree.Tree{}, fmt.Errorf("reading what scripts changed: %w", err)
	}
	return b.Tree(), nil
}

// Base returns what the Root has put on disk as a base for the next one, as
// long as the Root is open. It is nil if the Root itself lies on a base, or is
// a copy.
func (r *Root) Base() *Base {
	if r.before != nil || r.onBase {
		return nil
	}
	entries, err := r.tree.ReadDir("")
	if err != nil {
		return nil
	}
	b := &Base{Dir: filepath.Join(r.work, "change"), Tree: r.tree}
	for _, e := range entries {
		if e.IsDir {
			b.Only = append(b.Only, e.Name)
		}
	}
	return b
}
