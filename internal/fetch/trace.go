package fetch

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// tracer writes what is asked and what is answered to w, as "curl -v" does, without bodies
// and without what proves who the user is.
type tracer struct {
	next http.RoundTripper
	mu   *sync.Mutex
	w    io.Writer
}

func (t tracer) RoundTrip(req *http.Request) (*http.Response, error) {
	t.write(fmt.Sprintf("> %s %s\n", req.Method, req.URL.Redacted()), "> ", req.Header)
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		t.write(fmt.Sprintf("* %s: %v\n", req.URL.Redacted(), err), "", nil)
		return nil, err
	}
	t.write(fmt.Sprintf("< %s %s: %s\n", resp.Proto, resp.Status, req.URL.Redacted()), "< ", resp.Header)
	return resp, nil
}

var secretHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

func (t tracer) write(first, prefix string, h http.Header) {
	var b bytes.Buffer
	b.WriteString(first)
	var lines []string
	for name, values := range h {
		if slices.Contains(secretHeaders, name) {
			values = []string{"(not shown)"}
		}
		lines = append(lines, prefix+name+": "+strings.Join(values, ", ")+"\n")
	}
	slices.Sort(lines)
	for _, l := range lines {
		b.WriteString(l)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.w.Write(b.Bytes())
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (t tracer) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
