package pull

import (
	"bytes"

	"rpmostree/internal/dirfd"
)

// A signed summary is kept in tmp/cache/summaries/<remote>, with its signature
// in <remote>.sig: the next pull fetches the small signature only, when it is
// still the same. A cache that cannot be read or written is no error.

// cachedSummary returns the summary that has this signature, or nil.
func (p *puller) cachedSummary(sig []byte) []byte {
	if sig == nil || p.m.Name == "" {
		return nil
	}
	d, err := p.r.Dir().OpenDirBeneath("tmp/cache/summaries", dirfd.NoSymlinks)
	if err != nil {
		return nil
	}
	defer d.Close()
	old, err := d.ReadFile(p.m.Name+".sig", maxSummary)
	if err != nil || !bytes.Equal(old, sig) {
		return nil
	}
	data, err := d.ReadFile(p.m.Name, maxSummary)
	if err != nil {
		return nil
	}
	return data
}

// cacheSummary keeps a summary. The signature is written last: it says that the
// summary is there.
func (p *puller) cacheSummary(data, sig []byte) {
	if sig == nil || p.m.Name == "" {
		return
	}
	d, err := p.r.Dir().CreatePath("tmp/cache/summaries", 0o775)
	if err != nil {
		return
	}
	defer d.Close()
	if err := d.Unlink(p.m.Name + ".sig"); err != nil && !notFound(err) {
		return
	}
	if d.WriteFileAtomic(p.m.Name, data, 0o644, false) == nil {
		d.WriteFileAtomic(p.m.Name+".sig", sig, 0o644, false)
	}
}
