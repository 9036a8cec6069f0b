package ostree

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rpmostree/ostree"
	"rpmostree/ostree/pull"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/sign"
)

// pullCmd is the pull command with its options.
type pullCmd struct {
	*env
	options        pull.Options
	headers        []string
	caches         []string
	ignored, noTry bool
	frequency      int
}

func pullCommand() *command {
	c := &command{name: "pull", args: "REMOTE [BRANCH...]", about: "Download data from remote repository", scope: repoScope}
	var p pullCmd
	o := &p.options
	c.flag(&o.CommitMetadataOnly, "commit-metadata-only", 0, "Fetch only the commit metadata")
	c.flag(&o.NoFsync, "disable-fsync", 0, "Do not invoke fsync()")
	c.flag(&o.PerObjectFsync, "per-object-fsync", 0, "Perform writes in such a way that avoids stalling concurrent processes")
	c.flag(&p.ignored, "disable-static-deltas", 0, "Do not use static deltas")
	c.flag(&p.noTry, "disable-retry-on-network-errors", 0, "Do not retry when network issues happen")
	c.flag(&o.Mirror, "mirror", 0, "Write refs suitable for a mirror and fetches all refs if none provided")
	c.list(&o.Subpaths, "subpath", 0, "PATH", "Only pull the provided subpath(s)")
	c.flag(&o.Untrusted, "untrusted", 0, "Verify checksums of local sources (always enabled for HTTP pulls)")
	c.flag(&o.BareUserOnlyFiles, "bareuseronly-files", 0, "Reject regular files with mode outside of 0775 (world writable, suid, etc.)")
	c.int(&o.Depth, "depth", "DEPTH", "Traverse DEPTH parents (-1=infinite) (default: 0)")
	c.str(&o.URL, "url", 0, "URL", "Pull objects from this URL instead of the one from the remote config")
	c.list(&p.headers, "http-header", 0, "NAME=VALUE", "Add NAME=VALUE as HTTP header to all HTTP requests")
	c.int(&p.frequency, "update-frequency", "FREQUENCY", "Sets the update frequency, in milliseconds (0=1000ms) (default: 0)")
	c.int(&o.Retries, "network-retries", "N", "Specifies how many times each download should be retried upon error (default: 5)")
	c.int(&o.LowSpeedBytes, "low-speed-limit-bytes", "N", "The average transfer speed per second of a transfer below which it is aborted (default: 1000)")
	c.int(&o.LowSpeedSeconds, "low-speed-time-seconds", "N", "How long the speed must be below the limit before a transfer is aborted (default: 30)")
	c.int(&o.Workers, "max-outstanding-fetcher-requests", "N", "The maximum number of fetches at once (default: 8)")
	c.list(&p.caches, "localcache-repo", 'L', "REPO", "Add REPO as local cache source for objects during this pull")
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
	o.Refs = refs
	o.Verify = sign.NewVerifier(p.repo)
	if p.noTry {
		o.Retries = -1
	}
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
	start := time.Now()
	stats, err := pull.Pull(p.ctx, p.repo, remote, o)
	if err != nil {
		return err
	}
	p.printStats(stats, time.Since(start))
	return nil
}

// printStats prints the line that ends a pull when it is not shown on a terminal.
func (p *pullCmd) printStats(s pull.Stats, took time.Duration) {
	written := repo.FormatSize(s.ContentBytes)
	if s.Local {
		p.printf("%d metadata, %d content objects imported; %s content written\n", s.Metadata, s.Content, written)
		return
	}
	transferred := fmt.Sprintf("%d B", s.Transferred)
	if s.Transferred > 1024 {
		transferred = fmt.Sprintf("%d KiB", s.Transferred/1024)
	}
	p.printf("%d metadata, %d content objects fetched; %s transferred in %d seconds; %s content written\n",
		s.Metadata, s.Content, transferred, int(took.Seconds()), written)
}
