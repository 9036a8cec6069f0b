package ostree

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// addSizes adds the sizes of all objects of a commit to its metadata. Only an archive
// repository knows how large they are on the wire. The objects are published first, so
// that their files can be looked at.
func (m *committer) addSizes(c *ostree.Commit) error {
	if m.repo.Mode() != repo.Archive {
		return nil
	}
	if _, err := m.tx.Commit(); err != nil {
		return err
	}
	var err error
	if m.tx, err = m.repo.Begin(m.ctx, m.txOptions); err != nil {
		return err
	}
	sizes := map[ostree.ObjectName]ostree.SizeEntry{}
	err = tree.Load(m.repo, c.Tree, c.Meta).Walk(func(_ string, e tree.Entry) error {
		if !e.IsDir {
			return m.size(sizes, ostree.ObjectFile, e.Checksum)
		}
		sum, _ := e.TreeChecksum()
		return errors.Join(m.size(sizes, ostree.ObjectDirTree, sum), m.size(sizes, ostree.ObjectDirMeta, e.MetaChecksum()))
	})
	if err != nil {
		return err
	}
	list := make([]ostree.SizeEntry, 0, len(sizes))
	for _, s := range sizes {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b ostree.SizeEntry) int { return a.Checksum.Compare(b.Checksum) })
	d := gvariant.NewDict(c.Metadata)
	d.Set(ostree.KeySizes, ostree.SizesValue(list))
	c.Metadata = d.Value()
	return nil
}

// size adds the size of one object.
func (m *committer) size(sizes map[ostree.ObjectName]ostree.SizeEntry, t ostree.ObjectType, sum ostree.Checksum) error {
	name := ostree.ObjectName{Type: t, Checksum: sum}
	if _, ok := sizes[name]; ok {
		return nil
	}
	var fi os.FileInfo
	err := fs.ErrNotExist
	for r := m.repo; r != nil && errors.Is(err, fs.ErrNotExist); r = r.Parent() {
		fi, err = os.Lstat(r.ObjectPath(t, sum))
	}
	if err != nil {
		return err
	}
	entry := ostree.SizeEntry{Checksum: sum, Archived: uint64(fi.Size()), Unpacked: uint64(fi.Size()), Type: t}
	if t == ostree.ObjectFile {
		h, size, content, err := m.repo.File(sum)
		if err != nil {
			return err
		}
		content.Close()
		entry.Unpacked = uint64(size) + uint64(len(h.Target))
	}
	sizes[name] = entry
	return nil
}
