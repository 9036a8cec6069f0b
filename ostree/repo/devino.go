package repo

import (
	"sync"

	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

// A DevInoCache knows files on disk that are hard links to objects, by device
// and inode number, so that a commit of a checkout need not read them. It is
// safe for concurrent use.
type DevInoCache struct {
	mu  sync.RWMutex
	sum map[devIno]ostree.Checksum
}

type devIno struct{ dev, ino uint64 }

// NewDevInoCache returns an empty cache, for Checkout to fill.
func NewDevInoCache() *DevInoCache { return &DevInoCache{sum: map[devIno]ostree.Checksum{}} }

func (c *DevInoCache) add(st *unix.Stat_t, sum ostree.Checksum) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum[devIno{uint64(st.Dev), st.Ino}] = sum
}

// Lookup returns the checksum of the file with the given status.
func (c *DevInoCache) Lookup(st *unix.Stat_t) (ostree.Checksum, bool) {
	if c == nil {
		return ostree.Checksum{}, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	sum, ok := c.sum[devIno{uint64(st.Dev), st.Ino}]
	return sum, ok
}

// ScanDevIno returns a cache of every object of the repository that has more
// than one link, which is what hard link checkouts leave.
func (r *Repo) ScanDevIno() (*DevInoCache, error) {
	c := NewDevInoCache()
	if r.mode == Archive {
		return c, nil
	}
	err := r.EachObject(func(n ostree.ObjectName) error {
		if n.Type != ostree.ObjectFile {
			return nil
		}
		var st unix.Stat_t
		path := r.loosePath(n.Type, n.Checksum)
		err := unix.Fstatat(r.object.FD(), path, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.ENOENT {
			return nil
		}
		if err == nil && st.Nlink > 1 {
			c.add(&st, n.Checksum)
		}
		return pathError("stat", path, err)
	})
	return c, err
}
