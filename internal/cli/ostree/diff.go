package ostree

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// diffCmd is the diff command with its options.
type diffCmd struct {
	*env
	stats   bool
	files   bool
	options scanOptions
}

func diffCommand() *command {
	c := &command{name: "diff", args: "REV [TARGETDIR]", about: "Compare directory TARGETDIR against revision REV", scope: repoScope}
	var d diffCmd
	c.flag(&d.stats, "stats", 0, "Print various statistics")
	c.flag(&d.files, "fs-diff", 0, "Print filesystem diff")
	c.flag(&d.options.noXattrs, "no-xattrs", 0, "Skip output of extended attributes")
	c.fn(ownerOption(&d.options.uid, "owner-uid"), "owner-uid", 0, "UID", "Use file ownership user id for local files")
	c.fn(ownerOption(&d.options.gid, "owner-gid"), "owner-gid", 0, "GID", "Use file ownership group id for local files")
	c.run = func(e *env) error {
		d.env = e
		if len(e.args) == 0 {
			return usagef("REV must be specified")
		}
		from, to := e.args[0]+"^", e.args[0]
		if len(e.args) > 1 {
			from, to = e.args[0], e.args[1]
		}
		if d.files || !d.stats {
			if err := d.run(from, to); err != nil {
				return err
			}
		}
		if d.stats {
			return d.printStats(from, to)
		}
		return nil
	}
	return c
}

func (d *diffCmd) run(from, to string) error {
	if !(onDisk(from) && onDisk(to)) && !d.repo.StoresXattrs() {
		d.options.noXattrs = true
	}
	side := func(arg string) (tree.Tree, error) {
		if onDisk(arg) {
			return d.scan(arg)
		}
		return d.tree(arg)
	}
	a, err := side(from)
	if err != nil {
		return err
	}
	b, err := side(to)
	if err != nil {
		return err
	}
	var w diffWalk
	if err := w.dirs("/", a.Root(), b.Root()); err != nil {
		return err
	}
	d.print("M", w.modified, from)
	d.print("D", w.removed, from)
	d.print("A", w.added, to)
	return nil
}

// scan makes a tree of a directory on disk, as it would be committed.
func (d *diffCmd) scan(dir string) (tree.Tree, error) {
	b := tree.NewBuilder(tree.Tree{})
	err := filepath.WalkDir(dir, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		h, err := d.options.read(p)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return b.SetDir(path.Clean("/"+name), ostree.DirMeta{UID: h.UID, GID: h.GID, Mode: h.Mode, Xattrs: h.Xattrs})
		}
		sum, err := checksumFile(p, h)
		if err != nil {
			return err
		}
		return b.AddFile("/"+name, sum)
	})
	return b.Tree(), err
}

// print prints paths of one side, which are relative if it is a directory on disk.
func (d *diffCmd) print(letter string, paths []string, side string) {
	for _, p := range paths {
		if onDisk(side) {
			p = strings.TrimPrefix(p, "/")
		}
		d.printf("%s    %s\n", letter, p)
	}
}

// onDisk tells a directory from a revision.
func onDisk(arg string) bool { return strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "./") }

// diffWalk compares two directories in upstream's order: files before directories, and what
// is below a directory before what comes after it.
type diffWalk struct {
	modified, removed, added []string
}

// inOrder returns the entries of a directory with the files first.
func inOrder(e tree.Entry) ([]tree.Entry, error) {
	entries, err := e.Tree().ReadDir("/")
	if err != nil {
		return nil, err
	}
	sorted := make([]tree.Entry, 0, len(entries))
	for _, wantDir := range []bool{false, true} {
		for _, e := range entries {
			if e.IsDir == wantDir {
				sorted = append(sorted, e)
			}
		}
	}
	return sorted, nil
}

func sameContent(a, b tree.Entry) bool {
	x, okX := a.TreeChecksum()
	y, okY := b.TreeChecksum()
	return okX && okY && x == y
}

func (w *diffWalk) dirs(dir string, a, b tree.Entry) error {
	old, err := inOrder(a)
	if err != nil {
		return err
	}
	now, err := inOrder(b)
	if err != nil {
		return err
	}
	names := map[string]tree.Entry{}
	for _, e := range now {
		names[e.Name] = e
	}
	known := map[string]bool{}
	for _, from := range old {
		known[from.Name] = true
		p := path.Join(dir, from.Name)
		to, ok := names[from.Name]
		switch {
		case !ok:
			w.removed = append(w.removed, p)
		case from.IsDir != to.IsDir || from.Checksum != to.Checksum || from.MetaChecksum() != to.MetaChecksum():
			w.modified = append(w.modified, p)
		}
		if ok && from.IsDir && to.IsDir && !sameContent(from, to) {
			if err := w.dirs(p, from, to); err != nil {
				return err
			}
		}
	}
	for _, to := range now {
		if !known[to.Name] {
			if err := w.add(path.Join(dir, to.Name), to); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *diffWalk) add(p string, e tree.Entry) error {
	w.added = append(w.added, p)
	if !e.IsDir {
		return nil
	}
	children, err := inOrder(e)
	if err != nil {
		return err
	}
	for _, c := range children {
		if err := w.add(path.Join(p, c.Name), c); err != nil {
			return err
		}
	}
	return nil
}

// printStats compares which objects two commits need.
func (d *diffCmd) printStats(from, to string) error {
	var sets [2]repo.ObjectSet
	for i, rev := range []string{from, to} {
		sum, err := d.repo.ResolveRev(rev)
		if err != nil {
			return err
		}
		set := repo.ObjectSet{}
		if err := d.repo.Traverse(d.ctx, sum, 0, false, set); err != nil {
			return err
		}
		for name := range set {
			if name.Type == ostree.ObjectCommitMeta {
				delete(set, name) // which need not exist
			}
		}
		sets[i] = set
	}
	common, size := 0, uint64(0)
	for name := range sets[0] {
		if !sets[1].Has(name.Type, name.Checksum) {
			continue
		}
		common++
		fi, err := os.Lstat(d.repo.ObjectPath(name.Type, name.Checksum))
		if err != nil {
			return err
		}
		size += uint64(fi.Size())
	}
	d.printf("[A] Object Count: %d\n[B] Object Count: %d\n", len(sets[0]), len(sets[1]))
	d.printf("Common Object Count: %d\nCommon Object Size: %s\n", common, repo.FormatSize(size))
	return nil
}
