package pull

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"rpmostree/internal/dirfd"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// A cache keeps the summary of a remote, with its signature, in
// tmp/cache/summaries/<remote> and <remote>.sig: the next pull fetches what has
// changed, by the ages of the files.
// A cache that cannot be read or written is no error, and a nil one is empty.
type cache struct {
	dir    *dirfd.Dir // nil until something is written
	parent string
	remote string
}

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
func (c *cache) age(file string) repo.Age {
	if c.read(file) == nil {
		return repo.Age{}
	}
	return repo.ReadAge(c.dir, c.name(file))
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
func (c *cache) write(summary []byte, summaryAge repo.Age, sig []byte, sigAge repo.Age) {
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

func (c *cache) put(file string, data []byte, a repo.Age) bool {
	if a.Modified.IsZero() { // when it was cached would pass for it
		a.Modified = time.Unix(0, 0)
	}
	name := c.name(file)
	return c.dir.WriteFileAtomic(name, data, 0o644, false) == nil && a.Write(c.dir, name) == nil
}
