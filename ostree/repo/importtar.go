package repo

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"strings"

	"rpmostree/internal/compress"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"

	"golang.org/x/sys/unix"
)

// TarOptions say how a tar file becomes a tree.
type TarOptions struct {
	// Base is the tree that the entries are added to. The zero Tree has no root yet: if no
	// entry is one, the result has none either (see tree.Tree.HasMeta).
	Base tree.Tree
	// AutocreateParents makes the missing directories of a path, with mode 0755 and
	// the owner of the entry. Without it they are an error.
	AutocreateParents bool
	// Rename, if not nil, changes the path of each entry and of each target of a hard link. It
	// is relative, "" for the root; that of a directory may end in a slash.
	Rename func(path string) string
}

// tarDictionary is the most memory that decompression of a tar file may use, in bytes.
const tarDictionary = 256 << 20

// ImportTar adds the content of a tar or cpio file, which may be compressed, and
// returns it as a tree.
// A later entry of the same path replaces an earlier one. Of the options, those about links
// to objects and Consume do not count.
func (tx *Transaction) ImportTar(r io.Reader, o ImportOptions, t TarOptions) (tree.Tree, error) {
	plain, _, err := compress.NewDetectingReader(r, tarDictionary)
	if err != nil {
		return tree.Tree{}, err
	}
	defer plain.Close()
	im := &tarImporter{importer: tx.newImporter(o), t: t, b: tree.NewBuilder(t.Base), rootMissing: !t.Base.HasMeta()}
	im.o.NoXattrs = o.NoXattrs || tx.mode == BareUserOnly || tx.disableXattrs // CanonicalPermissions keeps them here
	in, err := newArchiveReader(plain)
	if err != nil {
		return tree.Tree{}, err
	}
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return tree.Tree{}, err
		}
		if err := im.entry(h, in); err != nil {
			return tree.Tree{}, err
		}
	}
	if err := im.resolveLinks(); err != nil {
		return tree.Tree{}, err
	}
	if im.rootMissing {
		if !t.AutocreateParents {
			return im.b.Tree().WithoutMeta(), nil
		}
		if err := im.emptyRoot(); err != nil {
			return tree.Tree{}, err
		}
	}
	return im.b.Tree(), nil
}

type tarImporter struct {
	*importer
	t           TarOptions
	b           *tree.Builder
	links       []tarLink
	rootMissing bool // nothing made the root so far
	made        int  // directories that had no entry of their own
}

// tarLink is a hard link: it is resolved when all files are there. Paths are relative.
type tarLink struct {
	path, target string
	payload      bool // it brought a content, which is that of the target, too
}

// relativePath is what libarchive's names are to libostree.
func relativePath(name string) string {
	for strings.HasPrefix(name, "/") {
		name = name[1:]
		if strings.HasPrefix(name, "../") {
			name = name[2:]
		}
	}
	for strings.HasPrefix(name, "/") || strings.HasPrefix(name, "./") {
		_, name, _ = strings.Cut(name, "/")
	}
	if name == "." {
		return ""
	}
	return name
}

// path returns the path of a name in the archive, below the root: "" for that.
func (im *tarImporter) path(name string) (string, error) {
	rel := relativePath(name)
	if im.t.Rename != nil {
		rel = im.t.Rename(rel)
	}
	if len(rel) > maxArchivePath {
		return "", fmt.Errorf("Path '%.64s...' is too long", rel)
	}
	var parts []string
	for part := range strings.SplitSeq(rel, "/") {
		switch part {
		case "", ".":
			continue
		case "..":
			return "", fmt.Errorf("While making relative path \"%s\":Invalid uplink '..' in path %s", rel, rel)
		}
		if err := ostree.ValidateName(part); err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "/"), nil
}

// tarFileHeader returns the metadata of an entry; a hard link is a file.
func tarFileHeader(h *tar.Header) (ostree.FileHeader, error) {
	out := ostree.FileHeader{UID: uint32(h.Uid), GID: uint32(h.Gid), Mode: uint32(h.Mode) & ostree.ModePerm}
	for field, id := range map[string]int{"uid": h.Uid, "gid": h.Gid} {
		if id < 0 || id > math.MaxUint32 {
			return out, fmt.Errorf("%s %d is out of range", field, id)
		}
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		if h.Linkname == "" {
			return out, errors.New("Symlink entry has no target")
		}
		out.Mode, out.Target = unix.S_IFLNK|0o777, h.Linkname
	case tar.TypeDir, tarIncremental:
		out.Mode |= unix.S_IFDIR
	case tar.TypeChar:
		out.Mode |= unix.S_IFCHR
	case tar.TypeBlock:
		out.Mode |= unix.S_IFBLK
	case tar.TypeFifo:
		out.Mode |= unix.S_IFIFO
	case tar.TypeLink:
		out.Mode |= unix.S_IFREG
	default: // POSIX: an entry of an unknown type is a file
		if strings.HasSuffix(h.Name, "/") { // old programs wrote directories so
			out.Mode |= unix.S_IFDIR
		} else {
			out.Mode |= unix.S_IFREG
		}
	}
	return out, nil
}

func (im *tarImporter) entry(h *tar.Header, content io.Reader) error {
	name, err := im.path(h.Name)
	if err != nil {
		return err
	}
	header, err := tarFileHeader(h)
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	p := "/" + name
	keep, err := im.modify(p, &header, func() ([]ostree.Xattr, error) { return tarXattrs(h) })
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !keep {
		return nil
	}
	if err := im.parents(p, header); err != nil {
		return err
	}
	switch {
	case ostree.IsDir(header.Mode):
		return im.dirEntry(p, header)
	case !ostree.IsRegular(header.Mode) && !ostree.IsSymlink(header.Mode):
		return fmt.Errorf("Unsupported file type for path \"%s\"", name)
	case name == "":
		return errors.New("The root of an archive is not a directory")
	}
	if h.Typeflag == tar.TypeLink {
		target, err := im.path(h.Linkname)
		if err != nil {
			return err
		}
		im.links = append(im.links, tarLink{name, target, h.Size > 0})
		if h.Size == 0 {
			return nil
		}
	}
	if err := header.Validate(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	sum, err := im.tx.WriteFile(header, h.Size, content)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return im.setFile(p, sum)
}

func (im *tarImporter) dirEntry(p string, h ostree.FileHeader) error {
	if p == "/" {
		im.rootMissing = false
	}
	return replaceError(p, im.b.SetDir(p, dirMetaOf(h)))
}

func (im *tarImporter) setFile(p string, sum ostree.Checksum) error {
	return replaceError(p, im.b.SetFile(p, sum))
}

// replaceError says what a file or directory cannot take the place of.
func replaceError(p string, err error) error {
	var conflict *tree.ConflictError
	var notDir *tree.NotDirError
	switch {
	case errors.As(err, &conflict) && conflict.Ours.IsDir:
		return fmt.Errorf("Can't replace directory with file: %s", path.Base(p))
	case errors.As(err, &conflict):
		return fmt.Errorf("Can't replace file with directory: %s", path.Base(p))
	case errors.As(err, &notDir):
		return fmt.Errorf("Can't replace file with directory: %s", path.Base(notDir.Path))
	}
	return err
}

// parents makes sure that the directory which p is to be in exists. One that is made belongs
// to the owner of p.
func (im *tarImporter) parents(p string, h ostree.FileHeader) error {
	if p == "/" {
		return nil
	}
	if err := im.hasParent(p); !im.t.AutocreateParents || err == nil && !im.rootMissing {
		return err
	}
	for i := range p {
		if p[i] != '/' {
			continue
		}
		dir := p[:max(i, 1)]
		if _, err := im.b.Lookup(dir); !errors.Is(err, fs.ErrNotExist) && (dir != "/" || !im.rootMissing) {
			if err != nil {
				return replaceError(dir, err)
			}
			continue
		}
		if im.made++; im.made > maxArchiveEntries {
			return fmt.Errorf("Archive needs more than %d directories", maxArchiveEntries)
		}
		meta := ostree.FileHeader{UID: h.UID, GID: h.GID, Mode: unix.S_IFDIR | 0o755}
		if err := im.label(dir, &meta); err != nil {
			return err
		}
		if err := im.dirEntry(dir, meta); err != nil {
			return err
		}
	}
	return nil
}

// hasParent makes sure that the directory which p is in exists.
func (im *tarImporter) hasParent(p string) error {
	dir := path.Dir(p)
	e, err := im.b.Lookup(dir)
	if err == nil && e.IsDir {
		return nil
	}
	var notDir *tree.NotDirError
	if err == nil || errors.As(err, &notDir) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("No such file or directory: %s", strings.TrimPrefix(dir, "/"))
	}
	return err
}

// emptyRoot makes the root if no entry did.
func (im *tarImporter) emptyRoot() error {
	h := ostree.FileHeader{Mode: unix.S_IFDIR | 0o755}
	_, err := im.modify("/", &h, func() ([]ostree.Xattr, error) { return nil, nil })
	if err != nil {
		return err
	}
	return im.dirEntry("/", h)
}

// resolveLinks gives files their other names. The first content that came with a name of a
// file is the file's.
func (im *tarImporter) resolveLinks() error {
	known := map[string]bool{}
	for _, l := range im.links {
		if !l.payload || known[l.target] {
			continue
		}
		known[l.target] = true
		e, err := im.b.Lookup("/" + l.path)
		if err == nil {
			err = im.hasParent("/" + l.target)
		}
		if err == nil {
			err = im.setFile("/"+l.target, e.Checksum)
		}
		if err != nil {
			return fmt.Errorf("ostree-tar: Processing deferred hardlink %s: Failed importing hardlink: %w", l.target, err)
		}
	}
	for _, l := range im.links {
		e, err := im.b.Lookup("/" + l.target)
		switch {
		case err == nil && e.IsDir:
			err = fmt.Errorf("Expected hardlink file target at \"%s\" but found a directory", l.target)
		case err == nil:
			err = im.setFile("/"+l.path, e.Checksum)
		}
		if err != nil {
			return fmt.Errorf("ostree-tar: Processing deferred hardlink %s: Failed to find object: %w", l.target, err)
		}
	}
	return nil
}
