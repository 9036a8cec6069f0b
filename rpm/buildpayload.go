package rpm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"rpmostree/internal/compress"
)

// arrange returns the files sorted by path with everything filled in but
// digests, and content moved to the last member of each set of hard links.
func (b *Builder) arrange() ([]BuildFile, error) {
	files := slices.Clone(b.Files)
	slices.SortFunc(files, func(a, b BuildFile) int { return strings.Compare(a.Path, b.Path) })
	inode := map[string]uint32{}
	for i := range files {
		f := &files[i]
		if err := f.complete(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		f.Dev, f.Inode = 1, uint32(i+1)
		if f.LinkGroup == "" {
			continue
		}
		if first, ok := inode[f.LinkGroup]; ok {
			f.Inode = first
		}
		inode[f.LinkGroup] = f.Inode
	}
	for _, set := range linkSets(files) {
		if err := shareContent(files, set); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// complete checks a file on its own and fills in what follows from the rest.
func (f *BuildFile) complete() error {
	if f.Mode > 0xffff || f.Rdev > 0xffff {
		return errors.New("mode and device number have 16 bits")
	}
	if !f.IsRegular() && (f.Open != nil || len(f.Data) > 0 || f.LinkGroup != "") || f.IsGhost() && f.LinkGroup != "" {
		return errors.New("only a regular file in the payload has content or hard links")
	}
	if f.IsSymlink() != (f.LinkTo != "") {
		return errors.New("a symbolic link, and nothing else, needs a target")
	}
	if f.Verify == 0 {
		f.Verify = VerifyAll
	}
	switch {
	case f.IsDir():
		f.Size = 4096
	case f.IsSymlink():
		f.Size = uint64(len(f.LinkTo))
	case f.IsRegular() && f.Open == nil && !f.IsGhost():
		f.Size = uint64(len(f.Data))
	}
	return nil
}

func (f *BuildFile) open() (io.ReadCloser, error) {
	switch {
	case f.IsSymlink():
		return io.NopCloser(strings.NewReader(f.LinkTo)), nil
	case f.Open != nil:
		return f.Open()
	}
	return io.NopCloser(bytes.NewReader(f.Data)), nil
}

// linkSets returns the indexes of the files in the payload, those of one inode
// together, sets ordered by their first file.
func linkSets(files []BuildFile) [][]int {
	var sets [][]int
	at := map[string]int{}
	for i, f := range files {
		if f.IsGhost() {
			continue
		}
		if n, ok := at[f.LinkGroup]; ok && f.LinkGroup != "" {
			sets[n] = append(sets[n], i)
			continue
		}
		at[f.LinkGroup] = len(sets)
		sets = append(sets, []int{i})
	}
	return sets
}

func shareContent(files []BuildFile, set []int) error {
	if len(set) == 1 {
		return nil
	}
	from := set[len(set)-1]
	for _, i := range set {
		if files[i].Open != nil || len(files[i].Data) > 0 {
			from = i
			break
		}
	}
	for _, i := range set {
		a, b := &files[i], &files[from]
		if a.Mode != b.Mode || a.User != b.User || a.Group != b.Group || a.Caps != b.Caps {
			return fmt.Errorf("%s and %s are hard links with different metadata", a.Path, b.Path)
		}
		a.Size, a.Data, a.Open, a.Mtime = b.Size, b.Data, b.Open, b.Mtime
	}
	return nil
}

// payloadInfo is what the header says about a payload.
type payloadInfo struct {
	size, sizeAlt int64 // bytes in the package, and uncompressed
	sums, sumsAlt map[DigestAlgo]string
}

// digests is a writer that counts and hashes.
type digests struct {
	hashes map[DigestAlgo]hash.Hash
	n      int64
}

func newDigests(algos []DigestAlgo) (*digests, error) {
	d := &digests{hashes: map[DigestAlgo]hash.Hash{}}
	for _, a := range algos {
		h, err := a.New()
		if err != nil {
			return nil, err
		}
		d.hashes[a] = h
	}
	return d, nil
}

func (d *digests) Write(p []byte) (int, error) {
	for _, h := range d.hashes {
		h.Write(p)
	}
	d.n += int64(len(p))
	return len(p), nil
}

func (d *digests) sums() map[DigestAlgo]string {
	out := map[DigestAlgo]string{}
	for a, h := range d.hashes {
		out[a] = hexSum(h)
	}
	return out
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// writePayload writes the compressed archive and sets the files' digests.
func (b *Builder) writePayload(w io.Writer, files []BuildFile, format compress.Format) (payloadInfo, error) {
	algos := []DigestAlgo{SHA256}
	if b.Format == 6 {
		algos = append(algos, SHA512, SHA3_256)
	}
	outer, err := newDigests(algos)
	if err != nil {
		return payloadInfo{}, err
	}
	inner, err := newDigests(algos)
	if err != nil {
		return payloadInfo{}, err
	}
	stripped := b.stripped(files)
	z, err := compress.NewWriter(io.MultiWriter(w, outer), format, b.Level)
	if err != nil {
		return payloadInfo{}, err
	}
	cpio := &cpioWriter{w: io.MultiWriter(z, inner)}
	for _, set := range linkSets(files) {
		for n, i := range set {
			if err := writeMember(cpio, files, i, len(set), n == len(set)-1, stripped); err != nil {
				return payloadInfo{}, fmt.Errorf("%s: %w", files[i].Path, err)
			}
		}
		for _, i := range set {
			files[i].Digest = files[set[len(set)-1]].Digest
		}
	}
	if err := errors.Join(cpio.trailer(), z.Close()); err != nil {
		return payloadInfo{}, err
	}
	return payloadInfo{outer.n, inner.n, outer.sums(), inner.sums()}, nil
}

// writeMember writes one file. Of a set of hard links only the last has content;
// rpm 4.18 keeps one descriptor open from the first to the last, so they follow
// one another.
func writeMember(cpio *cpioWriter, files []BuildFile, i, nlink int, last, stripped bool) error {
	f := &files[i]
	var size uint64
	if (f.IsRegular() || f.IsSymlink()) && last {
		size = f.Size
	}
	if stripped {
		if err := cpio.strippedHeader(i); err != nil {
			return err
		}
	} else if err := cpio.header(f.File, nlink, size); err != nil {
		return err
	}
	if !last || !f.IsRegular() && !f.IsSymlink() {
		return nil
	}
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(cpio.w, sum), r)
	if err != nil {
		return err
	}
	if uint64(n) != f.Size {
		return fmt.Errorf("content is %d bytes, not %d", n, f.Size)
	}
	if f.IsRegular() {
		f.Digest = hexSum(sum)
	}
	return cpio.pad(n)
}
