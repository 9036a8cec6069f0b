package httpd

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rpmostree/internal/treetest"
)

// requests are what the C program and ours answer alike: a method, a path, and headers.
var requests = []string{
	"GET /a", "HEAD /a", "GET /empty", "HEAD /empty", "GET /none", "GET /secret", "HEAD /secret", "GET /sub", "GET /sub/b%26c", "GET /link/b&c", "GET /dangling", "GET /pipe", "GET /closed/",
	"GET /closed/x", "GET /../a", "GET /%2e%2e/a", "GET /sub/../a", "GET /sub//b%26c", "GET //a", "GET /a?query", "GET /a/", "GET /a/b", "POST /a", "PUT /new", "DELETE /a",
	"GET /web/",
	"GET /a If-None-Match: TAG", "GET /a If-None-Match: \"other\"", "HEAD /a If-None-Match: TAG",
	"GET /a If-Modified-Since: Sat, 03 Feb 2001 04:05:06 GMT", "GET /a If-Modified-Since: Sat, 03 Feb 2001 04:05:05 GMT", "GET /a If-Modified-Since: Sat, 03 Feb 2001 04:05:07 GMT",
	"GET /a If-Modified-Since: yesterday", "GET /a If-None-Match: \"other\"|If-Modified-Since: Sat, 03 Feb 2001 04:05:07 GMT",
	"GET /a Range: bytes=2-", "GET /a Range: bytes=2-4", "GET /a Range: bytes=-3", "GET /a Range: bytes=0-0", "GET /a Range: bytes=99-", "GET /a Range: lines=1-2",
	"GET /a Range: bytes=5-2", "GET /a Range: bytes=", "GET /repo/objects/aa/x.filez Range: bytes=4-",
}

// shown are the headers that tests look at. An answer without content need not tell of its time.
var shown = []string{"Etag", "Last-Modified", "Location", "Content-Range", "Www-Authenticate"}

// TestLikeC serves one directory with both programs.
func TestLikeC(t *testing.T) {
	c := treetest.Oracle(t, "/usr/libexec/libostree/ostree-trivial-httpd")
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	for name, mode := range map[string]os.FileMode{"a": 0o644, "empty": 0o644, "secret": 0o600, "sub/b&c": 0o644, "closed/x": 0o644, "web/index.html": 0o644, "repo/objects/aa/x.filez": 0o644} {
		path := filepath.Join(root, name)
		data := "content of " + name
		if name == "empty" {
			data = ""
		}
		stamp := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
		for _, err := range []error{os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(data), mode), os.Chmod(path, mode), os.Chmod(filepath.Dir(path), 0o755), os.Chtimes(path, stamp, stamp)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, err := range []error{os.Symlink("sub", filepath.Join(root, "link")), os.Symlink("none", filepath.Join(root, "dangling")), os.Chmod(filepath.Join(root, "closed"), 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	treetest.Run(t, "mkfifo", "-m", "644", filepath.Join(root, "pipe"))
	for _, tt := range []struct {
		options  []string
		requests []string
	}{
		{nil, requests},
		{[]string{"--require-basic-auth"}, []string{"GET /a", "GET /a Authorization: Basic Zm9vdXNlcjpiYXJwdw==", "GET /a Authorization: Basic Zm9vdXNlcjp4", "GET /none", "POST /a"}},
		{[]string{"--expected-cookies=k=v", "--expected-cookies=m=n"}, []string{"GET /a", "GET /a Cookie: k=v", "GET /a Cookie: m=n; k=v", "GET /a Cookie: k=v; m=x", "GET /none Cookie: k=v; m=n"}},
		{[]string{"--expected-header=X-A=1", "--expected-header=X-B=2=3"}, []string{"GET /a", "GET /a X-A: 1", "GET /a X-A: 1|X-B: 2=3", "GET /a x-b: 2=3|x-a: 1", "GET /a X-A: 1|X-B: 2"}},
		{[]string{"--force-range-requests"}, []string{"GET /a", "GET /repo/objects/aa/x.filez", "HEAD /repo/objects/aa/x.filez", "GET /repo/objects/aa/x.filez Range: bytes=3-"}},
		{[]string{"--random-500s=99", "--random-500s-max=0", "--random-408s=99", "--random-408s-max=0"}, []string{"GET /a"}},
	} {
		t.Run(strings.Join(tt.options, " "), func(t *testing.T) {
			var said [2][]string
			for i, program := range []string{c, "/proc/self/exe"} {
				port := filepath.Join(t.TempDir(), "port")
				cmd := exec.CommandContext(t.Context(), program, append(tt.options, "--port-file="+port, root)...)
				cmd.Env = append(os.Environ(), "HTTPD_TEST_PROGRAM=1")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan struct{})
				go func() { cmd.Wait(); close(ended) }()
				defer func() { cmd.Process.Kill(); <-ended }()
				address := "127.0.0.1:" + waitPort(t, port, ended)
				tag := ""
				for _, request := range tt.requests {
					a := ask(t, address, strings.ReplaceAll(request, "TAG", tag))
					if request == "GET /a" {
						tag = a.header.Get("Etag")
					}
					text := fmt.Sprintf("%d %q %v", a.status, a.body, a.err)
					for _, name := range shown {
						v := strings.ReplaceAll(strings.TrimPrefix(a.header.Get(name), "http://"+address), `"`, "")
						untold := a.status == http.StatusNotModified && name == "Last-Modified" || a.status == http.StatusRequestedRangeNotSatisfiable
						if v != "" && !untold {
							text += fmt.Sprintf(" %s: %s", name, v)
						}
					}
					said[i] = append(said[i], text)
				}
			}
			for i, request := range tt.requests {
				if said[0][i] != said[1][i] {
					t.Errorf("%s: %s\nwant %s", request, said[1][i], said[0][i])
				}
			}
		})
	}
}

// waitPort waits for the number in a file, which a program writes.
func waitPort(t *testing.T, path string, ended <-chan struct{}) string {
	t.Helper()
	for {
		data, err := os.ReadFile(path)
		text := strings.TrimSpace(string(data))
		if _, err2 := strconv.Atoi(text); err == nil && err2 == nil {
			return text
		}
		select {
		case <-ended:
			t.Fatal("the program has ended without a port")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ask sends a request as it is, with a connection of its own.
func ask(t *testing.T, address, request string) answer {
	t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	path, headers, _ := strings.Cut(rest, " ")
	text := method + " " + path + " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n"
	if headers != "" {
		text += strings.ReplaceAll(headers, "|", "\r\n") + "\r\n"
	}
	if method == "POST" || method == "PUT" {
		text += "Content-Length: 0\r\n"
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(text + "\r\n")); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	var body strings.Builder
	_, err = bufio.NewReader(res.Body).WriteTo(&body)
	if res.StatusCode >= 300 { // with a page or without
		return answer{res.StatusCode, "", res.Header, nil}
	}
	return answer{res.StatusCode, body.String(), res.Header, err}
}
