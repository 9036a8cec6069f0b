package delta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
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
func (m *PartMeta) Verify(file []byte) error {
	if sum := ostree.ChecksumOf(file); sum != m.Checksum {
		return fmt.Errorf("Corrupted static delta part; checksum expected='%s' actual='%s'", m.Checksum, sum)
	}
	return nil
}

// maxObjectsAhead bounds how many objects wait to be written.
const maxObjectsAhead = 16

// ApplyPart writes the objects of a part, whose file was verified. Every object
// is compared with its checksum. Sources are read from the transaction. ApplyPart returns
// how many bytes of files it has written.
func ApplyPart(ctx context.Context, tx *repo.Transaction, meta PartMeta, file []byte) (written int64, err error) {
	if meta.Version != 0 {
		return 0, fmt.Errorf("Delta part has too new version %d", meta.Version)
	}
	part, err := ParsePart(file, meta.USize)
	if err != nil {
		return 0, err
	}
	var total atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	todo := make(chan *object, maxObjectsAhead)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for o := range todo {
				n, err := o.write(tx)
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
		_, err := part.objects(meta.Objects, func(o *object) error {
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

// write returns how many bytes of a file it has written.
func (o *object) write(tx *repo.Transaction) (int64, error) {
	if ok, err := tx.Has(o.Type, o.Checksum); ok || err != nil {
		return 0, err
	}
	if o.Type == ostree.ObjectFile {
		content := &pieces{tx: tx, list: o.pieces}
		defer content.close()
		return int64(o.size), tx.WriteFileChecked(o.Checksum, o.header, int64(o.size), content)
	}
	data := o.pieces[0].blob
	if sum := ostree.ChecksumOf(data); sum != o.Checksum {
		return 0, &repo.CorruptError{Name: o.ObjectName, Actual: sum}
	}
	_, err := tx.WriteMetadata(o.Type, data)
	return 0, err
}

// pieces reads the content of an object.
type pieces struct {
	tx     *repo.Transaction
	list   []piece
	now    io.Reader
	source *source // the last one
}

func (p *pieces) Read(b []byte) (int, error) {
	for {
		if p.now == nil {
			if len(p.list) == 0 {
				return 0, io.EOF
			}
			var err error
			if p.now, err = p.open(p.list[0]); err != nil {
				return 0, err
			}
			p.list = p.list[1:]
		}
		n, err := p.now.Read(b)
		if err == io.EOF {
			p.now, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, err
	}
}

func (p *pieces) open(x piece) (io.Reader, error) {
	if x.source.IsZero() {
		return bytes.NewReader(x.blob), nil
	}
	if p.source == nil || p.source.sum != x.source {
		p.close()
		var err error
		if p.source, err = openSource(p.tx.Objects, filepath.Join(p.tx.Repo().Path(), "tmp"), x.source); err != nil {
			return nil, err
		}
	}
	if x.isPatch {
		return newPatcher(p.source, p.source.size, x.patch, x.len), nil
	}
	return io.NewSectionReader(p.source, int64(x.off), int64(x.len)), nil
}

func (p *pieces) close() {
	if p.source != nil {
		p.source.Close()
		p.source = nil
	}
}

// A source is the content of a file object, to be read anywhere.
type source struct {
	sum  ostree.Checksum
	size int64
	io.ReaderAt
	io.Closer
}

// openSource opens a file object. A temporary file goes to the directory tmp.
func openSource(o *repo.Objects, tmp string, sum ostree.Checksum) (*source, error) {
	h, size, content, err := o.File(sum)
	if err != nil {
		return nil, err
	}
	if !ostree.IsRegular(h.Mode) {
		if content != nil {
			content.Close()
		}
		return nil, errors.New("static delta program reads what is no regular file")
	}
	if at, ok := content.(io.ReaderAt); ok {
		return &source{sum, size, at, content}, nil
	}
	defer content.Close()
	if size <= maxInMemory {
		data, err := io.ReadAll(io.LimitReader(content, size+1))
		return &source{sum, int64(len(data)), bytes.NewReader(data), io.NopCloser(nil)}, err
	}
	f, err := unlinked(tmp)
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(f, content)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &source{sum, n, f, f}, nil
}
