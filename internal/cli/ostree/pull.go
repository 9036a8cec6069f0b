package ostree

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rpmostree/internal/journal"
	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
)

// pullCmd is the pull command with its options.
type pullCmd struct {
	*env
	options   pull.Options
	headers   []string
	caches    []string
	noRetries bool
	frequency int
	// negative if not given
	retries, lowSpeed, lowSpeedTime, workers int
}

func pullCommand() *command {
	c := &command{name: "pull", args: "REMOTE [BRANCH...]", about: "Download data from remote repository", scope: repoScope}
	p := pullCmd{retries: -1, lowSpeed: -1, lowSpeedTime: -1, workers: -1}
	o := &p.options
	c.flag(&o.CommitMetadataOnly, "commit-metadata-only", 0, "Fetch only the commit metadata")
	c.file(&o.CacheDir, "cache-dir", 0, "PATH", "Use custom cache dir")
	c.flag(&o.NoFsync, "disable-fsync", 0, "Do not invoke fsync()")
	c.flag(&o.PerObjectFsync, "per-object-fsync", 0, "Perform writes in such a way that avoids stalling concurrent processes")
	c.flag(&o.DisableDeltas, "disable-static-deltas", 0, "Do not use static deltas")
	c.flag(&o.RequireDeltas, "require-static-deltas", 0, "Require static deltas")
	c.flag(&p.noRetries, "disable-retry-on-network-errors", 0, "Do not retry when network issues happen")
	c.flag(&o.Mirror, "mirror", 0, "Write refs suitable for a mirror and fetches all refs if none provided")
	c.files(&o.Subpaths, "subpath", 0, "PATH", "Only pull the provided subpath(s)")
	c.flag(&o.Untrusted, "untrusted", 0, "Verify checksums of local sources (always enabled for HTTP pulls)")
	c.flag(&o.HTTPTrusted, "http-trusted", 0, "Do not verify checksums of HTTP sources (mostly useful when mirroring)")
	c.flag(&o.BareUserOnlyFiles, "bareuseronly-files", 0, "Reject regular files with mode outside of 0775 (world writable, suid, etc.)")
	c.flag(&o.DryRun, "dry-run", 0, "Only print information on what will be downloaded (requires static deltas)")
	c.int(&o.Depth, "depth", "DEPTH", "Traverse DEPTH parents (-1=infinite) (default: 0)")
	c.str(&o.URL, "url", 0, "URL", "Pull objects from this URL instead of the one from the remote config")
	c.list(&p.headers, "http-header", 0, "NAME=VALUE", "Add NAME=VALUE as HTTP header to all HTTP requests")
	c.int(&p.frequency, "update-frequency", "FREQUENCY", "Sets the update frequency, in milliseconds (0=1000ms) (default: 0)")
	c.int(&p.retries, "network-retries", "N", "Specifies how many times each download should be retried upon error (default: 5)")
	c.int(&p.lowSpeed, "low-speed-limit-bytes", "N", "The average transfer speed per second of a transfer below which it is aborted (default: 1000)")
	c.int(&p.lowSpeedTime, "low-speed-time-seconds", "N", "How long the speed must be below the limit before a transfer is aborted (default: 30)")
	c.int(&p.workers, "max-outstanding-fetcher-requests", "N", "The maximum number of fetches at once (default: 8)")
	c.files(&p.caches, "localcache-repo", 'L', "REPO", "Add REPO as local cache source for objects during this pull")
	c.flag(&o.TimestampCheck, "timestamp-check", 'T', "Require fetched commits to have newer timestamps")
	c.str(&o.TimestampCheckFrom, "timestamp-check-from-rev", 0, "REV", "Require fetched commits to have newer timestamps than given rev")
	c.flag(&o.NoVerifyBindings, "disable-verify-bindings", 0, "Do not verify commit bindings")
	c.str(&o.AppendUserAgent, "append-user-agent", 0, "TEXT", "Append string to user agent")
	c.hide()
	c.run = func(e *env) error {
		p.env = e
		if len(e.args) == 0 {
			return usagef("REMOTE must be specified")
		}
		remote, refs := e.args[0], e.args[1:]
		if strings.Contains(remote, ":") && !strings.Contains(remote, "://") {
			var ref string
			var err error
			if remote, ref, err = ostree.ParseRefspec(remote); err != nil {
				return err
			}
			refs = append([]string{ref}, refs...)
		}
		return p.run(remote, refs)
	}
	return c
}

func (p *pullCmd) run(remote string, refs []string) error {
	if err := p.writable(); err != nil {
		return err
	}
	o := p.options
	switch {
	case o.DryRun && !o.RequireDeltas:
		return errors.New("--dry-run requires --require-static-deltas")
	case o.DisableDeltas && o.RequireDeltas:
		return errors.New("Cannot specify both --disable-static-deltas and --require-static-deltas")
	case p.noRetries || p.retries == 0:
		o.Retries = -1
	case p.retries > 0:
		o.Retries = p.retries
	}
	o.LowSpeedBytes, o.LowSpeedSeconds = max(p.lowSpeed, 0), max(p.lowSpeedTime, 0)
	o.Workers = max(p.workers, 0)
	o.Refs = refs
	verifier := sign.NewVerifier(p.repo)
	o.Verify = verifier
	for _, h := range p.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok {
			return errors.New("Missing '=' in --http-header")
		}
		if o.Header == nil {
			o.Header = http.Header{}
		}
		o.Header.Add(name, value)
	}
	for _, path := range p.caches {
		cache, err := repo.Open(path)
		if err != nil {
			return err
		}
		defer cache.Close()
		o.LocalCaches = append(o.LocalCaches, cache)
	}
	return p.pull(remote, o, verifier, time.Duration(p.frequency)*time.Millisecond)
}

// pull pulls and prints what was done. A terminal shows every now and then what it is at.
func (e *env) pull(remote string, o pull.Options, verifier *sign.Verifier, every time.Duration) error {
	start := time.Now()
	o.Journal = journal.Socket
	c := e.console()
	defer c.end()
	c.every = max(c.every, every)
	if !o.DryRun {
		c.watch(&o, verifier)
	}
	stats, err := pull.Pull(e.ctx, e.repo, remote, o)
	if err != nil {
		return err
	}
	if o.DryRun {
		d := stats.Delta
		e.printf("Delta update: %d/%d parts, %s/%s, %s total uncompressed\n", d.HaveParts, d.Parts,
			repo.FormatSize(d.HaveSize), repo.FormatSize(d.Size), repo.FormatSize(d.USize))
		return nil
	}
	status := pullStatus(stats, time.Since(start))
	if e.terminal {
		c.text(status, true)
	} else {
		e.printf("%s\n", status)
	}
	return nil
}

// pullStatus is the line that ends a pull.
func pullStatus(s pull.Stats, took time.Duration) string {
	var b strings.Builder
	switch {
	case s.Local:
		fmt.Fprintf(&b, "%d metadata, %d content objects imported", s.Metadata, s.Content)
	case s.DeltaParts > 0:
		fmt.Fprintf(&b, "%d delta parts, %d loose fetched", s.DeltaParts, s.Metadata+s.Content)
	default:
		fmt.Fprintf(&b, "%d metadata, %d content objects fetched", s.Metadata, s.Content)
	}
	if s.CachedMetadata > 0 || s.CachedContent > 0 {
		fmt.Fprintf(&b, " (%d meta, %d content local)", s.CachedMetadata, s.CachedContent)
	}
	if s.Transferred > 0 {
		n, unit := s.Transferred, "B"
		if n >= 1024 {
			n, unit = n/1024, "KiB"
		}
		fmt.Fprintf(&b, "; %d %s transferred in %d seconds", n, unit, int(took.Seconds()))
	}
	fmt.Fprintf(&b, "; %s content written", repo.FormatSize(s.ContentBytes))
	return b.String()
}
