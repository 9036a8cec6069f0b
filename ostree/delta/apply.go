package delta

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"rpmostree/internal/failpoint"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// A NoSourceError tells that the commit is not there, or not whole, which a delta
// starts from.
type NoSourceError struct{ From ostree.Checksum }

func (e *NoSourceError) Error() string {
	return fmt.Sprintf("Commit %s, which is the delta source, is not in repository", e.From)
}

// WriteCommit writes the target commit, with its detached metadata if the
// superblock has it. The commit is marked as partial until all of it is there.
func (s *Superblock) WriteCommit(tx *repo.Transaction) error {
	sum, err := tx.WriteMetadata(ostree.ObjectCommit, s.Commit)
	if err == nil && sum != s.To {
		err = &repo.CorruptError{Name: ostree.ObjectName{Type: ostree.ObjectCommit, Checksum: s.To}, Actual: sum}
	}
	if err != nil {
		return err
	}
	if meta, ok := s.DetachedMetadata(); ok {
		return tx.WriteDetachedMetadata(s.To, meta)
	}
	return nil
}

// Verify compares the file of a part with its checksum.
func (m *PartMeta) Verify(file *io.SectionReader) error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(file, 0, file.Size())); err != nil {
		return err
	}
	if sum := ostree.Checksum(h.Sum(nil)); sum != m.Checksum {
		return &CorruptPartError{m.Checksum, sum}
	}
	return nil
}

// A CorruptPartError tells that the file of a part is not that which the superblock names.
type CorruptPartError struct{ Expected, Actual ostree.Checksum }

func (e *CorruptPartError) Error() string {
	return fmt.Sprintf("Corrupted static delta part; checksum expected='%s' actual='%s'", e.Expected, e.Actual)
}

// maxObjectsAhead bounds how many objects wait to be written.
const maxObjectsAhead = 16

// ApplyPart writes the objects of a part, whose file was verified. Every object
// is compared with its checksum. Sources are read from the transaction. ApplyPart returns
// how many bytes of files it has written.
func (u *Unpacker) ApplyPart(ctx context.Context, tx *repo.Transaction, meta PartMeta, file *io.SectionReader) (written int64, err error) {
	if meta.Version != 0 {
		return 0, fmt.Errorf("Delta part has too new version %d", meta.Version)
	}
	part, err := u.Unpack(file, meta.USize)
	if err != nil {
		return 0, err
	}
	n, err := part.apply(ctx, tx, meta.Objects)
	return n, errors.Join(err, part.Close())
}

// apply writes the objects of the list.
func (p *Part) apply(ctx context.Context, tx *repo.Transaction, list []ostree.ObjectName) (written int64, err error) {
	var total atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	todo := make(chan *object, maxObjectsAhead)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			var buf []byte
			for o := range todo {
				n, err := p.write(tx, o, &buf)
				if err != nil {
					return err
				}
				total.Add(n)
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(todo)
		_, err := p.objects(list, func(o *object) error {
			select {
			case todo <- o:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		return err
	})
	if err := g.Wait(); err != nil {
		return 0, err
	}
	return total.Load(), failpoint.At("delta.part")
}

// write returns how many bytes of a file it has written. *buf is memory that it may use and
// enlarge: with new memory for each source, the kernel would be busy with clearing it.
func (p *Part) write(tx *repo.Transaction, o *object, buf *[]byte) (int64, error) {
	if ok, err := tx.Has(o.Type, o.Checksum); ok || err != nil {
		return 0, err
	}
	if o.Type == ostree.ObjectFile {
		content := p.content(tx, o, buf)
		defer content.close()
		return int64(o.size), tx.WriteFileChecked(o.Checksum, o.header, int64(o.size), content)
	}
	if o.size > ostree.MaxMetadataSize {
		return 0, fmt.Errorf("%s of %d bytes is larger than %d", o.ObjectName, o.size, ostree.MaxMetadataSize)
	}
	data := make([]byte, o.size)
	if _, err := io.ReadFull(p.section(o.off, o.size), data); err != nil {
		return 0, err
	}
	if sum := ostree.ChecksumOf(data); sum != o.Checksum {
		return 0, &repo.CorruptError{Name: o.ObjectName, Actual: sum}
	}
	if o.Type == ostree.ObjectCommit { // nothing says that its tree comes too
		if err := tx.Repo().SetPartial(o.Checksum, true); err != nil {
			return 0, err
		}
	}
	return 0, tx.WriteMetadataAsIs(o.ObjectName, data)
}

// sized returns *buf with n bytes, whatever they are.
func sized(buf *[]byte, n int64) []byte {
	*buf = slices.Grow((*buf)[:0], int(n))[:n]
	return *buf
}

// section returns bytes of the blob, of which it was checked that they are there.
func (p *Part) section(off, n uint64) *io.SectionReader {
	return io.NewSectionReader(p.blob, int64(off), int64(n))
}

// pieces reads the content of an object.
type pieces struct {
	part   *Part
	tx     *repo.Transaction
	list   *decoder
	now    io.Reader
	source *content // the last one
	name   ostree.Checksum
	buf    *[]byte // for the source
}

func (p *Part) content(tx *repo.Transaction, o *object, buf *[]byte) *pieces {
	r := &pieces{part: p, tx: tx, list: p.piecesOf(o), buf: buf}
	if o.whole {
		r.now = p.section(o.off, o.size)
	}
	return r
}

// Read fills all of b but at the end, because pieces may be of few bytes.
func (p *pieces) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if p.now == nil {
			x, err := p.list.next()
			if err == nil && x == nil {
				err = io.EOF
			}
			if err == nil {
				p.now, err = p.open(x)
			}
			if err != nil {
				return n, err
			}
		}
		k, err := p.now.Read(b[n:])
		n += k
		if err == io.EOF {
			p.now = nil
		} else if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (p *pieces) open(x *piece) (io.Reader, error) {
	if x.source.IsZero() {
		return p.part.section(x.off, x.len), nil
	}
	if p.source == nil || p.name != x.source {
		p.close()
		var err error
		if p.source, err = readContent(p.tx.Objects, filepath.Join(p.tx.Repo().Path(), "tmp"), x.source, p.buf); err != nil {
			return nil, err
		}
		p.name = x.source
		if n := p.part.sourced.Add(p.source.copied); n > maxSourced+sourcedRatio*p.part.usize {
			return nil, fmt.Errorf("static delta part reads %d bytes of files to make %d", n, p.part.usize)
		}
	}
	if x.patch != nil {
		return newPatcher(p.source, p.part.section(x.patch.off, x.patch.len), x.len), nil
	}
	return io.NewSectionReader(&pages{p.source, p.source.data}, int64(x.off), int64(x.len)), nil
}

func (p *pieces) close() {
	if p.source != nil {
		p.source.close()
		p.source = nil
	}
}
