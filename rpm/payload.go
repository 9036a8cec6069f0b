package rpm

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"strings"

	"rpmostree/internal/compress"
)

// payloadSlack is what an archive may have beyond its members: the trailer and
// padding to a block.
const payloadSlack = 4096

// Payload is the stream of a package's content. As with an archive/tar reader,
// Next goes to the next file and Read reads its content:
//
//	for {
//		e, err := payload.Next()
//		if err == io.EOF {
//			break // everything was there and verified
//		}
//		...
//		io.Copy(dst, payload)
//	}
//
// Read gives its last bytes together with an error if the content does not
// match the file's digest. Nothing read is to be relied on before Next has
// returned io.EOF.
type Payload struct {
	p     *Package
	files []File
	index map[string]int // file by path without its leading slash
	links map[int]*linkSet

	raw    io.Reader // compressed bytes, hashed
	closer io.Closer
	cpio   cpioReader

	seen     []bool
	stripped int // 0: unknown, 1: no, 2: yes
	sum      hash.Hash
	current  int
	err      error
}

// linkSet is an inode with several names.
type linkSet struct {
	members []int // files, ascending
	seen    int   // members that the archive had so far
	done    bool  // the content came
}

// last returns the member with the content in the stripped form.
func (s *linkSet) last() int { return s.members[len(s.members)-1] }

// Member is one inode in the payload.
type Member struct {
	Index int   // of the file in Header.Files
	Links []int // the indexes of all hard links of the inode, Index among them; one element if there are no others
}

// Payload starts to read the payload. It can be called once. It fails for what
// cannot be unpacked: format 3, delta packages, unknown features.
func (p *Package) Payload() (*Payload, error) {
	if p.payload != nil {
		return nil, errors.New("the payload was read already")
	}
	h := p.Header
	if f := h.Format(); f != 4 && f != 6 {
		return nil, fmt.Errorf("%v: package format %d is not supported", h.NEVRA(), f)
	}
	if f := h.String(TagPayloadFormat); f != "" && f != "cpio" {
		return nil, fmt.Errorf("%v: payload format %q is not supported", h.NEVRA(), f)
	}
	if err := h.CheckFeatures(); err != nil {
		return nil, err
	}
	pl := &Payload{p: p, files: h.Files(), raw: p.verifier.reader(p.r), current: -1}
	p.payload = pl
	pl.prepare()
	if err := pl.openStream(); err != nil {
		return nil, fmt.Errorf("%v: payload: %w", h.NEVRA(), err)
	}
	return pl, nil
}

// prepare indexes the files by name and by inode.
func (p *Payload) prepare() {
	p.seen = make([]bool, len(p.files))
	p.index = make(map[string]int, len(p.files))
	p.links = map[int]*linkSet{}
	inodes := map[[2]uint32][]int{}
	known := p.p.Header.Has(TagFileInodes)
	for i := range p.files {
		f := &p.files[i]
		p.index[strings.TrimPrefix(f.Path, "/")] = i
		if known && f.IsRegular() && !f.IsGhost() {
			id := [2]uint32{f.Dev, f.Inode}
			inodes[id] = append(inodes[id], i)
		}
	}
	for _, set := range inodes {
		if len(set) < 2 {
			continue
		}
		shared := &linkSet{members: set}
		for _, i := range set {
			p.links[i] = shared
		}
	}
}

// openStream puts the decompressor on the payload, by the header's word or, if
// it has none, by the first bytes.
func (p *Payload) openStream() error {
	br := bufio.NewReaderSize(p.raw, 128<<10)
	p.raw = br
	head, err := br.Peek(13)
	if err != nil && err != io.EOF {
		return err
	}
	format := compress.Detect(head)
	if name := p.p.Header.String(TagPayloadCompressor); name != "" {
		said, err := compress.Parse(name)
		if err != nil {
			return err
		}
		// "gzip" has always meant "or not compressed at all".
		if said != format && !(said == compress.Gzip && format == compress.None) && said != compress.LZMA {
			return fmt.Errorf("compressor is %v, but the data are %v", said, format)
		}
		if said == compress.LZMA {
			format = said
		}
	}
	z, err := compress.NewReader(br, format, p.p.options.MaxMemory)
	if err != nil {
		return err
	}
	p.closer = z
	p.cpio.r = bufio.NewReaderSize(compress.Limit(z, p.maxSize()), 64<<10)
	return nil
}

// maxSize returns how long the uncompressed archive can be for the header's files.
func (p *Payload) maxSize() int64 {
	n := uint64(payloadSlack)
	for i := range p.files {
		f := &p.files[i]
		if f.Size > math.MaxInt64/4 || n > math.MaxInt64/4 {
			return math.MaxInt64 / 2
		}
		n += f.Size + uint64(cpioHeaderSize+len(f.Path)+16)
	}
	return int64(n)
}

// Next goes to the next file that has content of its own, or is no regular
// file. It returns io.EOF after the last, when all files were there and all
// digests and signatures were verified. Any other error is final.
func (p *Payload) Next() (Member, error) {
	if p.err != nil {
		return Member{}, p.err
	}
	m, err := p.next()
	if err != nil {
		p.fail(err)
		return Member{}, p.err
	}
	return m, nil
}

// fail makes err final.
func (p *Payload) fail(err error) {
	if err != io.EOF {
		err = fmt.Errorf("%v: %w", p.p.Header.NEVRA(), err)
	}
	if p.err == nil {
		p.err = err
		p.closer.Close()
	}
}

func (p *Payload) next() (Member, error) {
	if p.current >= 0 {
		if _, err := io.Copy(io.Discard, contentReader{p}); err != nil {
			return Member{}, err
		}
		p.current = -1
	}
	for {
		m, err := p.cpio.next()
		if err != nil {
			return Member{}, fmt.Errorf("unpacking of archive failed: cpio: %w", err)
		}
		if m.trailer {
			if err := p.end(); err != nil {
				return Member{}, err
			}
			return Member{}, io.EOF
		}
		i, content, err := p.accept(m)
		if err != nil {
			return Member{}, fmt.Errorf("unpacking of archive failed: %w", err)
		}
		if content {
			return p.start(i)
		}
	}
}

// accept finds the file of a member and says whether it is to be shown.
func (p *Payload) accept(m cpioMember) (i int, show bool, err error) {
	kind := 1
	if m.stripped {
		kind = 2
	}
	if p.stripped != 0 && p.stripped != kind {
		return 0, false, errors.New("cpio: two formats in one archive")
	}
	p.stripped = kind
	if i, err = p.find(m); err != nil {
		return 0, false, err
	}
	f := &p.files[i]
	if p.seen[i] {
		return 0, false, fmt.Errorf("%s: twice in the archive", f.Path)
	}
	size, err := p.contentSize(i, m)
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", f.Path, err)
	}
	p.cpio.setSize(size)
	p.seen[i] = true
	set := p.links[i]
	switch {
	case f.IsGhost():
		return i, false, nil // some old builds packed them
	case set == nil:
		return i, true, nil
	}
	// Of an empty file's links none can be told to have the content: the last seen has it.
	set.seen++
	show = size > 0 || f.Size == 0 && set.seen == len(set.members)
	if show && set.done {
		return 0, false, fmt.Errorf("%s: content of a hard link comes twice", f.Path)
	}
	set.done = set.done || show
	return i, show, nil
}

func (p *Payload) find(m cpioMember) (int, error) {
	if m.stripped {
		if uint64(m.index) >= uint64(len(p.files)) {
			return 0, fmt.Errorf("archive file %d not in header", m.index)
		}
		return int(m.index), nil
	}
	name := strings.TrimPrefix(m.name, ".")
	if name != m.name && !strings.HasPrefix(name, "/") {
		name = m.name // a dot file of a source package
	}
	i, ok := p.index[strings.TrimPrefix(name, "/")]
	if !ok {
		return 0, fmt.Errorf("archive file not in header: %q", m.name)
	}
	return i, nil
}

// contentSize returns how much content follows the member's header. The
// header's size is what counts; the archive's must agree with it.
func (p *Payload) contentSize(i int, m cpioMember) (int64, error) {
	f := &p.files[i]
	want := uint64(0)
	switch {
	case f.IsRegular(), f.IsSymlink():
		want = f.Size
	}
	if m.stripped {
		if set := p.links[i]; set != nil && set.last() != i {
			want = 0
		}
		if want > math.MaxInt64/4 {
			return 0, fmt.Errorf("size %d is too large", want)
		}
		return int64(want), nil
	}
	switch {
	case f.IsGhost():
	case f.IsSymlink() && m.size <= MaxPath:
		// The target comes from the header.
	case uint64(m.size) != want && !(p.links[i] != nil && m.size == 0):
		return 0, fmt.Errorf("size is %d in the archive, %d in the header", m.size, want)
	}
	return m.size, nil
}

// start makes file i the current one.
func (p *Payload) start(i int) (Member, error) {
	f := &p.files[i]
	p.current, p.sum = i, nil
	if f.IsRegular() && f.Digest != "" {
		h, err := p.p.Header.FileDigestAlgo().New()
		if err != nil {
			return Member{}, fmt.Errorf("%s: %w", f.Path, err)
		}
		p.sum = h
	}
	if p.cpio.left == 0 {
		if err := p.checkDigest(); err != nil {
			return Member{}, err
		}
	}
	if set := p.links[i]; set != nil {
		return Member{Index: i, Links: set.members}, nil
	}
	return Member{Index: i, Links: []int{i}}, nil
}

// Read reads the content of the current file: of a regular file its data, of a
// symbolic link its target, which the header has too and which may differ.
func (p *Payload) Read(b []byte) (int, error) {
	switch {
	case p.err != nil:
		return 0, p.err
	case p.current < 0:
		return 0, io.EOF
	}
	n, err := contentReader{p}.Read(b)
	if err != nil && err != io.EOF {
		p.fail(err)
		err = p.err
	}
	return n, err
}

// contentReader reads and hashes the current file.
type contentReader struct{ p *Payload }

func (c contentReader) Read(b []byte) (int, error) {
	p := c.p
	if p.cpio.left == 0 {
		return 0, io.EOF
	}
	n, err := p.cpio.Read(b)
	if p.sum != nil {
		p.sum.Write(b[:n])
	}
	if err != nil {
		return n, fmt.Errorf("unpacking of archive failed on file %s: cpio: %w", p.files[p.current].Path, noEOF(err))
	}
	if p.cpio.left == 0 {
		return n, p.checkDigest()
	}
	return n, nil
}

func (p *Payload) checkDigest() error {
	if p.sum == nil {
		return nil
	}
	f := &p.files[p.current]
	want, err := hex.DecodeString(f.Digest)
	if got := p.sum.Sum(nil); err != nil || string(got) != string(want) {
		return fmt.Errorf("unpacking of archive failed on file %s: digest mismatch", f.Path)
	}
	p.sum = nil
	return nil
}

// end is called after the trailer.
func (p *Payload) end() error {
	for i := range p.files {
		if !p.seen[i] && !p.files[i].IsGhost() {
			return fmt.Errorf("unpacking of archive failed: missing file %s", p.files[i].Path)
		}
	}
	for i := range p.files {
		if set := p.links[i]; set != nil && !set.done {
			return fmt.Errorf("unpacking of archive failed: no content for hard link %s", p.files[i].Path)
		}
	}
	if err := onlyZeros(p.cpio.r); err != nil {
		return fmt.Errorf("after the end of the archive: %w", err)
	}
	return p.drain()
}

// drain reads the compressed data to their end and checks what covers them.
func (p *Payload) drain() error {
	if _, err := io.Copy(io.Discard, p.raw); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	return p.p.verifier.verdict(rangeHeader | rangePayload)
}

// finish reads what is left and returns the verdict.
func (p *Payload) finish() error {
	for {
		switch _, err := p.Next(); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// onlyZeros reads r to its end: padding to a block is all that may follow.
func onlyZeros(r io.Reader) error {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		for _, c := range buf[:n] {
			if c != 0 {
				return errors.New("unexpected data")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
