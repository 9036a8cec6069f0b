package download

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// fastestmirror orders mirrors by how long it takes to connect (librepo).
const (
	fastestTimeout = 2 * time.Second
	fastestExpire  = 30 * 24 * time.Hour
	fastestName    = "fastestmirror"
	maxFastest     = 4096 // mirrors that are remembered
)

// A probe is how long it took to connect to a host, and when that was.
type probe struct {
	took time.Duration // negative if it failed
	at   time.Time
}

// fastest returns base URLs in the order of their hosts' speed; those that do not
// answer come last. What is known stays so for a month.
func (d *Downloader) fastest(ctx context.Context, bases []string) []string {
	name := filepath.Join(d.opts.CacheDir, fastestName)
	now := d.opts.Now()
	known := readProbes(name, now)
	var mu sync.Mutex
	var wg sync.WaitGroup
	asked := map[string]bool{}
	for _, base := range bases {
		host := hostPort(base)
		if _, ok := known[host]; ok || host == "" || asked[host] {
			continue
		}
		asked[host] = true
		wg.Go(func() {
			took := connectTime(ctx, host)
			mu.Lock()
			defer mu.Unlock()
			known[host] = probe{took, now}
		})
	}
	wg.Wait()
	if len(asked) > 0 && ctx.Err() == nil {
		_ = writeProbes(name, known) // without it the next time takes longer
	}
	out := slices.Clone(bases)
	slices.SortStableFunc(out, func(a, b string) int {
		return cmp.Compare(rank(known, a), rank(known, b))
	})
	return out
}

func rank(known map[string]probe, base string) time.Duration {
	host := hostPort(base)
	switch p := known[host]; {
	case host == "": // a file
		return 0
	case p.took < 0:
		return fastestTimeout
	default:
		return p.took
	}
}

// hostPort returns where to connect to for a URL, "" if it is that of a file.
func hostPort(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}

func connectTime(ctx context.Context, host string) time.Duration {
	start := time.Now()
	conn, err := (&net.Dialer{Timeout: fastestTimeout}).DialContext(ctx, "tcp", host)
	if err != nil {
		return -1
	}
	conn.Close()
	return time.Since(start)
}

// readProbes reads lines of host, nanoseconds and time. What is malformed is ignored.
func readProbes(name string, now time.Time) map[string]probe {
	out := map[string]probe{}
	b, err := os.ReadFile(name)
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(b)) {
		var host string
		var took, at int64
		if _, err := fmt.Sscan(line, &host, &took, &at); err != nil || len(out) >= maxFastest {
			continue
		}
		if age := now.Sub(time.Unix(at, 0)); age >= 0 && age < fastestExpire {
			out[host] = probe{time.Duration(took), time.Unix(at, 0)}
		}
	}
	return out
}

func writeProbes(name string, known map[string]probe) error {
	var b []byte
	for host, p := range known {
		b = fmt.Appendf(b, "%s %d %d\n", host, p.took, p.at.Unix())
	}
	return replaceFile(name, b)
}
