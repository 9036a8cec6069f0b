package fetch

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// Defaults and limits of a Client.
const (
	// DefaultRetries is how often a failed transfer is tried again (libostree).
	DefaultRetries = 5
	// DefaultMaxPerHost is how many transfers run at once against one host.
	DefaultMaxPerHost = 8
	// DefaultBackoff is the wait before the first retry; it doubles each time.
	DefaultBackoff = 200 * time.Millisecond
	// MaxBackoff bounds the wait before a retry, also the one a server asks
	// for with Retry-After.
	MaxBackoff = 30 * time.Second
	// DefaultConnectTimeout bounds name lookup, connect and TLS handshake (librepo).
	DefaultConnectTimeout = 30 * time.Second
	// DefaultLowSpeed is the rate in bytes a second below which a transfer
	// counts as stuck (librepo).
	DefaultLowSpeed = 1000
	// DefaultLowSpeedTime is how long a transfer may be stuck (librepo).
	DefaultLowSpeedTime = 30 * time.Second
	// DefaultMaxSize bounds a file whose size is not known, in bytes.
	DefaultMaxSize = 16 << 30
	// MaxBytes bounds what Bytes reads into memory.
	MaxBytes = 256 << 20
	// MaxRedirects is how many redirects of one request are followed.
	MaxRedirects = 10
	// MaxResumes is how often one transfer may break and be continued, if each
	// time at least some bytes arrived.
	MaxResumes = 100
)

// Options tell how a Client connects. The zero value is right for public
// servers: proxies are taken from the environment (HTTPS_PROXY and so on), TLS
// is verified against the system's certificates.
type Options struct {
	UserAgent  string        // default "rpm-ostree"
	Header     http.Header   // added to every request
	Username   string        // for HTTP basic authentication, if not empty
	Password   string        //
	Retries    int           // default DefaultRetries; negative means none
	Backoff    time.Duration // default DefaultBackoff
	MaxPerHost int           // default DefaultMaxPerHost

	ConnectTimeout time.Duration // default DefaultConnectTimeout
	LowSpeed       int64         // bytes a second, default DefaultLowSpeed; negative means no limit
	LowSpeedTime   time.Duration // default DefaultLowSpeedTime
	MaxRate        int64         // bytes a second of all transfers together; 0 means no limit

	// Proxy is the proxy's URL; "" means that of the environment, "_none_" none.
	Proxy         string
	ProxyUsername string
	ProxyPassword string
	ProxyAuth     ProxyAuth  // "" means ProxyBasic
	ProxyTLS      TLSOptions // of a proxy whose URL is of https

	TLS TLSOptions
	// Cookies are sent to the servers they are for; new ones are kept as long as
	// the Client.
	Cookies []Cookie
	// IPVersion is 4 or 6 to use only addresses of that family.
	IPVersion int
	// HTTP1 switches HTTP/2 off.
	HTTP1 bool
	// Trace receives the heads of requests and responses, one write each; nil means
	// that nothing is written.
	Trace io.Writer
}

// TLSOptions tell how servers are verified and which certificate is shown to
// them. The files are read by New.
type TLSOptions struct {
	Insecure bool   // do not verify the server
	Status   bool   // the server must prove by a stapled OCSP response that its certificate is good
	CAFile   string // PEM file of authorities, in place of the system's
	CertFile string // PEM client certificate
	KeyFile  string // PEM key of CertFile; "" if CertFile holds it, too
}

// A Client fetches files. It is safe for concurrent use and should be shared,
// because it keeps connections and counts transfers per host.
type Client struct {
	opts Options
	http *http.Client
	rate *limiter // nil if there is no limit

	mu    sync.Mutex
	hosts map[string]chan struct{}
}

// New returns a Client. It fails if a TLS file or the proxy is unusable.
func New(opts Options) (*Client, error) {
	opts.setDefaults()
	if err := opts.ProxyAuth.check(); err != nil {
		return nil, err
	}
	transport, err := newTransport(&opts)
	if err != nil {
		return nil, err
	}
	var rt http.RoundTripper = transport
	if transport.Proxy != nil && opts.ProxyUsername != "" && opts.ProxyAuth.asked() {
		rt = newProxyAuth(transport, &opts)
	}
	if opts.Trace != nil {
		rt = tracer{rt, new(sync.Mutex), opts.Trace}
	}
	jar, err := newJar(opts.Cookies)
	if err != nil {
		return nil, err
	}
	return &Client{
		opts:  opts,
		http:  &http.Client{Transport: rt, CheckRedirect: checkRedirect, Jar: jar},
		hosts: map[string]chan struct{}{},
		rate:  newLimiter(opts.MaxRate),
	}, nil
}

// Close drops idle connections. Running transfers are not touched.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (o *Options) setDefaults() {
	setDefault(&o.UserAgent, "rpm-ostree")
	setDefault(&o.Retries, DefaultRetries)
	o.Retries = max(o.Retries, 0)
	setDefault(&o.Backoff, DefaultBackoff)
	setDefault(&o.MaxPerHost, DefaultMaxPerHost)
	setDefault(&o.ConnectTimeout, DefaultConnectTimeout)
	setDefault(&o.LowSpeed, DefaultLowSpeed)
	setDefault(&o.LowSpeedTime, DefaultLowSpeedTime)
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// slot returns the semaphore that counts the transfers of a host.
func (c *Client) slot(host string) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.hosts[host]
	if s == nil {
		s = make(chan struct{}, max(c.opts.MaxPerHost, 1))
		c.hosts[host] = s
	}
	return s
}
