package pull

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rpmostree/internal/treetest"
	"rpmostree/ostree/repo"
)

// traffic is what a server sees of its clients.
type traffic struct {
	mu          sync.Mutex
	protocols   map[string]int
	connections int
	now, most   int // requests at once
	hosts       map[string]int
}

func (s *traffic) wrap(h http.Handler) http.Handler {
	s.protocols, s.hosts = map[string]int{}, map[string]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.protocols[r.Proto]++
		s.hosts[r.Host]++
		s.now++
		s.most = max(s.most, s.now)
		s.mu.Unlock()
		h.ServeHTTP(w, r)
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	})
}

func (s *traffic) connection(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		s.mu.Lock()
		s.connections++
		s.mu.Unlock()
	}
}

// together lets the first n requests for files wait for each other.
func together(n int, h http.Handler) http.Handler {
	var mu sync.Mutex
	all := make(chan struct{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".filez") {
			mu.Lock()
			if n--; n == 0 {
				close(all)
			}
			mu.Unlock()
			select {
			case <-all:
			case <-r.Context().Done():
			}
		}
		h.ServeHTTP(w, r)
	})
}

// manyFiles has more files than are fetched at once.
var manyFiles = treetest.Options{Seed: 3, Files: 40, MaxSize: 2 << 10}

// pullX pulls branch x into a new repository.
func pullX(t *testing.T, url string, o Options, keys ...[2]string) error {
	t.Helper()
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url, keys...)
	o.Refs = []string{"x"}
	_, err := Pull(t.Context(), r, "origin", o)
	if err == nil {
		fsckClean(t, r)
	}
	return err
}

// credentials are the files of an authority, and of a certificate that it has issued.
type credentials struct{ ca, cert, key string }

func newCredentials(t *testing.T, name string) credentials {
	t.Helper()
	dir := t.TempDir()
	c := credentials{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	template := func(name string, ca bool) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: ca, BasicConstraintsValid: true,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
	}
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	write := func(file, kind string, der []byte, err error) {
		if err == nil {
			err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, key := newKey(), newKey()
	authority := template(name+" authority", true)
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, caKey.Public(), caKey)
	write(c.ca, "CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, template(name, false), authority, key.Public(), caKey)
	write(c.cert, "CERTIFICATE", der, err)
	der, err = x509.MarshalPKCS8PrivateKey(key)
	write(c.key, "PRIVATE KEY", der, err)
	return c
}

// serveTLS serves with a certificate. Clients must have one of the authority clients, if
// that is not "".
func serveTLS(t *testing.T, h http.Handler, c credentials, clients string, s *traffic) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s.wrap(h))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are refused on purpose
	server.Config.ConnState = s.connection
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != "" {
		text, err := os.ReadFile(clients)
		if err != nil {
			t.Fatal(err)
		}
		server.TLS.ClientCAs, server.TLS.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		server.TLS.ClientCAs.AppendCertsFromPEM(text)
		// Of TLS 1.3 the client is done before it is refused, and may see a reset only.
		server.TLS.MaxVersion = tls.VersionTLS12
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// TestHTTP2 fetches many files at once, over one connection unless it is switched off.
func TestHTTP2(t *testing.T) {
	src, _, _, _ := serveTree(t, manyFiles, nil)
	files := http.FileServer(http.Dir(src.Path()))
	c := newCredentials(t, "server")
	for _, tt := range []struct {
		http2, want string
	}{{"", "HTTP/2.0"}, {"true", "HTTP/2.0"}, {"false", "HTTP/1.1"}} {
		var s traffic
		url := serveTLS(t, together(6, files), c, "", &s)
		keys := [][2]string{{"tls-ca-path", c.ca}}
		if tt.http2 != "" {
			keys = append(keys, [2]string{"http2", tt.http2})
		}
		if err := pullX(t, url, Options{}, keys...); err != nil {
			t.Errorf("http2=%s: %v", tt.http2, err)
		}
		s.mu.Lock()
		if len(s.protocols) != 1 || s.protocols[tt.want] < 40 {
			t.Errorf("http2=%s: %v, want %s only", tt.http2, s.protocols, tt.want)
		}
		if one := s.connections == 1; one != (tt.want == "HTTP/2.0") || s.most < 6 || s.most > DefaultWorkers {
			t.Errorf("http2=%s: %d connections, %d requests at once", tt.http2, s.connections, s.most)
		}
		s.mu.Unlock()
	}
}

// TestTLS tries what a remote can say about certificates.
func TestTLS(t *testing.T) {
	src, _, _, _ := serveTree(t, small, nil)
	files := http.FileServer(http.Dir(src.Path()))
	server, client, stranger := newCredentials(t, "server"), newCredentials(t, "client"), newCredentials(t, "stranger")
	var s traffic
	open, closed := serveTLS(t, files, server, "", &s), serveTLS(t, files, server, client.ca, &s)
	cert := func(c credentials) [][2]string {
		return [][2]string{{"tls-ca-path", server.ca}, {"tls-client-cert-path", c.cert}, {"tls-client-key-path", c.key}}
	}
	for _, tt := range []struct {
		name, url string
		keys      [][2]string
		want      string
	}{
		{"nobody knows the server", open, nil, "unknown authority"},
		{"its authority is known", open, [][2]string{{"tls-ca-path", server.ca}}, ""},
		{"another authority", open, [][2]string{{"tls-ca-path", client.ca}}, "unknown authority"},
		{"no authorities", open, [][2]string{{"tls-ca-path", "/nonexistent"}}, "no such file"},
		{"a key as an authority", open, [][2]string{{"tls-ca-path", server.key}}, "no certificates found"},
		{"permissive", open, [][2]string{{"tls-permissive", "true"}}, ""},
		{"not permissive", open, [][2]string{{"tls-permissive", "false"}}, "unknown authority"},
		{"without a certificate", closed, [][2]string{{"tls-ca-path", server.ca}}, "remote error: tls"},
		{"with a certificate", closed, cert(client), ""},
		{"permissive, with a certificate", closed, append(cert(client)[1:], [2]string{"tls-permissive", "true"}), ""},
		{"with that of another authority", closed, cert(stranger), "remote error: tls"},
		{"with a key that does not fit", closed, cert(credentials{cert: client.cert, key: stranger.key}), "client certificate"},
		{"with no file", closed, cert(credentials{cert: "/nonexistent", key: client.key}), "no such file"},
	} {
		err := pullX(t, tt.url, Options{Retries: -1}, tt.keys...)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	err := newRepo(t, repo.BareUser).AddRemote("origin", append([][2]string{{"url", closed}}, cert(client)[:2]...))
	if want := `must specify both "tls-client-cert-path" and "tls-client-key-path"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("without a key: error %v, want %q", err, want)
	}
}

// TestProxies pulls through a proxy that the remote names, or the environment.
func TestProxies(t *testing.T) {
	src, _, _, _ := serveTree(t, small, nil)
	files := http.FileServer(http.Dir(src.Path()))
	var through, straight traffic
	proxy, direct := httptest.NewServer(through.wrap(files)), httptest.NewServer(straight.wrap(files))
	t.Cleanup(proxy.Close)
	t.Cleanup(direct.Close)
	// Nobody sends what is for 127.0.0.1 to the proxy of the environment. This leads there too.
	elsewhere := strings.Replace(direct.URL, "127.0.0.1", "0.0.0.0", 1)
	for _, tt := range []struct {
		name, url string
		env       []string
		keys      [][2]string
		proxied   bool
	}{
		{"of the remote", "http://repository.invalid", nil, [][2]string{{"proxy", proxy.URL}}, true},
		{"of the environment", "http://repository.invalid", []string{"http_proxy=" + proxy.URL}, nil, true},
		{"not for this one", elsewhere, []string{"http_proxy=" + proxy.URL, "no_proxy=0.0.0.0"}, nil, false},
		{"not for others", elsewhere, []string{"http_proxy=" + proxy.URL, "no_proxy=example.com"}, nil, true},
		{"not for this host", direct.URL, []string{"http_proxy=" + proxy.URL}, nil, false},
		{"that of the remote comes first", elsewhere, []string{"http_proxy=http://127.0.0.1:1"}, [][2]string{{"proxy", proxy.URL}}, true},
		{"none", elsewhere, nil, nil, false},
	} {
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, tt.url, tt.keys...)
		through.hosts, straight.hosts = map[string]int{}, map[string]int{}
		cmd := exec.Command(os.Args[0], "-test.run=^$") // the environment is read once
		for _, v := range os.Environ() {
			if name, _, _ := strings.Cut(v, "="); !strings.HasSuffix(strings.ToLower(name), "_proxy") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		cmd.Env = append(append(cmd.Env, crashEnv+"="+r.Path()), tt.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", tt.name, err, out)
			continue
		}
		if _, err := r.ResolveRev("origin:x"); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		host := strings.TrimPrefix(tt.url, "http://")
		used, other := through.hosts, straight.hosts
		if !tt.proxied {
			used, other = other, used
		}
		if len(used) != 1 || used[host] == 0 || len(other) != 0 {
			t.Errorf("%s: the proxy was asked for %v, the server for %v", tt.name, through.hosts, straight.hosts)
		}
	}
	if err := pullX(t, direct.URL, Options{Retries: -1}, [2]string{"proxy", "nonsense"}); err == nil || !strings.Contains(err.Error(), `invalid proxy "nonsense"`) {
		t.Errorf("error %v", err)
	}
}

// TestRequestsSay looks at what every request has with it.
func TestRequestsSay(t *testing.T) {
	var mu sync.Mutex
	var problems []string
	_, url, _, _ := serveTree(t, small, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			said := fmt.Sprint(user, " ", password, " ", r.Header["X-Test"], " ", r.UserAgent(), " ", r.Header.Get("Cookie"))
			if want := "me secret [1 2] libostree/2026.4 mine/1 crumb=sweet"; said != want {
				mu.Lock()
				problems = append(problems, fmt.Sprintf("%s: %q, want %q", r.URL.Path, said, want))
				mu.Unlock()
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, strings.Replace(url, "//", "//me:secret@", 1))
	if err := os.WriteFile(filepath.Join(r.Path(), CookieFile("origin")), []byte("127.0.0.1\tFALSE\t/\tFALSE\t0\tcrumb\tsweet\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := Options{Refs: []string{"x"}, Header: http.Header{"X-Test": {"1", "2"}}, AppendUserAgent: "mine/1"}
	if _, err := Pull(t.Context(), r, "origin", o); err != nil || len(problems) > 0 {
		t.Errorf("%v\n%s", err, strings.Join(problems, "\n"))
	}
	fsckClean(t, r)
	o.URL = strings.Replace(url, "//", "//me:wrongsecret@", 1)
	if _, err := Pull(t.Context(), r, "origin", o); err == nil || !strings.Contains(err.Error(), "Server returned HTTP 401") || strings.Contains(err.Error(), "wrongsecret") {
		t.Errorf("error %v", err)
	}
}

// failing makes a server that fails some times for each path with the suffix.
func failing(suffix string, times int, fail http.HandlerFunc) (wrap func(http.Handler) http.Handler, asked func() int) {
	var mu sync.Mutex
	n := map[string]int{}
	wrap = func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, suffix) {
				mu.Lock()
				n[r.URL.Path]++
				bad := n[r.URL.Path] <= times
				mu.Unlock()
				if bad {
					fail(w, r)
					return
				}
			}
			h.ServeHTTP(w, r)
		})
	}
	return wrap, func() (most int) {
		mu.Lock()
		defer mu.Unlock()
		for _, k := range n {
			most = max(most, k)
		}
		return most
	}
}

// TestRetries counts how often a server is asked that fails for a while.
func TestRetries(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	drop := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	trickle := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	}
	src, _, _, _ := serveTree(t, small, nil)
	files := http.FileServer(http.Dir(src.Path()))
	for _, tt := range []struct {
		name, suffix string
		fail         http.HandlerFunc
		times        int
		o            Options
		asked        int
		want         string
	}{
		{"unavailable, once", "config", status(503), 1, Options{}, 2, ""},
		{"a cache on the way has its own codes", "config", status(522), 1, Options{}, 2, ""},
		{"connections are dropped", ".filez", drop, 1, Options{}, 2, ""},
		{"none are wanted", "config", status(503), 1, Options{Retries: -1}, 1, "Server returned HTTP 503"},
		{"not often enough", "config", status(503), 3, Options{Retries: 2}, 3, "Server returned HTTP 503"},
		{"often enough", "config", status(503), 2, Options{Retries: 2}, 3, ""},
		{"what is not there is not asked for again", ".commit", status(404), 9, Options{}, 1, "Server returned HTTP 404"},
		{"what is forbidden neither", ".commit", status(401), 9, Options{}, 1, "Server returned HTTP 401"},
		{"slow", ".dirtree", trickle, 9, Options{Retries: -1, LowSpeedBytes: 10_000, LowSpeedSeconds: 1}, 1, "too slow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wrap, asked := failing(tt.suffix, tt.times, tt.fail)
			server := httptest.NewUnstartedServer(wrap(files))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.Start()
			t.Cleanup(server.Close)
			err := pullX(t, server.URL, tt.o)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if n := asked(); n != tt.asked {
				t.Errorf("asked %d times, want %d", n, tt.asked)
			}
		})
	}
}

// TestWorkers counts requests at once.
func TestWorkers(t *testing.T) {
	src, _, _, _ := serveTree(t, manyFiles, nil)
	for _, n := range []int{1, 3} {
		var s traffic
		server := httptest.NewServer(s.wrap(together(n, http.FileServer(http.Dir(src.Path())))))
		if err := pullX(t, server.URL, Options{Workers: n}); err != nil {
			t.Error(err)
		}
		if s.most != n {
			t.Errorf("%d requests at once, want %d", s.most, n)
		}
		server.Close()
	}
}
