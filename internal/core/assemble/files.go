// Package assemble computes the tree of an image from a base tree and packages.
// Everything here is a function of values: trees, package headers and users in,
// a tree out; no file system is looked at.
package assemble

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"rpmostree/internal/core/importer"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
	"rpmostree/rpm"
)

// A Package is a package to be put into a tree.
type Package struct {
	Header *rpm.Header
	// Tree is the package's files at their places in an image, owned by root.
	Tree tree.Tree
	// Overwrite lets the package's files replace those of others.
	Overwrite bool
}

// A Change is what makes a tree out of another one.
type Change struct {
	Remove []*rpm.Header // packages that go
	Add    []Package     // packages that come, in order of installation
	Keep   []*rpm.Header // packages of the base that stay
}

// Headers returns the headers of the packages that come.
func (c Change) Headers() []*rpm.Header {
	out := make([]*rpm.Header, len(c.Add))
	for i, p := range c.Add {
		out[i] = p.Header
	}
	return out
}

// A FileConflictError tells that a package has a file that another package, or
// the base, has with other content.
type FileConflictError struct {
	Package string // NEVRA of the package that could not be added
	Path    string // relative to the root of the tree
	Owner   string // NEVRA of the package that has the file, "" if unknown
}

func (e *FileConflictError) Error() string {
	owner := "the base tree"
	if e.Owner != "" {
		owner = e.Owner
	}
	return fmt.Sprintf("Checkout %s: Hardlinking %s: File exists (it belongs to %s, with other content)", e.Package, e.Path, owner)
}

// NEVRA returns the name by which messages call a package.
func NEVRA(h *rpm.Header) string {
	epoch := ""
	if e, ok := h.Epoch(); ok && e != 0 {
		epoch = fmt.Sprintf("%d:", e)
	}
	return h.Name() + "-" + epoch + h.Version() + "-" + h.Release() + "." + h.Arch()
}

// Files returns base without the files of the packages that go, and with those
// of the packages that come. The files still belong to root; see Own.
func Files(base tree.Tree, c Change) (tree.Tree, error) {
	b := tree.NewBuilder(base)
	places, err := placesIn(b)
	if err != nil {
		return tree.Tree{}, err
	}
	if err := removeFiles(b, c, places); err != nil {
		return tree.Tree{}, err
	}
	// A package that may overwrite comes after those that may not.
	order := slices.Clone(c.Add)
	slices.SortStableFunc(order, func(a, b Package) int {
		switch {
		case a.Overwrite == b.Overwrite:
			return 0
		case b.Overwrite:
			return -1
		}
		return 1
	})
	for i, p := range order {
		if places.mergedSbin {
			if p.Tree, err = mergeSbin(p.Tree); err != nil {
				return tree.Tree{}, fmt.Errorf("%s: %w", NEVRA(p.Header), err)
			}
		}
		opts := tree.OverlayOptions{Replace: p.Overwrite}
		if !p.Overwrite {
			opts.Conflict = func(e *tree.ConflictError) tree.Resolution {
				return places.byColor(p.Header, places.owner(e.Path, slices.Concat(headers(order[:i]), c.Keep)), e.Path)
			}
		}
		err := b.Overlay("", p.Tree, opts)
		var conflict *tree.ConflictError
		if errors.As(err, &conflict) {
			e := &FileConflictError{Package: NEVRA(p.Header), Path: strings.Trim(conflict.Path, "/")}
			if h := places.owner(conflict.Path, slices.Concat(headers(order[:i]), c.Keep)); h != nil {
				e.Owner = NEVRA(h)
			}
			return tree.Tree{}, e
		} else if err != nil {
			return tree.Tree{}, fmt.Errorf("%s: %w", NEVRA(p.Header), err)
		}
	}
	return b.Tree(), nil
}

func headers(pkgs []Package) []*rpm.Header { return Change{Add: pkgs}.Headers() }

// removeFiles takes out what only the removed packages own. Directories go when
// nothing is left in them and nobody else owns them.
func removeFiles(b *tree.Builder, c Change, places places) error {
	if len(c.Remove) == 0 {
		return nil
	}
	gone := map[string]bool{} // place to whether it is a directory
	for _, h := range c.Remove {
		for place, f := range places.of(h) {
			gone[place] = f.IsDir()
		}
		gone[importer.TmpfilesPath(h.Name())] = false
	}
	for _, h := range c.Keep {
		for place := range places.of(h) {
			delete(gone, place)
		}
	}
	// What a script made of a ghost belongs to the next version too.
	for _, h := range c.Headers() {
		for place, f := range places.of(h) {
			if f.IsGhost() {
				delete(gone, place)
			}
		}
	}
	var paths []string
	for p := range gone {
		paths = append(paths, p)
	}
	// Deepest first, so that directories are empty when their turn comes.
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(b, a) })
	for _, p := range paths {
		e, err := b.Lookup(p)
		var below *tree.NotDirError
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, &below) {
			continue
		} else if err != nil {
			return err
		}
		if !e.IsDir {
			err = b.Remove(p)
		} else if gone[p] {
			_, err = b.RemoveEmpty(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// places says where an image has the files of packages.
type places struct{ mergedSbin bool }

func placesIn(b *tree.Builder) (places, error) {
	merged, err := sbinIsLink(b)
	return places{merged}, err
}

// of yields the places of the package's files.
func (l places) of(h *rpm.Header) func(yield func(string, *rpm.File) bool) {
	return func(yield func(string, *rpm.File) bool) {
		files := h.Files()
		for i := range files {
			p, err := importer.PlaceOf(h.Name(), &files[i])
			if err != nil || p.Path == "" {
				continue
			}
			if l.mergedSbin && (p.Path == sbin || strings.HasPrefix(p.Path, sbin+"/")) {
				p.Path = bin + p.Path[len(sbin):]
			}
			if !yield(p.Path, &files[i]) {
				return
			}
		}
	}
}

// owner returns the package that has a file at the place, or nil.
func (l places) owner(place string, pkgs []*rpm.Header) *rpm.Header {
	place = strings.Trim(place, "/")
	base := path.Base(place)
	for _, h := range pkgs {
		if !slices.Contains(h.Strings(rpm.TagBaseNames), base) {
			continue
		}
		for p := range l.of(h) {
			if p == place {
				return h
			}
		}
	}
	return nil
}

// Colours of ELF files in a package header (rpmfc.h).
const (
	color32 = 1
	color64 = 2
)

// byColor settles a conflict of two builds of one program for different
// machines the way rpm does: the 64-bit one stays.
func (l places) byColor(theirs, ours *rpm.Header, place string) tree.Resolution {
	if ours == nil {
		return tree.Fail
	}
	a, b := l.colorOf(ours, place), l.colorOf(theirs, place)
	switch {
	case a&color64 != 0 && b == color32:
		return tree.Keep
	case a == color32 && b&color64 != 0:
		return tree.Replace
	}
	return tree.Fail
}

func (l places) colorOf(h *rpm.Header, place string) uint32 {
	place = strings.Trim(place, "/")
	for p, f := range l.of(h) {
		if p == place {
			return f.Color
		}
	}
	return 0
}

const (
	bin  = "usr/bin"
	sbin = "usr/sbin"
)

// sbinIsLink reports whether the tree has merged /usr/sbin into /usr/bin.
func sbinIsLink(b *tree.Builder) (bool, error) {
	e, err := b.Lookup(sbin)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && !e.IsDir, err
}

// mergeSbin moves a package's programs from usr/sbin to usr/bin.
func mergeSbin(t tree.Tree) (tree.Tree, error) {
	dir, err := t.Lookup(sbin)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !dir.IsDir {
		return t, nil
	} else if err != nil {
		return t, err
	}
	b := tree.NewBuilder(t)
	if err := b.Remove(sbin); err != nil {
		return t, err
	}
	if err := b.Overlay(bin, dir.Tree(), tree.OverlayOptions{}); err != nil {
		return t, err
	}
	return b.Tree(), nil
}

// An Owners knows the numbers of users and groups: a passwd.Database.
type Owners interface {
	UID(name string) (uint32, bool)
	GID(name string) (uint32, bool)
}

// A Rewriter stores a file object again with another header.
type Rewriter interface {
	FileHeader(ostree.Checksum) (ostree.FileHeader, error)
	Rewrite(ostree.Checksum, ostree.FileHeader) (ostree.Checksum, error)
}

// Own returns the tree with the files and directories of the packages given to
// the owners that their headers name, with the modes and capabilities that
// depend on the owner.
func Own(t tree.Tree, pkgs []Package, owners Owners, w Rewriter) (tree.Tree, error) {
	b := tree.NewBuilder(t)
	places, err := placesIn(b)
	if err != nil {
		return t, err
	}
	for _, p := range pkgs {
		for place, f := range places.of(p.Header) {
			if f.IsGhost() {
				continue
			}
			if err := own(b, place, f, owners, w); err != nil {
				return t, fmt.Errorf("%s: %s: %w", NEVRA(p.Header), f.Path, err)
			}
		}
	}
	return b.Tree(), nil
}

func own(b *tree.Builder, place string, f *rpm.File, owners Owners, w Rewriter) error {
	root := (f.User == "root" || f.User == "") && (f.Group == "root" || f.Group == "")
	if root && !f.IsDir() {
		return nil // as imported
	}
	e, err := b.Lookup(place)
	var below *tree.NotDirError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &below) {
		return nil // left out, such as documentation
	} else if err != nil {
		return err
	}
	uid, ok := owners.UID(f.User)
	if !ok && f.User != "" {
		return fmt.Errorf("Could not find user '%s' in passwd file", f.User)
	}
	gid, ok := owners.GID(f.Group)
	if !ok && f.Group != "" {
		return fmt.Errorf("Could not find group '%s' in group file", f.Group)
	}
	if e.IsDir {
		if !f.IsDir() {
			return nil
		}
		meta, err := e.Meta()
		if err != nil {
			return err
		}
		want := ostree.DirMeta{UID: uid, GID: gid, Mode: importer.DirMode(f), Xattrs: meta.Xattrs}
		if want.Equal(meta) {
			return nil
		}
		return b.SetMeta(place, want)
	}
	if f.IsDir() {
		return nil // a link to a directory is in its place
	}
	h, err := importer.FileHeader(f)
	if err != nil {
		return err
	}
	old, err := w.FileHeader(e.Checksum)
	if err != nil {
		return err
	}
	h.UID, h.GID, h.Target = uid, gid, old.Target
	h.Xattrs = append(h.Xattrs, importer.IMA(old.Xattrs)...)
	if h.Mode&ostree.ModeType != old.Mode&ostree.ModeType {
		return nil // something else is in its place
	}
	sum, err := w.Rewrite(e.Checksum, h)
	if err != nil {
		return err
	}
	return b.SetFile(place, sum)
}
