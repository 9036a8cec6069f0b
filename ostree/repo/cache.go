package repo

import (
	"fmt"
	"io"
	"sync/atomic"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/failpoint"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

const cacheDir = "uncompressed-objects-cache"

// An unpackedCache holds files of an archive repository as a bare one would, for checkouts
// to link to. What nothing links to any more is removed when something near it is added:
// the work is in proportion to what changes.
type unpackedCache struct {
	dir     *dirfd.Dir
	objects *Objects
	prefix  [256]atomic.Bool // directories where files were added
}

func openCache(repo *dirfd.Dir) (*unpackedCache, error) {
	d, err := repo.Create(cacheDir, 0o775)
	if err != nil {
		return nil, err
	}
	return &unpackedCache{dir: d, objects: &Objects{mode: BareUserOnly, dirs: []int{d.FD()}}}, nil
}

func (c *unpackedCache) close() { c.dir.Close() }

// cacheable tells whether a checkout in user mode would link the file.
func cacheable(h ostree.FileHeader, size int64) bool {
	return ostree.IsRegular(h.Mode) && size > 0 && h.Mode&unix.S_IRUSR != 0
}

// unpack adds a file, unless another process was quicker.
func (c *unpackedCache) unpack(sum ostree.Checksum, h ostree.FileHeader, size int64, content io.Reader) error {
	t, err := createTmp(c.dir.FD())
	if err != nil {
		return err
	}
	defer t.drop()
	if err := copyN(t, content, size); err != nil {
		return shortContent(err)
	}
	if err := fchmod(int(t.fdFile), h.Mode&ostree.ModePerm&^(unix.S_ISUID|unix.S_ISGID)); err != nil {
		return err
	}
	if err := failpoint.At("repo.cache.unpacked"); err != nil {
		return err
	}
	path := c.objects.loosePath(ostree.ObjectFile, sum)
	if err := unix.Mkdirat(c.dir.FD(), path[:2], 0o775); err != nil && err != unix.EEXIST {
		return pathError("mkdir", path[:2], err)
	}
	c.prefix[sum[0]].Store(true)
	if err := t.linkAs(path); err != nil && err != unix.EEXIST {
		return pathError("link", path, err)
	}
	return nil
}

// collect removes the files that no checkout links to.
func (c *unpackedCache) collect() error {
	for i := range c.prefix {
		if !c.prefix[i].Load() {
			continue
		}
		if err := c.collectPrefix(fmt.Sprintf("%02x", i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *unpackedCache) collectPrefix(prefix string) error {
	d, err := c.dir.Open(prefix)
	if err != nil {
		return err
	}
	defer d.Close()
	entries, err := d.ReadDir()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := failpoint.At("repo.cache.collect"); err != nil {
			return err
		}
		st, err := d.Stat(e.Name)
		if err == nil && st.Nlink == 1 {
			err = d.Unlink(e.Name)
		}
		if err != nil && !isMissing(err) { // another checkout may collect, too
			return err
		}
	}
	return nil
}
