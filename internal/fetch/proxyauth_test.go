package fetch

import (
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"rpmostree/internal/treetest"
)

// The example of RFC 2617, 3.5.
func TestDigestAnswer(t *testing.T) {
	list := parseChallenges([]string{`Digest realm="testrealm@host.com", qop="auth,auth-int", ` +
		`nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`})
	if len(list) != 1 {
		t.Fatalf("%v", list)
	}
	got := list[0].answer("Mufasa", "Circle Of Life", "GET", "/dir/index.html", "0a4f113b", 1)
	for _, part := range []string{
		`Digest username="Mufasa", realm="testrealm@host.com"`, `response="6629fae49393a05397450978507c4ef1"`, "qop=auth, nc=00000001",
		`opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s has no %s", got, part)
		}
	}
}

func TestParseChallenges(t *testing.T) {
	for in, want := range map[string]string{
		`Basic realm="a b"`: `basic realm=a b`,
		`Basic realm=x, Digest nonce="\"q", realm="y,z"`: `basic realm=x|digest nonce="q realm=y,z`,
		`NTLM, Negotiate`:    `ntlm|negotiate`,
		`Digest`:             `digest`,
		`Digest nonce="open`: `digest`,
		`=x`:                 ``,
		`a=b`:                ``,
		``:                   ``,
	} {
		var got []string
		for _, c := range parseChallenges([]string{in}) {
			s := c.scheme
			for _, k := range []string{"nonce", "realm"} {
				if v, ok := c.params[k]; ok {
					s += " " + k + "=" + v
				}
			}
			got = append(got, s)
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%q: %q, want %q", in, s, want)
		}
	}
}

func FuzzParseChallenges(f *testing.F) {
	f.Add(`Digest realm="x\"y", nonce=a, qop="auth", Basic realm=b`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range parseChallenges([]string{s}) {
			if c.digest() != nil || c.scheme == "basic" {
				c.answer("u", "p", "GET", "/", "c", 1)
			}
		}
	})
}

// A digestProxy forwards, and opens tunnels, for user "u" with password "w" only. A
// nonce is good for a few requests.
type digestProxy struct {
	t     *testing.T
	basic bool // ask for basic
	sha   bool // digests are of SHA-256
	// Numbers of requests by nonce, if all nonces are good, and the numbers need only ascend.
	numbers map[string]string

	mu         sync.Mutex
	nonce      int
	uses       int
	challenges int
	answers    []string // schemes of the accepted credentials
}

func (p *digestProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.allowed(w, r) {
		return
	}
	if r.Method != http.MethodConnect {
		fmt.Fprint(w, "for ", r.URL)
		return
	}
	up, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.t.Error(err)
		return
	}
	io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { io.Copy(up, conn); up.Close() }()
	go func() { io.Copy(conn, up); conn.Close() }()
}

func (p *digestProxy) allowed(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := r.Header.Get("Proxy-Authorization")
	scheme, params, _ := strings.Cut(answer, " ")
	if scheme == "Basic" && p.basic && params == "dTp3" || scheme == "Digest" && p.good(r, params) {
		p.answers = append(p.answers, scheme)
		return true
	}
	p.challenges++
	if p.basic {
		w.Header().Add("Proxy-Authenticate", `Basic realm="r"`)
	} else {
		p.nonce, p.uses = p.nonce+1, 0
		if p.numbers != nil {
			p.numbers[fmt.Sprintf("n%d", p.nonce)] = "00000000"
		}
		w.Header().Add("Proxy-Authenticate", fmt.Sprintf(`Digest realm="r", nonce="n%d", qop="auth", stale=%v, algorithm=%s`,
			p.nonce, answer != "", map[bool]string{false: "MD5", true: "SHA-256"}[p.sha]))
	}
	w.WriteHeader(http.StatusProxyAuthRequired)
	return false
}

// good computes the response in its own way (RFC 7616, 3.4.1).
func (p *digestProxy) good(r *http.Request, params string) bool {
	v := map[string]string{}
	for _, kv := range strings.Split(params, ", ") {
		k, value, _ := strings.Cut(kv, "=")
		v[k] = strings.Trim(value, `"`)
	}
	h := func(s string) string {
		if p.sha {
			return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))
		}
		return fmt.Sprintf("%x", md5.Sum([]byte(s)))
	}
	want := h(h("u:r:w") + ":" + v["nonce"] + ":" + v["nc"] + ":" + v["cnonce"] + ":auth:" + h(r.Method+":"+v["uri"]))
	if p.numbers != nil {
		last, ok := p.numbers[v["nonce"]]
		p.numbers[v["nonce"]] = max(last, v["nc"])
		return ok && v["response"] == want && v["nc"] > last && v["nc"] < "00000006"
	}
	p.uses++
	return v["response"] == want && v["nonce"] == fmt.Sprintf("n%d", p.nonce) && v["nc"] == fmt.Sprintf("%08x", p.uses) && p.uses <= 3 &&
		strings.HasSuffix(r.RequestURI, v["uri"])
}

func TestProxyAuth(t *testing.T) {
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secret") }))
	defer target.Close()
	for _, tt := range []struct {
		name       string
		basic, sha bool
		method     ProxyAuth
		password   string
		ok         bool
		challenges int
		scheme     string
	}{
		{"digest", false, false, ProxyDigest, "w", true, 3, "Digest"}, // 8 requests, 3 with a nonce
		{"digest of SHA-256", false, true, ProxyDigest, "w", true, 3, "Digest"},
		{"any that is digest", false, false, ProxyAny, "w", true, 3, "Digest"},
		{"any that is basic", true, false, ProxyAny, "w", true, 1, "Basic"},
		{"basic unasked", true, false, ProxyBasic, "w", true, 0, "Basic"},
		{"digest where there is none", true, false, ProxyDigest, "w", false, 1, ""},
		{"wrong password", false, false, ProxyDigest, "x", false, 2, ""},
		{"none", true, false, ProxyNone, "w", false, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &digestProxy{t: t, basic: tt.basic, sha: tt.sha}
			s := httptest.NewServer(p)
			defer s.Close()
			o := Options{Proxy: s.URL, ProxyUsername: "u", ProxyPassword: tt.password, ProxyAuth: tt.method, Retries: -1, TLS: TLSOptions{Insecure: true}}
			for i := range 2 {
				if i == 1 { // the same with the names in the URL
					o.Proxy = strings.Replace(s.URL, "//", "//u:"+tt.password+"@", 1)
					o.ProxyUsername, o.ProxyPassword = "", ""
				}
				p.challenges, p.answers = 0, nil
				c := testClient(t, o)
				urls := []string{"http://example.invalid/x?y=1", target.URL}
				for range 3 {
					urls = append(urls, urls[:2]...)
				}
				for _, u := range urls {
					got, _, err := c.Bytes(t.Context(), Request{URL: u})
					want := "for " + u
					if u == target.URL {
						want = "secret"
						c.Close() // so that the next one needs a new tunnel
					}
					if (err == nil) != tt.ok || tt.ok && string(got) != want {
						t.Errorf("%s: %q, %v", u, got, err)
					}
					if !tt.ok {
						break
					}
				}
				for _, a := range p.answers {
					if a != tt.scheme {
						t.Errorf("authenticated by %s", a)
					}
				}
				if p.challenges != tt.challenges {
					t.Errorf("%d challenges, want %d", p.challenges, tt.challenges)
				}
			}
		})
	}
	for _, method := range []ProxyAuth{"ntlm", "negotiate", "x"} {
		if _, err := New(Options{Proxy: "http://p", ProxyAuth: method}); err == nil || !strings.Contains(err.Error(), string(method)) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// Requests that overtake each other are refused by a proxy, but each in the end is not.
func TestProxyAuthParallel(t *testing.T) {
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secret") }))
	defer target.Close()
	s := httptest.NewServer(&digestProxy{t: t, numbers: map[string]string{}})
	defer s.Close()
	const clients = 8
	for _, u := range []string{"http://example.invalid/x", target.URL} {
		c := testClient(t, Options{Proxy: s.URL, ProxyUsername: "u", ProxyPassword: "w", ProxyAuth: ProxyDigest, Retries: -1,
			MaxPerHost: clients, TLS: TLSOptions{Insecure: true}})
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for range 10 {
					if _, _, err := c.Bytes(t.Context(), Request{URL: u}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// The digest is of the URL as it is sent: without the user, whom the proxy would learn, too.
func TestProxyDigestURI(t *testing.T) {
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got = r.Header.Get(headerAnswer); got == "" {
			w.Header().Set(headerChallenge, `Digest realm="r", nonce="n"`)
			w.WriteHeader(http.StatusProxyAuthRequired)
		}
		fmt.Fprint(w, r.RequestURI)
	}))
	defer s.Close()
	c := testClient(t, Options{Proxy: s.URL, ProxyUsername: "u", ProxyPassword: "w", ProxyAuth: ProxyDigest, Retries: -1})
	for _, u := range []string{"http://me:secret@example.invalid/x", "http://example.invalid", "http://example.invalid:81/a%20b?c=%22#d"} {
		asked, _, err := c.Bytes(t.Context(), Request{URL: u})
		if err != nil || !strings.Contains(got, `uri="`+string(asked)+`"`) || strings.Contains(got, "secret") {
			t.Errorf("%s: the proxy is asked for %s with %s, %v", u, asked, got, err)
		}
	}
}

// curl talks to the proxy of these tests, so that they do not only agree with us.
func TestProxyAgainstCurl(t *testing.T) {
	curl := treetest.Oracle(t, "curl")
	for _, sha := range []bool{false, true} {
		s := httptest.NewServer(&digestProxy{t: t, sha: sha})
		defer s.Close()
		out, err := exec.Command(curl, "-sS", "--proxy-anyauth", "--proxy-user", "u:w", "--proxy", s.URL, "http://example.invalid/x").CombinedOutput()
		if string(out) != "for http://example.invalid/x" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
	}
}
