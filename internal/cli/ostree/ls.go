package ostree

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// lister prints entries of a commit, one a line.
type lister struct {
	*env
	dirOnly, recursive, checksum, xattrs, nul bool
}

func lsCommand() *command {
	c := &command{name: "ls", args: "COMMIT [PATH...]", about: "List file paths", scope: repoScope}
	var l lister
	c.flag(&l.dirOnly, "dironly", 'd', "List directories themselves, not what is in them")
	c.flag(&l.recursive, "recursive", 'R', "Print directories recursively")
	c.flag(&l.checksum, "checksum", 'C', "Print checksum")
	c.flag(&l.xattrs, "xattrs", 'X', "Print extended attributes")
	c.flag(&l.nul, "nul-filenames-only", 0, "Print only filenames, NUL separated")
	c.run = func(e *env) error {
		l.env = e
		if len(e.args) == 0 {
			return usagef("An COMMIT argument is required")
		}
		t, err := e.tree(e.args[0])
		if err != nil {
			return err
		}
		paths := e.args[1:]
		if len(paths) == 0 {
			paths = []string{"/"}
		}
		for _, p := range paths {
			if err := l.list(t, path.Clean("/"+p)); err != nil {
				return fmt.Errorf("Inspecting path '%s': %w", p, err)
			}
		}
		return nil
	}
	return c
}

// tree returns the tree of the commit that rev names.
func (e *env) tree(rev string) (tree.Tree, error) {
	commit, err := e.repo.ResolveRev(rev)
	if err != nil {
		return tree.Tree{}, err
	}
	return e.repo.Tree(commit)
}

// lookup finds a path in a tree, with the error text of upstream.
func lookup(t tree.Tree, p string) (tree.Entry, error) {
	entry, err := t.Lookup(p)
	var notDir *tree.NotDirError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return entry, fmt.Errorf("No such file or directory: %s", p)
	case errors.As(err, &notDir):
		return entry, errors.New("Not a directory")
	}
	return entry, err
}

func (l *lister) list(t tree.Tree, p string) error {
	entry, err := lookup(t, p)
	if err != nil {
		return err
	}
	if err := l.print(p, entry); err != nil {
		return err
	}
	if !entry.IsDir || l.dirOnly && !l.recursive {
		return nil
	}
	return l.children(p, entry.Tree())
}

// children prints the files of a directory before its directories.
func (l *lister) children(dir string, t tree.Tree) error {
	entries, err := t.ReadDir("/")
	if err != nil {
		return err
	}
	for _, wantDir := range []bool{false, true} {
		for _, entry := range entries {
			if entry.IsDir != wantDir {
				continue
			}
			p := path.Join(dir, entry.Name)
			if err := l.print(p, entry); err != nil {
				return err
			}
			if entry.IsDir && l.recursive {
				if err := l.children(p, entry.Tree()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (l *lister) print(p string, entry tree.Entry) error {
	if l.nul {
		l.printf("%s\x00", p)
		return nil
	}
	h, size, err := l.header(entry)
	if err != nil {
		return err
	}
	kind := "-"
	switch {
	case entry.IsDir:
		kind = "d"
	case ostree.IsSymlink(h.Mode):
		kind = "l"
	}
	l.printf("%s%05o %d %d %6d ", kind, h.Mode&^ostree.ModeType, h.UID, h.GID, size)
	if l.checksum {
		if sum, ok := entry.TreeChecksum(); ok {
			l.printf("%s %s ", sum, entry.MetaChecksum())
		} else {
			l.printf("%s ", entry.Checksum)
		}
	}
	if l.xattrs {
		l.printf("{ %s } ", xattrsText(h.Xattrs))
	}
	l.printf("%s", p)
	if h.Target != "" {
		l.printf(" -> %s", h.Target)
	}
	l.printf("\n")
	return nil
}

// header returns the metadata of an entry; a directory is as if it had a file's header.
func (e *env) header(entry tree.Entry) (h ostree.FileHeader, size int64, err error) {
	if entry.IsDir {
		meta, err := entry.Meta()
		return ostree.FileHeader{UID: meta.UID, GID: meta.GID, Mode: meta.Mode, Xattrs: meta.Xattrs}, 0, err
	}
	h, size, content, err := e.repo.File(entry.Checksum)
	if err != nil {
		return h, 0, err
	}
	return h, size, content.Close()
}

// xattrsText prints extended attributes as GVariant text.
func xattrsText(list []ostree.Xattr) string {
	slices.SortFunc(list, ostree.CompareXattrs)
	return gvariant.New(ostree.XattrsType, ostree.MarshalXattrs(list), nil).Print(true)
}
