package createrepo

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"

	"rpmostree/rpm"
	"rpmostree/rpmmd"
)

// Read reads a package file. Location and Base are not set. Of opts only
// ChecksumType and ChangelogLimit matter; it may be nil.
func Read(path string, opts *Options) (*Package, error) {
	if opts == nil {
		opts = &Options{}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading package: %w", err)
	}
	defer f.Close()
	p, err := read(f, opts)
	if err != nil {
		return nil, fmt.Errorf("reading package %s: %w", path, err)
	}
	return p, nil
}

func read(f *os.File, opts *Options) (*Package, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	sum, err := rpmmd.NewHash(opts.checksumType())
	if err != nil {
		return nil, err
	}
	r := &counter{r: bufio.NewReaderSize(io.TeeReader(f, sum), 64<<10)}
	lead, err := rpm.ReadLead(r)
	if err != nil {
		return nil, err
	}
	signature, err := rpm.ReadSignatureHeader(r)
	if err != nil {
		return nil, err
	}
	start := r.n
	header, err := rpm.ReadHeader(r)
	if err != nil {
		return nil, err
	}
	end := r.n
	if _, err := io.Copy(io.Discard, r.r); err != nil {
		return nil, err
	}
	p, err := FromHeaders(signature, header, opts.changelogLimit())
	if err != nil {
		return nil, err
	}
	if lead.Source { // old packages say so nowhere else
		p.Arch = "src"
	}
	if p.Arch == "" {
		return nil, fmt.Errorf("%v is missing", rpm.TagArch)
	}
	p.Checksum = rpmmd.Checksum{Type: opts.checksumType(), Hex: fmt.Sprintf("%x", sum.Sum(nil))}
	p.Size, p.FileTime = st.Size(), st.ModTime().Unix()
	p.HeaderStart, p.HeaderEnd = start, end
	return p, nil
}

func (o *Options) checksumType() string { return cmp.Or(o.ChecksumType, "sha256") }

func (o *Options) repomdChecksumType() string { return cmp.Or(o.RepomdChecksumType, o.checksumType()) }

func (o *Options) changelogLimit() int {
	return max(0, cmp.Or(o.ChangelogLimit, DefaultChangelogLimit))
}

// counter tells how far a file was read.
type counter struct {
	r *bufio.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
