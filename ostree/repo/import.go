package repo

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"

	"golang.org/x/sys/unix"
)

// ImportOptions change what is committed from disk. The zero value commits
// files as they are.
type ImportOptions struct {
	// UID and GID replace the owner of everything.
	UID, GID *uint32
	// CanonicalPermissions makes everything owned by root, masks permissions
	// with 0755 and drops extended attributes. Repositories of mode
	// bare-user-only always do so.
	CanonicalPermissions bool
	// ReadOnlyExecutables clears the write bits of executable files.
	ReadOnlyExecutables bool
	// NoXattrs drops extended attributes.
	NoXattrs bool
	// StatOverride changes modes of paths.
	StatOverride *PathSet[ModeOverride]
	// Skip leaves out paths.
	Skip *PathSet[struct{}]
	// Filter may change the header of what is at the absolute path, or leave it
	// out. The type bits tell directories; their type must not change. It is
	// called from several goroutines.
	Filter func(path string, h *ostree.FileHeader) (keep bool, err error)
	// Label returns the value of security.selinux for a path, which replaces
	// what is on disk; nil keeps that. It is called from several goroutines.
	Label func(path string, mode uint32) ([]byte, error)
	// DevIno knows files that are links to objects of this repository. It is
	// used where the options above change nothing, or for all its files when
	// DevInoCanonical is set.
	DevIno          *DevInoCache
	DevInoCanonical bool
	// Consume removes each file when it is in the repository or left out, and the
	// directories after their files, but not the top.
	Consume bool
}

// An importer reads one tree from disk into a transaction.
type importer struct {
	tx    *Transaction
	o     ImportOptions
	tasks *tasks
	metas sync.Map // marshalled dirmeta -> checksum: most directories look alike
}

// importChunk is how many files of one directory make a task.
const importChunk = 32

// ImportDir adds the directory at path, with everything below it, and returns
// it as a tree. Anything but regular files, directories and symbolic links is
// an error. Mount points are crossed.
func (tx *Transaction) ImportDir(path string, o ImportOptions) (tree.Tree, error) {
	d, err := dirfd.Open(path)
	if err != nil {
		return tree.Tree{}, err
	}
	defer d.Close()
	return tx.ImportOpenDir(d, o)
}

// ImportOpenDir is ImportDir for an open directory.
func (tx *Transaction) ImportOpenDir(d *dirfd.Dir, o ImportOptions) (tree.Tree, error) {
	im := tx.newImporter(o)
	var t ostree.TreeDir
	err := im.tasks.run(func() (err error) {
		keep, t2, err := im.dir(d, "/", 0)
		if t = t2; err == nil && !keep {
			err = errors.New("the root of the tree was filtered out")
		}
		return err
	})
	if err != nil {
		return tree.Tree{}, err
	}
	return tree.Load(tx.Objects, t.Tree, t.Meta), nil
}

func (tx *Transaction) newImporter(o ImportOptions) *importer {
	o.CanonicalPermissions = o.CanonicalPermissions || tx.mode == BareUserOnly
	o.NoXattrs = o.NoXattrs || o.CanonicalPermissions || tx.disableXattrs
	return &importer{tx: tx, o: o, tasks: newTasks(tx.ctx)}
}

// ImportFile adds one file of an open directory, which has the given absolute
// path in the tree. The checksum is zero if the options leave the file out. Consume does not
// count.
func (tx *Transaction) ImportFile(d *dirfd.Dir, name, path string, o ImportOptions) (ostree.Checksum, error) {
	st, err := d.Stat(name)
	if err != nil {
		return ostree.Checksum{}, err
	}
	e := dirfd.Entry{Name: name, Type: uint8(st.Mode & unix.S_IFMT >> 12)}
	f, _, err := tx.newImporter(o).file(d, e, path)
	return f.Checksum, err
}

func joinPath(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// dir adds an open directory. It reports whether the options keep it.
func (im *importer) dir(d *dirfd.Dir, path string, depth int) (bool, ostree.TreeDir, error) {
	var t ostree.TreeDir
	if depth > tree.MaxDepth {
		return false, t, fmt.Errorf("%.64s...: %w", path, tree.ErrTooDeep)
	}
	keep, err := im.dirMeta(d, path, &t.Meta)
	if !keep || err != nil {
		return false, t, err
	}
	entries, err := d.ReadDir()
	if err != nil {
		return false, t, err
	}
	slices.SortFunc(entries, func(a, b dirfd.Entry) int { return strings.Compare(a.Name, b.Name) })
	files, dirs, err := im.split(d, entries)
	if err != nil {
		return false, t, err
	}
	var out ostree.DirTree
	if out, err = im.children(d, path, depth, files, dirs); err != nil {
		return false, t, err
	}
	t.Tree, err = im.tx.WriteDirTree(&out)
	return err == nil, t, err
}

// split separates directories from the rest.
func (im *importer) split(d *dirfd.Dir, entries []dirfd.Entry) (files []dirfd.Entry, dirs []string, err error) {
	for _, e := range entries {
		if err := ostree.ValidateName(e.Name); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", d.Name(), err)
		}
		if e.Type == unix.DT_UNKNOWN {
			st, err := d.Stat(e.Name)
			if err != nil {
				return nil, nil, err
			}
			e.Type = uint8(st.Mode & unix.S_IFMT >> 12) // as dirent.h has it
		}
		if e.Type == unix.DT_DIR {
			dirs = append(dirs, e.Name)
		} else {
			files = append(files, e)
		}
	}
	return files, dirs, nil
}

// children adds what is in a directory: its subdirectories first, because they
// are the larger tasks.
func (im *importer) children(d *dirfd.Dir, path string, depth int, files []dirfd.Entry, dirs []string) (ostree.DirTree, error) {
	out := ostree.DirTree{Files: make([]ostree.TreeFile, len(files)), Dirs: make([]ostree.TreeDir, len(dirs))}
	g := im.tasks.group(depth)
	for i, name := range dirs {
		g.do(func() error {
			return im.tasks.at(depth+1, func() error {
				sub, err := d.Open(name)
				if err != nil {
					return err
				}
				defer sub.Close()
				keep, t, err := im.dir(sub, joinPath(path, name), depth+1)
				if err != nil {
					return err
				}
				if !keep {
					return im.consumed(d.RemoveAll, name)
				}
				t.Name = name
				out.Dirs[i] = t
				return im.consumed(d.Rmdir, name)
			})
		})
	}
	for i := 0; i < len(files); i += importChunk {
		chunk := files[i:min(i+importChunk, len(files))]
		g.do(func() error {
			for j, e := range chunk {
				f, keep, err := im.file(d, e, joinPath(path, e.Name))
				if err == nil {
					err = im.consumed(d.Unlink, e.Name)
				}
				if err != nil {
					return err
				}
				if keep {
					out.Files[i+j] = f
				}
			}
			return nil
		})
	}
	err := g.wait()
	out.Files = slices.DeleteFunc(out.Files, func(f ostree.TreeFile) bool { return f.Name == "" })
	out.Dirs = slices.DeleteFunc(out.Dirs, func(t ostree.TreeDir) bool { return t.Name == "" })
	return out, err
}

func (im *importer) consumed(remove func(string) error, name string) error {
	if !im.o.Consume {
		return nil
	}
	return remove(name)
}

func (im *importer) dirMeta(d *dirfd.Dir, path string, sum *ostree.Checksum) (bool, error) {
	st, err := d.Stat("")
	if err != nil {
		return false, err
	}
	h := ostree.FileHeader{UID: st.Uid, GID: st.Gid, Mode: st.Mode}
	keep, err := im.modify(path, &h, func() ([]ostree.Xattr, error) {
		x, err := d.Xattrs("")
		return fromDirXattrs(x), err
	})
	if !keep || err != nil {
		return false, err
	}
	if !ostree.IsDir(h.Mode) {
		return false, fmt.Errorf("%s: filter changed the type of a directory", path)
	}
	meta := ostree.DirMeta{UID: h.UID, GID: h.GID, Mode: h.Mode, Xattrs: h.Xattrs}
	key := string(meta.Marshal())
	if c, ok := im.metas.Load(key); ok {
		im.tx.stats.metadataTotal.Add(1)
		*sum = c.(ostree.Checksum)
		return true, nil
	}
	if *sum, err = im.tx.WriteDirMeta(&meta); err == nil {
		im.metas.Store(key, *sum)
	}
	return err == nil, err
}

// modify applies the options to a header that is as on disk but for the
// attributes, which are read if they are wanted.
func (im *importer) modify(path string, h *ostree.FileHeader, xattrs func() ([]ostree.Xattr, error)) (keep bool, err error) {
	o := &im.o
	if !o.NoXattrs {
		if h.Xattrs, err = xattrs(); err != nil {
			return false, err
		}
	}
	if o.UID != nil {
		h.UID = *o.UID
	}
	if o.GID != nil {
		h.GID = *o.GID
	}
	if o.ReadOnlyExecutables && ostree.IsRegular(h.Mode) && h.Mode&0o111 != 0 {
		h.Mode &^= 0o222
	}
	if m, ok := o.StatOverride.match(path); ok { // also what is left out is met
		if m.Set {
			h.Mode &= unix.S_IFMT
		}
		h.Mode |= m.Bits & ostree.ModePerm
	}
	if _, skip := o.Skip.match(path); skip {
		return false, nil
	}
	if o.Filter != nil {
		if keep, err := o.Filter(path, h); !keep || err != nil {
			return false, err
		}
	}
	if o.CanonicalPermissions {
		h.UID, h.GID = 0, 0
		if !ostree.IsSymlink(h.Mode) {
			h.Mode &= unix.S_IFMT | 0o755
		}
	}
	return true, im.label(path, h)
}

// label sets the label of a path, if the options have any.
func (im *importer) label(path string, h *ostree.FileHeader) error {
	if im.o.Label == nil {
		return nil
	}
	label, err := im.o.Label(path, h.Mode)
	if err == nil && label != nil {
		h.Xattrs = SetXattr(h.Xattrs, xattrSELinux, label)
	}
	return err
}

const xattrSELinux = "security.selinux"

// SetXattr returns the sorted list with the value of one attribute replaced, or
// removed if the value is empty. The list itself is not changed.
func SetXattr(list []ostree.Xattr, name string, value []byte) []ostree.Xattr {
	i, found := slices.BinarySearchFunc(list, name, func(x ostree.Xattr, n string) int { return strings.Compare(x.Name, n) })
	switch {
	case found && len(value) == 0:
		return slices.Delete(slices.Clone(list), i, i+1)
	case found:
		list = slices.Clone(list)
		list[i].Value = value
	case len(value) > 0:
		return slices.Insert(slices.Clone(list), i, ostree.Xattr{Name: name, Value: value})
	}
	return list
}

// file adds one file. It reports whether the options keep it.
func (im *importer) file(d *dirfd.Dir, e dirfd.Entry, path string) (f ostree.TreeFile, keep bool, err error) {
	name := e.Name
	f.Name = name
	if e.Type != unix.DT_REG && e.Type != unix.DT_LNK { // opening it might do something
		return f, false, im.special(d, name, path)
	}
	if im.o.DevIno != nil {
		sum, keep, hit, err := im.cached(d, name, path)
		if err != nil || hit {
			f.Checksum = sum
			return f, keep, err
		}
	}
	fd, err := dirfd.Openat(d.FD(), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch err {
	case nil:
		f.Checksum, keep, err = im.regular(d, fd, name, path)
		unix.Close(fd)
	case unix.ELOOP:
		f.Checksum, keep, err = im.symlink(d, name, path)
	default:
		err = &unixPathError{d, name, err}
	}
	if err != nil {
		return f, false, err
	}
	return f, keep, nil
}

// special returns nil if the options leave the device, fifo or socket out.
func (im *importer) special(d *dirfd.Dir, name, path string) error {
	st, err := d.Stat(name)
	if err != nil {
		return err
	}
	h := ostree.FileHeader{UID: st.Uid, GID: st.Gid, Mode: st.Mode}
	keep, err := im.modify(path, &h, func() ([]ostree.Xattr, error) { return nil, nil })
	if keep && err == nil {
		err = fmt.Errorf("Not a regular file or symlink: %s", name)
	}
	return err
}

// unixPathError builds its text only when it is printed.
type unixPathError struct {
	d    *dirfd.Dir
	name string
	err  error
}

func (e *unixPathError) Error() string { return e.d.Name() + "/" + e.name + ": " + e.err.Error() }
func (e *unixPathError) Unwrap() error { return e.err }

func (im *importer) regular(d *dirfd.Dir, fd int, name, path string) (sum ostree.Checksum, keep bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return sum, false, err
	}
	if !ostree.IsRegular(st.Mode) {
		return sum, false, fmt.Errorf("Not a regular file or symlink: %s", name)
	}
	h := ostree.FileHeader{UID: st.Uid, GID: st.Gid, Mode: st.Mode}
	var disk []ostree.Xattr
	keep, err = im.modify(path, &h, func() ([]ostree.Xattr, error) {
		x, err := dirfd.Fxattrs(fd)
		disk = fromDirXattrs(x)
		return disk, err
	})
	if !keep || err != nil {
		return sum, false, err
	}
	tx := im.tx
	if im.adopts(&st, disk, h) && tx.checkHeader(h) == nil {
		if sum, ok, err := tx.adopt(d, fd, name, h, st.Size); ok || err != nil {
			return sum, true, err
		}
	}
	if st.Size > bigBuf && tx.mode != Archive && !tx.noClone.Load() {
		sum, err = tx.cloneLarge(h, st.Size, fdFile(fd))
	} else {
		sum, err = tx.WriteFile(h, st.Size, fdFile(fd))
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return sum, true, err
}

func (im *importer) symlink(d *dirfd.Dir, name, path string) (sum ostree.Checksum, keep bool, err error) {
	st, err := d.Stat(name)
	if err != nil {
		return sum, false, err
	}
	h := ostree.FileHeader{UID: st.Uid, GID: st.Gid, Mode: st.Mode}
	if h.Target, err = d.Readlink(name); err != nil {
		return sum, false, err
	}
	keep, err = im.modify(path, &h, func() ([]ostree.Xattr, error) { return linkXattrs(d.FD(), name) })
	if !keep || err != nil {
		return sum, false, err
	}
	if sum, err = im.tx.WriteFile(h, 0, nil); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return sum, true, err
}

// cached looks a file up by device and inode. Unless the cache is trusted
// blindly, the options must leave the file as it is.
func (im *importer) cached(d *dirfd.Dir, name, path string) (sum ostree.Checksum, keep, hit bool, err error) {
	st, err := d.Stat(name)
	if err != nil {
		return sum, false, false, err
	}
	sum, hit = im.o.DevIno.Lookup(&st)
	if !hit {
		return sum, false, false, nil
	}
	if im.tx.mode == BareUser && !im.o.DevInoCanonical && im.o.changes() {
		return im.cachedBareUser(sum, path)
	}
	if !im.o.DevInoCanonical && im.o.changes() {
		want := ostree.FileHeader{UID: st.Uid, GID: st.Gid, Mode: st.Mode}
		if im.tx.mode == BareUserOnly {
			want.UID, want.GID = 0, 0
		}
		h := want
		var onDisk []ostree.Xattr
		keep, err := im.modify(path, &h, func() ([]ostree.Xattr, error) {
			x, err := d.Xattrs(name)
			onDisk = fromDirXattrs(x)
			return onDisk, err
		})
		if !keep || err != nil {
			return sum, false, true, err
		}
		changed := im.o.NoXattrs && !im.tx.disableXattrs && im.tx.mode != BareUserOnly || !slices.EqualFunc(onDisk, h.Xattrs, func(a, b ostree.Xattr) bool {
			return a.Name == b.Name && bytes.Equal(a.Value, b.Value)
		})
		if want.Xattrs, h.Xattrs = nil, nil; changed || !want.Equal(h) {
			return sum, false, false, nil
		}
	}
	im.tx.stats.contentTotal.Add(1)
	im.tx.stats.cacheHits.Add(1)
	return sum, true, true, nil
}

// cachedBareUser applies the options to a file that is a link to an object whose metadata are not
// those on disk.
func (im *importer) cachedBareUser(sum ostree.Checksum, path string) (_ ostree.Checksum, keep, hit bool, err error) {
	old, err := im.tx.FileHeader(sum)
	if err != nil {
		return sum, false, true, err
	}
	h, keep, err := im.changed(path, old)
	if err != nil || !keep {
		return sum, false, true, err
	}
	if !h.Equal(old) {
		sum, err = im.tx.CloneFile(sum, h)
		return sum, true, true, err
	}
	im.tx.stats.contentTotal.Add(1)
	im.tx.stats.cacheHits.Add(1)
	return sum, true, true, nil
}
