package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"

	"golang.org/x/sys/unix"
)

// Overwrite says what a checkout does with files that exist.
type Overwrite uint8

const (
	// OverwriteNone fails when the destination exists.
	OverwriteNone Overwrite = iota
	// UnionFiles replaces files and merges directories, which keep their
	// metadata.
	UnionFiles
	// AddFiles keeps files and merges directories.
	AddFiles
	// UnionIdentical merges directories and fails when a file exists that is
	// not the same object. It needs RequireHardlinks.
	UnionIdentical
)

// CheckoutOptions say how a tree is put on disk. The zero value makes a new
// directory with owners, modes and extended attributes, and hard links where it
// can.
type CheckoutOptions struct {
	// UserMode leaves owners and extended attributes alone, and drops set-id
	// bits.
	UserMode  bool
	Overwrite Overwrite
	// Subpath checks out only the directory or file of this path.
	Subpath string
	// ForceCopy never makes hard links, so that files may be changed.
	ForceCopy bool
	// RequireHardlinks fails where a hard link is not possible. Empty files and
	// others that are never linked do not count.
	RequireHardlinks bool
	// Whiteouts makes files ".wh.NAME" remove NAME, and ".wh..wh..opq" what was
	// in its directory.
	Whiteouts bool
	// PassthroughWhiteouts makes files ".ostree-wh.NAME" overlayfs whiteouts.
	PassthroughWhiteouts bool
	// BareUserOnlyDirs masks the mode of directories with 0775, as is always
	// done for repositories of that mode.
	BareUserOnlyDirs bool
	// Skip leaves out paths, which start at the directory that is checked out; those of
	// directories may end in a slash. They do not count for a Subpath that is a file.
	Skip *PathSet[struct{}]
	// Filter tells whether to check out what is at an absolute path in the commit. It is
	// called from several goroutines.
	Filter func(path string, isDir bool) (keep bool, err error)
	// Label returns the value of security.selinux for a path, which replaces
	// that of the object; nil keeps that. Nothing is hard linked then. It is
	// called from several goroutines.
	Label func(path string, mode uint32) ([]byte, error)
	// Cache unpacks files of an archive repository into its cache and links them
	// from there, in user mode and where core.enable-uncompressed-cache allows.
	Cache bool
	// DevIno is filled with the files that were hard linked.
	DevIno *DevInoCache
	// Fsync syncs the file system at the end.
	Fsync bool
}

// Checkout puts the tree of a commit at the path dest.
func (o *Objects) Checkout(ctx context.Context, commit ostree.Checksum, dest string, opts CheckoutOptions) error {
	t, err := o.Tree(commit)
	if err != nil {
		return err
	}
	return o.CheckoutTree(ctx, t, dest, opts)
}

// CheckoutTree puts a tree at the path dest. File objects are read from o.
func (o *Objects) CheckoutTree(ctx context.Context, t tree.Tree, dest string, opts CheckoutOptions) error {
	dest = filepath.Clean(dest)
	parent, err := dirfd.Open(filepath.Dir(dest))
	if err != nil {
		return err
	}
	defer parent.Close()
	return o.CheckoutAt(ctx, t, parent, filepath.Base(dest), opts)
}

// CheckoutAt puts a tree at name in the directory parent. The name may be "."
// when an Overwrite mode allows that it exists.
func (o *Objects) CheckoutAt(ctx context.Context, t tree.Tree, parent *dirfd.Dir, name string, opts CheckoutOptions) error {
	co := &checkout{from: o, opts: opts, tasks: newTasks(ctx), subpath: path.Clean("/" + opts.Subpath)}
	if err := co.init(); err != nil {
		return err
	}
	if opts.Cache && co.from.cacheParent != nil && opts.UserMode && !opts.ForceCopy && opts.Label == nil {
		var err error
		if co.cache, err = openCache(co.from.cacheParent); err != nil {
			return err
		}
		defer co.cache.close()
	}
	root := t.Root()
	if co.subpath != "/" {
		var err error
		if root, err = t.Lookup(co.subpath); err != nil {
			return fmt.Errorf("No such file or directory: %s: %w", co.subpath, errnoText(err))
		}
	}
	if _, skip := opts.Skip.match("/"); skip && root.IsDir {
		return nil
	}
	err := co.tasks.run(func() error {
		if root.IsDir {
			return co.dir(parent, name, co.subpath, root, 0)
		}
		return co.singleFile(parent, name, root)
	})
	if err == nil && co.cache != nil {
		err = co.cache.collect()
	}
	if err == nil && opts.Fsync {
		err = parent.SyncFS()
	}
	return err
}

type checkout struct {
	from    *Objects
	opts    CheckoutOptions
	tasks   *tasks
	subpath string
	links   bool  // hard links are possible
	noLinks error // why not, for the first file that would be one
	filters bool  // paths decide what is checked out
	cache   *unpackedCache
	top     *dirfd.Dir // where the tree is put
}

func (co *checkout) init() error {
	o := &co.opts
	o.UserMode = o.UserMode || co.from.mode == BareUserOnly // it has nothing else to restore
	co.filters = o.Skip != nil || o.Filter != nil
	co.links = !o.ForceCopy && o.Label == nil
	switch co.from.mode {
	case Bare:
		co.links = co.links && !o.UserMode
		if o.UserMode {
			co.noLinks = errors.New("Bare repository mode cannot hardlink in user checkout mode")
		}
	case BareUser, BareUserOnly:
		co.links = co.links && o.UserMode
		if !o.UserMode {
			co.noLinks = errors.New("User repository mode requires user checkout mode to hardlink")
		}
	default:
		co.links = false
	}
	if co.noLinks == nil && !co.links {
		co.noLinks = errors.New("Bare repository mode cannot hardlink in user checkout mode")
	}
	if o.Overwrite == UnionIdentical && !o.RequireHardlinks {
		return errors.New("--union-identical requires --require-hardlinks")
	}
	return nil
}

// singleFile checks out a Subpath that is a file: into the directory name.
func (co *checkout) singleFile(parent *dirfd.Dir, name string, e tree.Entry) error {
	if err := parent.Mkdir(name, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	d, err := openTop(parent, name)
	if err != nil {
		return err
	}
	defer d.Close()
	return co.file(d, e, co.subpath)
}

// checkoutChunk is how many files of one directory make a task.
const checkoutChunk = 128

// dir makes the directory name with all that is in it. Its own metadata come
// last, so that nobody else can get at a directory that is not complete.
func (co *checkout) dir(parent *dirfd.Dir, name, path string, e tree.Entry, depth int) error {
	if depth > tree.MaxDepth {
		return fmt.Errorf("Checking out %.64s...: %w", path, tree.ErrTooDeep)
	}
	entries, err := e.Tree().ReadDir("/")
	if err != nil {
		return err
	}
	if co.opts.Whiteouts {
		if err := co.makeRoom(parent, name, entries); err != nil {
			return err
		}
	}
	existed, d, err := co.makeDir(parent, name, path)
	if err != nil {
		return err
	}
	defer d.Close()
	if depth == 0 {
		co.top = d
	}
	if err := failpoint.At("repo.checkout.dir"); err != nil {
		return err
	}
	if co.opts.Whiteouts {
		if entries, err = co.applyWhiteouts(d, entries); err != nil {
			return err
		}
	}
	if co.filters {
		if entries, err = co.selected(path, entries); err != nil {
			return err
		}
	}
	if err := co.children(d, path, depth, entries); err != nil || existed {
		return err
	}
	return co.dirMetadata(d, path, e)
}

// makeRoom removes what is in the place of a directory: everything if it has an opaque
// whiteout, files if it is merged, as overlayfs would show it.
func (co *checkout) makeRoom(parent *dirfd.Dir, name string, entries []tree.Entry) error {
	if slices.ContainsFunc(entries, func(e tree.Entry) bool { return !e.IsDir && e.Name == opaqueWhiteout }) {
		return parent.RemoveAll(name)
	}
	if co.opts.Overwrite != UnionFiles {
		return nil
	}
	st, err := parent.Stat(name)
	if isMissing(err) {
		return nil
	}
	if err == nil && !ostree.IsDir(st.Mode) {
		err = parent.Unlink(name)
	}
	return err
}

func (co *checkout) makeDir(parent *dirfd.Dir, name, path string) (existed bool, d *dirfd.Dir, err error) {
	err = parent.Mkdir(name, 0o700)
	if os.IsExist(err) {
		if existed = co.opts.Overwrite != OverwriteNone; existed {
			err = nil
		} else {
			err = fmt.Errorf("mkdirat: %w", errnoText(err))
		}
	}
	if err != nil {
		return false, nil, err
	}
	if d, err = co.openDir(parent, name, path); err != nil || !co.opts.RequireHardlinks {
		return existed, d, err
	}
	if err := co.sameDevice(d); err != nil {
		d.Close()
		if !existed {
			err = errors.Join(err, parent.Rmdir(name))
		}
		return existed, nil, err
	}
	return existed, d, nil
}

// openTop opens the directory that the tree is put into, which links may lead to.
func openTop(parent *dirfd.Dir, name string) (*dirfd.Dir, error) {
	fd, err := dirfd.Openat(parent.FD(), name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return dirfd.New(fd, name), nil
}

// openDir opens a directory of the tree. One that was there may be a symbolic link to another,
// but not to one elsewhere: both links and directories come from commits.
func (co *checkout) openDir(parent *dirfd.Dir, name, path string) (*dirfd.Dir, error) {
	if co.top == nil {
		return openTop(parent, name)
	}
	d, err := parent.Open(name)
	if !errors.Is(err, unix.ENOTDIR) {
		return d, err
	}
	d, err = co.top.OpenDirBeneath(co.inTop(path), dirfd.Beneath)
	if errors.Is(err, unix.EXDEV) {
		err = fmt.Errorf("Checking out %s: symbolic link leads out of the destination", path)
	}
	return d, err
}

// inTop returns the path that starts at the directory that is checked out.
func (co *checkout) inTop(path string) string {
	if co.subpath == "/" {
		return path
	}
	return strings.TrimPrefix(path, co.subpath)
}

// sameDevice says early, and with its name, why there can be no hard link in d.
func (co *checkout) sameDevice(d *dirfd.Dir) error {
	var src unix.Stat_t
	if err := unix.Fstat(co.from.dirs[0], &src); err != nil {
		return err
	}
	dst, err := d.Stat("")
	if err == nil && dst.Dev != src.Dev {
		err = fmt.Errorf("Unable to do hardlink checkout across devices (src=%d destination=%d)", src.Dev, dst.Dev)
	}
	return err
}

func (co *checkout) selected(path string, entries []tree.Entry) ([]tree.Entry, error) {
	var out []tree.Entry
	for _, e := range entries {
		p := joinPath(path, e.Name)
		_, skip := co.opts.Skip.match(co.inTop(p))
		if !skip && e.IsDir {
			_, skip = co.opts.Skip.match(co.inTop(p) + "/")
		}
		if skip {
			continue
		}
		keep := true
		if co.opts.Filter != nil {
			var err error
			if keep, err = co.opts.Filter(p, e.IsDir); err != nil {
				return nil, err
			}
		}
		if keep {
			out = append(out, e)
		}
	}
	return out, nil
}

func (co *checkout) children(d *dirfd.Dir, path string, depth int, entries []tree.Entry) error {
	g := co.tasks.group(depth)
	files := make([]tree.Entry, 0, len(entries))
	for _, e := range entries {
		if !e.IsDir {
			files = append(files, e)
			continue
		}
		g.do(func() error {
			return co.tasks.at(depth+1, func() error { return co.dir(d, e.Name, joinPath(path, e.Name), e, depth+1) })
		})
	}
	for i := 0; i < len(files); i += checkoutChunk {
		chunk := files[i:min(i+checkoutChunk, len(files))]
		g.do(func() error {
			for _, e := range chunk {
				err := co.file(d, e, path)
				if err != nil && err != co.noLinks { // which is about the repository, not the file
					err = fmt.Errorf("Checking out %s: %w", joinPath(path, e.Name), err)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.wait()
}

func (co *checkout) dirMetadata(d *dirfd.Dir, path string, e tree.Entry) error {
	meta, err := e.Meta()
	if err != nil {
		return err
	}
	fd := d.FD()
	if !co.opts.UserMode {
		if err := unix.Fchown(fd, int(meta.UID), int(meta.GID)); err != nil {
			return pathError("chown", path, err)
		}
		xattrs, err := co.label(path, meta.Mode, meta.Xattrs)
		if err != nil {
			return err
		}
		for _, x := range xattrs {
			if err := unix.Fsetxattr(fd, x.Name, x.Value, 0); err != nil {
				return fmt.Errorf("%s: fsetxattr(%s): %w", path, x.Name, errnoText(err))
			}
		}
	}
	mode := meta.Mode & ostree.ModePerm
	if co.opts.BareUserOnlyDirs || co.from.mode == BareUserOnly {
		mode &= bareUserOnlyBits
	}
	if err := fchmod(fd, mode); err != nil {
		return pathError("chmod", path, err)
	}
	if co.opts.ForceCopy { // such as /etc, whose times mean something
		return nil
	}
	return resetTimes(fd)
}

func (co *checkout) label(path string, mode uint32, xattrs []ostree.Xattr) ([]ostree.Xattr, error) {
	if co.opts.Label == nil {
		return xattrs, nil
	}
	label, err := co.opts.Label(path, mode)
	if err != nil || label == nil {
		return xattrs, err
	}
	return SetXattr(xattrs, xattrSELinux, label), nil
}

const (
	whiteoutPrefix            = ".wh."
	opaqueWhiteout            = ".wh..wh..opq"
	passthroughWhiteoutPrefix = ".ostree-wh."
)

// applyWhiteouts removes from d what the whiteouts among the entries say, and
// returns the other entries. The format is that of OCI image layers.
func (co *checkout) applyWhiteouts(d *dirfd.Dir, entries []tree.Entry) ([]tree.Entry, error) {
	var out []tree.Entry
	for _, e := range entries {
		name, ok, err := co.whiteoutOf(e, whiteoutPrefix)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			out = append(out, e)
		case e.Name == opaqueWhiteout: // makeRoom has seen it
		case name == "":
			return nil, errors.New("Invalid empty whiteout ''")
		default:
			if err := ostree.ValidateName(name); err != nil {
				return nil, err
			}
			if err := d.RemoveAll(name); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// whiteoutOf returns which name an entry is a whiteout of, if it is one. Symbolic links are
// none, whatever their names.
func (co *checkout) whiteoutOf(e tree.Entry, prefix string) (name string, ok bool, err error) {
	name, ok = strings.CutPrefix(e.Name, prefix)
	if !ok || e.IsDir {
		return "", false, nil
	}
	h, err := co.from.FileHeader(e.Checksum)
	return name, err == nil && !ostree.IsSymlink(h.Mode), err
}
