package delta

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// A plan is how an item comes into a part.
type plan struct {
	item
	patch    []byte    // a bsdiff to like
	copies   []stretch // what like has of it
	fresh    []byte    // with copies: what is between them
	whole    bool      // it comes as it is, however large it is
	fallback bool
}

// setPatch takes a bsdiff, unless it has nearly all of the content anyway.
func (p *plan) setPatch(patch []byte) {
	same := int64(bytes.Count(patch, []byte{0}))
	if p.whole = same < p.size/usefulPatch; !p.whole {
		p.patch = patch
	}
}

// usefulPatch says which part of a file has to be the same for a bsdiff.
const usefulPatch = 20

// weight is how many bytes of the blob it will take, about.
func (p *plan) weight() int64 {
	switch {
	case p.patch != nil:
		return int64(len(p.patch))
	case p.copies != nil:
		return int64(len(p.fresh))
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

func newBuilder() *builder { return &builder{modes: map[mode]uint64{}, xattrs: map[string]uint64{}} }

// add adds an object.
func (b *builder) add(r *repo.Repo, p *plan) error {
	b.objects = append(b.objects, p.ObjectName)
	switch {
	case p.Type != ostree.ObjectFile:
		data, err := r.ReadMetadata(p.Type, p.Checksum)
		if err != nil {
			return err
		}
		b.usize += uint64(len(data))
		b.op(opSplice, uint64(len(data)), b.put(data))
	case ostree.IsSymlink(p.header.Mode):
		m, x := b.header(p.header)
		b.usize += uint64(len(p.header.Target))
		b.op(opSplice, m, x, uint64(len(p.header.Target)), b.put([]byte(p.header.Target)))
	case p.patch != nil:
		b.usize += uint64(p.size)
		b.open(p)
		b.op(opSetSource, b.put(p.like[:]))
		b.op(opBSPatch, b.put(p.patch), uint64(len(p.patch)))
		b.op(opClose)
	case p.copies != nil:
		b.usize += uint64(p.size)
		b.copies(p)
	default:
		return b.whole(r, p)
	}
	return nil
}

// size is about what the part has without compression.
func (b *builder) size() int64 { return int64(len(b.part.blob) + len(b.part.program) + b.tables) }

// whole adds a regular file as it is.
func (b *builder) whole(r *repo.Repo, p *plan) error {
	_, size, content, err := r.File(p.Checksum)
	if err != nil {
		return err
	}
	defer content.Close()
	at := len(b.part.blob)
	b.part.blob = slices.Grow(b.part.blob, int(size))[:at+int(size)]
	if _, err := io.ReadFull(content, b.part.blob[at:]); err != nil {
		return err
	}
	m, x := b.header(p.header)
	b.usize += uint64(size)
	b.op(opSplice, m, x, uint64(size), uint64(at))
	return nil
}

// copies adds a file of which stretches are in another.
func (b *builder) copies(p *plan) {
	b.open(p)
	at, reading := 0, false
	source := b.put(p.like[:])
	rest := p.fresh
	write := func(to int) {
		if at == to {
			return
		}
		if reading {
			b.op(opUnsetSource)
			reading = false
		}
		b.op(opWrite, uint64(to-at), b.put(rest[:to-at]))
		rest = rest[to-at:]
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

// put appends to the blob and returns where.
func (b *builder) put(data []byte) uint64 {
	at := len(b.part.blob)
	b.part.blob = append(b.part.blob, data...)
	return uint64(at)
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
