package httpd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv("HTTPD_TEST_PROGRAM") != "" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// start serves a directory with some files and returns its URL.
func start(t *testing.T, args ...string) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, mode := range map[string]os.FileMode{"sub/a": 0o644, "sub/b&c": 0o644, "secret": 0o600, "repo/objects/x": 0o644, "web/index.html": 0o644} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content of "+name), mode); err != nil {
			t.Fatal(err)
		}
	}
	stamp := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "sub/a"), stamp, stamp); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "sub"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	o, root, err := parse(append(args, dir), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(root, o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	go s.serve()
	t.Cleanup(func() { s.listener.Close() })
	return fmt.Sprintf("http://127.0.0.1:%d", s.listener.Addr().(*net.TCPAddr).Port), dir
}

type answer struct {
	status int
	body   string
	header http.Header
	err    error
}

func get(t *testing.T, method, url string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req) // no redirects
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, string(body), res.Header, err}
}

func TestFiles(t *testing.T) {
	url, _ := start(t)
	a := get(t, "GET", url+"/sub/a")
	tag := a.header.Get("ETag")
	if a.body != "content of sub/a" || a.header.Get("Last-Modified") != "Sat, 03 Feb 2001 04:05:06 GMT" || len(tag) != 66 {
		t.Errorf("%+v", a)
	}
	for _, c := range []struct {
		method, path, header string
		status               int
		body                 string
	}{
		{"HEAD", "/sub/a", "", 200, ""},
		{"GET", "/link/a", "", 200, "content of sub/a"},
		{"GET", "/web/", "", 200, "content of web/index.html"},
		{"GET", "/sub", "", 301, ""},
		{"GET", "/sub/", "", 200, `<a href="b&amp;c">b&amp;c</a>`},
		{"GET", "/none", "", 404, ""},
		{"GET", "/secret", "", 403, ""},
		{"GET", "/%2e%2e/x", "", 404, ""},
		{"GET", "/sub/a/", "", 500, ""},
		{"GET", "/sub../a", "", 403, ""},
		{"GET", "/%2e%2e", "", 301, ""}, // the root itself
		{"POST", "/sub/a", "", 501, ""},
		{"GET", "/sub/a", "If-None-Match=" + tag, 304, ""},
		{"GET", "/sub/a", `If-None-Match="other"`, 200, "content of sub/a"},
		{"GET", "/sub/a", "If-Modified-Since=Sat, 03 Feb 2001 04:05:06 GMT", 304, ""},
		{"GET", "/sub/a", "If-Modified-Since=Sat, 03 Feb 2001 04:05:05 GMT", 200, "content of sub/a"},
		{"GET", "/sub/a", "Range=bytes=11-", 206, "sub/a"},
		{"GET", "/sub/a", "Range=bytes=99-", 416, ""},
		{"GET", "/sub/a", "Range=bytes=-1, 0-0", 206, "Content-Range: bytes 0-0/16"},
		{"GET", "/sub/a", "Range=bytes=5-2", 200, "content of sub/a"},
		{"GET", "/sub/a", "Range=lines=1-2", 200, "content of sub/a"},
		{"GET", "/%00", "", 404, ""},
	} {
		var header []string
		if k, v, ok := strings.Cut(c.header, "="); ok {
			header = []string{k, v}
		}
		a := get(t, c.method, url+c.path, header...)
		if a.status != c.status || c.body == "" && a.status < 300 && a.body != "" || !strings.Contains(a.body, c.body) {
			t.Errorf("%s %s %s: %d %q", c.method, c.path, c.header, a.status, a.body)
		}
	}
}

func TestRanges(t *testing.T) {
	url, _ := start(t, "--force-range-requests")
	a := get(t, "GET", url+"/repo/objects/x")
	if a.err != io.ErrUnexpectedEOF || a.body != "content of r" {
		t.Errorf("%+v", a)
	}
	if a := get(t, "GET", url+"/repo/objects/x", "Range", "bytes=11-"); a.body != "repo/objects/x" {
		t.Errorf("%+v", a)
	}
	if a := get(t, "GET", url+"/sub/a"); a.err != nil {
		t.Errorf("%+v", a)
	}
}

func TestDemands(t *testing.T) {
	url, _ := start(t, "--require-basic-auth", "--expected-cookies=a=1", "--expected-header", "X-Y=2")
	auth := []string{"Authorization", "Basic Zm9vdXNlcjpiYXJwdw=="}
	for _, c := range []struct {
		header []string
		status int
	}{
		{nil, 401},
		{[]string{"Authorization", "Basic Zm9vdXNlcjp4"}, 401},
		{auth, 403},
		{append(auth, "Cookie", "b=2; a=1"), 403},
		{append(auth, "Cookie", "b=2; a=1", "X-Y", "3"), 403},
		{append(auth, "Cookie", "b=2; a=2", "X-Y", "2"), 403},
		{append(auth, "Cookie", "b=2; a=1", "X-Y", "2"), 200},
	} {
		if a := get(t, "GET", url+"/sub/a", c.header...); a.status != c.status {
			t.Errorf("%v: %d, want %d", c.header, a.status, c.status)
		}
	}
}

func TestErrors(t *testing.T) {
	url, _ := start(t, "--random-500s=99", "--random-500s-max=3", "--random-408s=99", "--random-408s-max=2")
	count := map[int]int{}
	for range 200 {
		count[get(t, "GET", url+"/sub/a").status]++
	}
	if count[500] != 3 || count[408] != 2 || count[200] != 195 {
		t.Errorf("%v", count)
	}
}

func TestOptions(t *testing.T) {
	for args, want := range map[string]string{
		"--random-500s=100":        "Invalid --random-500s=100",
		"--random-408s=-1":         "Invalid --random-408s=-1",
		"--daemonize --log-file=-": "Cannot use --log-file=- and --daemonize at the same time",
		"--expected-header=x":      "Missing '=' in KEY=VALUE 'x'",
		"--nope":                   "Unknown option --nope",
		"/nonexistent":             "opening directory /nonexistent: stat /nonexistent: no such file or directory",
		"/dev/null":                "opening directory /dev/null: not a directory",
	} {
		var out, errs bytes.Buffer
		if n := Main(strings.Fields(args), &out, &errs); n != 1 || errs.String() != "error: "+want+"\n" {
			t.Errorf("%s: %d %q", args, n, errs.String())
		}
	}
}

// TestDaemon runs the program as the scripts of test suites do.
func TestDaemon(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	log, port := filepath.Join(dir, "log"), filepath.Join(dir, "port")
	out, err := program(t, "--autoexit", "--daemonize", "-p", port, "--log-file", log, root)
	if err != nil || out != "" {
		t.Fatalf("%q %v", out, err)
	}
	number, err := os.ReadFile(port)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(number)))
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/", n)
	if a := get(t, "GET", url); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if err := os.Remove(root); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if text, err := os.ReadFile(log); err != nil {
			t.Fatal(err)
		} else if strings.Contains(string(text), "root directory removed, exiting\n") {
			if !strings.Contains(string(text), " - serving /\n") || !strings.Contains(string(text), " -   status: OK (200)\n") {
				t.Errorf("%s", text)
			}
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the server does not end")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if out, err := program(t, "--daemonize", filepath.Join(dir, "none")); err == nil || !strings.Contains(out, "opening directory") {
		t.Errorf("%q %v", out, err)
	}
	if out, err := program(t, "--daemonize", "--log-file", log, dir); err == nil || !strings.Contains(out, "file exists") {
		t.Errorf("%q %v", out, err)
	}
}

func program(t *testing.T, args ...string) (string, error) {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), "HTTPD_TEST_PROGRAM=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The logger is used by many connections at once.
func TestLogger(t *testing.T) {
	var b bytes.Buffer
	l := &logger{w: &b}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { l.printf("line %d", 1) })
	}
	wg.Wait()
	if n := strings.Count(b.String(), " - line 1\n"); n != 8 {
		t.Errorf("%s", b.String())
	}
}
