package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func sha(b []byte) Checksum {
	s := sha256.Sum256(b)
	return Checksum{"sha256", hex.EncodeToString(s[:])}
}

func testClient(t *testing.T, o Options) *Client {
	t.Helper()
	setDefault(&o.Backoff, time.Microsecond)
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// content serves b with Range support.
func content(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", fmt.Sprintf("%q", sha(b).Hex[:8]))
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(b))
	}
}

// cut serves b, but ends every answer after n bytes by dropping the connection.
func cut(b []byte, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		content(b)(&cutWriter{w, n}, r)
	}
}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		w.ResponseWriter.Write(p[:w.left])
		w.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
}

func ignoreRange(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		h(w, r)
	}
}

// after serves first n times and then next.
func after(n int64, first, next http.HandlerFunc) http.HandlerFunc {
	var count atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if count.Add(1) <= n {
			first(w, r)
		} else {
			next(w, r)
		}
	}
}

var (
	good  = bytes.Repeat([]byte("0123456789abcdef"), 8192) // 128 KiB
	wrong = bytes.Repeat([]byte("0123456789abcdeF"), 8192)
)

// TestTransfer runs each server situation through Bytes and File, with and
// without a known checksum and size.
func TestTransfer(t *testing.T) {
	gzipped := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(good)
	}
	chunked := func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		w.Write(good)
	}
	for _, tt := range []struct {
		name    string
		servers []http.HandlerFunc
		plain   bool // succeeds without checksum
		checked bool // succeeds with checksum and size
	}{
		{"served whole", []http.HandlerFunc{content(good)}, true, true},
		{"content encoding is not ours", []http.HandlerFunc{gzipped}, true, true},
		{"no length", []http.HandlerFunc{chunked}, true, true},
		{"missing", []http.HandlerFunc{status(404)}, false, false},
		{"missing, second mirror", []http.HandlerFunc{status(404), content(good)}, true, true},
		{"unavailable once", []http.HandlerFunc{after(1, status(503), content(good))}, true, true},
		{"always unavailable", []http.HandlerFunc{status(503)}, false, false},
		{"breaks", []http.HandlerFunc{cut(good, 50000)}, true, true},
		{"breaks, range ignored", []http.HandlerFunc{after(1, cut(good, 50000), ignoreRange(content(good)))}, true, true},
		{"breaks, goes on at next", []http.HandlerFunc{after(1, cut(good, 50000), status(404)), content(good)}, true, true},
		{"breaks at once", []http.HandlerFunc{after(2, cut(good, 0), content(good))}, true, true},
		{"wrong", []http.HandlerFunc{content(wrong)}, false, false},
		{"wrong, second mirror", []http.HandlerFunc{content(wrong), content(good)}, false, true},
		{"too short, second mirror", []http.HandlerFunc{content(good[:100]), content(good)}, false, true},
		{"empty, second mirror", []http.HandlerFunc{content(nil), content(good)}, false, true},
		{"appended, second mirror", []http.HandlerFunc{content(append(good[:len(good):len(good)], 1)), content(good)}, false, true},
		{"changes after break", []http.HandlerFunc{after(1, cut(wrong, 50000), content(good))}, true, true},
		{"wrong half, then good mirror", []http.HandlerFunc{after(1, cut(wrong, 50000), status(404)), content(good)}, true, true},
	} {
		for _, checked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/checked=%v", tt.name, checked), func(t *testing.T) {
				var bases []string
				for _, h := range tt.servers {
					bases = append(bases, serve(t, h))
				}
				want := tt.plain
				req := Request{Mirrors: NewMirrors(bases...), Path: "f"}
				if checked {
					req.Checksums, req.Size, want = []Checksum{sha(good)}, int64(len(good)), tt.checked
				}
				testBytes(t, req, want)
			})
		}
	}
}

func testBytes(t *testing.T, req Request, want bool) {
	c := testClient(t, Options{})
	got, res, err := c.Bytes(t.Context(), req)
	ok := err == nil && bytes.Equal(got, good)
	if ok != want {
		t.Fatalf("ok = %v, want %v; error %v, %d bytes", ok, want, err, len(got))
	}
	if ok && res.Size != int64(len(good)) {
		t.Errorf("Size = %d", res.Size)
	}
}

func TestFileResumesPart(t *testing.T) {
	for _, tt := range []struct {
		name string
		part []byte
		size int64
	}{
		{"none", nil, 0},
		{"half", good[:70000], 0},
		{"wrong half", wrong[:70000], int64(len(good))},
		{"complete", good, int64(len(good))},
		{"complete, size unknown", good, 0},
		{"too long", append(good[:len(good):len(good)], 1, 2), int64(len(good))},
		{"too long, size unknown", append(good[:len(good):len(good)], 1, 2), 0},
		{"wrong", wrong, int64(len(good))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if tt.part != nil {
				if err := os.WriteFile(path+partSuffix, tt.part, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := testClient(t, Options{})
			req := Request{URL: serve(t, content(good)), Checksums: []Checksum{sha(good)}, Size: tt.size}
			if _, err := c.File(t.Context(), req, path); err != nil {
				t.Fatal(err)
			}
			checkFile(t, path, good)
		})
	}
}

func checkFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("file has %d bytes, error %v; want %d bytes", len(got), err, len(want))
	}
	if left, _ := filepath.Glob(path + partSuffix + "*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestFileFailureLeavesTargetAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := testClient(t, Options{})
	req := Request{URL: serve(t, content(wrong)), Checksums: []Checksum{sha(good)}}
	_, err := c.File(t.Context(), req, path)
	var sum *ChecksumError
	if !errors.As(err, &sum) || sum.Got != sha(wrong) {
		t.Errorf("error %v, want a ChecksumError", err)
	}
	checkFile(t, path, []byte("old"))
}

// An interrupted transfer is continued by the next process.
func TestFileContinuesAfterCancel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	ctx, cancel := context.WithCancel(t.Context())
	hang := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(good)))
		w.Write(good[:60000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	c := testClient(t, Options{})
	req := Request{URL: serve(t, hang), Checksums: []Checksum{sha(good)}}
	req.Progress = func(done, total int64) {
		if done >= 60000 {
			cancel()
		}
	}
	if _, err := c.File(ctx, req, path); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want canceled", err)
	}
	var ranges []string
	req = Request{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		content(good)(w, r)
	}), Checksums: req.Checksums}
	if _, err := c.File(t.Context(), req, path); err != nil {
		t.Fatal(err)
	}
	checkFile(t, path, good)
	if fmt.Sprint(ranges) != "[bytes=60000-]" {
		t.Errorf("ranges %v", ranges)
	}
}

// What cancels a context may look like a failure of the transfer; it is none.
func TestCancelCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&ChecksumError{})
	c := testClient(t, Options{})
	for _, url := range []string{serve(t, content(good)), serve(t, cut(good, 10))} {
		_, _, err := c.Bytes(ctx, Request{URL: url, Checksums: []Checksum{sha(good)}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want canceled", err)
		}
	}
}

func TestConditional(t *testing.T) {
	c := testClient(t, Options{})
	url := serve(t, content(good))
	_, res, err := c.Bytes(t.Context(), Request{URL: url})
	if err != nil || res.ETag == "" || res.LastModified.Unix() != 1e9 {
		t.Fatalf("result %+v, error %v", res, err)
	}
	for _, req := range []Request{{IfNoneMatch: res.ETag}, {IfModifiedSince: res.LastModified}} {
		req.URL = url
		got, res, err := c.Bytes(t.Context(), req)
		if err != nil || !res.NotModified || len(got) != 0 {
			t.Errorf("%+v: result %+v, error %v", req, res, err)
		}
		path := filepath.Join(t.TempDir(), "f")
		if res, err := c.File(t.Context(), req, path); err != nil || !res.NotModified {
			t.Errorf("File: result %+v, error %v", res, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("File made a file: %v", err)
		}
	}
}

// TestRedirectedPassword: a password is for the server that it was given for.
func TestRedirectedPassword(t *testing.T) {
	said := func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s:%s %s", name, password, r.Header.Get("X-Other"))
	}
	other := serve(t, said)
	var secure string
	mux := http.NewServeMux()
	mux.HandleFunc("/said", said)
	mux.Handle("/self", http.RedirectHandler("/said", http.StatusFound))
	mux.Handle("/other", http.RedirectHandler(other+"/said", http.StatusFound))
	mux.Handle("/back", http.RedirectHandler("/other", http.StatusFound))
	mux.HandleFunc("/secure", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, secure+"/said", http.StatusFound) })
	url := serve(t, mux.ServeHTTP)
	tls := httptest.NewTLSServer(http.HandlerFunc(said))
	t.Cleanup(tls.Close)
	secure = tls.URL
	client := func(o Options) *Client {
		if o.Header == nil {
			o.Header = http.Header{}
		}
		o.Header.Set("X-Other", "x")
		o.TLS.Insecure = true
		return testClient(t, o)
	}
	option, header, none := client(Options{Username: "u", Password: "p"}), client(Options{Header: http.Header{"Authorization": {"Basic dTpw"}}}), client(Options{})
	for path, want := range map[string]string{"/said": "u:p x", "/self": "u:p x", "/other": ": x", "/back": ": x", "/secure": ": x"} {
		for _, get := range []struct {
			c   *Client
			url string
		}{{option, url + path}, {header, url + path}, {none, strings.Replace(url, "http://", "http://u:p@", 1) + path}} {
			if got, _, err := get.c.Bytes(t.Context(), Request{URL: get.url}); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v, want %q", get.url, got, err, want)
			}
		}
	}
}

// TestSameServer: a port may be left out, and a name written in capitals.
func TestSameServer(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"https://a.b/x", "https://A.b:443/y", true},
		{"http://a.b:80", "HTTP://a.b", true},
		{"http://a.b:", "http://a.b", true},
		{"https://[::1]", "https://[::1]:443", true},
		{"http://a.b", "https://a.b", false},
		{"http://a.b:443", "https://a.b:443", false},
		{"http://a.b", "http://a.b:81", false},
		{"http://a.b", "http://b.b", false},
	} {
		a, err1 := url.Parse(c.a)
		b, err2 := url.Parse(c.b)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if sameServer(a, b) != c.want || sameServer(b, a) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
	}
}

// TestUnaskedNotModified: that a file is as it was is no answer to one who has no copy.
func TestUnaskedNotModified(t *testing.T) {
	c := testClient(t, Options{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotModified) })
	var status *StatusError
	sum := []Checksum{{"sha256", strings.Repeat("0", 64)}}
	for _, req := range []Request{{}, {Checksums: sum}, {Size: 10}} {
		req.URL = url
		if b, _, err := c.Bytes(t.Context(), req); !errors.As(err, &status) || status.Code != http.StatusNotModified {
			t.Errorf("%+v: %q, %v", req, b, err)
		}
	}
}

// A file may change twice in one second.
func TestModifiedJustNow(t *testing.T) {
	now := time.Now()
	for age, strong := range map[time.Duration]bool{0: false, time.Second: true, -time.Hour: false} {
		url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
			w.Header().Set("Last-Modified", now.Add(-age).UTC().Format(http.TimeFormat))
		}))
		_, res, err := testClient(t, Options{}).Bytes(t.Context(), Request{URL: url})
		if err != nil || res.LastModified.IsZero() == strong {
			t.Errorf("age %v: result %+v, error %v", age, res, err)
		}
	}
}

func TestErrors(t *testing.T) {
	c := testClient(t, Options{Retries: -1})
	url := serve(t, content(good))
	for _, tt := range []struct {
		name  string
		req   Request
		match string
	}{
		{"limit", Request{URL: url, MaxSize: 1000}, "larger than the limit of 1000 bytes"},
		{"size", Request{URL: url, Size: 1000}, "size is 131072 bytes, expected 1000"},
		{"scheme", Request{URL: "gopher://x/y"}, "unsupported protocol"},
		{"no URL", Request{}, "names no URL"},
		{"hash", Request{URL: url, Checksums: []Checksum{{"crc", "00"}}}, "unknown checksum type"},
		{"other host's file", Request{URL: "file://elsewhere/etc/passwd"}, "another host"},
		{"directory", Request{URL: "file:///etc"}, "not a regular file"},
		{"redirects", Request{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/x", http.StatusFound)
		})}, "too many redirects"},
		{"redirect to file", Request{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		})}, "unsupported protocol scheme"},
		{"bad range", Request{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
		})}, "invalid Content-Range"},
	} {
		if _, _, err := c.Bytes(t.Context(), tt.req); err == nil || !strings.Contains(err.Error(), tt.match) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.match)
		}
	}
	for url, want := range map[string]bool{
		serve(t, status(404)): true, serve(t, status(403)): true, serve(t, status(410)): true,
		serve(t, status(500)): false, "file:///nonexistent/file": true, "/nonexistent/file": true,
	} {
		if _, _, err := c.Bytes(t.Context(), Request{URL: url}); err == nil || errors.Is(err, fs.ErrNotExist) != want {
			t.Errorf("%s: error %v, ErrNotExist should be %v", url, err, want)
		}
	}
}

func TestEndlessBody(t *testing.T) {
	c := testClient(t, Options{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(good); err != nil {
				return
			}
		}
	})
	_, err := c.Get(t.Context(), Request{URL: url, MaxSize: 1 << 20}, io.Discard)
	var size *SizeError
	if !errors.As(err, &size) {
		t.Errorf("error %v, want a SizeError", err)
	}
}

func TestStalled(t *testing.T) {
	c := testClient(t, Options{LowSpeedTime: 20 * time.Millisecond})
	url := serve(t, after(1, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(good)))
		w.Write(good[:10])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, content(good)))
	var buf bytes.Buffer
	_, err := c.Get(t.Context(), Request{URL: url, Checksums: []Checksum{sha(good)}}, &buf)
	if err != nil || !bytes.Equal(buf.Bytes(), good) {
		t.Errorf("%d bytes, error %v", buf.Len(), err)
	}
}

func TestLocal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b")
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	c := testClient(t, Options{})
	for _, url := range []string{path, "file://" + path, "file://localhost" + strings.ReplaceAll(path, " ", "%20")} {
		testBytes(t, Request{URL: url, Checksums: []Checksum{sha(good)}}, true)
	}
	m := NewMirrors("file://" + filepath.Dir(path))
	testBytes(t, Request{Mirrors: m, Path: "a b"}, true)
	dst := filepath.Join(t.TempDir(), "copy")
	if _, err := c.File(t.Context(), Request{URL: path}, dst); err != nil {
		t.Fatal(err)
	}
	checkFile(t, dst, good)
}

func TestMaxPerHost(t *testing.T) {
	var now, most atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(time.Millisecond)
		content(good)(w, r)
	})
	c := testClient(t, Options{MaxPerHost: 2})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, _, err := c.Bytes(t.Context(), Request{URL: url}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d transfers at once, want at most 2", most.Load())
	}
}

func TestBadMirrorGoesLast(t *testing.T) {
	var asked atomic.Int64
	bad := serve(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); w.WriteHeader(500) })
	m := NewMirrors(bad, serve(t, content(good)), bad)
	for range 10 {
		testBytes(t, Request{Mirrors: m, Path: "x"}, true)
	}
	if n := asked.Load(); n != MaxMirrorFailures {
		t.Errorf("bad mirror was asked %d times, want %d", n, MaxMirrorFailures)
	}
}

func TestAuthAndHeaders(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		fmt.Fprint(w, user, " ", pass, " ", r.UserAgent(), " ", r.Header.Get("X-Test"), " ", r.Header.Get("Accept-Encoding"))
	})
	c := testClient(t, Options{Username: "u", Password: "p", UserAgent: "agent", Header: http.Header{"X-Test": {"1"}}})
	got, _, err := c.Bytes(t.Context(), Request{URL: url})
	if string(got) != "u p agent 1 " || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	got, _, _ = testClient(t, Options{}).Bytes(t.Context(), Request{URL: strings.Replace(url, "//", "//a:b@", 1)})
	if string(got) != "a b rpm-ostree  " {
		t.Errorf("got %q", got)
	}
}

func TestProxy(t *testing.T) {
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "for ", r.URL) })
	c := testClient(t, Options{Proxy: proxy})
	got, _, err := c.Bytes(t.Context(), Request{URL: "http://example.invalid/x"})
	if string(got) != "for http://example.invalid/x" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := New(Options{Proxy: "nonsense"}); err == nil {
		t.Error("invalid proxy accepted")
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(content(good))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused handshake is what we want
	s.StartTLS()
	t.Cleanup(s.Close)
	if _, _, err := testClient(t, Options{}).Bytes(t.Context(), Request{URL: s.URL}); err == nil {
		t.Error("unknown authority accepted")
	}
	if _, _, err := testClient(t, Options{TLS: TLSOptions{Insecure: true}}).Bytes(t.Context(), Request{URL: s.URL}); err != nil {
		t.Error(err)
	}
	if _, err := New(Options{TLS: TLSOptions{CAFile: "/nonexistent"}}); err == nil {
		t.Error("missing CA file accepted")
	}
}

func TestJoin(t *testing.T) {
	for _, tt := range []struct{ base, rel, want string }{
		{"http://h/a", "b/c", "http://h/a/b/c"},
		{"http://h/a/", "/b", "http://h/a/b"},
		{"http://h/a?key=1", "b", "http://h/a/b?key=1"},
		{"http://h/", "http://o/x", "http://o/x"},
		{"http://h/", "Packages/g++ 1.rpm", "http://h/Packages/g++%201.rpm"},
		{"http://h/", "a%2bb", "http://h/a%2bb"},
		{"http://h/", "100%", "http://h/100%25"},
		{"file:///srv/x", "y", "file:///srv/x/y"},
	} {
		if got := Join(tt.base, tt.rel); got != tt.want {
			t.Errorf("Join(%q, %q) = %q, want %q", tt.base, tt.rel, got, tt.want)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/10", "bytes 5-9/*", "bytes 9-5/10", "bytes 0-9/9", "bytes */10", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		start, total, err := parseContentRange(s)
		if err == nil && (start < 0 || total != 0 && start >= total) {
			t.Errorf("%q: start %d, total %d", s, start, total)
		}
	})
}

// TestPassword has transfers fail: no error tells the password of the URL.
func TestPassword(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 1000)
	for _, tt := range []struct {
		serve http.HandlerFunc
		path  string
		req   Request
	}{
		{content(body), "", Request{MaxSize: 10}},
		{content(body), "", Request{Size: 10}},
		{content(body), "", Request{Checksums: []Checksum{sha(nil)}}},
		{cut(body, 100), "", Request{}},
		{status(http.StatusNotFound), "", Request{}},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", Request{}},
		{content(body), "%", Request{}}, // not a URL
	} {
		tt.req.URL = strings.Replace(serve(t, tt.serve), "http://", "http://user:secret"+tt.path+"@", 1)
		_, _, err := testClient(t, Options{Retries: -1}).Bytes(context.Background(), tt.req)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", tt.req, err)
		}
	}
	for in, want := range map[string]string{
		"http://user:secret@host/x?y": "http://user:xxxxx@host/x?y", "http://host/x@y": "http://host/x@y",
		"http://user:secret%@host": "(invalid URL)", "/a/100%": "/a/100%",
	} {
		if got := WithoutPassword(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
