package repo

import (
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// changes tells whether the options change what is committed at all.
func (o *ImportOptions) changes() bool {
	return o.UID != nil || o.GID != nil || o.CanonicalPermissions || o.ReadOnlyExecutables || o.NoXattrs ||
		o.StatOverride != nil || o.Skip != nil || o.Filter != nil || o.Label != nil
}

// ImportTree returns a tree of objects of the repository with the options applied to it. Files
// whose metadata change become new objects. Options about files on disk do not count.
func (tx *Transaction) ImportTree(t tree.Tree, o ImportOptions) (tree.Tree, error) {
	if !o.changes() {
		return t, nil
	}
	im := tx.newImporter(o)
	meta, err := t.Root().Meta()
	if err != nil {
		return t, err
	}
	h, _, err := im.changed("/", ostree.FileHeader{UID: meta.UID, GID: meta.GID, Mode: meta.Mode, Xattrs: meta.Xattrs})
	if err != nil {
		return t, err
	}
	b := tree.NewBuilder(tree.Empty(dirMetaOf(h)))
	if err := im.treeDir(b, "/", t); err != nil {
		return t, err
	}
	return b.Tree(), nil
}

func dirMetaOf(h ostree.FileHeader) ostree.DirMeta {
	return ostree.DirMeta{UID: h.UID, GID: h.GID, Mode: h.Mode, Xattrs: h.Xattrs}
}

// changed applies the options to the metadata of an object.
func (im *importer) changed(path string, h ostree.FileHeader) (ostree.FileHeader, bool, error) {
	xattrs := h.Xattrs
	h.Xattrs = nil
	keep, err := im.modify(path, &h, func() ([]ostree.Xattr, error) { return xattrs, nil })
	return h, keep, err
}

// treeDir adds what is in a directory of a tree.
func (im *importer) treeDir(b *tree.Builder, path string, t tree.Tree) error {
	entries, err := t.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := joinPath(path, e.Name)
		if !e.IsDir {
			if err := im.treeFile(b, p, e.Checksum); err != nil {
				return err
			}
			continue
		}
		meta, err := e.Meta()
		if err != nil {
			return err
		}
		h, keep, err := im.changed(p, ostree.FileHeader{UID: meta.UID, GID: meta.GID, Mode: meta.Mode, Xattrs: meta.Xattrs})
		if err != nil {
			return err
		}
		if !keep {
			continue
		}
		if err := b.AddDir(p, dirMetaOf(h)); err != nil {
			return err
		}
		if err := im.treeDir(b, p, e.Tree()); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) treeFile(b *tree.Builder, path string, sum ostree.Checksum) error {
	old, err := im.tx.FileHeader(sum)
	if err != nil {
		return err
	}
	h, keep, err := im.changed(path, old)
	if err != nil || !keep {
		return err
	}
	if !h.Equal(old) {
		if sum, err = im.tx.CloneFile(sum, h); err != nil {
			return err
		}
	}
	return b.AddFile(path, sum)
}
