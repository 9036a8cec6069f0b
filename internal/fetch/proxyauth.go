package fetch

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// A ProxyAuth is how a proxy is told who asks, by curl's name.
type ProxyAuth string

// Ways of authentication.
const (
	ProxyBasic  ProxyAuth = "basic" // with every request, asked or not; the default
	ProxyDigest ProxyAuth = "digest"
	ProxyAny    ProxyAuth = "any" // what the proxy asks for: digest rather than basic
	ProxyNone   ProxyAuth = "none"
)

// check returns an error for a way that is not known.
func (a ProxyAuth) check() error {
	switch a {
	case "", ProxyBasic, ProxyDigest, ProxyAny, ProxyNone:
		return nil
	}
	return fmt.Errorf("proxy authentication by %q is not supported; use basic or digest", string(a))
}

// asked reports whether the proxy has to ask first.
func (a ProxyAuth) asked() bool { return a == ProxyDigest || a == ProxyAny }

const (
	headerChallenge = "Proxy-Authenticate"
	headerAnswer    = "Proxy-Authorization"
)

// errChallenged tells that a proxy wants to know who asks before it opens a tunnel.
var errChallenged = errors.New("proxy authentication required")

// A proxyAuth answers a proxy's challenge and tries again. It remembers the last
// challenge that was answered well, so that only the first request, and one with a nonce
// that has become too old, is sent twice.
type proxyAuth struct {
	next               *http.Transport
	proxy              proxyOf
	method             ProxyAuth
	username, password string

	mu   sync.Mutex
	last *challenge
}

// An exchange is what a proxy has asked of one request, which alone answers it: a proxy
// may want the numbers of requests with a nonce to ascend, and others could be faster.
type exchange struct {
	own *challenge // nil until the proxy has asked
}

// exchangeKey is that of an *exchange in the context of a request.
type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return new(exchange)
}

// newProxyAuth puts authentication before a transport.
func newProxyAuth(t *http.Transport, o *Options) *proxyAuth {
	a := &proxyAuth{next: t, proxy: t.Proxy, method: o.ProxyAuth, username: o.ProxyUsername, password: o.ProxyPassword}
	t.GetProxyConnectHeader = func(ctx context.Context, _ *url.URL, target string) (http.Header, error) {
		h := http.Header{}
		if v := a.answer(exchangeOf(ctx), http.MethodConnect, target); v != "" {
			h.Set(headerAnswer, v)
		}
		return h, nil
	}
	t.OnProxyConnectResponse = func(ctx context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if a.learn(exchangeOf(ctx), resp) {
			return errChallenged
		}
		return nil
	}
	return a
}

// RoundTrip sends a request, once more if the proxy asks who sends it.
func (a *proxyAuth) RoundTrip(req *http.Request) (*http.Response, error) {
	x := new(exchange)
	req = req.WithContext(context.WithValue(req.Context(), exchangeKey{}, x))
	for again := false; ; again = true {
		r := req
		plain := false // not through a tunnel
		if u, err := a.proxy(req); err != nil {
			return nil, err
		} else if plain = u != nil && req.URL.Scheme == "http"; plain {
			if v := a.answer(x, req.Method, target(req)); v != "" {
				r = req.Clone(req.Context())
				r.Header.Set(headerAnswer, v)
			}
		}
		resp, err := a.next.RoundTrip(r)
		challenged := errors.Is(err, errChallenged) || err == nil && plain && a.learn(x, resp)
		if !challenged || again || req.Body != nil && req.Body != http.NoBody {
			return resp, err
		}
		if err == nil {
			drain(resp.Body)
			resp.Body.Close()
		}
	}
}

// target returns what is asked of a proxy (RFC 9112, 3.2.2), which has no user, unlike the
// URL: the digest is of it, and its text is sent.
func target(req *http.Request) string {
	return req.URL.Scheme + "://" + cmp.Or(req.Host, req.URL.Host) + req.URL.RequestURI()
}

// CloseIdleConnections is for http.Client.
func (a *proxyAuth) CloseIdleConnections() { a.next.CloseIdleConnections() }

// learn reads a proxy's answer to a request. It reports whether that is a challenge that can
// be answered.
func (a *proxyAuth) learn(x *exchange, resp *http.Response) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if resp.StatusCode != http.StatusProxyAuthRequired {
		if x.own != nil {
			a.last = x.own
		}
		return false
	}
	var best *challenge
	for _, c := range parseChallenges(resp.Header.Values(headerChallenge)) {
		usable := c.digest() != nil || c.scheme == "basic" && a.method == ProxyAny
		if usable && (best == nil || c.rank() > best.rank()) {
			best = &c
		}
	}
	x.own = best
	return best != nil
}

// answer returns the value of Proxy-Authorization, "" before the first challenge.
func (a *proxyAuth) answer(x *exchange, method, uri string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := cmp.Or(x.own, a.last)
	if c == nil {
		return ""
	}
	c.count++
	return c.answer(a.username, a.password, method, uri, rand.Text(), c.count)
}

// A challenge is what a server asks for (RFC 7235, 7616).
type challenge struct {
	scheme string            // in lower case
	params map[string]string // by name, in lower case
	count  uint32            // requests with it
}

// rank orders challenges by what is to be preferred.
func (c *challenge) rank() int {
	switch {
	case c.scheme != "digest":
		return 0
	case strings.HasPrefix(strings.ToUpper(c.params["algorithm"]), "SHA-256"):
		return 2
	}
	return 1
}

// digest returns the hash of a digest challenge, nil if there is no answer to it.
func (c *challenge) digest() func() hash.Hash {
	if c.scheme != "digest" || c.params["qop"] != "" && !c.quality() {
		return nil
	}
	switch strings.TrimSuffix(strings.ToUpper(c.params["algorithm"]), "-SESS") {
	case "", "MD5":
		return md5.New
	case "SHA-256":
		return sha256.New
	}
	return nil
}

// quality reports whether the protection "auth" is offered: that of the request
// without its body.
func (c *challenge) quality() bool {
	for q := range strings.SplitSeq(c.params["qop"], ",") {
		if strings.EqualFold(strings.TrimSpace(q), "auth") {
			return true
		}
	}
	return false
}

// answer returns the credentials for a request, the count-th since the challenge.
func (c *challenge) answer(username, password, method, uri, cnonce string, count uint32) string {
	if c.scheme == "basic" {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(username, password)
		return r.Header.Get("Authorization")
	}
	algorithm := c.digest()
	sum := func(parts ...string) string {
		h := algorithm()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	realm, nonce, nc := c.params["realm"], c.params["nonce"], fmt.Sprintf("%08x", count)
	secret := sum(username, realm, password)
	if strings.HasSuffix(strings.ToUpper(c.params["algorithm"]), "-SESS") {
		secret = sum(secret, nonce, cnonce)
	}
	request := sum(method, uri)
	response := sum(secret, nonce, request)
	if c.quality() {
		response = sum(secret, nonce, nc, cnonce, "auth", request)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Digest username=%s, realm=%s, nonce=%s, uri=%s, response=\"%s\"", quote(username), quote(realm), quote(nonce), quote(uri), response)
	if v := c.params["algorithm"]; v != "" {
		b.WriteString(", algorithm=" + v)
	}
	if v, ok := c.params["opaque"]; ok {
		b.WriteString(", opaque=" + quote(v))
	}
	if c.quality() {
		fmt.Fprintf(&b, ", qop=auth, nc=%s, cnonce=%s", nc, quote(cnonce))
	}
	return b.String()
}

func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// parseChallenges reads the values of headers, each of which may have several
// challenges. What is malformed is left out.
func parseChallenges(values []string) []challenge {
	var out []challenge
	for _, v := range values {
		for v = strings.TrimLeft(v, ", \t"); v != ""; v = strings.TrimLeft(v, ", \t") {
			word := v[:len(v)-len(strings.TrimLeft(v, tokenLetters))]
			if word == "" {
				break
			}
			v = strings.TrimLeft(v[len(word):], " \t")
			rest, isParam := strings.CutPrefix(v, "=")
			if !isParam {
				out = append(out, challenge{scheme: strings.ToLower(word), params: map[string]string{}})
				continue
			}
			value, rest, ok := paramValue(strings.TrimLeft(rest, " \t"))
			if !ok || len(out) == 0 {
				break
			}
			out[len(out)-1].params[strings.ToLower(word)], v = value, rest
		}
	}
	return out
}

// tokenLetters are what a token consists of (RFC 9110, 5.6.2).
const tokenLetters = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// paramValue cuts a token or a quoted string off.
func paramValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		rest = strings.TrimLeft(s, tokenLetters)
		return s[:len(s)-len(rest)], rest, len(rest) < len(s)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
