package download

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rpmostree/internal/fetch"
	"rpmostree/rpmmd"
)

// Limits and defaults.
const (
	// DefaultParallel is how many files are fetched at once (librepo).
	DefaultParallel = 3
	// MaxParallel bounds what a configuration may ask for (librepo).
	MaxParallel = 20
	// MaxOpenSize bounds a metadata file, also when it is decompressed, in bytes.
	MaxOpenSize = 16 << 30
	// MaxRatio bounds how much larger a metadata file may become when it is
	// decompressed, if that is more than MinOpenSize bytes.
	MaxRatio    = 1000
	MinOpenSize = 64 << 20
	// MaxKey is the size of a file of OpenPGP keys, and MaxSignature that of a
	// signature, in bytes.
	MaxKey       = 4 << 20
	MaxSignature = 1 << 20
)

// Mode says when the origin of a repository is asked.
type Mode uint8

// Modes.
const (
	Default   Mode = iota // if the cached metadata is older than the repository's metadata_expire
	Always                // in any case
	IfMissing             // only if nothing is cached
	CacheOnly             // never; what is not cached is an error
)

// Options tell how a Downloader works.
type Options struct {
	// CacheDir is the directory of the cache; it is made if needed.
	CacheDir string
	// CacheName is a part of the names in CacheDir that tells apart caches of the
	// same repositories, such as "39-x86_64".
	CacheName string
	Mode      Mode
	// Types are the metadata files that Refresh fetches, if they exist; "primary"
	// always is. Others are fetched when they are opened.
	Types []string
	// Verify checks the detached signature of a repomd.xml. Nil means that the keys
	// of the configuration's gpgkey are fetched and used.
	Verify func(ctx context.Context, repo *rpmmd.RepoConfig, repomd, signature []byte) error
	// File, if not nil, returns the name of the file that a configuration means by the
	// path of a key or a certificate, or by its file URL. Nil means that it is the path.
	File func(path string) (string, error)
	// Fetch are defaults for the connections of all repositories.
	Fetch fetch.Options
	// Progress, if not nil, is called as bytes arrive, perhaps from several goroutines at
	// once.
	Progress func(Progress)
	// CountMe lets repositories count the machine if their configuration says so, too:
	// once a week its age is told.
	CountMe bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Progress tells how far the transfer of one file is, and that of all files of the
// Downloader together.
type Progress struct {
	Repo  string // ID
	File  string // path in the repository
	Done  int64  // bytes
	Total int64  // bytes; zero if unknown

	AllDone, AllTotal int64 // bytes; the total has those of files that are still to come
}

// A total sums up the transfers of a Downloader.
type total struct {
	mu        sync.Mutex
	files     map[[2]string]*transfer // by repository and path
	done, all int64
}

type transfer struct{ done, all int64 }

// update notes how far a file is, and returns the sums.
func (t *total) update(repo, file string, done, all int64) (int64, int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.files == nil {
		t.files = map[[2]string]*transfer{}
	}
	f := t.files[[2]string{repo, file}]
	if f == nil {
		f = &transfer{}
		t.files[[2]string{repo, file}] = f
	}
	all = max(all, f.all, done)
	t.done += done - f.done
	t.all += all - f.all
	f.done, f.all = done, all
	return t.done, t.all
}

// A Downloader makes Snapshots. It is safe for concurrent use.
type Downloader struct {
	opts Options

	mu      sync.Mutex
	clients map[clientKey]*fetch.Client
	total   total
}

// New returns a Downloader.
func New(opts Options) (*Downloader, error) {
	if opts.CacheDir == "" {
		return nil, errors.New("no cache directory given")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Downloader{opts: opts, clients: map[clientKey]*fetch.Client{}}, nil
}

// Close drops idle connections.
func (d *Downloader) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.clients {
		c.Close()
	}
}

// RefreshAll makes Snapshots of several repositories at once, in their order.
// Those that cannot be had are left out if their configuration says so
// (skip_if_unavailable): skipped tells which and why, each a *RepoError. Any other
// failure is the error, a *RepoError, too.
func (d *Downloader) RefreshAll(ctx context.Context, repos []rpmmd.RepoConfig) (snapshots []*Snapshot, skipped []error, err error) {
	all, failed := make([]*Snapshot, len(repos)), make([]error, len(repos))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(DefaultParallel)
	for i := range repos {
		g.Go(func() error {
			var err error
			all[i], err = d.Refresh(gctx, repos[i])
			if err != nil && repos[i].SkipIfUnavailable && gctx.Err() == nil {
				failed[i], err = err, nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for i := range repos {
		if all[i] != nil {
			snapshots = append(snapshots, all[i])
		}
		if failed[i] != nil {
			skipped = append(skipped, failed[i])
		}
	}
	return snapshots, skipped, nil
}

// clientKey is what connections depend on.
type clientKey struct {
	userAgent, username, password                  string
	proxy, proxyUsername, proxyPassword, proxyAuth string
	ssl, proxySSL                                  rpmmd.SSLConfig
	sslStatus                                      bool
	ipVersion, retries, perHost                    int
	timeout                                        time.Duration
	minRate, maxRate                               int64
}

// client returns the connections of a repository: repositories with the same
// settings share them, and the limit of transfers per host.
func (d *Downloader) client(r *rpmmd.RepoConfig) (*fetch.Client, error) {
	k := clientKey{
		userAgent: r.UserAgent, username: r.Username, password: r.Password,
		proxy: r.Proxy, proxyUsername: r.ProxyUsername, proxyPassword: r.ProxyPassword, proxyAuth: r.ProxyAuth,
		ssl: r.SSL, proxySSL: r.ProxySSL, sslStatus: r.SSLVerifyStatus,
		ipVersion: r.IPVersion, retries: r.Retries, perHost: r.MaxPerHost, timeout: r.Timeout, minRate: r.MinRate, maxRate: r.MaxRate,
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.clients[k]; c != nil {
		return c, nil
	}
	o, err := d.fetchOptions(r)
	if err != nil {
		return nil, err
	}
	c, err := fetch.New(o)
	if err == nil {
		d.clients[k] = c
	}
	return c, err
}

func (d *Downloader) fetchOptions(r *rpmmd.RepoConfig) (fetch.Options, error) {
	o := d.opts.Fetch
	o.Header = http.Header{}
	for k, v := range d.opts.Fetch.Header {
		o.Header[k] = v
	}
	o.UserAgent = cmp.Or(r.UserAgent, o.UserAgent)
	o.Username, o.Password = cmp.Or(r.Username, o.Username), cmp.Or(r.Password, o.Password)
	o.Retries = cmp.Or(r.Retries, o.Retries)
	o.MaxPerHost = min(cmp.Or(r.MaxPerHost, o.MaxPerHost, DefaultParallel), MaxParallel)
	o.ConnectTimeout, o.LowSpeedTime = cmp.Or(r.Timeout, o.ConnectTimeout), cmp.Or(r.Timeout, o.LowSpeedTime)
	o.LowSpeed = cmp.Or(r.MinRate, o.LowSpeed)
	o.IPVersion = cmp.Or(r.IPVersion, o.IPVersion)
	if r.Proxy != "" {
		o.Proxy, o.ProxyUsername, o.ProxyPassword = r.Proxy, r.ProxyUsername, r.ProxyPassword
		o.ProxyAuth = cmp.Or(fetch.ProxyAuth(r.ProxyAuth), fetch.ProxyAny)
	}
	o.MaxRate = cmp.Or(r.MaxRate, o.MaxRate)
	var err error
	if o.TLS, err = d.tlsOptions(o.TLS, r.SSL); err != nil {
		return o, err
	}
	o.TLS.Status = o.TLS.Status || r.SSLVerifyStatus
	o.ProxyTLS, err = d.tlsOptions(o.ProxyTLS, r.ProxySSL)
	return o, err
}

// tlsOptions returns defaults with what a configuration says.
func (d *Downloader) tlsOptions(o fetch.TLSOptions, c rpmmd.SSLConfig) (fetch.TLSOptions, error) {
	for _, p := range []*string{&c.CACert, &c.ClientCert, &c.ClientKey} {
		if *p == "" {
			continue
		}
		var err error
		if *p, err = d.file(*p); err != nil {
			return o, err
		}
	}
	o.Insecure = o.Insecure || c.Insecure
	o.CAFile = cmp.Or(c.CACert, o.CAFile)
	if c.ClientCert != "" {
		o.CertFile, o.KeyFile = c.ClientCert, c.ClientKey
	}
	return o, nil
}

// file returns the name of a file that a configuration means.
func (d *Downloader) file(path string) (string, error) {
	if d.opts.File == nil {
		return path, nil
	}
	return d.opts.File(path)
}
