package httpd

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// faults are what the server does wrong, and what it demands.
type faults struct {
	ranges           bool // half of an object, unless the request names a range
	auth             bool
	errors           [2]unlucky
	cookies, headers [][2]string
}

// unlucky is an answer that a percentage of the requests get, up to a number of them.
type unlucky struct {
	status, percent, max int
}

// A handler serves the files below root.
type handler struct {
	root   string
	faults faults
	log    *logger

	mu   sync.Mutex
	sent [2]int // of faults.errors
}

func openRoot(dir string) (string, error) {
	fi, err := os.Stat(dir)
	if err == nil {
		err = notDir(fi)
	}
	if err != nil {
		return "", fmt.Errorf("opening directory %s: %w", dir, err)
	}
	return filepath.Abs(dir)
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "ostree-httpd")
	if user, password, _ := r.BasicAuth(); h.faults.auth && (user != "foouser" || password != "barpw") {
		w.Header().Set("WWW-Authenticate", `Basic realm="auth-test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	h.log.printf("serving %s", r.URL.Path)
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	if status := h.refuse(r); status != 0 {
		rec.WriteHeader(status)
	} else {
		h.file(rec, r)
	}
	h.log.printf("  status: %s (%d)", http.StatusText(rec.status), rec.status)
}

// refuse returns the status of a request that gets no file, or 0.
func (h *handler) refuse(r *http.Request) int {
	for _, kv := range h.faults.cookies {
		if !hasCookie(r, kv[0], kv[1]) {
			h.log.printf("Expected cookie not found %s=%s", kv[0], kv[1])
			return http.StatusForbidden
		}
	}
	for _, kv := range h.faults.headers {
		values := r.Header.Values(kv[0])
		if len(values) == 0 {
			h.log.printf("Expected header not found %s", kv[0])
			return http.StatusForbidden
		}
		if values[0] != kv[1] {
			h.log.printf("Expected header %s: %s but found %s", kv[0], kv[1], values[0])
			return http.StatusForbidden
		}
	}
	if strings.Contains(clean(r.URL.Path), "../") {
		return http.StatusForbidden
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, e := range h.faults.errors {
		if h.sent[i] < e.max && rand.IntN(100) < e.percent {
			h.sent[i]++
			return e.status
		}
	}
	return 0
}

func hasCookie(r *http.Request, name, value string) bool {
	for _, c := range r.CookiesNamed(name) {
		if c.Value == value {
			return true
		}
	}
	return false
}

// clean returns the path of a request without what has no meaning in it. A slash at its end says
// that it is a directory.
func clean(p string) string {
	q := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && q != "/" {
		q += "/"
	}
	return q
}

// file answers with a file or the list of a directory.
func (h *handler) file(w http.ResponseWriter, r *http.Request) {
	path := h.root + clean(r.URL.Path)
	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EINVAL): // no file has a NUL in its name
		w.WriteHeader(http.StatusNotFound)
	case errors.Is(err, fs.ErrPermission):
		w.WriteHeader(http.StatusForbidden)
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
	case !public(fi):
		w.WriteHeader(http.StatusForbidden)
	case !fi.IsDir():
		h.regular(w, r, path)
	case !strings.HasSuffix(r.URL.Path, "/"):
		w.Header().Set("Location", r.URL.EscapedPath()+"/")
		w.WriteHeader(http.StatusMovedPermanently)
	default:
		index := filepath.Join(path, "index.html")
		if fi, err := os.Stat(index); err == nil && fi.Mode().IsRegular() && public(fi) {
			h.regular(w, r, index)
			return
		}
		list(w, r.URL.Path, path)
	}
}

// public tells whether everybody may read a file, or enter a directory: the server
// gives other users of the machine no more than they have.
func public(fi fs.FileInfo) bool {
	switch m := fi.Mode(); {
	case m.IsRegular():
		return m&0o004 != 0
	case m.IsDir():
		return m&0o005 == 0o005
	}
	return false
}

func list(w http.ResponseWriter, name, path string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	name = html.EscapeString(name)
	fmt.Fprintf(w, "<html>\r\n<head><title>Index of %s</title></head>\r\n<body><h1>Index of %s</h1>\r\n<p>\r\n", name, name)
	for _, e := range entries {
		name := html.EscapeString(e.Name())
		fmt.Fprintf(w, "<a href=\"%s\">%s</a><br>\r\n", name, name)
	}
	fmt.Fprint(w, "</body>\r\n</html>\r\n")
}

func (h *handler) regular(w http.ResponseWriter, r *http.Request, path string) {
	f, err := os.Open(path)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	defer f.Close()
	fi, err := f.Stat()
	var tag string
	if err == nil {
		tag, err = etag(f)
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("ETag", tag)
	w.Header()["Content-Type"] = nil // unknown, and not to be guessed
	if h.faults.ranges && r.Method == http.MethodGet && r.Header.Get("Range") == "" && strings.Contains(r.URL.Path, "/objects") {
		half(w, f, fi)
		return
	}
	if !validRange(r.Header.Get("Range")) {
		r.Header.Del("Range") // what nobody understands asks for the whole file
	}
	// A modification time has whole seconds in HTTP.
	http.ServeContent(w, r, "", fi.ModTime().Truncate(time.Second), f)
}

var rangePattern = regexp.MustCompile(`^bytes=[ \t]*(\d+-\d*|-\d+)([ \t]*,[ \t]*(\d+-\d*|-\d+))*$`)

// validRange reports whether the value of a Range header is one; see RFC 9110, 14.1.
func validRange(s string) bool {
	if !rangePattern.MatchString(s) {
		return false
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(s, "bytes="), ",") {
		first, last, _ := strings.Cut(strings.TrimSpace(part), "-")
		from, err1 := strconv.ParseUint(first, 10, 63)
		to, err2 := strconv.ParseUint(last, 10, 63)
		if err1 == nil && err2 == nil && from > to {
			return false
		}
	}
	return true
}

// etag is made of the content: the same file has the same one on another server.
func etag(f *os.File) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	_, err := f.Seek(0, io.SeekStart)
	return fmt.Sprintf("\"%x\"", sum.Sum(nil)), err
}

// half promises a whole file and ends the connection in the middle of it.
func half(w http.ResponseWriter, f *os.File, fi fs.FileInfo) {
	w.Header().Set("Content-Length", fmt.Sprint(fi.Size()))
	w.Header().Set("Last-Modified", fi.ModTime().UTC().Format(http.TimeFormat))
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("Connection", "close")
	io.CopyN(w, f, fi.Size()/2) // the server closes when less than promised was written
}

// A recorder keeps the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// ReadFrom keeps the way open for sendfile.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) { return io.Copy(r.ResponseWriter, src) }

// A logger writes lines with the time. Without a writer it writes none.
type logger struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *logger) printf(format string, args ...any) {
	if l.w == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s - %s\n", time.Now().Format("2006-01-02 15:04:05.000000"), fmt.Sprintf(format, args...))
}
