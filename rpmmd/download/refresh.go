package download

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rpmostree/internal/failpoint"
	"rpmostree/internal/fetch"
	"rpmostree/rpmmd"
)

const (
	repomdName = "repomd.xml"
	repomdPath = "repodata/" + repomdName
)

// Refresh makes a Snapshot of a repository from the cache or from its origin, as
// the mode says. Its errors are *RepoError.
func (d *Downloader) Refresh(ctx context.Context, repo rpmmd.RepoConfig) (*Snapshot, error) {
	s, err := d.refresh(ctx, repo.Clone())
	if err != nil {
		return nil, &RepoError{repo.ID, err}
	}
	return s, nil
}

func (d *Downloader) refresh(ctx context.Context, repo rpmmd.RepoConfig) (*Snapshot, error) {
	if !repo.Sources() {
		return nil, errors.New("no baseurl, mirrorlist or metalink is set")
	}
	client, err := d.client(&repo)
	if err != nil {
		return nil, err
	}
	r := &refresher{d: d, Snapshot: &Snapshot{Config: repo, d: d, client: client, dir: d.repoDir(&repo)}}
	if d.opts.Mode != CacheOnly {
		if err := os.MkdirAll(filepath.Join(r.dir, "repodata"), 0o755); err != nil {
			return nil, err
		}
		unlock, err := lock(filepath.Join(r.dir, "lock"))
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	r.loadCache()
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return r.Snapshot, nil
}

// repoDir returns the repository's directory in the cache. Its name has the ID,
// for people, and a digest of all that makes it another repository.
func (d *Downloader) repoDir(r *rpmmd.RepoConfig) string {
	id := strings.Map(func(c rune) rune {
		if strings.ContainsRune("/\\ \x00", c) || c < ' ' || c > '~' {
			return '_'
		}
		return c
	}, r.ID)
	id = strings.TrimLeft(id, ".")[:min(len(strings.TrimLeft(id, ".")), 128)]
	identity := append([]string{r.ID, r.Metalink, r.MirrorList}, r.BaseURL...)
	if r.RepoGPGCheck { // what was cached without a signature must not pass for signed
		identity = append(append(identity, "repo_gpgcheck"), r.GPGKey...)
	}
	sum := sha256.Sum256([]byte(strings.Join(identity, "\n")))
	name := fmt.Sprintf("%s-%x", id, sum[:8])
	if d.opts.CacheName != "" {
		name = fmt.Sprintf("%s-%s-%x", id, d.opts.CacheName, sum[:8])
	}
	return filepath.Join(d.opts.CacheDir, name)
}

// lock keeps other processes from refreshing the same repository.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}

// A refresher is a refresh under way.
type refresher struct {
	*Snapshot
	d *Downloader

	cached     []byte // repomd.xml in the cache, nil if there is none
	cachedTime time.Time
	accept     []fetch.Checksum // what a metalink says of repomd.xml
	current    []fetch.Checksum // of those, the newest version's
}

func (r *refresher) loadCache() {
	name := filepath.Join(r.dir, repomdPath)
	st, err := os.Stat(name)
	if err != nil || st.Size() > rpmmd.MaxRepomd {
		return
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return
	}
	md, err := rpmmd.ParseRepomd(b)
	if err != nil {
		return
	}
	r.cached, r.cachedTime = b, st.ModTime()
	r.setRepomd(b, md)
}

func (r *refresher) setRepomd(b []byte, md *rpmmd.Repomd) {
	r.Repomd = md
	r.Checksum = rpmmd.Checksum{Type: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256(b))}
}

// run decides where the metadata comes from.
func (r *refresher) run(ctx context.Context) error {
	if r.useCache() {
		r.Checked = r.cachedTime
		r.mirrors = r.cachedMirrors()
		if r.cached == nil {
			return because(fmt.Sprintf("Cache-only enabled but no cache for '%s'", r.ID()), nil)
		}
		return r.fetchTypes(ctx)
	}
	bases, err := r.resolve(ctx)
	if err != nil {
		return err
	}
	r.mirrors = fetch.NewMirrors(bases...)
	r.Fresh, r.Checked = true, r.d.opts.Now()
	if r.cached != nil && matches(r.cached, r.current) {
		return r.keep(ctx)
	}
	return r.update(ctx)
}

// useCache reports whether the cached repomd.xml is used without asking.
func (r *refresher) useCache() bool {
	switch r.d.opts.Mode {
	case CacheOnly:
		return true
	case Always:
		return false
	case IfMissing:
		return r.cached != nil
	}
	if r.cached == nil {
		return false
	}
	age := r.d.opts.Now().Sub(r.cachedTime)
	if r.Config.MetadataExpire == rpmmd.NeverExpire {
		return true
	}
	// A time in the future says nothing: the clock may have been wrong then.
	return age >= 0 && age < r.Config.MetadataExpire && !r.Config.FileTime.After(r.cachedTime)
}

// matches reports whether content has one of the checksums.
func matches(b []byte, sums []fetch.Checksum) bool {
	for _, c := range sums {
		h, err := rpmmd.NewHash(c.Type)
		if err != nil {
			continue
		}
		h.Write(b)
		if fmt.Sprintf("%x", h.Sum(nil)) == c.Hex {
			return true
		}
	}
	return false
}

// update fetches repomd.xml and, if it is new, the files that it names.
func (r *refresher) update(ctx context.Context) error {
	b, res, err := r.client.Bytes(ctx, r.repomdRequest(repomdPath, rpmmd.MaxRepomd))
	if err != nil {
		return because("Cannot download repomd.xml", err)
	}
	if r.Config.RepoGPGCheck {
		if err := r.verifySignature(ctx, b, strings.TrimSuffix(res.URL, repomdPath)); err != nil {
			return err
		}
	}
	if r.cached != nil && bytes.Equal(b, r.cached) {
		return r.keep(ctx)
	}
	md, err := rpmmd.ParseRepomd(b)
	if err != nil {
		return err
	}
	r.setRepomd(b, md)
	if err := r.fetchTypes(ctx); err != nil {
		return err
	}
	return r.store(b)
}

func (r *refresher) repomdRequest(path string, limit int64) fetch.Request {
	req := r.request("", path)
	req.MaxSize, req.Checksums = limit, r.accept
	return req
}

// fetchTypes makes sure that the files that are always wanted are there.
func (r *refresher) fetchTypes(ctx context.Context) error {
	if _, ok := r.record("primary"); !ok {
		return fmt.Errorf("%w: primary", ErrNoMetadata)
	}
	for _, typ := range append([]string{"primary"}, r.d.opts.Types...) {
		rec, ok := r.record(typ)
		if !ok || typ == "primary" && r.indexed(&rec) {
			continue
		}
		if _, err := r.fetchRecord(ctx, &rec); err != nil {
			return err
		}
	}
	return nil
}

// keep goes on with the cached metadata, which are the origin's. A killed process may
// have left something.
func (r *refresher) keep(ctx context.Context) error {
	return errors.Join(r.fetchTypes(ctx), r.renew(), r.clean())
}

// renew notes that the cached metadata is current.
func (r *refresher) renew() error {
	return os.Chtimes(filepath.Join(r.dir, repomdPath), time.Time{}, r.Checked)
}

// store puts a new repomd.xml into the cache, after the files that it names, and
// removes files of the old one.
func (r *refresher) store(b []byte) error {
	name := filepath.Join(r.dir, repomdPath)
	if err := failpoint.At("download.store"); err != nil {
		return err
	}
	if err := replaceFile(name, b); err != nil {
		return err
	}
	if err := r.renew(); err != nil {
		return err
	}
	if err := failpoint.At("download.stored"); err != nil {
		return err
	}
	return r.clean()
}

// replaceFile puts a file in place of another, which is there as a whole, or the
// other one is.
func replaceFile(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when all went well
	_, err = f.Write(b)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func (r *refresher) clean() error {
	keep := map[string]bool{repomdName: true, mirrorsName: true}
	for i := range r.Repomd.Records {
		if name, err := r.fileName(&r.Repomd.Records[i]); err == nil {
			keep[filepath.Base(name)], keep[filepath.Base(name)+indexSuffix] = true, true
		}
	}
	dir := filepath.Join(r.dir, "repodata")
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if keep[e.Name()] || e.IsDir() {
			continue
		}
		if rmErr := os.Remove(filepath.Join(dir, e.Name())); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
	}
	return err
}

// mirrorsName is a file beside repomd.xml with the base URLs that were found, one
// a line, for when the origin is not asked again.
const mirrorsName = "mirrors"

// cachedMirrors returns the base URLs that are known without asking.
func (r *refresher) cachedMirrors() *fetch.Mirrors {
	bases := slices.Clone(r.Config.BaseURL)
	if b, err := os.ReadFile(filepath.Join(r.dir, "repodata", mirrorsName)); err == nil {
		bases = append(rpmmd.ParseMirrorList(b), bases...)
	}
	return fetch.NewMirrors(bases...)
}

// resolve returns the base URLs of the repository, best first, and learns from a
// metalink what repomd.xml must be.
func (r *refresher) resolve(ctx context.Context) ([]string, error) {
	var bases []string
	var err error
	switch {
	case r.Config.Metalink != "":
		bases, err = r.metalink(ctx)
	case r.Config.MirrorList != "":
		bases, err = r.mirrorList(ctx)
	}
	if err != nil {
		if len(r.Config.BaseURL) == 0 {
			return nil, err
		}
		r.accept, r.current = nil, nil
	}
	if len(bases) > 0 {
		list := []byte(strings.Join(bases, "\n") + "\n")
		if err := replaceFile(filepath.Join(r.dir, "repodata", mirrorsName), list); err != nil {
			return nil, err
		}
	}
	bases = append(bases, r.Config.BaseURL...)
	if r.Config.FastestMirror && len(bases) > 1 {
		bases = r.d.fastest(ctx, bases)
	}
	if len(bases) == 0 {
		return nil, fmt.Errorf("%s names no usable mirror", cmp.Or(r.Config.Metalink, r.Config.MirrorList))
	}
	return bases, nil
}

func (r *refresher) metalink(ctx context.Context) ([]string, error) {
	b, _, err := r.client.Bytes(ctx, fetch.Request{URL: r.countme(r.Config.Metalink), MaxSize: rpmmd.MaxMirrorList})
	if err != nil {
		return nil, because("Cannot prepare internal mirrorlist", err)
	}
	link, err := rpmmd.ParseMetalink(b, repomdName)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Config.Metalink, err)
	}
	r.current = strongest(nil, link.Checksums)
	r.accept = r.current
	for _, a := range link.Alternates {
		r.accept = strongest(r.accept, a.Checksums)
	}
	return link.Bases(repomdPath), nil
}

// strongest appends the strongest checksum of a list: to accept a weaker one
// would make the others worthless.
func strongest(dst []fetch.Checksum, sums []rpmmd.Checksum) []fetch.Checksum {
	var best fetch.Checksum
	for _, c := range sums {
		if c := fetch.Checksum(c); c.Valid() && c.Strength() > best.Strength() {
			best = c
		}
	}
	if best.Type == "" {
		return dst
	}
	return append(slices.Clip(dst), best)
}

func (r *refresher) mirrorList(ctx context.Context) ([]string, error) {
	b, _, err := r.client.Bytes(ctx, fetch.Request{URL: r.countme(r.Config.MirrorList), MaxSize: rpmmd.MaxMirrorList})
	if err != nil {
		return nil, because("Cannot prepare internal mirrorlist", err)
	}
	return rpmmd.ParseMirrorList(b), nil
}
