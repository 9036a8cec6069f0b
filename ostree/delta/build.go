package delta

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// A plan is how an item comes into a part.
type plan struct {
	item
	patch    *spill    // a bsdiff to like
	copies   []stretch // what like has of it
	fresh    *spill    // with copies: what is between them
	whole    bool      // it comes as it is, however large it is
	fallback bool
}

// setPatch takes a bsdiff, unless it has nearly all of the content anyway. What is large goes
// to the directory tmp.
func (p *plan) setPatch(tmp string, patch []byte) error {
	same := int64(bytes.Count(patch, []byte{0}))
	if p.whole = same < p.size/usefulPatch; p.whole {
		return nil
	}
	p.patch = &spill{dir: tmp}
	_, err := p.patch.Write(patch)
	return err
}

// close releases what the plan has.
func (p *plan) close() error {
	for _, s := range []*spill{p.patch, p.fresh} {
		if s != nil {
			return s.Close()
		}
	}
	return nil
}

// usefulPatch says which part of a file has to be the same for a bsdiff.
const usefulPatch = 20

// weight is how many bytes of the blob it will take, about.
func (p *plan) weight() int64 {
	switch {
	case p.patch != nil:
		return p.patch.size
	case p.copies != nil:
		return p.fresh.size
	}
	return p.size
}

// A builder makes a part.
type builder struct {
	part    draft
	modes   map[mode]uint64
	xattrs  map[string]uint64
	objects []ostree.ObjectName
	usize   uint64 // of the objects
	tables  int    // bytes of modes and extended attributes
}

// newBuilder returns one whose blob is in the directory tmp if it is large.
func newBuilder(tmp string) *builder {
	return &builder{part: draft{blob: &spill{dir: tmp}}, modes: map[mode]uint64{}, xattrs: map[string]uint64{}}
}

// add adds an object.
func (b *builder) add(r *repo.Repo, p *plan) error {
	b.objects = append(b.objects, p.ObjectName)
	b.usize += uint64(p.size)
	switch {
	case p.Type != ostree.ObjectFile:
		data, err := r.ReadMetadata(p.Type, p.Checksum)
		if err != nil {
			return err
		}
		at, err := b.put(bytes.NewReader(data))
		b.op(opSplice, uint64(len(data)), at)
		return err
	case ostree.IsSymlink(p.header.Mode):
		m, x := b.header(p.header)
		at, err := b.put(strings.NewReader(p.header.Target))
		b.op(opSplice, m, x, uint64(len(p.header.Target)), at)
		return err
	case p.patch != nil:
		return b.patch(p)
	case p.copies != nil:
		return b.copies(p)
	}
	return b.whole(r, p)
}

// size is about what the part has without compression.
func (b *builder) size() int64 { return b.part.blob.size + int64(len(b.part.program)+b.tables) }

// whole adds a regular file as it is.
func (b *builder) whole(r *repo.Repo, p *plan) error {
	_, size, content, err := r.File(p.Checksum)
	if err != nil {
		return err
	}
	defer content.Close()
	at, err := b.put(content)
	if n := b.part.blob.size - int64(at); err == nil && n != size {
		err = fmt.Errorf("%s: %d bytes of %d", p.ObjectName, n, size)
	}
	m, x := b.header(p.header)
	b.op(opSplice, m, x, uint64(size), at)
	return err
}

// patch adds a file that is another with a bsdiff.
func (b *builder) patch(p *plan) error {
	b.open(p)
	source, err := b.put(bytes.NewReader(p.like[:]))
	if err != nil {
		return err
	}
	patch, err := b.put(p.patch.section())
	b.op(opSetSource, source)
	b.op(opBSPatch, patch, uint64(p.patch.size))
	b.op(opClose)
	return err
}

// copies adds a file of which stretches are in another.
func (b *builder) copies(p *plan) error {
	b.open(p)
	at, reading := 0, false
	source, err := b.put(bytes.NewReader(p.like[:]))
	if err != nil {
		return err
	}
	fresh, err := b.put(p.fresh.section())
	if err != nil {
		return err
	}
	write := func(to int) {
		if at == to {
			return
		}
		if reading {
			b.op(opUnsetSource)
			reading = false
		}
		b.op(opWrite, uint64(to-at), fresh)
		fresh += uint64(to - at)
	}
	for _, s := range p.copies {
		write(s.at)
		if !reading {
			b.op(opSetSource, source)
			reading = true
		}
		b.op(opWrite, uint64(s.n), uint64(s.off))
		at = s.at + s.n
	}
	write(int(p.size))
	b.op(opClose)
	return nil
}

func (b *builder) open(p *plan) {
	m, x := b.header(p.header)
	b.op(opOpen, m, x, uint64(p.size))
}

func (b *builder) op(code byte, args ...uint64) {
	b.part.program = append(b.part.program, code)
	for _, x := range args {
		b.part.program = binary.AppendUvarint(b.part.program, x)
	}
}

// put appends all that r has to the blob and returns where.
func (b *builder) put(r io.Reader) (at uint64, err error) {
	at = uint64(b.part.blob.size)
	_, err = io.Copy(b.part.blob, r)
	return at, err
}

// modeSize is that of a mode in a part, in bytes.
const modeSize = 12

// header returns the indices of a file's mode and attributes.
func (b *builder) header(h ostree.FileHeader) (m, x uint64) {
	key := mode{h.UID, h.GID, h.Mode}
	m, ok := b.modes[key]
	if !ok {
		m = uint64(len(b.part.modes))
		b.modes[key] = m
		b.part.modes = append(b.part.modes, key)
		b.tables += modeSize
	}
	set := string((&ostree.DirMeta{Xattrs: h.Xattrs}).Marshal())
	if x, ok = b.xattrs[set]; !ok {
		x = uint64(len(b.part.xattrs))
		b.xattrs[set] = x
		b.part.xattrs = append(b.part.xattrs, h.Xattrs)
		b.tables += len(set)
	}
	return m, x
}
