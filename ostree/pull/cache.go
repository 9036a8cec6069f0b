package pull

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"

	"golang.org/x/sys/unix"
)

// A cache keeps the summary of a remote, with its signature, in
// tmp/cache/summaries/<remote> and <remote>.sig: the next pull fetches what has
// changed. The server's ETag is an extended attribute, its time that of the file.
// A cache that cannot be read or written is no error, and a nil one is empty.
type cache struct {
	dir    *dirfd.Dir // nil until something is written
	parent string
	remote string
}

// age is what a server tells about the version of a file.
type age struct {
	etag     string
	modified time.Time
}

const (
	etagXattr = "user.etag"
	maxETag   = 4 << 10 // bytes
)

// openCache opens the cache in o.CacheDir, or else in the repository, unless OSTREE_SKIP_CACHE is set.
// What is pulled as if it was of a remote is not what the remote has.
func openCache(r *repo.Repo, o *Options, remote string) *cache {
	_, skip := os.LookupEnv("OSTREE_SKIP_CACHE")
	if remote == "" || o.As != "" || o.CacheDir == "" && skip {
		return nil
	}
	c := &cache{parent: o.CacheDir, remote: remote}
	if c.parent == "" {
		c.parent = filepath.Join(r.Path(), "tmp/cache")
	}
	c.dir, _ = dirfd.Open(filepath.Join(c.parent, "summaries"))
	return c
}

func (c *cache) close() {
	if c != nil && c.dir != nil {
		c.dir.Close()
	}
}

func (c *cache) name(file string) string {
	if file == "summary.sig" {
		return c.remote + ".sig"
	}
	return c.remote
}

// read returns the content of a file, or nil.
func (c *cache) read(file string) []byte {
	if c == nil || c.dir == nil {
		return nil
	}
	data, err := c.dir.ReadFile(c.name(file), ostree.MaxMetadataSize)
	if err != nil {
		return nil
	}
	return data
}

func (c *cache) holds(file string, data []byte) bool { return bytes.Equal(c.read(file), data) }

// age tells which version of a file is there, nothing if there is none.
func (c *cache) age(file string) age {
	if c == nil || c.dir == nil || c.read(file) == nil {
		return age{}
	}
	var a age
	if st, err := c.dir.Stat(c.name(file)); err == nil && st.Mtim.Sec > 0 {
		a.modified = time.Unix(st.Mtim.Unix())
	}
	var buf [maxETag]byte
	if n, err := unix.Lgetxattr(c.dir.ProcPath(c.name(file)), etagXattr, buf[:]); err == nil && bytes.IndexByte(buf[:n], 0) < 0 {
		a.etag = string(buf[:n])
	}
	return a
}

// forget removes what the cache has of the remote.
func (c *cache) forget() {
	if c != nil && c.dir != nil {
		_ = c.dir.Unlink(c.name("summary.sig"))
		_ = c.dir.Unlink(c.name("summary"))
	}
}

// write keeps a summary. The signature is written last: it says that the summary
// is there.
func (c *cache) write(summary []byte, summaryAge age, sig []byte, sigAge age) {
	if c == nil {
		return
	}
	if c.dir == nil {
		if os.MkdirAll(filepath.Join(c.parent, "summaries"), 0o775) != nil {
			return
		}
		var err error
		if c.dir, err = dirfd.Open(filepath.Join(c.parent, "summaries")); err != nil {
			c.dir = nil
			return
		}
	}
	if err := c.dir.Unlink(c.name("summary.sig")); err != nil && !notFound(err) {
		return
	}
	if c.put("summary", summary, summaryAge) {
		c.put("summary.sig", sig, sigAge)
	}
}

func (c *cache) put(file string, data []byte, a age) bool {
	name := c.name(file)
	if c.dir.WriteFileAtomic(name, data, 0o644, false) != nil {
		return false
	}
	if a.etag != "" {
		_ = c.dir.SetXattr(name, etagXattr, []byte(a.etag)) // not everywhere
	}
	modified := int64(0) // not known
	if !a.modified.IsZero() {
		modified = a.modified.Unix()
	}
	return c.dir.SetTimes(name, modified) == nil
}
