// Package importer turns an RPM package into a tree in a repository, with its
// files at the places where an image carries them.
//
// Everything is stored as owned by root, since the numbers of other owners are
// known only when a tree is assembled. Assembly gives the files away; until
// then, set-user-ID bits and capabilities that belong to another owner are
// left out, so that the object store never holds a program that runs as root
// by mistake.
package importer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"rpmostree/internal/core/tmpfiles"
	"rpmostree/ostree"
	"rpmostree/ostree/tree"
	"rpmostree/rpm"
)

const (
	modeSetID      = 0o6000
	modeOwnerWrite = 0o200
)

// DirMode returns the mode of a package's directory in an image: root can
// always write, since a checkout has to.
func DirMode(f *rpm.File) uint32 {
	return ostree.ModeDir | f.Mode&ostree.ModePerm | modeOwnerWrite
}

// FileHeader returns the header of a package's file or link in an image, but
// for its owner, which is root.
func FileHeader(f *rpm.File) (ostree.FileHeader, error) {
	h := ostree.FileHeader{Mode: f.Mode}
	if f.IsSymlink() {
		h.Mode, h.Target = ostree.ModeSymlink|0o777, f.LinkTo
		return h, nil
	}
	if f.Caps != "" {
		value, err := rpm.CapsXattr(f.Caps)
		if err != nil {
			return h, fmt.Errorf("%s: %w", f.Path, err)
		}
		if value != nil {
			h.Xattrs = []ostree.Xattr{{Name: "security.capability", Value: value}}
		}
	}
	return h, nil
}

// importHeader is FileHeader without what depends on an owner that is not root,
// and with the file's signature.
func importHeader(f *rpm.File) (ostree.FileHeader, error) {
	h, err := FileHeader(f)
	if err != nil {
		return h, err
	}
	if !rootOwned(f) {
		h.Mode &^= modeSetID
		h.Xattrs = nil
	}
	return signed(h, f)
}

// xattrIMA has the signature of a file's content, which the kernel checks.
const xattrIMA = "security.ima"

// IMA returns the attribute among xattrs that has a file's signature, if any.
func IMA(xattrs []ostree.Xattr) []ostree.Xattr {
	for _, x := range xattrs {
		if x.Name == xattrIMA {
			return []ostree.Xattr{x}
		}
	}
	return nil
}

// signed adds the file's signature to a header. An unsigned file among signed
// ones has none, or zeros.
func signed(h ostree.FileHeader, f *rpm.File) (ostree.FileHeader, error) {
	if f.IMA == "" || !f.IsRegular() {
		return h, nil
	}
	value, err := hex.DecodeString(f.IMA)
	if err != nil {
		return h, fmt.Errorf("%s: file signature: %w", f.Path, err)
	}
	// What comes before the signature proper: struct signature_v2_hdr of Linux's
	// security/integrity/integrity.h.
	const header = 9
	if len(value) >= header && !bytes.Equal(value[:header], make([]byte, header)) {
		h.Xattrs = append(h.Xattrs, ostree.Xattr{Name: xattrIMA, Value: value})
	}
	return h, nil
}

func rootOwned(f *rpm.File) bool {
	return (f.User == "root" || f.User == "") && (f.Group == "root" || f.Group == "")
}

// A Writer stores objects: a *repo.Transaction.
type Writer interface {
	tree.Writer
	WriteFile(h ostree.FileHeader, size int64, content io.Reader) (ostree.Checksum, error)
	CloneFile(c ostree.Checksum, h ostree.FileHeader) (ostree.Checksum, error)
}

// Options say what of a package is imported. The zero value imports all.
type Options struct {
	NoDocs bool // leave out files marked as documentation
	IMA    bool // store the signatures of files (tag FILESIGNATURES) with them
}

// Skipped reports whether the options leave the file out. A ghost is never in
// an image: the package only says that it may come to be.
func (o Options) Skipped(f *rpm.File) bool {
	return f.IsGhost() || o.NoDocs && f.Flags&rpm.FileDoc != 0 && f.Flags&rpm.FileLicense == 0
}

// Import reads the payload of p once and returns the package's tree. Digests
// and signatures are checked on the way: only when there is no error may the
// tree be used.
func Import(p *rpm.Package, w Writer, opt Options) (tree.Tree, error) {
	im := importing{
		name: p.Header.Name(), files: files(p, opt), w: w, opt: opt,
		b: tree.NewBuilder(tree.Tree{}), sums: map[int]ostree.Checksum{},
	}
	if err := im.run(p); err != nil {
		return tree.Tree{}, err
	}
	return im.b.Tree(), nil
}

// files returns the files of a package, with their signatures if they are wanted.
// Those are in the signature header, as they come after the package was built.
func files(p *rpm.Package, opt Options) []rpm.File {
	list, signatures := p.Header.Files(), p.Signature.Strings(rpm.SigFileSignatures)
	for i := range list {
		switch f := &list[i]; {
		case !opt.IMA:
			f.IMA = ""
		case i < len(signatures):
			f.IMA = signatures[i]
		}
	}
	return list
}

// importing is the state of one import.
type importing struct {
	name  string
	files []rpm.File
	w     Writer
	opt   Options
	b     *tree.Builder
	sums  map[int]ostree.Checksum // of regular files, by index
	lines []tmpfiles.Line
}

func (im *importing) run(p *rpm.Package) error {
	places := make([]string, len(im.files))
	for i := range im.files {
		f := &im.files[i]
		if im.opt.Skipped(f) {
			continue
		}
		place, err := PlaceOf(im.name, f)
		if err != nil {
			return err
		}
		places[i] = place.Path
		im.lines = append(im.lines, place.Lines...)
	}
	if err := im.contents(p, places); err != nil {
		return err
	}
	for i, place := range places {
		if place == "" {
			continue
		}
		if err := im.put(i, place); err != nil {
			return fmt.Errorf("%s: %w", im.files[i].Path, err)
		}
	}
	return im.writeLines()
}

// contents stores the files of the payload. Only their checksums are kept: when
// the payload turns out to be bad, nothing refers to them.
func (im *importing) contents(p *rpm.Package, places []string) error {
	payload, err := p.Payload()
	if err != nil {
		return err
	}
	for {
		m, err := payload.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		f := &im.files[m.Index]
		if !f.IsRegular() || !slices.ContainsFunc(m.Links, func(i int) bool { return places[i] != "" }) {
			continue
		}
		h, err := importHeader(f)
		if err != nil {
			return err
		}
		sum, err := im.w.WriteFile(h, int64(f.Size), payload)
		if err != nil {
			return err
		}
		for _, i := range m.Links {
			if im.sums[i], err = im.link(sum, h, i); err != nil {
				return err
			}
		}
	}
}

// link returns the object of a hard link with index i to a file of header h. It
// is another one if the package gives the link a header of its own.
func (im *importing) link(sum ostree.Checksum, h ostree.FileHeader, i int) (ostree.Checksum, error) {
	own, err := importHeader(&im.files[i])
	if err != nil || own.Mode == h.Mode && slices.EqualFunc(own.Xattrs, h.Xattrs, equalXattr) {
		return sum, err
	}
	return im.w.CloneFile(sum, own)
}

func equalXattr(a, b ostree.Xattr) bool {
	return a.Name == b.Name && bytes.Equal(a.Value, b.Value)
}

// put adds the file with that index to the tree.
func (im *importing) put(i int, place string) error {
	f := &im.files[i]
	switch {
	case f.IsDir():
		return im.b.SetDir(place, ostree.DirMeta{Mode: DirMode(f)})
	case f.IsSymlink():
		h, err := FileHeader(f)
		if err != nil {
			return err
		}
		sum, err := im.w.WriteFile(h, 0, nil)
		if err != nil {
			return err
		}
		return im.b.AddFile(place, sum)
	case f.IsRegular():
		sum, ok := im.sums[i]
		if !ok {
			return errors.New("the payload does not have it")
		}
		return im.b.AddFile(place, sum)
	}
	return nil // devices and the like cannot be in a commit
}

// writeLines stores the package's tmpfiles.d lines in its tree.
func (im *importing) writeLines() error {
	if len(im.lines) == 0 {
		return nil
	}
	text := tmpfiles.Text(im.lines)
	sum, err := im.w.WriteFile(ostree.FileHeader{Mode: ostree.ModeRegular | 0o644}, int64(len(text)), strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	return im.b.AddFile(TmpfilesPath(im.name), sum)
}
