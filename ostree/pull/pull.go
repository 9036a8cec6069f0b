// Package pull copies commits from a remote repository into one on disk: over
// HTTP from repositories in archive mode, by objects or by static deltas, or from
// a directory.
//
// Every object is verified against its checksum while it arrives. Refs change
// only when all objects of their commits are there; what an interrupted pull
// has fetched is kept, and the next one goes on from it.
package pull

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"rpmostree/internal/fetch"
	"rpmostree/internal/keyfile"
	"rpmostree/internal/progress"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// Limits on what is read into memory besides metadata, in bytes but for maxMirrors.
const (
	maxConfig     = 1 << 20
	maxRef        = 4096
	maxMirrorList = 1 << 20
	maxMirrors    = 100
	maxMetalink   = 1 << 20
	maxCookies    = 1 << 20
)

// DefaultWorkers is how many objects are fetched at once (libostree).
const DefaultWorkers = 8

// Options say what is pulled.
type Options struct {
	// Refs are "BRANCH", "BRANCH@CHECKSUM" or "CHECKSUM". If it is empty, the
	// branches that the remote's configuration names are pulled, or with Mirror
	// all of them.
	Refs []string
	// CollectionRefs are pulled too: refs of collections, which the remote's
	// summary has. A checksum that is not zero is taken in place of what that says.
	CollectionRefs []repo.MirrorRef
	// URL replaces that of the remote's configuration.
	URL string
	// Depth is how many ancestors of each commit are pulled, or repo.AllHistory.
	Depth int
	// Mirror makes branches local ones, or those of their collection, and copies
	// the summary when all are pulled.
	Mirror bool
	// CommitMetadataOnly pulls no more than commit objects, which stay partial.
	CommitMetadataOnly bool
	// Subpaths limits what is pulled to these directories and files; commits stay
	// partial.
	Subpaths []string
	// DisableDeltas fetches objects only. RequireDeltas fails where there is no
	// static delta, and makes pulls from directories use them. DryRun, which needs
	// it, changes nothing but tells in Stats.Delta what would be fetched.
	DisableDeltas, RequireDeltas, DryRun bool
	// Untrusted verifies objects that come from a file:// remote; others always
	// are, but for HTTPTrusted: then a mirror stores files as they come.
	Untrusted, HTTPTrusted bool
	// BareUserOnlyFiles refuses files that a bare-user-only repository cannot
	// hold.
	BareUserOnlyFiles bool
	// NoVerifyBindings accepts commits that are bound to other refs.
	NoVerifyBindings bool
	// TimestampCheck refuses a commit that is older than the one that its ref
	// names now. TimestampCheckFrom names another one to compare with.
	TimestampCheck     bool
	TimestampCheckFrom string
	// LocalCaches are asked for objects before the network.
	LocalCaches []*repo.Repo
	// CacheDir is where summaries are cached, "" for a directory in the repository.
	CacheDir string
	// Verify checks signatures. A remote that demands them cannot be pulled
	// from without it.
	Verify Verifier
	// Of a pull by URL, As names the remote that gets the refs. GPGVerify and
	// GPGVerifySummary demand signatures by its keys, in place of what its
	// configuration says, and by those of a remote that is pulled from by name.
	As                          string
	GPGVerify, GPGVerifySummary bool
	// Header is added to every request; AppendUserAgent to the user agent.
	Header          http.Header
	AppendUserAgent string
	// Retries is how often a failed transfer is tried again, 0 for the default
	// of fetch, negative for never. Workers is how many transfers run at once,
	// 0 for DefaultWorkers.
	Retries, Workers int
	// LowSpeedBytes and LowSpeedSeconds end transfers that are slower for
	// longer; 0 for the defaults of fetch.
	LowSpeedBytes, LowSpeedSeconds int
	// MaxMetadataSize is how many bytes the server may send of a metadata object, a
	// commit's detached metadata, a summary, its signature, an index of deltas or a
	// superblock; 0 for ostree.MaxMetadataSize, of which it cannot be more.
	MaxMetadataSize int64
	// NoFsync and PerObjectFsync are those of repo.TransactionOptions.
	NoFsync, PerObjectFsync bool
	// Journal is the socket of the journal that is told how pulls from a remote of the
	// configuration end; "" for none.
	Journal string
	// Progress, if not nil, is told about the objects.
	Progress progress.Sink
	// Watch, if not nil, is told how far the pull is, whenever an object is done. It is called
	// from several goroutines.
	Watch func(State)
}

// A State is how far a pull is.
type State struct {
	Scanned             int  // metadata objects that were looked at
	Metadata            int  // metadata objects received
	Scanning            bool // more metadata is to come, hence maybe more of the rest
	Content, AllContent int  // files received or found in a cache; all that are needed, as far as known
	// Parts of deltas that are here, of AllParts, and their sizes.
	Parts, AllParts         int
	PartBytes, AllPartBytes uint64
	Transferred             uint64 // bytes over the network
}

// A Verifier checks signatures with the keys that a remote's configuration
// trusts. It is asked about what the configuration demands only.
type Verifier interface {
	// Check tells whether there is all that is needed for the other methods.
	Check(m *repo.Remote) error
	// VerifyCommit checks a commit object; its detached metadata, an a{sv} with
	// the signatures, may be nil.
	VerifyCommit(m *repo.Remote, commit, detached []byte) error
	// VerifySummary checks a summary with the content of summary.sig.
	VerifySummary(m *repo.Remote, summary, sig []byte) error
}

// Stats counts what a pull did.
type Stats struct {
	repo.PullStats
	CachedMetadata, CachedContent int        // objects from Options.LocalCaches
	DeltaParts                    int        // applied
	Delta                         DeltaStats // of all deltas
	Transferred                   uint64     // bytes over the network
	Local                         bool       // the remote is a directory
}

// Pull copies commits from a remote of r, by name, or by URL with a scheme.
func Pull(ctx context.Context, r *repo.Repo, remote string, o Options) (Stats, error) {
	p, err := open(ctx, r, remote, o)
	if err != nil {
		return Stats{}, err
	}
	defer p.close()
	began := time.Now()
	err = p.pull(ctx)
	p.record(began, err)
	return p.stats(), err
}

// open prepares to read from a remote.
func open(ctx context.Context, r *repo.Repo, remote string, o Options) (*puller, error) {
	m, err := findRemote(r, remote, &o)
	if err != nil {
		return nil, err
	}
	if o.URL != "" {
		m.URL, m.Metalink, m.ContentURL = o.URL, "", ""
	}
	switch {
	case m.Unconfigured != "":
		return nil, fmt.Errorf("remote unconfigured-state: %s", m.Unconfigured)
	case m.CustomBackend != "":
		return nil, fmt.Errorf("Cannot fetch via libostree - remote '%s' uses custom backend '%s'", m.Name, m.CustomBackend)
	}
	if err := checkPolicy(m, o.Verify); err != nil {
		return nil, err
	}
	return newPuller(ctx, r, m, o)
}

// findRemote returns the configuration of a remote, or one made up for a URL.
func findRemote(r *repo.Repo, name string, o *Options) (*repo.Remote, error) {
	if !strings.Contains(name, "://") {
		m, err := r.Remote(name)
		if err == nil {
			m.GPGVerify, m.GPGVerifySummary = m.GPGVerify || o.GPGVerify, m.GPGVerifySummary || o.GPGVerifySummary
		}
		return m, err
	}
	if (o.GPGVerify || o.GPGVerifySummary) && o.As == "" {
		return nil, errors.New("Must specify remote name to enable gpg verification")
	}
	m, err := repo.NewRemote(o.As, &keyfile.File{})
	if o.GPGVerify || o.GPGVerifySummary {
		m, err = r.Remote(o.As)
	}
	if err != nil {
		return nil, err
	}
	m.URL, m.Metalink, m.ContentURL, m.Unconfigured, m.CustomBackend = name, "", "", "", ""
	m.GPGVerify, m.GPGVerifySummary, m.SignVerify, m.SignSummary = o.GPGVerify, o.GPGVerifySummary, nil, nil
	return m, nil
}

// checkPolicy refuses remotes whose signatures nobody would check: to go on
// would be to trust what its owner said not to trust.
func checkPolicy(m *repo.Remote, v Verifier) error {
	if v != nil {
		return v.Check(m)
	}
	for _, x := range []struct {
		key string
		on  bool
	}{
		{"gpg-verify", m.GPGVerify},
		{"gpg-verify-summary", m.GPGVerifySummary},
		{"sign-verify", len(m.SignVerify) > 0},
		{"sign-verify-summary", len(m.SignSummary) > 0},
	} {
		if x.on {
			return fmt.Errorf("remote \"%s\" demands signatures (%s), but there is no way to verify them here; set %s=false in the remote's configuration to pull without", m.Name, x.key, x.key)
		}
	}
	return nil
}

func (p *puller) verifiesCommits() bool { return p.m.GPGVerify || len(p.m.SignVerify) > 0 }
func (p *puller) verifiesSummary() bool { return p.m.GPGVerifySummary || len(p.m.SignSummary) > 0 }

func localPath(u string) (string, bool) {
	path, ok := strings.CutPrefix(u, "file://")
	if !ok {
		return "", false
	}
	if p, err := url.PathUnescape(path); err == nil {
		path = p
	}
	return path, true
}

// newClient configures transfers as the remote's configuration says.
func newClient(r *repo.Repo, m *repo.Remote, o *Options) (*fetch.Client, error) {
	fo := fetch.Options{
		UserAgent: strings.TrimSpace("libostree/2026.4 " + o.AppendUserAgent),
		Header:    o.Header, Retries: o.Retries, MaxPerHost: o.workers(), Proxy: m.Proxy, HTTP1: m.HTTP1,
		TLS: fetch.TLSOptions{Insecure: m.NoTLSVerify, CAFile: m.TLSCA, CertFile: m.TLSCert, KeyFile: m.TLSKey},
	}
	if m.Name != "" {
		jar, err := r.Dir().ReadFile(CookieFile(m.Name), maxCookies)
		if err != nil && !notFound(err) {
			return nil, err
		}
		fo.Cookies = fetch.ParseCookies(jar)
	}
	if o.LowSpeedBytes > 0 {
		fo.LowSpeed = int64(o.LowSpeedBytes)
	}
	if o.LowSpeedSeconds > 0 {
		fo.LowSpeedTime = seconds(o.LowSpeedSeconds)
	}
	if _, on := os.LookupEnv("OSTREE_DEBUG_HTTP"); on {
		fo.Trace = os.Stderr
	}
	return fetch.New(fo)
}

func (o *Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return DefaultWorkers
}

// maxMetadata is MaxMetadataSize with its default.
func (o *Options) maxMetadata() int64 {
	if o.MaxMetadataSize <= 0 {
		return ostree.MaxMetadataSize
	}
	return min(o.MaxMetadataSize, ostree.MaxMetadataSize)
}

// CookieFile is the name of the file, in the repository, with the cookies of a remote.
func CookieFile(remote string) string { return remote + ".cookies.txt" }
