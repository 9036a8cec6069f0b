package delta

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"rpmostree/gvariant"
	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"

	"golang.org/x/sys/unix"
)

// Defaults of Options, in bytes.
const (
	DefaultMinFallbackSize = 4_000_000
	DefaultMaxBSDiffSize   = 128_000_000
	DefaultMaxChunkSize    = 32_000_000
)

// Options say how a delta is made.
type Options struct {
	// MinFallbackSize is from how many bytes on a file that resembles none is left
	// to be fetched by itself; 0 is the default. NoFallbacks leaves none.
	MinFallbackSize int64
	NoFallbacks     bool
	MaxBSDiffSize   int64 // no bsdiff of two files that are larger than this together; 0 is the default
	NoBSDiff        bool
	MaxChunkSize    int64 // of a part; 0 is the default
	Inline          bool  // put the parts into the superblock
	// Order is the byte order of sizes; nil is little endian.
	Order binary.ByteOrder
	// Filename is where the superblock goes; the parts go beside it. "" is the place
	// in the repository.
	Filename string
	// Metadata comes first in the metadata of the superblock.
	Metadata *gvariant.Dict
	// Sign returns the signatures (a{sv}) of a superblock. nil leaves it unsigned.
	Sign func(superblock []byte) (gvariant.Value, error)
	Time time.Time // recorded; zero is now
}

// A Report says what Generate has made.
type Report struct {
	*Superblock
	Metadata, Files, Symlinks int    // objects that the source commit lacks
	Similar                   int    // files that resemble one of the source commit
	Copied, Patched           int    // those of them that stretches of it, and a bsdiff of it, make
	CopiedBytes               uint64 // what the stretches have
	LooseSize                 uint64 // of the objects that come whole, as they are stored, in bytes
}

// Generate makes the delta of that name. Both commits must be whole.
func Generate(ctx context.Context, r *repo.Repo, n Name, o Options) (*Report, error) {
	unlock, err := r.Lock(ctx, repo.Shared)
	if err != nil {
		return nil, err
	}
	defer unlock()
	g := &generator{repo: r, opts: o.withDefaults(), tmp: filepath.Join(r.Path(), "tmp")}
	g.block = &Superblock{Name: n, Order: g.opts.Order, Timestamp: uint64(g.opts.Time.Unix())}
	g.report.Superblock = g.block
	if g.block.Commit, err = r.ReadMetadata(ostree.ObjectCommit, n.To); err != nil {
		return nil, err
	}
	if err := g.open(); err != nil {
		return nil, err
	}
	defer g.close()
	if err := g.run(ctx); err != nil {
		return nil, errors.Join(err, g.abandon())
	}
	if err := g.finish(); err != nil {
		return nil, errors.Join(err, g.abandon())
	}
	return &g.report, nil
}

func (o Options) withDefaults() Options {
	o.MinFallbackSize = cmp.Or(o.MinFallbackSize, DefaultMinFallbackSize)
	o.MaxBSDiffSize = cmp.Or(o.MaxBSDiffSize, DefaultMaxBSDiffSize)
	o.MaxChunkSize = cmp.Or(o.MaxChunkSize, DefaultMaxChunkSize)
	if o.Order == nil {
		o.Order = binary.LittleEndian
	}
	if o.Time.IsZero() {
		o.Time = time.Now()
	}
	return o
}

// A generator is the state of Generate.
type generator struct {
	repo   *repo.Repo
	opts   Options
	block  *Superblock
	report Report

	tmp  string     // for what is large
	out  *dirfd.Dir // where the files go
	temp string     // its name below the repository's tmp; "" if it is the caller's directory

	parts []*made
}

// made is a part that is done, or will be.
type made struct {
	PartMeta
	file *spill // of an inline part
}

// close releases what is not needed when the delta is there.
func (g *generator) close() {
	g.out.Close()
	for _, p := range g.parts {
		if p.file != nil {
			p.file.Close()
		}
	}
}

// open makes the directory for the files.
func (g *generator) open() (err error) {
	if g.opts.Filename != "" {
		g.out, err = dirfd.Open(filepath.Dir(g.opts.Filename))
		return err
	}
	tmp, err := g.repo.Dir().Open("tmp")
	if err != nil {
		return err
	}
	defer tmp.Close()
	if g.temp, err = tmp.MkdirTemp("static-delta-", 0o755); err != nil {
		return err
	}
	g.out, err = tmp.Open(g.temp)
	return err
}

func (g *generator) abandon() error {
	if g.temp == "" {
		return nil
	}
	tmp, err := g.repo.Dir().Open("tmp")
	if err != nil {
		return err
	}
	defer tmp.Close()
	return tmp.RemoveAll(g.temp)
}

// finish writes the superblock and puts the delta where it belongs.
func (g *generator) finish() error {
	metadata, err := g.metadata()
	if err != nil {
		return err
	}
	file := &spill{dir: g.tmp}
	defer file.Close()
	if _, err := g.block.stream(metadata).WriteTo(file); err != nil {
		return err
	}
	if g.opts.Sign != nil {
		signed := &spill{dir: g.tmp}
		defer signed.Close()
		if err := g.sign(signed, file); err != nil {
			return err
		}
		file = signed
	}
	if g.opts.Filename != "" {
		return g.out.WriteFromAtomic(filepath.Base(g.opts.Filename), file.section(), 0o644, true)
	}
	if err := g.out.WriteFromAtomic("superblock", file.section(), 0o644, false); err != nil {
		return err
	}
	if err := g.out.SyncFS(); err != nil {
		return err
	}
	if err := failpoint.At("delta.generated"); err != nil {
		return err
	}
	return g.publish()
}

// sign writes a superblock with its signatures.
func (g *generator) sign(signed, file *spill) error {
	data, err := file.content()
	if err != nil {
		return err
	}
	defer data.close()
	signatures, err := g.opts.Sign(data.data)
	if err != nil {
		return err
	}
	_, err = streamSigned(file, signatures).WriteTo(signed)
	return err
}

// publish moves the directory to its place; what was there before goes.
func (g *generator) publish() error {
	tmp, err := g.repo.Dir().Open("tmp")
	if err != nil {
		return err
	}
	defer tmp.Close()
	place := g.block.Dir()
	parent, err := g.repo.Dir().CreatePath(path.Dir(place), 0o775)
	if err != nil {
		return err
	}
	defer parent.Close()
	err = tmp.RenameNoReplace(g.temp, parent, path.Base(place))
	if errors.Is(err, fs.ErrExist) || errors.Is(err, unix.EEXIST) {
		err = tmp.Exchange(g.temp, parent, path.Base(place))
	}
	if err == nil {
		err = parent.Sync()
	}
	if err == nil {
		err = failpoint.At("delta.published")
	}
	return errors.Join(err, tmp.RemoveAll(g.temp)) // it has what was there before
}

// metadata returns the metadata of the superblock, which may have the parts in it.
func (g *generator) metadata() (gvariant.Stream, error) {
	var entries []gvariant.Stream
	add := func(key string, v gvariant.Stream) {
		entries = append(entries, gvariant.StreamDictEntry(gvariant.String(key).Stream(), gvariant.StreamVariant(v)))
	}
	if m := g.opts.Metadata; m != nil {
		for _, key := range m.Keys() {
			v, _ := m.Get(key)
			add(key, v.Stream())
		}
	}
	endianness := byte('l')
	if g.opts.Order == binary.BigEndian {
		endianness = 'B'
	}
	add(keyEndianness, gvariant.Byte(endianness).Stream())
	for i, p := range g.parts {
		g.block.Parts = append(g.block.Parts, p.PartMeta)
		if g.opts.Inline {
			add(g.block.PartPath(i), gvariant.StreamOf(partType, p.file, int(p.file.size)))
		}
	}
	meta, err := g.repo.ReadMetadata(ostree.ObjectCommitMeta, g.block.To)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	} else if err == nil {
		add(g.block.Dir()+"/commitmeta", gvariant.New("a{sv}", meta, binary.LittleEndian).Stream())
	}
	return gvariant.StreamArray("{sv}", entries...), err
}

// run makes the parts: objects are compared with what they resemble, then put
// into parts in order, then parts are compressed. All of it runs at once.
func (g *generator) run(ctx context.Context) error {
	list, err := items(ctx, g.repo, g.block.Name)
	if err != nil {
		return err
	}
	if !g.block.From.IsZero() {
		if err := findSimilar(g.repo, g.block.From, list); err != nil {
			return err
		}
	}
	g.count(list)
	group, ctx := errgroup.WithContext(ctx)
	plans := g.plan(ctx, group, list)
	group.Go(func() error { return g.build(ctx, group, plans) })
	return group.Wait()
}

func (g *generator) count(list []item) {
	g.report.Metadata = 1 // the commit
	for i := range list {
		switch it := &list[i]; {
		case it.Type != ostree.ObjectFile:
			g.report.Metadata++
		case it.isRegular():
			g.report.Files++
		default:
			g.report.Symlinks++
		}
		if !list[i].like.IsZero() {
			g.report.Similar++
		}
	}
}

// compareMemory is how many bytes of files are compared at a time; a larger pair
// is compared alone.
const compareMemory = 512 << 20

// memory returns how many bytes it takes to compare a file, about: the two files, and if
// they are small enough for a bsdiff its index.
func (g *generator) memory(size int64) int64 {
	n := 2 * min(size, maxInMemory)
	if 2*size <= g.opts.MaxBSDiffSize {
		n = 14 * size
	}
	return min(n, compareMemory)
}

// plansAhead bounds how many plans wait to be put into a part.
const plansAhead = 256

// plan decides for each item, some at a time, how it is to come. The results are
// in the order of the list, in which those that are compared come first.
func (g *generator) plan(ctx context.Context, group *errgroup.Group, list []item) <-chan chan *plan {
	queue := make(chan chan *plan, plansAhead)
	memory := semaphore.NewWeighted(compareMemory)
	group.Go(func() error {
		defer close(queue)
		for i := range list {
			result := make(chan *plan, 1)
			weight := int64(0)
			if it := &list[i]; !it.like.IsZero() {
				weight = g.memory(it.size)
			}
			if err := memory.Acquire(ctx, weight); err != nil {
				return err
			}
			select {
			case queue <- result:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			decide := func() error {
				defer memory.Release(weight)
				p, err := g.decide(list[i])
				if err == nil {
					result <- p
				}
				return err
			}
			if weight == 0 {
				if err := decide(); err != nil {
					return err
				}
				continue
			}
			group.Go(decide)
		}
		return nil
	})
	return queue
}

// maxCompared is how large files may be to be compared, in bytes.
const maxCompared = math.MaxInt32

func (g *generator) decide(it item) (*plan, error) {
	p := &plan{item: it}
	if !it.like.IsZero() && it.size <= maxCompared {
		if err := g.compare(p); err != nil || p.patch != nil || p.copies != nil {
			return p, err
		}
	}
	p.fallback = it.isRegular() && !p.whole && !g.opts.NoFallbacks && it.size > g.opts.MinFallbackSize
	return p, nil
}

// compare finds the shortest way to make an object from what it resembles.
func (g *generator) compare(p *plan) error {
	to, err := g.read(p.Checksum)
	if err != nil {
		return err
	}
	defer to.close()
	from, err := g.read(p.like)
	if err != nil {
		return err
	}
	defer from.close()
	patchable := !g.opts.NoBSDiff && int64(len(from.data)+len(to.data)) <= g.opts.MaxBSDiffSize
	if patchable && len(to.data) <= smallFile {
		return p.setPatch(g.tmp, bsdiff(from.data, to.data))
	}
	list, same := stretches(from, to)
	rest := len(to.data) - same
	switch {
	case patchable && rest > len(to.data)/mostlySame:
		return p.setPatch(g.tmp, bsdiff(from.data, to.data))
	case rest <= len(to.data)/2:
		p.copies, p.fresh = list, &spill{dir: g.tmp}
		return writeFresh(p.fresh, to, list)
	}
	return nil
}

// A bsdiff is shorter than the stretches in which files are the same with what is between
// them, but takes longer to make. So it is made of small files, and of those that differ in
// more than one byte of mostlySame.
const (
	smallFile  = 64 << 10 // bytes
	mostlySame = 64
)

func (g *generator) read(sum ostree.Checksum) (*content, error) {
	return readContent(g.repo.Objects, g.tmp, sum, new([]byte))
}

// build puts what comes into parts.
func (g *generator) build(ctx context.Context, group *errgroup.Group, plans <-chan chan *plan) error {
	free := semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0)))
	b := newBuilder(g.tmp)
	full := func() error {
		if err := free.Acquire(ctx, 1); err != nil {
			return err
		}
		i, done := len(g.parts), b
		part := &made{PartMeta: PartMeta{Objects: b.objects, USize: b.usize}}
		g.parts = append(g.parts, part)
		b = newBuilder(g.tmp)
		group.Go(func() error {
			defer free.Release(1)
			return g.writePart(i, done, part)
		})
		return nil
	}
	for result := range plans {
		var p *plan
		select {
		case p = <-result:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if p.fallback {
			if err := g.fall(p); err != nil {
				return err
			}
			continue
		}
		if len(b.objects) > 0 && b.size()+p.weight() > g.opts.MaxChunkSize {
			if err := full(); err != nil {
				return err
			}
		}
		if err := g.account(p); err != nil {
			return err
		}
		if err := errors.Join(b.add(g.repo, p), p.close()); err != nil {
			return err
		}
	}
	return full() // even if it is empty: a delta has at least one part
}

// account adds an object to the report.
func (g *generator) account(p *plan) error {
	switch {
	case p.patch != nil:
		g.report.Patched++
	case p.copies != nil:
		g.report.Copied++
		g.report.CopiedBytes += uint64(p.size - p.fresh.size)
	default:
		size, err := g.repo.StoredSize(p.ObjectName)
		g.report.LooseSize += uint64(size)
		return err
	}
	return nil
}

// fall adds an object to those that are fetched by themselves.
func (g *generator) fall(p *plan) error {
	size, err := g.repo.StoredSize(p.ObjectName)
	if err != nil {
		return err
	}
	g.block.Fallbacks = append(g.block.Fallbacks, Fallback{p.ObjectName, uint64(size), uint64(p.size)})
	return nil
}

func (g *generator) writePart(i int, b *builder, part *made) error {
	defer b.part.blob.Close()
	file := &spill{dir: g.tmp}
	sum, err := b.part.pack(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	part.Checksum, part.Size = sum, uint64(file.size)
	if g.opts.Inline {
		part.file = file
		return nil
	}
	defer file.Close()
	if err := g.out.WriteFromAtomic(fmt.Sprint(i), file.section(), 0o644, false); err != nil {
		return err
	}
	return failpoint.At("delta.part.written")
}
