package repo

import (
	"archive/tar"
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strings"

	"rpmostree/ostree"
)

// archiveReader is what the readers of all formats have in common. What is read after a header
// is the content of the entry, of Header.Size bytes: that of a hard link, too, if it has one.
type archiveReader interface {
	Next() (*tar.Header, error)
	io.Reader
}

// newArchiveReader looks at the first bytes to tell the format.
func newArchiveReader(r io.Reader) (archiveReader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if isCpio(magic) {
		return &cpioReader{in: b, names: map[cpioInode]string{}, waiting: map[cpioInode][]*tar.Header{}}, nil
	}
	return &tarReader{in: b, tar: tar.NewReader(b)}, nil
}

// Bounds of what an import keeps of an archive.
const (
	maxArchiveEntries = 10 << 20
	maxArchivePath    = 4096    // bytes of a path, as PATH_MAX
	maxArchiveNames   = 1 << 30 // bytes of all paths and targets
)

// archiveCount adds up what an archive has.
type archiveCount struct{ entries, names int }

// add refuses an entry that is too much.
func (c *archiveCount) add(h *tar.Header) error {
	c.names += len(h.Name) + len(h.Linkname)
	if c.entries++; c.entries > maxArchiveEntries {
		return fmt.Errorf("Archive has more than %d entries", maxArchiveEntries)
	}
	if c.names > maxArchiveNames {
		return fmt.Errorf("Paths in archive have more than %d bytes", maxArchiveNames)
	}
	return nil
}

// tarReader reads tar files. What archive/tar leaves to its user is as in libarchive.
type tarReader struct {
	in    *bufio.Reader // archive/tar takes no more of it than what it returns
	tar   *tar.Reader
	count archiveCount
	pax   bool  // what was read makes it a file of the pax format
	left  int64 // of the content of a hard link
	pad   int64 // after it
}

// Types of entries that archive/tar has no names for.
const (
	tarSolarisACL  = 'A'
	tarIncremental = 'D' // a directory, with the list of its files as content
	tarContinued   = 'M' // the rest of a file from the volume before
	tarVolume      = 'V' // the name of the volume
	tarSunHeader   = 'X' // an extended header
)

// Next returns the next entry, io.EOF at the end.
func (t *tarReader) Next() (*tar.Header, error) {
	for {
		h, err := t.next()
		if err == nil && (h.Size < 0 || h.Size > math.MaxInt64-tarBlock) { // archive/tar looks at sizes of files only
			err = errDamagedTar
		}
		if err == nil {
			err = t.count.add(h)
		}
		if err != nil {
			return nil, err
		}
		switch h.Format {
		case tar.FormatPAX:
			t.pax = true
		case tar.FormatUSTAR:
		default:
			t.pax = false
		}
		switch h.Typeflag {
		case tar.TypeXGlobalHeader, tarSolarisACL, tarVolume:
			continue
		case tarContinued, tarSunHeader:
			return nil, fmt.Errorf("Unsupported type '%c' of tar entry \"%s\"", h.Typeflag, h.Name)
		case tar.TypeLink:
			if !t.pax { // where links have no content, whatever their size is said to be
				h.Size = 0
			}
			t.left, t.pad = h.Size, -h.Size&(tarBlock-1)
		case tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
			h.Size = 0
		}
		return h, nil
	}
}

// next returns what archive/tar has next, with the errors of libarchive.
func (t *tarReader) next() (*tar.Header, error) {
	_, err := io.CopyN(io.Discard, t.in, t.left+t.pad)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	t.left, t.pad = 0, 0
	var h *tar.Header
	if err == nil {
		h, err = t.tar.Next()
	}
	switch {
	case err == io.ErrUnexpectedEOF:
		err = errors.New("Truncated tar archive")
	case errors.Is(err, tar.ErrHeader) && t.count.entries == 0:
		err = errors.New("Unrecognized archive format")
	case errors.Is(err, tar.ErrHeader):
		err = errDamagedTar
	}
	return h, err
}

var errDamagedTar = errors.New("Damaged tar archive")

// tarBlock is the size of a header; contents are padded to a multiple of it.
const tarBlock = 512

func (t *tarReader) Read(b []byte) (int, error) {
	if t.left == 0 {
		return t.tar.Read(b)
	}
	n, err := t.in.Read(b[:min(int64(len(b)), t.left)])
	t.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// tarXattrs returns the attributes of an entry, sorted, which extended headers hold in one of
// three ways.
func tarXattrs(h *tar.Header) ([]ostree.Xattr, error) {
	all := map[string]string{}
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "LIBARCHIVE.xattr."); ok {
			decoded, err := url.PathUnescape(name)
			if err != nil {
				return nil, fmt.Errorf("Invalid name of extended attribute '%s'", name)
			}
			data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
			if err != nil {
				return nil, fmt.Errorf("Invalid value of extended attribute '%s'", decoded)
			}
			all[decoded] = string(data)
		}
	}
	if label, ok := h.PAXRecords["RHT.security.selinux"]; ok {
		all[xattrSELinux] = label
	}
	for key, value := range h.PAXRecords { // what is there in two ways is the same
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			all[name] = value
		}
	}
	var list []ostree.Xattr
	for name, value := range all {
		if name == "" || strings.IndexByte(name, 0) >= 0 {
			return nil, fmt.Errorf("Invalid name of extended attribute %q", name)
		}
		list = append(list, ostree.Xattr{Name: name, Value: []byte(value)})
	}
	slices.SortFunc(list, ostree.CompareXattrs)
	return list, nil
}
