package repo

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
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
	// Rename, if not nil, changes the path of each entry, which starts with no
	// slash. An entry that becomes "" is left out.
	Rename func(path string) string
}

// maxTarEntries bounds the number of entries of a tar file.
const maxTarEntries = 10 << 20

// tarDictionary is the most memory that decompression of a tar file may use, in bytes.
const tarDictionary = 256 << 20

// ImportTar adds the content of a tar or cpio (newc) file, which may be compressed, and
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
	in, err := newArchiveReader(plain)
	if err != nil {
		return tree.Tree{}, err
	}
	for n := 0; ; n++ {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return tree.Tree{}, err
		}
		if n == maxTarEntries {
			return tree.Tree{}, fmt.Errorf("tar file has more than %d entries", maxTarEntries)
		}
		if err := im.entry(h, in); err != nil {
			return tree.Tree{}, err
		}
	}
	for _, l := range im.links {
		if err := im.link(l.path, l.target); err != nil {
			return tree.Tree{}, err
		}
	}
	if im.rootMissing && !t.AutocreateParents {
		return im.b.Tree().WithoutMeta(), nil
	}
	return im.b.Tree(), nil
}

type tarImporter struct {
	*importer
	t           TarOptions
	b           *tree.Builder
	links       []tarLink
	rootMissing bool // nothing made the root so far
}

// tarLink is a hard link: it is resolved when all files are there.
type tarLink struct{ path, target string }

// cleanTarPath returns the path of an entry without a slash at the start: "" for the root.
func (im *tarImporter) cleanTarPath(name string) (string, error) {
	for {
		trimmed := strings.TrimPrefix(strings.TrimLeft(name, "/"), "./")
		trimmed = strings.TrimPrefix(trimmed, "../")
		if trimmed == name {
			break
		}
		name = trimmed
	}
	name = strings.TrimRight(name, "/")
	if name == "." || name == ".." {
		name = ""
	}
	if name != "" && im.t.Rename != nil {
		name = strings.Trim(im.t.Rename(name), "/")
	}
	if name == "" {
		return "", nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." {
			continue
		}
		if err := ostree.ValidateName(part); err != nil {
			return "", err
		}
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), nil
}

func (im *tarImporter) entry(h *tar.Header, content io.Reader) error {
	name, err := im.cleanTarPath(h.Name)
	if err != nil || name == "" && h.Typeflag != tar.TypeDir {
		return err
	}
	p := "/" + name
	if h.Typeflag == tar.TypeLink {
		target, err := im.cleanTarPath(h.Linkname)
		im.links = append(im.links, tarLink{p, "/" + target})
		return err
	}
	header := ostree.FileHeader{UID: uint32(h.Uid), GID: uint32(h.Gid), Mode: uint32(h.Mode) & ostree.ModePerm}
	switch h.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont:
		header.Mode |= unix.S_IFREG
	case tar.TypeSymlink:
		header.Mode, header.Target = unix.S_IFLNK|0o777, h.Linkname
	case tar.TypeDir:
		header.Mode |= unix.S_IFDIR
	default:
		return fmt.Errorf("Unsupported file type for path \"%s\"", name)
	}
	keep, err := im.modify(p, &header, func() ([]ostree.Xattr, error) { return tarXattrs(h), nil })
	if err != nil || !keep {
		return err
	}
	if err := im.parents(p, header); err != nil {
		return err
	}
	if ostree.IsDir(header.Mode) {
		return im.dirEntry(p, header)
	}
	if err := header.Validate(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	size := h.Size
	if header.Target != "" {
		size, content = 0, nil
	}
	sum, err := im.tx.WriteFile(header, size, content)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return im.setFile(p, sum)
}

func (im *tarImporter) dirEntry(p string, h ostree.FileHeader) error {
	meta := ostree.DirMeta{UID: h.UID, GID: h.GID, Mode: h.Mode, Xattrs: h.Xattrs}
	if p == "/" {
		im.rootMissing = false
	}
	err := im.b.SetDir(p, meta)
	var conflict *tree.ConflictError
	if errors.As(err, &conflict) {
		return fmt.Errorf("Can't replace file with directory: %s", path.Base(p))
	}
	return err
}

func (im *tarImporter) setFile(p string, sum ostree.Checksum) error {
	err := im.b.SetFile(p, sum)
	var conflict *tree.ConflictError
	if errors.As(err, &conflict) {
		return fmt.Errorf("Can't replace directory with file: %s", path.Base(p))
	}
	return err
}

// parents makes sure that the directory which p is to be in exists.
func (im *tarImporter) parents(p string, h ostree.FileHeader) error {
	if p == "/" {
		return nil
	}
	im.b.Parent = ostree.DirMeta{UID: h.UID, GID: h.GID, Mode: unix.S_IFDIR | 0o755}
	if im.t.AutocreateParents {
		if im.rootMissing {
			im.rootMissing = false
			return im.b.SetDir("/", im.b.Parent)
		}
		return nil // the builder makes the others
	}
	dir := path.Dir(p)
	_, err := im.b.Lookup(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("No such file or directory: %s", strings.TrimPrefix(dir, "/"))
	}
	return err
}

// link gives the file at target another name.
func (im *tarImporter) link(p, target string) error {
	if _, skip := im.o.Skip.match(p); skip {
		return nil
	}
	e, err := im.b.Lookup(target)
	if err != nil || e.IsDir {
		return fmt.Errorf("Hard link %s to a file that is not there: %s", p, target)
	}
	if err := im.parents(p, ostree.FileHeader{}); err != nil {
		return err
	}
	return im.setFile(p, e.Checksum)
}

// tarXattrs returns the attributes of an entry, which pax headers hold.
func tarXattrs(h *tar.Header) []ostree.Xattr {
	var list []ostree.Xattr
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok && name != "" {
			list = append(list, ostree.Xattr{Name: name, Value: []byte(value)})
		}
	}
	slices.SortFunc(list, ostree.CompareXattrs)
	return list
}
