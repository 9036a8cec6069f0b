package delta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"rpmostree/ostree"
)

// The operations of a part's program: a byte, and numbers as LEB128.
const (
	opSplice      = 'S' // a whole object out of the blob
	opOpen        = 'o' // begin a regular file
	opWrite       = 'w' // append bytes of the blob, or of the source
	opSetSource   = 'r' // name a file object to read
	opUnsetSource = 'R'
	opClose       = 'c' // the object is complete
	opBSPatch     = 'B' // append the source, changed by a bsdiff in the blob
)

// An object is what one run of operations makes. What it takes to make it is looked up
// when it is read: an object may be of very many pieces.
type object struct {
	ostree.ObjectName
	header  ostree.FileHeader // of a file
	size    uint64            // of the content, in bytes
	whole   bool              // the content is in the blob, at
	off     uint64
	source  ostree.Checksum // else program makes it, which begins with this source
	program []byte
}

// A piece is a part of the content of an object: bytes of the blob, of the file
// object source, or of the source as a patch, which is bytes of the blob, changes it.
type piece struct {
	source   ostree.Checksum // zero for the blob
	off, len uint64          // in the blob or in the source; with a patch len is what comes out
	patch    *span
}

// A span is bytes of the blob.
type span struct{ off, len uint64 }

// Counts says how often each operation occurs.
type Counts struct{ SpliceClose, Open, Write, SetSource, UnsetSource, Close, BSPatch int }

// decoder runs through a program.
type decoder struct {
	part   *Part
	rest   []byte
	todo   []ostree.ObjectName
	source ostree.Checksum
	open   *object
	have   uint64 // bytes of the open object so far
	piece  piece  // of the last operation, if it made one
	made   bool
	counts Counts
}

var (
	errProgram = errors.New("Unexpected EOF in static delta program")
	errObjects = errors.New("static delta part makes more objects than it lists")
)

// objects decodes the program. fn is called with each object in turn.
func (p *Part) objects(list []ostree.ObjectName, fn func(*object) error) (Counts, error) {
	d := &decoder{part: p, rest: p.program, todo: list}
	for len(d.rest) > 0 {
		op := d.rest[0]
		d.rest = d.rest[1:]
		o, err := d.step(op)
		if err != nil {
			return d.counts, err
		}
		if o == nil {
			continue
		}
		if err := fn(o); err != nil {
			return d.counts, err
		}
	}
	if d.open != nil {
		return d.counts, errors.New("static delta program ends inside of an object")
	}
	if len(d.todo) > 0 {
		return d.counts, fmt.Errorf("static delta part does not make %d of its objects", len(d.todo))
	}
	return d.counts, nil
}

// piecesOf returns a decoder of the program of an object.
func (p *Part) piecesOf(o *object) *decoder {
	return &decoder{part: p, rest: o.program, source: o.source, open: &object{size: o.size}}
}

// next returns the next piece of the object, nil at its end. It is good until the next call.
func (d *decoder) next() (*piece, error) {
	for len(d.rest) > 0 {
		op := d.rest[0]
		d.rest = d.rest[1:]
		if _, err := d.step(op); err != nil {
			return nil, err
		}
		if d.made {
			return &d.piece, nil
		}
	}
	return nil, nil
}

// step does one operation. It returns the object that is complete with it.
func (d *decoder) step(op byte) (*object, error) {
	d.made = false
	switch op {
	case opSplice:
		d.counts.SpliceClose++
		return d.splice()
	case opOpen:
		d.counts.Open++
		return nil, d.begin()
	case opWrite:
		d.counts.Write++
		return nil, d.write()
	case opSetSource:
		d.counts.SetSource++
		return nil, d.setSource()
	case opUnsetSource:
		d.counts.UnsetSource++
		d.source = ostree.Checksum{}
		return nil, nil
	case opBSPatch:
		d.counts.BSPatch++
		return nil, d.bspatch()
	case opClose:
		d.counts.Close++
		return d.close()
	}
	return nil, fmt.Errorf("Unknown opcode %d in static delta program", op)
}

func (d *decoder) uvarint() (uint64, error) {
	x, n := binary.Uvarint(d.rest)
	if n <= 0 {
		return 0, errProgram
	}
	d.rest = d.rest[n:]
	return x, nil
}

func (d *decoder) uvarints(into ...*uint64) (err error) {
	for _, p := range into {
		if *p, err = d.uvarint(); err != nil {
			return err
		}
	}
	return nil
}

// span checks that bytes of the blob are there.
func (d *decoder) span(off, n uint64) error {
	size := uint64(d.part.blob.Size())
	if off > size || n > size-off {
		return fmt.Errorf("static delta program reads %d bytes at %d of a blob of %d", n, off, size)
	}
	return nil
}

// read reads bytes of the blob.
func (d *decoder) read(b []byte, off uint64) error {
	if err := d.span(off, uint64(len(b))); err != nil {
		return err
	}
	n, err := d.part.blob.ReadAt(b, int64(off))
	if n == len(b) {
		err = nil
	}
	return err
}

// begins returns the object that comes next in the part's list.
func (d *decoder) begins() (*object, error) {
	if d.open != nil {
		return nil, errors.New("static delta program begins an object inside of another")
	}
	if len(d.todo) == 0 {
		return nil, errObjects
	}
	o := &object{ObjectName: d.todo[0]}
	d.todo = d.todo[1:]
	return o, nil
}

// fileHeader reads the indices of a mode and a set of extended attributes.
func (d *decoder) fileHeader() (h ostree.FileHeader, err error) {
	var m, x uint64
	if err := d.uvarints(&m, &x); err != nil {
		return h, err
	}
	if m >= uint64(len(d.part.modes)) || x >= uint64(len(d.part.xattrs)) {
		return h, errors.New("static delta program names a mode or attributes that are not there")
	}
	at := d.part.modes[m]
	return ostree.FileHeader{UID: at.uid, GID: at.gid, Mode: at.mode, Xattrs: d.part.xattrs[x]}, nil
}

func (d *decoder) splice() (*object, error) {
	o, err := d.begins()
	if err != nil {
		return nil, err
	}
	var off uint64
	if o.Type != ostree.ObjectFile {
		if err := d.uvarints(&o.size, &off); err != nil {
			return nil, err
		}
	} else {
		if o.header, err = d.fileHeader(); err != nil {
			return nil, err
		}
		if err := d.uvarints(&o.size, &off); err != nil {
			return nil, err
		}
	}
	if err := d.span(off, o.size); err != nil {
		return nil, err
	}
	o.whole, o.off = true, off
	if o.Type != ostree.ObjectFile || !ostree.IsSymlink(o.header.Mode) {
		return o, nil
	}
	if o.size > maxTarget {
		return nil, fmt.Errorf("static delta program makes a symbolic link to %d bytes", o.size)
	}
	target := make([]byte, o.size)
	if err := d.read(target, off); err != nil {
		return nil, err
	}
	o.header.Target, o.size = string(target), 0
	return o, nil
}

func (d *decoder) begin() error {
	o, err := d.begins()
	if err != nil {
		return err
	}
	if o.Type != ostree.ObjectFile {
		return errors.New("static delta program opens an object that is no file")
	}
	if o.header, err = d.fileHeader(); err != nil {
		return err
	}
	if o.size, err = d.uvarint(); err != nil {
		return err
	}
	if !ostree.IsRegular(o.header.Mode) || o.size > math.MaxInt64 {
		return errors.New("static delta program opens what is no regular file")
	}
	o.program, o.source = d.rest, d.source
	d.open, d.have = o, 0
	return nil
}

// add adds a piece to the open object.
func (d *decoder) add(p piece) error {
	if d.open == nil {
		return errors.New("static delta program writes outside of an object")
	}
	if p.len > d.open.size-d.have {
		return errors.New("static delta program writes more than the size of the object")
	}
	d.have += p.len
	d.piece, d.made = p, p.len > 0
	return nil
}

func (d *decoder) write() error {
	var n, off uint64
	if err := d.uvarints(&n, &off); err != nil {
		return err
	}
	if !d.source.IsZero() {
		if off > math.MaxInt64 || n > math.MaxInt64 {
			return errProgram
		}
	} else if err := d.span(off, n); err != nil {
		return err
	}
	return d.add(piece{source: d.source, off: off, len: n})
}

func (d *decoder) setSource() error {
	off, err := d.uvarint()
	if err != nil {
		return err
	}
	var sum ostree.Checksum
	if err := d.read(sum[:], off); err != nil {
		return err
	}
	d.source = sum
	return nil
}

func (d *decoder) bspatch() error {
	var off, n uint64
	if err := d.uvarints(&off, &n); err != nil {
		return err
	}
	if err := d.span(off, n); err != nil {
		return err
	}
	if d.source.IsZero() {
		return errors.New("static delta program patches without a source")
	}
	if d.open == nil {
		return errors.New("static delta program writes outside of an object")
	}
	return d.add(piece{source: d.source, patch: &span{off, n}, len: d.open.size - d.have})
}

func (d *decoder) close() (*object, error) {
	o := d.open
	if o == nil {
		return nil, errors.New("static delta program closes an object that is not open")
	}
	if d.have != o.size {
		return nil, fmt.Errorf("static delta program writes %d of %d bytes of an object", d.have, o.size)
	}
	o.program = o.program[:len(o.program)-len(d.rest)-1]
	d.open, d.source = nil, ostree.Checksum{}
	return o, nil
}
